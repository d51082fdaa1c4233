"""How long the interface stands still while a job runs, beside what it does so without one.

A timer of Blender's comes every 5 ms where nothing holds it up, see inside.py; how long it stayed away is how long
nobody could press anything, drawing included. Software draws slowly, whoever asks it to: what a window drawn once costs
is measured beside it, and the window has an ordinary size.
"""

from __future__ import annotations

import time

from . import questions
from .steps import PROMPT, Step, Steps

SIZE = (1280, 720)  # [px]
FREEZE_SECONDS = 0.1
IDLE_SECONDS = 8.0

_EDITORS = """
window = bpy.context.window_manager.windows[0]
for area in window.screen.areas:
    if area.type == "VIEW_3D":
        area.type = "SEQUENCE_EDITOR"
        area.spaces.active.view_type = "SEQUENCER_PREVIEW"
        area.spaces.active.show_region_ui = True
"""
_READY = f"""
chosen = bpy.context.scene.diffsynth
chosen.prompt, chosen.reuse_capture = {PROMPT!r}, True
"""
_TIME_TICKS = f"""
import time
work = {questions.WORK}
plain, beat.ticks, began = work.tick, [0.0], time.perf_counter()
def tick():
    started_at = time.perf_counter()
    plain()
    beat.ticks.append(time.perf_counter() - started_at)
work.tick = tick
beat.reset()
beat.doing = lambda: f"after {{time.perf_counter() - began:.1f}} s at {{work.progress.text!r}}"
"""
_DRAWN = """
for area in bpy.context.window_manager.windows[0].screen.areas:
    area.tag_redraw()
"""
_GAPS = "answer = (max(beat.gaps), len(beat.gaps), beat.during)"


class Freezes(Steps):
    """Needs a job folder that holds the rendered shot: the render has a Blender of its own, and is not measured."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """In their order."""
        return self.idle, self.drawing, self.job, self.job_again

    def idle(self) -> tuple[bool, str]:
        """Nothing runs, nothing is drawn."""
        self.open_file(self.shot)
        self.window.ask(_EDITORS)
        self.window.ask(_READY)
        time.sleep(2)
        self._press_at = self.panel.place("diffsynth.stylise(")
        self.window.move(self.window.size[0] // 3, 4)  # out of the way: what is under the pointer is drawn by itself
        time.sleep(2)
        self.window.ask("beat.reset()")
        time.sleep(IDLE_SECONDS)
        return True, self._told()

    def drawing(self) -> tuple[bool, str]:
        """Nothing runs, and the whole window is drawn ten times."""
        self.window.ask("beat.reset()")
        for _ in range(10):
            self.window.ask(_DRAWN)
            time.sleep(0.3)
        return True, self._told()

    def job(self) -> tuple[bool, str]:
        """A job from the press to its strip."""
        self.window.click(*self._press_at)
        self.window.wait_until(f"{questions.WORK} and {questions.WORK}.state == 'running'", seconds=20, every=0.02)
        self.window.ask(_TIME_TICKS)
        self.window.move(self.window.size[0] // 3, 4)
        time.sleep(6)
        self.window.screenshot(self.pictures / "freezes.png")
        self.window.wait_until(f"{questions.WORK}.state != 'running'", seconds=300, every=1.0)
        time.sleep(1)
        longest = float(self.window.ask("answer = max(beat.gaps)"))
        told, ours = self._told(), float(self.window.ask("answer = max(beat.ticks)"))
        state, message = self.window.ask(f"answer = ({questions.WORK}.state, {questions.WORK}.message)")
        as_wanted = state == "done" and longest < FREEZE_SECONDS
        return as_wanted, f"{state}: {message}; {told}; our own longest step {ours * 1000:.0f} ms"

    def job_again(self) -> tuple[bool, str]:
        """A second job, with another seed."""
        self.window.ask("bpy.context.scene.diffsynth.seed += 1")
        time.sleep(1)
        self._press_at = self.panel.place("diffsynth.stylise(")
        return self.job()

    def _told(self) -> str:
        longest, count, during = self.window.ask(_GAPS)
        return f"longest {longest * 1000:.0f} ms of {count}; more than 50 ms: {', '.join(during) or 'none'}"
