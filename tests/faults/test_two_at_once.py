"""Two workers at one folder: one wins, the other says so in a sentence; what is left of the dead is in nobody's way."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from diffsynth_blender.client import DetachedWorker, is_detached
from diffsynth_blender.protocol import JobBusyError
from diffsynth_blender.protocol.traces import events_path
from tests.e2e.conftest import ENVIRONMENT, ROOT
from tests.faults.scenarios import deflickering
from tests.faults.truth import frames_of, is_free, learn
from tests.faults.worker_process import StartedWorker, is_running, run_to_end, wait_until

pytestmark = pytest.mark.timeout(1800)

SLOW_RUN = (str(ROOT / "tests/client/slow_worker.py"), "run")
"""A worker with made-up jobs that starts at once."""


def begins(event) -> bool:
    return event["type"] == "JobProgress"


def refusal(worker: StartedWorker) -> str:
    """The sentence a worker was refused with; empty where it was not, or with more than one."""
    errors = [line for line in worker.stderr.splitlines() if line.startswith("error: ")]
    is_refused = worker.returncode == JobBusyError.exit_code and len(errors) == 1 and "Traceback" not in worker.stderr
    return errors[0] if is_refused else ""


@pytest.mark.parametrize("second", ["run", "redo", "deflicker"])
def test_a_second_worker_is_refused(second, shot, tmp_path, tally):
    """The first goes on to the bits it would have had; the second names the folder, and changes nothing."""
    scenario, truth = shot
    if second == "deflicker":
        scenario = deflickering("accurate")
        truth = learn(scenario, tmp_path / "whole")
    arguments = scenario.prepare(tmp_path / "job")
    folder = tmp_path / "job" / scenario.folder
    again = ("redo", folder, "--frames", "1", "--set", "prompt=gold") if second == "redo" else arguments
    with StartedWorker(*arguments) as first:
        assert first.until(lambda event: event["type"] == "JobProgress" and event["stage"] in ("load", "check"))
        # Stopped, so that it is there for as long as the second needs.
        wait_until(lambda: not is_free(folder))
        first.kill(signal.SIGSTOP)
        job = (tmp_path / "job" / "job.json").read_bytes() if second != "deflicker" else b""
        rest = run_to_end(*again)
        first.kill(signal.SIGCONT)
        assert first.wait() == 0, first.stderr
    sentence = refusal(rest)
    is_kept = frames_of(folder) == truth.frames and (not job or (folder / "job.json").read_bytes() == job)
    lost = sum(frames_of(folder).get(name) != digest for name, digest in truth.frames.items())
    tally.record(f"two workers: {second} beside a run", recovered=bool(sentence) and is_kept, lost_frames=lost)
    assert str(folder) in sentence and "another worker" in sentence and "wait for it or stop it" in sentence
    assert is_kept


def test_two_at_the_same_instant(tmp_path, times, tally):
    """Two deflickerings of one folder, started together: both end, one with the frames, one with the sentence."""
    scenario = deflickering("fast")
    truth = learn(scenario, tmp_path / "whole")
    for number in range(times(2, 8)):
        arguments = scenario.prepare(tmp_path / str(number))
        with StartedWorker(*arguments) as first, StartedWorker(*arguments) as second:
            codes = sorted((first.wait(), second.wait()))
        refused = [worker for worker in (first, second) if worker.returncode != 0]
        is_good = codes == [0, JobBusyError.exit_code] and all(map(refusal, refused))
        # Where one was quick enough to end before the other looked, both have done their work.
        is_good |= codes == [0, 0]
        lost = frames_of(tmp_path / str(number) / "out") != truth.frames
        tally.record("two workers at the same instant", recovered=is_good, lost_frames=int(lost))
        assert is_good and not lost, (codes, first.stderr, second.stderr)


def test_a_lock_dies_with_its_holder(tmp_path, times, tally):
    """Killed, and started again in the same instant, again and again: nobody finds a lock of the dead."""
    scenario = deflickering("fast")
    arguments = scenario.prepare(tmp_path)
    for _ in range(times(3, 10)):
        with StartedWorker(*arguments) as worker:
            assert worker.until(begins)
            worker.kill()
            worker.wait()
        is_good = is_free(tmp_path / "out")
        tally.record("lock of a killed worker", recovered=is_good)
        assert is_good
    assert run_to_end(*arguments).returncode == 0


HOST = """
import sys, time
from pathlib import Path
from diffsynth_blender.client import start_detached
from diffsynth_blender.protocol import JobBusyError
while time.time() < float(sys.argv[2]):
    time.sleep(0.0005)
try:
    print("started", start_detached(Path(sys.executable), Path.cwd(), Path(sys.argv[1]), arguments=tuple(sys.argv[3:])))
except JobBusyError as error:
    print("busy", error)
"""


def start_hosts(folder: Path, count: int) -> list[list[str]]:
    """What so many hosts have to say that start a worker which outlives them, all at the same moment."""
    command = [sys.executable, "-c", HOST, str(folder), str(time.time() + 1.0), *SLOW_RUN]
    hosts = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd=ROOT) for _ in range(count)
    ]
    return [host.communicate(timeout=60)[0].split(maxsplit=1) for host in hosts]


def test_hosts_that_start_detached_workers_together(tmp_path, times, tally):
    """However many hosts start one at the same moment: one worker is at the folder, and all others are told so."""
    for number in range(times(2, 8)):
        folder = tmp_path / str(number) / "steps"
        folder.mkdir(parents=True)
        told = start_hosts(folder, 3)
        try:
            pids = [int(words) for kind, words in told if kind == "started"]
            refused = [words for kind, words in told if kind == "busy"]
            ready = json.loads(events_path(folder).read_text().splitlines()[0])
            is_good = len(refused) == 2 and pids == [ready["pid"]] and is_detached(folder)
            tally.record("two hosts start a worker that outlives them", recovered=is_good)
            assert is_good, (told, ready)
            assert all("wait for it or stop it" in words for words in refused)
        finally:
            follower = DetachedWorker(folder)
            follower.poll()
            follower.close(grace=0.0)


def test_a_process_id_of_before_is_never_signalled(tmp_path, tally):
    """Events of a dead worker whose number somebody else has by now: found over, and the stranger is left alone."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger:
        try:
            path = events_path(tmp_path)
            path.parent.mkdir(parents=True)
            ready = {"type": "Ready", "protocol_version": 1, "worker_version": "0", "pid": stranger.pid}
            path.write_text(json.dumps(ready) + "\n")
            follower = DetachedWorker(tmp_path)
            follower.poll()
            follower.cancel()
            follower.close(grace=0.1)
            time.sleep(0.1)
            is_good = is_running(stranger.pid) and not is_detached(tmp_path)
            tally.record("process id of a dead worker reused", recovered=is_good)
            assert is_good
        finally:
            stranger.kill()
