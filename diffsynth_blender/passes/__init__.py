"""Exact passes and frames on disk to arrays with units, and the controls made from them.

Knows numpy, OpenEXR and Pillow. Must not know torch, Warp, Blender or the job file: names of
channels, sizes and thresholds come in as plain arguments.
"""
