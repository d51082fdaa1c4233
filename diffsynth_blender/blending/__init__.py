"""Remap neighbouring frames along exact motion and blend them, in Warp kernels.

Knows numpy, Warp and `motion`. Must not know torch, diffusion, Blender or the job file.
"""
