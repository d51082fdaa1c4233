"""The demo: its scene, its small model, and how both were made. This module imports nothing."""
