"""Render the clips: `build/venv/host-4.5/bin/python -m tests.benchmarks.clips.render [NAME ...]`.

Goes on where it was stopped, and does nothing where a clip of this very code is there already. Needs bpy.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import shutil
import sys
import time
from pathlib import Path
from types import ModuleType

import bpy

from diffsynth_blender.demo import materials, scene, shapes
from diffsynth_blender.host import api
from diffsynth_blender.host.capture import cameras, capture
from diffsynth_blender.host.capture import frame as capture_frame
from diffsynth_blender.host.capture import objects as capture_objects
from diffsynth_blender.host.capture import passes as capture_passes
from diffsynth_blender.host.capture import shot as capture_shot
from diffsynth_blender.protocol import JOB_FILE, Settings, cryptomatte, shot

from . import deforming, optics, rigid, studio

DEMO = "demo"
SCENES = {"rigid": rigid, "deforming": deforming, "optics": optics}
ROOT = Path(__file__).resolve().parents[3]
CLIPS = ROOT / "build" / "bench" / "clips"
CAPTURE_CODE = [shot, cameras, capture, capture_frame, capture_objects, capture_passes, capture_shot, cryptomatte]
"""What decides the files of a captured shot."""


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=[*SCENES, DEMO], help="clips to render (all)")
    parser.add_argument("--preview", type=Path, help="render one frame of both looks into this folder, nothing else")
    parser.add_argument("--frame", type=int, default=12, help="which (%(default)s)")
    options = parser.parse_args()
    for name in options.names:
        if name == DEMO:
            render_demo()
        elif options.preview:
            for look in ("guide", "truth"):
                render_still(SCENES[name].build(look), options.frame, options.preview / f"{name}-{look}.png")
        else:
            render_clip(name)


def render_clip(name: str) -> None:
    """Make what is missing of a clip."""
    folder = CLIPS / name
    started = time.monotonic()
    scene_code = [shapes, studio, SCENES[name]]
    if begin(folder, "guide", [*scene_code, *CAPTURE_CODE]) or not (folder / JOB_FILE).is_file():
        settings = Settings(prompt=f"benchmark: {name}")
        api.capture(SCENES[name].build("guide"), folder, settings=settings, overwrite=True, on_status=_show)
    if begin(folder, "truth", scene_code):
        shutil.rmtree(folder / "truth", ignore_errors=True)
    missing = [f for f in range(1, studio.FRAMES + 1) if not truth_path(folder, f).is_file()]
    truth = SCENES[name].build("truth") if missing else None
    for frame in missing:
        render_still(truth, frame, truth_path(folder, frame))
        print(f"{name}: truth of frame {frame}", file=sys.stderr, flush=True)
    print(f"{folder}: {time.monotonic() - started:.0f} s")


def render_demo() -> None:
    """Make what is missing of the demo shot; it has no truth, it is restyled."""
    folder = CLIPS / DEMO
    if begin(folder, "guide", [scene, materials, shapes, *CAPTURE_CODE]) or not (folder / JOB_FILE).is_file():
        bpy.ops.wm.read_factory_settings(use_empty=True)
        api.capture(scene.build_scene(), folder, settings=Settings(prompt="demo"), overwrite=True, on_status=_show)


def begin(folder: Path, look: str, code: list[ModuleType]) -> bool:
    """Note which code makes a look of a clip from now on; whether that is other code than before."""
    digest = hashlib.sha256(bpy.app.version_string.encode())
    for module in code:
        # Its syntax and not its text: formatting and comments render nothing anew.
        digest.update(ast.dump(ast.parse(Path(module.__file__).read_text())).encode())
    stamp = folder / f"{look}.sha256"
    if stamp.is_file() and stamp.read_text() == digest.hexdigest():
        return False
    folder.mkdir(parents=True, exist_ok=True)
    stamp.write_text(digest.hexdigest())
    return True


def truth_path(folder: Path, frame: int) -> Path:
    """The truth of a frame."""
    return folder / "truth" / f"{frame:04d}.png"


def render_still(look: bpy.types.Scene, frame: int, path: Path) -> None:
    """Write one frame as an 8-bit PNG, as it is displayed; never half written."""
    look.frame_set(frame)
    path.parent.mkdir(parents=True, exist_ok=True)
    writing = path.with_name(f"writing-{path.name}")
    look.render.image_settings.file_format = "PNG"
    look.render.image_settings.color_mode = "RGB"
    look.render.filepath = str(writing)
    bpy.ops.render.render(write_still=True)
    writing.replace(path)


def _show(status: api.CaptureStatus) -> None:
    print(f"render {status.renders_done}/{status.render_count}, frame {status.frame}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
