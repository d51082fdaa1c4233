"""Read a colour at a sub-pixel position without mixing surfaces: the only place colours are read.

Catmull-Rom, because a bilinear gather blurs and a clip is blended at every denoising step.
"""

import warp as wp

wp.set_module_options({"enable_backward": False})

CORNER_TAPS = wp.constant(15)
"""Bits 0 to 3: which of the four surrounding pixels (x, then y) may be read."""

SMOOTH_TAPS = wp.constant(16)
"""Bit 4: all sixteen pixels around may be read, so the cubic applies."""

ROOMY_TAPS = wp.constant(32)
"""Bit 5: so may all thirty-six, so the position may be moved by a pixel."""


@wp.func
def cubic_weights(t: float) -> wp.vec4:
    """Catmull-Rom weights of the pixels at -1, 0, 1, 2 for position `t` in [0, 1)."""
    return wp.vec4(
        ((2.0 - t) * t - 1.0) * t * 0.5,
        ((3.0 * t - 5.0) * t * t + 2.0) * 0.5,
        ((4.0 - 3.0 * t) * t + 1.0) * t * 0.5,
        (t - 1.0) * t * t * 0.5,
    )


@wp.func
def gather_smooth(frames: wp.array3d[wp.vec3], slot: int, x: float, y: float) -> wp.vec3:
    """Catmull-Rom colour at (x, y), clamped to the range of the four nearest pixels.

    The clamp keeps every blend inside the range of its inputs and stops ringing at contrasts.
    """
    left = int(wp.floor(x))
    top = int(wp.floor(y))
    across = cubic_weights(x - float(left))
    down = cubic_weights(y - float(top))
    right_edge = frames.shape[2] - 1
    bottom_edge = frames.shape[1] - 1
    low = wp.vec3(1.0e30)
    high = wp.vec3(-1.0e30)
    total = wp.vec3(0.0)
    for j in range(4):
        cy = wp.clamp(top - 1 + j, 0, bottom_edge)
        line = wp.vec3(0.0)
        for i in range(4):
            cx = wp.clamp(left - 1 + i, 0, right_edge)
            colour = frames[slot, cy, cx]
            line += across[i] * colour
            if (i == 1 or i == 2) and (j == 1 or j == 2):
                low = wp.min(low, colour)
                high = wp.max(high, colour)
        total += down[j] * line
    return wp.min(wp.max(total, low), high)


@wp.func
def gather_corners(frames: wp.array3d[wp.vec3], slot: int, x: float, y: float, taps: int) -> wp.vec3:
    """Bilinear colour at (x, y) from those of the four surrounding pixels that `taps` allows."""
    left = int(wp.floor(x))
    top = int(wp.floor(y))
    low = wp.vec3(1.0e30)
    high = wp.vec3(-1.0e30)
    total = wp.vec3(0.0)
    weight = wp.float32(0.0)
    for corner in range(4):
        if ((taps >> corner) & 1) != 0:
            dx = corner & 1
            dy = corner >> 1
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
    """Colour of frame `slot` at (x, y) from the pixels that `taps` allows; at least one corner."""
    if x == wp.floor(x) and y == wp.floor(y):
        # Exactly on a pixel, and exactly its colour: a static scene stays bit-identical.
        return frames[slot, int(y), int(x)]
    if (taps & SMOOTH_TAPS) != 0:
        return gather_smooth(frames, slot, x, y)
    return gather_corners(frames, slot, x, y, taps)
