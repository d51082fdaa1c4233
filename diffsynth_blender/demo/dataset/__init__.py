"""The procedural scenes that the demo model learns from; `python -m diffsynth_blender.demo.dataset` renders them."""
