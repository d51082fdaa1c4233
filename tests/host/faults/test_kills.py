"""Blender is killed, its worker, or both: the same command goes on to the same bits, and no process is left."""

import hashlib
import json
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import bpy
import numpy as np
import OpenEXR
import pytest

from diffsynth_blender.protocol import Control, Deflicker, Journal, Settings, WorkerDiedError
from tests.faults.held_process import Hang
from tests.host.faults.host_process import StartedHost, run_to_end
from tests.host.shots import make_shot

pytestmark = [
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks at processes in /proc"),
]

SETTINGS = Settings(prompt="clay", steps=4, strength=1.0, controls=(Control("depth"),), deflicker=Deflicker(window=1))
ORPHAN_SECONDS = 10.0  # a worker notices within half a second that its host is gone; the machine may be busy


@dataclass(frozen=True)
class Project:
    """A saved shot, and what it leads to when nobody disturbs it."""

    file: Path
    settings: Path
    results: dict[str, str]
    passes: dict[str, dict[str, np.ndarray]]

    def run(self, job_dir: Path) -> tuple[object, ...]:
        """Arguments of the command that does everything."""
        return self.file, "run", "--settings", self.settings, "--output", job_dir, "--no-save"


def results_of(job_dir: Path) -> dict[str, str]:
    """SHA-256 of every finished frame."""
    paths = sorted((job_dir / "output").glob("[!.]*.png"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def passes_of(job_dir: Path) -> dict[str, dict[str, np.ndarray]]:
    """Every channel of every file of passes."""
    found = {}
    for path in sorted((job_dir / "passes").glob("[!.]*.exr")):
        with OpenEXR.File(str(path), separate_channels=True) as file:
            found[path.name] = {name: channel.pixels.copy() for name, channel in file.channels().items()}
    return found


def are_equal(first: dict[str, dict[str, np.ndarray]], second: dict[str, dict[str, np.ndarray]]) -> bool:
    return first.keys() == second.keys() and all(
        first[name].keys() == second[name].keys()
        and all(np.array_equal(first[name][key], second[name][key], equal_nan=True) for key in first[name])
        for name in first
    )


def is_free(job_dir: Path) -> bool:
    """Whether nobody holds the lock of a job folder; raises where somebody does."""
    Journal(job_dir).close()
    return True


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    """A small shot in a saved file, run without interruption."""
    if not os.environ.get("DIFFSYNTH_WORKER_PYTHON"):
        pytest.fail("DIFFSYNTH_WORKER_PYTHON must name the worker's interpreter; `make test` sets it")
    root = tmp_path_factory.mktemp("project")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    make_shot(width=64, height=40)
    file, settings, job_dir = root / "shot.blend", root / "settings.json", root / "whole"
    bpy.ops.wm.save_as_mainfile(filepath=str(file))
    settings.write_text(json.dumps(asdict(SETTINGS)))
    empty = Project(file, settings, {}, {})
    host = run_to_end(*empty.run(job_dir))
    assert host.returncode == 0, host.stderr
    return Project(file, settings, results_of(job_dir), passes_of(job_dir))


def is_at(*stages: str) -> Callable[[dict], bool]:
    return lambda event: event["type"] == "JobProgress" and event["stage"] in stages


def finish(fault: str, project: Project, job_dir: Path, tally, orphans: int) -> None:
    """Run again, and enter in the table what came of it."""
    hung, again = False, None
    try:
        again = run_to_end(*project.run(job_dir))
    except Hang:
        hung = True
    lost = sum(results_of(job_dir).get(name) != digest for name, digest in project.results.items())
    is_good = again is not None and again.returncode == 0 and is_free(job_dir) and not lost
    is_good = is_good and are_equal(passes_of(job_dir), project.passes) and not list(job_dir.rglob(".*"))
    tally.record(fault, recovered=is_good, lost_frames=lost, hung=hung, orphans=orphans)
    assert is_good and not orphans, (fault, orphans, lost, list(job_dir.rglob(".*")), again and again.stderr)


@pytest.mark.parametrize("who", ["Blender", "Blender and worker"])
def test_killed_while_the_worker_is_at_it(who, project, tmp_path, fault_seed, times, tally):
    """The worker ends by itself when its host is dead; the command goes on where it stopped, to the same bits."""
    chance = random.Random(f"{who} {fault_seed}")
    for number in range(times(1, 6)):
        job_dir = tmp_path / str(number)
        with StartedHost(*project.run(job_dir)) as host:
            assert host.until(is_at(chance.choice(("passes", "load", "denoise", "write")))), host.stderr
            # A worker that is quick has no time to lose: none of the stages takes a second.
            time.sleep(chance.uniform(0.0, 0.5))
            host.kill() if who == "Blender" else host.kill_all()
            host.wait(30.0)
            orphans = len(host.orphans(ORPHAN_SECONDS))
        finish(f"{who} killed while stylising", project, job_dir, tally, orphans)


def test_the_worker_killed_under_blender(project, tmp_path, fault_seed, times, tally):
    """Blender says in one sentence what became of the worker; the same command goes on."""
    chance = random.Random(f"worker {fault_seed}")
    for number in range(times(1, 4)):
        job_dir = tmp_path / str(number)
        with StartedHost(*project.run(job_dir)) as host:
            assert host.until(is_at(chance.choice(("load", "denoise")))), host.stderr
            for pid in host.workers():
                os.kill(pid, signal.SIGKILL)
            code = host.wait()
            orphans = len(host.orphans(ORPHAN_SECONDS))
        assert code == WorkerDiedError.exit_code and "killed by SIGKILL" in host.error, host.stderr
        finish("worker killed under Blender", project, job_dir, tally, orphans)


def test_blender_killed_while_it_renders(project, tmp_path, fault_seed, times, tally):
    """What was rendered stays and is not rendered again; the passes are those of a render without interruption."""
    chance = random.Random(f"render {fault_seed}")
    for number in range(times(1, 6)):
        job_dir = tmp_path / str(number)
        with StartedHost(*project.run(job_dir)) as host:
            renders = chance.randint(1, 5)
            assert host.until(lambda event, last=renders: is_at("render")(event) and event["step"] == last), host.stderr
            time.sleep(chance.uniform(0.0, 0.2))
            host.kill()
            host.wait(30.0)
            orphans = len(host.orphans(ORPHAN_SECONDS))
        rendered = [*(job_dir / "source").glob("[!.]*.png"), *(job_dir / "passes").glob("[!.]*.exr")]
        before = {path: path.stat().st_mtime_ns for path in rendered}
        assert before, "nothing was rendered"
        finish("Blender killed while rendering", project, job_dir, tally, orphans)
        assert before == {path: path.stat().st_mtime_ns for path in rendered}, "what was rendered is rendered again"
