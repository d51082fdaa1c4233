import subprocess
import sys

import pytest
import torch

from diffsynth_blender.diffusion.latents import LatentCodec
from diffsynth_blender.diffusion.memory_estimate import CPU_WORKSPACE, estimate_memory, peak_bytes, weight_bytes

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
    "unet": (
        lambda h, w: unet(torch.zeros(8, 12, h, w), torch.tensor(5), text).sample,
        lambda: unet(torch.zeros(8, 12, 64, 96), torch.tensor(5), text).sample,
    ),
    "vae": (lambda h, w: small.decode(torch.zeros(1, 12, 8, 8)), lambda: codec.decode(torch.zeros(1, 12, 64, 96))),
}

def highest():
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

with torch.inference_mode():
    for name, (warm, call) in calls.items():
        estimated = peak_bytes(call)
        warm(8, 8)
        Path("/proc/self/clear_refs").write_text("5")
        before = resident()
        call()
        print(name, estimated, highest() - before)
"""


def test_what_is_alive_is_counted_and_nothing_is_computed():
    """The peak of a chain is two of its links at a time, weights and views cost nothing, petabytes are no problem."""
    weight = torch.ones(1000)

    def chain():
        x = torch.ones(1000) * weight
        for _ in range(5):
            x = x[:].view(10, 100).reshape(-1) + 1
        return x

    assert peak_bytes(chain) == 2 * 4000
    assert peak_bytes(lambda: torch.zeros(2**50, dtype=torch.uint8)) == 2**50


def test_shared_weights_count_once(tiny):
    """A codec shares the parameters of its VAE."""
    codec = LatentCodec(tiny.vae, height=16, width=16, device=CPU)
    assert weight_bytes([tiny.vae, codec._vae]) == weight_bytes([tiny.vae])
    assert weight_bytes([torch.nn.Linear(3, 5)]) == (3 * 5 + 5) * 4


@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's count of a process's memory")
def test_activations_are_those_that_are_measured():
    """For network and VAE of the demo model, within a third of what the process really takes."""
    done = subprocess.run([sys.executable, "-c", MEASURED], check=True, capture_output=True, text=True)
    print(done.stdout)
    for line in done.stdout.splitlines():
        _, estimated, measured = line.split()
        assert 0.7 < CPU_WORKSPACE * int(estimated) / int(measured) < 1.4, done.stdout


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
            computations=[lambda: tiny.vae.decode(latents)],
            latent_shape=shape,
        )

    assert of(height=64).host > of().host < of(window=5).host
    assert of(frame_count=20).host - of().host == 6 * 10 * 4 * 16 * 16 * 4
    card = of(device=torch.device("cuda"))
    assert card.device > weight_bytes([tiny.network]) and card.host < of().host and of().device == 0
