"""Exact correspondence: where the surface seen at a pixel of one frame lies in another frame.

Read from motion vectors, object ids, depth and cameras; nothing is estimated from colours. Knows
numpy and Warp. Must not know torch, Blender, the job file, or what the correspondences are for.
"""
