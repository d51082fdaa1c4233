"""Without deflickering, every frame is what diffusers' own pipelines make of it on the same seed.

This is what lets the loop be trusted with checkpoints that are too large for tests. Prompts are text, guidance is on,
and each frame of the clip has control images of its own.
"""

from typing import Any

import pytest
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    StableDiffusion3ControlNetPipeline,
    StableDiffusionControlNetImg2ImgPipeline,
    StableDiffusionControlNetPipeline,
    StableDiffusionXLControlNetImg2ImgPipeline,
    StableDiffusionXLControlNetPipeline,
    StableDiffusionXLControlNetUnionPipeline,
    TCDScheduler,
    UniPCMultistepScheduler,
)

from diffsynth_blender.diffusion.conditioning import ControlInput
from tests.diffusion.clip import PROMPTS, SIZE, control_images, controls_of, make_codec, pictures, run
from tests.tiny_model import make_tiny_model, make_union

FRAMES = 3
SCHEDULERS = {
    "dpmpp_2m": DPMSolverMultistepScheduler,
    "unipc": UniPCMultistepScheduler,
    "euler": EulerDiscreteScheduler,
    "lcm": LCMScheduler,
    "tcd": TCDScheduler,
}
# Float rounding over the steps: batches of other sizes, sums in another order. Latents are of the order of 5, and any
# change of prompt, scale or guidance moves them by 0.03 to 10.
CLOSE = {"atol": 1e-4, "rtol": 1e-4}


def sd15_parts(tiny) -> list[Any]:
    return [tiny.vae, tiny.text_encoders[0], tiny.tokenizers[0], tiny.network, tiny.controlnets, tiny.scheduler()]


def make_pipeline(kind, tiny, sampler="ddim", controlnet=None, config=None) -> Any:
    """A pipeline of diffusers with the parts of a tiny model."""
    if tiny.family == "sd15":
        pipeline = kind(*sd15_parts(tiny), None, None, requires_safety_checker=False)
    elif tiny.family == "sdxl":
        encoders, tokenizers = tiny.text_encoders, tiny.tokenizers
        nets = controlnet or tiny.controlnets
        pipeline = kind(tiny.vae, *encoders, *tokenizers, tiny.network, nets, tiny.scheduler(), add_watermarker=False)
    else:
        pairs = [part for pair in zip(tiny.text_encoders, tiny.tokenizers, strict=True) for part in pair]
        pipeline = kind(tiny.network, tiny.scheduler(), tiny.vae, *pairs, tiny.controlnets)
    if sampler in SCHEDULERS:
        pipeline.scheduler = SCHEDULERS[sampler].from_config(pipeline.scheduler.config)
    if config:
        pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config, **config)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def theirs(pipeline, frame, *, tiny, source=None, **options) -> torch.Tensor:
    """The latents that a pipeline makes of one frame."""
    images = [control_images(FRAMES, i)[frame : frame + 1] for i in range(2)]
    if source is None:
        options["image"] = images
    else:
        # The pipeline would sample the posterior; handed latents, it adds noise to them and goes on.
        options |= {"image": make_codec(tiny).encode(source)[frame : frame + 1], "control_image": images}
    return pipeline(
        prompt=PROMPTS[1],
        negative_prompt=PROMPTS[0],
        height=SIZE,
        width=SIZE,
        num_inference_steps=6,
        guidance_scale=3.0,
        generator=torch.Generator("cpu").manual_seed(0),
        output_type="latent",
        **options,
    ).images


TEXT_TO_IMAGE = {"sd15": StableDiffusionControlNetPipeline, "sdxl": StableDiffusionXLControlNetPipeline}
IMAGE_TO_IMAGE = {"sd15": StableDiffusionControlNetImg2ImgPipeline, "sdxl": StableDiffusionXLControlNetImg2ImgPipeline}


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
@pytest.mark.parametrize("sampler", ["ddim", "dpmpp_2m", "unipc", "euler"])
def test_text_to_image(family, sampler):
    """Strength 1 is diffusers' text-to-image with two ControlNets of different scale."""
    tiny = make_tiny_model(family)
    ours = run(tiny, pictures(FRAMES, 7), sampler=sampler, strength=1.0)
    pipeline = make_pipeline(TEXT_TO_IMAGE[family], tiny, sampler)
    for frame in range(FRAMES):
        expected = theirs(pipeline, frame, tiny=tiny, controlnet_conditioning_scale=[1.0, 0.5])
        torch.testing.assert_close(ours[frame : frame + 1], expected, **CLOSE)


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
@pytest.mark.parametrize("sampler", ["ddim", "dpmpp_2m", "unipc", "euler"])
def test_image_to_image(family, sampler):
    """A strength below 1 is diffusers' image-to-image: noised source frames, the last steps of the schedule."""
    tiny = make_tiny_model(family)
    source = pictures(FRAMES, 7)
    ours = run(tiny, source, sampler=sampler, strength=0.7)
    pipeline = make_pipeline(IMAGE_TO_IMAGE[family], tiny, sampler)
    for frame in range(FRAMES):
        expected = theirs(
            pipeline, frame, tiny=tiny, source=source, strength=0.7, controlnet_conditioning_scale=[1.0, 0.5]
        )
        torch.testing.assert_close(ours[frame : frame + 1], expected, **CLOSE)


@pytest.mark.parametrize("sampler", ["ddim", "dpmpp_2m", "euler"])
def test_velocity_models(sampler):
    """The same for a model that predicts v."""
    tiny = make_tiny_model()
    config = {"prediction_type": "v_prediction"}
    ours = run(tiny, pictures(FRAMES, 7), sampler=sampler, strength=1.0, config=config)
    pipeline = make_pipeline(StableDiffusionControlNetPipeline, tiny, sampler, config=config)
    expected = theirs(pipeline, 1, tiny=tiny, controlnet_conditioning_scale=[1.0, 0.5])
    torch.testing.assert_close(ours[1:2], expected, **CLOSE)


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_controls_count_for_their_part_of_the_schedule(family):
    """Start and end of each ControlNet are those of diffusers, and change the result."""
    tiny = make_tiny_model(family)
    starts, ends = [0.0, 0.4], [0.5, 1.0]
    controls = controls_of(tiny, FRAMES, scale=[1.0, 0.5], start=starts, end=ends)
    ours = run(tiny, pictures(FRAMES, 7), strength=1.0, controls=controls)
    pipeline = make_pipeline(TEXT_TO_IMAGE[family], tiny)
    expected = theirs(
        pipeline,
        2,
        tiny=tiny,
        controlnet_conditioning_scale=[1.0, 0.5],
        control_guidance_start=starts,
        control_guidance_end=ends,
    )
    torch.testing.assert_close(ours[2:], expected, **CLOSE)
    assert not torch.allclose(ours, run(tiny, pictures(FRAMES, 7), strength=1.0), atol=1e-2)


@pytest.mark.parametrize(("sampler", "options"), [("lcm", {}), ("tcd", {"eta": 0.3})])
def test_few_step_samplers_with_the_noise_that_diffusers_draws(sampler, options):
    """LCM and TCD, handed the very noise that the pipeline's generator gives it, end where it ends."""
    tiny = make_tiny_model()
    shape = (1, *make_codec(tiny).latent_shape)
    generator = torch.Generator("cpu").manual_seed(0)
    drawn = [torch.randn(shape, generator=generator) for _ in range(6)]
    ours = run(
        tiny,
        pictures(FRAMES, 7),
        sampler=sampler,
        strength=1.0,
        fresh_noise=lambda step: drawn[step + 1].expand(FRAMES, -1, -1, -1),
    )
    pipeline = make_pipeline(StableDiffusionControlNetPipeline, tiny, sampler)
    for frame in range(FRAMES):
        expected = theirs(pipeline, frame, tiny=tiny, controlnet_conditioning_scale=[1.0, 0.5], **options)
        torch.testing.assert_close(ours[frame : frame + 1], expected, **CLOSE)


@pytest.mark.parametrize("guidance_scale", [1.0, 3.0])
def test_a_control_net_that_pools_the_picture(guidance_scale):
    """A ControlNet for shuffled pictures steers the positive branch alone."""
    tiny = make_tiny_model()
    for net in tiny.controlnets:
        net.register_to_config(global_pool_conditions=True)
    ours = run(
        tiny,
        pictures(FRAMES, 7),
        strength=1.0,
        guidance_scale=guidance_scale,
        controls=controls_of(tiny, FRAMES, scale=[1.0, 0.5]),
    )
    pipeline = make_pipeline(StableDiffusionControlNetPipeline, tiny)
    expected = pipeline(
        prompt=PROMPTS[1],
        negative_prompt=PROMPTS[0],
        image=[control_images(FRAMES, i)[1:2] for i in range(2)],
        height=SIZE,
        width=SIZE,
        num_inference_steps=6,
        guidance_scale=guidance_scale,
        controlnet_conditioning_scale=[1.0, 0.5],
        generator=torch.Generator("cpu").manual_seed(0),
        output_type="latent",
    ).images
    torch.testing.assert_close(ours[1:2], expected, **CLOSE)


@pytest.mark.parametrize("modes", [[2], [0, 3]])
def test_union_models(tiny_sdxl, modes):
    """One ControlNet for several kinds of control sees all of them in one call, as in diffusers' union pipeline."""
    union = make_union(tiny_sdxl.network)
    scales = [0.8, 0.6][: len(modes)]
    controls = [
        ControlInput(union, control_images(FRAMES, i), scales[i], union_mode=mode) for i, mode in enumerate(modes)
    ]
    source = pictures(FRAMES, 7)
    ours = run(tiny_sdxl, source, strength=1.0, controls=controls)
    pipeline = make_pipeline(StableDiffusionXLControlNetUnionPipeline, tiny_sdxl, controlnet=union)
    for frame in range(FRAMES):
        expected = pipeline(
            prompt=PROMPTS[1],
            negative_prompt=PROMPTS[0],
            control_image=[control_images(FRAMES, i)[frame : frame + 1] for i in range(len(modes))],
            control_mode=modes,
            height=SIZE,
            width=SIZE,
            num_inference_steps=6,
            guidance_scale=3.0,
            controlnet_conditioning_scale=scales,
            generator=torch.Generator("cpu").manual_seed(0),
            output_type="latent",
        ).images
        torch.testing.assert_close(ours[frame : frame + 1], expected, **CLOSE)


def test_a_flow_matching_transformer(tiny_sd3):
    """Stable Diffusion 3 with two ControlNets and three text encoders goes through the same loop."""
    vae = tiny_sd3.vae
    # The pipeline samples the posterior of the control images; with this it has no width.
    vae.encoder.conv_out.weight[4:] = 0
    vae.encoder.conv_out.bias[4:] = -60
    ours = run(tiny_sd3, pictures(FRAMES, 7), sampler="flow_euler", strength=1.0)
    pipeline = make_pipeline(StableDiffusion3ControlNetPipeline, tiny_sd3)
    for frame in range(FRAMES):
        expected = pipeline(
            prompt=PROMPTS[1],
            negative_prompt=PROMPTS[0],
            # Tensors are taken as they are; pictures would be brought to [-1, 1].
            control_image=[control_images(FRAMES, i)[frame : frame + 1] * 2 - 1 for i in range(2)],
            height=SIZE,
            width=SIZE,
            num_inference_steps=6,
            guidance_scale=3.0,
            controlnet_conditioning_scale=[1.0, 0.5],
            generator=torch.Generator("cpu").manual_seed(0),
            output_type="latent",
        ).images
        torch.testing.assert_close(ours[frame : frame + 1], expected, **CLOSE)
