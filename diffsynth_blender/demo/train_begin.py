"""Begin a training with the weights of a model folder instead of random ones: of the model that ships, or of any other.

The new training keeps the model's autoencoder and its words; new scenes and looks are told in those.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from .train_batches import CONTROLS
from .train_checkpoint import save_checkpoint
from .train_diffusion import DemoModel
from .train_encoder import block_latents

TOKENIZER, SPREAD, VAE = "tokenizer", "spread.npy", "vae"
"""What all stages of a training share, in its folder."""


def begin_with(model: Path, training: Path) -> None:
    """Lay out the folder of a new training as if every stage had been run for no time and given the model's weights.

    Args:
        model: a model folder that `train_export.export` has written.
        training: folder of the new training; one that has a checkpoint of any stage has begun and is left alone.

    Raises:
        FileNotFoundError: a part of the model is missing.
        ValueError: its nets have other sizes than those of train_model.
    """
    if any(training.glob("*.pt")):
        return
    nets = (f"controlnet_{kind}" for kind in CONTROLS)
    missing = [part for part in (TOKENIZER, VAE, "text_encoder", "unet", *nets) if not (model / part).is_dir()]
    if missing:
        raise FileNotFoundError(f"{model}: no model to begin with, it lacks {', '.join(missing)}")
    for part in (TOKENIZER, VAE):
        shutil.copytree(model / part, training / part, dirs_exist_ok=True)
    np.save(training / SPREAD, spread_of(AutoencoderKL.from_pretrained(model / VAE, torch_dtype=torch.float32).eval()))
    weights = read_weights(model).state_dict()
    state = {"model": weights, "mean": weights, "optimizer": None, "step": 0, "spent": 0.0}
    save_checkpoint(training / "diffusion.pt", state)


def read_weights(folder: Path) -> DemoModel:
    """What the diffusion stage trains, from a model folder, single precision; for errors see `begin_with`."""
    model = DemoModel(CLIPTokenizer.from_pretrained(folder / TOKENIZER, local_files_only=True))
    nets = {f"controlnet_{kind}": (ControlNetModel, net) for kind, net in model.controlnets.items()}
    parts = {"text_encoder": (CLIPTextModel, model.text_encoder), "unet": (UNet2DConditionModel, model.unet), **nets}
    for name, (kind, part) in parts.items():
        try:
            part.load_state_dict(kind.from_pretrained(folder / name, torch_dtype=torch.float32).state_dict())
        except RuntimeError as error:
            raise ValueError(f"{folder / name}: its sizes are not those of demo/train_model.py; {error}") from error
    return model


@torch.no_grad()
def spread_of(vae: AutoencoderKL) -> np.ndarray:
    """Divisors of the latents that an autoencoder's encoder was set with (train_encoder.set_encoder), (channels,)."""
    noise = 2 * torch.rand(16, 3, 64, 64, generator=torch.Generator().manual_seed(0)) - 1
    latents = vae.encode(noise).latent_dist.mean
    undivided = block_latents(noise, np.ones(latents.shape[1]))
    return ((undivided * latents).sum((0, 2, 3)) / latents.square().sum((0, 2, 3))).numpy()
