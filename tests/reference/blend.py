"""The window blend written out pixel by pixel in plain Python: slow, obvious, and nothing of the product's kernels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from diffsynth_blender.passes.exr import ExactPasses
from tests.reference.scene import BACKGROUND_DEPTH


@dataclass(frozen=True)
class Surfaces:
    """One frame's surfaces, as far as colours may be mixed across them; shape (H, W) each."""

    ids: np.ndarray
    depth: np.ndarray
    tolerance: np.ndarray
    edge: np.ndarray


def surfaces(passes: ExactPasses) -> Surfaces:
    """Find which neighbouring pixels belong together."""
    height, width = passes.depth.shape
    ids = np.where(passes.depth >= BACKGROUND_DEPTH, 0, np.where(passes.object_id == 0, 1, passes.object_id))
    depth = passes.depth.astype(float)
    tolerance = 0.01 * depth
    for y in range(height):
        for x in range(width):
            for dy, dx in ((0, 1), (1, 0)):
                sides = [(y + side * dy, x + side * dx) for side in (-1, 1)]
                steps = [
                    abs(depth[place] - depth[y, x])
                    for place in sides
                    if 0 <= place[0] < height and 0 <= place[1] < width and ids[place] == ids[y, x]
                ]
                tolerance[y, x] += 2.0 * min(steps, default=0.0)
    edge = np.zeros((height, width), bool)
    found = Surfaces(ids, depth, tolerance, edge)
    for y in range(height):
        for x in range(width):
            around = [(v, u) for v in (y - 1, y, y + 1) for u in (x - 1, x, x + 1)]
            edge[y, x] = any(
                not same(found, v, u, ids[y, x], depth[y, x]) for v, u in around if 0 <= v < height and 0 <= u < width
            )
    return found


def same(frame: Surfaces, y: int, x: int, id: int, depth: float) -> bool:
    """Whether a pixel shows the surface of this id near this depth."""
    return frame.ids[y, x] == id and (id == 0 or abs(frame.depth[y, x] - depth) <= frame.tolerance[y, x])


def to_step(displacement: float) -> float:
    """Round to 1/64 px, halves away from zero."""
    return math.copysign(math.floor(abs(displacement) * 64.0 + 0.5), displacement) / 64.0


def cubic(t: float) -> list[float]:
    """Return the weights of the pixels at -1, 0, 1, 2: Keys's cubic convolution with a = -0.75."""
    a = -0.75
    return [
        a * (t**3 - 2.0 * t**2 + t),
        (a + 2.0) * t**3 - (a + 3.0) * t**2 + 1.0,
        -(a + 2.0) * t**3 + (2.0 * a + 3.0) * t**2 - a * t,
        a * (t**2 - t**3),
    ]


def colour_at(frame: np.ndarray, x: float, y: float, allowed, edge: np.ndarray) -> np.ndarray | None:
    """Return the colour at (x, y) from pixels (row, column) that `allowed` accepts, None if there are too few.

    Away from every `edge` all sixteen pixels around are read, whatever their depth.
    """
    left, top = math.floor(x), math.floor(y)
    fx, fy = x - left, y - top

    def pixel(row: int, column: int) -> tuple[int, int]:
        return min(max(row, 0), frame.shape[0] - 1), min(max(column, 0), frame.shape[1] - 1)

    corners = {}
    for dy, share_y in ((0, 1.0 - fy), (1, fy)):
        for dx, share_x in ((0, 1.0 - fx), (1, fx)):
            if allowed(*pixel(top + dy, left + dx)):
                corners[dy, dx] = share_x * share_y, pixel(top + dy, left + dx)
    if sum(share for share, _ in corners.values()) < 1e-3:
        return None
    if fx == fy == 0.0:
        return frame[top, left].astype(float)
    around = [pixel(top + j, left + i) for j in (-1, 0, 1, 2) for i in (-1, 0, 1, 2)]
    everything = len(corners) == 4 and not any(edge[place] for place in around)
    read = [
        (wy * wx, frame[pixel(top + j, left + i)].astype(float))
        for j, wy in zip((-1, 0, 1, 2), cubic(fy), strict=True)
        for i, wx in zip((-1, 0, 1, 2), cubic(fx), strict=True)
        if everything or allowed(*pixel(top + j, left + i))
    ]
    if sum(weight for weight, _ in read) < 0.6:
        read = [(share, frame[place].astype(float)) for share, place in corners.values()]
    total = sum(weight * colour for weight, colour in read) / sum(weight for weight, _ in read)
    colours = np.stack([colour for _, colour in read])
    return np.clip(total, colours.min(axis=0), colours.max(axis=0))


def resolved(field: np.ndarray, shown: Surfaces, y: int, x: int) -> float:
    """Return how many pixels of the source a pixel of the target gets along the direction that gets fewest, to 1."""
    height, width = shown.ids.shape

    def change(dy: int, dx: int) -> np.ndarray | None:
        ends = [
            (v, u)
            for v, u in ((y - dy, x - dx), (y + dy, x + dx))
            if 0 <= v < height and 0 <= u < width and field[v, u, 3] > 0.0
            if same(shown, v, u, shown.ids[y, x], shown.depth[y, x])
        ]
        if not ends:
            return None
        places = [(y, x), *ends] if len(ends) == 1 else ends
        difference = field[places[-1]][:2].astype(float) - field[places[0]][:2]
        steps = places[-1][0] - places[0][0] + places[-1][1] - places[0][1]
        return difference / steps

    lines = [line for line in (change(0, 1), change(1, 0)) if line is not None]
    if not lines:
        return 1.0
    return float(np.clip(np.linalg.svd(np.stack(lines), compute_uv=False).min(), 1e-3, 1.0))


def smooth(
    frames: np.ndarray,
    guide: np.ndarray,
    passes: list[ExactPasses],
    trace,
    *,
    window: int,
    operator: str,
    guide_sigma: float,
) -> np.ndarray:
    """Return the smoothed clip, (T, H, W, 3); `trace(target, source)` is (H, W, 4): x, y, depth, visible."""
    shown = [surfaces(one) for one in passes]
    result = frames.astype(float)
    count, height, width, _ = frames.shape
    for target in range(count):
        traces = {
            source: trace(target, source)
            for source in range(max(0, target - window), min(count, target + window + 1))
            if source != target
        }
        for y in range(height):
            for x in range(width):
                total, weights = frames[target, y, x].astype(float), 1.0
                for source, field in traces.items():
                    sx = x + to_step(field[y, x, 0] - np.float32(x))
                    sy = y + to_step(field[y, x, 1] - np.float32(y))

                    def allowed(row, column, source=source, target=target, y=y, x=x, depth=field[y, x, 2]):
                        there = shown[source]
                        pure = shown[target].edge[y, x] or not there.edge[row, column]
                        return pure and same(there, row, column, shown[target].ids[y, x], depth)

                    if field[y, x, 3] == 0.0:
                        continue
                    edge = shown[source].edge
                    expected = colour_at(guide[source], sx, sy, allowed, edge)
                    if expected is None:
                        continue
                    weight, falloff = 1.0, 1.0
                    if operator == "robust":
                        change = expected - guide[target, y, x]
                        falloff = 1.0 - abs(target - source) / (window + 1)
                        weight *= math.exp(-float(change @ change) / (2.0 * guide_sigma**2))
                        weight *= resolved(field, shown[target], y, x)
                    # Links are stored in 256 steps.
                    weight = falloff * round(weight * 255.0) / 255.0
                    total = total + weight * colour_at(frames[source], sx, sy, allowed, edge)
                    weights += weight
                result[target, y, x] = total / weights
    return result
