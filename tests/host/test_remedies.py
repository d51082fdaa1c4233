"""Errors that can be mended: each is provoked, its button is there, and pressed it takes the error away."""

import re

import bpy
import pytest

from diffsynth_blender.host import addon, compat
from diffsynth_blender.host.capture.checks import CaptureError, check_scene
from diffsynth_blender.host.jobs import failure as job_failure
from diffsynth_blender.host.jobs import remedy_operators as job_remedies
from diffsynth_blender.host.jobs.mend import MENDINGS
from diffsynth_blender.host.jobs.remedies import _BY_KIND, _BY_WORDS, COPY_REPORT, OPEN_LOG, remedies_of
from diffsynth_blender.host.jobs.work import CAPTURE_KIND
from diffsynth_blender.host.shot import properties
from diffsynth_blender.host.source.layers import LayerPasses, _lack
from diffsynth_blender.host.source.source import StripSource
from diffsynth_blender.host.source.work import check_controls
from diffsynth_blender.protocol import ERRORS, Attention, BadJobError, Job, Noise, Region, Settings, Shot
from diffsynth_blender.worker.footage import refuse_what_needs_passes
from tests.host.shots import make_shot


@pytest.fixture
def scene(tmp_path):
    """A shot in a Blender with the add-on."""
    addon.register()
    scene = make_shot(width=32, height=24)
    scene.diffsynth.prompt, scene.diffsynth.output_folder = "clay", str(tmp_path)
    yield scene
    addon.unregister()


def refusal(scene) -> str:
    """Why the scene cannot be captured, or ""."""
    try:
        check_scene(scene, range(4, 7))
    except CaptureError as error:
        return str(error)
    return ""


def press(remedy) -> set[str]:
    group, name = remedy.operator.split(".")
    return getattr(getattr(bpy.ops, group), name)(**remedy.arguments)


def no_camera(scene):
    scene.camera = None
    for thing in scene.objects:
        if thing.type == "CAMERA":
            thing.hide_render = False


def orthographic(scene):
    scene.camera.data.type = "ORTHO"


PROVOKED = {
    "REGION": lambda scene: setattr(scene.render, "use_border", True),
    "STEREO": lambda scene: setattr(scene.render, "use_multiview", True),
    "ASPECT": lambda scene: setattr(scene.render, "pixel_aspect_x", 2.0),
    "CYCLES": lambda scene: setattr(scene.render, "engine", "BLENDER_WORKBENCH"),
    "LAYER": lambda scene: setattr(scene.view_layers[0], "use", False),
    "CAMERA": no_camera,
    "LARGER": lambda scene: setattr(scene.render, "resolution_percentage", 20),
}


@pytest.mark.parametrize("what", PROVOKED)
def test_a_refused_scene_is_mended_by_its_button(scene, what):
    """The real sentence of the real check has the button, and after it the check is content."""
    assert refusal(scene) == ""
    PROVOKED[what](scene)
    message = refusal(scene)
    first = remedies_of(CAPTURE_KIND, message)[0]
    assert first.arguments == {"what": what}, message
    assert press(first) == {"FINISHED"}
    assert refusal(scene) == ""


def test_a_display_that_is_not_srgb_is_mended(scene):
    """Pictures are stored as sRGB, so they are looked at as that."""
    scene.display_settings.display_device = "Display P3"
    [first, *_] = remedies_of(CAPTURE_KIND, refusal(scene))
    assert press(first) == {"FINISHED"} and refusal(scene) == ""


def test_a_moving_orthographic_camera_is_offered_eevee(scene):
    """What Cycles gets wrong, the other engine does right; the sentence and the button say so alike."""
    from diffsynth_blender.host.capture.cameras import record_camera
    from diffsynth_blender.host.capture.checks import check_camera_motion

    scene.camera.data.type = "ORTHO"
    records = []
    for frame in (4, 5):
        scene.frame_set(frame)
        records.append(record_camera(scene))
    with pytest.raises(CaptureError) as caught:
        check_camera_motion(compat.CYCLES, scene.camera, *records)
    first = remedies_of(CAPTURE_KIND, str(caught.value))[0]
    assert press(first) == {"FINISHED"} and scene.render.engine in compat.EEVEE_ENGINES


def test_footage_is_offered_to_go_without_passes(scene):
    """Each setting that needs passes is refused by name, on either side of the pipe, and switched off by its button."""
    settings = properties.to_settings(scene.diffsynth)
    with pytest.raises(BadJobError) as caught:
        check_controls(StripSource("Film"), settings)
    press(remedies_of(caught.value.kind, str(caught.value))[0])
    check_controls(StripSource("Film"), properties.to_settings(scene.diffsynth))
    shot = Shot("Film", "4.5.0", "CYCLES", 32, 24, (24, 1), (4, 5, 6), "source/{frame:04d}.png")
    wanted = {
        "NOISE": Settings(prompt="clay", noise=Noise("surface")),
        "MOTION": Settings(prompt="clay", attention=Attention(motion="trajectory")),
        "REGIONS": Settings(prompt="clay", regions=(Region(("Cube",), "gold"),)),
    }
    for what, settings in wanted.items():
        with pytest.raises(BadJobError) as caught:
            refuse_what_needs_passes(Job(shot, settings))
        first = remedies_of(caught.value.kind, str(caught.value))[0]
        assert first.arguments == {"what": what} and press(first) == {"FINISHED"}


def test_missing_passes_and_frames_have_the_buttons_of_the_source(scene, tmp_path):
    """The sentence names the button, and the button is below it."""
    lacking = _lack(tmp_path / "0004.exr", "ViewLayer", LayerPasses({}, has_picture=True))
    assert remedies_of(CAPTURE_KIND, lacking)[0].operator == "diffsynth.enable_passes"
    film = (
        "Strip 'Film' is shown from frame 1 to 9 and the range is 4 to 12: press Fit Frame Range in the Source panel."
    )
    assert remedies_of(CAPTURE_KIND, film)[0].operator == "diffsynth.fit_range"


def test_every_kind_of_error_can_be_read_and_passed_on(scene):
    """Whatever it is, the log is one click away and the report another; no kind is misspelt."""
    assert set(_BY_KIND) <= set(ERRORS)
    assert {kind for kind, _, _ in _BY_WORDS} <= {*ERRORS, CAPTURE_KIND}
    for kind in (*ERRORS, "internal", CAPTURE_KIND):
        assert remedies_of(kind, "whatever")[-2:] == [OPEN_LOG, COPY_REPORT]


def test_every_button_exists(scene):
    """A remedy names an operator that there is, with values that it takes."""
    remedies = [remedy for _, _, found in _BY_WORDS for remedy in found]
    remedies += [remedy for found in _BY_KIND.values() for remedy in found]
    for remedy in {remedy.operator: remedy for remedy in [*remedies, OPEN_LOG, COPY_REPORT]}.values():
        group, name = remedy.operator.split(".")
        assert getattr(getattr(bpy.ops, group), name).get_rna_type().description
    asked = {remedy.arguments["what"] for remedy in remedies if "what" in remedy.arguments}
    assert asked == set(MENDINGS)


@pytest.mark.parametrize("what", MENDINGS)
def test_every_mending_says_what_it_did(scene, what):
    """One sentence of what is so now, or that there was nothing to do; nothing is left half changed."""
    scene.diffsynth.deflicker.window = 4
    done = MENDINGS[what].apply(scene)
    assert re.match(r"[A-Z'].+", done), done


def test_memory_is_saved_in_steps(scene):
    """Smaller frames, half the window, the processor: pressed again, smaller still, and then there is nothing left."""
    assert press(remedies_of("out_of_memory", "")[0]) == {"FINISHED"}
    assert scene.render.resolution_percentage == 75
    press(remedies_of("out_of_memory", "")[0])
    assert scene.render.resolution_percentage == 56
    scene.diffsynth.deflicker.window = 1
    assert press(remedies_of("out_of_memory", "")[1]) == {"CANCELLED"}
    assert press(remedies_of("out_of_memory", "")[2]) == {"FINISHED"} and scene.diffsynth.device == "CPU"


def test_what_a_button_was_refused_is_kept_until_it_is_mended(scene, monkeypatch):
    """The panel has the sentence with its buttons; the report has Blender's version; mended, it is gone."""
    monkeypatch.setenv("DIFFSYNTH_WORKER_PYTHON", __file__)
    scene.render.use_border = True

    class Operator:
        def report(self, *_):
            pass

    job_failure.tell(Operator(), scene, CaptureError(refusal(scene)))
    failure = job_failure.last(scene)
    assert failure.message == refusal(scene)
    assert bpy.ops.diffsynth.open_log() == {"FINISHED"}
    text = bpy.data.texts[job_remedies.REPORT].as_string()
    assert bpy.app.version_string in text and "turn off Render Region" in text
    other = bpy.data.scenes.new("Other")
    assert job_failure.last(other) is None
    assert press(remedies_of(failure.kind, failure.message)[0]) == {"FINISHED"}
    assert job_failure.last(scene) is None and not bpy.ops.diffsynth.copy_report.poll()
