"""More than one job: a queue, the history, a range done again, and a job that goes on while Blender is closed."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from . import questions
from .editor import RIGHT
from .steps import JOB_SECONDS, MANY_STEPS, PROMPT, Step, Steps

RUST = "a rusty iron sculpture"
LIST_ROW = 20  # height of a job in the list [px]


class Jobs(Steps):
    """Needs a shot that was stylised, in this window or before."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """In their order."""
        return self.queue, self.run_again, self.redo, self.leave, self.attach

    def queue(self) -> tuple[bool, str]:
        """Queue two jobs, and start them."""
        self.settle()
        self.open_file(self.shot)
        self.panel.fill("diffsynth.prompt", PROMPT)
        if not self.window.ask("answer = bpy.context.scene.diffsynth.reuse_capture"):
            self.panel.press("diffsynth.reuse_capture")
        before = {job["key"] for job in self.jobs()}
        self.panel.press("diffsynth.queue_add(", column=RIGHT)
        self.panel.fill("diffsynth.prompt", RUST)
        self.panel.press("diffsynth.queue_add(", column=RIGHT)
        self.panel.open_panel("diffsynth.use_deflicker", 4, "diffsynth.jobs.on_close")
        self.panel.press("diffsynth.queue_start(", column=RIGHT)
        self.until_denoising()
        self.picture("queue")
        waits = "any(j.state in ('WAITING', 'RUNNING') for j in bpy.data.scenes['Scene'].diffsynth.jobs.list)"
        self.window.wait_until(f"not {waits}", seconds=2 * JOB_SECONDS)
        new = [job for job in self.jobs() if job["key"] not in before]
        counts = [len(_hashes(self._output(job))) for job in new]
        good = [job["state"] for job in new] == ["DONE", "DONE"] and len({job["folder"] for job in new}) == 2
        return good and min(
            counts
        ) > 0, f"{[(job['name'], job['state'], job['message']) for job in new]}, frames {counts}"

    def run_again(self) -> tuple[bool, str]:
        """Mark the older of them in the list, and run it again."""
        x, y = self.panel.place("diffsynth.jobs.active")  # so says every row of the list
        while "diffsynth.jobs.active" in self.window.under_pointer(x, y - LIST_ROW):
            y -= LIST_ROW
        for into_next in (0, LIST_ROW // 3, 2 * LIST_ROW // 3):  # the first was met anywhere between its edges
            self.window.click(x, y + LIST_ROW + into_next)
            time.sleep(0.5)
            marked = self.window.ask("answer = bpy.context.scene.diffsynth.jobs.active")
            if marked == 1:
                break
        job = self.jobs()[1]
        frames = _hashes(self._output(job))
        self.panel.press("diffsynth.run_again(")
        self.window.wait_until(f"{questions.WORK}.state == 'running'", seconds=30, every=0.1)
        as_wanted, told = self.until_over("done")
        same = _hashes(self._output(job)) == frames
        return as_wanted and marked == 1 and same, f"row {marked}; {told}; the same frames: {same}"

    def redo(self) -> tuple[bool, str]:
        """Do one frame again with another prompt."""
        job = self.jobs()[self.window.ask("answer = bpy.context.scene.diffsynth.jobs.active")]
        before = _hashes(self._output(job))
        self.panel.fill("diffsynth.prompt", "gold")
        for field in ("diffsynth.jobs.redo_first", "diffsynth.jobs.redo_last"):
            self.panel.fill(field, "2")
        self.panel.press("diffsynth.redo(")
        self.window.wait_until(f"{questions.WORK}.state == 'running'", seconds=30, every=0.1)
        as_wanted, told = self.until_over("done")
        self.picture("history")
        after = _hashes(self._output(job))
        different = [name for name in before if before[name] != after.get(name)]
        return as_wanted and different == ["0002.png"], f"{told}; different: {different}"

    def leave(self) -> tuple[bool, str]:
        """Let a job go on, and quit Blender."""
        self.settle()
        self.panel.turn("diffsynth.jobs.on_close", 1)
        chosen = self.window.ask("answer = bpy.context.scene.diffsynth.jobs.on_close")
        self.panel.fill("diffsynth.prompt", "a pencil drawing")
        self.window.ask(f"bpy.context.scene.diffsynth.steps = {MANY_STEPS}")
        self.panel.press("diffsynth.stylise(")
        told = self.until_denoising()
        self._left = self.shot.with_name("left.blend")
        self.window.ask(f"bpy.ops.wm.save_as_mainfile(filepath={str(self._left)!r})")
        folder = self._output(self.jobs()[0]).parent
        code = self.window.quit()
        time.sleep(1)
        left = sorted(path.name for path in (folder / "cache").glob("events-*.jsonl"))
        return chosen == "DETACH" and code == 0 and bool(left), f"at {told}; exit {code}; {left}"

    def attach(self) -> tuple[bool, str]:
        """Open the file in a new Blender, and follow the job to its strip."""
        self.window.start()
        self.open_file(self._left)
        followed = self.window.ask(f"answer = {questions.WORK} is not None")
        self.picture("attached")
        state = "bpy.data.scenes['Scene'].diffsynth.jobs.list[0].state"
        self.window.wait_until(f"{state} not in ('RUNNING', 'DETACHED')", seconds=JOB_SECONDS)
        job = self.jobs()[0]
        strips = self.window.ask(questions.STRIPS).get("Scene Stylised", ())
        told = f"{job['state']}: {job['message']}; {len(strips)} strips"
        return followed and job["state"] == "DONE" and len(strips) > 0, told

    def _output(self, job: dict[str, str]) -> Path:
        folder = job["folder"]
        return (self.shot.parent / folder.removeprefix("//") if folder.startswith("//") else Path(folder)) / "output"


def _hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.png"))}
