"""Frames that are restyled together: from noise, through the denoising loop, to finished pictures."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from ..diffusion.colour import ColourHold
from ..diffusion.deflicker import Deflickering, scheduled
from ..diffusion.denoise import StepDone, X0Edit, denoise
from ..diffusion.families import GuidedDenoiser
from ..diffusion.latents import decode_each
from ..diffusion.sampler import Sampler
from ..protocol.job import CACHE_FOLDER
from ..protocol.settings import Numbers
from .animation import per_frame
from .estimate import describe, estimate
from .part import Part
from .tensor_file import save_tensors

Picture = Callable[[], np.ndarray]
"""Reads a finished picture, float32 in [0, 1], shape (H, W, 3)."""

LATENTS, STATE = "latents", "sampler."
"""Names in a checkpoint: the latents, and what starts the names of the sampler's own tensors."""


class Restyling:
    """A clip of a part's frames that is restyled together. Finished neighbours may be in it: they steady the others.

    Frames are named by their indices in the part's inputs.
    """

    def __init__(
        self,
        part: Part,
        index: Sequence[int],
        *,
        name: str,
        finished: Mapping[int, Picture] | None = None,
        stage: str = "denoise",
    ) -> None:
        """Describe the clip; nothing is computed yet.

        Args:
            part: frames of the job with one set of settings.
            index: the clip's frames, rising.
            name: of its checkpoints; no other clip of the job has it.
            finished: those of the frames that are not restyled.
            stage: what progress is told as.
        """
        self._part = part
        self._context = part.context
        self._settings = part.settings
        self._name = name
        self._stage = stage
        self._finished = dict(finished or {})
        self._index = tuple(index)
        self.restyled = tuple(i for i in self._index if i not in self._finished)
        """The frames that are made."""
        self._places = tuple(self._index.index(i) for i in self.restyled)

    def pictures(self, edits: Sequence[X0Edit] = ()) -> Iterator[tuple[int, np.ndarray]]:
        """Yield each restyled frame with its picture, float32 (H, W, 3), in order; `edits` come after all others."""
        decoded = decode_each(self._part.pipeline.codec, self._latents(edits))
        deflicker = self._settings.deflicker
        if deflicker is None or not deflicker.final or not deflicker.widest:
            yield from zip(self.restyled, (picture.cpu().numpy() for picture in decoded), strict=True)
            return
        # Nothing follows that a registered blend could lead astray, and it keeps the most detail.
        window = round(_last(deflicker.window))
        strengths = torch.as_tensor(self._strength(_last(deflicker.strength))).expand(len(self._places))
        smooth = self._part.smooth(self._index, "accurate", window, self._places)
        waiting: dict[int, torch.Tensor] = {}

        def fetch(place: int) -> torch.Tensor:
            if self._index[place] in self._finished:
                return self._anchor(place)
            waiting[place] = next(decoded)
            return waiting[place]

        for place, strength, smoothed in zip(self._places, strengths, smooth(fetch, window), strict=True):
            picture = torch.lerp(waiting.pop(place), smoothed, strength)
            yield self._index[place], picture.cpu().numpy()

    def _latents(self, edits: Sequence[X0Edit]) -> torch.Tensor:
        """Clean latents (T, C, h, w) of the restyled frames, from the last step that is on disk."""
        part, context = self._part, self._context
        pipeline, sampler = part.pipeline, part.pipeline.sampler()
        noise = part.noise(self.restyled)
        kept, first_step, sources = context.checkpoint(self._path), 0, None
        if (self._settings.strength < 1 and kept is None) or self._settings.hold_colours > 0:
            sources = part.encode(map(part.inputs.source, self.restyled), len(self.restyled))
        if kept is None:
            with context.watch.part("noise"):
                latents = sampler.start(sources, noise.initial())
        else:
            tensors = load_file(kept.path)
            first_step = kept.index + 1
            latents = tensors.pop(LATENTS)
            sampler.restore(first_step, {name.removeprefix(STATE): tensor for name, tensor in tensors.items()})
        own_edits: list[X0Edit] = []
        deflicker = self._deflickering()
        if deflicker is not None:
            own_edits.append(deflicker)
        if self._settings.hold_colours:
            assert sources is not None
            own_edits.append(ColourHold(sources, self._settings.hold_colours))
        context.progress(self._stage, first_step, sampler.step_count)
        with context.watch.part("denoise"), pipeline.denoiser(self.restyled, part.exact_motion(self.restyled)) as model:
            self._tell_memory(model, sampler)
            return denoise(
                model,
                sampler,
                latents,
                windows=pipeline.windows(len(self.restyled)),
                edits=[*own_edits, *edits],
                first_step=first_step,
                fresh_noise=noise.fresh,
                batch_memory=pipeline.ladder,
                on_step=self._keep,
                should_stop=context.is_cancelled,
            )

    def _tell_memory(self, model: GuidedDenoiser, sampler: Sampler) -> None:
        """Say before the first step what the clip will take."""
        deflicker, device = self._settings.deflicker, self._part.device
        needed = estimate(
            self._part.pipeline,
            model,
            sampler,
            frame_count=len(self.restyled),
            window=deflicker.widest if deflicker else 0,
            device=device,
        )
        self._context.note(describe(needed, device))

    def _deflickering(self) -> Deflickering | None:
        """The smoothing inside the loop, its links found; None where nothing is smoothed.

        Balanced: the same linear operator at every denoising step, so that the frames settle on one picture.
        """
        wanted = self._settings.deflicker
        if wanted is None or not wanted.widest or len(self._index) < 2:
            return None
        self._part.find_links(self._index, "balanced", wanted.widest)
        return Deflickering(
            self._part.smooth(self._index, "balanced", wanted.widest, self._places),
            self._part.pipeline.loop_codec,
            window=wanted.window,
            strength=self._strength(wanted.strength),
            steps=wanted.steps,
            interval=wanted.interval,
            skip_last=wanted.skip_last,
            places=self._places,
            anchor=self._anchor,
        )

    def _strength(self, value: Numbers) -> Numbers | torch.Tensor:
        """Of the deflickering: one for each restyled frame where it is animated, else the value."""
        frames = [self._part.frames[i] for i in self.restyled]
        return per_frame(self._settings, "deflicker.strength", value, frames)

    def _anchor(self, place: int) -> torch.Tensor:
        return torch.from_numpy(self._finished[self._index[place]]()).to(self._part.device)

    def _path(self, step: int | str) -> Path:
        """Of a step's checkpoint, or a pattern of steps."""
        number = f"{step:04d}" if isinstance(step, int) else step
        return self._context.job_dir / CACHE_FOLDER / f"latents-{self._name}-{number}.safetensors"

    def _keep(self, done: StepDone) -> None:
        """Put the state after a step on disk and enter it in the journal; only then may those before go."""
        path = self._path(done.step)
        save_tensors(path, {LATENTS: done.latents, **{STATE + name: tensor for name, tensor in done.state.items()}})
        self._context.journal.step_finished(done.step, path)
        # All, not the last: a run that was killed here, or went on from further back, leaves others.
        for other in path.parent.glob(self._path("[0-9]" * 4).name):
            if other != path:
                other.unlink(missing_ok=True)
        self._context.latest.show(lambda: self._decoded(done.x0(len(done.latents) // 2)))
        self._context.progress(self._stage, done.step + 1, done.step_count)

    def _decoded(self, latents: torch.Tensor) -> np.ndarray:
        """The frame (H, W, 3) of latents (1, C, h, w), as the loop itself decodes."""
        (picture,) = decode_each(self._part.pipeline.loop_codec, latents)
        return picture.float().cpu().numpy()


def _last(schedule: Numbers) -> float:
    """What a schedule of the deflickering ends with: the finished frames come after the last step."""
    return scheduled(schedule, 1, 2)


def restyle_apart(part: Part, index: Sequence[int]) -> list[np.ndarray]:
    """Pictures (H, W, 3) of some frames restyled each by itself: noise of its own, no neighbours."""
    pipeline, sampler = part.pipeline, part.pipeline.sampler()
    noise = part.noise(index, kind="independent")
    sources = part.encode(map(part.inputs.source, index), len(index)) if part.settings.strength < 1 else None
    with pipeline.denoiser(index, None, alone=True) as model:
        latents = denoise(
            model,
            sampler,
            sampler.start(sources, noise.initial()),
            windows=pipeline.windows(len(index), alone=True),
            fresh_noise=noise.fresh,
            batch_memory=pipeline.ladder,
            should_stop=part.context.is_cancelled,
        )
    return [picture.cpu().numpy() for picture in decode_each(pipeline.codec, latents)]
