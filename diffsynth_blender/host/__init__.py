"""Blender's half: everything that touches bpy, and nothing that touches torch.

Reading order: `addon.py` (what is registered), `api.py` (the three calls everything else is made of), `jobs/work.py`
and `jobs/pump.py` (the same in steps, for the interface), `result/place.py` (what the artist gets).
"""
