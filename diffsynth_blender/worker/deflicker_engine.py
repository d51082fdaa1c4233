"""Joins a plan to the engines: exact motion where there are passes, matched patches where there are none."""

from collections.abc import Iterator

import numpy as np
import warp as wp

from ..bands import core_count
from ..blending.footage import Footage
from ..blending.keyframes import KeyFrameInterpolator
from ..blending.smoother import Smoother
from ..motion.clip import Clip
from ..protocol import DeviceMissingError
from .deflicker_frames import FrameFiles
from .deflicker_plan import DeflickerPlan
from .shot_motion import clip_of


def choose_device(wanted: str) -> str:
    """Warp's name of the device for "auto", "cpu" or "cuda".

    Raises DeviceMissingError when CUDA is asked for and not there: a job never moves to the processor unasked.
    """
    has_cuda = wp.is_cuda_available()
    if wanted == "cuda" and not has_cuda:
        raise DeviceMissingError("device 'cuda' is not available on this machine; choose 'auto' or 'cpu'")
    return "cpu" if wanted == "cpu" or not has_cuda else "cuda:0"


def describe_device(device: str) -> str:
    """The device in words, for the report."""
    if device != "cpu":
        return str(wp.get_device(device).name)
    return f"cpu, {core_count()} threads"


def span_to_compute(plan: DeflickerPlan, todo: list[int]) -> range:
    """The places in `plan.frames` to compute so that the frames `todo` come out as in a run over all frames.

    In windows: what a frame's neighbours depend on, too. The trees of mode "fast" start at every so many frames from
    either end of the clip, so the span starts and ends there.
    """
    frames = plan.frames
    first, last = frames.index(todo[0]), frames.index(todo[-1])
    if plan.uses_keys:
        keys = [frames.index(key) for key in plan.style]
        return range(
            max((key for key in keys if key <= first), default=0),
            min((key for key in keys if key >= last), default=len(frames) - 1) + 1,
        )
    block = 1 << plan.window.bit_length()  # the smallest power of two above the window
    reach = 2 * plan.window
    start = max(0, first - reach) // block * block
    behind = max(0, len(frames) - 1 - last - reach) // block * block
    return range(start, len(frames) - behind)


def compute(plan: DeflickerPlan, frames: FrameFiles, span: range, device: str) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (frame, float32 (H, W, 3)) for every frame of the span, in order; holds one window of frames at a time."""
    numbers = [plan.frames[place] for place in span]

    def guide(index: int) -> np.ndarray:
        return frames.guide(numbers[index])

    def style(index: int) -> np.ndarray:
        return frames.style(numbers[index])

    correspondence: Clip | Footage
    if plan.job is not None and plan.job_dir is not None and plan.job.shot.passes is not None:
        correspondence = clip_of(plan.job, plan.job_dir, numbers, device)
    else:
        correspondence = Footage(len(numbers), width=frames.width, height=frames.height, device=device)
    if plan.uses_keys:
        keys = [index for index, number in enumerate(numbers) if number in plan.style]
        results = KeyFrameInterpolator(correspondence, guide, keys).stream(style)
    else:
        results = Smoother(correspondence, guide, mode=plan.mode, window=plan.window).stream(style)  # type: ignore[arg-type]
    yield from zip(numbers, results, strict=True)
