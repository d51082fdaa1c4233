"""Links of a clip on disk or in memory, one array per request.

On disk so that memory does not grow with the clip: 1080p with a window of 4 is 160 MB a frame.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import numpy as np

from ..writing import unfinished, writing
from .links import LINK_DTYPE
from .plan import LinkRequest

CHECKSUM_BYTES = 4
"""At a file's end, after the array; 0.1 s for the links of a frame of 1080p with a window of 4."""


class LinkStore:
    """Maps a request to its links, `LINK_DTYPE`, shape (S, H, W)."""

    def __init__(self, folder: Path | None):
        """Keep links in `folder`, made when first needed in a folder that exists; None keeps them in memory."""
        self._folder = folder
        self._held: dict[LinkRequest, np.ndarray] = {}
        self._whole: set[Path] = set()  # files that hold what was once saved; looked at once, they are read often

    def load(self, request: LinkRequest, shape: tuple[int, int, int]) -> np.ndarray | None:
        """Return the links of a request, or None if they were not stored whole in this shape."""
        if self._folder is None:
            return self._held.get(request)
        path = _path(self._folder, request)
        if not path.is_file():
            return None
        try:
            # Copy on write: Warp wants writable memory, and nothing ever writes to it.
            links = np.load(path, mmap_mode="c")
            if links.dtype != LINK_DTYPE or links.shape != shape or not self._is_whole(path, links):
                return None
        except (ValueError, EOFError):
            # A damaged file in a cache is a missing one.
            return None
        return links

    def save(self, request: LinkRequest, links: np.ndarray) -> None:
        """Store the links of a request, whole or not at all. Raises WriteError where the disk is full or gone."""
        if self._folder is None:
            self._held[request] = links
            return
        path = _path(self._folder, request)
        temporary = unfinished(path)
        with writing(path):
            self._folder.mkdir(exist_ok=True)  # in a folder that is there: one that has vanished is not made anew
            try:
                with temporary.open("wb") as file:
                    # As np.save does, which does not tell why a write failed.
                    whole = np.ascontiguousarray(links)
                    np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(whole))
                    file.write(whole)
                    file.write(_checksum(whole))
                os.replace(temporary, path)
                self._whole.add(path)
            finally:
                temporary.unlink(missing_ok=True)

    def _is_whole(self, path: Path, links: np.ndarray) -> bool:
        """Whether a file holds what was saved; a power cut can leave zeros, since links are not synced."""
        if path not in self._whole:
            with path.open("rb") as file:
                file.seek(-CHECKSUM_BYTES, os.SEEK_END)
                if file.read() != _checksum(links):
                    return False
            self._whole.add(path)
        return True


def _checksum(links: np.ndarray) -> bytes:
    return zlib.crc32(np.ascontiguousarray(links).view(np.uint8)).to_bytes(CHECKSUM_BYTES, "little")


def _path(folder: Path, request: LinkRequest) -> Path:
    # Sources rise; a run of them without gaps and one with gaps differ in their number.
    sources = request.sources
    return folder / f"links-{request.target:05d}-{sources[0]:05d}-{sources[-1]:05d}-{len(sources)}.npy"
