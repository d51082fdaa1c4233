"""What a deflickering refuses: each in one sentence that names the file and the remedy, with nothing written."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffsynth_blender.protocol import BadJobError, DeflickerFrames, DeviceMissingError, DiffSynthError, save_job
from diffsynth_blender.worker.launch import run_deflicker
from diffsynth_blender.worker.sequences import gaps, list_frames
from tests.protocol.examples import example_job

ROOT = Path(__file__).parents[2]


def picture(path: Path, size: tuple[int, int] = (20, 16)) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.zeros((size[1], size[0], 3), np.uint8)).save(path)


@pytest.fixture
def request_for(tmp_path: Path) -> DeflickerFrames:
    """A deflickering of frames 1 to 4 that is in order."""
    for frame in range(1, 5):
        picture(tmp_path / "style" / f"{frame:04d}.png")
        picture(tmp_path / "guide" / f"{frame:04d}.png")
    style, out, guide = (str(tmp_path / name) for name in ("style", "out", "guide"))
    return DeflickerFrames("", style, out, guide, None, "fast", 2, "cpu")


def refused(request: DeflickerFrames) -> str:
    """The sentence a request is refused with."""
    before = sorted(Path(request.style_dir).parent.rglob("*"))
    with pytest.raises(DiffSynthError) as caught:
        run_deflicker(request, lambda event: None, lambda: False)
    assert sorted(Path(request.style_dir).parent.rglob("*")) == before, "something was written"
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_neither_or_both_guides(request_for: DeflickerFrames) -> None:
    """Say what can be given."""
    for both in ({"guide_dir": None}, {"job_dir": request_for.guide_dir}):
        message = refused(replace(request_for, **both))
        assert all(words in message for words in ("--job JOB", "--guide DIR", "style frames themselves"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mode": "slow"}, "mode 'slow' is not known; choose one of fast"),
        ({"window": -1}, "a window of -1 frames cannot be used; choose 0 to 64"),
        ({"window": 65}, "choose 0 to 64"),
        ({"style_dir": "/nowhere/style"}, "/nowhere/style: cannot be read as a folder"),
        ({"guide_dir": "/nowhere/guide"}, "/nowhere/guide: cannot be read as a folder"),
        ({"guide_dir": None, "job_dir": "/nowhere/job"}, "/nowhere/job/job.json: no such file"),
    ],
)
def test_choices(request_for: DeflickerFrames, tmp_path: Path, change: dict, words: str) -> None:
    """Name the choice that is none."""
    if "style_dir" in change:
        with pytest.raises(BadJobError, match=words):
            run_deflicker(replace(request_for, **change), lambda event: None, lambda: False)
    else:
        assert words in refused(replace(request_for, **change))


def test_a_folder_without_frames(request_for: DeflickerFrames) -> None:
    """Say which files count."""
    shutil.rmtree(request_for.style_dir)
    Path(request_for.style_dir).mkdir()
    (Path(request_for.style_dir) / "0001.exr").touch()
    assert "style: holds no frames; give a folder of numbered .png" in refused(request_for)


def test_names_without_a_number_or_with_one_twice(request_for: DeflickerFrames, tmp_path: Path) -> None:
    """Name the file in the way."""
    picture(tmp_path / "style" / "cover.png")
    assert "cover.png: has no frame number in its name" in refused(request_for)
    (tmp_path / "style" / "cover.png").rename(tmp_path / "style" / "b 2.jpg")
    message = refused(request_for)
    assert "b 2.jpg: is frame 2, and so is 0002.png" in message


def test_gaps_are_named(request_for: DeflickerFrames, tmp_path: Path) -> None:
    """Frames are missing in the style, in the guide, in both."""
    (tmp_path / "style" / "0003.png").unlink()
    message = refused(request_for)
    assert "style: frame 3 is missing between 1 and 4" in message and "mode keyframes" in message
    (tmp_path / "guide" / "0003.png").unlink()
    assert "style: frame 3 is missing" in refused(request_for)
    picture(tmp_path / "style" / "0003.png")
    assert "guide: has no frame 3, but" in refused(request_for)


def test_every_second_frame_is_no_gap(tmp_path: Path) -> None:
    """Equal steps are a clip; anything else has holes in it."""
    assert gaps([1, 3, 5]) == [] and gaps([4]) == [] and gaps([1, 3, 4]) == [2] and gaps([1, 3, 7]) == [5]
    for name in ("shot2_v07_0003.png", "shot2_v07_0001.tif", ".0002.png", "notes.txt"):
        (tmp_path / name).touch()
    assert [(number, path.name) for number, path in list_frames(tmp_path).items()] == [
        (1, "shot2_v07_0001.tif"),
        (3, "shot2_v07_0003.png"),
    ]


def test_frames_the_job_does_not_have(request_for: DeflickerFrames, tmp_path: Path) -> None:
    """Name them; the example's frames are 1, 3, 5."""
    save_job(example_job(), tmp_path / "job")
    request = replace(request_for, guide_dir=None, job_dir=str(tmp_path / "job"))
    assert "job: has no frames 2, 4, but" in refused(request)
    for frame in (2, 4):
        (tmp_path / "style" / f"{frame:04d}.png").unlink()
    assert "job/source/0001.png: no such file" in refused(request)
    shutil.copytree(tmp_path / "guide", tmp_path / "job" / "source")
    picture(tmp_path / "job" / "source" / "0003.png")
    assert "20x16 px, the job's frames are 64x48 px" in refused(request)


def test_key_frames_that_fit_nothing(request_for: DeflickerFrames, tmp_path: Path) -> None:
    """A key nobody can place, a guide with holes, a guide that is the keys."""
    request = replace(request_for, mode="keyframes")
    picture(tmp_path / "style" / "0009.png")
    assert "has key frame 9, which" in refused(request) and "its frames are 1 to 4" in refused(request)
    (tmp_path / "style" / "0009.png").unlink()
    (tmp_path / "style" / "0002.png").unlink()
    assert "cannot guide its own key frames" in refused(replace(request, guide_dir=request.style_dir))
    (tmp_path / "guide" / "0002.png").unlink()
    assert "guide: frame 2 is missing" in refused(request)


def test_sizes_that_differ(request_for: DeflickerFrames, tmp_path: Path) -> None:
    """Name the frame and both sizes."""
    picture(tmp_path / "guide" / "0003.png", (24, 16))
    message = refused(request_for)
    assert "guide/0003.png: is 24x16 px, 0001.png is 20x16 px" in message


def test_files_that_are_no_pictures(request_for: DeflickerFrames, tmp_path: Path) -> None:
    """Name the file before anything is computed."""
    (tmp_path / "style" / "0002.png").write_bytes(b"not a picture")
    assert "style/0002.png: truncated or not a picture" in refused(request_for)


def test_a_frame_that_ends_early(request_for: DeflickerFrames, tmp_path: Path) -> None:
    """The head is whole, the pixels are not: noticed when it is read, finished frames stay."""
    path = tmp_path / "style" / "0004.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 20, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(BadJobError, match=r"style/0004\.png: truncated"):
        run_deflicker(request_for, lambda event: None, lambda: False)


def test_folders_that_are_never_written_to(request_for: DeflickerFrames, tmp_path: Path) -> None:
    """Neither the inputs, nor a job's own folders, nor what somebody else made."""
    for name in ("style", "guide"):
        request = replace(request_for, output_dir=str(tmp_path / name / ".." / name))
        assert f"is the {name} folder, which is never written to" in refused(request)
    job = example_job()
    save_job(replace(job, shot=replace(job.shot, frames=(1, 2, 3, 4), pass_frames=(1, 2, 3, 4),
                                       cameras=job.shot.cameras[:4]), redos=()), tmp_path / "job")  # fmt: skip
    with_job = replace(request_for, guide_dir=None, job_dir=str(tmp_path / "job"))
    assert "job: is a job folder" in refused(replace(with_job, output_dir=str(tmp_path / "job")))
    for name in ("output", "source", "passes", "baseline", "cache", "output/new"):
        message = refused(replace(with_job, output_dir=str(tmp_path / "job" / name)))
        assert f"lies in the job's own {name.split('/')[0]}/" in message
    picture(tmp_path / "out" / "0003.png")
    assert "out/0003.png: was not made by this command" in refused(request_for)
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "out").touch()
    assert "out: is not a folder" in refused(request_for)


def test_a_device_that_is_not_there(request_for: DeflickerFrames) -> None:
    """Asking for CUDA where there is none never falls back to the processor."""
    warp = pytest.importorskip("warp")
    if warp.is_cuda_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(DeviceMissingError, match="'cuda' is not available"):
        run_deflicker(replace(request_for, device="cuda"), lambda event: None, lambda: False)


def test_the_command_line_refuses_in_one_line(request_for: DeflickerFrames, tmp_path: Path) -> None:
    """Exit with 2 and a line; a choice that argparse knows is refused by argparse."""
    command = [sys.executable, "-m", "diffsynth_blender.worker", "deflicker", "--style", request_for.style_dir]
    for arguments, words in (
        (["--output", request_for.output_dir], "what shows the motion"),
        (["--output", request_for.style_dir, "--guide", request_for.style_dir], "is the style folder"),
    ):
        done = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 2 and done.stdout == ""
        assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1 and words in done.stderr
    done = subprocess.run([*command, "--mode", "slow"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "--mode" in done.stderr and "Traceback" not in done.stderr
