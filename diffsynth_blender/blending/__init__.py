"""Remap neighbouring frames along exact motion or matched patches and blend them, in Warp kernels.

Knows numpy, Warp, `motion` and `patchmatch`. Must not know torch, diffusion, Blender or the job file.
"""
