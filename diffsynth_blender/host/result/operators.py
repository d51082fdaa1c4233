"""What the buttons around strips of results do: replace, restore, compare, keep the colours."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..button import Button
from ..compat import sequencer_scene
from ..jobs import history
from .button import JobChoice, ResultOperator
from .colours import colour_warning, show_exactly
from .find import Result, find_result_for, scene_with_result
from .metadata import JOB_KEY
from .place import replace_with, warnings_of
from .sequencer import active_strip
from .show import show_edit_scene
from .strip import find_edit_scene, is_edit_scene, strips_of
from .strip_frames import READABLE
from .strip_replace import REPLACED_KEY, REPLACES_KEY, restore_strip
from .wipe import add_wipe, find_compared, find_wipe, remove_wipe


class DIFFSYNTH_OT_show_result(Button, bpy.types.Operator):
    """Go to where the result is shown."""

    bl_idname = "diffsynth.show_result"
    bl_label = "Show Result"
    bl_description = "Go to the scene whose sequencer shows the stylised frames, in a sequencer"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        has_result = scene_with_result(context.scene) is not None
        return "" if has_result else "No sequencer shows a result of this scene yet"

    def execute(self, context: bpy.types.Context) -> set[str]:
        show_edit_scene(context.window, scene_with_result(context.scene))
        return {"FINISHED"}


class DIFFSYNTH_OT_replace_strip(ResultOperator, JobChoice, bpy.types.Operator):
    """Put the result in place of the active strip."""

    bl_idname = "diffsynth.replace_strip"
    bl_label = "Replace by Result"
    bl_description = (
        "Put the stylised frames in place of the active strip: same channel, timing, handles, position, blending and "
        "effects. The strip itself is kept, muted; Restore brings it back"
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Called at every redraw, so it looks at little."""
        strip = active_strip(sequencer_scene(context))
        if strip is None:
            return "No strip is active; select one in the sequencer"
        if strip.type not in READABLE:
            return f"Strip {strip.name!r} holds no frames of its own; select {', '.join(READABLE.values())}"
        if strip.get(REPLACES_KEY):
            return f"Strip {strip.name!r} is a result already; Restore brings the original back"
        if strip.get(JOB_KEY) and not history.has_job_of(strip):
            return f"Strip {strip.name!r} is a result already; select the strip that it was made from"
        return ""

    def act(self, context: bpy.types.Context) -> str:
        """Replace it, or renew what took its place before."""
        strip = active_strip(sequencer_scene(context))
        if self.job_folder:
            result = Result.of(Path(bpy.path.abspath(self.job_folder)))
        else:
            _, result = find_result_for(strip)
        return ". ".join(warnings_of(replace_with(strip, result)))


class DIFFSYNTH_OT_restore_strip(ResultOperator, bpy.types.Operator):
    """Bring the original back."""

    bl_idname = "diffsynth.restore_strip"
    bl_label = "Restore Original"
    bl_description = (
        "Bring back the strip whose place the result took, exactly as it was, and remove the result's strip"
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Called at every redraw, so it looks at little."""
        strip = active_strip(sequencer_scene(context))
        if strip is None or not (strip.get(REPLACES_KEY) or strip.get(REPLACED_KEY)):
            return "The active strip took no other strip's place, and none took its place"
        return ""

    def act(self, context: bpy.types.Context) -> str:
        """Restore it; a comparison of the two goes first."""
        strip = active_strip(sequencer_scene(context))
        remove_wipe(strip)
        restore_strip(strip)
        return ""


class DIFFSYNTH_OT_wipe(ResultOperator, bpy.types.Operator):
    """Compare source and result."""

    bl_idname = "diffsynth.wipe"
    bl_label = "Compare by Wipe"
    bl_description = (
        "Show source and result on either side of a line that can be moved; pressed again, take the comparison away"
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Called at every redraw, so it looks at little."""
        return "" if compared_strip(context) else "Neither the active strip nor this scene shows a result"

    def act(self, context: bpy.types.Context) -> str:
        """Add the wipe, or remove it."""
        strip = compared_strip(context)
        if find_wipe(strip):
            remove_wipe(strip)
        else:
            add_wipe(strip)
        return ""


class DIFFSYNTH_OT_show_exactly(ResultOperator, bpy.types.Operator):
    """Set up a scene's colours for finished frames."""

    bl_idname = "diffsynth.show_exactly"
    bl_label = "Keep Colours"
    bl_description = (
        "Set this scene's Color Management so that finished frames are shown and rendered value for value: view "
        "transform Standard, no look, no exposure. Everything else in the scene is then shown that way, too"
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Called at every redraw, so it looks at little."""
        return "" if colour_warning(shown_scene(context), sequencer=True) else "This scene keeps the colours already"

    def act(self, context: bpy.types.Context) -> str:
        """Set it."""
        show_exactly(shown_scene(context))
        return ""


def shown_scene(context: bpy.types.Context) -> bpy.types.Scene:
    """The scene that the button is about: in a sequencer the one whose strips it shows."""
    in_sequencer = context.area is not None and context.area.type == "SEQUENCE_EDITOR"
    return (sequencer_scene(context) if in_sequencer else None) or context.scene


def compared_strip(context: bpy.types.Context) -> bpy.types.Strip | None:
    """The result to compare: of the active strip, else the newest one of the edit scene."""
    active = active_strip(sequencer_scene(context))
    if active is not None:
        wipe = find_wipe(active)
        found = wipe.input_1 if wipe else find_compared(active)
        if found is not None:
            return found
    scene = context.scene if is_edit_scene(context.scene) else find_edit_scene(context.scene)
    if scene is None or scene.sequence_editor is None:
        return None
    results = [strip for strip in strips_of(scene) if find_compared(strip) == strip]
    return max(results, key=lambda strip: strip.channel, default=None)


CLASSES = (
    DIFFSYNTH_OT_show_result,
    DIFFSYNTH_OT_replace_strip,
    DIFFSYNTH_OT_restore_strip,
    DIFFSYNTH_OT_wipe,
    DIFFSYNTH_OT_show_exactly,
)
