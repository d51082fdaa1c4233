"""Second stage of training: U-Net, text encoder and all ControlNets together, on cached latents of every look."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import CLIPTokenizer

from .train_ahead import Ahead
from .train_batches import CONTROLS, Batch, BatchMaker, LatentCache
from .train_loop import Plan, Training
from .train_model import make_controlnet, make_scheduler, make_text_encoder, make_unet
from .train_parallel import ReplicaPool
from .train_store import SceneStore

CPU = torch.device("cpu")
EMA_DECAY = 0.998
CROP = 16
"""Side of the crops in latents: 128 px. A third of the time per sample of whole pictures, and looks are local."""
WHOLE_FROM = 0.7
"""Share of the time after which whole pictures are used, a fourth as many."""
RESTYLE_SHARE = 0.75
"""Share of samples on the way of a restyling, see `prediction_loss`; the others denoise noise alone."""
EARLIEST_START = 300
"""A restyling starts from a timestep between this one and the last: strengths of 0.3 to 1."""


@dataclass(frozen=True)
class Scale:
    """How much is done together on a kind of device."""

    batch: int
    """Samples per thread and step, of crops; whole pictures are a fourth as many."""
    threads: int
    """Replicas of the model (train_parallel.py)."""
    drawers: int
    """Threads that draw batches for each."""
    ahead: int
    """Batches each of them has ready; 0 draws when a batch is needed."""

    def drawn(self, progress: float) -> tuple[int, int]:
        """Samples per thread and step and the side of their crops in latents, when a share of the time is spent."""
        return (self.batch, CROP) if progress < WHOLE_FROM else (max(self.batch // 4, 1), 2 * CROP)


SCALES = {
    "cpu": Scale(batch=12, threads=2, drawers=1, ahead=0),
    "cuda": Scale(batch=96, threads=1, drawers=6, ahead=2),
}
"""A step costs a processor five samples or more, whatever the batch: fewer than 12 waste it, more make steps few."""


class DemoModel(nn.Module):
    """Everything that is trained in this stage; named parts, so that one state dict holds them all."""

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        """Build the parts with random weights."""
        super().__init__()
        self.text_encoder = make_text_encoder(tokenizer)
        self.unet = make_unet()
        self.controlnets = nn.ModuleDict({kind: make_controlnet(self.unet) for kind in CONTROLS})


def prediction_loss(model: DemoModel, batch: Batch, alphas: torch.Tensor) -> torch.Tensor:
    """Mean squared error of the picture that follows from the predicted v (Salimans & Ho 2022).

    That is the error of v times the noise's variance. Unweighted, most of the loss lay where there is little noise and
    a wrong v hardly changes the picture, and most of so small a model went there.

    Restyling starts from the noised *realistic* picture. Were every x0 predicted right, DDIM would carry the difference
    between that picture and the wanted look along as part of the noise: started at timestep s, at timestep t the
    picture under the noise is the wanted one plus sigma(t) / sigma(s) of the difference. Most samples are drawn from
    that way, so that the model sees what it will see, and turns the source into the look instead of repeating it.
    """
    noisy, timesteps, target = noised(batch, alphas)
    errors = (predict(model, batch, noisy, timesteps).float() - target).square().mean(dim=(1, 2, 3))
    return (errors * (1 - alphas[timesteps])).mean()


def noised(batch: Batch, alphas: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Noisy latents of a batch at random timesteps, the timesteps, and the v that is to be predicted."""
    size, device = len(batch.latents), batch.latents.device
    is_restyling = torch.rand(size, device=device) < RESTYLE_SHARE
    start = torch.randint(EARLIEST_START, len(alphas), (size,), device=device)
    timesteps = torch.where(
        is_restyling,
        (torch.rand(size, device=device) * (start + 1)).long(),
        torch.randint(0, len(alphas), (size,), device=device),
    )
    sigmas = ((1 - alphas) / alphas).sqrt()
    mixture = torch.where(is_restyling, sigmas[timesteps] / sigmas[start], 0.0).view(-1, 1, 1, 1)
    alpha = alphas[timesteps].view(-1, 1, 1, 1)
    hidden = torch.lerp(batch.latents, batch.sources, mixture)
    noisy = alpha.sqrt() * hidden + (1 - alpha).sqrt() * torch.randn_like(hidden)
    target = (alpha.sqrt() * noisy - batch.latents) / (1 - alpha).sqrt()
    return noisy, timesteps, target


def predict(model: DemoModel, batch: Batch, noisy: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
    """What the model makes of noisy latents with the batch's captions and controls, half precision."""
    with torch.autocast(noisy.device.type, torch.bfloat16):
        text = model.text_encoder(batch.tokens)[0]
        down, middle = None, None
        for kind, picture in batch.controls.items():
            down_i, middle_i = model.controlnets[kind](noisy, timesteps, text, picture, return_dict=False)
            down = down_i if down is None else [a + b for a, b in zip(down, down_i, strict=True)]
            middle = middle_i if middle is None else middle + middle_i
        return model.unet(
            noisy,
            timesteps,
            text,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
            return_dict=False,
        )[0]


def train_diffusion(
    model: DemoModel,
    spread: np.ndarray,
    tokenizer: CLIPTokenizer,
    store: SceneStore,
    folder: Path,
    *,
    minutes: float,
    device: torch.device = CPU,
    threads: int = 0,
    peak_rate: float = 1e-3,
    seed: int = 0,
) -> None:
    """Train for `minutes` of wall clock, resuming from `diffusion.pt` in `folder`; what ships is its running mean.

    `threads` replicas work side by side; 0 for what suits the device.
    """
    model.to(device, memory_format=torch.channels_last).train()
    scale = SCALES[device.type]
    threads = threads or scale.threads
    plan = Plan(
        "diffusion", folder, minutes, peak_rate, 200,
        weight_decay=1e-3, muon_threads=threads, mean_decay=EMA_DECAY, seed=seed,
    )  # fmt: skip
    training = Training(model, plan)
    cache = LatentCache(spread)
    sources = batch_sources(store, cache, tokenizer, scale, threads=threads, seed=seed + 1000 * training.step)
    alphas = make_scheduler().alphas_cumprod.to(device)
    pool = ReplicaPool(model, thread_count=threads)
    samples = 0

    def gradients(progress: float) -> float:
        nonlocal samples
        size, crop = scale.drawn(progress)
        samples += size * threads
        return pool.accumulate(
            lambda replica, thread: prediction_loss(replica, sources[thread].next(size, crop).to(device), alphas)
        )

    def on_log() -> dict[str, object]:
        store.refresh()
        return {"samples": samples, "scenes": len(store.training)}

    with quick_attention(device):
        training.run(gradients, on_log)


def batch_sources(
    store: SceneStore, cache: LatentCache, tokenizer: CLIPTokenizer, scale: Scale, *, threads: int, seed: int
) -> list[Ahead[Batch]]:
    """What each of the threads draws its batches from, with random numbers of its own."""
    makers = [BatchMaker(store, cache, tokenizer, seed=seed + drawer) for drawer in range(threads * scale.drawers)]
    groups = (makers[first : first + scale.drawers] for first in range(0, len(makers), scale.drawers))
    return [Ahead([maker.draw for maker in group], depth=scale.ahead) for group in groups]


def quick_attention(device: torch.device) -> AbstractContextManager[None]:
    """With so few tokens plain products take an eighth less of a step than the processor's fused kernel."""
    return sdpa_kernel(SDPBackend.MATH) if device == CPU else nullcontext()
