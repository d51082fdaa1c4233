"""Frames that are there already: passes on disk, and a strip of footage without any."""

from __future__ import annotations

import time
from pathlib import Path

from . import questions
from .install import Installed
from .steps import PROMPT, Step, Steps
from .window import Window

_RENDER_PASSES = """
import bpy
scene = bpy.context.scene
bpy.ops.diffsynth.enable_passes()
scene.render.use_motion_blur = False
scene.render.filepath = {stem!r}
bpy.ops.render.render(animation=True)
"""
_FOOTAGE = """
scene = bpy.data.scenes["Scene"]
editor = scene.sequence_editor_create()
strips = editor.strips if hasattr(editor, "strips") else editor.sequences
strip = strips.new_image("Footage", {first!r}, 1, 1)
for name in {others!r}:
    strip.elements.append(name)
"""


def render_passes(installed: Installed, shot: Path) -> Path:
    """Render the shot as an artist does who has pressed Enable Passes; returns its first file."""
    stem = shot.parent / "render" / "shot_"
    installed.run("-b", str(shot), "--python-expr", _RENDER_PASSES.format(stem=str(stem)))
    return Path(f"{stem}0001.exr")


class Sources(Steps):
    """Works on the shot as it was made, beside what other steps have left."""

    def __init__(self, window: Window, shot: Path, pictures: Path, passes: Path) -> None:
        """As all steps, and `passes` is the first of the multilayer EXR files of the shot."""
        super().__init__(window, shot, pictures)
        self.passes = passes

    @property
    def steps(self) -> tuple[Step, ...]:
        """In their order."""
        return self.passes_on_disk, self.footage

    def passes_on_disk(self) -> tuple[bool, str]:
        """Take passes that are on disk."""
        self.settle()
        self.open_file(self.shot)
        self.panel.fill("diffsynth.prompt", PROMPT)
        self.panel.fill("diffsynth.output_folder", "//from_passes", is_path=True)
        self.panel.open_panel("diffsynth.use_deflicker", -3, "diffsynth.source.kind")
        self.panel.turn("diffsynth.source.kind", 1)
        self.panel.fill("diffsynth.source.passes_file", str(self.passes), is_path=True)
        self.panel.press("diffsynth.fit_range(", column=0.3)
        time.sleep(1)
        self.panel.press("diffsynth.check_source(")
        time.sleep(1)
        self.picture("passes")
        return self._stylised("PASSES")

    def footage(self) -> tuple[bool, str]:
        """Take a strip of footage, with a press on what helps."""
        frames = sorted((self.shot.parent / "from_passes" / "Scene" / "source").glob("*.png"))
        others = [path.name for path in frames[1:]]
        self.window.ask(_FOOTAGE.format(first=str(frames[0]), others=others))
        self.panel.fill("diffsynth.output_folder", "//from_footage", is_path=True)
        self.panel.turn("diffsynth.source.kind", 1)
        self.panel.fill("diffsynth.source.strip", "Footage")
        self.window.key("Escape")  # suggestions that stay open
        self.panel.press("diffsynth.fit_range(", column=0.3)
        time.sleep(1)
        self.panel.press("diffsynth.stylise(")
        time.sleep(2)
        refused = str(self.window.ask(questions.FAILURE))
        self.window.key("Escape")  # a report that stays over the panel until the pointer leaves it
        if refused:
            self.picture("remedy")
            self.panel.press("diffsynth.mend(", column=0.3)
            time.sleep(1)
        as_wanted, told = self._stylised("STRIP", press=bool(refused))
        return as_wanted and "read from passes" in refused, f"refused: {refused}; then {told}"

    def _stylised(self, kind: str, *, press: bool = True) -> tuple[bool, str]:
        chosen = self.window.ask("answer = bpy.context.scene.diffsynth.source.kind")
        if press:
            self.panel.press("diffsynth.stylise(")
            time.sleep(1)
        refused = self.window.ask(questions.FAILURE)
        if refused:
            return False, str(refused)
        as_wanted, told = self.until_over("done")
        return as_wanted and chosen == kind, f"{chosen}; {told}"
