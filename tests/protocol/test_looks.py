"""Laws of the table of looks."""

import pytest

from diffsynth_blender.protocol import BadJobError, Job, Reference, Region, Settings, load_job, save_job
from diffsynth_blender.protocol.looks import DEFAULT_LOOK, LOOKS, apply_look, check_look
from tests.protocol.examples import example_job


def test_the_default_look_of_the_demo_model_is_the_default(tmp_path):
    """Whoever says nothing gets the first look of the table."""
    assert next(iter(LOOKS)) == DEFAULT_LOOK
    assert apply_look(Settings(prompt="clay"), DEFAULT_LOOK) == Settings(prompt="clay")


@pytest.mark.parametrize("model", ["demo", "/models/sd15"])
@pytest.mark.parametrize("look", list(LOOKS))
def test_every_look_makes_a_valid_job(look, model, tmp_path):
    """With what it needs, each look survives the strict reader of job.json for either column."""
    start = Settings(prompt="silk", model=model, reference=Reference("look.png"), regions=(Region(("Coat",)),), seed=3)
    settings = apply_look(start, look)
    check_look(settings, look)
    save_job(Job(example_job().shot, settings), tmp_path)
    assert load_job(tmp_path).settings == settings
    assert (settings.prompt, settings.seed, settings.model) == ("silk", 3, model)


def test_a_look_leaves_nothing_of_the_one_before():
    """One look after another is the other alone."""
    start = Settings(prompt="silk", regions=(Region(("Coat",)),))
    for first in LOOKS:
        for second in LOOKS:
            assert apply_look(apply_look(start, first), second) == apply_look(start, second)


def test_what_a_look_needs_is_asked_for():
    """By the look's name, with the setting."""
    start = Settings(prompt="silk")
    with pytest.raises(BadJobError, match=r"'Image-Guided Stylisation' needs a reference picture.*settings\.reference"):
        check_look(apply_look(start, "image"), "image")
    with pytest.raises(BadJobError, match=r"'Fashion and Regions' needs the objects.*settings\.regions"):
        check_look(apply_look(start, "fashion"), "fashion")
    with pytest.raises(BadJobError, match="no look 'oil'; choose one of render, text, image, fashion, restore"):
        apply_look(start, "oil")


def test_the_demo_model_is_asked_for_what_it_has():
    """Its column uses the ControlNets that come with it, and strengths it was trained for."""
    for look in LOOKS.values():
        assert {control.kind for control in look.demo.controls} <= {"depth", "normal", "tile"}
        assert look.demo.strength <= 0.6 and look.demo.guidance_scale <= 2.0
        assert look.demo_lacks
