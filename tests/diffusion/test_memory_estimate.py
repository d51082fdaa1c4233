import os
import subprocess
import sys

import pytest
import torch

from diffsynth_blender.diffusion.families import make_denoiser
from diffsynth_blender.diffusion.families.guidance import Split
from diffsynth_blender.diffusion.latents import LatentCodec
from diffsynth_blender.diffusion.memory_estimate import CPU_WORKSPACE, estimate_memory, peak_bytes, weight_bytes
from diffsynth_blender.diffusion.prompt import encode_prompts
from tests.diffusion.clip import PROMPTS, SIZE, controls_of, make_codec
from tests.tiny_model import make_tiny_model

CPU = torch.device("cpu")

# The child's own peak, before and after one call of the demo model's network and VAE at 768x512.
MEASURED = """
import re, torch
from pathlib import Path
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffsynth_blender.diffusion.latents import LatentCodec
from diffsynth_blender.diffusion.memory_estimate import peak_bytes

torch.set_num_threads(1)
folder = Path("diffsynth_blender/demo/model")
unet = UNet2DConditionModel.from_pretrained(folder / "unet").eval()
vae = AutoencoderKL.from_pretrained(folder / "vae").eval()
text = torch.zeros(8, 77, unet.config.cross_attention_dim)
codec = LatentCodec(vae, height=512, width=768, device=torch.device("cpu"))
small = LatentCodec(vae, height=64, width=64, device=torch.device("cpu"))
calls = {
    "unet": (8, lambda x: unet(x, torch.tensor(5), text).sample, lambda x: unet(x, torch.tensor(5), text).sample),
    "vae": (1, small.decode, codec.decode),
}

def highest():
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

with torch.inference_mode():
    for name, (count, warm, call) in calls.items():
        latents = torch.zeros(count, unet.config.in_channels, 64, 96)
        estimated = peak_bytes(call, latents)
        warm(torch.zeros(count, unet.config.in_channels, 8, 8))
        Path("/proc/self/clear_refs").write_text("5")
        before = resident()
        call(latents)
        print(name, estimated, highest() - before)
"""


def test_what_is_alive_is_counted_and_nothing_is_computed():
    """The peak of a chain is two of its links at a time, weights and views cost nothing, petabytes are no problem."""
    weight = torch.ones(1000)

    def chain(x):
        x = x * weight
        for _ in range(5):
            x = x[:].view(10, 100).reshape(-1) + 1
        return x

    assert peak_bytes(chain, torch.ones(1000)) == 2 * 4000
    assert peak_bytes(lambda x: x + 1, torch.ones(1).expand(2**40)) == 4 * 2**40


@pytest.mark.parametrize("family", ["sd15", "sdxl", "sd3"])
def test_an_evaluation_is_counted_as_it_is_split(family):
    """For every family; branches apart take half, one frame at a time a quarter of that, up to what all share."""
    tiny = make_tiny_model(family)
    text = encode_prompts(tiny.family, tiny.tokenizers, tiny.text_encoders, PROMPTS)
    size = (SIZE, SIZE)
    denoiser = make_denoiser(
        family, tiny.network, text, vae=tiny.vae, size=size, guidance_scale=3.0, controls=controls_of(tiny, 8)
    )
    x_t, frames = torch.zeros(4, *make_codec(tiny).latent_shape), torch.arange(4)

    def peak(**split):
        return peak_bytes(lambda x: denoiser(x, torch.tensor(5), frames, (0.0, 0.25), Split(**split)), x_t)

    whole, apart, single = peak(), peak(branches_apart=True), peak(branches_apart=True, frames=1)
    assert 0.4 < apart / whole < 0.7 and 0.2 < single / apart < 0.5
    assert torch.isfinite(denoiser(x_t, torch.tensor(5), frames, (0.0, 0.25), Split())).all()


def test_shared_weights_count_once(tiny):
    """A codec shares the parameters of its VAE."""
    codec = LatentCodec(tiny.vae, height=16, width=16, device=CPU)
    assert weight_bytes([tiny.vae, codec._vae]) == weight_bytes([tiny.vae])
    assert weight_bytes([torch.nn.Linear(3, 5)]) == (3 * 5 + 5) * 4


@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's count of a process's memory")
def test_activations_are_those_that_are_measured():
    """For network and VAE of the demo model: within 30 %, and never below with what allocators keep on top.

    Freed memory goes back to the system at once here. How much of it the C library would keep for later calls depends
    on all that the process did before, and changes by half from run to run.
    """
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run([sys.executable, "-c", MEASURED], check=True, capture_output=True, text=True, env=environment)
    for line in done.stdout.splitlines():
        _, estimated, measured = line.split()
        assert 0.7 < int(estimated) / int(measured) < 1.3, done.stdout
        assert CPU_WORKSPACE * int(estimated) > int(measured), done.stdout


def test_an_estimate_grows_with_what_it_is_of(tiny):
    """Larger frames and windows need more; a longer clip only latents; on a GPU idle networks are in main memory."""

    def of(**changes):
        options = {"window": 4, "height": 32, "width": 32, "frame_count": 10, **changes}
        shape = (4, options["height"] // 2, options["width"] // 2)
        latents = torch.zeros(1, *shape)
        return estimate_memory(
            **{"device": CPU, **options},
            busy=[tiny.network],
            idle=[tiny.vae],
            activations=peak_bytes(lambda x: tiny.vae.decode(x).sample, latents),
            latent_shape=shape,
        )

    assert of(height=64).host > of().host < of(window=5).host
    assert of(frame_count=20).host - of().host == 6 * 10 * 4 * 16 * 16 * 4
    card = of(device=torch.device("cuda"))
    assert card.device > weight_bytes([tiny.network]) and card.host < of().host and of().device == 0
