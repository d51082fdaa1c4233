"""What every part of the way through the window has in common: one window on one shot, and steps that are told of."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from . import questions
from .editor import Editor
from .outcome import Outcome
from .window import Window

PROMPT = "a clay render of toys on grass, hills, blue sky"
JOB_SECONDS = 900.0  # for some frames of the demo shot, on two busy cores
MANY_STEPS = 200  # of denoising, half of which are done: a small job lasts until its buttons are found
WIDTH = 420  # of the editor with the panel [px]: nothing in it is cut short

Step = Callable[[], tuple[bool, str]]
"""What is tried: whether all was as wanted, and what was seen. Its docstring is its name in the report."""


class Steps:
    """Some steps, each of which needs those before it."""

    def __init__(self, window: Window, shot: Path, pictures: Path) -> None:
        """Take a window that runs.

        Args:
            window: Blender's.
            shot: The file that is opened; its folder receives what the steps write.
            pictures: Folder for screenshots.
        """
        self.window, self.shot, self.pictures = window, shot, pictures
        self.panel = Editor(window, "PROPERTIES")

    @property
    def steps(self) -> tuple[Step, ...]:
        """In their order."""
        raise NotImplementedError

    def tour(self) -> Iterator[Outcome]:
        """Every step, with a picture of the screen after it."""
        for step in self.steps:
            started_at = time.monotonic()
            try:
                as_wanted, told = step()
            except Exception as error:  # the next steps may work all the same, and the report needs them all
                as_wanted, told = False, f"{type(error).__name__}: {error}"
            name = step.__doc__.splitlines()[0].rstrip(".")
            yield Outcome(name, as_wanted, told, time.monotonic() - started_at)
            self.window.screenshot(self.pictures / f"screen-{step.__name__}.png")

    def open_file(self, path: Path) -> None:
        """Open a .blend file and show its Render properties, wide enough to be read."""
        self.window.ask(f"bpy.ops.wm.open_mainfile(filepath={str(path)!r})")
        time.sleep(2)
        self.show_panel()

    def show_panel(self) -> None:
        """Show the Render properties, from wherever an earlier step has gone."""
        self.window.ask(questions.SHOW_LAYOUT)
        time.sleep(1)
        self.window.ask(questions.RENDER_TAB)
        time.sleep(1)
        self.panel = Editor(self.window, "PROPERTIES")
        self._widen()
        self.panel.to_top()
        self.panel.scroll(80)

    def _widen(self) -> None:
        """Move the editor's left edge, over which the pointer must be for that."""
        x, y, width = self.window.ask(questions.EDGE)
        if width < WIDTH:
            self.window.move(x - 1, self.window.size[1] - y)
            time.sleep(1)
            self.window.ask(questions.WIDEN.format(x=x - 1, y=y, delta=width - WIDTH))
            time.sleep(1)

    def settle(self) -> None:
        """End what an earlier step may have left running."""
        if self.window.ask(f"answer = {questions.PUMP}.is_running()"):
            self.window.ask(f"{questions.PUMP}.cancel()")
            self.window.wait_until(f"not {questions.PUMP}.is_running()", seconds=120)

    def until_over(self, wanted: str) -> tuple[bool, str]:
        """Wait until the work has ended; whether it ended as wanted, and what it said."""
        self.window.wait_until(f"{questions.WORK}.state != 'running'", seconds=JOB_SECONDS)
        state, message = self.window.ask(f"answer = ({questions.WORK}.state, {questions.WORK}.message)")
        return state == wanted, f"{state}: {message}"

    def until_denoising(self) -> str:
        """Wait until the worker is at its steps; what the panel says then."""
        denoises = f"'Denoising' in {questions.WORK}.progress.text or {questions.WORK}.state != 'running'"
        self.window.wait_until(denoises, seconds=JOB_SECONDS, every=0.1)
        return str(self.window.ask(f"answer = {questions.WORK}.progress.text"))

    def jobs(self) -> list[dict[str, str]]:
        """The history of the shot, the newest first."""
        return list(self.window.ask(questions.JOBS))

    def picture(self, name: str) -> None:
        """The panel from its header on."""
        _, y = self.panel.place("diffsynth.look")
        self.panel.picture(self.pictures / f"{name}.png", top=y - 42)
