import pytest
import torch
from diffusers import StableDiffusionControlNetImg2ImgPipeline

from diffsynth_blender.diffusion.conditioning import ControlInput
from diffsynth_blender.diffusion.deflicker import Deflickering
from diffsynth_blender.diffusion.denoise import JobInterrupted, denoise, image_to_image_timesteps
from diffsynth_blender.diffusion.latents import LatentCodec, fixed_noise

CPU = torch.device("cpu")
SIZE = 32


def run(tiny, frames, *, smooth=None, kind="epsilon", images=None, **options):
    """The loop as the worker drives it: noised frames, two ControlNets, guidance on, four of six steps."""
    codec = LatentCodec(tiny.vae, height=SIZE, width=SIZE, device=CPU)
    scheduler = tiny.scheduler(kind)
    timesteps = image_to_image_timesteps(scheduler, steps=6, strength=0.7)
    images = (
        torch.rand(len(frames), 3, SIZE, SIZE, generator=torch.Generator().manual_seed(5)) if images is None else images
    )
    controls = [ControlInput(net, images, scale) for net, scale in zip(tiny.controlnets, (1.0, 0.5), strict=True)]
    noise = fixed_noise(len(frames), codec.latent_shape, seed=0)
    latents = scheduler.add_noise(codec.encode(frames), noise, timesteps[:1])
    deflicker = None if smooth is None else Deflickering(smooth, codec)
    latents = denoise(
        tiny.unet,
        scheduler,
        options.pop("latents", latents),
        timesteps,
        text=tiny.text,
        controls=controls,
        guidance_scale=3.0,
        deflicker=deflicker,
        **options,
    )
    return latents, codec


@pytest.fixture
def frames():
    return torch.rand(6, SIZE, SIZE, 3, generator=torch.Generator().manual_seed(7))


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_identity_smoother_leaves_the_trajectory_unchanged(tiny, frames, kind):
    """Deflickering with a smoother that changes nothing gives the same latents, bit for bit, after every step."""
    plain, smoothed = [], []
    run(tiny, frames, kind=kind, on_step=lambda done: plain.append(done.latents))
    run(tiny, frames, kind=kind, smooth=torch.clone, on_step=lambda done: smoothed.append(done.latents))
    assert len(plain) == 4
    assert all(torch.equal(a, b) for a, b in zip(plain, smoothed, strict=True))


def test_deflickering_adds_what_the_smoother_changed(tiny, frames):
    """x0' = x0 + strength (E(S(D x0)) - E(D x0)), and the loop ends elsewhere than without it."""
    codec = LatentCodec(tiny.vae, height=SIZE, width=SIZE, device=CPU)
    x0 = codec.encode(frames)
    darker = Deflickering(lambda clip: clip * 0.5, codec, strength=0.7)
    decoded = codec.decode(x0)
    expected = 0.7 * (codec.encode(decoded * 0.5) - codec.encode(decoded))
    torch.testing.assert_close(darker.change(x0), expected)
    assert not torch.equal(run(tiny, frames)[0], run(tiny, frames, smooth=lambda clip: clip * 0.5)[0])


def test_deflickering_respects_interval_and_skip_last(tiny):
    """Every k-th step is deflickered, except the last ones that are to be left alone."""
    codec = LatentCodec(tiny.vae, height=SIZE, width=SIZE, device=CPU)
    deflicker = Deflickering(torch.clone, codec, interval=3, skip_last=1)
    assert [step for step in range(10) if deflicker.at(step, 10)] == [0, 3, 6]


def test_a_static_clip_comes_out_as_identical_frames(tiny, frames):
    """Equal frames with equal controls stay equal to the last bit, also in a group that is filled up."""
    clip = frames[:1].repeat(6, 1, 1, 1)
    images = torch.rand(1, 3, SIZE, SIZE).repeat(6, 1, 1, 1)
    latents, codec = run(tiny, clip, images=images, smooth=lambda clip: clip.mean(0, keepdim=True).expand_as(clip))
    result = (codec.decode(latents) * 255).round()
    assert torch.equal(result, result[:1].expand_as(result))


def test_going_on_from_a_step_equals_running_through(tiny, frames):
    """Latents kept after a step and handed back in continue to the same bits."""
    steps = []
    whole, _ = run(tiny, frames, on_step=steps.append)
    resumed, _ = run(tiny, frames, latents=steps[1].latents, first_step=2)
    assert torch.equal(whole, resumed)


def test_stopping_is_seen_within_a_step(tiny, frames):
    """The loop ends with JobInterrupted as soon as it is asked to stop."""
    steps = []
    with pytest.raises(JobInterrupted):
        run(tiny, frames, on_step=steps.append, should_stop=lambda: len(steps) == 2)
    assert len(steps) == 2


def test_each_frame_equals_diffusers_own_pipeline(tiny, frames):
    """Without deflickering, every frame is what diffusers' ControlNet image-to-image pipeline makes of it."""
    images = torch.rand(len(frames), 3, SIZE, SIZE, generator=torch.Generator().manual_seed(5))
    ours, codec = run(tiny, frames, images=images)
    pipeline = StableDiffusionControlNetImg2ImgPipeline(
        tiny.vae, None, None, tiny.unet, tiny.controlnets, tiny.scheduler(), None, None, requires_safety_checker=False
    )
    pipeline.set_progress_bar_config(disable=True)
    for i in (0, 5):
        theirs = pipeline(
            prompt_embeds=tiny.text[1:],
            negative_prompt_embeds=tiny.text[:1],
            # The pipeline would sample the posterior; handed latents, it adds noise to them and goes on.
            image=codec.encode(frames[i : i + 1]),
            control_image=[images[i : i + 1]] * 2,
            controlnet_conditioning_scale=[1.0, 0.5],
            height=SIZE,
            width=SIZE,
            strength=0.7,
            num_inference_steps=6,
            guidance_scale=3.0,
            generator=torch.Generator("cpu").manual_seed(0),
            output_type="latent",
        ).images
        torch.testing.assert_close(ours[i : i + 1], theirs, atol=1e-4, rtol=1e-4)


def test_no_step_left_is_an_error(tiny):
    """A strength too small for the number of steps is refused, not rounded up."""
    with pytest.raises(ValueError, match="leaves no step"):
        image_to_image_timesteps(tiny.scheduler(), steps=10, strength=0.05)
