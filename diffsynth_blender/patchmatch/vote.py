"""A picture put together from matched patches: every pixel is the mean of what the patches over it propose."""

import warp as wp

wp.set_module_options({"enable_backward": False})


@wp.func
def style_at(style: wp.array3d[wp.vec3], batch: int, x: float, y: float) -> wp.vec3:
    """Bilinear colour at a position inside the picture; exactly a pixel's colour on that pixel."""
    left = int(wp.floor(x))
    top = int(wp.floor(y))
    fx = x - float(left)
    fy = y - float(top)
    right = wp.min(left + 1, style.shape[2] - 1)
    bottom = wp.min(top + 1, style.shape[1] - 1)
    upper = (1.0 - fx) * style[batch, top, left] + fx * style[batch, top, right]
    lower = (1.0 - fx) * style[batch, bottom, left] + fx * style[batch, bottom, right]
    return (1.0 - fy) * upper + fy * lower


@wp.kernel
def vote_patches(
    # In:
    first_row: int,
    nnf_in: wp.array3d[wp.vec2],
    style: wp.array3d[wp.vec3],
    radius: int,
    # Out:
    voted_out: wp.array3d[wp.vec3],
) -> None:
    """Mean over the patches that cover a pixel; proposals outside the style are no proposals. NaN without any."""
    row, x = wp.tid()
    row += first_row
    height = nnf_in.shape[1]
    width = nnf_in.shape[2]
    batch = row // height
    y = row - batch * height
    first = wp.vec3(wp.nan, wp.nan, wp.nan)
    total = wp.vec3(0.0)
    count = wp.float32(0.0)
    for cy in range(wp.max(y - radius, 0), wp.min(y + radius, height - 1) + 1):
        for cx in range(wp.max(x - radius, 0), wp.min(x + radius, width - 1) + 1):
            position = nnf_in[batch, cy, cx] + wp.vec2(float(x - cx), float(y - cy))
            inside = position[0] >= 0.0 and position[1] >= 0.0 and position[0] <= float(style.shape[2] - 1)
            if inside and position[1] <= float(style.shape[1] - 1):
                colour = style_at(style, batch, position[0], position[1])
                if count == 0.0:
                    first = colour
                # As differences: equal proposals then give exactly that colour.
                total += colour - first
                count += 1.0
    voted_out[batch, y, x] = first + total / wp.max(count, 1.0)
