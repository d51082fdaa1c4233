"""Last stage of training: the tiny autoencoder of a finished model.

The deflickering inside the denoising loop decodes and encodes every frame at every step it works at; there a decoder
of a sixth of the cost does. It learns to paint what the model's own decoder paints of the same latents: of pictures, of
mixtures of looks as they occur on the way from a source to its restyling, and under noise. The encoder is not learnt,
see train_tiny_encoder.py. Resumable: samples and weights are kept in the training folder.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderTiny

from ..diffusion.lean_tiny_vae import half_size_kernel
from ..diffusion.lean_vae import lean_vae
from .train_checkpoint import save_checkpoint
from .train_data import LOOKS
from .train_decoder import CPU, draw_batch, picture_loss, to_tensor
from .train_loop import Plan, Training
from .train_store import SceneStore
from .train_tiny_encoder import LATENT_SCALE, encoder_width, read_functionals, set_tiny_encoder

WIDTH = 24
BLOCKS = (4, 3, 1, 0)
"""Of the decoder, from an eighth of the size to the whole; the end without blocks is what `lean_tiny_vae` relies on."""
CROP = 128
SAMPLES = 4096
MIXED_SHARE = 0.4
"""Share of samples between two pictures' latents."""
NOISE = 0.3
"""Largest standard deviation of noise on the latents; inside the loop x0 is never exact."""
PEAK_RATE = 2e-3
BATCH = 8


@dataclass(frozen=True)
class Samples:
    """What the student learns from."""

    latents: torch.Tensor
    """(N, C, h, w), half precision."""
    pictures: torch.Tensor
    """What the teacher paints of them, uint8, (N, 3, 8h, 8w)."""


def make_tiny_vae(functionals: np.ndarray) -> AutoencoderTiny:
    """A tiny autoencoder with its encoder set and a decoder of random weights."""
    vae = AutoencoderTiny(
        encoder_block_out_channels=(encoder_width(functionals),) * 4,
        decoder_block_out_channels=(WIDTH,) * 4,
        num_encoder_blocks=(0,) * 4,
        num_decoder_blocks=BLOCKS,
        latent_channels=len(functionals),
        scaling_factor=LATENT_SCALE,
    )
    set_tiny_encoder(vae, functionals)
    with torch.no_grad():
        vae.decoder.layers[0].weight.mul_(LATENT_SCALE)
    return vae


@torch.inference_mode()
def draw_samples(teacher: AutoencoderKL, store: SceneStore, *, count: int, seed: int) -> Samples:
    """Latents of crops of the training scenes and what the teacher paints of them."""
    lean, rng, device = lean_vae(teacher), np.random.default_rng(seed), teacher.device
    randoms = torch.Generator().manual_seed(seed)
    latents, pictures = [], []
    for first in range(0, count, BATCH):
        size = min(BATCH, count - first)
        crops = to_tensor(draw_batch(store, rng, batch_size=2 * size, crop=CROP, procedural_share=0.1))
        one, other = lean.encode(crops.to(device)).latent_dist.mode().cpu().split(size)
        share = torch.rand(size, 1, 1, 1, generator=randoms)
        share = torch.where(torch.rand(size, 1, 1, 1, generator=randoms) < MIXED_SHARE, share, 0.0)
        noise = torch.randn(one.shape, generator=randoms) * torch.rand(size, 1, 1, 1, generator=randoms) * NOISE
        latents.append((torch.lerp(one, other, share) + noise).half())
        painted = lean.decode(latents[-1].to(device).float()).sample.cpu()
        pictures.append(((painted.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8))
    return Samples(torch.cat(latents), torch.cat(pictures))


def decode_lean(vae: AutoencoderTiny, latents: torch.Tensor) -> torch.Tensor:
    """What the decoder paints, [-1, 1], computed as `lean_tiny_vae` does so that the steps are as cheap."""
    *stages, upsample, widen, paint = vae.decoder.layers
    features = torch.nn.Sequential(*stages)(torch.tanh(latents / LATENT_SCALE / 3) * 3)
    kernel = half_size_kernel(torch.nn.Sequential(upsample, widen, paint), WIDTH, paint.bias)
    pixels = torch.nn.functional.conv2d(features, kernel, paint.bias.repeat_interleave(4), padding=1)
    return torch.nn.functional.pixel_shuffle(pixels, 2) * 2 - 1


@torch.inference_mode()
def agreement(tiny: AutoencoderTiny, teacher: AutoencoderKL, store: SceneStore) -> float:
    """Mean PSNR in dB between the two decoders' pictures of every look of the held-out scenes."""
    values = []
    for scene in store.held_out:
        for look in LOOKS:
            latents = teacher.encode(to_tensor(scene.looks[look][None])).latent_dist.mode()
            wanted = teacher.decode(latents).sample.clamp(-1, 1)
            error = (tiny.decode(latents / LATENT_SCALE).sample.clamp(-1, 1) - wanted) / 2
            values.append(-10 * math.log10(float(error.square().mean())))
    return float(np.mean(values))


def train_tiny(
    teacher: AutoencoderKL,
    store: SceneStore,
    folder: Path,
    *,
    minutes: float,
    device: torch.device = CPU,
    sample_count: int = SAMPLES,
    seed: int = 0,
) -> AutoencoderTiny:
    """Train for `minutes` of wall clock, the drawing of samples not counted, or go on with it: `tiny.pt`."""
    torch.manual_seed(seed)
    vae = make_tiny_vae(read_functionals(teacher)).to(device, memory_format=torch.channels_last)
    drawn = folder / "tiny_samples.pt"
    if not drawn.is_file():
        save_checkpoint(drawn, vars(draw_samples(teacher.to(device), store, count=sample_count, seed=seed)))
        teacher.to(CPU)
    samples = Samples(**torch.load(drawn, weights_only=True))
    training = Training(vae.decoder, Plan("tiny", folder, minutes, PEAK_RATE, log_every=100, seed=seed))
    rng = np.random.default_rng((seed, training.step))

    def gradients(progress: float) -> float:
        chosen = torch.from_numpy(rng.integers(0, len(samples.latents), BATCH))
        target = samples.pictures[chosen].to(device).float() / 127.5 - 1
        with torch.autocast(device.type, torch.bfloat16):
            painted = decode_lean(vae, samples.latents[chosen].to(device).float())
        loss = picture_loss(painted.float(), target)
        loss.backward()
        return float(loss.detach())

    training.run(gradients)
    return vae.to(CPU).eval()


def export_tiny(tiny: AutoencoderTiny, model: Path) -> None:
    """Write the tiny autoencoder as part of a model folder, half precision."""
    folder = model / "vae_tiny"
    tiny.to(torch.float16).save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    del config["block_out_channels"]  # diffusers writes it and, reading it, warns that it knows no such thing
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    for file in folder.glob("*.safetensors"):
        file.chmod(0o644)  # safetensors writes files that only their owner can read
