"""Fill what no key frame shows: from the nearest pixels around that one does.

By push and pull (Gortler et al., The Lumigraph, 1996): means of what there is, level by level coarser, until every hole
is closed.
"""

from __future__ import annotations

import numpy as np
import warp as wp

from ..bands import Bands

wp.set_module_options({"enable_backward": False})


@wp.func
def is_hole(colour: wp.vec3) -> bool:
    """Whether there is nothing here."""
    return wp.isnan(colour[0])


@wp.kernel
def halve(
    # In:
    first_row: int,
    fine: wp.array2d[wp.vec3],
    # Out:
    coarse_out: wp.array2d[wp.vec3],
) -> None:
    """Mean of the pixels there are among four."""
    row, x = wp.tid()
    y = first_row + row
    total = wp.vec3(0.0)
    count = wp.float32(0.0)
    for corner in range(4):
        cx = 2 * x + (corner & 1)
        cy = 2 * y + (corner >> 1)
        if cx < fine.shape[1] and cy < fine.shape[0]:
            if not is_hole(fine[cy, cx]):
                total += fine[cy, cx]
                count += 1.0
    coarse_out[y, x] = wp.vec3(wp.nan)
    if count > 0.0:
        coarse_out[y, x] = total / count


@wp.kernel
def fill_from(
    # In:
    first_row: int,
    coarse: wp.array2d[wp.vec3],
    # Out:
    fine_out: wp.array2d[wp.vec3],
) -> None:
    """Give holes the bilinear colour of the level above, which has none."""
    row, x = wp.tid()
    y = first_row + row
    if not is_hole(fine_out[y, x]):
        return
    across = wp.clamp((float(x) + 0.5) / 2.0 - 0.5, 0.0, float(coarse.shape[1] - 1))
    down = wp.clamp((float(y) + 0.5) / 2.0 - 0.5, 0.0, float(coarse.shape[0] - 1))
    left = int(across)
    top = int(down)
    right = wp.min(left + 1, coarse.shape[1] - 1)
    bottom = wp.min(top + 1, coarse.shape[0] - 1)
    fx = across - float(left)
    fy = down - float(top)
    upper = (1.0 - fx) * coarse[top, left] + fx * coarse[top, right]
    lower = (1.0 - fx) * coarse[bottom, left] + fx * coarse[bottom, right]
    fine_out[y, x] = (1.0 - fy) * upper + fy * lower


def fill_holes(bands: Bands, picture: wp.array) -> wp.array:
    """Return `picture`, vec3 (H, W), its NaN pixels filled in place; one without any colour becomes black."""
    levels = [picture]
    while max(levels[-1].shape) > 1:
        height, width = levels[-1].shape
        coarse = wp.empty((-(-height // 2), -(-width // 2)), dtype=wp.vec3, device=bands.device)
        bands.launch(halve, coarse.shape, inputs=[levels[-1]], outputs=[coarse])
        levels.append(coarse)
    if np.isnan(levels[-1].numpy()).any():
        levels[-1].zero_()
    for fine, coarse in zip(reversed(levels[:-1]), reversed(levels[1:]), strict=True):
        bands.launch(fill_from, fine.shape, inputs=[coarse], outputs=[fine])
    return picture
