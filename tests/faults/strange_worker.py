"""A worker that says what it should not: `python strange_worker.py KIND SEED`, see `SAID`.

It greets as a worker does, waits for a job, answers with something strange, and stays until its stdin is closed.
"""

import json
import os
import random
import sys
import threading
import time
from collections.abc import Iterator

from diffsynth_blender.protocol import (
    PROTOCOL_VERSION,
    FrameDone,
    JobCancelled,
    JobDone,
    JobFailed,
    JobNote,
    JobProgress,
    Ready,
    RunJob,
)
from diffsynth_blender.protocol.framing import encode_line
from diffsynth_blender.protocol.messages import encode_message

JOB = "job-1"
MEGABYTE = b"x" * (1 << 20)
GOOD = (
    JobProgress(JOB, "denoise", 1, 2, 7, 3.5),
    FrameDone(JOB, 7, "/job/output/0007.png"),
    JobNote(JOB, "less memory"),
    JobDone(JOB, "/job"),
    JobCancelled(JOB),
    JobFailed(JOB, "bad_job", "no", ""),
    Ready(PROTOCOL_VERSION, "1", 7),
)
WRONG = (
    None, True, 0, -1, 1.5, 10**400, 1e308, float("nan"), float("inf"), "", "x" * 3_000_000, "\0", "\ud800",
    "two\nlines", "\x1b[2J", [], {}, [1], [[1, 2], 3], {"a": 1}, "denoise", "JobDone",
)  # fmt: skip


def one_field_wrong(dice: random.Random) -> Iterator[bytes]:
    """A message with one value that cannot be, one key too many or one too few."""
    value = encode_message(dice.choice(GOOD))
    key = dice.choice(list(value))
    match dice.randrange(4):
        case 0:
            del value[key]
        case 1:
            value[dice.choice(["extra", "", "two\nlines", "k" * 100_000])] = 1
        case _:
            value[key] = dice.choice(WRONG)
    yield json.dumps(value).encode() + b"\n"


def unknown_type(dice: random.Random) -> Iterator[bytes]:
    """A message that this version does not have, or that only a host sends."""
    other = dice.choice(
        [{"type": "JobPaused", "job_id": JOB}, {"type": ["JobDone"]}, {"job_id": JOB}, [], 7, "JobDone"]
    )
    yield dice.choice([json.dumps(other).encode() + b"\n", encode_line(RunJob(JOB, "/job", None))])


def another_version(dice: random.Random) -> Iterator[bytes]:
    """A greeting of another version, once more."""
    yield encode_line(Ready(dice.choice([0, 2, 99, 10**30]), dice.choice(["9.9", "\x1b[2J", "v" * 10_000]), 7))


def broken_text(dice: random.Random) -> Iterator[bytes]:
    """Broken UTF-8, other encodings, a byte order mark, zeros, random bytes."""
    line = encode_line(JobNote(JOB, "ünï")).rstrip(b"\n")
    yield dice.choice(
        [
            line.replace(b"n", b"\xff"), line.decode().encode("utf-16"), b"\xef\xbb\xbf" + line, bytes(100),
            dice.randbytes(300), line.replace(b"n", b"\xed\xa0\x80"), b"",
        ]
    ) + b"\n"  # fmt: skip


def huge_line(_: random.Random) -> Iterator[bytes]:
    """A hundred megabytes without an end of line."""
    yield from [MEGABYTE] * 100


def huge_message(_: random.Random) -> Iterator[bytes]:
    """A message that is one, but for its length."""
    yield encode_line(JobNote(JOB, "n" * 100_000_000))


def deep_message(_: random.Random) -> Iterator[bytes]:
    """Lists within lists."""
    yield b'{"type":' + b"[" * 500_000 + b"\n"


def noise(dice: random.Random) -> Iterator[bytes]:
    """A library prints between the messages, or into one of them."""
    line = encode_line(GOOD[0])
    middle = dice.randrange(1, len(line) - 1)
    yield dice.choice([b"Loading weights: 100%\n" + line, line[:middle] + b"\rWARNING: noise\n" + line[middle:]])


def half_a_line(dice: random.Random) -> Iterator[bytes]:
    """The end in the middle of a message; the pipe is closed then."""
    line = encode_line(GOOD[3])
    yield line[: dice.randrange(1, len(line))]
    os.close(1)


def silence(_: random.Random) -> Iterator[bytes]:
    """The pipe is closed without a word."""
    yield b""
    os.close(1)


def crowd(dice: random.Random) -> Iterator[bytes]:
    """Fifty thousand good messages at once, and one that is not among them."""
    lines = [encode_line(JobProgress(JOB, "denoise", n, 50_000)) for n in range(50_000)]
    lines[dice.randrange(len(lines))] = b"{}\n"
    yield b"".join(lines)


def other_jobs(dice: random.Random) -> Iterator[bytes]:
    """Events of a job that is not there, or after the job's end."""
    strange = [
        encode_line(JobDone("job-2", "/job")),
        encode_line(JobDone(JOB, "/job")) * 2,
        encode_line(JobCancelled("")),
    ]
    yield dice.choice(strange)


def endless_stderr(_: random.Random) -> Iterator[bytes]:
    """Progress bars that never end a line, with a bad message at last."""
    for _ in range(64):
        os.write(2, MEGABYTE + b"\r")
    yield b"noise\n"


SAID = {
    said.__name__: said
    for said in (
        one_field_wrong, unknown_type, another_version, broken_text, huge_line, huge_message, deep_message, noise,
        half_a_line, silence, crowd, other_jobs, endless_stderr,
    )
}  # fmt: skip


def main(kind: str, seed: str) -> None:
    sys.stdin.buffer.readline()  # Hello
    os.write(1, encode_line(Ready(PROTOCOL_VERSION, "1", os.getpid())))
    sys.stdin.buffer.readline()  # RunJob
    # Whoever talks may not be listened to any more: the end must come all the same.
    threading.Thread(target=leave_with_host, daemon=True).start()
    for piece in SAID[kind](random.Random(seed)):
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(1, rest) :]
    while True:
        time.sleep(1.0)


def leave_with_host() -> None:
    """End when stdin does."""
    while sys.stdin.buffer.readline():
        pass
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
