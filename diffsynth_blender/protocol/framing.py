"""Bytes on a pipe ↔ messages: one JSON object a line, UTF-8.

Knows how messages travel, not what they mean.
"""

import json
from collections.abc import Iterator
from typing import IO

from .errors import ProtocolError
from .messages import Message, decode_message, encode_message
from .texts import shortened

LINE_LIMIT = 1 << 20  # bytes; a message is a few hundred, a traceback a few thousand: more is not a message


def encode_line(message: Message) -> bytes:
    """A message as one line; JSON escapes every line break inside it."""
    return json.dumps(encode_message(message), allow_nan=False).encode() + b"\n"


def decode_line(line: bytes) -> Message:
    """The message in one whole line. Raises `ProtocolError` that quotes the line where it is not one."""
    if not line.endswith(b"\n"):
        reason = "is longer than any message" if len(line) >= LINE_LIMIT else "stops in the middle"
        raise ProtocolError(f"a line on the pipe {reason}: {shortened(line)}")
    try:
        value = json.loads(line.decode("utf-8"))  # which json would guess
    except (ValueError, RecursionError):
        raise ProtocolError(f"a line on the pipe is not a message: {shortened(line)}") from None
    return decode_message(value)


def read_messages(stream: IO[bytes]) -> Iterator[Message]:
    """Messages until the stream ends; waits for each. The stream is buffered, so that a line may come in pieces.

    Raises `ProtocolError` at the first line that is not a message; nothing after it can be trusted.
    """
    while line := stream.readline(LINE_LIMIT):
        yield decode_line(line)
