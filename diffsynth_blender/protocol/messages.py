"""Every message between host and worker, and nothing else. How they travel is in framing.py.

Host to worker: requests. Worker to host: events. Pixels never travel: they lie in the job folder.
Each job (`RunJob`, `DeflickerFrames`), accepted or refused, gets exactly one terminal event (`JobDone`,
`JobCancelled`, `JobFailed`), last.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import TypeAlias

from .errors import ProtocolError
from .fields import is_finite
from .texts import shortened, shown

PROTOCOL_VERSION = 3

RENDER_STAGE = "render"
"""What a second Blender does that may be left alone, before any of these."""
JOB_STAGES = ("passes", "load", "motion", "noise", "baseline", "denoise", "write", "repair", "redo")
"""What `RunJob` does, about in this order."""
DEFLICKER_STAGES = ("check", "deflicker", "measure")
"""What `DeflickerFrames` does, in this order."""
STAGES = (RENDER_STAGE, *JOB_STAGES, *DEFLICKER_STAGES)


@dataclass(frozen=True)
class Hello:
    """Host to worker, first: who is calling."""

    protocol_version: int
    """`PROTOCOL_VERSION` of the host."""
    host_version: str
    """Version of the host's package, for messages to people."""


@dataclass(frozen=True)
class RunJob:
    """Host to worker: run or resume a job folder."""

    job_id: str
    """Chosen by the host, unique within the session; every event of the job repeats it."""
    job_dir: str
    """Absolute path of the job folder."""
    frames: tuple[int, int] | None
    """First and last scene frame to write, or None for all."""


@dataclass(frozen=True)
class DeflickerFrames:
    """Host to worker: make the frames of a folder steady without a diffusion model, or go on with it.

    Files are matched by the frame number in their names. Exactly one of `guide_dir` and `job_dir` is given.
    """

    job_id: str
    """Chosen by the host, unique within the session; every event of the job repeats it."""
    style_dir: str
    """Absolute path of the frames to make steady; in mode "keyframes" of the key frames."""
    output_dir: str
    """Absolute path of the folder that receives `0001.png`..., the journal and report.json."""
    guide_dir: str | None
    """Absolute path of frames that show what moves where, such as the plain render; may be `style_dir`."""
    job_dir: str | None
    """Absolute path of a job folder, whose source frames are the guide and whose passes give the exact motion."""
    mode: str
    """One of `DEFLICKER_MODES`."""
    window: int
    """Neighbours on either side that take part [frames], 0 to `WINDOW_LIMIT`."""
    device: str
    """One of `DEVICES`."""


@dataclass(frozen=True)
class CancelJob:
    """Host to worker: stop the job at its next step. Ignored for a job that is not there: it may just have ended."""

    job_id: str


@dataclass(frozen=True)
class Shutdown:
    """Host to worker: cancel what runs and end the process."""


@dataclass(frozen=True)
class Ready:
    """Worker to host: the answer to `Hello`, before any heavy import."""

    protocol_version: int
    """`PROTOCOL_VERSION` of the worker."""
    worker_version: str
    """Version of the worker's package, for messages to people."""
    pid: int
    """Process id of the worker."""


@dataclass(frozen=True)
class JobProgress:
    """Worker to host: where the job is. A newer one replaces an older one, so some may never be sent."""

    job_id: str
    stage: str
    """One of `STAGES`."""
    step: int
    """Steps finished in this stage, 0 to `step_count`."""
    step_count: int
    """Steps of this stage, at least 1."""
    frame: int | None = None
    """Scene frame being worked on, where the stage works frame by frame."""
    seconds_left: float | None = None
    """Estimated time to the end of the stage [s]; None while unknown."""


@dataclass(frozen=True)
class FrameDone:
    """Worker to host: a result frame is complete on disk."""

    job_id: str
    frame: int
    """Scene frame number."""
    path: str
    """Absolute path of the image."""


@dataclass(frozen=True)
class JobNote:
    """Worker to host: something to know about the job, such as the memory it will take, or that it had to take less."""

    job_id: str
    text: str
    """One line for people."""


@dataclass(frozen=True)
class JobDone:
    """Worker to host, terminal: every frame asked for is on disk."""

    job_id: str
    job_dir: str
    """Absolute path of the job folder; of the output folder for `DeflickerFrames`."""


@dataclass(frozen=True)
class JobCancelled:
    """Worker to host, terminal: the job stopped because it was asked to; finished frames stay."""

    job_id: str


@dataclass(frozen=True)
class JobFailed:
    """Worker to host, terminal: the job stopped by itself; finished frames stay."""

    job_id: str
    kind: str
    """`kind` of a `DiffSynthError`, so that the host can offer the remedy."""
    message: str
    """One line for people: what, where, remedy."""
    traceback: str
    """For bug reports; several lines, or empty."""


JobRequest: TypeAlias = RunJob | DeflickerFrames
Request: TypeAlias = Hello | JobRequest | CancelJob | Shutdown
Event: TypeAlias = Ready | JobProgress | FrameDone | JobNote | JobDone | JobCancelled | JobFailed
Message: TypeAlias = Request | Event

JOB_REQUESTS = (RunJob, DeflickerFrames)
"""What starts a job."""
REQUESTS: tuple[type, ...] = (Hello, *JOB_REQUESTS, CancelJob, Shutdown)
EVENTS: tuple[type, ...] = (Ready, JobProgress, FrameDone, JobNote, JobDone, JobCancelled, JobFailed)
JOB_EVENTS = (JobProgress, FrameDone, JobNote)
"""What a running job may send; the terminal event is the server's to send."""
TERMINAL_EVENTS = (JobDone, JobCancelled, JobFailed)
MESSAGES: tuple[type, ...] = REQUESTS + EVENTS


def encode_message(message: Message) -> dict[str, object]:
    """The JSON object of a message: its class name under "type", then its fields."""
    return {"type": type(message).__name__, **asdict(message)}


def decode_message(value: object) -> Message:
    """The message in a JSON object. Raises `ProtocolError` for an unknown type or key, a missing key, a wrong type."""
    if not isinstance(value, Mapping) or not isinstance(value.get("type"), str):
        raise ProtocolError(f'not a message: {shortened(value)}; a message is an object with a "type"')
    kind = _MESSAGE_BY_NAME.get(value["type"])
    if kind is None:
        raise ProtocolError(
            f"unknown message type {shortened(value['type'])}; this end speaks protocol version {PROTOCOL_VERSION}"
        )
    expected = {field.name: field.type for field in fields(kind)}
    for key in value:
        if key != "type" and key not in expected:
            raise ProtocolError(
                f"{kind.__name__}.{shown(key)} is not a known key of protocol version {PROTOCOL_VERSION}"
            )
    arguments = {}
    for key, annotation in expected.items():
        if key not in value:
            raise ProtocolError(f"{kind.__name__}.{key} is missing")
        try:
            arguments[key] = _DECODERS[annotation](value[key])
        except TypeError as error:
            raise ProtocolError(f"{kind.__name__}.{key} must be {error}, not {shortened(value[key])}") from None
    message: Message = kind(**arguments)
    _check(message)
    return message


def _check(message: Message) -> None:
    """Raise `ProtocolError` for what no worker says, and a host would stumble over."""
    if isinstance(message, JobProgress):
        if message.stage not in STAGES:
            raise ProtocolError(f"JobProgress.stage must be one of {', '.join(STAGES)}, not {shortened(message.stage)}")
        if not 0 <= message.step <= message.step_count or message.step_count < 1:
            step, count = shortened(message.step), shortened(message.step_count)
            raise ProtocolError(f"JobProgress: step {step} of {count} cannot be")
    if isinstance(message, Ready) and not 0 < message.pid < 1 << 32:
        raise ProtocolError(f"Ready.pid must be the id of a process, not {shortened(message.pid)}")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a string")
    return value


def _text_or_none(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError("a string or null")
    return value


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("an integer")
    return value


def _seconds_or_none(value: object) -> float | None:
    if value is None:
        return None
    if not is_finite(value):
        raise TypeError("a finite number or null")
    return float(value)


def _integer_or_none(value: object) -> int | None:
    return None if value is None else _integer(value)


def _range_or_none(value: object) -> tuple[int, int] | None:
    if value is None:
        return None
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise TypeError("two integers or null")
    return _integer(value[0]), _integer(value[1])


_MESSAGE_BY_NAME: dict[str, type] = {kind.__name__: kind for kind in MESSAGES}
_DECODERS: dict[object, Callable[[object], object]] = {
    str: _text,
    str | None: _text_or_none,
    int: _integer,
    int | None: _integer_or_none,
    float | None: _seconds_or_none,
    tuple[int, int] | None: _range_or_none,
}
