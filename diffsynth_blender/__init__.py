"""DiffSynth for Blender: restyle a rendered shot with a diffusion model, without flicker.

This module imports nothing, so that each half of the product (Blender's process and the worker's)
can import its own packages without dragging in the other's dependencies.
"""

__version__ = "0.1.0"
