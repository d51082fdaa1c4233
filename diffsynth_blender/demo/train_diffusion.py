"""Second stage of training: U-Net, text encoder and both ControlNets together, on cached latents of every look."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from transformers import CLIPTokenizer

from .train_captions import caption
from .train_checkpoint import (
    CHECKPOINT_SECONDS,
    TrainingClock,
    append_log,
    cosine_rate,
    load_checkpoint,
    save_checkpoint,
)
from .train_data import LOOKS, Scene, SceneStore
from .train_decoder import to_tensor
from .train_encoder import block_latents
from .train_model import make_controlnet, make_scheduler, make_text_encoder, make_unet
from .train_parallel import ReplicaPool

CONTROL_SHARES = ((True, True, 0.64), (True, False, 0.16), (False, True, 0.16), (False, False, 0.04))
"""Depth used, normal used, share of batches: each ControlNet must also work alone."""
EMA_DECAY = 0.998
CROP = 16
"""Side of the crops in latents: 128 px. A third of the time per sample of whole pictures, and looks are local."""
WHOLE_FROM = 0.7
"""Share of the time after which whole pictures are used, a fourth as many."""
RESTYLE_SHARE = 0.75
"""Share of samples on the way of a restyling, see `prediction_loss`; the others denoise noise alone."""
EARLIEST_START = 400
"""A restyling starts from a timestep between this one and the last: strengths of 0.4 to 1."""


class DemoModel(nn.Module):
    """Everything that is trained in this stage; named parts, so that one state dict holds them all."""

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        """Build the parts with random weights."""
        super().__init__()
        self.text_encoder = make_text_encoder(tokenizer)
        self.unet = make_unet()
        self.controlnet_depth = make_controlnet(self.unet)
        self.controlnet_normal = make_controlnet(self.unet)


class LatentCache:
    """Latents of every look of every scene, scaled; grows with the store."""

    def __init__(self, spread: np.ndarray) -> None:
        """Start empty; `spread` is the encoder's."""
        self._spread = spread
        self._latents: dict[int, torch.Tensor] = {}

    @torch.no_grad()
    def __call__(self, scene: Scene) -> torch.Tensor:
        """Latents (looks, C, h, w) of a scene in the order of LOOKS, half precision."""
        if scene.index not in self._latents:
            pictures = to_tensor(np.stack([scene.looks[look] for look in LOOKS]))
            self._latents[scene.index] = block_latents(pictures, self._spread).half()
        return self._latents[scene.index]


def control_pictures(scene: Scene, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Depth and normal control of a scene, float32 in [0, 1], shape (3, H, W) each.

    The range of the depth varies at random: at run time it is that of a whole clip, not of the one frame.
    """
    depth = scene.depth.astype(np.float32)
    foreground = depth > 0.0
    low, high = rng.uniform(-0.15, 0.1), rng.uniform(0.85, 1.3)
    depth = np.where(foreground, np.clip((depth - low) / (high - low), 0.0, 1.0), 0.0)
    return np.repeat(depth[None], 3, axis=0), scene.normal.transpose(2, 0, 1).astype(np.float32) / 255.0


@dataclass(frozen=True)
class Batch:
    """Training samples of one thread."""

    latents: torch.Tensor
    """Of the wanted look, (B, C, h, w)."""
    sources: torch.Tensor
    """Of the realistic look of the same scenes, (B, C, h, w)."""
    tokens: torch.Tensor
    """Token ids of the captions, (B, L)."""
    depth: torch.Tensor
    """Depth control, (B, 3, H, W), [0, 1]."""
    normal: torch.Tensor
    """Normal control, (B, 3, H, W), [0, 1]."""
    use_depth: bool
    use_normal: bool


class BatchMaker:
    """Draws training batches for one thread."""

    def __init__(self, store: SceneStore, cache: LatentCache, tokenizer: CLIPTokenizer, *, seed: int) -> None:
        """Each thread has its own random numbers."""
        self._store, self._cache, self._tokenizer = store, cache, tokenizer
        self._rng = np.random.default_rng(seed)
        self._words = random.Random(seed)

    def draw(self, size: int, *, crop: int) -> Batch:
        """Draw `size` crops of `crop` latents a side."""
        latents, sources, captions, depths, normals = [], [], [], [], []
        for _ in range(size):
            scene = self._store.training[self._rng.integers(len(self._store.training))]
            look = int(self._rng.integers(len(LOOKS)))
            of_looks = self._cache(scene)
            row, column = self._rng.integers(0, of_looks.shape[-1] - crop + 1, 2)
            window = (..., slice(row, row + crop), slice(column, column + crop))
            pixels = (..., slice(8 * row, 8 * (row + crop)), slice(8 * column, 8 * (column + crop)))
            latents.append(of_looks[look][window].float())
            sources.append(of_looks[LOOKS.index("realistic")][window].float())
            captions.append(caption(LOOKS[look], scene.words, self._words))
            depth, normal = control_pictures(scene, self._rng)
            depths.append(depth[pixels])
            normals.append(normal[pixels])
        tokens = self._tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
        choice = self._rng.choice(len(CONTROL_SHARES), p=[share for *_, share in CONTROL_SHARES])
        use_depth, use_normal, _ = CONTROL_SHARES[choice]
        depth, normal = (torch.from_numpy(np.ascontiguousarray(np.stack(group))) for group in (depths, normals))
        return Batch(torch.stack(latents), torch.stack(sources), tokens, depth, normal, use_depth, use_normal)


def prediction_loss(model: DemoModel, batch: Batch, alphas: torch.Tensor) -> torch.Tensor:
    """Mean squared error of the predicted v (Salimans & Ho 2022).

    Restyling starts from the noised *realistic* picture. Were every x0 predicted right, DDIM would carry the difference
    between that picture and the wanted look along as part of the noise: started at timestep s, at timestep t the
    picture under the noise is the wanted one plus sigma(t) / sigma(s) of the difference. Most samples are drawn from
    that way, so that the model sees what it will see, and turns the source into the look instead of repeating it.
    """
    size = len(batch.latents)
    is_restyling = torch.rand(size) < RESTYLE_SHARE
    start = torch.randint(EARLIEST_START, len(alphas), (size,))
    timesteps = torch.where(
        is_restyling, (torch.rand(size) * (start + 1)).long(), torch.randint(0, len(alphas), (size,))
    )
    sigmas = ((1 - alphas) / alphas).sqrt()
    mixture = torch.where(is_restyling, sigmas[timesteps] / sigmas[start], 0.0).view(-1, 1, 1, 1)
    alpha = alphas[timesteps].view(-1, 1, 1, 1)
    hidden = torch.lerp(batch.latents, batch.sources, mixture)
    noisy = alpha.sqrt() * hidden + (1 - alpha).sqrt() * torch.randn_like(hidden)
    target = (alpha.sqrt() * noisy - batch.latents) / (1 - alpha).sqrt()
    with torch.autocast("cpu", torch.bfloat16):
        text = model.text_encoder(batch.tokens)[0]
        down, middle = None, None
        for net, picture, used in (
            (model.controlnet_depth, batch.depth, batch.use_depth),
            (model.controlnet_normal, batch.normal, batch.use_normal),
        ):
            if used:
                down_i, middle_i = net(noisy, timesteps, text, picture, return_dict=False)
                down = down_i if down is None else [a + b for a, b in zip(down, down_i, strict=True)]
                middle = middle_i if middle is None else middle + middle_i
        output = model.unet(
            noisy,
            timesteps,
            text,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
            return_dict=False,
        )[0]
    return functional.mse_loss(output.float(), target)


def train_diffusion(
    model: DemoModel,
    spread: np.ndarray,
    tokenizer: CLIPTokenizer,
    store: SceneStore,
    folder: Path,
    *,
    minutes: float,
    peak_rate: float = 8e-4,
    batch_size: int = 8,
    thread_count: int = 2,
    seed: int = 0,
) -> None:
    """Train for `minutes` of wall clock with `batch_size` samples per thread, resuming from the checkpoint in `folder`.

    The checkpoint `diffusion.pt` holds the weights and their running mean, which is what ships; the log is
    `log_diffusion.csv`.
    """
    path = folder / "diffusion.pt"
    model.to(memory_format=torch.channels_last).train()
    state = load_checkpoint(path)
    if state is not None:
        model.load_state_dict(state["model"])
    parameters = list(model.parameters())
    mean = {name: value.clone() for name, value in (state["mean"] if state else model.state_dict()).items()}
    optimizer = torch.optim.AdamW(parameters, lr=peak_rate, betas=(0.9, 0.99), weight_decay=1e-3)
    step, samples, spent = 0, 0, 0.0
    if state is not None:
        optimizer.load_state_dict(state["optimizer"])
        step, samples, spent = state["step"], state["samples"], state["spent"]
    clock = TrainingClock(minutes=minutes, spent_seconds=spent)
    torch.manual_seed(seed + step)
    cache = LatentCache(spread)
    makers = [BatchMaker(store, cache, tokenizer, seed=seed + 1000 * step + t) for t in range(thread_count)]
    alphas = make_scheduler().alphas_cumprod
    pool = ReplicaPool(model, thread_count=thread_count)

    def save() -> None:
        save_checkpoint(
            path,
            {
                "model": model.state_dict(),
                "mean": mean,
                "optimizer": optimizer.state_dict(),
                "step": step,
                "samples": samples,
                "spent": clock.spent_seconds,
            },
        )

    saved = time.monotonic()
    running: list[float] = []
    while clock.progress < 1.0:
        rate = cosine_rate(clock.progress, step=step, peak=peak_rate)
        for group in optimizer.param_groups:
            group["lr"] = rate
        crop, size = (CROP, batch_size) if clock.progress < WHOLE_FROM else (2 * CROP, max(batch_size // 4, 1))
        running.append(
            pool.accumulate(lambda replica, t: prediction_loss(replica, makers[t].draw(size, crop=crop), alphas))  # noqa: B023
        )
        samples += size * thread_count
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        step += 1
        decay = min(EMA_DECAY, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                mean[name].lerp_(value, 1 - decay)
        if step % 50 == 0:
            row = {
                "step": step,
                "minutes": round(clock.spent_seconds / 60, 2),
                "samples": samples,
                "loss": round(float(np.mean(running)), 5),
                "rate": f"{rate:.2e}",
                "scenes": len(store.training),
            }
            running.clear()
            append_log(folder / "log_diffusion.csv", row)
            print(row, flush=True)
            store.refresh()
        if time.monotonic() - saved > CHECKPOINT_SECONDS:
            save()
            saved = time.monotonic()
    save()
