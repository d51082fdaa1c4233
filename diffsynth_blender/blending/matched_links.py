"""Kernels that make links of matched patches: for footage without passes, and where geometry explains nothing."""

import warp as wp

from ..motion.kernels import Surfaces
from .gather import ALL_TAPS, gather
from .links import (
    GAIN_STEPS,
    LARGEST_GAIN,
    LARGEST_STEP,
    MIXED,
    OWN_WEIGHT,
    ROOMY,
    STEPS_PER_PIXEL,
    Link,
    find_taps,
    link_place,
    log_luma,
)

wp.set_module_options({"enable_backward": False})


@wp.func
def matched_link(guides: wp.array3d[wp.vec3], slots: wp.vec2i, x: int, y: int, place: wp.vec2, trust: float) -> Link:
    """A link from a pixel of frame `slots[0]` to a place in frame `slots[1]`; of no weight if it is too far away."""
    link = Link()
    dx = wp.round((place[0] - float(x)) * STEPS_PER_PIXEL)
    dy = wp.round((place[1] - float(y)) * STEPS_PER_PIXEL)
    # NaN, where nothing was matched, fails this test as well.
    if wp.max(wp.abs(dx), wp.abs(dy)) <= LARGEST_STEP:
        sx = float(x) + dx / STEPS_PER_PIXEL
        sy = float(y) + dy / STEPS_PER_PIXEL
        octaves = log_luma(guides[slots[0], y, x]) - log_luma(gather(guides, slots[1], sx, sy, ALL_TAPS))
        link.dx = wp.int16(dx)
        link.dy = wp.int16(dy)
        link.taps = wp.uint16(ALL_TAPS)
        link.flags = wp.uint8(ROOMY)
        link.gain = wp.int16(wp.round(wp.clamp(octaves, -LARGEST_GAIN, LARGEST_GAIN) * GAIN_STEPS))
        link.weight = wp.uint8(wp.round(trust * OWN_WEIGHT))
    return link


@wp.kernel
def link_matches(
    # In:
    first_row: int,
    guides: wp.array3d[wp.vec3],
    target_slot: int,
    source_slot: int,
    nnf: wp.array2d[wp.vec2],
    error: wp.array2d[float],
    sharpness: float,
    # Out:
    links_out: wp.array2d[Link],
) -> None:
    """Weigh a match by its error; nothing else is known of footage without passes."""
    row, x = wp.tid()
    y = first_row + row
    trust = wp.exp(-sharpness * error[y, x])
    links_out[y, x] = matched_link(guides, wp.vec2i(target_slot, source_slot), x, y, nnf[y, x], trust)


@wp.kernel
def find_weak(
    # In:
    first_row: int,
    links: wp.array2d[Link],
    limit: float,
    # Out:
    mask_out: wp.array2d[wp.uint8],
    initial_out: wp.array2d[wp.vec2],
) -> None:
    """Mark pixels whose link is weak, and say where the links lead; NaN where they lead nowhere."""
    row, x = wp.tid()
    y = first_row + row
    link = links[y, x]
    mask_out[y, x] = wp.uint8(0)
    if float(link.weight) < limit * OWN_WEIGHT:
        mask_out[y, x] = wp.uint8(1)
    initial_out[y, x] = wp.vec2(wp.nan, wp.nan)
    if link.taps != wp.uint16(0):
        initial_out[y, x] = link_place(link, x, y)


@wp.kernel
def pack_guide(
    # In:
    first_row: int,
    guides: wp.array3d[wp.vec3],
    slot: int,
    surfaces: Surfaces,
    # Out:
    guide_out: wp.array2d[wp.vec4],
) -> None:
    """A guide frame with a number for the object as fourth channel, so that patches keep to their object."""
    row, x = wp.tid()
    y = first_row + row
    colour = guides[slot, y, x]
    number = float(wp.abs(surfaces.id[y, x] * 1664525) % 251) / 250.0
    guide_out[y, x] = wp.vec4(colour[0], colour[1], colour[2], number)


@wp.kernel
def repair_links(
    # In:
    first_row: int,
    target: Surfaces,
    source: Surfaces,
    guides: wp.array3d[wp.vec3],
    slots: wp.vec2i,
    mask: wp.array2d[wp.uint8],
    nnf: wp.array2d[wp.vec2],
    error: wp.array2d[float],
    sharpness: float,
    trust: float,
    # Out:
    links_out: wp.array2d[Link],
) -> None:
    """Put a match in the place of a weak link where it weighs more; it must show the same object."""
    row, x = wp.tid()
    y = first_row + row
    if mask[y, x] == wp.uint8(0):
        return
    link = matched_link(guides, slots, x, y, nnf[y, x], trust * wp.exp(-sharpness * error[y, x]))
    if link.weight <= links_out[y, x].weight:
        return
    place = link_place(link, x, y)
    cx = wp.clamp(int(wp.round(place[0])), 0, source.id.shape[1] - 1)
    cy = wp.clamp(int(wp.round(place[1])), 0, source.id.shape[0] - 1)
    if source.id[cy, cx] != target.id[y, x]:
        return
    taps = find_taps(target.edge[y, x], source, place[0], place[1], target.id[y, x], source.depth[cy, cx])
    if taps != 0:
        link.taps = wp.uint16(taps)
        link.flags = wp.uint8(0)
        if target.edge[y, x] != wp.uint8(0):
            link.flags = wp.uint8(MIXED)
        links_out[y, x] = link
