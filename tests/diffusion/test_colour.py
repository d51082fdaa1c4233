"""Laws of the colours held over a shot."""

import pytest
import torch

from diffsynth_blender.diffusion.colour import ColourHold

FRAMES = 6


@pytest.fixture
def source():
    """Latents of a shot that pans over a picture, so that its own statistics hardly change."""
    picture = torch.randn(4, 12, 40, generator=torch.Generator().manual_seed(0))
    picture = torch.nn.functional.avg_pool2d(picture[None], 3, 1, 1)[0] * 3
    return torch.stack([picture[:, :, t : t + 32] for t in range(FRAMES)])


def light(shot, *, cast=0.0, contrast=0.0):
    """The same shot with a cast and a contrast that grow from frame to frame."""
    t = torch.linspace(0, 1, len(shot))[:, None, None, None]
    mean = shot.mean((2, 3), keepdim=True)
    return (shot - mean) * (1 + contrast * t) + mean + cast * t


def styled(shot):
    """What a model that does not drift makes of a shot: other colours, another contrast, the same in all frames."""
    return shot * 0.8 + torch.tensor([0.5, -0.2, 0.1, 0.3])[:, None, None]


def test_a_clip_that_does_not_drift_is_left_alone(source):
    """Whatever look the model gives to all frames alike, nothing is changed."""
    assert ColourHold(source, 1.0).apply(styled(source)).abs().max() < 0.005
    assert ColourHold(source, 1.0).apply(source).abs().max() < 1e-6
    still = source[:1].expand_as(source)
    assert ColourHold(still, 1.0).apply(styled(still)).abs().max() < 1e-6


@pytest.mark.parametrize(("cast", "contrast"), [(1.0, 0.0), (0.0, 0.5), (-0.7, 0.3)])
def test_a_drift_of_the_model_is_removed(source, cast, contrast):
    """A cast and a contrast that grow over the shot come down to their average over it."""
    still = source[:1].expand_as(source)
    drifting = light(styled(still), cast=cast, contrast=contrast)
    held = drifting + ColourHold(still, 1.0).apply(drifting)
    torch.testing.assert_close(held, held[:1].expand_as(held), atol=0.03, rtol=0.0)
    torch.testing.assert_close(held.mean(0), drifting.mean(0), atol=0.05 + 0.2 * contrast, rtol=0.0)


def test_a_change_of_the_sources_own_light_remains(source):
    """What the source frames do, too, is no drift."""
    shot = light(source, cast=0.8, contrast=0.4)
    assert ColourHold(shot, 1.0).apply(styled(shot)).abs().max() < 0.01
    assert ColourHold(shot, 1.0).apply(shot).abs().max() < 1e-5
    # The same pictures over a source whose light stays are drift.
    assert ColourHold(source, 1.0).apply(styled(shot)).abs().max() > 0.3


def test_strength_is_proportional(source):
    """Nothing at 0, half of the change at 0.5."""
    drifting = light(source, cast=1.0, contrast=0.3)
    whole = ColourHold(source, 1.0).apply(drifting)
    assert not ColourHold(source, 0.0).apply(drifting).any()
    torch.testing.assert_close(ColourHold(source, 0.5).apply(drifting), whole / 2)
    with pytest.raises(ValueError, match="between 0 and 1"):
        ColourHold(source, 1.5)


def test_flat_frames_come_through(source):
    """A shot that fades to one even colour gives numbers, and changes within bounds."""
    fade = torch.linspace(1, 0, FRAMES)[:, None, None, None]
    change = ColourHold(source * fade, 1.0).apply(styled(source))
    assert change.isfinite().all() and change.abs().max() < 2 * styled(source).abs().max()


def test_another_clip_is_refused(source):
    """x0 of another number of frames cannot be compared."""
    with pytest.raises(ValueError, match="not of the clip"):
        ColourHold(source, 1.0).apply(source[:3])
