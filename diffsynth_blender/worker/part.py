"""A part of a job: frames of the shot with one set of settings, and everything that restyling them needs.

What is not needed is never made: a finished job loads no model, one without deflickering finds no motion.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

import numpy as np
import torch

from ..blending.footage import Footage
from ..blending.smoother import Mode, Smoother
from ..diffusion.deflicker import Fetch, Smooth
from ..diffusion.latents import encode_each
from ..diffusion.noise import NoiseKind, NoiseSource
from ..motion.clip import Clip
from ..passes.images import to_bytes
from ..protocol import Job, Settings, output_path
from ..protocol.job import CACHE_FOLDER
from .context import RunContext
from .inputs import Inputs, read_frame, read_inputs
from .interop import stream_tensors, warp_device
from .pipeline import Pipeline
from .region_masks import composite
from .shot_files import links_hash
from .shot_motion import clip_of, correspondence_of
from .surface_points import surface_points


class Part:
    """Some frames of a job. They are named by their indices in `frames`."""

    def __init__(self, job: Job, frames: tuple[int, ...], context: RunContext, device: torch.device) -> None:
        """Describe the part.

        Args:
            job: the shot at the size of its result, and the settings of this part.
            frames: scene frames that are looked at, rising.
            context: the run.
            device: where the engines compute.
        """
        self.job = job
        self.frames = frames
        self.context = context
        self.device = device
        # The last one only, and by hand: a cache of a method would keep the part, and its model, from going.
        self._smoother: tuple[object, Smoother] | None = None

    @property
    def settings(self) -> Settings:
        """How the part is restyled."""
        return self.job.settings

    @cached_property
    def inputs(self) -> Inputs:
        """Source frames and controls, checked."""

        def checked(done: int, count: int, frame: int) -> None:
            self.context.progress("passes", done, count, frame)
            self.context.stop_if_cancelled()

        with self.context.watch.part("controls"):
            inputs = read_inputs(self.job, self.context.job_dir, self.frames, checked)
        for note in inputs.notes:
            self.context.note(note)
        return inputs

    @cached_property
    def pipeline(self) -> Pipeline:
        """The model, loaded."""
        # The inputs come first: a broken file is then reported before a model is loaded.
        inputs = self.inputs
        self.context.progress("load", 0, 1)
        with self.context.watch.part("load"):
            pipeline = Pipeline(self.job, inputs, self.context, device=self.device)
        self.context.progress("load", 1, 1)
        return pipeline

    def places(self, frames: Iterable[int]) -> list[int]:
        """Indices of scene frames."""
        return [self.frames.index(frame) for frame in frames]

    def exact_motion(self, index: Sequence[int]) -> Clip | None:
        """The exact motion of some frames; None for footage."""
        if self.job.shot.passes is None:
            return None
        return clip_of(self.job, self.context.job_dir, self._scene_frames(index), warp_device(self.device))

    def motion(self, index: Sequence[int]) -> Clip | Footage:
        """How some frames correspond: by exact motion or matched patches, as the shot and the settings have it."""
        frames = self._scene_frames(index)
        return correspondence_of(self.job, self.context.job_dir, frames, warp_device(self.device))

    def noise(self, index: Sequence[int], *, kind: NoiseKind | None = None) -> NoiseSource:
        """All the noise of some frames; `kind` in place of the settings'."""
        wanted, frames, codec = self.settings.noise, self._scene_frames(index), self.pipeline.codec
        points = None
        if kind is None and wanted.kind == "surface":
            points = surface_points(self.job, self.context.job_dir, frames, warp_device(self.device))
        return NoiseSource(
            kind or wanted.kind,  # type: ignore[arg-type]
            frames,
            codec.latent_shape,
            self.settings.seed,
            wanted.fresh if kind is None else 0.0,
            points,
            codec.factor,
        )

    def smooth(self, index: Sequence[int], mode: Mode, window: int, targets: Sequence[int]) -> Smooth:
        """What steadies the frames of a clip; its time is counted without that of what it fetches.

        Args:
            index: the clip's frames.
            mode: of blending.
            window: the widest that is asked for.
            targets: which of the clip's frames come out, by their places in it.
        """
        stream = stream_tensors(self._smoother_of(tuple(index), mode, window), targets)
        watch = self.context.watch

        def smoothed(fetch: Fetch, window: int) -> Iterator[torch.Tensor]:
            frames = stream(fetch, window)
            while True:
                with watch.part("deflicker"):
                    frame = next(frames, None)
                if frame is None:
                    return
                yield frame

        return smoothed

    def find_links(self, index: Sequence[int], mode: Mode, window: int) -> None:
        """Find the links of a clip now, telling progress, so that smoothing only reads them."""

        def linked(place: int) -> None:
            self.context.progress("motion", place + 1, len(index), self.frames[index[place]])
            self.context.stop_if_cancelled()

        self.context.progress("motion", 0, len(index))
        with self.context.watch.part("motion"):
            self._smoother_of(tuple(index), mode, window).prepare(linked)

    def encode(self, pictures: Iterable[np.ndarray], count: int) -> torch.Tensor:
        """Latents (count, C, h, w), on the CPU, of pictures (H, W, 3) that come one by one."""
        # Copied: what is read of files may not be written to, and torch cannot promise that.
        frames = (torch.from_numpy(picture.copy()) for picture in pictures)
        return encode_each(self.pipeline.codec, frames, count)

    def read_output(self, index: int) -> np.ndarray:
        """The finished result of a frame, float32 in [0, 1], shape (H, W, 3)."""
        return read_frame(output_path(self.context.job_dir, self.frames[index]), self.job)

    def keep_rest(self, index: int, picture: np.ndarray) -> np.ndarray:
        """A picture (H, W, 3) as it is written: where the settings say so, the source where there is no region."""
        if not self.settings.keep_rest:
            return picture
        kept = composite(to_bytes(picture), to_bytes(self.inputs.source(index)), self.inputs.any_region(index))
        return kept.astype(np.float32) / np.float32(255.0)

    @cached_property
    def _links_key(self) -> str:
        return links_hash(self.job, self.context.job_dir)

    def _smoother_of(self, index: tuple[int, ...], mode: Mode, window: int) -> Smoother:
        """The smoother of a clip, made once while the same is asked for."""
        key = (index, mode, window)
        if self._smoother is None or self._smoother[0] != key:
            self._smoother = key, self._make_smoother(index, mode, window)
        return self._smoother[1]

    def _make_smoother(self, index: tuple[int, ...], mode: Mode, window: int) -> Smoother:
        """A smoother of a clip; all of a shot share the links that are in the cache."""
        wanted, source = self.settings.deflicker, self.inputs.source
        return Smoother(
            self.motion(index),
            lambda place: source(index[place]),
            mode=mode,
            window=window,
            repair=wanted is None or wanted.along != "exact",
            cache_dir=self.context.job_dir / CACHE_FOLDER,
            cache_key=f"{self._links_key} {self._scene_frames(index)}",
        )

    def _scene_frames(self, index: Sequence[int]) -> tuple[int, ...]:
        return tuple(self.frames[i] for i in index)
