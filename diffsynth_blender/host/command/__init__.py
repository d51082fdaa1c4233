"""`blender --command diffsynth`, and what follows a render."""
