"""Key-frame mode: some frames are restyled and carried to the others by the motion.

What no key frame shows is restyled in the frames between, inside what was carried there: outside the hidden parts the
predicted x0 is held to the carried picture at every step, so that what is made fits to it.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch.nn import functional

from ..blending.keyframes import KeyFrameInterpolator
from ..passes.images import to_bytes
from ..protocol.job import CACHE_FOLDER
from ..writing import PART
from .frame_store import FrameStore
from .part import Part
from .restyle import Restyling

LEAST_HIDDEN = 0.002
"""Share of a frame's pixels below which nothing is restyled: silhouettes that key frames hide for a frame or two, which
the colours around them fill without a trace."""
SEAM = 2
"""Width of the seam between what is carried and what is restyled [px]."""


@dataclass(frozen=True)
class KnownPart:
    """Holds the predicted x0 to known latents outside of what is restyled; an `X0Edit`."""

    known: torch.Tensor
    """(T, C, h, w) clean latents of the carried pictures."""
    restyled: torch.Tensor
    """(T, 1, h, w): 1 where the picture is restyled, else 0."""

    def at(self, step: int, step_count: int) -> bool:
        """At every step."""
        return True

    def apply(self, x0: torch.Tensor, step: int, step_count: int) -> torch.Tensor:
        """What must be added to the x0 (T, C, h, w)."""
        return (1 - self.restyled) * (self.known - x0)


@dataclass(frozen=True)
class Carried:
    """A frame between key frames, made of them."""

    index: int
    """Of the part's frames."""
    picture: np.ndarray
    """(H, W, 3) in [0, 1]."""
    hidden: np.ndarray
    """What no key frame shows, bool (H, W)."""


def restyle_by_keys(
    part: Part, keys: Sequence[int], *, wanted: Collection[int], finished: Collection[int], name: str
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the wanted frames of a part with their pictures, key frames first.

    Args:
        part: all frames from the first key frame to the last, or more.
        keys: indices of the key frames, rising.
        wanted: indices of the frames to make.
        finished: indices of the frames that are made already.
        name: of the clip, for its checkpoints.
    """
    settings = part.settings.key_frames
    assert settings is not None
    every = range(len(part.frames))
    path = part.context.job_dir / CACHE_FOLDER / f".keys-{name}{PART}.bin"
    size = {"height": part.inputs.height, "width": part.inputs.width}
    # Not rounded: a key frame that is read back from its file must be the same to the bit.
    with FrameStore(path, frame_count=len(every), dtype=np.float32, **size) as store:
        todo = [key for key in keys if key not in finished]
        for key in keys:
            if key not in todo:
                store.write(key, part.read_output(key))
        if todo:
            for key, picture in Restyling(part, keys, name=f"keys-{name}").pictures():
                if key not in finished:
                    store.write(key, to_bytes(part.keep_rest(key, picture)).astype(np.float32) / np.float32(255.0))
                if key in wanted:
                    yield key, store.read(key)
        if not set(wanted) - set(keys):
            return
        interpolator = KeyFrameInterpolator(
            part.motion(every), part.inputs.source, list(keys), repair=not settings.repair
        )
        waiting: list[Carried] = []
        for index, (picture, hidden) in enumerate(interpolator.stream_hidden(store.read)):
            part.context.stop_if_cancelled()
            part.context.progress("repair", index, len(every), part.frames[index])
            if index not in keys:
                waiting.append(Carried(index, picture, hidden))
            elif waiting:
                if any(carried.index in wanted for carried in waiting):
                    yield from _repaired(part, waiting, store, settings.repair)
                waiting = []


def _repaired(
    part: Part, between: Sequence[Carried], store: FrameStore, repair: bool
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the frames between two key frames; what is hidden in them is restyled against the key frames."""
    holes = [carried for carried in between if repair and carried.hidden.mean() >= LEAST_HIDDEN]
    made = {}
    if holes:
        codec = part.pipeline.codec
        known = part.encode((carried.picture for carried in holes), len(holes))
        masks = torch.from_numpy(np.stack([carried.hidden for carried in holes])[:, None]).float()
        cells = functional.max_pool2d(codec.pad(masks), codec.factor)
        # A latent's surroundings decide what its pixels look like.
        cells = functional.max_pool2d(cells, 3, stride=1, padding=1)
        first, last = between[0].index - 1, between[-1].index + 1
        clip = [first, *(carried.index for carried in holes), last]
        restyling = Restyling(
            part,
            clip,
            name=f"repair-{part.frames[first]:04d}-{part.frames[last]:04d}",
            finished={key: partial(store.read, key) for key in (first, last)},
            stage="repair",
        )
        made = dict(restyling.pictures([KnownPart(known, cells)]))
    for carried in between:
        picture = carried.picture
        if carried.index in made:
            seam = _soft(carried.hidden)[..., None]
            picture = picture + seam * (made[carried.index] - picture)
        yield carried.index, picture


def _soft(hidden: np.ndarray) -> np.ndarray:
    """The mask (H, W) in [0, 1] of hidden pixels: 1 in all of them, falling to 0 over the seam around them."""
    grown = torch.from_numpy(hidden).float()[None, None]
    total = grown.clone()
    for step in range(1, SEAM + 1):
        grown = functional.max_pool2d(grown, 3, stride=1, padding=1)
        total = torch.maximum(total, grown * (1 - step / (SEAM + 1)))
    return total[0, 0].numpy()
