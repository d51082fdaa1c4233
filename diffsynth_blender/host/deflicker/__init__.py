"""The button Deflicker: the frames of a strip made steady, without a diffusion model."""
