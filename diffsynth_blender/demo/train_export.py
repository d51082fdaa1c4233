"""Write a trained model as a folder in the diffusers layout, half precision, whole or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from transformers import CLIPTokenizer

from .train_captions import save_tokenizer
from .train_diffusion import DemoModel
from .train_model import make_scheduler

KEPT = ("README.md", "looks.jpg")
"""Files of the folder that training does not write."""


def export(model: DemoModel, vae: AutoencoderKL, tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Replace the model in `folder`; a reader sees the old one or the new one. Keeps the model card."""
    fresh = folder.with_name(f".{folder.name}.fresh")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    nets = {f"controlnet_{kind}": net for kind, net in model.controlnets.items()}
    for name, part in {"text_encoder": model.text_encoder, "unet": model.unet, **nets}.items():
        part.to(torch.float16).save_pretrained(fresh / name)
    vae.to(torch.float16).save_pretrained(fresh / "vae")
    make_scheduler().save_pretrained(fresh / "scheduler")
    save_tokenizer(tokenizer, fresh)
    index = {
        "_class_name": "StableDiffusionControlNetPipeline",
        "controlnet": ["diffusers", "MultiControlNetModel"],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (fresh / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    for file in fresh.rglob("*.safetensors"):
        file.chmod(0o644)  # safetensors writes files that only their owner can read
    for name in KEPT:
        if (folder / name).is_file():
            shutil.copy2(folder / name, fresh / name)
    own, tiny = Path("vae") / "diffusion_pytorch_model.safetensors", "vae_tiny"
    # A tiny autoencoder stays with the autoencoder that taught it.
    if (folder / tiny).is_dir() and (folder / own).read_bytes() == (fresh / own).read_bytes():
        shutil.copytree(folder / tiny, fresh / tiny)
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
