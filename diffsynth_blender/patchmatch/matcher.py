"""The patch matcher: builds the pyramids and runs the levels from coarse to fine, all on one device.

Must not know what the pictures are: guides are channels with weights, positions are pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import warp as wp

from ..bands import Bands
from . import kernels, pyramid, refine, start, vote
from .arguments import factors, guides_shape, on_device, require_shape
from .kernels import CHUNK, random_key
from .levels import Level, Pictures, PyramidBuilder
from .options import MatchOptions


class NearestNeighbourField(NamedTuple):
    """For each target pixel, where its patch occurs in the source."""

    nnf: wp.array
    """Positions [px], vec2 (B, H, W); NaN where there is neither an initial position nor an allowed match."""
    error: wp.array
    """Weighted mean squared difference a pixel of the patch, float (B, H, W); `NO_MATCH` where nothing was searched."""


Field = tuple[wp.array, wp.array]
"""Positions and errors, vec2 and float, shape (B * H, W) each."""

REACH = 4
"""Radius of the first random candidate at every level but the coarsest [px]; the coarser level has seen the rest."""

COARSEST_EFFORT = 4
"""How many times as many rounds the coarsest level gets."""


class PatchMatcher:
    """Finds nearest-neighbour fields on one device; holds no pictures between calls."""

    def __init__(self, bands: Bands, options: MatchOptions | None = None):
        """Load the kernels.

        Args:
            bands: the device, and how many threads on a processor.
            options: None for the defaults.
        """
        self.options = options or MatchOptions()
        self._bands = bands
        bands.load(kernels, pyramid, refine, start, vote)

    def match(
        self,
        target_guides: np.ndarray | wp.array,
        source_guides: np.ndarray | wp.array,
        *,
        weights: Sequence[float],
        initial: np.ndarray | wp.array | None = None,
        target_mask: np.ndarray | wp.array | None = None,
        source_mask: np.ndarray | wp.array | None = None,
    ) -> NearestNeighbourField:
        """Find for each target pixel the source position around which the patch differs least.

        NumPy arrays, or Warp arrays on the matcher's device; components of Warp vectors count as the last axis.

        Args:
            target_guides: channels to compare, float32 (B, H, W, C), C from 1 to 16.
            source_guides: the same channels of the other pictures, float32 (B, H', W', C).
            weights: factors on the channels' squared differences, 0 or more.
            initial: positions to begin with [px in the source], float32 (B, H, W, 2); NaN or outside: none there.
                Always a candidate, and kept where nothing is strictly better.
            target_mask: nonzero where a match is needed, uint8 (B, H, W); None: everywhere. Other pixels keep
                their initial position and suggest it to their neighbours.
            source_mask: nonzero where the source may be matched to, uint8 (B, H', W'); None: everywhere.

        Returns:
            The field at full size. Its positions lie on the source, and read allowed pixels only.

        Raises:
            ValueError: shapes, types or devices do not fit.
        """
        device = self._bands.device
        batch, height, width, channels = guides_shape(target_guides, "target_guides", device)
        source_shape = guides_shape(source_guides, "source_guides", device)
        if (source_shape[0], source_shape[3]) != (batch, channels):
            raise ValueError(
                f"target_guides are {(batch, height, width, channels)}, source_guides {source_shape}: "
                "pairs and channels must be as many"
            )
        size, source_size = (height, width), source_shape[1:3]
        if initial is not None:
            require_shape(initial, "initial", wp.float32, (batch, *size, 2), device)
            initial = on_device(initial, wp.vec2, (batch * height, width), device)
        if target_mask is not None:
            require_shape(target_mask, "target_mask", wp.uint8, (batch, *size), device)
            target_mask = on_device(target_mask, wp.uint8, (batch * height, width), device)
        if source_mask is not None:
            require_shape(source_mask, "source_mask", wp.uint8, (batch, *source_size), device)
            source_mask = on_device(source_mask, wp.uint8, (batch * source_size[0], source_size[1]), device)
        scales = wp.array(factors(weights, channels), dtype=float, device=device)
        builder = PyramidBuilder(self._bands, batch, channels, self.options.patch_size // 2)
        levels = builder.levels(
            Pictures(builder.packed(self._flat(target_guides, batch, size, channels), scales, size), target_mask, size),
            Pictures(
                builder.packed(self._flat(source_guides, batch, source_size, channels), scales, source_size),
                source_mask,
                source_size,
            ),
            self.options.coarsest,
        )
        field = self._descend(levels, batch, initial)
        return NearestNeighbourField(*(array.reshape((batch, height, width)) for array in field))

    def vote(self, nnf: wp.array, style: np.ndarray | wp.array) -> wp.array:
        """Return the picture that a field makes of the source's style: the mean over overlapping patches.

        Args:
            nnf: positions, vec2 (B, H, W), as from `match`.
            style: the sources' pictures, float32 (B, H', W', 3) or vec3 (B, H', W').

        Returns:
            vec3 (B, H, W); NaN where no patch over a pixel has a match.

        Raises:
            ValueError: shapes, types or devices do not fit.
        """
        device = self._bands.device
        shape = guides_shape(style, "style", device)
        if shape[3] != 3:
            raise ValueError(f"style must have 3 channels, got {shape[3]}")
        batch, height, width = nnf.shape
        require_shape(nnf, "nnf", wp.float32, (shape[0], height, width, 2), device)
        voted = wp.empty((batch, height, width), dtype=wp.vec3, device=device)
        self._bands.launch(
            vote.vote_patches,
            (batch * height, width),
            inputs=[nnf, on_device(style, wp.vec3, shape[:3], device), self.options.patch_size // 2],
            outputs=[voted],
        )
        return voted

    def _flat(self, guides: np.ndarray | wp.array, batch: int, size: tuple[int, int], channels: int) -> wp.array:
        """Return guides with one row of memory a row of pixels."""
        return on_device(guides, wp.float32, (batch * size[0], size[1] * channels), self._bands.device)

    def _descend(self, levels: list[Level], batch: int, initial: wp.array | None) -> Field:
        """Search all levels, coarsest first; each begins with what the coarser one found."""
        coarse_nnf = wp.empty((0, 0), dtype=wp.vec2, device=self._bands.device)
        coarse_size, coarse_source_size = (0, 0), (0, 0)
        for index in reversed(range(len(levels))):
            level = levels[index]
            field, spare = self._donors(level, levels[0], batch, initial)
            self._launch(
                start.start_level,
                level,
                inputs=[
                    self._key(index, 0),
                    wp.vec2i(*coarse_size),
                    wp.vec2i(*coarse_source_size),
                    initial is not None,
                    not self.options.subpixel,
                    coarse_nnf,
                    spare[0],
                ],
                outputs=field,
                runs=True,
            )
            reach, search_count, iterations = REACH, self.options.search_count, self.options.iterations
            if index == len(levels) - 1:
                reach = max(level.source_size)
                # Down to a radius of one pixel: nothing is known here yet, and pixels are few.
                search_count = max(search_count, reach.bit_length())
                iterations *= COARSEST_EFFORT
            # Everything is new in the first round.
            moved, next_moved = (
                wp.full(field[0].shape, value, wp.uint8, device=self._bands.device) for value in (1, 0)
            )
            for iteration in range(iterations):
                self._launch(
                    kernels.improve,
                    level,
                    inputs=[self._key(index, iteration + 1), reach, search_count, *field, moved],
                    outputs=[*spare, next_moved],
                    runs=True,
                )
                moved, next_moved = next_moved, moved
                field, spare = spare, field
            coarse_nnf, coarse_size, coarse_source_size = field[0], level.size, level.source_size
        if self.options.subpixel:
            self._launch(refine.refine, levels[0], inputs=[refine.STEPS, *field], outputs=spare)
            return spare
        return field

    def _donors(self, level: Level, finest: Level, batch: int, initial: wp.array | None) -> tuple[Field, Field]:
        """Return two fields that hold the initial positions, carried to this level."""
        shape = (batch * level.size[0], level.size[1])
        fields = [self._field(shape) for _ in range(2)]
        if initial is None and level.pair.pixels.shape[0] == 0 and level.pair.pixel_count > 0:
            # Every pixel gets a position of its own.
            return fields[0], fields[1]
        if initial is None:
            initial = wp.empty((0, 0), dtype=wp.vec2, device=self._bands.device)
        for field in fields:
            self._bands.launch(
                start.place_donors,
                shape,
                inputs=[level.pair, wp.vec2i(*finest.size), wp.vec2i(*finest.source_size), initial],
                outputs=[*field],
            )
        return fields[0], fields[1]

    def _field(self, shape: tuple[int, int]) -> Field:
        return (
            wp.empty(shape, dtype=wp.vec2, device=self._bands.device),
            wp.empty(shape, dtype=float, device=self._bands.device),
        )

    def _launch(
        self, kernel: wp.Kernel, level: Level, inputs: list, outputs: Sequence[wp.array], *, runs: bool = False
    ) -> None:
        """Launch a kernel on the pixels that are to be matched; `runs`: a thread of a processor does a whole chunk."""
        shape = (-(-level.pair.pixel_count // CHUNK), 1 if runs and self._bands.device.is_cpu else CHUNK)
        self._bands.launch(kernel, shape, inputs=[level.pair, *inputs], outputs=[*outputs])

    def _key(self, level: int, iteration: int) -> int:
        """Return what the random numbers of one round begin with."""
        return random_key(self.options.seed, level, iteration)
