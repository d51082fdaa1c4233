"""A run that is killed, and what must hold afterwards: nothing left, nothing half, and the same bits in the end."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from diffsynth_blender.protocol import read_journal
from tests.faults.moments import Moment
from tests.faults.plugin import Tally
from tests.faults.truth import Scenario, Truth, files_of, frames_of, is_free, report_of, steps_done_again
from tests.faults.worker_process import Hang, StartedWorker, run_to_end


class Trial:
    """A fresh folder of a scenario whose worker is killed again and again, and then left to finish."""

    def __init__(self, scenario: Scenario, truth: Truth, root: Path) -> None:
        """Prepare the folder `root`."""
        self._scenario = scenario
        self._truth = truth
        self._root = root
        self._arguments = scenario.prepare(root)
        self.folder = root / scenario.folder
        self._kills: list[tuple[str, int, bool]] = []  # fault, orphans, hung
        self._finished: dict[Path, int] = {}  # what need not be made again, and when it was written [ns]

    def kill_at(self, moment: Moment, delay: float) -> bool:
        """Start the worker and kill it some time [s] after a stretch began; False where it finished before that."""

        def reached(worker: StartedWorker) -> bool:
            if moment.mark is not None and not worker.until(moment.begins()):
                return False
            time.sleep(delay)
            return True

        return self._kill(moment.name, reached)

    def kill_after(self, seconds: float, fault: str) -> bool:
        """Start the worker and kill it after some time; False where it finished before that."""

        def reached(_: StartedWorker) -> bool:
            time.sleep(seconds)
            return True

        return self._kill(fault, reached)

    def die(self, fault: str, environment: dict[str, str]) -> bool:
        """Start a worker whose environment has it die by itself; False where it finished before that."""
        return self._kill(fault, lambda worker: not worker.until(lambda event: event["type"] == "JobDone"), environment)

    def forget(self) -> None:
        """Expect nothing of what was finished to be kept: its files were damaged."""
        self._finished = {}

    def finish(self, tally: Tally) -> None:
        """Go on to the end; enter each kill in the table, and assert that it left nothing and cost nothing."""
        hung, words, lost = False, "", len(self._truth.frames)
        try:
            worker = run_to_end(*self._arguments)
            words = "" if worker.returncode == 0 else worker.stderr[-2000:]
            lost = self._lost()
        except Hang as error:
            hung, words = True, str(error)
        complaint = words or self._complaint()
        for number, (fault, orphans, stuck) in enumerate(self._kills):
            is_last = number == len(self._kills) - 1  # what is lost is counted once
            tally.record(
                fault,
                recovered=not complaint,
                lost_frames=lost if is_last else 0,
                hung=stuck or (hung and is_last),
                orphans=orphans,
            )
        assert not complaint, f"after {[kill[0] for kill in self._kills]}: {complaint}"
        assert not any(orphans or stuck for _, orphans, stuck in self._kills)

    def _kill(
        self, fault: str, reached: Callable[[StartedWorker], bool], environment: dict[str, str] | None = None
    ) -> bool:
        with StartedWorker(*self._arguments, environment=environment) as worker:
            if self._scenario.resume is not None:
                self._arguments = self._scenario.resume(self._root)
            try:
                if reached(worker):
                    worker.kill()
                code = worker.wait(30.0)
            except Hang:
                self._kills.append((fault, 0, True))
                raise
            if code == 0:
                return False
            assert code == -signal.SIGKILL, f"{code}: {worker.stderr}"
            self._kills.append((fault, len(worker.orphans()), False))
        self._look()
        return True

    def _look(self) -> None:
        """Nothing that is seen now may be half of something, or held by somebody."""
        assert is_free(self.folder), "the lock is still held"
        for name, digest in frames_of(self.folder).items():
            if digest not in (self._truth.frames.get(name), self._truth.before.get(name)):
                raise AssertionError(f"{name} is neither the frame of before nor the finished one")
        for path in self.folder.glob("[!.]*.json"):
            json.loads(path.read_text())
        for path in self.folder.glob("cache/[!.]*.png"):
            with Image.open(path) as image:
                image.load()
        for path in read_journal(self.folder).files:
            name = str(path.relative_to(self.folder))
            if frames_of(self.folder).get(name) == self._truth.frames[name]:
                self._finished[path] = path.stat().st_mtime_ns

    def _lost(self) -> int:
        now = frames_of(self.folder)
        return sum(now.get(name) != digest for name, digest in self._truth.frames.items())

    def _complaint(self) -> str:
        """What is not as after a run without interruption; empty where nothing."""
        if lost := self._lost():
            return f"{lost} frames differ from those of a run without interruption"
        if not is_free(self.folder):
            return "the lock is still held"
        if again := [path.name for path, time in self._finished.items() if path.stat().st_mtime_ns != time]:
            return f"finished frames were made again: {again}"
        if self._finished and (again := steps_done_again(self.folder)):
            return f"finished denoising steps were done again: {again}"
        if more := files_of(self.folder) - self._truth.files:
            return f"files were left: {sorted(more)}"
        if less := self._truth.files - files_of(self.folder):
            return f"files are missing: {sorted(less)}"
        if report_of(self.folder) != self._truth.report:
            return f"the report differs: {report_of(self.folder)} instead of {self._truth.report}"
        return ""
