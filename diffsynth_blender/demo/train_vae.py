"""First stage of training: the autoencoder, on random crops of every look and a share of drawn pictures.

Afterwards the encoder is frozen (the diffusion stage caches its latents) and the decoder alone may be trained on
(`decoder_only`), which sharpens pictures without moving a single latent.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
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
from .train_parallel import ReplicaPool
from .train_procedural import draw_picture

KL_WEIGHT = 2e-4
"""Per latent element: keeps latents near unit scale, about a hundredth of the picture loss."""
LATENT_NOISE = 0.1
"""Standard deviation, in units of the latents' own, that the decoder must shrug off when trained alone."""


def to_tensor(pictures: np.ndarray) -> torch.Tensor:
    """Turn uint8 sRGB pictures (B, H, W, 3) into float (B, 3, H, W), [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1.0


def picture_loss(decoded: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """L1 difference plus L1 difference of the gradients at three scales, which is what keeps edges sharp."""
    error = decoded - target
    loss = error.abs().mean()
    for level in range(3):
        loss = (
            loss
            + (error[..., :, 1:] - error[..., :, :-1]).abs().mean()
            + (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
        )
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
        if rng.random() < 0.2:
            picture = np.clip(picture * rng.uniform(0.6, 1.2, 3), 0, 255).astype(np.uint8)
        batch[i] = picture
    return batch


@torch.no_grad()
def held_out_psnr(vae: AutoencoderKL, store: SceneStore) -> float:
    """Mean PSNR in dB of encode-decode over every look of the held-out scenes; nan when there are none yet."""
    values = []
    for scene in store.held_out:
        pictures = to_tensor(np.stack([scene.looks[look] for look in LOOKS]))
        decoded = vae.decode(vae.encode(pictures).latent_dist.mode()).sample.clamp(-1, 1)
        values += [-10 * math.log10(float(((decoded[i] - pictures[i]) / 2).square().mean())) for i in range(len(LOOKS))]
    return float(np.mean(values)) if values else math.nan


@torch.no_grad()
def measure_scaling(vae: AutoencoderKL, store: SceneStore) -> float:
    """Return 1 / standard deviation of the latents over up to 64 training scenes in every look."""
    chosen = store.training[:: max(len(store.training) // 64, 1)]
    latents = [vae.encode(to_tensor(np.stack(list(scene.looks.values())))).latent_dist.mode() for scene in chosen]
    return 1.0 / float(torch.cat(latents).std())


def train_vae(
    vae: AutoencoderKL,
    store: SceneStore,
    folder: Path,
    *,
    minutes: float,
    decoder_only: bool = False,
    peak_rate: float = 1.5e-3,
    batch_size: int = 2,
    crop: int = 128,
    procedural_share: float = 0.1,
    thread_count: int = 2,
    seed: int = 0,
) -> None:
    """Train for `minutes` of wall clock with `batch_size` crops per thread, resuming from the checkpoint in `folder`.

    Writes `log_vae.csv` there.
    """
    stage = "decoder" if decoder_only else "vae"
    path = folder / f"{stage}.pt"
    vae.requires_grad_(True).train()
    if decoder_only:
        vae.encoder.requires_grad_(False)
    state = load_checkpoint(path)
    if state is not None:
        vae.load_state_dict(state["vae"])
    parameters = [parameter for parameter in vae.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=peak_rate, betas=(0.9, 0.99), weight_decay=1e-4)
    step, spent = 0, 0.0
    if state is not None:
        optimizer.load_state_dict(state["optimizer"])
        step, spent = state["step"], state["spent"]
    clock = TrainingClock(minutes=minutes, spent_seconds=spent)
    rngs = [np.random.default_rng((seed, step, thread)) for thread in range(thread_count)]
    torch.manual_seed(seed + step)
    pool = ReplicaPool(vae, thread_count=thread_count)

    def loss_of(replica: AutoencoderKL, thread: int) -> torch.Tensor:
        crops = draw_batch(store, rngs[thread], batch_size=batch_size, crop=crop, procedural_share=procedural_share)
        pictures = to_tensor(crops)
        with torch.autocast("cpu", torch.bfloat16):
            if decoder_only:
                with torch.no_grad():
                    latents = replica.encode(pictures).latent_dist.mode()
                spread = LATENT_NOISE * torch.rand(batch_size, 1, 1, 1) / replica.config.scaling_factor
                return picture_loss(
                    replica.decode(latents + torch.randn_like(latents) * spread).sample.float(), pictures
                )
            posterior = replica.encode(pictures).latent_dist
            kl = 0.5 * (posterior.mean.float().square() + posterior.var.float() - 1.0 - posterior.logvar.float()).mean()
            return picture_loss(replica.decode(posterior.sample()).sample.float(), pictures) + KL_WEIGHT * kl

    def save() -> None:
        save_checkpoint(
            path,
            {"vae": vae.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "spent": clock.spent_seconds},
        )

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
            psnr = round(held_out_psnr(vae.eval(), store), 2) if step % 250 == 0 else ""
            vae.train()
            row = {
                "stage": stage,
                "step": step,
                "minutes": round(clock.spent_seconds / 60, 2),
                "loss": round(float(np.mean(running)), 5),
                "rate": f"{rate:.2e}",
                "scenes": len(store.training),
                "psnr": psnr,
            }
            running.clear()
            append_log(folder / "log_vae.csv", row)
            print(row, flush=True)
            store.refresh()
        if time.monotonic() - saved > CHECKPOINT_SECONDS:
            save()
            saved = time.monotonic()
    save()
