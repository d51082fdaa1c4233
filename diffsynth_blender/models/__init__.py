"""Checkpoints: which there are, where they lie, and loading them with diffusers' own classes."""
