"""The kernel of `enlarge.py`: one thread for each pixel of the larger frame."""

import warp as wp

wp.set_module_options({"enable_backward": False})

STEP = wp.constant(0.02)
"""How far neighbours of one object may lie off each other's tangent plane, as a share of the depth, to be one surface.
Depths alone would not tell: towards the horizon a ground's differ by half from pixel to pixel."""


@wp.struct
class Planes:
    """The passes of one frame, as in `ExactPasses`."""

    depth: wp.array2d[float]
    object_id: wp.array2d[wp.int32]
    normal: wp.array2d[wp.vec3]
    position: wp.array2d[wp.vec3]
    vector: wp.array2d[wp.vec4]


@wp.func
def weight_of(y: int, x: int, near_y: int, near_x: int, share: float, small: Planes) -> wp.float64:
    """The weight of a pixel of which `share` is asked for: none where it shows another surface than the nearest one."""
    if small.object_id[y, x] != small.object_id[near_y, near_x]:
        return wp.float64(0.0)
    apart = small.position[y, x] - small.position[near_y, near_x]
    off_plane = wp.abs(wp.dot(apart, small.normal[near_y, near_x]))
    if off_plane > STEP * wp.abs(small.depth[near_y, near_x]):
        return wp.float64(0.0)
    return wp.float64(share)


@wp.func
def place_of(large: int, factor: int, length: int) -> float:
    """Where a row or column of the larger frame lies in the smaller one, never outside the centres of its pixels."""
    return wp.clamp((float(large) + 0.5) / float(factor) - 0.5, 0.0, float(length - 1))


@wp.kernel
def enlarge(
    # In:
    first_row: int,
    small: Planes,
    factor: int,
    # Out:
    large_out: Planes,
) -> None:
    """Interpolate between those of the four pixels around that show the surface of the nearest one."""
    row, x = wp.tid()
    y = first_row + row
    height, width = small.depth.shape[0], small.depth.shape[1]
    place_y = place_of(y, factor, height)
    place_x = place_of(x, factor, width)
    top, left = int(place_y), int(place_x)
    near_y, near_x = wp.min(int(place_y + 0.5), height - 1), wp.min(int(place_x + 0.5), width - 1)
    total = wp.float64(0.0)
    inverse = wp.float64(0.0)
    position = wp.vec3d()
    normal = wp.vec3d()
    vector = wp.vec4d()
    for corner in range(4):
        from_y, from_x = wp.min(top + corner // 2, height - 1), wp.min(left + corner % 2, width - 1)
        share_y = 1.0 - wp.abs(place_y - float(top + corner // 2))
        share_x = 1.0 - wp.abs(place_x - float(left + corner % 2))
        weight = weight_of(from_y, from_x, near_y, near_x, share_y * share_x, small)
        depth = small.depth[from_y, from_x]
        # Where there is no depth to divide by, plain interpolation.
        nearness = wp.float64(1.0) / wp.float64(wp.where(depth > 0.0, depth, 1.0))
        total += weight
        inverse += weight * nearness
        position += weight * nearness * wp.vec3d(small.position[from_y, from_x])
        normal += weight * wp.vec3d(small.normal[from_y, from_x])
        vector += weight * wp.vec4d(small.vector[from_y, from_x])
    # The nearest pixel always counts, with a quarter or more.
    large_out.depth[y, x] = wp.where(small.depth[near_y, near_x] > 0.0, float(total / inverse), 0.0)
    large_out.position[y, x] = wp.vec3(position / inverse)
    large_out.normal[y, x] = wp.vec3(normal / total)
    large_out.vector[y, x] = wp.vec4(vector / total) * float(factor)
    large_out.object_id[y, x] = small.object_id[near_y, near_x]
