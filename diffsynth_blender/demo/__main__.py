"""The whole product on the demo scene, from nothing: `python -m diffsynth_blender.demo --output build/demo`.

Runs in a Python that has the bpy module; the worker's Python comes from --worker-python or DIFFSYNTH_WORKER_PYTHON.
Writes source.mp4, result.mp4, compare.png, report.json, demo.blend and the job folder. Run again, it only does what
is missing: frames are rendered anew when the demo scene's own code has changed.
"""

import argparse
import hashlib
import json
import shutil
import sys
import threading
import time
from pathlib import Path

import bpy

from ..host import api
from ..host.capture.capture import CaptureStatus
from ..host.capture.checks import CaptureError
from ..host.command.log import CommandLog
from ..host.result import movie
from ..host.result.show import open_with_sequencer
from ..host.result.strip import find_edit_scene
from ..protocol import BadJobError, DiffSynthError, Settings
from .quick import quick_settings
from .scene import build_scene

PROMPT = "a watercolour painting of toys on grass, hills, blue sky"
RESULTS = ("report.json", "compare.png")
SCENE_FILE = "scene.sha256"  # beside the job: which code made the frames


def main() -> int:
    """Run the command line and return its exit code, the same as the worker's and the add-on's."""
    parser = argparse.ArgumentParser(prog="python -m diffsynth_blender.demo", description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("build/demo"), help="folder for everything (%(default)s)")
    parser.add_argument("--prompt", default=PROMPT, help="what the shot should look like (%(default)s)")
    parser.add_argument("--worker-python", type=Path, help="the worker's interpreter")
    options = parser.parse_args()
    try:
        run_demo(options.output.resolve(), quick_settings(options.prompt), options.worker_python)
    except DiffSynthError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except CaptureError as error:
        print(f"error: {error}", file=sys.stderr)
        return BadJobError.exit_code
    return 0


def run_demo(output: Path, settings: Settings, worker_python: Path | None = None) -> None:
    """Render, stylise, insert, save and encode; raises what the calls of `host.api` raise."""
    started_at = time.monotonic()
    api.check_ready(settings, worker_python)
    output.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = build_scene()
    job_dir = output / "job"
    _capture(scene, job_dir, settings)
    api.stylise(job_dir, worker_python=worker_python, on_event=CommandLog(None, threading.Event()).event)
    api.insert_strip(scene, job_dir)
    edit_scene = find_edit_scene(scene)
    open_with_sequencer(edit_scene)
    bpy.ops.wm.save_as_mainfile(filepath=str(output / "demo.blend"))
    movie.render_source_movie(job_dir, output / "source.mp4")
    movie.render_movie(edit_scene, output / "result.mp4")
    for name in RESULTS:
        shutil.copyfile(job_dir / name, output / name)
    print_report(json.loads((output / "report.json").read_text()))
    print(f"\n{output}: source.mp4 result.mp4 compare.png demo.blend report.json job/")
    print(f"{time.monotonic() - started_at:.0f} s in all")


def print_report(report: dict) -> None:
    """The numbers of report.json as a short table."""
    print(f"\n{report['frames']} frames of {report['width']}x{report['height']} on {report['device']}")
    print("\nseconds")
    for name, seconds in report["seconds"].items():
        print(f"  {name:<12}{seconds:9.1f}")
    temporal, sharpness = report["temporal"], report["sharpness"]
    print(f"\n{'':14}{'warp error':>12}{'sharpness':>12}")
    for label, error, sharp in (
        ("source", temporal["warp_error_source"], sharpness["source"]),
        ("per frame", temporal["warp_error_per_frame"], sharpness["per_frame"]),
        ("result", temporal["warp_error_result"], sharpness["result"]),
    ):
        print(f"  {label:<12}{error:12.6f}{sharp:12.4f}")
    error_ratio = temporal["warp_error_result"] / temporal["warp_error_per_frame"]
    print(f"  {'result / per frame':<14}{error_ratio:6.2f}{sharpness['result'] / sharpness['per_frame']:12.2f}")


def _capture(scene: bpy.types.Scene, job_dir: Path, settings: Settings) -> None:
    """Render the shot, unless the folder holds the frames of this very code."""
    stamp = job_dir.parent / SCENE_FILE
    digest = _code_digest()
    is_same_code = stamp.is_file() and stamp.read_text() == digest
    api.capture(scene, job_dir, settings=settings, overwrite=True, reuse=is_same_code, on_status=_show_render)
    stamp.write_text(digest)


def _show_render(status: CaptureStatus) -> None:
    print(f"render {status.renders_done}/{status.render_count}, frame {status.frame}", file=sys.stderr, flush=True)


def _code_digest() -> str:
    """SHA-256 (hexadecimal) of the code that builds the demo scene."""
    digest = hashlib.sha256()
    for name in ("scene.py", "materials.py", "shapes.py"):
        digest.update((Path(__file__).with_name(name)).read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
