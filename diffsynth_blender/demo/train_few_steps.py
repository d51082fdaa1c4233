"""Distillation of the diffusion model into one that needs 4 to 8 steps and no guidance (optional last stage).

Latent consistency (Luo et al. 2023, arXiv 2310.04378): from neighbouring points of the way that the finished model
takes *with* guidance, the student has to foresee the same clean latents; at the earlier point a running mean of itself
is believed. One evaluation at a step then does what guidance takes two for.
"""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from transformers import CLIPTokenizer

from .train_ahead import Ahead
from .train_batches import Batch, BatchMaker, LatentCache
from .train_decoder import CPU
from .train_diffusion import CROP, SCALES, DemoModel, noised, predict
from .train_loop import Plan, Training
from .train_model import make_scheduler
from .train_store import SceneStore

GUIDANCE = 1.5
"""What is built into the student: what suits the model, see its card."""
STRIDE = 40
"""Timesteps between the two points: 25 on the whole way."""
MEAN_DECAY = 0.98
"""Of the mean that is believed; what ships is the same mean."""


def clean(v: torch.Tensor, noisy: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """The clean latents that a predicted v means; `alpha` is the squared share of them in `noisy`, (B, 1, 1, 1)."""
    return alpha.sqrt() * noisy - (1 - alpha).sqrt() * v.float()


def ddim(v: torch.Tensor, noisy: torch.Tensor, alpha: torch.Tensor, alpha_earlier: torch.Tensor) -> torch.Tensor:
    """Noisy latents at an earlier point of the same way, if v is right; the alphas are as for `clean`."""
    noise = alpha.sqrt() * v.float() + (1 - alpha).sqrt() * noisy
    return alpha_earlier.sqrt() * clean(v, noisy, alpha) + (1 - alpha_earlier).sqrt() * noise


@torch.no_grad()
def step_back(
    teacher: DemoModel, batch: Batch, empty: torch.Tensor, noisy: torch.Tensor, timesteps: torch.Tensor,
    earlier: torch.Tensor, alphas: torch.Tensor,
) -> torch.Tensor:  # fmt: skip
    """Where the teacher, guided, goes by DDIM from `timesteps` to the `earlier` ones: latents (B, C, h, w).

    `empty` are the tokens of the empty caption, (B, L).
    """
    asked = predict(teacher, batch, noisy, timesteps).float()
    plain = predict(teacher, batch.with_tokens(empty), noisy, timesteps).float()
    v = plain + GUIDANCE * (asked - plain)
    return ddim(v, noisy, *(alphas[t].view(-1, 1, 1, 1) for t in (timesteps, earlier)))


def consistency_loss(
    student: DemoModel, believed: DemoModel, teacher: DemoModel, batch: Batch, empty: torch.Tensor, alphas: torch.Tensor
) -> torch.Tensor:
    """How far the student's clean latents are from those that the believed one sees a little further on the way."""
    noisy, timesteps, _ = noised(batch, alphas)
    earlier = (timesteps - STRIDE).clamp(min=0)
    with torch.no_grad():
        nearer = step_back(teacher, batch, empty, noisy, timesteps, earlier, alphas)
        wanted = clean(predict(believed, batch, nearer, earlier), nearer, alphas[earlier].view(-1, 1, 1, 1))
    seen = clean(predict(student, batch, noisy, timesteps), noisy, alphas[timesteps].view(-1, 1, 1, 1))
    return functional.smooth_l1_loss(seen, wanted, beta=0.1)


def train_few_steps(
    teacher: DemoModel,
    spread: np.ndarray,
    tokenizer: CLIPTokenizer,
    store: SceneStore,
    folder: Path,
    *,
    minutes: float,
    device: torch.device = CPU,
    peak_rate: float = 1e-4,
    seed: int = 0,
) -> None:
    """Train for `minutes` of wall clock, resuming from `few.pt` in `folder`; what ships is its running mean."""
    teacher.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
    student = copy.deepcopy(teacher).train().requires_grad_(True)
    training = Training(student, Plan("few", folder, minutes, peak_rate, mean_decay=MEAN_DECAY, seed=seed))
    believed = copy.deepcopy(teacher)
    scale = SCALES[device.type]
    cache = LatentCache(spread)
    makers = [
        BatchMaker(store, cache, tokenizer, seed=seed + 1000 * training.step + drawer)
        for drawer in range(scale.drawers)
    ]
    batches = Ahead([maker.draw for maker in makers], depth=scale.ahead)
    alphas = make_scheduler().alphas_cumprod.to(device)

    def gradients(progress: float) -> float:
        batch = batches.next(scale.batch, CROP).to(device)
        empty = tokenizer([""] * scale.batch, padding="max_length", return_tensors="pt").input_ids.to(device)
        believed.load_state_dict(training.mean)
        loss = consistency_loss(student, believed, teacher, batch, empty, alphas)
        loss.backward()
        return float(loss.detach())

    training.run(gradients)
