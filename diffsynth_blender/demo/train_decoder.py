"""First stage of training: the decoder, on random crops of every look and a share of drawn pictures.

The encoder is not trained (train_encoder.py), so latents never move and the diffusion stage can run beside this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch.nn import functional

from .train_ahead import Ahead
from .train_data import LOOKS, look_shares
from .train_encoder import block_latents
from .train_loop import Plan, Training
from .train_procedural import draw_picture
from .train_store import SceneStore

CPU = torch.device("cpu")
BATCHES = {"cpu": (4, 1, 0), "cuda": (64, 8, 2)}
"""On a kind of device: crops per step, threads that draw them, batches each of those has ready."""
WHOLE_FROM = 0.8
"""Share of the time after which crops are twice as large and a fourth as many.

The normalisation's means are then those of whole pictures; without that hatching went pale in even parts, 2 dB.
"""
SCALES = 3
"""Of the gradients that are compared, each half as large as the one before."""
CHROMA_WEIGHT = 6.0
"""Of the colour difference at a quarter of the size."""
LINES = ("toon", "pencil")
"""Looks that are drawn more often: thin lines are what the autoencoder loses first."""
LINES_WEIGHT = 3.0
BLOCK = 8
"""Pixels that a latent stands for, a side."""
PEAK_RATE, PEAK_RATE_ON = 1.2e-3, 5e-4
"""Learning rates of a decoder that starts from nothing, and of one that has been trained and would forget."""
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
    for gradient in gradients_at_scales(error):
        loss = loss + gradient.abs().mean()
    return loss


def gradients_at_scales(picture: torch.Tensor) -> Iterator[torch.Tensor]:
    """Differences of neighbours, across and along, of a picture (B, C, H, W) in its own size, a half and a quarter."""
    for scale in range(SCALES):
        picture = functional.avg_pool2d(picture, 2) if scale else picture
        yield picture[..., :, 1:] - picture[..., :, :-1]
        yield picture[..., 1:, :] - picture[..., :-1, :]


def draw_batch(
    store: SceneStore, rng: np.random.Generator, *, batch_size: int, crop: int, procedural_share: float
) -> np.ndarray:
    """Return random crops, uint8, shape (B, crop, crop, 3), mirrored and with colour channels gained at random."""
    batch = np.empty((batch_size, crop, crop, 3), np.uint8)
    shares = look_shares(dict.fromkeys(LINES, LINES_WEIGHT))
    for i in range(batch_size):
        if not store.training or rng.random() < procedural_share:
            batch[i] = draw_picture(rng, size=crop)
            continue
        scene = store.training[rng.integers(len(store.training))]
        look = LOOKS[rng.choice(len(LOOKS), p=shares)]
        picture = scene.looks[look]
        # Hatching repeats with the blocks, and is finer than latents can tell: it is known by its place in the block.
        grid, mirrors = (BLOCK, False) if look == "pencil" else (1, True)
        row, column = (grid * rng.integers(0, (side - crop) // grid + 1) for side in picture.shape[:2])
        picture = picture[row : row + crop, column : column + crop]
        if mirrors and rng.random() < 0.5:
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
    peak_rate: float = PEAK_RATE,
    crop: int = 128,
    procedural_share: float = 0.1,
    seed: int = 0,
) -> None:
    """Train the decoder for `minutes` of wall clock, resuming from `decoder.pt` in `folder`."""
    vae.requires_grad_(False).eval().to(device)
    training = Training(vae.decoder.requires_grad_(True), Plan("decoder", folder, minutes, peak_rate, seed=seed))
    batch_size, drawers, ahead = BATCHES[device.type]

    def drawer(number: int) -> Callable[[int, int], np.ndarray]:
        rng = np.random.default_rng((seed, training.step, number))
        return lambda size, side: draw_batch(store, rng, batch_size=size, crop=side, procedural_share=procedural_share)

    batches = Ahead([drawer(number) for number in range(drawers)], depth=ahead)

    def gradients(progress: float) -> float:
        size, side = (batch_size, crop) if progress < WHOLE_FROM else (max(batch_size // 4, 1), 2 * crop)
        pictures = to_tensor(batches.next(size, side)).to(device)
        latents = block_latents(pictures, spread)
        shares = torch.rand(size, 1, 1, 1, device=device)
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
