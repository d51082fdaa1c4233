"""Contact sheet of an exported model, to be looked at.

Held-out scenes in rows; controls, source, then each look from noise and from the noised source.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..diffusion.conditioning import ControlInput
from ..diffusion.denoise import denoise
from ..diffusion.families import UNetDenoiser
from ..diffusion.latents import LatentCodec
from ..diffusion.noise import fixed_noise
from ..diffusion.prompt import encode_prompts
from ..diffusion.sampler import Sampler
from ..models.checkpoint import Checkpoint, CheckpointRequest, load_checkpoint
from .train_data import LOOKS, Scene
from .train_store import SceneStore

PROMPTS = {
    "realistic": "a realistic photo",
    "clay": "a clay render",
    "gold": "a polished gold sculpture",
    "toon": "a toon drawing, cel shading",
    "watercolour": "a watercolour painting",
}


def to_pictures(frames: torch.Tensor) -> np.ndarray:
    """Turn frames in [0, 1] into uint8, shape (T, H, W, 3)."""
    return (frames.clamp(0, 1).numpy() * 255).round().astype(np.uint8)


def restyle(
    checkpoint: Checkpoint,
    scenes: Sequence[Scene],
    prompt: str,
    *,
    strength: float,
    steps: int,
    guidance_scale: float,
    seed: int = 0,
) -> np.ndarray:
    """One picture per scene, uint8 (T, H, W, 3), as the product makes it: noised source, both ControlNets."""
    source = torch.from_numpy(np.stack([scene.looks["realistic"] for scene in scenes])).float() / 255.0
    codec = LatentCodec(checkpoint.vae, height=source.shape[1], width=source.shape[2], device=torch.device("cpu"))
    depth = torch.from_numpy(np.stack([scene.depth.astype(np.float32) for scene in scenes]))[:, None]
    normal = torch.from_numpy(np.stack([scene.normal for scene in scenes])).permute(0, 3, 1, 2).float() / 255.0
    nets = {control.kind: control.net for control in checkpoint.controlnets}
    controls = [
        ControlInput(nets["depth"], depth.expand(-1, 3, -1, -1), 1.0),
        ControlInput(nets["normal"], normal, 1.0),
    ]
    sampler = Sampler("ddim", checkpoint.scheduler_config, steps=steps, strength=strength)
    text = encode_prompts(checkpoint.family, checkpoint.tokenizers, checkpoint.text_encoders, ("", prompt))
    denoiser = UNetDenoiser(checkpoint.network, text, controls=controls, guidance_scale=guidance_scale)
    start = sampler.start(codec.encode(source), fixed_noise(len(scenes), codec.latent_shape, seed=seed))
    return to_pictures(codec.decode(denoise(denoiser, sampler, start)))


def contact_sheet(
    checkpoint: Checkpoint,
    scenes: Sequence[Scene],
    *,
    steps: int,
    guidance_scale: float,
    strengths: Sequence[float],
) -> Image.Image:
    """Rows: scenes. Columns: depth, normal, source, source through the VAE, then every look at every strength."""
    source = np.stack([scene.looks["realistic"] for scene in scenes])
    codec = LatentCodec(checkpoint.vae, height=source.shape[1], width=source.shape[2], device=torch.device("cpu"))
    depth = np.stack([scene.depth.astype(np.float32) * 255 for scene in scenes]).round().astype(np.uint8)
    columns = [
        np.repeat(depth[..., None], 3, axis=3),
        np.stack([scene.normal for scene in scenes]),
        source,
        to_pictures(codec.decode(codec.encode(torch.from_numpy(source).float() / 255.0))),
    ]
    for strength in strengths:
        for look in LOOKS:
            columns.append(
                restyle(
                    checkpoint, scenes, PROMPTS[look], strength=strength, steps=steps, guidance_scale=guidance_scale
                )
            )
    return Image.fromarray(np.hstack([column.reshape(-1, *column.shape[2:]) for column in columns]))


def main(words: Sequence[str] | None = None) -> None:
    """Parse the command line and write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("build/dataset"))
    parser.add_argument("--model", type=Path, default=Path(__file__).parent / "model")
    parser.add_argument("--output", type=Path, default=Path("build/training/sheet.png"))
    parser.add_argument("--scenes", type=int, nargs="+", default=list(range(10)), help="numbers of held-out scenes")
    parser.add_argument("--strengths", type=float, nargs="+", default=[1.0, 0.7])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--guidance", type=float, default=3.0)
    arguments = parser.parse_args(words)
    torch.set_num_threads(1)
    request = CheckpointRequest(str(arguments.model.resolve()), (("depth", ""), ("normal", "")))
    checkpoint = load_checkpoint(request, device=torch.device("cpu"), dtype=torch.float32)
    scenes = [
        scene for scene in SceneStore(arguments.data, held_out_only=True).held_out if scene.index in arguments.scenes
    ]
    sheet = contact_sheet(
        checkpoint,
        scenes,
        steps=arguments.steps,
        guidance_scale=arguments.guidance,
        strengths=tuple(arguments.strengths),
    )
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(arguments.output)


if __name__ == "__main__":
    main()
