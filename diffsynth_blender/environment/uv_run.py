"""Running uv: what it says is progress, a log, and at the end one sentence where it failed."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import SetupError
from .process_lines import run_lines

CANCELLED = "the set-up was cancelled; what was downloaded is kept"

_DOWNLOADING = re.compile(r"^\s*Downloading (?P<name>\S+) \((?P<size>[\d.]+)(?P<unit>[KMG]iB)\)")
_DOWNLOADED = re.compile(r"^\s*Downloaded (?P<name>\S+)")
_UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}

REMEDIES = (
    (r"No space left|os error 28|disk full|os error 112", "the disk is full; make room and set up again"),
    (r"[Hh]ash mismatch", "a file is not the one that was locked; set up again, or correct the wheelhouse or mirror"),
    (r"Permission denied|os error 13|Access is denied|Read-only file system|os error 30",
     "the folder cannot be written to; choose another one in the preferences"),
    (r"dns error|error sending request|[Cc]onnection|timed out|operation timeout|tls|certificate",
     "the package index was not reached; look at network, proxy and mirror, or use a wheelhouse"),
    (r"no wheels with a matching|not found in the (package|provided|cache)|no version of|unsatisfiable",
     "a package is missing in the wheelhouse or mirror"),
    (r"[Nn]o interpreter found|Python interpreter not found|failed to (inspect|query) Python",
     "a fitting Python was not found; give one in the preferences"),
)  # fmt: skip
"""What in uv's words means what, and what to do."""


@dataclass
class Downloads:
    """Bytes that have come, told by uv's lines about each large file."""

    total: int
    """Of all files, small ones too [bytes]."""
    done: int = 0
    """[bytes]"""

    def __post_init__(self) -> None:
        self._sizes: dict[str, int] = {}

    def read(self, line: str) -> str:
        """Take a line; returns the name of the package it is about, or ""."""
        if found := _DOWNLOADING.match(line):
            self._sizes[found["name"]] = round(float(found["size"]) * _UNITS[found["unit"]])
            return found["name"]
        if found := _DOWNLOADED.match(line):
            self.done += self._sizes.pop(found["name"], 0)
            return found["name"]
        return ""


def run_uv(
    uv: Path,
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    log: Path,
    on_line: Callable[[str], None],
    is_cancelled: Callable[[], bool],
) -> None:
    """Run uv to its end.

    Args:
        uv: the program.
        arguments: for it.
        environment: its variables, all of them.
        log: what it says is appended here.
        on_line: receives every line it says.
        is_cancelled: asked all the time; once true, uv is ended.

    Raises:
        SetupError: it failed; one sentence with the remedy, uv's own words are in the log.
        SetupCancelledError: it was asked to stop.
    """
    with log.open("a", encoding="utf-8") as written:
        said = []

        def take(line: str) -> None:
            said.append(line)
            written.write(f"{line}\n")
            on_line(line)

        written.write(f"$ uv {' '.join(arguments)}\n")
        code = run_lines(
            [str(uv), *arguments],
            environment=environment,
            on_line=take,
            is_cancelled=is_cancelled,
            cancelled=CANCELLED,
            remedy="repair the set-up",
        )
    if code:
        raise SetupError(f"{explain(said)} ({log})")


def explain(lines: Sequence[str]) -> str:
    """One sentence for what uv said before it failed."""
    text = "\n".join(lines)
    words = next((line.strip() for line in lines if line.lstrip().startswith(("error", "×"))), "")
    cause = next((line.strip() for line in reversed(lines) if "cause:" in line or "Caused by" in line), words)
    for pattern, remedy in REMEDIES:
        if re.search(pattern, text):
            return f"{cause or 'uv failed'}: {remedy}"
    return f"{cause or 'uv failed'}; set up again, and report it if it stays"
