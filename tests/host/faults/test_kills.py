"""Blender is killed, its worker, or both: the same command goes on to the same bits, and no process is left."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from diffsynth_blender.protocol import WorkerDiedError
from tests.faults.held_process import Hang
from tests.host.faults.host_process import StartedHost, run_to_end
from tests.host.faults.project import Project, are_equal, is_at, is_free, passes_of, project, results_of

__all__ = ["project"]

pytestmark = [
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks at processes in /proc"),
]

ORPHAN_SECONDS = 10.0  # a worker notices within half a second that its host is gone; the machine may be busy


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
    for number in range(times(1, 3)):
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
    for number in range(times(1, 3)):
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
    for number in range(times(1, 3)):
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
