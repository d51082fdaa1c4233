"""The demo model that ships: complete, small, able to tokenise anything, and able to tell its looks apart."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from diffsynth_blender.diffusion.conditioning import ControlInput
from diffsynth_blender.diffusion.denoise import denoise
from diffsynth_blender.diffusion.families import UNetDenoiser
from diffsynth_blender.diffusion.latents import LatentCodec, TinyCodec
from diffsynth_blender.diffusion.noise import fixed_noise
from diffsynth_blender.diffusion.prompt import encode_prompts
from diffsynth_blender.diffusion.sampler import Sampler
from diffsynth_blender.models.checkpoint import Checkpoint, CheckpointRequest, load_checkpoint
from diffsynth_blender.models.registry import CHECKPOINTS
from diffsynth_blender.protocol import Journal, Settings
from diffsynth_blender.worker.codecs import make_codecs
from diffsynth_blender.worker.context import RunContext

FOLDER = CHECKPOINTS["demo"].path
CPU = torch.device("cpu")
MINIMUM_PSNR = {"source": 24.0, "toon": 32.0, "pencil": 30.0}
"""dB, of pictures of a scene that was not trained on; measured when the model was committed: see its card."""
MINIMUM_AGREEMENT = 28.0  # dB, between what the tiny decoder and the other paint of the same latents; see the card


def picture(name: str) -> torch.Tensor:
    """A picture beside this file, (1, H, W, 3) in [0, 1]: out of a held-out scene, 128 px; those of looks 256 px."""
    pixels = np.asarray(Image.open(Path(__file__).parent / f"{name}.png").convert("RGB"))
    return torch.from_numpy(pixels.astype(np.float32) / 255)[None]


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    """The shipped model, loaded as the worker does on a CPU."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    return load_demo()


def load_demo() -> Checkpoint:
    """A fresh copy of the shipped model with all of its ControlNets."""
    controlnets = tuple((kind, "") for kind in CHECKPOINTS["demo"].controlnets)
    return load_checkpoint(CheckpointRequest("demo", controlnets, tiny_vae=True), device=CPU, dtype=torch.float32)


def test_the_folder_is_small_and_half_precision() -> None:
    """Everything together stays below 40 MB, and every weight is stored as float16."""
    safetensors = pytest.importorskip("safetensors")
    assert sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file()) < 40e6
    weights = sorted(FOLDER.rglob("*.safetensors"))
    nets = {f"controlnet_{kind}" for kind in CHECKPOINTS["demo"].controlnets}
    assert {file.parent.name for file in weights} == {"vae", "vae_tiny", "unet", "text_encoder", *nets}
    for file in weights:
        with safetensors.safe_open(file, framework="pt") as tensors:
            kinds = {tensors.get_slice(name).get_dtype() for name in tensors.keys()}
        assert kinds == {"F16"}, file


def test_it_loads_in_less_than_a_second(checkpoint: Checkpoint) -> None:
    """Of processor time, once the libraries are imported, as they are where the fixture has loaded it."""
    begun = time.thread_time()
    load_demo()
    assert time.thread_time() - begun < 1.0


@pytest.mark.parametrize(
    "prompt",
    ["a watercolour painting of 3 cubes", "8k, (masterpiece:1.2)!", "ünïcode ёж 日本語 😀", "", "\t \x00 ~`|\\"],
)
def test_every_prompt_can_be_tokenised(checkpoint: Checkpoint, prompt: str) -> None:
    """Any text becomes known tokens and comes back, apart from case and spaces, which CLIP's tokenizer ignores."""
    tokenizer = checkpoint.tokenizers[0]
    ids = tokenizer(prompt).input_ids
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.eos_token_id not in ids[:-1]
    text = tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    assert "".join(text.split()) == "".join(prompt.lower().split())


@pytest.mark.parametrize("name", MINIMUM_PSNR)
def test_the_autoencoder_keeps_the_picture(checkpoint: Checkpoint, name: str) -> None:
    """Encoding and decoding a picture of an unseen scene changes it little, be it all thin lines or hatching."""
    whole = picture(name)
    codec = LatentCodec(checkpoint.vae, height=whole.shape[1], width=whole.shape[2], device=CPU)
    error = (codec.decode(codec.encode(whole)).clamp(0, 1) - whole).square().mean()
    assert -10 * torch.log10(error) > MINIMUM_PSNR[name]


def test_the_tiny_autoencoder_stands_in_for_the_other(checkpoint: Checkpoint) -> None:
    """Its encoder is the same linear map; its decoder paints the same pictures, of exact latents and of noisy ones."""
    source = picture("source")
    assert checkpoint.tiny_vae is not None
    size = {"height": source.shape[1], "width": source.shape[2], "device": CPU}
    own, tiny = LatentCodec(checkpoint.vae, **size), TinyCodec(checkpoint.tiny_vae, **size)
    latents = own.encode(source)
    torch.testing.assert_close(tiny.encode(source), latents, atol=0.01, rtol=0.01)
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(0))
    for some in (latents, latents + 0.15 * noise):
        error = (tiny.decode(some).clamp(0, 1) - own.decode(some).clamp(0, 1)).square().mean()
        assert -10 * torch.log10(error) > MINIMUM_AGREEMENT


def test_a_job_with_default_settings_uses_the_tiny_autoencoder_inside_the_loop_alone(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    """What is made of the default settings asks for it; frames are read and written by the other."""
    settings = Settings(prompt="")
    assert settings.model == "demo" and settings.deflicker is not None and settings.tiny_vae
    with Journal(tmp_path) as journal:
        context = RunContext(tmp_path, journal, journal.before, lambda event: None, lambda: False)
        codec, inside = make_codecs(checkpoint, context, height=64, width=72, device=CPU, batch=0)
    assert isinstance(codec, LatentCodec) and isinstance(inside, TinyCodec)
    assert codec.latent_shape == inside.latent_shape == (21, 8, 9)


def controls_of(checkpoint: Checkpoint, height: int, width: int) -> list[ControlInput]:
    """The committed controls at a size; the tile is the source."""
    pictures = {"depth": picture("depth"), "normal": picture("normal"), "tile": picture("source")}
    size = (height, width)
    return [
        ControlInput(control.net, F.interpolate(pictures[control.kind].permute(0, 3, 1, 2), size), 1.0)
        for control in checkpoint.controlnets
    ]


@pytest.mark.parametrize("size", [(192, 192), (192, 512), (512, 200), (264, 336)])
def test_it_works_at_any_size_and_aspect(checkpoint: Checkpoint, size: tuple[int, int]) -> None:
    """From 192 to 512 px, also where a side is no multiple of what the layers halve: a picture of that size."""
    height, width = size
    source = F.interpolate(picture("source").permute(0, 3, 1, 2), size, mode="bilinear").permute(0, 2, 3, 1)
    codec = LatentCodec(checkpoint.vae, height=height, width=width, device=CPU)
    sampler = Sampler("ddim", checkpoint.scheduler_config, steps=4, strength=0.5)
    text = encode_prompts(checkpoint.family, checkpoint.tokenizers, checkpoint.text_encoders, ("", "a clay render"))
    denoiser = UNetDenoiser(
        checkpoint.network, text, controls=controls_of(checkpoint, height, width), guidance_scale=1.0
    )
    start = sampler.start(codec.encode(source), fixed_noise(1, codec.latent_shape, seed=0))
    result = codec.decode(denoise(denoiser, sampler, start))
    assert result.shape == (1, height, width, 3)
    assert result.isfinite().all() and result.clamp(0, 1).std() > 0.05


def restyled(checkpoint: Checkpoint, prompt: str) -> torch.Tensor:
    """The committed picture in the look of the prompt, (1, H, W, 3)."""
    source = picture("source")
    codec = LatentCodec(checkpoint.vae, height=source.shape[1], width=source.shape[2], device=CPU)
    controls = controls_of(checkpoint, *source.shape[1:3])
    sampler = Sampler("ddim", checkpoint.scheduler_config, steps=6, strength=0.9)
    text = encode_prompts(checkpoint.family, checkpoint.tokenizers, checkpoint.text_encoders, ("", prompt))
    denoiser = UNetDenoiser(checkpoint.network, text, controls=controls, guidance_scale=3.0)
    start = sampler.start(codec.encode(source), fixed_noise(1, codec.latent_shape, seed=0))
    return codec.decode(denoise(denoiser, sampler, start)).clamp(0, 1)


def test_prompts_change_the_look(checkpoint: Checkpoint) -> None:
    """Gold comes out dark and warm, clay pale, and both differ by far more than the autoencoder's error."""
    gold = restyled(checkpoint, "a polished gold sculpture")
    clay = restyled(checkpoint, "a clay render")
    assert (gold - clay).abs().mean() > 0.15
    assert gold.mean() < clay.mean()
    red, _, blue = gold.mean(dim=(0, 1, 2))
    assert red > 1.3 * blue
