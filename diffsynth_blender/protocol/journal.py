"""The journal of a job folder: what is finished, one JSON object a line, never rewritten.

    {"event": "start", "settings_hash": "…"}                                      a run begins or goes on
    {"event": "step", "index": 3, "file": "cache/latents.npz", "sha256": "…"}     a denoising step and its checkpoint
    {"event": "frame", "frame": 7, "file": "output/0007.png", "sha256": "…"}      a result file
    {"event": "done"}                                                             all frames, and the report
    {"event": "redo", "settings_hash": "…"}                                       what follows belongs to a redo

A line is on the disk before the next thing is done. A crash can leave a torn last line: it does not count.
Lines before a "start" with other settings count for nothing.
"""

import json
import os
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ..writing import WriteError, is_forbidden, writing
from .errors import BadJobError, JobBusyError
from .fields import JsonObject
from .files import file_sha256, remove_parts
from .frames import FRAME_LIMIT
from .job import CACHE_FOLDER, baseline_path, output_path
from .lock import try_lock
from .reading import JSON_LIMIT, read_file
from .texts import shortened, stays_below
from .traces import PICTURES_FOLDER

JOURNAL_FILE = "journal.jsonl"
REMEDY = "delete the journal to start the job anew"

_KEYS = {
    "start": ("event", "settings_hash"),
    "step": ("event", "index", "file", "sha256"),
    "frame": ("event", "frame", "file", "sha256"),
    "done": ("event",),
    "redo": ("event", "settings_hash"),
}


@dataclass(frozen=True)
class Checkpoint:
    """The state of the denoising loop on disk."""

    index: int
    """The denoising step that is finished, from 0."""
    path: Path


@dataclass(frozen=True)
class JournalState:
    """What a journal says is finished, as far as the files still are what they were then."""

    settings_hash: str | None = None
    """Of the job that was run; None for a journal without a run."""
    checkpoints: tuple[Checkpoint, ...] = ()
    """Those whose files are unchanged, the newest first."""
    files: dict[Path, int] = field(default_factory=dict)
    """Unchanged result files with their scene frame."""
    makers: dict[Path, str] = field(default_factory=dict)
    """Which run made each of `files`: its settings hash, that of the job or of one of its redos."""
    done: bool = False
    """Whether the job was finished and reported, and no frame was made since; files may have been lost."""

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The newest."""
        return self.checkpoints[0] if self.checkpoints else None

    def is_finished(self, path: Path, makers: Collection[str] | None = None) -> bool:
        """Whether a result file was finished, by one of `makers` where given, and is unchanged."""
        return path in self.files and (makers is None or self.makers[path] in makers)


def read_journal(job_dir: Path) -> JournalState:
    """Read the journal and check the files it names. May be called while a worker runs the job.

    Raises `BadJobError` where the journal holds anything but journal lines and one torn last line.
    """
    job_dir = Path(job_dir)
    return _state_of(job_dir, _read_lines(job_dir / JOURNAL_FILE))


class Journal:
    """The journal opened by the one worker that runs the job. Holds the lock of the job folder until closed."""

    def __init__(self, job_dir: Path) -> None:
        """Open and lock.

        Raises:
            JobBusyError: Another worker runs this job folder.
            BadJobError: The journal may not be written, or holds garbage.
            WriteError: The disk is full or gone.
        """
        self._job_dir = Path(job_dir)
        self._path = path = self._job_dir / JOURNAL_FILE
        try:
            # Unbuffered: what a full disk did not take must not be tried again when the file is closed.
            with writing(path):
                self._file: IO[bytes] = path.open("ab", buffering=0)
        except WriteError as error:
            if not is_forbidden(error) and self._job_dir.is_dir():
                raise
            raise BadJobError(f"{path}: cannot be written: {error.strerror}; make the job folder writable") from None
        try:
            if not try_lock(self._file):
                raise JobBusyError(f"{self._job_dir}: another worker runs this job; wait for it or stop it")
            self.before = read_journal(self._job_dir)
            """What was finished when the journal was opened, with whatever settings."""
        except BadJobError:
            self._file.close()
            raise
        except OSError as error:  # a file system without locks
            self._file.close()
            raise BadJobError(f"{path}: cannot be locked: {error.strerror}; move the job to another disk") from None
        _cut_torn_line(path)
        for folder in (self._job_dir, output_path(job_dir, 0).parent, baseline_path(job_dir, 0).parent):
            remove_parts(folder)
        for folder in (self._job_dir / CACHE_FOLDER, self._job_dir / PICTURES_FOLDER):
            remove_parts(folder, below=True)

    def start(self, settings_hash: str) -> JournalState:
        """Begin or go on with a job. Returns what is already finished with exactly these settings."""
        self._append({"event": "start", "settings_hash": settings_hash})
        return self.before if self.before.settings_hash == settings_hash else JournalState(settings_hash)

    def redo(self, settings_hash: str) -> None:
        """What is entered from now on belongs to the redo with this hash, until the next one or the next start."""
        self._append({"event": "redo", "settings_hash": settings_hash})

    def step_finished(self, index: int, checkpoint: Path) -> None:
        """A denoising step (from 0) is finished and its checkpoint complete on disk."""
        self._append({"event": "step", "index": index, **self._file_entry(checkpoint)})

    def frame_finished(self, frame: int, path: Path) -> None:
        """A result file is complete on disk."""
        self._append({"event": "frame", "frame": frame, **self._file_entry(path)})

    def done(self) -> None:
        """Every frame of the job is finished, and the report tells of them."""
        self._append({"event": "done"})

    def close(self) -> None:
        """Close, and give the lock back."""
        self._file.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _file_entry(self, path: Path) -> dict[str, str]:
        return {"file": Path(path).relative_to(self._job_dir).as_posix(), "sha256": file_sha256(path)}

    def _append(self, entry: dict[str, object]) -> None:
        rest = memoryview(json.dumps(entry).encode() + b"\n")
        with writing(self._path):
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())


def _read_lines(path: Path) -> list[JsonObject]:
    try:
        content = read_file(path, JSON_LIMIT)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BadJobError(f"{path}: cannot be read: {error.strerror}; give permission to read it") from None
    except ValueError as error:
        raise BadJobError(f"{path}: cannot be read: {error}; {REMEDY}") from None
    whole = content[: _whole_bytes(content)]
    return [_decode_line(line, f"{path}:{number}") for number, line in enumerate(whole.splitlines(), start=1)]


def _whole_bytes(content: bytes) -> int:
    """Length of a journal without a torn last line: one that has no end, or zeros that a power cut left in it."""
    end = content.rfind(b"\n") + 1
    last = content.rfind(b"\n", 0, max(0, end - 1)) + 1
    return last if b"\0" in content[last:end] else end


def _decode_line(line: bytes, place: str) -> JsonObject:
    try:
        value = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        raise BadJobError(f"{place}: not a line of a journal; {REMEDY}") from None
    event = value.get("event") if isinstance(value, dict) else None
    if not isinstance(event, str) or event not in _KEYS:
        raise BadJobError(f"{place}: {shortened(event)} is not an event of a journal; {REMEDY}")
    return JsonObject(value, place, "", _KEYS[event])


def _state_of(job_dir: Path, lines: list[JsonObject]) -> JournalState:
    settings_hash: str | None = None
    maker = ""
    steps: dict[str, tuple[int, str]] = {}  # file → index, sha256; the order is that of the journal
    frames: dict[str, tuple[int, str, str]] = {}  # file → frame, sha256, maker
    done = False
    for line in lines:
        event = line.text("event")
        if event == "start":
            if line.text("settings_hash") != settings_hash:
                settings_hash = line.text("settings_hash")
                steps, frames, done = {}, {}, False
            maker = settings_hash
        elif event == "redo":
            maker = line.text("settings_hash")
        elif event == "step":
            file = _file(line)
            steps.pop(file, None)
            steps[file] = line.integer("index", 0, 1000), line.text("sha256")
        elif event == "frame":
            done = False  # the report does not know of this one
            frames[_file(line)] = line.integer("frame", -FRAME_LIMIT, FRAME_LIMIT), line.text("sha256"), maker
        else:
            done = True
    unchanged = {
        job_dir / file: (frame, made_by)
        for file, (frame, sha256, made_by) in frames.items()
        if _is_unchanged(job_dir / file, sha256)
    }
    return JournalState(
        settings_hash,
        tuple(
            Checkpoint(index, job_dir / file)
            for file, (index, sha256) in reversed(steps.items())
            if _is_unchanged(job_dir / file, sha256)
        ),
        {path: frame for path, (frame, _) in unchanged.items()},
        {path: made_by for path, (_, made_by) in unchanged.items()},
        done,
    )


def _file(line: JsonObject) -> str:
    """The file of a line: one of the job folder's."""
    file = line.text("file")
    if not stays_below(file):
        raise line.error("file", f"a path below the job folder ({REMEDY})")
    return file


def _is_unchanged(path: Path, sha256: str) -> bool:
    return path.is_file() and file_sha256(path) == sha256


def _cut_torn_line(path: Path) -> None:
    """Remove a torn last line, or the next line would be glued to it."""
    content = path.read_bytes()
    whole = _whole_bytes(content)
    if whole < len(content):
        os.truncate(path, whole)
