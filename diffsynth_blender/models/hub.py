"""One file from a model hub into a folder: whole and verified under its name, or not there at all.

The hub's protocol is huggingface_hub's: its addresses, headers, metadata and session. The body is read here, because
that library begins a download anew in every process: here it goes on from the bytes that are there, whoever fetched
them. What has come so far lies beside the file under a name with the hub's own tag of the content, so that bytes of two
versions never meet.
"""

import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import httpx2
from huggingface_hub.utils import get_session, hf_raise_for_status

from .errors import DownloadError
from .header import refuse_pickles
from .hub_content import TIMEOUT, Content, Hub, HubFile, ask, check, is_sha256
from .hub_patience import patiently

PART = ".part"
_CHUNK = 1 << 20  # [bytes]
_SPARE = 1 << 27  # [bytes] that are left on the disk

Verified = Literal["listed", "hub", "size", "present"]
"""By what a file was verified: the hash it is listed with; a hash that the hub tells; its size alone; or not at all
because it stood there already."""
Report = Callable[[int, int], None]


def fetch(file: HubFile, target: Path, hub: Hub, *, report: Report = lambda done, total: None) -> Verified:
    """Bring a file to `target`, going on with what an earlier attempt left.

    Args:
        file: what is wanted.
        target: where it will stand; its folder is made.
        hub: where from.
        report: told how many bytes of how many are there.

    Raises:
        DownloadError: it cannot be had, or is not what it should be.
        CheckpointError: its format can run code when it is read.
        OSError: the disk cannot be written.
    """
    refuse_pickles(Path(file.name))
    if target.is_file() and file.size in (None, target.stat().st_size):
        return "present"
    content = ask(file, hub)
    check(file, content)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = _part(target, content.tag)
    _check_room(target, content.size - (part.stat().st_size if part.exists() else 0))
    _load(file, content, part, hub, report)
    verified = _verify(file, content, part)
    part.replace(target)
    return verified


def _check_room(target: Path, size: int) -> None:
    free = shutil.disk_usage(target.parent).free
    if free < size + _SPARE:
        raise DownloadError(
            f"{target.parent}: {size / 1e9:.1f} GB are to come and {free / 1e9:.1f} GB are free; make room, or choose "
            "another folder"
        )


def _part(target: Path, tag: str) -> Path:
    """Where bytes gather; those of another version are removed."""
    part = target.with_name(f".{target.name}.{hashlib.sha256(tag.encode()).hexdigest()[:12]}{PART}")
    for other in target.parent.glob(f".{target.name}.*{PART}"):
        if other != part:
            other.unlink()
    return part


def _load(file: HubFile, content: Content, part: Path, hub: Hub, report: Report) -> None:
    """Fill the part to the size the hub tells."""
    part.touch()
    if part.stat().st_size > content.size:
        part.unlink()
        part.touch()
    if part.stat().st_size < content.size or content.size == 0:
        patiently(
            lambda: _stream(file, content, part, report),
            file.label,
            first_wait=hub.first_wait,
            progress=lambda: part.stat().st_size,
        )


def _stream(file: HubFile, content: Content, part: Path, report: Report) -> None:
    """Append what is missing. Raises httpx2's or the hub's errors where the connection breaks."""
    done = part.stat().st_size
    headers = content.headers | ({"range": f"bytes={done}-"} if done else {})
    # The hub answers with a redirection to where the content lies; the session leaves the token behind then.
    with get_session().stream("GET", content.url, headers=headers, timeout=TIMEOUT) as response:
        if response.status_code == 416:
            part.write_bytes(b"")  # the server knows no such range: from the start at the next attempt
            raise httpx2.RemoteProtocolError("the range was refused")
        hf_raise_for_status(response)
        mode = "ab" if _goes_on(response, done) else "wb"
        done = done if mode == "ab" else 0
        with part.open(mode) as stream:
            for chunk in response.iter_bytes():  # as it comes: gathered bytes would be lost with the connection
                done += len(chunk)
                if done > content.size:
                    break
                stream.write(chunk)
                report(done, content.size)
    if done > content.size:
        part.unlink()
        raise DownloadError(f"{file.label}: more bytes came than the hub tells; nothing was kept, try again")
    if done < content.size:
        raise httpx2.RemoteProtocolError("the connection was cut")


def _goes_on(response: Any, done: int) -> bool:
    """Whether an answer begins where the part ends; a server without ranges sends everything again."""
    return response.status_code == 206 and str(response.headers.get("content-range", "")).startswith(f"bytes {done}-")


def _verify(file: HubFile, content: Content, part: Path) -> Verified:
    """Compare with the best hash there is; a part that differs is removed."""
    verified: Verified = "hub"
    if file.sha256 is not None:
        verified, expected, found = "listed", file.sha256, _hash(part, hashlib.sha256())
    elif is_sha256(content.tag):
        expected, found = content.tag, _hash(part, hashlib.sha256())
    elif re.fullmatch(r"[0-9a-f]{40}", content.tag):
        # Small files lie in the hub's git, whose names of contents these are; not for security, as all of git's.
        blob = hashlib.sha1(f"blob {content.size}\0".encode(), usedforsecurity=False)
        expected, found = content.tag, _hash(part, blob)
    else:
        return "size"
    if found != expected:
        part.unlink()
        raise DownloadError(
            f"{file.label}: what came is not the file: hash {found[:12]} in place of {expected[:12]}; nothing was "
            "kept, try again or use another mirror"
        )
    return verified


def _hash(path: Path, state: Any) -> str:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            state.update(chunk)
    return str(state.hexdigest())
