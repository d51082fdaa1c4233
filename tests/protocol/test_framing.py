import os
import threading

import pytest

from diffsynth_blender.protocol import JobFailed, ProtocolError, RunJob, Shutdown
from diffsynth_blender.protocol.framing import LINE_LIMIT, decode_line, encode_line, read_messages

MESSAGES = [
    RunJob("job-1", "/shots/ü\u2028", (1, 2)),
    JobFailed("job-1", "internal", "two\nlines", "é\r\n"),
    Shutdown(),
]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_partial_reads(size: int) -> None:
    """Give the same messages however the bytes are cut into pieces on their way through a real pipe."""
    content = b"".join(encode_line(message) for message in MESSAGES)
    read_end, write_end = os.pipe()

    def write() -> None:
        for start in range(0, len(content), size):
            os.write(write_end, content[start : start + size])
        os.close(write_end)

    threading.Thread(target=write).start()
    with os.fdopen(read_end, "rb") as stream:
        assert list(read_messages(stream)) == MESSAGES


def test_one_message_is_one_line() -> None:
    """Keep line breaks inside a message from breaking its line."""
    assert all(encode_line(message).count(b"\n") == 1 for message in MESSAGES)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"Loading model...\n", "not a message.*Loading model"),
        (b"\n", "not a message"),
        (b"\xff\xfe\n", "not a message"),
        (b"[" * 100_000 + b"\n", "not a message"),
        (b'{"type": "Shutdown"}', "stops in the middle.*Shutdown"),
        (b"x" * LINE_LIMIT, "longer than any message"),
        (b'{"type": "Nonsense"}\n', "unknown message type 'Nonsense'"),
    ],
)
def test_noise_is_named(line: bytes, words: str) -> None:
    """Quote a line that is not a message, in one short line."""
    with pytest.raises(ProtocolError, match=words) as caught:
        decode_line(line)
    assert len(str(caught.value)) < 300 and "\n" not in str(caught.value)
