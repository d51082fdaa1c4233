"""Laws of a job's inputs: every control from real files, footage, super-resolution, regions; refusals by name."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from diffsynth_blender.blending.footage import Footage
from diffsynth_blender.models.registry import ANNOTATOR_WEIGHTS
from diffsynth_blender.motion.clip import Clip
from diffsynth_blender.passes.annotators import ANNOTATORS
from diffsynth_blender.passes.images import to_bytes
from diffsynth_blender.protocol import (
    Attention,
    BadJobError,
    Control,
    Deflicker,
    Job,
    ModelMissingError,
    Noise,
    Reference,
    Region,
)
from diffsynth_blender.worker.inputs import at_result_size, read_frame_passes, read_inputs, read_source
from diffsynth_blender.worker.shot_motion import correspondence_of
from tests.e2e.job_folder import write_job_folder
from tests.reference.scene import demo_scene

EVERY_KIND = tuple(map(Control, ("depth", "normal", "softedge", "lineart", "canny", "tile", "shuffle")))


def inputs_of(job: Job, job_dir):
    job = at_result_size(job)
    return read_inputs(job, job_dir, job.shot.frames, lambda done, count, frame: None)


def as_footage(job: Job) -> Job:
    """The same frames without passes."""
    shot = replace(
        job.shot,
        passes=None,
        pass_frames=(),
        channels={},
        background_depth=0.0,
        cameras=(),
        objects=None,
    )
    return replace(job, shot=shot)


def with_settings(job: Job, **settings) -> Job:
    return replace(job, settings=replace(job.settings, **settings))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A job folder of four frames with a reference picture."""
    job_dir = tmp_path_factory.mktemp("inputs")
    job = write_job_folder(job_dir, frames=4)
    Image.fromarray(to_bytes(demo_scene(40, 30).picture(3))).save(job_dir / "look.png")
    return job_dir, job


def test_every_control_is_made_of_exact_passes_and_source_frames(folder):
    """Each kind is a picture in [0, 1] of the frame's size; no two kinds look alike."""
    job_dir, job = folder
    inputs = inputs_of(with_settings(job, controls=EVERY_KIND, reference=Reference("look.png")), job_dir)
    images = {control.kind: inputs.control(control.kind, 1) for control in EVERY_KIND}
    for kind, image in images.items():
        assert image.shape == (48, 64, 3) and image.dtype == np.float32, kind
        assert 0.0 <= image.min() < image.max() <= 1.0, kind
    assert len({image.tobytes() for image in images.values()}) == len(images)
    assert (images["tile"] == inputs.source(1)).all()
    assert (inputs.control("shuffle", 0) == inputs.control("shuffle", 3)).all()
    assert inputs.reference.shape == (30, 40, 3)


def test_inputs_of_other_settings_do_not_disturb_each_other(folder):
    """A redo's inputs in the same folder leave those of the job as they were."""
    job_dir, job = folder
    first = inputs_of(with_settings(job, controls=(Control("lineart"),)), job_dir)
    before = first.control("lineart", 0).copy()
    other = (Control("lineart", annotator="lineart_standard"),)
    inputs_of(with_settings(job, controls=other), job_dir).control("lineart", 1)
    for index in (1, 2, 3, 0):
        first.control("lineart", index)
    again = inputs_of(with_settings(job, controls=(Control("lineart"),)), job_dir)
    assert (again.control("lineart", 1) == first.control("lineart", 1)).all()
    assert (first.control("lineart", 0) == before).all()


def test_memory_does_not_grow_with_the_clip(folder, tmp_path):
    """Four times the frames: checking them and reading each once takes no more memory at its peak."""
    peaks = []
    for frames in (12, 48):
        job_dir = tmp_path / str(frames)
        job = write_job_folder(job_dir, frames=frames)
        tracemalloc.start()
        inputs = inputs_of(job, job_dir)
        for index in range(frames):
            inputs.source(index), inputs.control("depth", index), inputs.control("normal", index)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # The sample for the depth range grows up to its bound of 4 MiB; here by 36 frames of 12 KiB.
    assert peaks[1] < peaks[0] + 4 * 36 * 64 * 48 * 4


def test_shuffle_needs_a_picture(folder):
    """Without a reference the setting is named."""
    job_dir, job = folder
    with pytest.raises(BadJobError, match=r"settings\.controls\[0\]\.kind is 'shuffle'.*settings\.reference is null"):
        inputs_of(with_settings(job, controls=(Control("shuffle"),)), job_dir)


def test_footage_has_estimated_controls_and_matched_motion(folder):
    """Line art and canny need no weights; correspondence comes from the pictures alone."""
    job_dir, job = folder
    job = with_settings(as_footage(job), controls=(Control("lineart"), Control("canny"), Control("tile")))
    inputs = inputs_of(job, job_dir)
    assert inputs.control("lineart", 0).max() > 0.3 and inputs.control("canny", 0).max() == 1.0
    assert isinstance(correspondence_of(job, job_dir, job.shot.frames, "cpu"), Footage)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"controls": (Control("depth"),)}, r"settings\.controls\[0\]\.annotator is empty.*choose one of midas, zoe"),
        ({"controls": (Control("softedge"),)}, r"controls\[0\]\.annotator is empty.*choose one of hed, pidi"),
        ({"noise": Noise("surface")}, r"settings\.noise\.kind is 'surface'.*use 'fixed'"),
        ({"attention": Attention(motion="trajectory")}, r"settings\.attention\.motion is 'trajectory'.*use 'off'"),
        ({"regions": (Region(("card",)),)}, r"settings\.regions is a list of 1.*leave it empty"),
    ],
)
def test_footage_refuses_what_needs_passes(folder, settings, message):
    """Each setting by its name, with what to do."""
    job_dir, job = folder
    with pytest.raises(BadJobError, match=message):
        inputs_of(with_settings(as_footage(job), **{"controls": (), **settings}), job_dir)


def test_annotators_are_refused_by_name(folder):
    """One that makes something else, one that is not there, and one for a kind that nothing estimates."""
    job_dir, job = folder
    for control, error, message in (
        (
            Control("depth", annotator="canny"),
            BadJobError,
            "annotator 'canny' does not make depth; choose one of",
        ),
        (Control("softedge", annotator="hed"), ModelMissingError, r"'hed' needs weights \(ControlNetHED.pth\)"),
        (Control("tile", annotator="hed"), BadJobError, "annotator must be empty for 'tile'"),
    ):
        with pytest.raises(error, match=message):
            inputs_of(with_settings(job, controls=(control,)), job_dir)


def test_motion_is_exact_unless_told_otherwise(folder):
    """Passes give a clip of exact motion; settings can ask for patches."""
    job_dir, job = folder
    assert isinstance(correspondence_of(job, job_dir, job.shot.frames, "cpu"), Clip)
    matched = with_settings(job, deflicker=Deflicker(along="matched"))
    assert isinstance(correspondence_of(matched, job_dir, job.shot.frames, "cpu"), Footage)


def test_upscaled_inputs_agree_with_each_other(folder):
    """Source, controls, passes and motion have the result's size; the motion is that of a render of that size."""
    job_dir, job = folder
    small = with_settings(job, upscale=2, controls=(Control("depth"), Control("canny"), Control("tile")))
    inputs = inputs_of(small, job_dir)
    assert (inputs.width, inputs.height) == (128, 96)
    assert (
        inputs.source(0).shape == inputs.control("depth", 0).shape == inputs.control("canny", 0).shape == (96, 128, 3)
    )
    job = at_result_size(small)
    assert (read_source(job, job_dir, 1) == inputs.source(0)).all()
    field = correspondence_of(job, job_dir, job.shot.frames, "cpu").field(0, 2)
    truth = demo_scene(128, 96).field(1, 3)
    both = (field[..., 2] > 0.5) & (truth[..., 2] > 0.5)
    both[:2] = both[-2:] = both[:, :2] = both[:, -2:] = False
    assert both.mean() > 0.6
    distance = np.linalg.norm(field[..., :2] - truth[..., :2], axis=-1)[both]
    assert np.quantile(distance, 0.95) < 0.05


def test_footage_can_be_upscaled(folder):
    """Super-resolution needs no passes; the same bits come from the cache."""
    job_dir, job = folder
    job = with_settings(as_footage(job), upscale=4, controls=(Control("tile"),))
    first = inputs_of(job, job_dir).control("tile", 2)
    assert first.shape == (192, 256, 3)
    assert (inputs_of(job, job_dir).control("tile", 2) == first).all()
    assert len(list((job_dir / "cache").glob("source-x4-*.png"))) >= 1


def test_passes_keep_their_size_without_upscaling(folder):
    """The same job, untouched."""
    job_dir, job = folder
    assert at_result_size(job) == job
    assert read_frame_passes(job, job_dir, 1).depth.shape == (48, 64)


def test_every_annotator_with_weights_is_in_the_table_of_weights():
    """Loading finds its files' names there."""
    assert {name for name, annotator in ANNOTATORS.items() if annotator.has_weights} == ANNOTATOR_WEIGHTS.keys()
