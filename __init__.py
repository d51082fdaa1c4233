"""Blender's entry to the extension; the package is diffsynth_blender/, one folder down."""

# Guarded because pytest imports this file too, when it collects the folder, with no parent package.
if __package__ and "." in __package__:
    from .diffsynth_blender.host.addon import register, unregister  # noqa: F401
