"""Bringing one file into the folder of models: looked at, hashed, and there whole or not at all."""

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .errors import CheckpointError
from .identify import identify
from .scan import Found, look_at

_CHUNK = 1 << 22  # [bytes]
_FREE_FAMILY = "other"
"""Folder of what belongs to no family, such as VAEs."""


@dataclass(frozen=True)
class Brought:
    """A file of the folder of models."""

    found: Found
    sha256: str


def bring(
    file: Path, folder: Path, sha256: str = "", *, report: Callable[[int, int], None] = lambda done, total: None
) -> Brought:
    """Take a .safetensors file into `folder`, below its family, under its own name.

    On one disk it becomes a second name of the same content and takes no room; else it is copied.

    Args:
        file: anywhere.
        folder: of models; made where it is missing.
        sha256: what its hash must be; "" for whatever it is.
        report: told how many bytes of how many are read.

    Raises:
        CheckpointError: it is nothing of use here, its hash is another, or another file has its name there.
        OSError: the disk cannot be written.
    """
    if not file.is_file():
        raise CheckpointError(f"{file}: no such file; choose a .safetensors file")
    identity = identify(file)
    expected = sha256.strip().lower()
    if expected and not re.fullmatch(r"[0-9a-f]{64}", expected):
        raise CheckpointError(f"{file}: the hash to compare with is no SHA-256, which has 64 digits; correct it")
    target = folder / (identity.family or _FREE_FAMILY) / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        found_hash = _take(file, part, report)
        if expected and found_hash != expected:
            raise CheckpointError(
                f"{file}: its hash is {found_hash[:12]} in place of {expected[:12]}; it was changed or damaged, "
                "download it again"
            )
        if target.exists() and not _same(part, target):
            raise CheckpointError(f"{target}: another file has this name there; rename the one you bring")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return Brought(look_at(target), found_hash)


def _take(file: Path, part: Path, report: Callable[[int, int], None]) -> str:
    """Link or copy, and return the hash of the content."""
    try:
        os.link(file.resolve(), part)  # resolved: the hub's cache holds links
    except OSError:
        shutil.copyfile(file, part)
    state, done, total = hashlib.sha256(), 0, part.stat().st_size
    with part.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            state.update(chunk)
            done += len(chunk)
            report(done, total)
    return state.hexdigest()


def _same(one: Path, other: Path) -> bool:
    if one.samefile(other):
        return True
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as first, other.open("rb") as second:
        while chunk := first.read(_CHUNK):
            if chunk != second.read(_CHUNK):
                return False
    return True
