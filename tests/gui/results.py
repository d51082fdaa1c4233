"""What becomes of finished frames: strip, wipe, undo, replacement and restoration, compositor, the saved file."""

from __future__ import annotations

import time

from . import questions
from .editor import Editor
from .steps import PROMPT, Step, Steps


class Results(Steps):
    """Needs a shot that was stylised in this window."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """In their order."""
        return (
            self.show, self.compare, self.undo, self.replace, self.restore, self.compositor, self.reopen,
        )  # fmt: skip

    def show(self) -> tuple[bool, str]:
        """Show Result."""
        self.panel.press("diffsynth.show_result(")
        time.sleep(3)
        strips = self.window.ask(questions.STRIPS)
        shown = self.window.ask("answer = bpy.context.window_manager.windows[0].scene.name")
        self.window.screenshot(self.pictures / "result.png")
        return any(kind == "IMAGE" for _, kind, *_ in strips.get(shown, ())), f"{shown}: {strips.get(shown)}"

    def compare(self) -> tuple[bool, str]:
        """Compare by a wipe, and take it away."""
        sidebar = self._sidebar()
        before = self.window.ask(questions.STRIPS)
        sidebar.press("diffsynth.wipe(")
        time.sleep(2)
        self.window.screenshot(self.pictures / "wipe.png")
        during = self.window.ask(questions.STRIPS)
        sidebar.press("diffsynth.wipe(")
        time.sleep(1)
        after = self.window.ask(questions.STRIPS)
        return before == after != during, ""

    def undo(self) -> tuple[bool, str]:
        """Undo and redo."""
        before = self.window.ask(questions.STRIPS)
        left, top, width, height = self.window.area("SEQUENCE_EDITOR")
        self.window.move(left + width // 2, top + height // 2)
        undone = before
        for presses in range(1, 4):  # the wipe, and taking it away, are steps too
            self.window.key("ctrl+z")
            time.sleep(2)
            undone = self.window.ask(questions.STRIPS)
            if undone != before and presses > 1:
                break
        for _ in range(presses):
            self.window.key("ctrl+shift+z")
            time.sleep(2)
        return self.window.ask(questions.STRIPS) == before != undone, f"{before} -> {undone}"

    def replace(self) -> tuple[bool, str]:
        """Replace a scene strip of the shot."""
        self.window.ask(questions.EDIT)
        time.sleep(2)
        self._before = self.window.ask(questions.DUMP)
        self._sidebar().press("diffsynth.replace_strip(")
        time.sleep(2)
        self.window.screenshot(self.pictures / "replaced.png")
        strips = self.window.ask(questions.STRIPS)["Edit"]
        shown = [kind for _, kind, *_, mute in strips if not mute]
        return shown == ["IMAGE"] and len(strips) == 2, str(strips)

    def restore(self) -> tuple[bool, str]:
        """Restore it."""
        self._sidebar().press("diffsynth.restore_strip(")
        time.sleep(2)
        after = self.window.ask(questions.DUMP)
        different = [key for key in self._before if self._before[key] != after.get(key)]
        return not different, f"{len(self._before)} values, different: {different or 'none'}"

    def compositor(self) -> tuple[bool, str]:
        """Use the result in the compositor, and restore the render."""
        before = self.window.ask(questions.COMPOSITOR)
        time.sleep(2)
        self.panel.open_panel("diffsynth.use_deflicker", 3, "diffsynth.result.placement")
        self.panel.press("diffsynth.replace_compositor(")
        time.sleep(2)
        self.panel.picture(self.pictures / "result-panel.png")
        links = self.window.ask(questions.LINKS)
        self.window.ask(questions.SHOW_NODES)
        time.sleep(3)
        self.window.screenshot(self.pictures / "compositor.png")
        self.window.ask(questions.SHOW_LAYOUT)
        time.sleep(2)
        self.panel.press("diffsynth.restore_compositor(")
        time.sleep(1)
        after = self.window.ask(questions.LINKS)
        return before == after != links, f"{before} -> {links} -> {after}"

    def reopen(self) -> tuple[bool, str]:
        """Save and open again."""
        before, jobs = self.window.ask(questions.STRIPS), self.jobs()
        path = self.shot.with_name("saved.blend")
        self.window.ask(f"bpy.ops.wm.save_as_mainfile(filepath={str(path)!r})")
        self.open_file(path)
        prompt = self.window.ask("answer = bpy.data.scenes['Scene'].diffsynth.prompt")
        same = self.window.ask(questions.STRIPS) == before and prompt == PROMPT and self.jobs() == jobs
        return same, f"{len(jobs)} jobs"

    def _sidebar(self) -> Editor:
        """The tab DiffSynth beside the strips."""
        self.window.ask(questions.SIDEBAR)
        time.sleep(1)
        sidebar = Editor(self.window, "SEQUENCE_EDITOR", "UI")
        sidebar.show_tab("DiffSynth")
        return sidebar
