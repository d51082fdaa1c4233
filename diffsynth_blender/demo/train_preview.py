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
    "ice": "an ice sculpture",
    "toon": "a toon drawing, cel shading",
    "watercolour": "a watercolour painting",
    "oil": "an oil painting",
    "pencil": "a pencil drawing",
    "neon": "neon night",
    "miniature": "tilt-shift miniature",
}


def load_model(folder: Path, *, tiny_vae: bool = False) -> Checkpoint:
    """A model folder with all of its ControlNets, in single precision on the processor."""
    kinds = sorted(path.name.removeprefix("controlnet_") for path in folder.glob("controlnet_*"))
    request = CheckpointRequest(str(folder.resolve()), tuple((kind, "") for kind in kinds), tiny_vae=tiny_vae)
    return load_checkpoint(request, device=torch.device("cpu"), dtype=torch.float32)


def to_pictures(frames: torch.Tensor) -> np.ndarray:
    """Turn frames in [0, 1] into uint8, shape (T, H, W, 3)."""
    return (frames.clamp(0, 1).numpy() * 255).round().astype(np.uint8)


def restyle(
    checkpoint: Checkpoint,
    scene: Scene,
    prompt: str,
    *,
    strength: float,
    steps: int,
    guidance_scale: float,
    seed: int = 0,
) -> np.ndarray:
    """The scene restyled as the product does it, uint8 (H, W, 3): noised source, all ControlNets there are."""
    source = torch.from_numpy(np.array(scene.looks["realistic"]))[None].float() / 255.0
    codec = LatentCodec(checkpoint.vae, height=source.shape[1], width=source.shape[2], device=torch.device("cpu"))
    pictures = {
        "depth": torch.from_numpy(scene.depth.astype(np.float32)).expand(1, 3, -1, -1),
        "normal": torch.from_numpy(np.array(scene.normal)).permute(2, 0, 1)[None].float() / 255.0,
        "tile": source.permute(0, 3, 1, 2),
    }
    controls = [ControlInput(control.net, pictures[control.kind], 1.0) for control in checkpoint.controlnets]
    sampler = Sampler("ddim", checkpoint.scheduler_config, steps=steps, strength=strength)
    text = encode_prompts(checkpoint.family, checkpoint.tokenizers, checkpoint.text_encoders, ("", prompt))
    denoiser = UNetDenoiser(checkpoint.network, text, controls=controls, guidance_scale=guidance_scale)
    start = sampler.start(codec.encode(source), fixed_noise(1, codec.latent_shape, seed=seed))
    return to_pictures(codec.decode(denoise(denoiser, sampler, start)))[0]


def contact_sheet(
    checkpoint: Checkpoint,
    scenes: Sequence[Scene],
    *,
    steps: int,
    guidance_scale: float,
    strengths: Sequence[float],
    truth: bool = False,
) -> Image.Image:
    """Rows: scenes. Columns: depth, normal, source, source through the VAE, then every look at every strength.

    With `truth` a second row of each scene has the true renders of the looks.
    """
    rows = []
    how = {"steps": steps, "guidance_scale": guidance_scale}
    for scene in scenes:
        source = np.array(scene.looks["realistic"])
        codec = LatentCodec(checkpoint.vae, height=source.shape[0], width=source.shape[1], device=torch.device("cpu"))
        depth = np.repeat((scene.depth.astype(np.float32) * 255).round().astype(np.uint8)[..., None], 3, axis=2)
        coded = to_pictures(codec.decode(codec.encode(torch.from_numpy(source)[None].float() / 255.0)))[0]
        first = [depth, np.array(scene.normal), source, coded]
        styled = [restyle(checkpoint, scene, PROMPTS[look], strength=s, **how) for s in strengths for look in LOOKS]
        rows.append([*first, *styled])
        if truth:
            rows.append([*first, *(np.array(scene.looks[look]) for _ in strengths for look in LOOKS)])
    side = max(row[0].shape[0] for row in rows)
    return Image.fromarray(np.vstack([np.hstack([_sized(picture, side) for picture in row]) for row in rows]))


def _sized(picture: np.ndarray, side: int) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS))


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
    parser.add_argument("--truth", action="store_true", help="a row of true renders under each row")
    arguments = parser.parse_args(words)
    torch.set_num_threads(1)
    checkpoint = load_model(arguments.model)
    scenes = [
        scene for scene in SceneStore(arguments.data, held_out_only=True).held_out if scene.index in arguments.scenes
    ]
    sheet = contact_sheet(
        checkpoint,
        scenes,
        steps=arguments.steps,
        guidance_scale=arguments.guidance,
        strengths=tuple(arguments.strengths),
        truth=arguments.truth,
    )
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(arguments.output)


if __name__ == "__main__":
    main()
