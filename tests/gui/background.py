"""`blender -b` as a farm uses it: what is run, how it must end, and what it must say."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from .install import Installed
from .outcome import Outcome
from .steps import PROMPT

SMALL = ["--prompt", PROMPT, "--frames", "1-3", "--steps", "6"]

_FEW_PASSES = """
import bpy
scene = bpy.context.scene
settings = scene.render.image_settings
if hasattr(settings, "media_type"):
    settings.media_type = "MULTI_LAYER_IMAGE"
settings.file_format = "OPEN_EXR_MULTILAYER"
scene.view_layers[0].use_pass_z = True
scene.frame_end, scene.cycles.samples = 2, 1
scene.render.filepath = {stem!r}
bpy.ops.render.render(animation=True)
"""
_OPTION_ON = """
import bpy
scene = bpy.context.scene
scene.frame_end = 2
scene.render.filepath = {stem!r}
scene.diffsynth.prompt = {prompt!r}
scene.diffsynth.result.stylise_after_render = True
bpy.ops.wm.save_as_mainfile(filepath={path!r})
"""


def tour(installed: Installed, shot: Path, read_only: Path) -> Iterator[Outcome]:
    """Everything the manual promises of `blender -b`; later steps use the folders of earlier ones.

    Args:
        installed: A Blender with the extension.
        shot: The demo shot.
        read_only: A folder that cannot be written to.
    """
    folder = installed.folder / "background é ü"  # a path with spaces and letters beyond ASCII is a path like any other
    job, killed = folder / "job", folder / "killed"

    def command(*words: object, file: Path | None = shot) -> list[str]:
        opened = [] if file is None else [str(file)]
        return ["-b", *opened, "--command", "diffsynth", *map(str, words)]

    def step(name: str, code: int, says: str, *words: object, file: Path | None = shot) -> Outcome:
        return _tried(name, installed, command(*words, file=file), code, says)

    yield step("no command", 2, "diffsynth: error: the following arguments are required", file=None)
    yield step("unknown command", 2, "diffsynth: error: ", "paint", file=None)
    yield step("help", 0, "exit codes: 0 done", "run", "--help", file=None)
    yield step("a range that is none", 2, "is no frame range", "run", "--frames", "some")
    yield step("no prompt", 2, "the prompt is empty", "run", "--output", job)
    yield step("an unknown scene", 2, "no scene is called", "run", *SMALL, "--scene", "None", "--output", job)
    yield step("check", 0, "", "check")
    yield step("no graphics card", 3, "cuda", "run", *SMALL, "--device", "cuda", "--output", folder / "cuda")
    missing = folder / "no such python"
    yield step("no worker", 3, "no such interpreter", "run", *SMALL, "--worker-python", missing, "--output", job)
    yield step("no model", 3, str(folder), "run", *SMALL, "--model", folder / "no model", "--output", job)
    yield step("output cannot be written", 2, "cannot be written", "run", *SMALL, "--output", read_only / "job")
    stem = folder / "few" / "shot_"
    installed.run("-b", str(shot), "--python-expr", _FEW_PASSES.format(stem=str(stem)))
    few = Path(f"{stem}0001.exr")
    yield step("missing passes", 2, "Vector", "run", *SMALL[:3], "1-2", "--passes", few, "--output", folder / "passes")
    yield step("run", 0, "blend: ", "run", *SMALL, "--output", job)
    yield step("run again", 0, "nothing is rendered again", "run", *SMALL, "--output", job)
    yield step("status", 0, "finished: 3 of 3", "status", job, file=None)
    yield _killed(installed, command("run", *SMALL, "--json", "--output", killed))
    yield step("resume", 0, "", "resume", killed, file=None)
    yield _same("as if it had never been killed", job / "output", killed / "output")
    yield step("redo", 0, "", "redo", job, "--frames", "2", "--set", "prompt=gold", file=None)
    yield _after_render(installed, shot, folder)


def _tried(name: str, installed: Installed, arguments: list[str], code: int, says: str) -> Outcome:
    started_at = time.monotonic()
    done = installed.run(*arguments)
    lines = (done.stdout + done.stderr).splitlines()
    told = next((line.strip() for line in lines if (says or "diffsynth: error:") in line), "")
    as_wanted = done.returncode == code and says in told and "Traceback" not in done.stderr
    return Outcome(name, as_wanted, f"exit {done.returncode}: {told}", time.monotonic() - started_at)


def _killed(installed: Installed, arguments: list[str]) -> Outcome:
    """Kill Blender, and with it the worker, in the middle of the denoising, as a power failure would."""
    started_at = time.monotonic()
    process = subprocess.Popen(
        [str(installed.blender), *arguments],
        env={**os.environ, **installed.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    # Blender itself says what version it is, before it comes to our command.
    steps = (json.loads(line) for line in process.stdout if line.startswith("{"))
    denoised = (line for line in steps if line.get("stage") == "denoise" and line["step"] > 0)
    seen = next(denoised, None)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    told = f"exit {process.returncode} at step {seen['step']}" if seen else f"exit {process.returncode} before any step"
    return Outcome("killed", seen is not None, told, time.monotonic() - started_at)


def _same(name: str, wanted: Path, found: Path) -> Outcome:
    """Whether two folders of frames hold the same pixels. What is beside them is not: a render has a date."""

    def hashes(folder: Path) -> dict[str, str]:
        return {path.name: hashlib.sha256(_pixels(path)).hexdigest() for path in sorted(folder.glob("*.png"))}

    first, second = hashes(wanted), hashes(found)
    different = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
    told = f"{len(first)} frames, {', '.join(different) or 'none'} different"
    return Outcome(name, bool(first) and not different, told, 0.0)


def _pixels(path: Path) -> bytes:
    """The compressed pixels of a PNG file; the same writer compresses the same pixels to the same bytes."""
    content, place, found = path.read_bytes(), 8, b""
    while place < len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        if kind == b"IDAT":
            found += content[place + 8 : place + 8 + length]
        place += length + 12
    return found


def _after_render(installed: Installed, shot: Path, folder: Path) -> Outcome:
    """`blender -b shot.blend -a` with the option on."""
    started_at = time.monotonic()
    file = folder / "after.blend"
    values = {"stem": str(folder / "frames" / "f_"), "prompt": PROMPT, "path": str(file)}
    installed.run("-b", str(shot), "--python-expr", _OPTION_ON.format(**values))
    done = installed.run("-b", str(file), "-a")
    results = sorted((folder / "stylised").glob("*/output/*.png"))
    told = f"exit {done.returncode}: {len(results)} frames"
    return Outcome("render -a", done.returncode == 0 and len(results) == 2, told, time.monotonic() - started_at)
