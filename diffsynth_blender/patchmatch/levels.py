"""The pyramid of one match: packed guides, masks and the list of pixels to be matched, for every level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import warp as wp

from ..bands import Bands
from . import pyramid
from .patch import Pair

Size = tuple[int, int]
"""Height and width of one picture [px]."""


class Level(NamedTuple):
    """One level before it is searched."""

    pair: Pair
    """What the kernels read."""
    size: Size
    """Of the target."""
    source_size: Size
    """Of the source."""


@dataclass
class Pictures:
    """One side of a batch at one level."""

    packed: wp.array
    """Guides times factors, vec4 (B * H, W * groups)."""
    mask: wp.array | None
    """uint8 (B * H, W), None for all of it."""
    size: Size
    """Height and width of one picture."""


class PyramidBuilder:
    """Makes levels on one device."""

    def __init__(self, bands: Bands, batch: int, channels: int, radius: int):
        """Prepare for `batch` pairs with so many channels, to be compared with patches of this radius."""
        self._bands = bands
        self._batch = batch
        self._radius = radius
        self._groups = (channels + 3) // 4

    def packed(self, guides: wp.array, factors: wp.array, size: Size) -> wp.array:
        """Return guides (B * H, W * C) packed into vec4."""
        height, width = size
        packed = self._empty((self._batch * height, width * self._groups), wp.vec4)
        self._bands.launch(
            pyramid.pack, (self._batch * height, width), inputs=[guides, factors, self._groups], outputs=[packed]
        )
        return packed

    def levels(self, target: Pictures, source: Pictures, coarsest: int) -> list[Level]:
        """Return all levels, finest first; sides do not fall below `coarsest` px."""
        levels = [self._level(target, source)]
        for size, source_size in pyramid.level_sizes(target.size, source.size, coarsest)[1:]:
            target, source = self._shrunk(target, size), self._shrunk(source, source_size)
            levels.append(self._level(target, source))
        return levels

    def _shrunk(self, pictures: Pictures, size: Size) -> Pictures:
        """Return the pictures at the next coarser level."""
        shape = (self._batch * size[0], size[1])
        old, new = wp.vec2i(*pictures.size), wp.vec2i(*size)
        packed = self._empty((shape[0], shape[1] * self._groups), wp.vec4)
        self._bands.launch(pyramid.shrink, shape, inputs=[pictures.packed, old, new, self._groups], outputs=[packed])
        mask = None
        if pictures.mask is not None:
            mask = self._empty(shape, wp.uint8)
            self._bands.launch(pyramid.shrink_mask, shape, inputs=[pictures.mask, old, new], outputs=[mask])
        return Pictures(packed, mask, size)

    def _level(self, target: Pictures, source: Pictures) -> Level:
        """Gather what the kernels read."""
        pair = Pair()
        pair.target, pair.source = target.packed, source.packed
        pair.source_mask = source.mask if source.mask is not None else self._empty((0, 0), wp.uint8)
        pair.height, pair.width = target.size
        pair.source_height, pair.source_width = source.size
        pair.groups, pair.radius = self._groups, self._radius
        if target.mask is None:
            pair.pixels = self._empty((0,), wp.int32)
            pair.pixel_count = self._batch * target.size[0] * target.size[1]
        else:
            pair.pixels = self._marked(target.mask)
            pair.pixel_count = pair.pixels.shape[0]
        return Level(pair, target.size, source.size)

    def _marked(self, mask: wp.array) -> wp.array:
        """Return the places of nonzero elements in the flattened mask."""
        shape = mask.shape
        places = self._empty(shape, wp.int32)
        self._bands.launch(pyramid.count_marks, shape, inputs=[mask], outputs=[places])
        flat = places.reshape((shape[0] * shape[1],))
        wp.utils.array_scan(flat, flat, inclusive=True)
        marked = self._empty((int(flat[-1:].numpy()[0]),), wp.int32)
        if marked.shape[0] > 0:
            self._bands.launch(pyramid.list_marks, shape, inputs=[mask, places], outputs=[marked])
        return marked

    def _empty(self, shape: tuple[int, ...], dtype: type) -> wp.array:
        return wp.empty(shape, dtype=dtype, device=self._bands.device)
