"""What deflickering costs: the demo model on eight frames of 256x192, one denoising step with and without."""

from collections.abc import Callable

import torch

from diffsynth_blender.blending.smoother import Smoother
from diffsynth_blender.diffusion.conditioning import ControlInput
from diffsynth_blender.diffusion.deflicker import Deflickering
from diffsynth_blender.diffusion.denoise import denoise
from diffsynth_blender.diffusion.families import UNetDenoiser
from diffsynth_blender.diffusion.latents import LatentCodec
from diffsynth_blender.diffusion.noise import fixed_noise
from diffsynth_blender.diffusion.prompt import encode_prompts
from diffsynth_blender.diffusion.sampler import Sampler
from diffsynth_blender.models.checkpoint import CheckpointRequest, load_checkpoint
from diffsynth_blender.motion.clip import Clip
from diffsynth_blender.worker.devices import choose_device, compute_dtype
from diffsynth_blender.worker.interop import smooth_tensors, warp_device
from tests.benchmarks.common import paired, ratio, spread, write_bench
from tests.reference.scene import BACKGROUND_DEPTH, demo_scene

FRAMES = 8
SIZE = (256, 192)
WINDOW = 4
STEPS = 4


def main() -> None:
    """Measure and write diffusion.json."""
    device = choose_device("auto")
    scene = demo_scene(*SIZE)
    numbers = list(range(1, FRAMES + 1))
    pictures = [scene.picture(frame) for frame in numbers]
    clip = Clip(
        numbers,
        numbers,
        scene.passes,
        {frame: scene.camera(frame) for frame in numbers},
        width=SIZE[0],
        height=SIZE[1],
        background_depth=BACKGROUND_DEPTH,
        device=warp_device(device),
    )
    smoother = Smoother(clip, pictures.__getitem__, mode="balanced", window=WINDOW)
    smoother.prepare()
    request = CheckpointRequest("demo", (("depth", ""), ("normal", "")))
    model = load_checkpoint(request, device=device, dtype=compute_dtype(device))
    codec = LatentCodec(model.vae, height=SIZE[1], width=SIZE[0], device=device)
    source = torch.stack([torch.from_numpy(picture) for picture in pictures])
    text = encode_prompts(model.family, model.tokenizers, model.text_encoders, ("", "clay"))
    noise = fixed_noise(FRAMES, codec.latent_shape, seed=0)
    image = source.permute(0, 3, 1, 2)
    controls = [ControlInput(control.net, image) for control in model.controlnets]
    denoiser = UNetDenoiser(model.network, text, controls=controls, guidance_scale=2.0)

    def run(deflicker: Deflickering | None) -> Callable[[], object]:
        def once() -> torch.Tensor:
            sampler = Sampler("ddim", model.scheduler_config, steps=STEPS, strength=1.0)
            return denoise(denoiser, sampler, sampler.start(None, noise), edits=[deflicker] if deflicker else [])

        return once

    deflicker = Deflickering(smooth_tensors(smoother.smooth), codec)
    seconds = paired({"with": run(deflicker), "without": run(None)}, repeats=3)
    write_bench(
        "diffusion",
        [spread(f"{STEPS} steps, {FRAMES} frames, {name} deflickering", values) for name, values in seconds.items()],
        {"deflicker_cost": ratio(seconds, "with", "without")},
    )
