"""Keyframes and drivers of the settings reach the job as Blender computes them."""

import bpy
import pytest

from diffsynth_blender.host import addon
from diffsynth_blender.host.shot import animation, properties
from diffsynth_blender.protocol import Animation, change_settings
from tests.host.shots import make_shot

FRAMES = (1, 3, 5, 9)


@pytest.fixture
def scene():
    """A small shot in a Blender that has the add-on."""
    addon.register()
    yield make_shot(width=32, height=24)
    addon.unregister()


def keyframe(owner, name: str, **values_at_frames: float) -> None:
    for frame, value in values_at_frames.items():
        setattr(owner, name, value)
        owner.keyframe_insert(name, frame=int(frame.removeprefix("at_")))


def test_nothing_animated_says_nothing(scene):
    """A scene whose camera moves has no animated settings."""
    keyframe(scene.camera, "location", at_1=(0, 0, 5), at_9=(1, 0, 5))
    settings = properties.to_settings(scene.diffsynth, FRAMES)
    assert settings == properties.to_settings(scene.diffsynth)
    assert settings.animation == ()


def test_keyframes_are_sampled_at_the_frames_of_the_shot(scene):
    """The job says at each of its frames what Blender shows there."""
    chosen = scene.diffsynth
    keyframe(chosen, "guidance_scale", at_1=2.0, at_9=6.0)
    keyframe(chosen.controls.depth, "scale", at_1=0.0, at_9=1.0)
    keyframe(chosen.deflicker, "strength", at_1=1.0, at_9=0.5)
    shown = {}
    for frame in FRAMES:
        scene.frame_set(frame)
        shown[frame] = [chosen.guidance_scale, chosen.controls.depth.scale, chosen.deflicker.strength]
    settings = properties.to_settings(chosen, FRAMES)
    assert change_settings(settings, ()) == settings  # as read from a job.json
    sampled = {item.key: item for item in settings.animation}
    assert list(sampled) == ["guidance_scale", "deflicker.strength", "controls.depth.scale"]
    keys = ("guidance_scale", "controls.depth.scale", "deflicker.strength")
    for frame in FRAMES:
        assert [sampled[key].at(frame) for key in keys] == pytest.approx(shown[frame], abs=1e-6)


def test_settings_do_not_depend_on_the_current_frame(scene):
    """The same file gives the same job wherever the playhead stands, and it stays there."""
    keyframe(scene.diffsynth, "guidance_scale", at_1=2.0, at_9=6.0)
    jobs = []
    for frame in (1, 7):
        scene.frame_set(frame)
        jobs.append(properties.to_settings(scene.diffsynth, FRAMES))
        assert scene.frame_current == frame
    assert jobs[0] == jobs[1] and jobs[0].guidance_scale == 2.0
    assert list(bpy.data.scenes) == [scene]


def test_drivers_count(scene):
    """A value driven by something of the scene that is itself animated follows it."""
    keyframe(scene.camera, "location", at_1=(0, 0, 0), at_9=(8, 0, 0))
    driver = scene.diffsynth.controls.normal.driver_add("scale").driver
    variable = driver.variables.new()
    variable.name, variable.type = "x", "TRANSFORMS"
    variable.targets[0].id, variable.targets[0].transform_type = scene.camera, "LOC_X"
    driver.expression = "x / 8"
    [moving] = properties.to_settings(scene.diffsynth, FRAMES).animation
    assert moving.key == "controls.normal.scale"
    for frame in FRAMES:
        scene.frame_set(frame)
        assert moving.at(frame) == pytest.approx(scene.camera.location.x / 8, abs=1e-5)


def test_a_constant_curve_is_one_value(scene):
    """Keyframes that change nothing animate nothing, but their value counts wherever the playhead stands."""
    keyframe(scene.diffsynth, "guidance_scale", at_1=4.0, at_9=4.0)
    scene.diffsynth.guidance_scale = 7.0  # not keyed: Blender forgets it with the next frame
    settings = properties.to_settings(scene.diffsynth, FRAMES)
    assert (settings.guidance_scale, settings.animation) == (4.0, ())


def test_what_is_not_used_is_not_animated(scene):
    """A control that is off, or a strength with a schedule, has keyframes nobody reads."""
    chosen = scene.diffsynth
    keyframe(chosen.controls.canny, "scale", at_1=0.0, at_9=1.0)
    keyframe(chosen.deflicker, "strength", at_1=1.0, at_9=0.5)
    chosen.deflicker.use_schedule, chosen.deflicker.strength_schedule = True, "1, 0.5"
    assert properties.to_settings(chosen, FRAMES).animation == ()


def test_only_what_can_change_along_the_shot_can_be_keyframed(scene):
    """A keyframe that nobody would read cannot be set."""
    chosen = scene.diffsynth
    for path in animation.ANIMATED:
        *group, name = path.rsplit(".", 1)
        assert (chosen.path_resolve(group[0]) if group else chosen).bl_rna.properties[name].is_animatable
    for name in ("seed", "steps", "strength", "prompt", "look"):
        with pytest.raises(TypeError, match="not animatable"):
            chosen.keyframe_insert(name)


def test_holds_take_two_frames(scene):
    """Frames on the line between their neighbours say nothing new."""
    samples = {"guidance_scale": (2.0, 2.0, 2.0, 2.0, 3.0, 4.0, 5.0, 5.0, 5.0)}
    [thin] = animation.animations(samples, range(9))
    assert thin == Animation("guidance_scale", (0, 3, 6, 8), (2.0, 2.0, 5.0, 5.0))
