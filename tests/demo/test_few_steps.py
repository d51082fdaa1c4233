"""The last stage of training: the way that the model goes in training is the way of a run."""

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny
from transformers import CLIPTokenizer

from diffsynth_blender.demo.train_batches import CONTROLS, Batch
from diffsynth_blender.demo.train_begin import read_weights
from diffsynth_blender.demo.train_diffusion import DemoModel
from diffsynth_blender.demo.train_few_steps import STEPS, Way, draw_way, few_steps_loss, foresee
from diffsynth_blender.demo.train_model import make_scheduler
from diffsynth_blender.diffusion.conditioning import ControlInput
from diffsynth_blender.diffusion.denoise import denoise
from diffsynth_blender.diffusion.families import UNetDenoiser
from diffsynth_blender.diffusion.latents import LatentCodec
from diffsynth_blender.diffusion.prompt import encode_prompts
from diffsynth_blender.diffusion.sampler import Sampler

from .test_model import CPU, FOLDER, load_demo, picture

PROMPT = "a watercolour painting"


@pytest.fixture(scope="module")
def model() -> DemoModel:
    """What training has of the model that ships."""
    return read_weights(FOLDER).eval()


@pytest.fixture(scope="module")
def batch() -> Batch:
    """One sample: the source that is beside the tests, to become itself, in other words."""
    source = picture("source")
    codec = LatentCodec(load_demo().vae, height=source.shape[1], width=source.shape[2], device=CPU)
    latents = codec.encode(source).clone()  # not an inference tensor, which cannot be learnt from
    tokens = CLIPTokenizer.from_pretrained(FOLDER / "tokenizer")([PROMPT], padding="max_length", return_tensors="pt")
    return Batch(latents, latents, tokens.input_ids, controls())


def controls() -> dict[str, torch.Tensor]:
    """The pictures of the three controls, (1, 3, H, W)."""
    names = {"depth": "depth", "normal": "normal", "tile": "source"}
    return {kind: picture(names[kind]).permute(0, 3, 1, 2) for kind in CONTROLS}


@pytest.mark.parametrize("strength", [0.6, 1.0])
def test_the_way_is_that_of_a_run(model: DemoModel, batch: Batch, strength: float) -> None:
    """Where training stops at the last step of a way, it foresees what a run without guidance ends with."""
    sampler = Sampler("ddim", make_scheduler().config, steps=5, strength=strength)
    torch.manual_seed(0)
    with torch.no_grad():
        foreseen = foresee(model, batch, Way(sampler, sampler.step_count - 1))
    sampler = Sampler("ddim", make_scheduler().config, steps=5, strength=strength)
    torch.manual_seed(0)
    noised = sampler.start(batch.sources, torch.randn_like(batch.sources))
    made = run(sampler, noised)
    # Training computes in half precision.
    assert (foreseen - made).square().mean() < 2e-3 * made.var()


def run(sampler: Sampler, noised: torch.Tensor) -> torch.Tensor:
    """What the product makes of noised latents."""
    checkpoint = load_demo()
    nets = [ControlInput(control.net, controls()[control.kind], 1.0) for control in checkpoint.controlnets]
    text = encode_prompts(checkpoint.family, checkpoint.tokenizers, checkpoint.text_encoders, ("", PROMPT))
    return denoise(UNetDenoiser(checkpoint.network, text, controls=nets, guidance_scale=1.0), sampler, noised)


def test_ways_are_of_few_steps_and_end_anywhere() -> None:
    """Every length of 4 to 8 steps occurs, from noise alone too, and every step of a way is looked at."""
    rng = np.random.default_rng(0)
    ways = [draw_way(rng, CPU) for _ in range(400)]
    # From noise alone all steps are made.
    assert {way.sampler.step_count for way in ways if way.sampler.timesteps[0] == 999} == set(range(STEPS[0], 9))
    assert {way.sampler.step_count for way in ways} == set(range(1, STEPS[1] + 1))
    assert all(0 <= way.last < way.sampler.step_count for way in ways)
    assert {way.last for way in ways if way.sampler.step_count == 4} == {0, 1, 2, 3}


def test_every_part_of_the_model_learns(model: DemoModel, batch: Batch) -> None:
    """Every part of the model has a gradient, the tiny autoencoder has none."""
    tiny = AutoencoderTiny.from_pretrained(FOLDER / "vae_tiny", torch_dtype=torch.float32).requires_grad_(False)
    sampler = Sampler("ddim", make_scheduler().config, steps=4, strength=0.8)
    loss = few_steps_loss(model, batch, Way(sampler, 2), tiny)
    loss.backward()
    parts = {"unet": model.unet, "text": model.text_encoder, **model.controlnets}
    assert all(any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters()) for part in parts.values())
    assert all(parameter.grad is None for parameter in tiny.parameters())


def test_a_sample_is_foreseen_from_two_noises(model: DemoModel, batch: Batch) -> None:
    """Twice the same sample, two pictures of it: what the score needs to see how far they are from each other."""
    sampler = Sampler("ddim", make_scheduler().config, steps=4, strength=1.0)
    with torch.no_grad():
        first, second = foresee(model, batch.doubled(), Way(sampler, 3)).chunk(2)
    assert first.shape == batch.latents.shape
    assert (first - second).square().mean() > 0.01 * first.var()
