"""Kernels of the accurate blend: undo each frame's own colour cast and local warp before averaging.

A diffusion model renders each frame with a slightly different colour, contrast and shape. All are smooth over tens of
pixels, and average out over a window, so every source is registered to the window's own mean, in colour and in
place; what is left after that is noise, or an outlier.

Must not know time: which sources there are, and their weights, is given.
"""

import warp as wp

from .gather import ALL_TAPS, CORNER_TAPS, gather, has_tap
from .grid import BLOCK, bell, read_grid
from .links import GAIN_STEPS, MIXED, OWN_WEIGHT, ROOMY, STEPS_PER_PIXEL, Link, link_place, log_luma

wp.set_module_options({"enable_backward": False})

LARGEST_SHIFT = wp.constant(1.5)
"""Farthest that a source is moved by registration [px]; what differs by more is no warp but other content."""

DETAIL_SIGMA = wp.constant(1.0)
"""Of the Gaussian that splits off the finest band [px]."""


@wp.struct
class BlockSums:
    """Weighted sums over one block of one source: what least squares needs, and the mean difference in colour."""

    xx: float
    xy: float
    yy: float
    x: float
    y: float
    residual: float
    weight: float
    colour: wp.vec3
    pure_weight: float


@wp.func
def jacobian(links: wp.array3d[Link], k: int, x: int, y: int) -> wp.mat22:
    """How the position in the source changes from pixel to pixel of the target; identity where neighbours lack."""
    matrix = wp.mat22(1.0, 0.0, 0.0, 1.0)
    if x > 0 and x < links.shape[2] - 1:
        left = links[k, y, x - 1]
        right = links[k, y, x + 1]
        if left.weight != wp.uint8(0) and right.weight != wp.uint8(0):
            matrix[0, 0] = 1.0 + (float(right.dx) - float(left.dx)) / (2.0 * STEPS_PER_PIXEL)
            matrix[1, 0] = (float(right.dy) - float(left.dy)) / (2.0 * STEPS_PER_PIXEL)
    if y > 0 and y < links.shape[1] - 1:
        upper = links[k, y - 1, x]
        lower = links[k, y + 1, x]
        if upper.weight != wp.uint8(0) and lower.weight != wp.uint8(0):
            matrix[0, 1] = (float(lower.dx) - float(upper.dx)) / (2.0 * STEPS_PER_PIXEL)
            matrix[1, 1] = 1.0 + (float(lower.dy) - float(upper.dy)) / (2.0 * STEPS_PER_PIXEL)
    return matrix


@wp.func
def shift_taps(link: Link, columns: int, rows: int) -> int:
    """The taps of a link after a move by whole pixels; pixels that the link knows nothing of may not be read."""
    if columns == 0 and rows == 0:
        return int(link.taps)
    taps = wp.int32(0)
    if wp.abs(columns) > 1 or wp.abs(rows) > 1:
        return taps
    if (int(link.flags) & ROOMY) != 0:
        return ALL_TAPS
    for j in range(4):
        for i in range(4):
            column = i + columns
            row = j + rows
            if column >= 0 and row >= 0 and column < 4 and row < 4:
                if has_tap(int(link.taps), column, row):
                    taps |= 1 << (4 * j + i)
    return taps


@wp.func
def between_pixels(place: float) -> float:
    """0 on a pixel, 1/2 halfway to the next; an interpolation's loss of the highest frequencies goes like this."""
    share = place - wp.floor(place)
    return 2.0 * share * (1.0 - share)


@wp.kernel
def move_sources(
    # In:
    first_row: int,
    frames: wp.array3d[wp.vec3],
    slots: wp.array1d[int],
    falloffs: wp.array1d[float],
    links: wp.array3d[Link],
    shifts: wp.array3d[wp.vec2],
    follows: wp.array3d[float],
    # Out:
    moved_out: wp.array3d[wp.vec4],
    softness_out: wp.array2d[float],
) -> None:
    """Gather every source where its link and its shift lead, in the target's light; the weight is the fourth value.

    Softness is the mean over the sources of what interpolation takes from them: 0 on pixels, 1 amid four of them.
    """
    row, x = wp.tid()
    y = first_row + row
    follow = read_grid(follows, 0, x, y)
    softness = wp.float32(0.0)
    weight = wp.float32(0.0)
    for k in range(slots.shape[0]):
        link = links[k, y, x]
        moved = wp.vec4(0.0)
        if link.weight != wp.uint8(0):
            place = link_place(link, x, y)
            sx = place[0]
            sy = place[1]
            taps = int(link.taps)
            shift = jacobian(links, k, x, y) * read_grid(shifts, k, x, y)
            columns = int(wp.floor(sx + shift[0]) - wp.floor(sx))
            rows = int(wp.floor(sy + shift[1]) - wp.floor(sy))
            moved_taps = shift_taps(link, columns, rows)
            if (moved_taps & CORNER_TAPS) != 0:
                sx += shift[0]
                sy += shift[1]
                taps = moved_taps
            light = wp.pow(2.0, follow * float(link.gain) / GAIN_STEPS)
            colour = light * gather(frames, slots[k], sx, sy, taps)
            moved = wp.vec4(colour[0], colour[1], colour[2], falloffs[k] * float(link.weight) / OWN_WEIGHT)
            softness += moved[3] * (between_pixels(sx) + between_pixels(sy))
            weight += moved[3]
        moved_out[k, y, x] = moved
    softness_out[y, x] = softness / wp.max(weight, 1.0e-20)


@wp.kernel
def find_pure(
    # In:
    first_row: int,
    links: wp.array3d[Link],
    # Out:
    pure_out: wp.array2d[wp.uint8],
) -> None:
    """Mark pixels away from silhouettes: neither they nor what they read mixes the colours of two surfaces."""
    row, x = wp.tid()
    y = first_row + row
    pure = wp.uint8(1)
    for k in range(links.shape[0]):
        link = links[k, y, x]
        if link.weight != wp.uint8(0) and (int(link.flags) & MIXED) != 0:
            pure = wp.uint8(0)
    pure_out[y, x] = pure


@wp.func
def colour_of(moved: wp.vec4) -> wp.vec3:
    """The first three components."""
    return wp.vec3(moved[0], moved[1], moved[2])


@wp.kernel
def blend_moved(
    # In:
    first_row: int,
    moved: wp.array3d[wp.vec4],
    casts: wp.array3d[wp.vec3],
    consensus: wp.array2d[wp.vec3],
    tolerance: float,
    power: float,
    # Out:
    blend_out: wp.array2d[wp.vec3],
) -> None:
    """Weighted mean of the moved sources less their casts; outliers from `consensus` count less.

    Written as a correction of the first source there is: equal colours then give exactly that colour. Where there is
    no source the result is NaN. A higher `power` of the weights leaves the nearest and best of the sources.
    """
    row, x = wp.tid()
    y = first_row + row
    anchor = wp.vec3(wp.nan)
    total = wp.vec3(0.0)
    weight = wp.float32(0.0)
    for k in range(moved.shape[0]):
        source = moved[k, y, x]
        if source[3] > 0.0:
            colour = colour_of(source) - read_grid(casts, k, x, y)
            if weight == 0.0:
                anchor = colour
            trust = wp.pow(source[3], power)
            if tolerance > 0.0:
                away = colour - consensus[y, x]
                trust = trust / (1.0 + wp.dot(away, away) / (tolerance * tolerance))
            total += trust * (colour - anchor)
            weight += trust
    blend_out[y, x] = anchor + total / wp.max(weight, 1.0e-20)


@wp.kernel
def add_detail(
    # In:
    first_row: int,
    wide: wp.array2d[wp.vec3],
    near: wp.array2d[wp.vec3],
    pure: wp.array2d[wp.uint8],
    softness: wp.array2d[float],
    give_back: float,
    # Out:
    blend_out: wp.array2d[wp.vec3],
) -> None:
    """Take the finest band of `near` and all others of `wide`, and give the band back what interpolation took."""
    row, x = wp.tid()
    y = first_row + row
    here = near[y, x]
    total = wp.vec3(0.0)
    around = wp.vec3(0.0)
    weight = wp.float32(0.0)
    for j in range(wp.max(y - 2, 0), wp.min(y + 3, wide.shape[0])):
        for i in range(wp.max(x - 2, 0), wp.min(x + 3, wide.shape[1])):
            # What differs at a silhouette stays there: between pure pixels of two surfaces lie two mixed ones.
            if pure[j, i] >= pure[y, x]:
                share = bell(float(i - x), DETAIL_SIGMA) * bell(float(j - y), DETAIL_SIGMA)
                total += share * (near[j, i] - wide[j, i])
                around += share * (near[j, i] - here)
                weight += share
    blend_out[y, x] = here - total / weight - give_back * softness[y, x] * around / weight


@wp.func
def slope(picture: wp.array2d[wp.vec3], x: int, y: int, dx: int, dy: int) -> wp.vec3:
    """Central difference, one-sided at the border."""
    x0 = wp.max(x - dx, 0)
    y0 = wp.max(y - dy, 0)
    x1 = wp.min(x + dx, picture.shape[1] - 1)
    y1 = wp.min(y + dy, picture.shape[0] - 1)
    steps = wp.max(x1 - x0 + y1 - y0, 1)
    return (picture[y1, x1] - picture[y0, x0]) / float(steps)


@wp.kernel
def sum_blocks(
    # In:
    first_row: int,
    moved: wp.array3d[wp.vec4],
    casts: wp.array3d[wp.vec3],
    consensus: wp.array2d[wp.vec3],
    pure: wp.array2d[wp.uint8],
    # Out:
    sums_out: wp.array3d[BlockSums],
) -> None:
    """Compare every source with the consensus, block by block; in colour only where no silhouette mixes two."""
    row, column = wp.tid()
    block_row = first_row + row
    for k in range(moved.shape[0]):
        sums = BlockSums()
        for j in range(BLOCK):
            for i in range(BLOCK):
                x = column * BLOCK + i
                y = block_row * BLOCK + j
                if x < moved.shape[2] and y < moved.shape[1]:
                    source = moved[k, y, x]
                    if source[3] > 0.0:
                        cast = read_grid(casts, k, x, y)
                        away = colour_of(source) - consensus[y, x]
                        across = slope(consensus, x, y, 1, 0)
                        down = slope(consensus, x, y, 0, 1)
                        w = source[3]
                        sums.xx += w * wp.dot(across, across)
                        sums.xy += w * wp.dot(across, down)
                        sums.yy += w * wp.dot(down, down)
                        sums.x += w * wp.dot(across, away - cast)
                        sums.y += w * wp.dot(down, away - cast)
                        sums.residual += w * wp.dot(away - cast, away - cast)
                        sums.weight += w
                        if pure[y, x] != wp.uint8(0):
                            sums.colour += w * away
                            sums.pure_weight += w
        sums_out[k, block_row, column] = sums


@wp.kernel
def spread_casts(
    # In:
    first_row: int,
    sums: wp.array3d[BlockSums],
    sigma: float,
    # Out:
    casts_out: wp.array3d[wp.vec3],
) -> None:
    """Mean difference in colour around each block; 0 where the source says nothing at all."""
    row, column = wp.tid()
    block_row = first_row + row
    reach = int(wp.ceil(2.5 * sigma))
    for k in range(sums.shape[0]):
        total = wp.vec3(0.0)
        weight = wp.float32(0.0)
        for j in range(wp.max(block_row - reach, 0), wp.min(block_row + reach + 1, sums.shape[1])):
            for i in range(wp.max(column - reach, 0), wp.min(column + reach + 1, sums.shape[2])):
                near = bell(float(i - column), sigma) * bell(float(j - block_row), sigma)
                total += near * sums[k, j, i].colour
                weight += near * sums[k, j, i].pure_weight
        casts_out[k, block_row, column] = wp.vec3(0.0)
        if weight > 1.0e-3:
            casts_out[k, block_row, column] = total / weight


@wp.kernel
def solve_shifts(
    # In:
    first_row: int,
    sums: wp.array3d[BlockSums],
    sigma: float,
    stiffness: float,
    shifts_in: wp.array3d[wp.vec2],
    # Out:
    shifts_out: wp.array3d[wp.vec2],
) -> None:
    """Least-squares displacement around each block, added to the one so far.

    One step of Lucas and Kanade (1981), as the maximum a posteriori under noise of the measured residual: without
    contrast, or under noise that hides it, nothing moves.
    """
    row, column = wp.tid()
    block_row = first_row + row
    reach = int(wp.ceil(2.5 * sigma))
    for k in range(sums.shape[0]):
        xx = wp.float32(0.0)
        xy = wp.float32(0.0)
        yy = wp.float32(0.0)
        bx = wp.float32(0.0)
        by = wp.float32(0.0)
        residual = wp.float32(0.0)
        weight = wp.float32(0.0)
        for j in range(wp.max(block_row - reach, 0), wp.min(block_row + reach + 1, sums.shape[1])):
            for i in range(wp.max(column - reach, 0), wp.min(column + reach + 1, sums.shape[2])):
                near = bell(float(i - column), sigma) * bell(float(j - block_row), sigma)
                block = sums[k, j, i]
                xx += near * block.xx
                xy += near * block.xy
                yy += near * block.yy
                bx += near * block.x
                by += near * block.y
                residual += near * block.residual
                weight += near * block.weight
        ridge = stiffness * residual / wp.max(weight, 1.0e-3) + 1.0e-6
        xx += ridge
        yy += ridge
        det = xx * yy - xy * xy
        step = wp.vec2(-(yy * bx - xy * by) / det, -(xx * by - xy * bx) / det)
        shift = shifts_in[k, block_row, column] + step
        length = wp.length(shift)
        if length > LARGEST_SHIFT:
            shift = shift * (LARGEST_SHIFT / length)
        shifts_out[k, block_row, column] = shift


@wp.kernel
def compare_light(
    # In:
    first_row: int,
    links: wp.array3d[Link],
    moved: wp.array3d[wp.vec4],
    # Out:
    sums_out: wp.array2d[wp.vec2],
) -> None:
    """Block by block, how the sources' brightness varies with the guide's: covariance and the guide's variance.

    Each pixel's own mean over the sources is taken off, so that neither texture nor casts count.
    """
    row, column = wp.tid()
    block_row = first_row + row
    sums = wp.vec2(0.0)
    for j in range(BLOCK):
        for i in range(BLOCK):
            x = column * BLOCK + i
            y = block_row * BLOCK + j
            if x < moved.shape[2] and y < moved.shape[1]:
                weight = wp.float32(0.0)
                guide = wp.float32(0.0)
                style = wp.float32(0.0)
                square = wp.float32(0.0)
                product = wp.float32(0.0)
                for k in range(moved.shape[0]):
                    source = moved[k, y, x]
                    if source[3] > 0.0:
                        # The guide's brightness there, relative to the target's.
                        octaves = -float(links[k, y, x].gain) / GAIN_STEPS
                        bright = log_luma(colour_of(source)) - log_luma(colour_of(moved[0, y, x]))
                        weight += source[3]
                        guide += source[3] * octaves
                        style += source[3] * bright
                        square += source[3] * octaves * octaves
                        product += source[3] * octaves * bright
                if weight > 0.0:
                    sums += wp.vec2(product - guide * style / weight, square - guide * guide / weight)
    sums_out[block_row, column] = sums


@wp.kernel
def find_follow(
    # In:
    first_row: int,
    sums: wp.array2d[wp.vec2],
    sigma: float,
    ridge: float,
    # Out:
    follows_out: wp.array3d[float],
) -> None:
    """How far the frames follow the guide's light around each block: 0 not at all, 1 octave for octave."""
    row, column = wp.tid()
    block_row = first_row + row
    reach = int(wp.ceil(2.5 * sigma))
    total = wp.vec2(0.0)
    for j in range(wp.max(block_row - reach, 0), wp.min(block_row + reach + 1, sums.shape[0])):
        for i in range(wp.max(column - reach, 0), wp.min(column + reach + 1, sums.shape[1])):
            total += bell(float(i - column), sigma) * bell(float(j - block_row), sigma) * sums[j, i]
    follows_out[0, block_row, column] = wp.clamp(total[0] / (total[1] + ridge), 0.0, 1.0)
