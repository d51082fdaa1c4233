"""The worker's end of the pipe: reads requests, runs one job at a time, writes events.

The main thread runs the jobs; a reader thread answers at once what needs no job. Owns the process: when the host goes
away, the process ends, in the middle of a job if need be (a job folder survives that). Must not import anything heavy.
"""

import os
import queue
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from .. import __version__
from ..protocol.errors import DeviceLostError, JobBusyError, JobCancelledError, ProtocolError, WorkerMemoryError
from ..protocol.framing import encode_line, read_messages
from ..protocol.messages import (
    JOB_EVENTS,
    JOB_REQUESTS,
    PROTOCOL_VERSION,
    CancelJob,
    DeflickerFrames,
    Event,
    Hello,
    JobCancelled,
    JobDone,
    JobFailed,
    JobRequest,
    Message,
    Ready,
    Shutdown,
)
from .failure import describe_failure
from .launch import DeflickerFunction, RunJobFunction, run_deflicker, run_job
from .progress import ProgressFilter

LEAVE_SECONDS = 1.0  # time to leave a job in an orderly way once the host is gone; then the process ends as it is
WATCH_SECONDS = 0.5

LAST = {error.kind: error.exit_code for error in (DeviceLostError, WorkerMemoryError)}
"""Failures after which this process serves nobody any more, and the host starts another: kind → exit code.

CUDA serves it nothing any more once the card has stopped. oneDNN never forgets, in a thread, that it was refused memory
for the code of a kernel: from then on it creates no primitive there, however much there is (seen in PyTorch 2.13).
"""


@dataclass(frozen=True)
class _AcceptedJob:
    request: JobRequest
    cancelled: threading.Event = field(default_factory=threading.Event)


def serve(
    stream_in: IO[bytes],
    stream_out: IO[bytes],
    *,
    run_job: RunJobFunction = run_job,
    run_deflicker: DeflickerFunction = run_deflicker,
) -> int:
    """Serve one host until it says goodbye or goes away. Returns the exit code of the process."""
    return _Server(stream_out, run_job, run_deflicker).serve(stream_in)


def end_with_parent() -> None:
    """End this process when its parent does, from a thread.

    A closed stdin tells the same, unless a child of the host still holds the pipe. Linux' own PR_SET_PDEATHSIG is no
    use here: it fires when the *thread* that started us ends.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="watch parent", daemon=True).start()


class _Server:
    def __init__(self, stream_out: IO[bytes], run_job: RunJobFunction, run_deflicker: DeflickerFunction) -> None:
        self._stream_out = stream_out
        self._write_lock = threading.Lock()
        self._run_job = run_job
        self._run_deflicker = run_deflicker
        self._job: _AcceptedJob | None = None  # the one that waits or runs
        self._job_lock = threading.Lock()
        self._accepted: queue.SimpleQueue[_AcceptedJob | None] = queue.SimpleQueue()  # None: no more will come
        self._exit_code = 0

    def serve(self, stream_in: IO[bytes]) -> int:
        threading.Thread(target=self._read, args=(stream_in,), name="read requests", daemon=True).start()
        while (job := self._accepted.get()) is not None:
            terminal = self._run(job)
            with self._job_lock:
                self._job = None  # before the host learns of the end, so that its next job is not refused
            self._send(terminal)
            if isinstance(terminal, JobFailed) and terminal.kind in LAST:
                return LAST[terminal.kind]
        return self._exit_code

    def _run(self, job: _AcceptedJob) -> Event:
        """Run one job and return its only terminal event. Nothing a job raises ends the worker."""
        request = job.request
        job_id = request.job_id

        def send(event: Event) -> None:
            if not isinstance(event, JOB_EVENTS):
                raise TypeError(f"a job may not send {type(event).__name__}")
            self._send(replace(event, job_id=job_id))

        try:
            if isinstance(request, DeflickerFrames):
                self._run_deflicker(request, ProgressFilter(send), job.cancelled.is_set)
            else:
                self._run_job(Path(request.job_dir), request.frames, ProgressFilter(send), job.cancelled.is_set)
            return JobDone(job_id, _folder(request))
        except JobCancelledError:
            return JobCancelled(job_id)
        except (Exception, SystemExit) as error:
            failure = describe_failure(error)
            return JobFailed(job_id, failure.kind, failure.message, failure.traceback)
        finally:
            _release_memory()

    def _read(self, stream_in: IO[bytes]) -> None:
        is_polite = False
        try:
            is_polite = self._read_requests(stream_in)
        except Exception as error:  # whatever it is: a worker that no longer listens must not stay
            failure = describe_failure(error)
            print(f"error: {failure.message}", file=sys.stderr, flush=True)
            self._exit_code = failure.exit_code
        with self._job_lock:
            running = self._job
        if running is not None:
            running.cancelled.set()
        self._accepted.put(None)
        if running is not None and not is_polite:
            time.sleep(LEAVE_SECONDS)
            os._exit(1)

    def _read_requests(self, stream_in: IO[bytes]) -> bool:
        """Answer requests. Returns whether the host said goodbye; without one it is gone."""
        messages = read_messages(stream_in)
        hello = next(messages, None)
        if hello is None:
            return False
        if not isinstance(hello, Hello):
            raise ProtocolError(f"the first request must be Hello, not {type(hello).__name__}")
        self._send(Ready(PROTOCOL_VERSION, __version__, os.getpid()))
        if hello.protocol_version != PROTOCOL_VERSION:
            raise ProtocolError(
                f"the host speaks protocol version {hello.protocol_version} (DiffSynth {hello.host_version}), "
                f"this worker version {PROTOCOL_VERSION} (DiffSynth {__version__}); install the same version for both"
            )
        for request in messages:
            if isinstance(request, JOB_REQUESTS):
                self._accept(request)
            elif isinstance(request, CancelJob):
                self._cancel(request.job_id)
            elif isinstance(request, Shutdown):
                return True
            else:
                raise ProtocolError(f"{type(request).__name__} is not a request at this point")
        return False

    def _accept(self, request: JobRequest) -> None:
        with self._job_lock:
            running = self._job
            if running is None:
                self._job = _AcceptedJob(request)
                self._accepted.put(self._job)
                return
        error = JobBusyError(
            f"{_folder(request)}: this worker still runs {_folder(running.request)}; wait for it or cancel it"
        )
        self._send(JobFailed(request.job_id, error.kind, describe_failure(error).message, ""))

    def _cancel(self, job_id: str) -> None:
        with self._job_lock:
            if self._job is not None and self._job.request.job_id == job_id:
                self._job.cancelled.set()

    def _send(self, message: Message) -> None:
        with self._write_lock:
            try:
                self._stream_out.write(encode_line(message))
                self._stream_out.flush()
            except BrokenPipeError:
                os._exit(1)  # nobody is left to tell


def _folder(request: JobRequest) -> str:
    """The folder a job writes to, which is what it is known by."""
    return request.output_dir if isinstance(request, DeflickerFrames) else request.job_dir


def _release_memory() -> None:
    """Give the device's memory back after a job, so that one that ran out does not spoil the next."""
    torch = sys.modules.get("torch")  # only a job imports it
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
