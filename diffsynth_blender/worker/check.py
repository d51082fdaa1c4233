"""`check`: does this installation work? Looks at the packages, then stylises four frames and says what it found."""

import importlib
import json
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from .. import __version__
from ..protocol import DeviceMissingError, DiffSynthError, PackageMissingError

PACKAGES = ("torch", "diffusers", "transformers", "warp-lang", "numpy", "OpenEXR", "pillow", "safetensors")
MODULES = {"warp-lang": "warp", "pillow": "PIL"}


def run_check() -> int:
    """Print a report for people and return the exit code: 0 when everything works, 3 when something is missing."""
    print(f"DiffSynth {__version__}, Python {sys.version.split()[0]}, {sys.executable}")
    missing = False
    for package in PACKAGES:
        try:
            importlib.import_module(MODULES.get(package, package))
            _say("ok", f"{package} {metadata.version(package)}")
        except Exception as error:
            # Whatever keeps a package from importing is what this report is for.
            missing = True
            _say("BROKEN", f"{package}: {' '.join(str(error).split()) or type(error).__name__}")
    if missing:
        print("Repair the set-up, or install the worker's requirements into this Python again.")
        return PackageMissingError.exit_code
    try:
        _check_device()
        _check_job()
    except DiffSynthError as error:
        _say("BROKEN", str(error))
        return DeviceMissingError.exit_code
    print("This installation works.")
    return 0


def _check_device() -> None:
    import psutil
    import torch

    from .devices import choose_device, describe_device

    device = choose_device("auto")
    _say("ok", f"device {describe_device(device)}")
    free, total = torch.cuda.mem_get_info(device) if device.type == "cuda" else (0, 0)
    if total:
        _say("ok", f"graphics memory {_gigabytes(free)} free of {_gigabytes(total)}")
    memory = psutil.virtual_memory()
    _say("ok", f"memory {_gigabytes(memory.available)} free of {_gigabytes(memory.total)}")


def _check_job() -> None:
    """Stylise a shot of four frames with the demo model, passes, motion, deflickering and all."""
    from ..passes.images import read_png
    from ..protocol import REPORT_FILE, output_path
    from .check_shot import FRAMES, HEIGHT, WIDTH, write_check_shot
    from .job import run_job

    with tempfile.TemporaryDirectory() as folder:
        job_dir = Path(folder, "job")
        write_check_shot(job_dir)
        run_job(job_dir, frames=None, on_event=lambda event: None, is_cancelled=lambda: False)
        report = json.loads((job_dir / REPORT_FILE).read_text(encoding="utf-8"))
        pictures = [read_png(output_path(job_dir, frame), width=WIDTH, height=HEIGHT) for frame in FRAMES]
    if min(float(picture.std()) for picture in pictures) < 1e-3:
        raise DeviceMissingError("the demo model made no picture on this device; set Device to CPU")
    seconds = sum(report["seconds"].values())
    _say("ok", f"kernels compiled, motion of {len(FRAMES)} frames in {report['seconds']['motion']:.1f} s")
    _say("ok", f"{len(FRAMES)} frames of {WIDTH}x{HEIGHT} stylised, {seconds / len(FRAMES):.1f} seconds a frame")


def _say(state: str, what: str) -> None:
    print(f"  {state:<8} {what}")


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
