"""`blender -b shot.blend --command diffsynth run --prompt "..." --output DIR`: everything without an interface.

Also a plain function in the bpy module: `command.run(["run", "--prompt", "clay", "--output", "job"])`.
Exit codes: 0 done, 1 a bug, 2 bad arguments, scene or job, 3 model, device or worker missing, 4 out of memory,
130 cancelled. Every error that is not a bug is one line on stderr.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import bpy

from ..protocol import (
    DEFAULT_MODE,
    DEFAULT_WINDOW,
    DEFLICKER_MODES,
    DEVICES,
    BadJobError,
    DiffSynthError,
    Event,
    FrameDone,
    JobCancelledError,
    JobNote,
    JobProgress,
    Reference,
    Region,
    Settings,
    change_settings,
    load_job,
    output_path,
    read_journal,
)
from ..protocol.looks import DEFAULT_LOOK, LOOKS, apply_look, check_look
from . import api, movie, properties
from .capture import CaptureStatus
from .capture_checks import CaptureError
from .strip import find_edit_scene
from .strip_frames import render_strip

PROGRAM = "diffsynth"
PROGRESS_SECONDS = 2.0  # between two progress lines: readable in a farm's log


def run(arguments: Sequence[str]) -> int:
    """Run one command line, without the program's name, and return its exit code."""
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as end:  # argparse has printed the help, or what is wrong with the arguments
        return int(end.code or 0)
    with _cancel_on_signals() as cancelled:
        try:
            options.action(options, cancelled)
        except DiffSynthError as error:
            _say(f"error: {error}")
            return error.exit_code
        except CaptureError as error:
            _say(f"error: {error}")
            return BadJobError.exit_code
        except KeyboardInterrupt:
            _say("cancelled")
            return JobCancelledError.exit_code
    return 0


def register() -> None:
    """Make the command known to `blender --command`."""
    _handles.append(bpy.utils.register_cli_command(PROGRAM, run))


def unregister() -> None:
    """Take it away again."""
    bpy.utils.unregister_cli_command(_handles.pop())


_handles: list[object] = []


def _run(options: argparse.Namespace, cancelled: threading.Event) -> None:
    """Capture, stylise, strip, save."""
    api.check_ready(_settings(options), options.worker_python)  # before rendering for hours
    _capture(options, cancelled)
    _stylise(options, cancelled)
    scene = _scene(options)
    api.insert_strip(scene, options.output)
    if options.movie:
        _say(f"movie: {movie.render_movie(find_edit_scene(scene), options.output / 'result.mp4')}")
    if not options.no_save:
        name = Path(bpy.data.filepath).name or f"{bpy.path.clean_name(scene.name)}.blend"
        path = (options.save or options.output / name).resolve()
        bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, relative_remap=True)
        _say(f"saved: {path}")


def _capture(options: argparse.Namespace, cancelled: threading.Event) -> None:
    """Render source frames and exact passes, unless the folder holds this very shot already."""
    scene = _scene(options)
    start, end = options.frames or (scene.frame_start, scene.frame_end)
    first = True

    def show(status: CaptureStatus) -> None:
        nonlocal first
        if cancelled.is_set():
            raise JobCancelledError("cancelled during the render; the same command starts it again")
        _say(f"render {status.renders_done}/{status.render_count}, frame {status.frame}")
        first = False

    api.capture(
        scene,
        options.output,
        settings=_settings(options),
        frame_start=start,
        frame_end=end,
        frame_step=options.step or scene.frame_step,
        overwrite=options.recapture or _may_replace(scene, options.output),
        reuse=not options.recapture,
        on_status=show,
    )
    _say("rendered" if not first else f"{options.output} already holds these frames: nothing is rendered again")


def _stylise(options: argparse.Namespace, cancelled: threading.Event) -> None:
    """Run the worker on the folder."""
    api.stylise(
        options.output,
        worker_python=options.worker_python,
        frames=getattr(options, "only", None),
        on_event=WorkerLog().show,
        is_cancelled=cancelled.is_set,
    )
    _say(f"stylised: {options.output / 'output'}")


def _redo(options: argparse.Namespace, cancelled: threading.Event) -> None:
    """Have some frames of a finished job restyled again."""
    job = load_job(options.output)
    api.redo(
        options.output,
        *options.frames,
        change_settings(job.settings_at(options.frames[0]), options.changes),
        worker_python=options.worker_python,
        on_event=WorkerLog().show,
        is_cancelled=cancelled.is_set,
    )
    _say(f"restyled again: {options.output / 'output'}")


def _deflicker(options: argparse.Namespace, cancelled: threading.Event) -> None:
    """Run the worker on folders of frames."""
    api.deflicker(
        options.style,
        options.output,
        guide_dir=options.guide,
        job_dir=options.job,
        mode=options.mode,
        window=options.window,
        device=options.device,
        worker_python=options.worker_python,
        on_event=WorkerLog().show,
        is_cancelled=cancelled.is_set,
    )
    _say(f"steady: {options.output}")


def _export_strip(options: argparse.Namespace, cancelled: threading.Event) -> None:
    """Render one strip of the sequencer into a folder."""

    def show(done: int, frame: int) -> None:
        if cancelled.is_set():
            raise JobCancelledError("cancelled")
        _say(f"render {done}/{len(frames)}, frame {frame}")

    frames = range(options.frames[0], options.frames[1] + 1, options.step)
    render_strip(_scene(options), options.strip, frames, options.output, show)


def _status(options: argparse.Namespace, cancelled: threading.Event) -> None:
    """Print what a job folder holds, for people."""
    job, state = load_job(options.output), read_journal(options.output)
    frames = job.shot.frames
    finished = [frame for frame in frames if state.is_finished(output_path(options.output, frame))]
    print(f"{options.output}: {job.shot.name}, {job.shot.width}x{job.shot.height}, frames {frames[0]}-{frames[-1]}")
    print(f"prompt: {job.settings.prompt}")
    print(f"finished: {len(finished)} of {len(frames)} frames")
    if state.checkpoint and len(finished) < len(frames):
        print(f"denoised: {state.checkpoint.index + 1} of {job.settings.steps} steps")


def _settings(options: argparse.Namespace) -> Settings:
    """The scene's settings, with those from the command line in their place."""
    chosen = getattr(_scene(options), "diffsynth", None)  # absent where the add-on is not registered
    settings = properties.incomplete_settings(chosen) if chosen else Settings(prompt="")
    look = properties.look_name(chosen) if chosen else DEFAULT_LOOK
    if options.reference is not None:
        settings = replace(settings, reference=Reference(str(options.reference)))
    if options.objects:
        settings = replace(settings, regions=(Region(tuple(options.objects), options.objects_prompt),))
    if options.model is not None:
        settings = replace(settings, model=options.model)
    if options.look is not None:
        look = options.look
        settings = apply_look(settings, look)
    check_look(settings, look)
    for name in ("prompt", "negative_prompt", "seed", "steps", "strength", "guidance_scale", "device"):
        value = getattr(options, name)
        if value is not None:
            settings = replace(settings, **{name: value})
    if options.window is not None:
        settings = replace(settings, deflicker=properties.to_deflicker(options.window, settings.deflicker))
    settings = change_settings(settings, options.changes)
    if not settings.prompt.strip():
        raise BadJobError("the prompt is empty; give --prompt, or set it in the scene")
    return replace(settings, baseline=options.baseline)


def _scene(options: argparse.Namespace) -> bpy.types.Scene:
    """The scene to work on. Looked up anew each time: rendering may replace Blender's data."""
    if options.scene is None:
        return bpy.context.scene
    scene = bpy.data.scenes.get(options.scene)
    if scene is None:
        names = ", ".join(repr(scene.name) for scene in bpy.data.scenes)
        raise BadJobError(f"no scene is called {options.scene!r}; this file has {names}")
    return scene


def _may_replace(scene: bpy.types.Scene, job_dir: Path) -> bool:
    """Whether the folder holds an earlier or interrupted capture of this scene, and not somebody else's job."""
    try:
        return load_job(job_dir).shot.name == scene.name
    except BadJobError:
        return not (job_dir / "output").exists()  # an interrupted capture has neither job.json nor results


class WorkerLog:
    """The worker's events as lines of a log, not too many of them."""

    def __init__(self) -> None:
        self._stage = ""
        self._shown_at = 0.0

    def show(self, event: Event) -> None:
        if isinstance(event, FrameDone):
            _say(f"frame {event.frame}: {event.path}")
        elif isinstance(event, JobNote):
            _say(event.text)
        elif isinstance(event, JobProgress):
            now = time.monotonic()
            if event.stage != self._stage or now - self._shown_at >= PROGRESS_SECONDS:
                self._stage, self._shown_at = event.stage, now
                _say(progress_text(event.stage, event.step, event.step_count, event.seconds_left))


def progress_text(stage: str, step: int, step_count: int, seconds_left: float | None) -> str:
    """Progress for people, such as "denoise 5/20, 1:20 left"."""
    text = f"{stage} {step}/{step_count}"
    if not seconds_left:
        return text
    minutes, seconds = divmod(round(seconds_left), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{text}, {hours}:{minutes:02d}:{seconds:02d} left" if hours else f"{text}, {minutes}:{seconds:02d} left"


def _say(text: str) -> None:
    print(f"{PROGRAM}: {text}", file=sys.stderr, flush=True)


@contextmanager
def _cancel_on_signals() -> Iterator[threading.Event]:
    """A flag that Ctrl-C and a polite kill set, once; the second time they interrupt at once."""
    cancelled = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield cancelled
        return

    def cancel(number: int, _: object) -> None:
        _say("cancelling; once more ends it at once")
        cancelled.set()
        signal.signal(number, signal.default_int_handler)

    before = {number: signal.signal(number, cancel) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancelled
    finally:
        for number, handler in before.items():
            # None: a handler that Blender installed in C; Python cannot put that one back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Restyle a rendered shot without flicker.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    whole = commands.add_parser("run", help="render, stylise, write the strip, save; the same command again goes on")
    _add_shot_options(whole)
    _add_worker_options(whole)
    whole.add_argument("--save", type=Path, metavar="FILE", help="where the .blend with the strip goes (default: DIR)")
    whole.add_argument("--no-save", action="store_true", help="save no .blend")
    whole.add_argument("--movie", action="store_true", help="also encode DIR/result.mp4")
    whole.set_defaults(action=_run)

    export = commands.add_parser("export-job", help="render the shot into a job folder, for a worker elsewhere")
    _add_shot_options(export)
    export.set_defaults(action=_capture)

    resume = commands.add_parser("resume", help="stylise a job folder that exists, or go on with it")
    resume.add_argument("output", type=_folder, metavar="DIR", help="the job folder")
    resume.add_argument("--frames", dest="only", type=_frame_range, metavar="A-B", help="only these frames of it")
    _add_worker_options(resume)
    resume.set_defaults(action=_stylise)

    redo = commands.add_parser("redo", help="restyle some frames of a finished job again with other settings")
    redo.add_argument("output", type=_folder, metavar="DIR", help="the job folder")
    redo.add_argument("--frames", type=_frame_range, required=True, metavar="A-B", help="these scene frames")
    _add_changes(redo)
    _add_worker_options(redo)
    redo.set_defaults(action=_redo)

    _add_deflicker(commands)
    strip = commands.add_parser("export-strip", help="render one strip of the sequencer into a folder of PNG files")
    strip.add_argument("--strip", required=True, metavar="NAME", help="an image, movie, scene or meta strip")
    strip.add_argument("--scene", metavar="NAME", help="which scene's sequencer (default: the current one)")
    strip.add_argument("--frames", type=_frame_range, required=True, metavar="A-B", help="scene frames")
    strip.add_argument("--step", type=int, default=1, metavar="N", help="every N-th frame")
    strip.add_argument("--output", type=_folder, required=True, metavar="DIR", help="receives 0001.png...")
    strip.set_defaults(action=_export_strip)

    status = commands.add_parser("status", help="how far a job folder is")
    status.add_argument("output", type=_folder, metavar="DIR", help="the job folder")
    status.set_defaults(action=_status)
    return parser


def _add_deflicker(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "deflicker",
        help="make the frames of a folder steady, without a diffusion model",
        description=(
            "Make flickering frames steady. Each frame is blended with its neighbours along the motion, which is read "
            "from the passes of a job folder (exact) or found by comparing the frames of a guide. Frames are matched "
            "by the number in their file names. The same command again goes on where it stopped."
        ),
    )
    add = parser.add_argument
    add("--style", type=_folder, required=True, metavar="DIR", help="the frames to make steady, or the key frames")
    add("--job", type=_folder, metavar="JOB", help="a job folder: its source frames guide, its passes give the motion")
    add("--guide", type=_folder, metavar="DIR", help="frames that show what moves where; the style folder will do")
    add("--output", type=_folder, required=True, metavar="DIR", help="receives 0001.png..., report.json, the journal")
    add("--mode", choices=DEFLICKER_MODES, default=DEFAULT_MODE, help="(default: %(default)s)")
    add("--window", type=int, default=DEFAULT_WINDOW, metavar="N", help="neighbours either side (default: %(default)s)")
    add("--device", choices=DEVICES, default="auto", help="where the worker computes")
    _add_worker_options(parser)
    parser.set_defaults(action=_deflicker)


def _add_shot_options(parser: argparse.ArgumentParser) -> None:
    """Options that end in job.json; what is not given comes from the scene."""
    add = parser.add_argument
    add("--output", type=_folder, required=True, metavar="DIR", help="the job folder: frames, passes, results")
    add("--scene", metavar="NAME", help="which scene of the file (default: the current one)")
    add("--frames", type=_frame_range, metavar="A-B", help="scene frames (default: the scene's range)")
    add("--step", type=int, metavar="N", help="stylise every N-th frame")
    add("--look", choices=tuple(LOOKS), help="what is made of the shot; sets what suits it")
    add("--reference", type=_folder, metavar="FILE", help="a PNG file whose look is taken over (look image)")
    add("--objects", nargs="+", metavar="NAME", help="the objects to restyle; the rest stays (look fashion)")
    add("--objects-prompt", default="", metavar="TEXT", help="what these objects should look like (default: --prompt)")
    add("--prompt", help="what the shot should look like")
    add("--negative-prompt", metavar="TEXT", help="what it should not look like")
    add("--style-strength", dest="strength", type=float, metavar="S", help="above 0 (keep the render) to 1")
    add("--seed", type=int, help="another seed, another variation")
    add("--steps", type=int, metavar="N", help="denoising steps")
    add("--guidance", dest="guidance_scale", type=float, metavar="G", help="how strictly the prompt is followed")
    add("--window", type=int, metavar="N", help="neighbouring frames that hold a frame steady; 0 for none")
    add("--model", type=_model, help="demo, a folder in the layout of diffusers, or a .safetensors file")
    add("--device", choices=DEVICES, help="where the worker computes")
    _add_changes(parser)
    add("--baseline", action="store_true", help="also make independent frames, for the report to compare with")
    add("--recapture", action="store_true", help="render again, and replace whatever job DIR holds")


def _add_changes(parser: argparse.ArgumentParser) -> None:
    """Any setting of the job file by its name."""
    parser.add_argument(
        "--set",
        dest="changes",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any setting as in job.json, such as noise.kind=surface or deflicker.window=2; may be given several times",
    )


def _add_worker_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--worker-python", type=Path, metavar="FILE", help="the worker's Python interpreter")


def _folder(text: str) -> Path:
    return Path(text).resolve()


def _model(text: str) -> str:
    return text if text == "demo" else str(Path(text).resolve())


def _frame_range(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no frame range; write 1-24, or 7 for one frame")
    return int(match[1]), int(match[2] or match[1])
