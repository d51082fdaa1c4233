"""Render a shot into a job folder: source frames and exact passes; the scene stays as it was."""
