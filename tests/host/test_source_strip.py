"""A strip as source: footage without passes, whatever the strip is made of."""

from pathlib import Path

import bpy
import numpy as np
import pytest

from diffsynth_blender.host import api
from diffsynth_blender.host.capture.checks import CaptureError
from diffsynth_blender.host.result.strip import strips_of
from diffsynth_blender.host.source.source import StripSource
from diffsynth_blender.protocol import BadJobError, Deflicker, Settings, load_job
from tests.host import shots, sources

SETTINGS = Settings(prompt="clay", controls=(), deflicker=Deflicker(window=1))


@pytest.fixture
def scene() -> bpy.types.Scene:
    """A scene of an editor, with nothing in it."""
    found = bpy.context.scene
    found.render.resolution_x, found.render.resolution_y = 48, 32
    found.frame_start, found.frame_end = 11, 13
    return found


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """The first of three PNG files of 32x24 px."""
    rng = np.random.default_rng(0)
    for number in (1, 2, 3):
        image = bpy.data.images.new("plate", 32, 24)
        image.pixels = np.concatenate([rng.random((24, 32, 3)), np.ones((24, 32, 1))], -1).ravel().tolist()
        image.filepath_raw, image.file_format = str(tmp_path / "plate" / f"plate_{number:04d}.png"), "PNG"
        image.save()
        bpy.data.images.remove(image)
    return tmp_path / "plate" / "plate_0001.png"


def capture(scene: bpy.types.Scene, job_dir: Path, **options: object) -> Path:
    """Make a job of the strip Plate."""
    return api.capture(scene, job_dir, settings=SETTINGS, source=StripSource("Plate"), **options)


def test_plain_files_are_linked_in_their_own_size(scene, plate, tmp_path) -> None:
    """Byte by byte, under the scene frames at which the strip shows them; job.json says footage."""
    sources.add_image_strip(scene, plate, 3, start=11)
    capture(scene, tmp_path / "job")
    shot = load_job(tmp_path / "job").shot
    assert (shot.frames, shot.width, shot.height, shot.passes) == ((11, 12, 13), 32, 24, None)
    for number in (1, 2, 3):
        linked = tmp_path / "job" / "source" / f"{10 + number:04d}.png"
        assert linked.read_bytes() == (plate.parent / f"plate_{number:04d}.png").read_bytes()


def test_other_strips_are_rendered_as_they_are_shown(scene, plate, tmp_path) -> None:
    """A strip that changes its files, and a movie: in the scene's size, display colours as they are."""
    strip = sources.add_image_strip(scene, plate, 3, start=11)
    strip.use_flip_x = True
    capture(scene, tmp_path / "flipped", frame_step=2)
    shot = load_job(tmp_path / "flipped").shot
    assert (shot.frames, shot.width, shot.height) == ((11, 13), 48, 32)
    shown = shots.read_png(tmp_path / "flipped" / "source" / "0011.png")[4:28, 8:40]
    assert np.array_equal(shown[:, ::-1], shots.read_png(plate))
    strips_of(scene).remove(strip)
    scene.view_settings.view_transform = "Standard"
    made = sources.add_image_strip(scene, plate, 3, start=11)
    sources.render_movie(scene, tmp_path / "plate.mp4")
    strips_of(scene).remove(made)
    sources.add_movie_strip(scene, tmp_path / "plate.mp4", start=11)
    capture(scene, tmp_path / "movie")
    shown = shots.read_png(tmp_path / "movie" / "source" / "0012.png")[4:28, 8:40].astype(int)
    plain = shots.read_png(plate.parent / "plate_0002.png").astype(int)
    assert np.abs(shown - plain).mean() < 30, "chroma at half resolution, no more"
    assert len(bpy.data.scenes) == 1


def no_strip(scene, plate):
    strips_of(scene).remove(strips_of(scene)["Plate"])
    return BadJobError, "strip 'Plate' is not there any more"


def too_short(scene, plate):
    scene.frame_end = 14
    return CaptureError, "is shown from frame 11 to 13 and the range is 11 to 14: press Fit Frame Range"


def file_gone(scene, plate):
    (plate.parent / "plate_0002.png").unlink()
    return BadJobError, "plate_0002.png: no such file"


def two_sizes(scene, plate):
    image = bpy.data.images.load(str(plate))
    image.scale(20, 20)
    image.save(filepath=str(plate.parent / "plate_0003.png"))
    return CaptureError, "plate_0003.png is 20x20 px and the frames before it are 32x24 px"


@pytest.mark.parametrize("spoil", [no_strip, too_short, file_gone, two_sizes])
def test_what_cannot_be_is_refused(scene, plate, tmp_path, spoil) -> None:
    """In one sentence, before anything is written."""
    sources.add_image_strip(scene, plate, 3, start=11)
    kind, message = spoil(scene, plate)
    with pytest.raises(kind) as error:
        capture(scene, tmp_path / "job")
    assert message in str(error.value)
    assert not (tmp_path / "job").exists()


def test_controls_that_need_passes_are_refused_before_the_render(scene, plate, tmp_path) -> None:
    """Depth is read from passes or estimated by an annotator that somebody chose; nothing is left out in silence."""
    sources.add_image_strip(scene, plate, 3, start=11)
    with pytest.raises(BadJobError, match="the control Depth is read from passes, and strip 'Plate' has none"):
        api.capture(scene, tmp_path / "job", settings=Settings(prompt="clay"), source=StripSource("Plate"))
    assert not (tmp_path / "job").exists()


def test_the_plate_is_never_in_the_folder_that_is_emptied(scene, plate, tmp_path) -> None:
    """A strip of the job's own source frames is refused, and its files are still there."""
    strip = sources.add_image_strip(scene, plate, 3, start=11)
    for strip.use_flip_x in (False, True):  # linked, and rendered
        with pytest.raises(CaptureError, match="lies in the job folder"):
            capture(scene, tmp_path, overwrite=True)
        assert plate.is_file()
