"""`check`: does this installation work? Runs the demo model on one small made-up frame and says what it found."""

import importlib
import sys
import time
from importlib import metadata

PACKAGES = ("torch", "diffusers", "transformers", "warp-lang", "numpy", "OpenEXR", "pillow", "safetensors")
MODULES = {"warp-lang": "warp", "pillow": "PIL"}


def run_check() -> int:
    """Print a report for people and return the exit code: 0 when everything works, 3 when something is missing."""
    print(f"Python {sys.version.split()[0]}, {sys.executable}")
    missing = False
    for package in PACKAGES:
        try:
            importlib.import_module(MODULES.get(package, package))
            print(f"  ok       {package} {metadata.version(package)}")
        except Exception as error:
            # Whatever keeps a package from importing is what this report is for.
            missing = True
            print(f"  BROKEN   {package}: {' '.join(str(error).split()) or type(error).__name__}")
    if missing:
        print("Install the worker's requirements into this Python again.")
        return 3
    return _check_model()


def _check_model() -> int:
    import torch

    from ..diffusion.conditioning import ControlInput
    from ..diffusion.denoise import denoise
    from ..diffusion.families import UNetDenoiser
    from ..diffusion.latents import LatentCodec
    from ..diffusion.noise import fixed_noise
    from ..diffusion.prompt import encode_prompts
    from ..diffusion.sampler import Sampler
    from ..models.checkpoint import CheckpointError, CheckpointRequest, load_checkpoint
    from ..models.registry import find_checkpoint
    from .devices import choose_device, compute_dtype, describe_device

    device = choose_device("auto")
    print(f"  device   {describe_device(device)}")
    start = time.perf_counter()
    try:
        controls = tuple((kind, "") for kind in find_checkpoint("demo").controlnets)
        model = load_checkpoint(CheckpointRequest("demo", controls), device=device, dtype=compute_dtype(device))
    except CheckpointError as error:
        print(f"  BROKEN   demo model: {error}")
        return 3
    print(f"  ok       demo model loaded in {time.perf_counter() - start:.1f} s")
    size = 64
    codec = LatentCodec(model.vae, height=size, width=size, device=device)
    ramp = torch.linspace(0, 1, size)
    frame = torch.stack(
        [ramp.expand(size, size), ramp[:, None].expand(size, size), ramp.flip(0).expand(size, size)], -1
    )
    sampler = Sampler("ddim", model.scheduler_config, steps=4, strength=0.75)
    text = encode_prompts(model.family, model.tokenizers, model.text_encoders, ("", "clay"))
    inputs = [ControlInput(control.net, frame.permute(2, 0, 1)[None]) for control in model.controlnets]
    denoiser = UNetDenoiser(model.network, text, controls=inputs, guidance_scale=2.0)
    start = time.perf_counter()
    noised = sampler.start(codec.encode(frame[None]).cpu(), fixed_noise(1, codec.latent_shape, seed=0))
    picture = codec.decode(denoise(denoiser, sampler, noised).to(device))
    if not torch.isfinite(picture).all() or float(picture.std()) < 1e-3:
        print("  BROKEN   the demo model made no picture on this device; try settings.device 'cpu'")
        return 3
    print(f"  ok       one {size}x{size} frame in {time.perf_counter() - start:.1f} s")
    print("This installation works.")
    return 0
