"""Exact passes and frames on disk to arrays with units, and the controls made or estimated from them.

Knows numpy, OpenEXR and Pillow, and Warp where a loop over pixels needs it. Must not know Blender or the job file:
names, sizes and thresholds come in as plain arguments. Annotators (with their torch) and super-resolution are imported
when one is chosen, not before.
"""
