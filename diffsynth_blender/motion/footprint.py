"""How finely a source frame resolves the surface that a pixel of the target frame shows.

A face that is seen from the side, or from farther away, covers fewer pixels in the source than in the target: what is
gathered there is blurred along one direction or along all. Must not know colours or weights.
"""

import warp as wp

from .kernels import Surfaces, inside, same_surface, shape_of

wp.set_module_options({"enable_backward": False})

LEAST_FOOTPRINT = wp.constant(1.0e-3)
"""What a surface seen exactly from the side has left: a weight stays positive."""


@wp.func
def is_traced(trace_in: wp.array2d[wp.vec4], target: Surfaces, x: int, y: int, id: int, depth: float) -> bool:
    """Whether a pixel of the target shows the surface of this id near this depth, and the source shows it, too."""
    if not inside(x, y, shape_of(target)):
        return False
    return trace_in[y, x][3] > 0.0 and same_surface(target, x, y, id, depth)


@wp.func
def stretch_along(trace_in: wp.array2d[wp.vec4], target: Surfaces, x: int, y: int, dx: int, dy: int) -> wp.vec3:
    """Change of the position in the source per pixel of the target, (x, y) [px/px], and 1; zeros where unknown.

    Between the two neighbours on a line, or between one of them and the pixel itself at the edge of the surface.
    """
    id = target.id[y, x]
    depth = target.depth[y, x]
    here = trace_in[y, x]
    first = here
    last = here
    steps = wp.int32(0)
    if is_traced(trace_in, target, x - dx, y - dy, id, depth):
        first = trace_in[y - dy, x - dx]
        steps += 1
    if is_traced(trace_in, target, x + dx, y + dy, id, depth):
        last = trace_in[y + dy, x + dx]
        steps += 1
    if steps == 0:
        return wp.vec3(0.0)
    return wp.vec3((last[0] - first[0]) / float(steps), (last[1] - first[1]) / float(steps), 1.0)


@wp.func
def footprint(trace_in: wp.array2d[wp.vec4], target: Surfaces, x: int, y: int) -> float:
    """How many pixels of the source one pixel of the target gets, along the direction that gets fewest, at most 1.

    The smaller singular value of the field's Jacobian, by differences of neighbouring traces of the same surface. A
    surface one pixel thin in the target is judged along its length; a single pixel, and a pixel that the source does
    not show, count as resolved: nothing is known.

    Args:
        trace_in: the trace of the target in one source, shape (H, W), as `Clip.traces` returns it.
        target: what the target frame shows.
        x: column in the target.
        y: row in the target.

    Returns:
        From `LEAST_FOOTPRINT` to 1; 1 where the source resolves the surface at least as well as the target.
    """
    if trace_in[y, x][3] <= 0.0:
        return 1.0
    across = stretch_along(trace_in, target, x, y, 1, 0)
    down = stretch_along(trace_in, target, x, y, 0, 1)
    least = wp.float32(1.0)
    if across[2] > 0.0 and down[2] > 0.0:
        # Singular values s <= l of a 2x2 matrix: s l = |det|, s s + l l = the sum of its squares.
        area = wp.abs(across[0] * down[1] - across[1] * down[0])
        half = 0.5 * (across[0] * across[0] + across[1] * across[1] + down[0] * down[0] + down[1] * down[1])
        largest = wp.sqrt(half + wp.sqrt(wp.max(half * half - area * area, 0.0)))
        if largest > 0.0:
            least = area / largest
        else:
            least = 0.0
    elif across[2] > 0.0:
        least = wp.length(wp.vec2(across[0], across[1]))
    elif down[2] > 0.0:
        least = wp.length(wp.vec2(down[0], down[1]))
    return wp.clamp(least, LEAST_FOOTPRINT, 1.0)
