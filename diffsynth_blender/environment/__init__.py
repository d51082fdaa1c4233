"""The worker's own Python environment: planned, installed with uv, verified, repaired, upgraded, removed.

Standard library only, and nothing of Blender: it runs in Blender's Python and from a command line alike. It never
installs into Blender's Python, which only lends its interpreter to the environment.
"""
