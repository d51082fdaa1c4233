import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from diffsynth_blender.client import WorkerSession
from diffsynth_blender.protocol import (
    PROTOCOL_VERSION,
    Event,
    FrameDone,
    JobCancelled,
    JobDone,
    JobFailed,
    JobProgress,
    WorkerDiedError,
)

Start = Callable[..., WorkerSession]
Wait = Callable[..., list[Event]]
JobDir = Callable[[str], Path]
TERMINAL = (JobDone, JobCancelled, JobFailed)


def is_running(pid: int) -> bool:
    """Whether a process exists, as a zombie too."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_results_are_never_dropped(start: Start, wait: Wait, job_dir: JobDir) -> None:
    """Deliver every frame in order, the end of every stage, and fewer progress events than there were."""
    session = start()
    job_id = session.submit(job_dir("quick"))
    events = wait(session, *TERMINAL)
    assert events[-1] == JobDone(job_id, str(job_dir("quick")))
    assert [event.frame for event in events if isinstance(event, FrameDone)] == list(range(100))
    progress = [event for event in events if isinstance(event, JobProgress)]
    assert progress[-1] == JobProgress(job_id, "write", 100, 100, None, 0.0)
    assert len(progress) < 100
    assert all(event.job_id == job_id for event in events)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("quick", None), ("noise", None), ("bug", "internal"), ("leave", "internal"), ("bad", "bad_job"),
     ("memory", "out_of_memory"), ("crash", "worker_died")],
)  # fmt: skip
def test_exactly_one_terminal_event(name: str, kind: str | None, start: Start, wait: Wait, job_dir: JobDir) -> None:
    """End each job once, whatever becomes of it, with one line for people."""
    session = start()
    job_id = session.submit(job_dir(name))
    events = wait(session, *TERMINAL)
    time.sleep(0.3)
    events += session.poll()
    (terminal,) = [event for event in events if isinstance(event, TERMINAL)]
    assert terminal is events[-1] and terminal.job_id == job_id
    assert (terminal.kind if isinstance(terminal, JobFailed) else None) == kind
    if isinstance(terminal, JobFailed):
        assert terminal.message and "\n" not in terminal.message
        assert "Error" in terminal.traceback or "SystemExit: 7" in terminal.traceback or name == "crash"


def test_a_failed_job_leaves_the_worker_usable(start: Start, wait: Wait, job_dir: JobDir) -> None:
    """Run job after job on the same process, whatever the one before did."""
    session = start()
    pids = set()
    for name in ("bug", "leave", "quick", "bad", "quick"):
        session.submit(job_dir(name))
        wait(session, *TERMINAL)
        assert session.ready is not None and not session.is_over
        pids.add(session.ready.pid)
    assert len(pids) == 1


def test_a_worker_that_lacked_memory_is_over(start: Start, wait: Wait, job_dir: JobDir) -> None:
    """It ends by itself after telling, with the exit code of that failure."""
    session = start()
    session.submit(job_dir("memory"))
    wait(session, *TERMINAL)
    deadline = time.monotonic() + 30.0
    while not session.is_over and time.monotonic() < deadline:
        assert not session.poll()
        time.sleep(0.01)
    assert session.is_over and session.process.exit_reason() == "exit code 4"


def test_cancel_is_seen_within_one_step(start: Start, wait: Wait, job_dir: JobDir) -> None:
    """Start no further step once the wish to cancel has arrived, and take the next job after that."""
    session = start()
    job_id = session.submit(job_dir("steps"))
    wait(session, JobProgress)
    asked_at = time.monotonic()
    session.cancel(job_id)
    events = wait(session, *TERMINAL)
    assert events[-1] == JobCancelled(job_id)
    starts = [float(line) for line in (job_dir("steps") / "steps.txt").read_text().split()]
    # One step may begin while the message is on its way.
    assert sum(started_at > asked_at for started_at in starts) <= 1
    session.cancel(job_id)  # too late: harmless
    session.submit(job_dir("quick"))
    assert isinstance(wait(session, *TERMINAL)[-1], JobDone)


def test_a_deflickering_is_a_job_like_any_other(start: Start, wait: Wait, job_dir: JobDir) -> None:
    """Progress, frames and one terminal event; refused while another runs; cancelled within a step."""
    session = start()
    job_id = session.submit_deflicker(job_dir("style"), job_dir("quick"), guide_dir=job_dir("style"))
    events = wait(session, *TERMINAL)
    assert events[-1] == JobDone(job_id, str(job_dir("quick")))
    assert [event.frame for event in events if isinstance(event, FrameDone)] == list(range(100))
    assert all(event.job_id == job_id for event in events)
    running = session.submit_deflicker(job_dir("style"), job_dir("steps"), job_dir=job_dir("job"))
    refused = session.submit(job_dir("quick"))
    (failure,) = [event for event in wait(session, *TERMINAL) if isinstance(event, TERMINAL)]
    assert isinstance(failure, JobFailed) and (failure.job_id, failure.kind) == (refused, "busy")
    assert str(job_dir("steps")) in failure.message and str(job_dir("quick")) in failure.message
    session.cancel(running)
    assert wait(session, *TERMINAL)[-1] == JobCancelled(running)


def test_cancel_of_another_job_changes_nothing(start: Start, wait: Wait, job_dir: JobDir) -> None:
    """Ignore a job id that is not running."""
    session = start()
    job_id = session.submit(job_dir("steps"))
    session.cancel("job-99")
    events = wait(session, JobProgress)
    time.sleep(0.3)
    assert not any(isinstance(event, TERMINAL) for event in events + session.poll())
    session.cancel(job_id)
    wait(session, JobCancelled)


def test_a_second_job_at_once_is_refused(start: Start, wait: Wait, job_dir: JobDir) -> None:
    """Answer "busy" at once, naming both folders; the running job does not notice."""
    session = start()
    first = session.submit(job_dir("steps"))
    second = session.submit(job_dir("quick"))
    (failure,) = [event for event in wait(session, *TERMINAL) if isinstance(event, TERMINAL)]
    assert isinstance(failure, JobFailed) and (failure.job_id, failure.kind) == (second, "busy")
    assert str(job_dir("steps")) in failure.message and str(job_dir("quick")) in failure.message
    session.cancel(first)
    assert wait(session, *TERMINAL)[-1] == JobCancelled(first)


def test_noise_stays_out_of_the_protocol(start: Start, wait: Wait, job_dir: JobDir) -> None:
    """Keep what a job prints, from Python or C, away from the messages: it goes to stderr."""
    session = start()
    session.submit(job_dir("noise"))
    assert isinstance(wait(session, *TERMINAL)[-1], JobDone)
    session.close()
    lines = session.process.stderr_lines
    assert {"noise from print", "noise from a file descriptor", "noise from C"} <= set(lines)


def test_a_killed_worker_is_noticed(start: Start, wait: Wait, job_dir: JobDir) -> None:
    """Fail the job with the signal's name, and refuse the next one."""
    session = start()
    job_id = session.submit(job_dir("stuck"))
    wait(session, JobProgress)
    assert session.ready is not None
    os.kill(session.ready.pid, signal.SIGKILL)
    failure = wait(session, *TERMINAL, seconds=3)[-1]
    assert isinstance(failure, JobFailed) and (failure.job_id, failure.kind) == (job_id, "worker_died")
    assert "SIGKILL" in failure.message
    assert session.is_over and session.poll() == []
    with pytest.raises(WorkerDiedError, match=r"SIGKILL.*start a new worker"):
        session.submit(job_dir("quick"))
    assert not is_running(session.ready.pid)


def test_last_words(start: Start, wait: Wait, job_dir: JobDir) -> None:
    """Quote the last lines on stderr of a worker that crashed, after all that it sent before."""
    session = start()
    session.submit(job_dir("crash"))
    events = wait(session, *TERMINAL)
    failure = events[-1]
    assert any(isinstance(event, FrameDone) for event in events)
    assert isinstance(failure, JobFailed) and "SIGABRT" in failure.message
    assert "driver: last words" in failure.message and "driver: last words" in failure.traceback


def test_a_worker_that_cannot_start(start: Start, wait: Wait, job_dir: JobDir) -> None:
    """Name exit code and cause of a worker that ended before its greeting."""
    session = start("-c", "import no_such_package")
    session.submit(job_dir("quick"))
    failure = wait(session, *TERMINAL)[-1]
    assert isinstance(failure, JobFailed) and failure.kind == "worker_died"
    assert "exit code 1" in failure.message and "No module named 'no_such_package'" in failure.message


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("print('Loading model...')", "protocol", "Loading model"),
        ("""print('{"type": "JobDone", "job_id": "job-1", "job_dir": ""}')""", "protocol", "JobDone is not an event"),
        ("""print('{"type": "Shutdown"}')""", "protocol", "Shutdown is not an event"),
        ("""print('{"type": "Ready", "protocol_version": 99, "worker_version": "9.9.9", "pid": 1}')""", "protocol",
         f"protocol version 99 .*9.9.9.*this host version {PROTOCOL_VERSION}.*install the same version"),
        ("", "worker_died", "did not answer within 1 s"),
    ],
)  # fmt: skip
def test_a_wrong_worker_is_refused(code: str, kind: str, words: str, start: Start, wait: Wait, job_dir: JobDir) -> None:
    """End a session with something that is not our worker, name what it said, and leave no process."""
    session = start("-uc", f"{code or 'pass'}\nimport time; time.sleep(60)", hello_seconds=1.0 if not code else 30.0)
    session.submit(job_dir("quick"))
    failure = wait(session, *TERMINAL)[-1]
    assert isinstance(failure, JobFailed) and failure.kind == kind
    assert re.search(words, failure.message)
    assert not is_running(session.process.pid)


def test_an_event_of_an_unknown_job_is_refused(start: Start, wait: Wait, job_dir: JobDir) -> None:
    """Take no second terminal event for a job."""
    ready = f'{{"type": "Ready", "protocol_version": {PROTOCOL_VERSION}, "worker_version": "", "pid": 1}}'
    done = '{"type": "JobDone", "job_id": "job-1", "job_dir": ""}'
    session = start("-uc", f"print('''{ready}\n{done}\n{done}'''); import time; time.sleep(60)")
    job_id = session.submit(job_dir("quick"))
    assert wait(session, *TERMINAL) == [JobDone(job_id, "")]
    deadline = time.monotonic() + 10
    while not session.is_over and time.monotonic() < deadline:
        assert session.poll() == []
    with pytest.raises(WorkerDiedError, match="not an open job"):
        session.submit(job_dir("quick"))


def test_poll_never_waits(start: Start, job_dir: JobDir) -> None:
    """Return at once from a worker that says nothing, that works, and that left its pipes to a child of its own."""
    child = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(20)'])"
    silent, working, gone = start("-c", "import time; time.sleep(60)"), start(), start("-c", child)
    for session in (silent, working, gone):
        session.submit(job_dir("steps"))
        longest = 0.0
        deadline = time.monotonic() + 2.5
        while time.monotonic() < deadline:
            before = time.monotonic()
            session.poll()
            longest = max(longest, time.monotonic() - before)
            time.sleep(0.01)
        assert longest < 0.3, "a poll took a time that a user would feel"
    assert (silent.is_over, working.is_over, gone.is_over) == (False, False, True)


def test_close_leaves_no_process(start: Start, wait: Wait, job_dir: JobDir) -> None:
    """End an idle worker at once, and one that is stuck after the grace period."""
    for name, grace in ((None, 20.0), ("steps", 20.0), ("stuck", 1.0)):
        session = start()
        if name:
            session.submit(job_dir(name))
            wait(session, JobProgress)
        before = time.monotonic()
        session.close(grace)
        assert time.monotonic() - before < 5.0
        assert not is_running(session.process.pid)
        session.close()  # a second time: harmless
