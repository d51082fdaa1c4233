"""Read a colour at a sub-pixel position without mixing surfaces: the only place colours are read.

Cubic, because a bilinear gather blurs and a clip is blended at every denoising step. Of the sixteen pixels around a
position *taps* says which may be read: bit 4 * row + column, the position lying between rows and columns 1 and 2.
"""

import warp as wp

wp.set_module_options({"enable_backward": False})

ALL_TAPS = wp.constant(0xFFFF)
"""All sixteen pixels show the same surface."""

CORNER_TAPS = wp.constant(0x0660)
"""The four pixels next to the position."""

SHARPNESS = wp.constant(0.75)
"""Of the cubic kernel; 0.5 is Catmull-Rom."""

MIN_CUBIC_SUPPORT = wp.constant(0.6)
"""Least share of the cubic weights that allowed pixels must have; below it the result would be extrapolated."""


@wp.func
def cubic_weights(t: float) -> wp.vec4:
    """Weights of the pixels at -1, 0, 1, 2 for position `t` in [0, 1): Keys's cubic convolution (1981)."""
    u = 1.0 - t
    return wp.vec4(
        -SHARPNESS * t * u * u,
        1.0 - t * t * (3.0 - SHARPNESS - (2.0 - SHARPNESS) * t),
        1.0 - u * u * (3.0 - SHARPNESS - (2.0 - SHARPNESS) * u),
        -SHARPNESS * u * t * t,
    )


@wp.func
def has_tap(taps: int, column: int, row: int) -> bool:
    """Whether a pixel of the sixteen may be read."""
    return ((taps >> (4 * row + column)) & 1) != 0


@wp.func
def gather_all(frames: wp.array3d[wp.vec3], slot: int, x: float, y: float) -> wp.vec3:
    """Cubic colour at (x, y) from all sixteen pixels: what `gather_cubic` returns for `ALL_TAPS`, in half the time."""
    left = int(wp.floor(x))
    top = int(wp.floor(y))
    across = cubic_weights(x - float(left))
    down = cubic_weights(y - float(top))
    x0 = wp.clamp(left - 1, 0, frames.shape[2] - 1)
    x1 = wp.clamp(left, 0, frames.shape[2] - 1)
    x2 = wp.clamp(left + 1, 0, frames.shape[2] - 1)
    x3 = wp.clamp(left + 2, 0, frames.shape[2] - 1)
    low = wp.vec3(1.0e30)
    high = wp.vec3(-1.0e30)
    total = wp.vec3(0.0)
    for j in range(4):
        cy = wp.clamp(top - 1 + j, 0, frames.shape[1] - 1)
        a = frames[slot, cy, x0]
        b = frames[slot, cy, x1]
        c = frames[slot, cy, x2]
        d = frames[slot, cy, x3]
        total += down[j] * (across[0] * a + across[1] * b + across[2] * c + across[3] * d)
        low = wp.min(low, wp.min(wp.min(a, b), wp.min(c, d)))
        high = wp.max(high, wp.max(wp.max(a, b), wp.max(c, d)))
    return wp.min(wp.max(total, low), high)


@wp.func
def gather_cubic(frames: wp.array3d[wp.vec3], slot: int, x: float, y: float, taps: int) -> wp.vec4:
    """Cubic colour at (x, y) from the allowed pixels, and the share of the weights that they have.

    Clamped to the range of what was read, which keeps every blend inside the range of its inputs.
    """
    left = int(wp.floor(x))
    top = int(wp.floor(y))
    across = cubic_weights(x - float(left))
    down = cubic_weights(y - float(top))
    low = wp.vec3(1.0e30)
    high = wp.vec3(-1.0e30)
    total = wp.vec3(0.0)
    support = wp.float32(0.0)
    for j in range(4):
        cy = wp.clamp(top - 1 + j, 0, frames.shape[1] - 1)
        for i in range(4):
            if has_tap(taps, i, j):
                cx = wp.clamp(left - 1 + i, 0, frames.shape[2] - 1)
                colour = frames[slot, cy, cx]
                weight = across[i] * down[j]
                total += weight * colour
                support += weight
                low = wp.min(low, colour)
                high = wp.max(high, colour)
    colour = wp.min(wp.max(total / support, low), high)
    return wp.vec4(colour[0], colour[1], colour[2], support)


@wp.func
def gather_corners(frames: wp.array3d[wp.vec3], slot: int, x: float, y: float, taps: int) -> wp.vec3:
    """Bilinear colour at (x, y) from those of the four pixels next to it that `taps` allows."""
    left = int(wp.floor(x))
    top = int(wp.floor(y))
    low = wp.vec3(1.0e30)
    high = wp.vec3(-1.0e30)
    total = wp.vec3(0.0)
    weight = wp.float32(0.0)
    for corner in range(4):
        dx = corner & 1
        dy = corner >> 1
        if has_tap(taps, 1 + dx, 1 + dy):
            cx = wp.clamp(left + dx, 0, frames.shape[2] - 1)
            cy = wp.clamp(top + dy, 0, frames.shape[1] - 1)
            share_x = wp.abs(1.0 - float(dx) - (x - float(left)))
            share_y = wp.abs(1.0 - float(dy) - (y - float(top)))
            colour = frames[slot, cy, cx]
            total += share_x * share_y * colour
            weight += share_x * share_y
            low = wp.min(low, colour)
            high = wp.max(high, colour)
    # The division leaves the range by a last bit, and equal colours must give exactly that colour.
    return wp.min(wp.max(total / weight, low), high)


@wp.func
def gather(frames: wp.array3d[wp.vec3], slot: int, x: float, y: float, taps: int) -> wp.vec3:
    """Colour of frame `slot` at (x, y) from the pixels that `taps` allows; at least one next to the position."""
    if x == wp.floor(x) and y == wp.floor(y):
        # Exactly on a pixel, and exactly its colour: a static scene stays bit-identical.
        return frames[slot, int(y), int(x)]
    if taps == ALL_TAPS:
        return gather_all(frames, slot, x, y)
    cubic = gather_cubic(frames, slot, x, y, taps)
    if cubic[3] >= MIN_CUBIC_SUPPORT:
        return wp.vec3(cubic[0], cubic[1], cubic[2])
    return gather_corners(frames, slot, x, y, taps)
