"""Last stage of training: the diffusion model learns on the way that it takes itself in few steps.

Until here every sample lay on a way as it would be were all predictions right. In a run they are not: each step starts
from what the last ones got wrong, and what a model of this size gets wrong adds up to grain, the more the more steps
there are. So the model goes as in a run of 4 to 8 steps, and wherever it stops has to foresee the same clean picture.

That is a consistency model (Song et al. 2023, arXiv 2303.01469, definition 1) on ways of its own (backward simulation;
Kohler et al. 2024, arXiv 2405.05224, section 3.2). A teacher that shows where the way ends, as in latent consistency
distillation, is not needed: it ends at the true render, and nothing of a teacher's errors is learnt. No adversary, no
guidance: one evaluation at a step does what guidance takes two for. What keeps texture is the score (train_energy.py):
from two noises it has to end near the truth, and not twice at the same picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from transformers import CLIPTokenizer

from ..diffusion.prediction import x0_from_output
from ..diffusion.sampler import Sampler
from .train_batches import Batch, LatentCache
from .train_decoder import CPU
from .train_diffusion import SCALES, DemoModel, batch_sources, predict, quick_attention
from .train_energy import energy_score, latent_distance, picture_distance
from .train_loop import Plan, Training
from .train_model import make_scheduler
from .train_parallel import ReplicaPool
from .train_store import SceneStore
from .train_tiny import decode_lean

STEPS = (4, 8)
"""Of a run, fewest and most; at a strength below 1 only a share of them is made, as everywhere."""
STRENGTHS = (0.3, 1.15)
"""Between these at random; what is above 1 starts from noise alone."""
PICTURE_WEIGHT = 1.0
"""Of the painted picture's score, beside that of the latents, which hardly weigh lines."""
MEAN_DECAY = 0.995
"""Of the mean that ships."""


@dataclass(frozen=True)
class Way:
    """A run in few steps that stops at one of them."""

    sampler: Sampler
    last: int
    """Step whose clean picture is looked at, 0..step_count-1."""


def draw_way(rng: np.random.Generator, device: torch.device) -> Way:
    """A number of steps, a strength and the step at which to look, each at random."""
    steps, strength = int(rng.integers(STEPS[0], STEPS[1] + 1)), min(float(rng.uniform(*STRENGTHS)), 1.0)
    sampler = Sampler("ddim", make_scheduler().config, steps=steps, strength=strength, device=device)
    return Way(sampler, int(rng.integers(sampler.step_count)))


def foresee(model: DemoModel, batch: Batch, way: Way) -> torch.Tensor:
    """Go the way from the noised sources; the clean latents (B, C, h, w) that the model foresees where it stops.

    Only the last evaluation has gradients: what came before is where the model happened to be.
    """
    sampler = way.sampler
    latents = sampler.start(batch.sources, torch.randn_like(batch.sources))
    for step in range(way.last):
        with torch.no_grad():
            latents = sampler.advance(evaluate(model, batch, sampler, latents, step), step, latents)
    output = evaluate(model, batch, sampler, latents, way.last)
    return x0_from_output(output, latents, sampler.level(way.last), sampler.prediction_type)


def evaluate(model: DemoModel, batch: Batch, sampler: Sampler, latents: torch.Tensor, step: int) -> torch.Tensor:
    """The model's output for the latents that enter a step, single precision."""
    timesteps = sampler.timesteps[step].expand(len(latents))
    return predict(model, batch, latents, timesteps).float()


def few_steps_loss(model: DemoModel, batch: Batch, way: Way, tiny: AutoencoderTiny) -> torch.Tensor:
    """Energy score of what is foreseen from two noises for each sample, of its latents and of the painted picture."""
    foreseen = foresee(model, batch.doubled(), way)
    with torch.autocast(foreseen.device.type, torch.bfloat16):
        with torch.no_grad():
            wanted = decode_lean(tiny, batch.latents).float()
        painted = decode_lean(tiny, foreseen).float()
    of_latents = energy_score(*foreseen.chunk(2), batch.latents, latent_distance)
    return of_latents + PICTURE_WEIGHT * energy_score(*painted.chunk(2), wanted, picture_distance)


def train_few_steps(
    model: DemoModel,
    tiny: AutoencoderTiny,
    spread: np.ndarray,
    tokenizer: CLIPTokenizer,
    store: SceneStore,
    folder: Path,
    *,
    minutes: float,
    device: torch.device = CPU,
    threads: int = 0,
    peak_rate: float = 3e-4,
    seed: int = 0,
    origin: int = 0,
) -> None:
    """Train for `minutes` of wall clock, resuming from `few.pt` in `folder`; what ships is its running mean.

    `threads` replicas work side by side; 0 for what suits the device. `origin` is how many steps `model` was trained.
    """
    model.to(device, memory_format=torch.channels_last).train()
    tiny.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
    scale = SCALES[device.type]
    threads = threads or scale.threads
    plan = Plan(
        "few", folder, minutes, peak_rate, muon_threads=threads, mean_decay=MEAN_DECAY, seed=seed, origin=origin
    )
    training = Training(model, plan)
    cache = LatentCache(spread)
    sources = batch_sources(store, cache, tokenizer, scale, threads=threads, seed=seed + 1000 * training.step)
    rng = np.random.default_rng((seed, training.step))
    pool = ReplicaPool(model, thread_count=threads)

    def gradients(progress: float) -> float:
        size, crop = scale.drawn(progress)
        ways = [draw_way(rng, device) for _ in range(threads)]
        return pool.accumulate(
            lambda replica, thread: few_steps_loss(
                replica, sources[thread].next(max(size // 2, 1), crop).to(device), ways[thread], tiny
            )
        )

    with quick_attention(device):
        training.run(gradients)
