"""What Blender calls this add-on, and the folder that it may keep things in."""

from pathlib import Path

import bpy

# As an extension this package is `bl_ext.<repository>.diffsynth_blender.diffsynth_blender.host`, and Blender knows the
# add-on by the first three parts. Imported plainly it is `diffsynth_blender.host`.
ADDON_ID = ".".join(__package__.split(".")[:3]) if __package__.startswith("bl_ext.") else __package__.partition(".")[0]


def user_folder() -> Path:
    """The extension's own folder of the user; nothing is made."""
    if ADDON_ID.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(ADDON_ID))
    return Path(bpy.utils.user_resource("DATAFILES", path="diffsynth"))
