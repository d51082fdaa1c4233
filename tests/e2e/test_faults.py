"""Bad input: a one-line error naming file and remedy, exit code 2 or 3, no traceback, finished frames untouched."""

import json

import pytest
from PIL import Image

from diffsynth_blender.protocol import output_path
from tests.e2e.job_folder import pixels_hash, write_job_folder, write_passes
from tests.reference.scene import demo_scene

FRAME = 2


def truncated_exr(job_dir):
    path = job_dir / "passes" / "0002.exr"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path, "capture the frame again"


def missing_pass(job_dir):
    path = job_dir / "passes" / "0002.exr"
    write_passes(path, demo_scene(64, 48), FRAME, leave_out="vector")
    return path, "vector pass is missing"


def missing_file(job_dir):
    path = job_dir / "passes" / "0002.exr"
    path.unlink()
    return path, "capture the frame again"


def missing_matrices(job_dir):
    path = job_dir / "passes" / "0002.objects.json"
    path.unlink()
    return path, "capture the frame again"


def truncated_matrices(job_dir):
    path = job_dir / "passes" / "0002.objects.json"
    path.write_text(path.read_text()[:-20])
    return path, "capture the frame again"


def passes_of_another_size(job_dir):
    path = job_dir / "passes" / "0002.exr"
    write_passes(path, demo_scene(32, 24), FRAME)
    return path, "32x24"


def nan_in_depth(job_dir):
    path = job_dir / "passes" / "0002.exr"
    write_passes(path, demo_scene(64, 48), FRAME, nan_in="depth")
    return path, "NaN"


def source_of_another_size(job_dir):
    path = job_dir / "source" / "0002.png"
    Image.new("RGB", (32, 24)).save(path)
    return path, "32x24"


def truncated_source(job_dir):
    path = job_dir / "source" / "0002.png"
    path.write_bytes(path.read_bytes()[:100])
    return path, "again"


def unknown_key(job_dir):
    path = job_dir / "job.json"
    value = json.loads(path.read_text())
    value["settings"]["strengh"] = 0.5
    path.write_text(json.dumps(value))
    return path, "'strength'"


@pytest.mark.parametrize(
    "damage",
    [
        truncated_exr,
        missing_pass,
        missing_file,
        missing_matrices,
        truncated_matrices,
        passes_of_another_size,
        nan_in_depth,
        source_of_another_size,
        truncated_source,
        unknown_key,
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(damage, run_worker, tmp_path, tiny_model):
    """The error names the file and the remedy; frames that were finished before are left alone."""
    job_dir = tmp_path / "job"
    write_job_folder(job_dir, model=tiny_model)
    finished = output_path(job_dir, 1)
    finished.parent.mkdir()
    finished.write_bytes(b"finished before")
    path, remedy = damage(job_dir)
    done = run_worker("run", job_dir)
    assert done.returncode == 2, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert str(path) in errors[0] and remedy in errors[0]
    assert "Traceback" not in done.stderr
    assert finished.read_bytes() == b"finished before"


def test_a_missing_model_is_exit_code_3(run_worker, tmp_path):
    """The error names the folder that is not there."""
    job_dir = tmp_path / "job"
    write_job_folder(job_dir, model="/nowhere/model")
    done = run_worker("run", job_dir)
    assert done.returncode == 3
    assert "/nowhere/model" in done.stderr and "Traceback" not in done.stderr


def test_a_missing_device_is_exit_code_3(run_worker, tmp_path, tiny_model):
    """Asking for CUDA where there is none never falls back to the processor."""
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    job_dir = tmp_path / "job"
    write_job_folder(job_dir, model=tiny_model, device="cuda")
    done = run_worker("run", job_dir)
    assert done.returncode == 3
    assert "'cuda' is not available" in done.stderr


def test_a_damaged_model_is_exit_code_3(run_worker, tmp_path, tiny_model):
    """A truncated weight file is named, with its folder."""
    import shutil

    model = tmp_path / "model"
    shutil.copytree(tiny_model, model)
    weights = next((model / "unet").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:1000])
    job_dir = tmp_path / "job"
    write_job_folder(job_dir, model=str(model))
    done = run_worker("run", job_dir)
    assert done.returncode == 3
    assert str(model / "unet") in done.stderr and "Traceback" not in done.stderr


def test_a_long_prompt_is_read_to_its_end(run_worker, tmp_path, tiny_model):
    """Words are never dropped silently: what stands behind all that one encoding can hold changes the picture."""
    results = set()
    for last in ("gold", "ice"):
        job_dir = tmp_path / last
        write_job_folder(job_dir, model=tiny_model, frames=1, prompt="word " * 50 + last)
        assert run_worker("run", job_dir).returncode == 0
        results.add(pixels_hash(job_dir / "output" / "0001.png"))
    assert len(results) == 2
