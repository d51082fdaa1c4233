"""The pipe between host and worker, wrong in both directions: a sentence and an end, never a wait or an exception."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from diffsynth_blender.client import WorkerProcess, WorkerSession
from diffsynth_blender.protocol import PROTOCOL_VERSION, CancelJob, Hello, JobFailed, ProtocolError, RunJob, Shutdown
from diffsynth_blender.protocol.framing import decode_line, encode_line, read_messages
from diffsynth_blender.protocol.messages import (
    MESSAGES,
    DeflickerFrames,
    FrameDone,
    JobDone,
    JobNote,
    JobProgress,
    Ready,
    encode_message,
)
from tests.e2e.conftest import ENVIRONMENT, ROOT, worker_command
from tests.faults import strange_worker
from tests.faults.test_job_fuzz import EXACT
from tests.faults.worker_process import Hang, is_running, left_of_session, session_members
from tests.faults.wrong import NAMES, REMOVE, WRONG, changed, errors_of, is_refusal, places, tried

SECONDS = 60.0
"""In which either end must have answered, on a machine that others use; an idle one takes 0.2 s."""

EXAMPLES = (
    Hello(PROTOCOL_VERSION, "1.0"),
    RunJob("job-1", "/job", (1, 5)),
    DeflickerFrames("job-2", "/style", "/out", "/guide", None, "fast", 4, "cpu"),
    CancelJob("job-1"),
    Shutdown(),
    *strange_worker.GOOD,
)
"""Every message, with every kind of field."""


def test_there_is_an_example_of_every_message():
    """What is fuzzed below is the whole protocol."""
    assert {type(example) for example in EXAMPLES} == set(MESSAGES)


def test_any_value_in_any_field(fault_seed, times, tally):
    """A line is a message that is written and read the same, or a ProtocolError of one short line."""
    values = [json.loads(encode_line(example)) for example in EXAMPLES]
    every = [(value, place) for value in values for place in places(value)]

    @seed(fault_seed)
    @settings(max_examples=times(400, 4_000), **EXACT)
    @given(st.sampled_from(every), WRONG | st.just(REMOVE))
    def law(where, new):
        value, place = where
        line = json.dumps(changed(value, place, new)).encode() + b"\n"
        with tried(tally, "message: one value wrong"):
            try:
                message = decode_line(line)
            except ProtocolError as error:
                assert len(str(error)) < 500 and str(error).isprintable()
            else:
                assert decode_line(encode_line(message)) == message
                assert encode_message(message)["type"] == type(message).__name__

    law()


@pytest.mark.parametrize("kind", strange_worker.SAID)
def test_the_client_survives_a_strange_worker(kind, fault_seed, times, tally, tmp_path):
    """Each job ends with one event of one short line, no call waits or raises, and the worker is gone afterwards."""
    for number in range(times(1, 1 if kind.startswith(("huge", "endless")) else 4)):
        arguments = (str(Path(strange_worker.__file__)), kind, f"{fault_seed} {number}")
        with tried(tally, f"worker says: {kind.replace('_', ' ')}"):
            session = WorkerSession(WorkerProcess(Path(sys.executable), ROOT, arguments=arguments))
            pid = session.process.pid
            try:
                end = last_event(session, tmp_path)
            finally:
                closed_at = time.monotonic()
                session.close(grace=1.0)
            assert time.monotonic() - closed_at < 10.0, "closing waited"
            if isinstance(end, JobFailed):
                assert end.message.isprintable() and len(end.message) < 2_500 and len(end.traceback) < 200_000
            assert not is_running(pid)


def last_event(session: WorkerSession, folder: Path):
    """The one event that ends a job; every call must return at once. Raises Hang."""
    session.submit(folder)
    deadline, ends = time.monotonic() + SECONDS, []
    while not ends or (not session.is_over and time.monotonic() < deadline - SECONDS + 2.0):
        called_at = time.monotonic()
        events = session.poll()
        session.cancel("job-1")
        assert time.monotonic() - called_at < 5.0, "a call has waited"
        ends += [event for event in events if not isinstance(event, JobProgress | JobNote | FrameDone)]
        if time.monotonic() > deadline:
            raise Hang("no end of the job")
        time.sleep(0.01)
    assert len(ends) == 1, ends
    return ends[0]


def test_nobody_waits_for_a_worker_that_reads_nothing(tmp_path, tally):
    """Its pipe is full after some thousand requests: sending goes on at once, and so does ending it."""
    arguments = ("-c", "import time; time.sleep(600)")
    with tried(tally, "worker reads nothing"):
        session = WorkerSession(WorkerProcess(Path(sys.executable), ROOT, arguments=arguments))
        started_at = time.monotonic()
        for _ in range(20_000):
            session.cancel("job-" + "1" * 50)
        assert time.monotonic() - started_at < 20.0
        session.close(grace=0.2)
        assert time.monotonic() - started_at < 30.0 and not is_running(session.process.pid)


def converse(*pieces: bytes, closed: bool = True) -> tuple[int, list, str]:
    """Give a real worker bytes as requests; its exit code, what it said and what it wrote for people. Raises Hang."""
    process = subprocess.Popen(
        worker_command("serve"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=ENVIRONMENT, start_new_session=True,
    )  # fmt: skip
    try:
        out, err = process.communicate(b"".join(pieces), timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise Hang(f"the worker still listens after {SECONDS:g} s") from None
    finally:
        process.kill()
        process.wait()
    assert not left_of_session(process.pid), session_members(process.pid)
    return process.returncode, [json.loads(line) for line in out.splitlines()], err.decode()


HELLO = encode_line(Hello(PROTOCOL_VERSION, ""))


def strange_requests(dice: random.Random, folder: Path) -> dict[str, bytes]:
    """What a host should not say, by kind."""
    run = encode_line(RunJob("job-1", str(folder), None))
    value = encode_message(dice.choice(EXAMPLES[:5]))
    key = dice.choice(list(value))
    one_wrong = json.dumps({**value, key: dice.choice(strange_worker.WRONG)}).encode() + b"\n"
    return {
        "one value wrong": HELLO + one_wrong,
        "first one value wrong": one_wrong,
        "unknown type": HELLO + b'{"type": "PauseJob"}\n',
        "an event": HELLO + encode_line(JobDone("job-1", "/job")),
        "an event of a million digits": HELLO + b'{"type":"JobProgress","seconds_left":' + b"9" * 4000 + b"}\n",
        "another version": encode_line(Hello(99, "9.9")) + run,
        "Hello twice": HELLO + HELLO,
        "Ready": encode_line(Ready(PROTOCOL_VERSION, "", 1)),
        "broken UTF-8": HELLO + run.replace(b"job-1", b"job-\xff"),
        "UTF-16": (HELLO + run).decode().encode("utf-16"),
        "a byte order mark": b"\xef\xbb\xbf" + HELLO,
        "noise between": HELLO + b"hello?\n" + run,
        "noise inside": HELLO + run[:9] + b"noise\n" + run[9:],
        "half a line": HELLO + run[: dice.randrange(1, len(run))],
        "nothing": b"",
        "an empty line": HELLO + b"\n" + run,
        "zeros": HELLO + bytes(10_000),
        "random bytes": HELLO + dice.randbytes(10_000) + b"\n",
        "a hundred megabytes": HELLO + b"x" * 100_000_000,
        "a message of a hundred megabytes": HELLO + encode_line(RunJob("job-1", "/" + "n" * 100_000_000, None)),
        "deep lists": HELLO + b'{"type":' + b"[" * 500_000 + b"\n",
        "a crowd": HELLO + encode_line(CancelJob("nobody")) * 50_000 + b"{}\n",
    }


@pytest.mark.parametrize("kind", list(strange_requests(random.Random(0), Path("/"))))
def test_the_worker_survives_a_strange_host(kind, fault_seed, times, tally, tmp_path):
    """It ends by itself with one sentence, or goes on; it says nothing but messages on stdout."""
    for number in range(times(1, 1 if "hundred" in kind else 3)):
        given = strange_requests(random.Random(f"{fault_seed} {number}"), tmp_path)[kind]
        with tried(tally, f"host says: {kind}"):
            code, said, err = converse(given)
            assert "Traceback" not in err, err
            errors = errors_of(err)
            assert (code == 0 and not errors) or (code != 0 and len(errors) == 1), (code, err)
            for error in errors:
                assert error.isprintable() and len(error) < 2_100
            assert all(event["type"] in ("Ready", "JobFailed") for event in said)


def test_any_folder_in_a_request(fault_seed, times, tally, tmp_path):
    """Names that no folder has: the job is refused as a bad one, the worker serves on, and a note ends the list."""
    names = random.Random(fault_seed).sample(NAMES, times(12, len(NAMES)))
    strange = [name if name.startswith("/") else str(tmp_path / "jobs" / name) for name in names]
    with WorkerSession(WorkerProcess(Path(sys.executable), ROOT)) as session:
        for name in strange:
            with tried(tally, "request: strange folder"):
                for request in (
                    RunJob("job-1", name, None),
                    DeflickerFrames("job-1", name, str(tmp_path / "out"), name, None, "fast", 4, "cpu"),
                    DeflickerFrames("job-1", str(tmp_path), name, str(tmp_path), None, "fast", 4, "cpu"),
                    DeflickerFrames("job-1", str(tmp_path), str(tmp_path / "out"), None, name, "fast", 4, "cpu"),
                ):
                    session._open_jobs.append("job-1")
                    session.process.send(request)
                    end = answer(session)
                    assert isinstance(end, JobFailed) and end.kind == "bad_job", (name, end)
                    assert is_refusal(end.message), end.message
    assert not list(tmp_path.iterdir())


def answer(session: WorkerSession):
    """The next event that ends a job. Raises Hang."""
    deadline = time.monotonic() + SECONDS
    while not (events := session.poll()):
        if time.monotonic() > deadline:
            raise Hang("no answer to a request")
        time.sleep(0.002)
    return events[-1]


def test_a_host_that_leaves_in_the_middle_of_a_line(tally, tmp_path):
    """The pipe is closed between two bytes of a request, with or without a goodbye before: the worker ends."""
    for end in (0, 1, len(HELLO) // 2, len(HELLO) - 1):
        with tried(tally, "host leaves in the middle of a line"):
            code, said, err = converse(HELLO[:end])
            assert not said and (code == 0) == (end == 0) and len(errors_of(err)) == bool(end), (code, err)


def test_nothing_but_the_worker_reads_requests_or_writes_events(tmp_path):
    """A library that asks a question or prints in the worker's process reaches people, not the pipe."""
    code = (
        "import os, subprocess, sys\n"
        "from diffsynth_blender.worker.__main__ import take_stdin, take_stdout\n"
        "out, requests = take_stdout(), take_stdin()\n"
        "print('noise'); os.system('echo noise of a child; cat >&2')\n"
        "assert sys.stdin.read() == '' and os.read(0, 10) == b''\n"
        "out.write(requests.readline()); out.flush()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=b"a request\n",
        capture_output=True,
        env=ENVIRONMENT,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"a request\n" and b"noise of a child" in done.stderr


def test_lines_that_come_in_pieces():
    """A message is one, however the pipe cuts it."""
    read, write = os.pipe()
    with os.fdopen(read, "rb") as stream:
        for byte in HELLO:
            os.write(write, bytes([byte]))
        os.close(write)
        assert list(read_messages(stream)) == [Hello(PROTOCOL_VERSION, "")]
