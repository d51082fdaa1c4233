"""What the buttons around results in the compositor do: replace the render, and restore it."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..shot import properties
from .button import JobChoice, ResultOperator
from .compositor import replace_render, restore_render
from .compositor_links import pairs_of, trees_of
from .metadata import describe_job


class DIFFSYNTH_OT_replace_compositor(ResultOperator, JobChoice, bpy.types.Operator):
    """Put the result in place of the render in the compositor."""

    bl_idname = "diffsynth.replace_compositor"
    bl_label = "Use Result in Compositor"
    bl_description = (
        "Let the stylised frames take the place of the Render Layers image in this scene's compositor; every link is "
        "kept, and so are its other passes. Pressed again, the frames are read anew"
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Called at every redraw, so it looks at little."""
        if not trees_of(context.scene):
            return "This scene has no compositor nodes; add them in the Compositor"
        return ""

    def act(self, context: bpy.types.Context) -> str:
        """Replace it."""
        folder = self.job_folder and Path(bpy.path.abspath(self.job_folder)).resolve()
        job_dir = folder or properties.job_folder(context.scene)
        return replace_render(context.scene, job_dir, describe_job(job_dir))


class DIFFSYNTH_OT_restore_compositor(ResultOperator, bpy.types.Operator):
    """Show the render in the compositor again."""

    bl_idname = "diffsynth.restore_compositor"
    bl_label = "Restore Render in Compositor"
    bl_description = "Link the Render Layers image again wherever the stylised frames took its place"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Called at every redraw, so it looks at little."""
        return "" if pairs_of(context.scene) else "The compositor of this scene shows the render"

    def act(self, context: bpy.types.Context) -> str:
        """Restore it."""
        restore_render(context.scene)
        return ""


CLASSES = (DIFFSYNTH_OT_replace_compositor, DIFFSYNTH_OT_restore_compositor)
