"""Nearest-neighbour fields between pictures, in Warp kernels: where does this patch occur in the other picture?

Knows numpy and Warp. Must not know torch, Blender, passes, or what the fields are for.
"""
