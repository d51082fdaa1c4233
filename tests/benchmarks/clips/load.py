"""Read a clip: both looks, exact motion, and where it is hard. Needs no bpy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from diffsynth_blender.blending.metrics import remap
from diffsynth_blender.motion.clip import Clip
from diffsynth_blender.protocol import Job, load_job
from diffsynth_blender.worker.inputs import objects_reader, read_frame, read_frame_passes, read_source

ROOT = Path(__file__).resolve().parents[3]
CLIPS = ROOT / "build" / "bench" / "clips"
RENDER = "tests.benchmarks.clips.render"
NAMES = ("rigid", "deforming", "optics")

REACH = 3
"""Frames to either side that decide whether a pixel is disoccluded or its shade changing."""
EDGE_DISTANCE = 2
"""Of silhouette pixels from an edge between two surfaces [px]."""
SHADE_CHANGE = 10.0 / 255
"""Change of a surface's colour (largest channel, mean over 5 x 5 px) that makes its shade a changing one."""


@dataclass(frozen=True)
class Masks:
    """Where blending is hard; bool (H, W) each."""

    disoccluded: np.ndarray
    """Without a counterpart in frame t - 1 or t + 1, and in half at least of the frames t - 3 to t + 3.

    Hidden there, or beyond the picture's edge. Single pixels are left out: at a silhouette the visibility of a pixel
    is a matter of rounding.
    """
    silhouette: np.ndarray
    """Within 2 px of an edge between surfaces."""
    changing: np.ndarray
    """Where the truth, remapped from one of the frames t - 3 to t + 3 that show the point, differs by more than
    `SHADE_CHANGE` from its own frame: shadows, highlights, reflections, mist. Silhouettes are left out."""


@dataclass(frozen=True)
class BenchClip:
    """A clip with known truth. Frames are addressed by index, whatever their numbers in the scene."""

    name: str
    job: Job
    folder: Path
    frames: tuple[int, ...]
    """Scene frames."""
    guide: np.ndarray
    """What was rendered, float32 sRGB in [0, 1], (T, H, W, 3)."""
    truth: np.ndarray
    """What a steady restyling would be, float32 sRGB in [0, 1], (T, H, W, 3)."""

    def clip(self, *, device: str = "cpu", threads: int | None = None) -> Clip:
        """A new clip of its exact motion, with nothing read yet."""
        shot = self.job.shot
        return Clip(
            self.frames,
            shot.pass_frames,
            lambda frame: read_frame_passes(self.job, self.folder, frame),
            {camera.frame: camera for camera in shot.cameras},
            width=shot.width,
            height=shot.height,
            background_depth=shot.background_depth,
            sample_offset=shot.sample_offset,
            objects=objects_reader(self.job, self.folder),
            device=device,
            threads=threads,
        )

    @cached_property
    def masks(self) -> list[Masks]:
        """Of every frame."""
        clip = self.clip()
        clip.reserve(REACH)
        return [find_masks(clip, self.truth, index) for index in range(len(self.frames))]

    @cached_property
    def steps(self) -> list[np.ndarray]:
        """Fields from each frame to the next, (H, W, 3) as `Clip.field`; T - 1 of them."""
        clip = self.clip()
        return [clip.field(index, index + 1) for index in range(len(self.frames) - 1)]


def load_clip(name: str, *, count: int | None = None) -> BenchClip:
    """Load a rendered clip, or its first `count` frames.

    Raises:
        FileNotFoundError: it has not been rendered; the message says how to.
    """
    folder = CLIPS / name
    if not (folder / "job.json").is_file() or not (folder / "truth").is_dir():
        raise FileNotFoundError(f"{folder}: not rendered yet: build/venv/host-4.5/bin/python -m {RENDER} {name}")
    job = load_job(folder)
    frames = job.shot.frames[:count]
    guide = np.stack([read_source(job, folder, frame) for frame in frames])
    truth = np.stack([read_frame(folder / "truth" / f"{frame:04d}.png", job) for frame in frames])
    return BenchClip(name, job, folder, tuple(frames), guide, truth)


def find_masks(clip: Clip, truth: np.ndarray, target: int) -> Masks:
    """Find the masks of frame `target`."""
    shape = (clip.height, clip.width)
    sources = [i for i in range(target - REACH, target + REACH + 1) if 0 <= i < len(truth) and i != target]
    hidden = np.zeros((len(sources), *shape), bool)
    change = np.zeros(shape, np.float32)
    for place, source in enumerate(sources):
        field = clip.field(target, source)
        visible = field[..., 2] > 0
        hidden[place] = ~visible
        difference = np.where(visible[..., None], remap(truth[source], field) - truth[target], 0)
        change = np.maximum(change, np.abs(box_mean(difference, 2)).max(axis=-1))
    near = [place for place, source in enumerate(sources) if abs(source - target) == 1]
    disoccluded = hidden[near].any(axis=0) & (hidden.mean(axis=0) >= 0.5)
    edge = clip.surfaces(target).edge.numpy() != 0
    silhouette = box_mean(edge[..., None].astype(np.float32), EDGE_DISTANCE)[..., 0] > 1e-6
    crowd = box_mean(disoccluded[..., None].astype(np.float32), 1)[..., 0]
    return Masks(
        disoccluded=disoccluded & (crowd > 0.4),
        silhouette=silhouette,
        changing=(change > SHADE_CHANGE) & ~silhouette & ~disoccluded,
    )


def box_mean(values: np.ndarray, radius: int) -> np.ndarray:
    """Mean over squares of (2 * radius + 1) px, (H, W, C); beyond the edge the edge repeats."""
    height, width = values.shape[:2]
    side = 2 * radius + 1
    padded = np.pad(values, ((radius, radius), (radius, radius), (0, 0)), mode="edge")
    rows = sum(padded[i : i + height] for i in range(side))
    return sum(rows[:, i : i + width] for i in range(side)) / side**2
