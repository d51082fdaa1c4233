"""Links: for each pixel of a frame, where to read a neighbouring frame and how much to trust it.

Computed once per clip from motion and guide frames, never from the frames that are blended, so
that the blend is the same linear operator at every denoising step. Ten bytes a pixel and pair.
"""

import numpy as np
import warp as wp

from ..motion.footprint import footprint
from ..motion.kernels import MIN_SUPPORT, Surfaces, corner_weight, same_surface
from .gather import ALL_TAPS, CORNER_TAPS, gather

wp.set_module_options({"enable_backward": False})

STEPS_PER_PIXEL = wp.constant(64.0)
"""Positions are kept to 1/64 px: below what a gather can show, and up to 511 px in 16 bits."""

LARGEST_STEP = wp.constant(32767.0)
"""Largest displacement that can be kept, in steps; farther than that counts as invisible."""

OWN_WEIGHT = wp.constant(255.0)
"""Weight of a frame's own pixel; a link's weight is a whole number from 0 to this."""


GAIN_STEPS = wp.constant(8192.0)
"""Steps of a gain in an octave."""

LARGEST_GAIN = wp.constant(1.5)
"""Octaves; a larger change of light says nothing about colours any more."""

LUMA = wp.constant(wp.vec3(0.2126, 0.7152, 0.0722))
"""Rec. 709 weights."""

BLACK = wp.constant(0.03)
"""Added to luma before ratios [sRGB, 0 to 1]: in the dark a ratio is noise."""


ROOMY = wp.constant(1)
"""Flag of a link: all thirty-six pixels around show the surface, so that the position may be moved by a pixel."""

MIXED = wp.constant(2)
"""Flag of a link: the target's pixel is at a silhouette and holds some of both surfaces' colours."""


@wp.func
def log_luma(colour: wp.vec3) -> float:
    """Brightness in octaves."""
    return wp.log2(wp.max(wp.dot(LUMA, colour), 0.0) + BLACK)


@wp.struct
class Link:
    """Where one pixel reads one other frame."""

    dx: wp.int16
    """Displacement to the right, in steps."""
    dy: wp.int16
    """Displacement downwards, in steps."""
    taps: wp.uint16
    """Pixels around that show the same surface, see `gather`."""
    weight: wp.uint8
    """Trust, 0 for none to `OWN_WEIGHT`."""
    flags: wp.uint8
    """`ROOMY` and `MIXED`, or neither."""
    gain: wp.int16
    """How much brighter the guide is in the target than there, in `GAIN_STEPS` an octave."""


LINK_DTYPE = np.dtype(
    [("dx", "<i2"), ("dy", "<i2"), ("taps", "<u2"), ("weight", "u1"), ("flags", "u1"), ("gain", "<i2")]
)
"""`Link` in NumPy and on disk."""


@wp.func
def link_place(link: Link, x: int, y: int) -> wp.vec2:
    """Where a link leads in its source [px]."""
    return wp.vec2(float(x) + float(link.dx) / STEPS_PER_PIXEL, float(y) + float(link.dy) / STEPS_PER_PIXEL)


@wp.func
def has_edge(source: Surfaces, left: int, top: int, margin: int) -> bool:
    """Whether any pixel around (left, top) and its right and lower neighbours, grown by `margin`, is at an edge."""
    for j in range(-margin, 2 + margin):
        for i in range(-margin, 2 + margin):
            cx = wp.clamp(left + i, 0, source.id.shape[1] - 1)
            cy = wp.clamp(top + j, 0, source.id.shape[0] - 1)
            if source.edge[cy, cx] != wp.uint8(0):
                return True
    return False


@wp.func
def find_taps(target_edge: wp.uint8, source: Surfaces, x: float, y: float, id: int, depth: float) -> int:
    """Pixels around (x, y) that may be read; 0 if those next to it carry too little of the weight.

    A pixel may be read if it shows the wanted surface, unmixed, or at most as mixed as the target is. A renderer
    filters over more than a pixel: next to a silhouette a pixel holds some of both surfaces. Away from silhouettes
    only pure pixels are read, so no occluder's colour comes in.
    """
    left = int(wp.floor(x))
    top = int(wp.floor(y))
    taps = wp.int32(0)
    support = wp.float32(0.0)
    for j in range(4):
        for i in range(4):
            cx = wp.clamp(left - 1 + i, 0, source.id.shape[1] - 1)
            cy = wp.clamp(top - 1 + j, 0, source.id.shape[0] - 1)
            pure = source.edge[cy, cx] == wp.uint8(0)
            if same_surface(source, cx, cy, id, depth) and (target_edge != wp.uint8(0) or pure):
                taps |= 1 << (4 * j + i)
                if (i == 1 or i == 2) and (j == 1 or j == 2):
                    support += corner_weight(x, y, left - 1 + i, top - 1 + j)
    if support < MIN_SUPPORT:
        return 0
    if (taps & CORNER_TAPS) == CORNER_TAPS and not has_edge(source, left, top, 1):
        # No silhouette in between: all sixteen show the surface, however much its depth changes.
        return ALL_TAPS
    return taps


@wp.kernel
def find_links(
    # In:
    first_row: int,
    target: Surfaces,
    source: Surfaces,
    trace_in: wp.array2d[wp.vec4],
    guides: wp.array3d[wp.vec3],
    target_slot: int,
    source_slot: int,
    sharpness: float,
    # Out:
    links_out: wp.array2d[Link],
) -> None:
    """Weigh one source frame: visibility, agreement of the guide frames, and how finely it resolves the surface."""
    row, x = wp.tid()
    y = first_row + row
    trace = trace_in[y, x]
    link = Link()
    dx = wp.round((trace[0] - float(x)) * STEPS_PER_PIXEL)
    dy = wp.round((trace[1] - float(y)) * STEPS_PER_PIXEL)
    reach = wp.max(wp.abs(dx), wp.abs(dy))
    if trace[3] > 0.0 and reach <= LARGEST_STEP:
        # The rounded position counts: it is the one that will be read.
        sx = float(x) + dx / STEPS_PER_PIXEL
        sy = float(y) + dy / STEPS_PER_PIXEL
        taps = find_taps(target.edge[y, x], source, sx, sy, target.id[y, x], trace[2])
        if taps != 0:
            there = gather(guides, source_slot, sx, sy, taps)
            here = guides[target_slot, y, x]
            change = there - here
            gain = wp.clamp(log_luma(here) - log_luma(there), -LARGEST_GAIN, LARGEST_GAIN)
            link.gain = wp.int16(wp.round(gain * GAIN_STEPS))
            trust = trace[3] * wp.exp(-sharpness * wp.dot(change, change))
            if sharpness > 0.0:
                # A texel that covers several pixels of the target blurs all of them.
                trust *= footprint(trace_in, target, x, y)
            link.dx = wp.int16(dx)
            link.dy = wp.int16(dy)
            link.weight = wp.uint8(wp.round(trust * OWN_WEIGHT))
            link.taps = wp.uint16(taps)
            if taps == ALL_TAPS and not has_edge(source, int(wp.floor(sx)), int(wp.floor(sy)), 2):
                link.flags |= wp.uint8(ROOMY)
            if target.edge[y, x] != wp.uint8(0):
                link.flags |= wp.uint8(MIXED)
    links_out[y, x] = link
