"""Blender's half: everything that touches bpy, and nothing that touches torch.

Reading order: `addon.py` (what is registered), `api.py` (the three calls everything else is made of), `pump.py` (the
same work in steps, for the interface), `strip.py` (what the artist gets).
"""
