import json
from dataclasses import fields

import pytest

from diffsynth_blender.protocol import (
    MESSAGES,
    PROTOCOL_VERSION,
    CancelJob,
    DeflickerFrames,
    FrameDone,
    Hello,
    JobCancelled,
    JobDone,
    JobFailed,
    JobNote,
    JobProgress,
    ProtocolError,
    Ready,
    RunJob,
    Shutdown,
)
from diffsynth_blender.protocol.messages import decode_message, encode_message

SAMPLES = (
    Hello(PROTOCOL_VERSION, "0.1.0"),
    RunJob("job-1", "/shots/a b/ü", (1, 24)),
    RunJob("job-1", "/shots/a", None),
    DeflickerFrames("job-2", "/shots/a/ü", "/out", "/shots/guide", None, "fast", 4, "auto"),
    DeflickerFrames("job-2", "/shots/a", "/out", None, "/shots/job", "keyframes", 7, "cpu"),
    CancelJob("job-1"),
    Shutdown(),
    Ready(PROTOCOL_VERSION, "0.1.0", 4711),
    JobProgress("job-1", "denoise", 3, 20, 7, 12.5),
    JobProgress("job-1", "load", 0, 1),
    FrameDone("job-1", 7, "/shots/a/output/0007.png"),
    JobNote("job-1", "out of memory: one frame at a time from here on"),
    JobDone("job-1", "/shots/a"),
    JobCancelled("job-1"),
    JobFailed("job-1", "internal", "KeyError: 'x'", "Traceback:\n  line\n"),
)


def test_samples_cover_every_message() -> None:
    """Guard this file: a message without a sample would go untested."""
    assert {type(sample) for sample in SAMPLES} == set(MESSAGES)


@pytest.mark.parametrize("message", SAMPLES, ids=lambda message: type(message).__name__)
def test_round_trip(message: object) -> None:
    """Give back the same message after a journey through JSON text."""
    assert decode_message(json.loads(json.dumps(encode_message(message)))) == message


@pytest.mark.parametrize("message", SAMPLES, ids=lambda message: type(message).__name__)
def test_keys_are_strict(message: object) -> None:
    """Refuse every message with a key too many, a key too few, or a value of a type no field has."""
    value = encode_message(message)
    name = type(message).__name__
    with pytest.raises(ProtocolError, match=rf"{name}\.colour is not a known key"):
        decode_message({**value, "colour": 1})
    for field in fields(message):
        with pytest.raises(ProtocolError, match=rf"{name}\.{field.name} is missing"):
            decode_message({key: item for key, item in value.items() if key != field.name})
        with pytest.raises(ProtocolError, match=rf"{name}\.{field.name} must be"):
            decode_message({**value, field.name: {"an": "object"}})


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "Hello",
        {},
        {"type": 3},
        {"type": "Pickle", "data": ""},
        {"type": "Hello", "protocol_version": True, "host_version": ""},
        {"type": "Hello", "protocol_version": 1.0, "host_version": ""},
        {"type": "RunJob", "job_id": "a", "job_dir": "b", "frames": [1]},
        {"type": "RunJob", "job_id": "a", "job_dir": "b", "frames": [1, 2.5]},
        {"type": "DeflickerFrames", "job_id": "a", "style_dir": "b", "output_dir": "c", "guide_dir": 1, "job_dir": None,
         "mode": "fast", "window": 4, "device": "cpu"},
        {"type": "JobProgress", "job_id": "a", "stage": "load", "step": 0, "step_count": 1, "frame": None,
         "seconds_left": float("nan")},
    ],
)  # fmt: skip
def test_refuses_what_is_not_a_message(value: object) -> None:
    """Refuse other JSON, unknown types, and values of a wrong type."""
    with pytest.raises(ProtocolError):
        decode_message(value)
