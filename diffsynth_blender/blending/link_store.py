"""Links of a clip on disk or in memory, one array per request.

On disk so that memory does not grow with the clip: 1080p with a window of 4 is 160 MB a frame.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import numpy as np

from ..writing import writing
from .links import LINK_DTYPE
from .plan import LinkRequest


class LinkStore:
    """Maps a request to its links, `LINK_DTYPE`, shape (S, H, W)."""

    def __init__(self, folder: Path | None):
        """Keep links in `folder`, made when first needed; None keeps them in memory."""
        self._folder = folder
        self._held: dict[LinkRequest, np.ndarray] = {}

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
        except (ValueError, EOFError):
            # A damaged file in a cache is a missing one.
            return None
        return links if links.dtype == LINK_DTYPE and links.shape == shape else None

    def save(self, request: LinkRequest, links: np.ndarray) -> None:
        """Store the links of a request, whole or not at all. Raises WriteError where the disk is full or gone."""
        if self._folder is None:
            self._held[request] = links
            return
        path = _path(self._folder, request)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        with writing(path):
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                with temporary.open("wb") as file:
                    # As np.save does, which does not tell why a write failed.
                    whole = np.ascontiguousarray(links)
                    np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(whole))
                    file.write(whole)
                os.replace(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)


def _path(folder: Path, request: LinkRequest) -> Path:
    # Sources rise; a run of them without gaps and one with gaps differ in their number.
    sources = request.sources
    return folder / f"links-{request.target:05d}-{sources[0]:05d}-{sources[-1]:05d}-{len(sources)}.npy"
