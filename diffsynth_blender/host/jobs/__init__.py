"""What runs while the artist goes on working: queue, history, preview, progress, remedies."""
