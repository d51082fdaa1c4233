"""From the prompt to the finished frames: preview, button, progress, cancel, resume, pause."""

from __future__ import annotations

import time

from . import questions
from .editor import LEFT
from .steps import MANY_STEPS, PROMPT, Step, Steps

PRESS_SECONDS = 0.5  # the button saves a copy of the file; a demo shot is small


class Stylising(Steps):
    """The first way of everybody."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """In their order."""
        return (
            self.open, self.describe, self.preview, self.press, self.watch_render, self.cancel, self.resume, self.pause,
            self.finish,
        )  # fmt: skip

    def open(self) -> tuple[bool, str]:
        """Open the shot and find the panel."""
        self.open_file(self.shot)
        return True, f"at {self.panel.place('diffsynth.look')}"

    def describe(self) -> tuple[bool, str]:
        """Type the prompt."""
        self.panel.fill("diffsynth.prompt", PROMPT)
        self.picture("panel")
        prompt = self.window.ask("answer = bpy.context.scene.diffsynth.prompt")
        return prompt == PROMPT, str(prompt)

    def preview(self) -> tuple[bool, str]:
        """Preview one frame."""
        self.panel.press("diffsynth.preview(frames='ONE')", column=LEFT)
        as_wanted, told = self.until_over("done")
        time.sleep(2)
        self.window.screenshot(self.pictures / "preview.png")
        self.window.ask(questions.ONE_WINDOW)
        return as_wanted, told

    def press(self) -> tuple[bool, str]:
        """Press Stylise."""
        self.window.ask(f"bpy.context.scene.diffsynth.steps = {MANY_STEPS}")
        place = self.panel.place("diffsynth.stylise(")
        self.window.ask("beat.reset()")
        self.window.click(*place)
        work = questions.WORK
        self.window.wait_until(f"{work} and {work}.state == 'running'", seconds=10, every=0.1)
        return True, f"the press itself took {float(self.window.ask('answer = max(beat.gaps)')):.2f} s"

    def watch_render(self) -> tuple[bool, str]:
        """Watch the render, then the first denoising steps."""
        self.picture("progress-render")
        told = self.until_denoising()
        self.picture("progress")
        return "Denoising" in told, told

    def cancel(self) -> tuple[bool, str]:
        """Cancel."""
        self.panel.press("diffsynth.cancel(")
        return self.until_over("cancelled")

    def resume(self) -> tuple[bool, str]:
        """Resume, not from the start."""
        self.panel.press("diffsynth.resume(")
        told = self.until_denoising()
        return "Denoising" in told and "Denoising 0/" not in told, told

    def pause(self) -> tuple[bool, str]:
        """Pause, and go on."""
        self.panel.press("diffsynth.pause(", column=LEFT)
        self.window.wait_until(f"{questions.WORK}.state == 'paused'", seconds=120)
        self.picture("paused")
        self.panel.press("diffsynth.resume(", column=LEFT)
        self.window.wait_until(f"{questions.WORK}.state == 'running'", seconds=60)
        return True, ""

    def finish(self) -> tuple[bool, str]:
        """The worker ends, and the frames are there."""
        as_wanted, told = self.until_over("done")
        self.picture("done")
        return as_wanted, told
