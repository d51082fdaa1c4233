"""The words of the command line: which commands there are, and what each is given. Does nothing with them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ...protocol import DEFAULT_MODE, DEFAULT_WINDOW, DEFLICKER_MODES, DEVICES, BadJobError
from ...protocol.frames import frame_range, tie_ranges
from ...protocol.looks import LOOKS
from ..result.properties import PLACEMENTS
from ..source.options import add_source
from .log import PROGRAM

EXIT_CODES = (
    "exit codes: 0 done, 1 a bug, a disk that cannot be written or a worker that died, 2 bad arguments, scene or job, "
    "3 model, device or worker missing, 4 out of memory, 130 cancelled"
)
SETUP_ACTIONS = ("plan", "install", "verify", "repair", "remove")
MODEL_ACTIONS = ("list", "download", "scan", "import")
PLACES = tuple(name for name, _, _ in PLACEMENTS)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """What a command line says; `command` is the command's name.

    Raises BadJobError for what cannot be, and SystemExit after printing help.
    """
    return _parser().parse_args(tie_ranges(arguments))


class _Parser(argparse.ArgumentParser):
    """Tells what is wrong like everything else here: by an error with one sentence."""

    def error(self, message: str) -> None:
        self.print_usage(sys.stderr)
        raise BadJobError(f"{message}; {self.prog} --help tells more")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog=PROGRAM, description="Restyle a rendered shot without flicker.", epilog=EXIT_CODES)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, description: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=description, description=_sentence(description), epilog=EXIT_CODES)
        command.add_argument("--json", action="store_true", help="progress on stdout, one JSON object a line")
        return command

    _add_run(add("run", "render, stylise, put the result in its place, save; the same command again goes on"))
    _add_preview(add("preview", "stylise one frame, or four in a row, in a folder of their own"))
    export = add("export-job", "render the shot into a job folder, for a worker elsewhere")
    _add_shot(export)
    _add_attended(export)

    resume = add("resume", "stylise a job folder that exists, or go on with it")
    _add_job_folder(resume)
    resume.add_argument("--frames", type=frame_range, metavar="A-B", help="only these frames of it")
    _add_worker(resume)

    redo = add("redo", "restyle some frames of a finished job again with other settings")
    _add_job_folder(redo)
    redo.add_argument("--frames", type=frame_range, required=True, metavar="A-B", help="these scene frames")
    _add_changes(redo)
    _add_worker(redo)

    _add_job_folder(add("status", "tell how far a job folder is"))

    check = add("check", "test this installation with the demo model, and whether the open shot can be stylised")
    check.add_argument("--scene", metavar="NAME", help="which scene of the file (default: the current one)")
    _add_worker(check)

    setup = add("setup", "make, verify, repair or remove the worker's environment, as the preferences say")
    setup.add_argument("action", choices=SETUP_ACTIONS, help="what to do with it; plan only tells what would be done")

    _add_models(add("models", "list, fetch, find or import models, as the preferences say"))
    _add_deflicker(add("deflicker", "make the frames of a folder steady, without a diffusion model"))
    _add_export_strip(add("export-strip", "render one strip of the sequencer into a folder of PNG files"))
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    _add_shot(parser)
    _add_worker(parser)
    add = parser.add_argument
    add("--place", type=str.upper, choices=PLACES, help="where the result goes (default: where the scene says)")
    add("--save", type=_path, metavar="FILE", help="where the .blend with the result goes (default: in DIR)")
    add("--no-save", action="store_true", help="save no .blend")
    add("--movie", action="store_true", help="also encode DIR/result.mp4")


def _add_preview(parser: argparse.ArgumentParser) -> None:
    _add_shot(parser)
    _add_worker(parser)
    parser.add_argument("--frame", type=int, metavar="N", help="this scene frame (default: the scene's current one)")
    parser.add_argument("--four", action="store_true", help="four frames in a row: also shows how steady they are")


def _add_shot(parser: argparse.ArgumentParser) -> None:
    """Options that end in job.json; what is not given comes from the scene."""
    parser.set_defaults(attended=None, events=None)
    add = parser.add_argument
    add("--output", type=_path, metavar="DIR", help="the job folder (default: the scene's)")
    add("--scene", metavar="NAME", help="which scene of the file (default: the current one)")
    add("--frames", type=frame_range, metavar="A-B", help="scene frames (default: the scene's range)")
    add("--step", type=int, metavar="N", help="stylise every N-th frame")
    add_source(parser)
    add("--settings", type=_path, metavar="FILE", help="all settings, as in job.json, in place of the scene's")
    add("--look", choices=tuple(LOOKS), help="what is made of the shot; sets what suits it")
    add("--reference", type=_path, metavar="FILE", help="a PNG file whose look is taken over (look image)")
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


def _add_models(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("action", choices=MODEL_ACTIONS, help="what to do; scan and import tell what files are")
    add("items", nargs="*", metavar="ITEM", help="download: names as in the list; scan, import: a file or folder")
    add("--folder", type=_path, metavar="DIR", help="the folder of models (default: that of the preferences)")
    add("--sha256", default="", metavar="HASH", help="what the hash of an imported file must be")
    _add_worker(parser)


def _add_attended(parser: argparse.ArgumentParser) -> None:
    """What the second Blender of the button is told, see capture/second_blender.py."""
    parser.add_argument("--attended", type=_path, help=argparse.SUPPRESS)
    parser.add_argument("--events", type=_path, help=argparse.SUPPRESS)


def _add_deflicker(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Make flickering frames steady. Each frame is blended with its neighbours along the motion, which is read "
        "from the passes of a job folder (exact) or found by comparing the frames of a guide. Frames are matched "
        "by the number in their file names. The same command again goes on where it stopped."
    )
    add = parser.add_argument
    add("--style", type=_path, required=True, metavar="DIR", help="the frames to make steady, or the key frames")
    add("--job", type=_path, metavar="JOB", help="a job folder: its source frames guide, its passes give the motion")
    add("--guide", type=_path, metavar="DIR", help="frames that show what moves where; the style folder will do")
    add("--output", type=_path, required=True, metavar="DIR", help="receives 0001.png..., report.json, the journal")
    add("--mode", choices=DEFLICKER_MODES, default=DEFAULT_MODE, help="(default: %(default)s)")
    add("--window", type=int, default=DEFAULT_WINDOW, metavar="N", help="neighbours either side (default: %(default)s)")
    add("--device", choices=DEVICES, default="auto", help="where the worker computes")
    _add_worker(parser)


def _add_export_strip(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--strip", required=True, metavar="NAME", help="an image, movie, scene or meta strip")
    add("--scene", metavar="NAME", help="which scene's sequencer (default: the current one)")
    add("--frames", type=frame_range, required=True, metavar="A-B", help="scene frames")
    add("--step", type=int, default=1, metavar="N", help="every N-th frame")
    add("--output", type=_path, required=True, metavar="DIR", help="receives 0001.png...")


def _add_job_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("output", type=_path, metavar="DIR", help="the job folder")


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


def _add_worker(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--worker-python", type=Path, metavar="FILE", help="the worker's Python interpreter")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _path(text: str) -> Path:
    return Path(text).resolve()


def _model(text: str) -> str:
    return text if text == "demo" else str(Path(text).resolve())
