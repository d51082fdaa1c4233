"""Where chosen objects are seen, from the object-id pass, and results laid into the source there and nowhere else.

A mask is 1 inside, a half on the outermost pixels of the objects, and exactly 0 outside: what is outside stays as it
was, bit for bit, and the border is not a staircase.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..protocol import JOB_FILE, BadJobError
from ..protocol.cryptomatte import object_id
from .control_makers import ArrayFiles


class RegionMasks:
    """Masks of some groups of objects; made in one pass over the clip, kept in the cache folder."""

    def __init__(self, job_dir: Path, regions: Sequence[Sequence[str]]) -> None:
        """Take the names of each region's objects."""
        self._names = regions
        # The passes hold the same 32 bits as a signed integer.
        self._ids = [[_signed(object_id(name)) for name in names] for names in regions]
        self._seen: set[int] = set()
        digest = hashlib.sha256(json.dumps([list(names) for names in regions]).encode()).hexdigest()[:16]
        self._files = [ArrayFiles(job_dir, f"region-{digest}-{place}") for place in range(len(regions))]
        self._any = ArrayFiles(job_dir, f"region-{digest}-any")

    def see(self, frame: int, object_ids: np.ndarray, *, kept: bool) -> None:
        """Take in the object-id pass (H, W) of a scene frame; `kept` where its masks will be asked for."""
        found = [np.isin(object_ids, ids) for ids in self._ids]
        for inside, ids in zip(found, self._ids, strict=True):
            if inside.any():
                self._seen.update(set(np.unique(object_ids[inside]).tolist()) & set(ids))
        if kept:
            for files, inside in zip(self._files, found, strict=True):
                files.write(frame, _halves(inside))
            self._any.write(frame, _halves(np.any(found, axis=0)))

    def check(self) -> None:
        """Once every frame was seen: raise BadJobError for an object that none of them shows."""
        for place, (names, ids) in enumerate(zip(self._names, self._ids, strict=True)):
            for name, id in zip(names, ids, strict=True):
                if id not in self._seen:
                    raise BadJobError(
                        f"{JOB_FILE}: settings.regions[{place}].objects: no frame of the shot shows an object that is "
                        f"called {name!r}; write the name as in Blender's outliner (upper and lower case count), or "
                        "take it out"
                    )

    def mask(self, region: int, frame: int) -> np.ndarray:
        """Where a region is seen in a scene frame that was kept, float32, shape (H, W): 0, a half or 1."""
        return self._files[region].read(frame).astype(np.float32) / 2

    def any_mask(self, frame: int) -> np.ndarray:
        """Where any region is seen, as `mask`; between two that touch there is no border."""
        return self._any.read(frame).astype(np.float32) / 2


def composite(result: np.ndarray, source: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The result where the mask is, the source elsewhere: uint8, shape (H, W, 3).

    Args:
        result: uint8, shape (H, W, 3).
        source: uint8, shape (H, W, 3); where the mask is 0 its bytes are returned.
        mask: in [0, 1], shape (H, W).
    """
    share = mask[..., None]
    mixed = np.rint(source + share * (result.astype(np.float32) - source))
    return np.where(share > 0, mixed, source).astype(np.uint8)


def _halves(inside: np.ndarray) -> np.ndarray:
    """How many halves: 2 inside, 1 inside but next to what is outside, 0 outside; the frame's border is no border."""
    padded = np.pad(inside, 1, mode="edge")
    deep = inside & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return inside.astype(np.uint8) + deep


def _signed(bits: int) -> int:
    return bits - (bits >> 31 << 32)
