"""Warp kernels that move the surfaces of rigid objects straight from one frame to any other, by matrices.

Positions are computed in float64 from a pixel's depth, and rounded once. Must not know how the matrices are made.
"""

import warp as wp

from .kernels import Surfaces, in_picture, inside, is_seen, motion_of, shape_of

wp.set_module_options({"enable_backward": False})

NOT_RIGID = wp.constant(0.25)
"""A pixel whose own vector is this far [px] from where its object's matrix leads is not moved by the matrix.

Objects pass with one pixel in twenty off by more than a twentieth of a pixel (silhouettes, grazing faces); a pixel that
is off by five times that belongs to something that shares the id.
"""


@wp.struct
class Movements:
    """How the objects of one frame move to another frame."""

    id: wp.array1d[wp.int32]
    """Object ids, rising."""
    matrix: wp.array1d[wp.mat44d]
    """Takes (x w, y w, depth, 1) of a pixel to (x w, y w, w, depth) in the other frame."""
    lens: wp.vec2d
    """w of a pixel at depth d is lens[0] d + lens[1]: d for a perspective camera, 1 for an orthographic one."""


@wp.func
def find_object(ids: wp.array1d[wp.int32], id: int) -> int:
    """Place of `id` in the rising `ids`, -1 where it is not."""
    low = wp.int32(0)
    high = wp.int32(ids.shape[0])
    while low < high:
        middle = (low + high) // 2
        if ids[middle] < id:
            low = middle + 1
        else:
            high = middle
    if low < ids.shape[0]:
        if ids[low] == id:
            return low
    return -1


@wp.func
def moved(movements: Movements, place: int, x: int, y: int, depth: float) -> wp.vec4:
    """Where a pixel of an object goes: x, y, depth, and 1, or 0 for what comes to lie behind the camera."""
    d = wp.float64(depth)
    w = movements.lens[0] * d + movements.lens[1]
    there = movements.matrix[place] * wp.vec4d(wp.float64(x) * w, wp.float64(y) * w, d, wp.float64(1.0))
    if there[2] <= wp.float64(1.0e-9):
        return wp.vec4(float(x), float(y), depth, 0.0)
    return wp.vec4(float(there[0] / there[2]), float(there[1] / there[2]), float(there[3]), 1.0)


@wp.func
def step_along(target: Surfaces, movements: Movements, place: int, x: int, y: int, dx: int, dy: int) -> wp.vec3:
    """Change of the place in the other frame to the neighbour on a line, (x, y) [px], and 1; zeros where unknown.

    To the side where the depth changes less: the other one may be another part of the object.
    """
    depth = target.depth[y, x]
    least = target.tolerance[y, x]
    sign = wp.int32(0)
    for side in range(-1, 2, 2):
        cx = x + side * dx
        cy = y + side * dy
        if inside(cx, cy, shape_of(target)):
            if target.id[cy, cx] == target.id[y, x]:
                step = wp.abs(target.depth[cy, cx] - depth)
                if step <= least:
                    least = step
                    sign = side
    if sign == 0:
        return wp.vec3(0.0)
    cx = x + sign * dx
    cy = y + sign * dy
    here = moved(movements, place, x, y, depth)
    there = moved(movements, place, cx, cy, target.depth[cy, cx])
    if there[3] == 0.0:
        return wp.vec3(0.0)
    return wp.vec3(float(sign) * (there[0] - here[0]), float(sign) * (there[1] - here[1]), 1.0)


@wp.func
def is_turned_over(target: Surfaces, movements: Movements, place: int, x: int, y: int) -> bool:
    """Whether the other frame sees the surface of a pixel from behind: what it shows there is another part of it."""
    across = step_along(target, movements, place, x, y, 1, 0)
    down = step_along(target, movements, place, x, y, 0, 1)
    if across[2] == 0.0 or down[2] == 0.0:
        return False
    return across[0] * down[1] - across[1] * down[0] <= 0.0


@wp.kernel
def find_residual(
    # In:
    first_row: int,
    frame: Surfaces,
    movements: Movements,
    ahead: bool,
    # Out:
    residual_out: wp.array2d[float],
) -> None:
    """Distance [px] between where vectors and matrices lead to a neighbouring frame; -1 where there is no matrix."""
    row, x = wp.tid()
    y = first_row + row
    residual_out[y, x] = -1.0
    place = find_object(movements.id, frame.id[y, x])
    if place < 0:
        return
    there = moved(movements, place, x, y, frame.depth[y, x])
    if there[3] > 0.0:
        motion = motion_of(frame, x, y, ahead)
        residual_out[y, x] = wp.length(wp.vec2(there[0] - float(x) - motion[0], there[1] - float(y) - motion[1]))


@wp.kernel
def trace_rigid(
    # In:
    first_row: int,
    target: Surfaces,
    source: Surfaces,
    movements: Movements,
    residual_in: wp.array2d[float],
    trace_in: wp.array2d[wp.vec4],
    # Out:
    trace_out: wp.array2d[wp.vec4],
) -> None:
    """Copy a trace, and fill in the objects that are moved by matrices; what hides them in between does not matter."""
    row, x = wp.tid()
    y = first_row + row
    trace_out[y, x] = trace_in[y, x]
    place = find_object(movements.id, target.id[y, x])
    if place < 0 or residual_in[y, x] > NOT_RIGID:
        return
    there = moved(movements, place, x, y, target.depth[y, x])
    trace_out[y, x] = wp.vec4(there[0], there[1], there[2], 0.0)
    if there[3] > 0.0 and in_picture(there[0], there[1], shape_of(source)):
        if is_seen(source, there[0], there[1], target.id[y, x], there[2]) and not is_turned_over(
            target, movements, place, x, y
        ):
            trace_out[y, x] = wp.vec4(there[0], there[1], there[2], 1.0)
