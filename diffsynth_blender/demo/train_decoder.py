"""First stage of training: the decoder, on random crops of every look and a share of drawn pictures.

The encoder is not trained (train_encoder.py), so latents never move and the diffusion stage can run beside this one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch.nn import functional

from .train_ahead import Ahead
from .train_data import LOOKS
from .train_encoder import block_latents
from .train_loop import Plan, Training
from .train_procedural import draw_picture
from .train_store import SceneStore

CPU = torch.device("cpu")
BATCHES = {"cpu": (4, 1, 0), "cuda": (64, 8, 2)}
"""On a kind of device: crops per step, threads that draw them, batches each of those has ready."""
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


def train_decoder(
    vae: AutoencoderKL,
    spread: np.ndarray,
    store: SceneStore,
    folder: Path,
    *,
    minutes: float,
    device: torch.device = CPU,
    peak_rate: float = 1.2e-3,
    crop: int = 128,
    procedural_share: float = 0.1,
    seed: int = 0,
) -> None:
    """Train the decoder for `minutes` of wall clock, resuming from `decoder.pt` in `folder`."""
    vae.requires_grad_(False).eval().to(device)
    training = Training(vae.decoder.requires_grad_(True), Plan("decoder", folder, minutes, peak_rate, seed=seed))
    batch_size, drawers, ahead = BATCHES[device.type]

    def drawer(number: int) -> Callable[[], np.ndarray]:
        rng = np.random.default_rng((seed, training.step, number))
        return lambda: draw_batch(store, rng, batch_size=batch_size, crop=crop, procedural_share=procedural_share)

    batches = Ahead([drawer(number) for number in range(drawers)], depth=ahead)

    def gradients(progress: float) -> float:
        pictures = to_tensor(batches.next()).to(device)
        latents = block_latents(pictures, spread)
        shares = torch.rand(batch_size, 1, 1, 1, device=device)
        latents = latents + torch.randn_like(latents) * LATENT_NOISE * shares
        with torch.autocast(device.type, torch.bfloat16):
            painted = vae.decoder(latents)
        loss = picture_loss(painted.float(), pictures)
        loss.backward()
        return float(loss.detach())

    def on_log() -> dict[str, object]:
        store.refresh()
        return {"scenes": len(store.training)}

    training.run(gradients, on_log)
    vae.to(CPU)
