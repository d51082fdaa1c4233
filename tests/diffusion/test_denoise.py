import pytest
import torch

from diffsynth_blender.diffusion.colour import ColourHold
from diffsynth_blender.diffusion.deflicker import Deflickering
from diffsynth_blender.diffusion.denoise import JobInterrupted
from diffsynth_blender.diffusion.families import Split
from diffsynth_blender.diffusion.sampler import SAMPLERS
from diffsynth_blender.diffusion.windows import frame_windows
from tests.diffusion.clip import control_images, controls_of, make_codec, pictures, run

COUNT = 5
VP_SAMPLERS = [name for name, kind in SAMPLERS.items() if "epsilon" in kind.predictions]


@pytest.fixture
def frames():
    return pictures(COUNT, 7)


def steadied(tiny, change, count=COUNT, **options):
    """Deflickering by a function of all frames (T, H, W, 3)."""

    def smooth(fetch, window):
        yield from change(torch.stack([fetch(i) for i in range(count)]))

    return Deflickering(smooth, make_codec(tiny), window=1, **options)


@pytest.mark.parametrize("sampler", VP_SAMPLERS)
def test_an_identity_smoother_leaves_the_trajectory_unchanged(tiny, frames, sampler):
    """Smoothing that changes nothing gives the same latents, bit for bit, after every step of every sampler.

    Smoothing that changes something reaches the result of every sampler.
    """
    plain, smoothed = [], []
    run(tiny, frames, sampler=sampler, on_step=lambda done: plain.append(done.latents))
    same, darker = steadied(tiny, torch.clone), steadied(tiny, lambda clip: clip * 0.5)
    run(tiny, frames, sampler=sampler, edits=[same], on_step=lambda done: smoothed.append(done.latents))
    assert len(plain) == 4
    assert all(torch.equal(a, b) for a, b in zip(plain, smoothed, strict=True))
    assert not torch.allclose(plain[-1], run(tiny, frames, sampler=sampler, edits=[darker]), atol=1e-2)


@pytest.mark.parametrize("family", ["tiny", "tiny_sdxl", "tiny_sd3"])
def test_deflickering_goes_with_every_family(family, frames, request):
    """The loop is the same for U-Nets and flow-matching transformers: identity bit-equal, another smoother not."""
    model = request.getfixturevalue(family)
    sampler = "flow_euler" if model.family == "sd3" else "ddim"
    plain = run(model, frames, sampler=sampler)
    assert torch.isfinite(plain).all()
    assert torch.equal(plain, run(model, frames, sampler=sampler, edits=[steadied(model, torch.clone)]))
    darker = run(model, frames, sampler=sampler, edits=[steadied(model, lambda clip: clip * 0.5)])
    assert not torch.allclose(plain, darker, atol=1e-3)


def test_held_colours_see_the_deflickered_x0(tiny, frames):
    """Colours are held after deflickering, in the same step; strength 0 leaves every bit."""
    source = make_codec(tiny).encode(frames)
    plain = run(tiny, frames)
    assert torch.equal(plain, run(tiny, frames, edits=[ColourHold(source, 0.0)]))
    assert not torch.equal(plain, run(tiny, frames, edits=[ColourHold(source, 1.0)]))


def test_a_static_clip_comes_out_as_identical_frames(tiny, frames):
    """Equal frames with equal controls stay equal to the last bit, also in a group that is filled up."""
    clip = frames[:1].repeat(COUNT, 1, 1, 1)
    images = control_images(1, 0).repeat(COUNT, 1, 1, 1)
    controls = [type(c)(c.net, images, c.scale) for c in controls_of(tiny, COUNT)]
    mean = steadied(tiny, lambda clip: clip.mean(0, keepdim=True).expand_as(clip))
    latents = run(tiny, clip, controls=controls, edits=[mean])
    result = (make_codec(tiny).decode(latents) * 255).round()
    assert torch.equal(result, result[:1].expand_as(result))


@pytest.mark.parametrize("sampler", VP_SAMPLERS)
def test_going_on_from_any_step_equals_running_through(tiny, frames, sampler):
    """Latents and the sampler's state, kept after a step and handed back in, continue to the same bits."""
    steps = []
    deflicker = steadied(tiny, lambda clip: clip * 0.9)
    whole = run(tiny, frames, sampler=sampler, edits=[deflicker], on_step=steps.append)
    for done in steps[:-1]:
        resumed = run(
            tiny,
            frames,
            sampler=sampler,
            edits=[deflicker],
            latents=done.latents,
            state=done.state,
            first_step=done.step + 1,
        )
        assert torch.equal(whole, resumed), f"after step {done.step}"


def test_stopping_is_seen_within_a_step(tiny, frames):
    """The loop ends with JobInterrupted as soon as it is asked to stop."""
    steps = []
    with pytest.raises(JobInterrupted):
        run(tiny, frames, on_step=steps.append, should_stop=lambda: len(steps) == 2)
    assert len(steps) == 2


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize(("size", "stride"), [(4, 4), (4, 3), (8, 6)])
def test_windows_do_not_matter_where_frames_do_not_see_each_other(tiny, count, size, stride):
    """Overlapping windows average equal outputs: the result is that of any other windows, up to rounding."""
    clip = pictures(count, 7)
    expected = run(tiny, clip)
    found = run(tiny, clip, windows=frame_windows(count, size, stride))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_a_frame_has_the_same_bits_in_any_group(tiny, frames):
    """Plain groups are filled up, so a frame denoised alone equals the same frame in a clip."""
    whole = run(tiny, frames)
    controls = [type(c)(c.net, c.images[4:5], c.scale) for c in controls_of(tiny, COUNT, scale=[1.0, 0.5])]
    assert torch.equal(run(tiny, frames[4:5], controls=controls), whole[4:5])


@pytest.mark.parametrize("family", ["tiny", "tiny_sdxl", "tiny_sd3"])
@pytest.mark.parametrize("split", [Split(branches_apart=True), Split(frames=1), Split(branches_apart=True, frames=3)])
def test_smaller_calls_give_the_same_result(family, split, frames, request):
    """Guidance branches one after the other, or fewer frames at a time, change nothing but rounding."""
    model = request.getfixturevalue(family)
    sampler = "flow_euler" if model.family == "sd3" else "ddim"
    expected = run(model, frames, sampler=sampler)
    rows: list[int] = []
    hook = model.network.register_forward_hook(lambda *call: rows.append(len(call[-1][0])))
    found = run(model, frames, sampler=sampler, batch_memory=lambda evaluate: evaluate(split))
    hook.remove()
    assert max(rows) == (split.frames or 4) * (1 if split.branches_apart else 2)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_a_pooling_control_net_also_works_with_branches_apart(tiny, frames):
    """It steers the positive branch alone, whichever way branches are evaluated."""
    net = tiny.controlnets[0]
    net.register_to_config(global_pool_conditions=True)
    try:
        expected = run(tiny, frames)
        found = run(tiny, frames, batch_memory=lambda evaluate: evaluate(Split(branches_apart=True)))
    finally:
        net.register_to_config(global_pool_conditions=False)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_guidance_of_one_evaluates_the_positive_prompt_alone(tiny, frames):
    """The negative prompt then changes nothing; above one it does."""
    one = [run(tiny, frames, guidance_scale=1.0, prompts=(negative, "a cube")) for negative in ("", "red")]
    assert torch.equal(*one)
    two = [run(tiny, frames, guidance_scale=2.0, prompts=(negative, "a cube")) for negative in ("", "red")]
    assert not torch.equal(*two)


def test_a_control_of_no_scale_or_no_time_changes_nothing(tiny, frames):
    """Scale 0 and an empty part of the schedule are as if the ControlNet were not there."""
    none = run(tiny, frames, controls=[])
    assert torch.equal(none, run(tiny, frames, controls=controls_of(tiny, COUNT, scale=[0.0, 0.0])))
    narrow = controls_of(tiny, COUNT, start=[0.3, 0.3], end=[0.31, 0.31])
    assert torch.equal(none, run(tiny, frames, controls=narrow))


def test_sources_do_not_matter_at_full_strength(tiny, frames):
    """Strength 1 starts from noise alone."""
    assert torch.equal(run(tiny, frames, strength=1.0), run(tiny, pictures(COUNT, 8), strength=1.0))
