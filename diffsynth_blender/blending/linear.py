"""Kernels of the linear blends: the weighted mean over a window, and over a tree's nodes.

All are written as corrections of the frame itself: equal colours then give exactly that colour.
"""

import warp as wp

from .gather import gather
from .links import OWN_WEIGHT, Link, link_place

wp.set_module_options({"enable_backward": False})


@wp.kernel
def blend_window(
    # In:
    first_row: int,
    frames: wp.array3d[wp.vec3],
    own_slot: int,
    slots: wp.array1d[int],
    falloffs: wp.array1d[float],
    links: wp.array3d[Link],
    # Out:
    frame_out: wp.array2d[wp.vec3],
) -> None:
    """Weighted mean of a frame and what its links lead to."""
    row, x = wp.tid()
    y = first_row + row
    own = frames[own_slot, y, x]
    total = wp.vec3(0.0)
    weight = wp.float32(1.0)
    low = own
    high = own
    for k in range(slots.shape[0]):
        link = links[k, y, x]
        if link.weight != wp.uint8(0):
            place = link_place(link, x, y)
            colour = gather(frames, slots[k], place[0], place[1], int(link.taps))
            trust = falloffs[k] * float(link.weight) / OWN_WEIGHT
            total += trust * (colour - own)
            weight += trust
            low = wp.min(low, colour)
            high = wp.max(high, colour)
    frame_out[y, x] = wp.min(wp.max(own + total / weight, low), high)


@wp.kernel
def grow_node(
    # In:
    first_row: int,
    pool: wp.array3d[wp.vec3],
    counts: wp.array3d[float],
    base_slot: int,
    slots: wp.array1d[int],
    links: wp.array3d[Link],
    node_slot: int,
    # Out:
    pool_out: wp.array3d[wp.vec3],
    counts_out: wp.array3d[float],
) -> None:
    """Mean of a node one level below and of the frames in the other half of the block, with how many it holds."""
    row, x = wp.tid()
    y = first_row + row
    base = pool[base_slot, y, x]
    total = wp.vec3(0.0)
    weight = counts[base_slot, y, x]
    for k in range(slots.shape[0]):
        link = links[k, y, x]
        if link.weight != wp.uint8(0):
            place = link_place(link, x, y)
            colour = gather(pool, slots[k], place[0], place[1], int(link.taps))
            trust = float(link.weight) / OWN_WEIGHT
            total += trust * (colour - base)
            weight += trust
    pool_out[node_slot, y, x] = base + total / weight
    counts_out[node_slot, y, x] = weight


@wp.func
def nearest(place: wp.vec2, shape: wp.vec2i) -> wp.vec2i:
    """Row and column of the pixel at a position, held inside the frame."""
    return wp.vec2i(
        wp.clamp(int(wp.round(place[1])), 0, shape[0] - 1),
        wp.clamp(int(wp.round(place[0])), 0, shape[1] - 1),
    )


@wp.kernel
def blend_nodes(
    # In:
    first_row: int,
    pool: wp.array3d[wp.vec3],
    counts: wp.array3d[float],
    own_slot: int,
    own_nodes: wp.vec2i,
    slots: wp.array1d[int],
    links: wp.array3d[Link],
    # Out:
    frame_out: wp.array2d[wp.vec3],
) -> None:
    """Mean over the nodes that cover a window, each counting as much as the frames it holds.

    `own_nodes` are the two, forward and backward, that end at the frame itself; both hold it, so it is taken off once.
    """
    row, x = wp.tid()
    y = first_row + row
    own = pool[own_slot, y, x]
    total = wp.vec3(0.0)
    weight = wp.float32(-1.0)
    for side in range(2):
        count = counts[own_nodes[side], y, x]
        total += count * (pool[own_nodes[side], y, x] - own)
        weight += count
    for k in range(slots.shape[0]):
        link = links[k, y, x]
        if link.weight != wp.uint8(0):
            place = link_place(link, x, y)
            colour = gather(pool, slots[k], place[0], place[1], int(link.taps))
            there = nearest(place, wp.vec2i(pool.shape[1], pool.shape[2]))
            trust = counts[slots[k], there[0], there[1]] * float(link.weight) / OWN_WEIGHT
            total += trust * (colour - own)
            weight += trust
    frame_out[y, x] = own + total / weight
