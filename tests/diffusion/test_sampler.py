import pytest
import torch

from diffsynth_blender.diffusion.prediction import output_change, x0_from_output
from diffsynth_blender.diffusion.sampler import SAMPLERS, Sampler

VP = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "timestep_spacing": "leading",
    "set_alpha_to_one": False,
}
FLOW = {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 3.0}
SHAPE = (2, 4, 6, 6)

PAIRS = [(name, kind) for name, sampler in SAMPLERS.items() for kind in sampler.predictions]


def make(name, kind="epsilon", *, steps=6, strength=1.0):
    config = FLOW if kind == "flow_prediction" else {**VP, "prediction_type": kind}
    return Sampler(name, config, steps=steps, strength=strength)


def noise(seed):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


def model(x, step):
    """Stands for a network: something smooth of its input that differs from step to step."""
    return torch.tanh(x * 0.7 + 0.1 * step)


def run(sampler, latents, *, first=0, edit=None, states=None):
    for step in range(first, sampler.step_count):
        output = model(sampler.model_input(latents, step), step)
        if edit is not None:
            level = sampler.level(step)
            x0 = x0_from_output(output, latents, level, sampler.prediction_type)
            output = output + output_change(edit(x0), level, sampler.prediction_type)
        latents = sampler.advance(output, step, latents, noise(100 + step) if sampler.needs_fresh else None)
        if states is not None:
            states.append((latents.clone(), {key: value.clone() for key, value in sampler.state().items()}))
    return latents


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_x0_becomes_a_prediction_and_x0_again(name, kind):
    """The output that means a given x0 means it to 1e-4, at every step including the first and the last."""
    sampler = make(name, kind, steps=12)
    latents = sampler.start(None, noise(0))
    for step in range(sampler.step_count):
        level = sampler.level(step)
        output, wanted = noise(step + 1), noise(step + 50)
        x0 = x0_from_output(output, latents, level, kind)
        again = x0_from_output(output + output_change(wanted - x0, level, kind), latents, level, kind)
        scale = max(1.0, float(x0.abs().max()), float(latents.abs().max()))
        assert (again - wanted).abs().max() < 1e-4 * scale, f"step {step}"
        latents = level.signal * wanted + level.noise * noise(step + 7)


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_the_samplers_own_x0_is_the_one_we_compute(name, kind):
    """A model that always means the same x0 is followed to that x0: ours and the scheduler's conversions agree."""
    sampler = make(name, kind, steps=20)
    target = noise(3)
    latents = run(sampler, sampler.start(None, noise(0)), edit=lambda x0: target - x0)
    # LCM mixes a little of x_t in; schedules that stop above zero keep some noise.
    torch.testing.assert_close(latents, target, atol=0.1, rtol=0.0)


@pytest.mark.parametrize("name", ["dpmpp_2m", "unipc"])
def test_multi_step_samplers_remember_the_edited_x0(name):
    """The history holds the x0 that was put into the output, not the model's."""
    sampler = make(name)
    latents = sampler.start(None, noise(0))
    target = noise(3)
    run_one = x0_from_output(model(latents, 0), latents, sampler.level(0), "epsilon")
    output = model(latents, 0) + output_change(target - run_one, sampler.level(0), "epsilon")
    sampler.advance(output, 0, latents)
    remembered = sampler.state()["model_outputs1"]
    torch.testing.assert_close(remembered, target, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("name", "kind"), PAIRS)
@pytest.mark.parametrize("strength", [1.0, 0.7])
def test_a_run_that_goes_on_ends_on_the_same_bits(name, kind, strength):
    """From the latents and the state after any step, a new sampler continues to the very same latents."""
    sampler = make(name, kind, strength=strength)
    states = []
    whole = run(sampler, sampler.start(noise(9), noise(0)), states=states)
    for step in range(1, sampler.step_count):
        latents, state = states[step - 1]
        other = make(name, kind, strength=strength)
        other.restore(step, state)
        assert torch.equal(run(other, latents, first=step), whole), f"after step {step}"


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_an_edit_that_changes_nothing_leaves_every_bit(name, kind):
    """An identity smoother's change is zero, and then the run is the one without it."""
    plain = run(make(name, kind), make(name, kind).start(None, noise(0)))
    edited = run(make(name, kind), make(name, kind).start(None, noise(0)), edit=torch.zeros_like)
    assert torch.equal(plain, edited)


@pytest.mark.parametrize("name", SAMPLERS)
def test_strength_1_starts_from_noise_alone(name):
    """The source's latents do not matter; below 1 they do."""
    kind = SAMPLERS[name].predictions[0]
    whole = make(name, kind)
    assert torch.equal(whole.start(None, noise(0)), whole.start(noise(5), noise(0)))
    part = make(name, kind, strength=0.5)
    assert not torch.equal(part.start(noise(4), noise(0)), part.start(noise(5), noise(0)))
    with pytest.raises(ValueError, match="source frames"):
        part.start(None, noise(0))


@pytest.mark.parametrize("name", SAMPLERS)
def test_starting_level_is_that_of_the_first_step(name):
    """Noised source latents stand at the noise level that the first step expects."""
    sampler = make(name, SAMPLERS[name].predictions[0], strength=0.5)
    level = sampler.level(0)
    expected = level.signal * noise(4) + level.noise * noise(0)
    torch.testing.assert_close(sampler.start(noise(4), noise(0)), expected)


@pytest.mark.parametrize("name", ["lcm", "tcd"])
def test_injected_noise_is_the_callers(name):
    """Frames that are given the same noise stay the same; without any, the sampler refuses."""
    sampler = make(name, steps=4)
    latents = noise(0)[:1].expand(SHAPE).clone()
    fresh = noise(1)[:1].expand(SHAPE)
    stepped = sampler.advance(model(latents, 0), 0, latents, fresh)
    assert torch.equal(stepped[0], stepped[1])
    with pytest.raises(ValueError, match="needs the noise"):
        sampler.advance(model(stepped, 1), 1, stepped)


def test_what_cannot_be_sampled_is_refused():
    """No step left, a sampler for another kind of model, and a step out of turn."""
    with pytest.raises(ValueError, match="leaves no step"):
        make("ddim", steps=10, strength=0.05)
    with pytest.raises(ValueError, match="use dpmpp_2m, unipc, flow_euler"):
        make("ddim", "flow_prediction")
    with pytest.raises(ValueError, match="flow_euler"):
        make("flow_euler", "epsilon")
    with pytest.raises(ValueError, match="cannot follow"):
        make("ddim").advance(noise(0), 3, noise(1))
