"""First stage of training: the decoder, on random crops of every look and a share of drawn pictures.

The encoder is not trained (train_encoder.py), so latents never move and the diffusion stage can run beside this one.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import nn
from torch.nn import functional

from .train_checkpoint import (
    CHECKPOINT_SECONDS,
    TrainingClock,
    append_log,
    cosine_rate,
    load_checkpoint,
    save_checkpoint,
)
from .train_data import LOOKS, SceneStore
from .train_encoder import block_latents
from .train_parallel import ReplicaPool
from .train_procedural import draw_picture

CHROMA_WEIGHT = 6.0
"""Of the colour difference at a quarter of the size."""
PERMUTED_SHARE = 0.3
"""Share of pictures whose colour channels change places, so that every hue is as common as another."""
LATENT_NOISE = 0.15
"""Largest standard deviation of noise that the decoder must shrug off: a diffusion model's latents are not exact."""


def to_tensor(pictures: np.ndarray) -> torch.Tensor:
    """Turn uint8 sRGB pictures (B, H, W, 3) into float (B, 3, H, W), [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1.0


def picture_loss(decoded: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """L1 difference, plus what plain L1 neglects: gradients at three scales, and colour.

    Hue is little of the brightness that errors are made of, and much of what people see.
    """
    error = decoded - target
    loss = error.abs().mean()
    coarse = functional.avg_pool2d(error, 4)
    loss = loss + CHROMA_WEIGHT * (coarse - coarse.mean(dim=1, keepdim=True)).abs().mean()
    for level in range(3):
        across = (error[..., :, 1:] - error[..., :, :-1]).abs().mean()
        along = (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
        loss = loss + across + along
        if level < 2:
            error = functional.avg_pool2d(error, 2)
    return loss


def draw_batch(
    store: SceneStore, rng: np.random.Generator, *, batch_size: int, crop: int, procedural_share: float
) -> np.ndarray:
    """Return random crops, uint8, shape (B, crop, crop, 3), flipped and with colour channels gained at random."""
    batch = np.empty((batch_size, crop, crop, 3), np.uint8)
    for i in range(batch_size):
        if not store.training or rng.random() < procedural_share:
            batch[i] = draw_picture(rng, size=crop)
            continue
        scene = store.training[rng.integers(len(store.training))]
        picture = scene.looks[LOOKS[rng.integers(len(LOOKS))]]
        row, column = rng.integers(0, picture.shape[0] - crop + 1), rng.integers(0, picture.shape[1] - crop + 1)
        picture = picture[row : row + crop, column : column + crop]
        if rng.random() < 0.5:
            picture = picture[:, ::-1]
        if rng.random() < PERMUTED_SHARE:
            picture = picture[..., rng.permutation(3)]
        if rng.random() < 0.2:
            picture = np.clip(picture * rng.uniform(0.6, 1.2, 3), 0, 255).astype(np.uint8)
        batch[i] = picture
    return batch


@torch.no_grad()
def held_out_psnr(vae: AutoencoderKL, store: SceneStore) -> float:
    """Mean PSNR in dB of encode-decode over every look of the held-out scenes."""
    values = []
    for scene in store.held_out:
        pictures = to_tensor(np.stack([scene.looks[look] for look in LOOKS]))
        decoded = vae.decode(vae.encode(pictures).latent_dist.mode()).sample.clamp(-1, 1)
        values += [-10 * math.log10(float(((decoded[i] - pictures[i]) / 2).square().mean())) for i in range(len(LOOKS))]
    return float(np.mean(values))


def train_decoder(
    vae: AutoencoderKL,
    spread: np.ndarray,
    store: SceneStore,
    folder: Path,
    *,
    minutes: float,
    peak_rate: float = 1.2e-3,
    batch_size: int = 4,
    crop: int = 128,
    procedural_share: float = 0.1,
    thread_count: int = 1,
    seed: int = 0,
) -> None:
    """Train the decoder for `minutes` of wall clock with `batch_size` crops per thread, resuming from `decoder.pt`.

    Writes `log_decoder.csv` beside it.
    """
    path = folder / "decoder.pt"
    vae.requires_grad_(False).eval()
    decoder = vae.decoder.requires_grad_(True)
    parameters = list(decoder.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=peak_rate, betas=(0.9, 0.99), weight_decay=1e-4)
    step, spent = 0, 0.0
    state = load_checkpoint(path)
    if state is not None:
        decoder.load_state_dict(state["decoder"])
        optimizer.load_state_dict(state["optimizer"])
        step, spent = state["step"], state["spent"]
    clock = TrainingClock(minutes=minutes, spent_seconds=spent)
    rngs = [np.random.default_rng((seed, step, thread)) for thread in range(thread_count)]
    torch.manual_seed(seed + step)
    pool = ReplicaPool(decoder, thread_count=thread_count)

    def loss_of(replica: nn.Module, thread: int) -> torch.Tensor:
        crops = draw_batch(store, rngs[thread], batch_size=batch_size, crop=crop, procedural_share=procedural_share)
        pictures = to_tensor(crops)
        latents = block_latents(pictures, spread)
        latents = latents + torch.randn_like(latents) * LATENT_NOISE * torch.rand(batch_size, 1, 1, 1)
        with torch.autocast("cpu", torch.bfloat16):
            return picture_loss(replica(latents).float(), pictures)

    def save() -> None:
        state = {"decoder": decoder.state_dict(), "optimizer": optimizer.state_dict()}
        save_checkpoint(path, {**state, "step": step, "spent": clock.spent_seconds})

    saved = time.monotonic()
    running: list[float] = []
    while clock.progress < 1.0:
        rate = cosine_rate(clock.progress, step=step, peak=peak_rate, warmup_steps=100)
        for group in optimizer.param_groups:
            group["lr"] = rate
        running.append(pool.accumulate(loss_of))
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        step += 1
        if step % 50 == 0:
            row = {
                "step": step,
                "minutes": round(clock.spent_seconds / 60, 2),
                "loss": round(float(np.mean(running)), 5),
                "rate": f"{rate:.2e}",
                "psnr": round(held_out_psnr(vae, store), 2) if step % 500 == 0 else "",
            }
            running.clear()
            append_log(folder / "log_decoder.csv", row)
            print(row, flush=True)
        if time.monotonic() - saved > CHECKPOINT_SECONDS:
            save()
            saved = time.monotonic()
    save()
