"""What becomes of finished frames: strips, replacements, the compositor, movies, comparisons."""
