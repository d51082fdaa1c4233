"""Bring an edit scene on screen: the scene of a window, and a sequencer to see it in."""

from pathlib import Path

import bpy

from .. import compat

WORKSPACE = "Video Editing"  # Blender's own; not part of its general start-up file
TEMPLATE = Path("startup", "bl_app_templates_system", "Video_Editing", "startup.blend")


def show_edit_scene(window: bpy.types.Window, edit_scene: bpy.types.Scene) -> None:
    """Switch the window to the edit scene, and to a workspace with a sequencer if it shows none."""
    window.scene = edit_scene
    if not any(area.type == "SEQUENCE_EDITOR" for area in window.screen.areas):
        if WORKSPACE not in bpy.data.workspaces:
            bpy.ops.workspace.append_activate(idname=WORKSPACE, filepath=str(_template()))
            hide_metadata(bpy.data.workspaces[WORKSPACE])
        window.workspace = bpy.data.workspaces[WORKSPACE]
        compat.choose_sequencer_scene(bpy.data.workspaces[WORKSPACE], edit_scene)
    compat.choose_sequencer_scene(window.workspace, edit_scene)


def open_with_sequencer(edit_scene: bpy.types.Scene) -> None:
    """Make the file, once saved, open with the edit scene in a sequencer.

    For the background, where workspaces cannot be switched: a window's 3D view becomes the sequencer.
    """
    for window in bpy.context.window_manager.windows:
        window.scene = edit_scene
        compat.choose_sequencer_scene(window.workspace, edit_scene)
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.type = "SEQUENCE_EDITOR"
                area.spaces.active.view_type = "SEQUENCER_PREVIEW"


def hide_metadata(workspace: bpy.types.WorkSpace) -> None:
    """Show pictures without the text inside their files: Blender's template writes it across them."""
    for screen in workspace.screens:
        for space in (space for area in screen.areas for space in area.spaces if space.type == "SEQUENCE_EDITOR"):
            space.preview_overlay.show_metadata = False


def _template() -> Path:
    return next(path for folder in bpy.utils.script_paths() if (path := Path(folder, TEMPLATE)).is_file())
