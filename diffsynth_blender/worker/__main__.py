"""`python -m diffsynth_blender.worker`: reads the arguments, keeps stdout for itself, starts what was asked for.

Imports as late as it can: nothing may print before stdout is taken, and a host waits for the first answer.
"""

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import IO

from .. import __version__
from ..protocol import DEVICES
from ..protocol.deflicker import DEFAULT_MODE, DEFAULT_WINDOW, DEFLICKER_MODES
from ..protocol.frames import frame_range, tie_ranges
from ..protocol.messages import DeflickerFrames
from .model_commands import add_model_commands, run_models


def main() -> int:
    """Do what the command line says and return the exit code."""
    arguments = _parser().parse_args(tie_ranges(sys.argv[1:]))
    # Blender renders and draws beside the worker: OpenMP threads that spin while they wait take its cores, and lose
    # theirs. Measured on two busy cores: a small job takes 16 s of processor time, and 57 s when its threads spin.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if arguments.command == "check":
        from .check import run_check

        return run_check()
    stdout = take_stdout()
    if arguments.command == "run":
        from .cli import run

        return run(
            arguments.job,
            frames=arguments.frames,
            events_out=stdout if arguments.json else None,
            events_file=arguments.events,
        )
    if arguments.command == "deflicker":
        from .cli import deflicker

        return deflicker(_deflicker_request(arguments), events_out=stdout if arguments.json else None)
    if arguments.command == "redo":
        from .cli import redo

        events_out = stdout if arguments.json else None
        return redo(arguments.job, frames=arguments.frames, changes=arguments.changes, events_out=events_out)
    if arguments.command == "models":
        return run_models(arguments, stdout)
    from .server import end_with_parent, serve

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the host's terminal is the host's; it tells us what to do
    end_with_parent()
    return serve(take_stdin(), stdout)


def take_stdin() -> IO[bytes]:
    """The real stdin, for messages only. Whatever else reads it from now on, a child or a question, finds its end."""
    descriptor, nothing = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return os.fdopen(descriptor, "rb")


def take_stdout() -> IO[bytes]:
    """The real stdout, for messages only. Whatever else writes to it from now on, C libraries too, goes to stderr."""
    sys.stdout.flush()
    descriptor = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(descriptor, "wb")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="diffsynth_blender.worker", description="The worker of DiffSynth for Blender."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="serve a host over stdin and stdout (the add-on starts this)")
    run = commands.add_parser("run", help="run a job folder, or go on where it stopped")
    run.add_argument("job", type=Path, metavar="JOB", help="the job folder")
    run.add_argument("--frames", type=frame_range, metavar="A-B", help="only these scene frames")
    told = run.add_mutually_exclusive_group()
    told.add_argument("--json", action="store_true", help="write every event to stdout, one JSON object a line")
    told.add_argument(
        "--events", type=Path, metavar="FILE", help="write every event to FILE, which is locked as long as this runs"
    )
    redo = commands.add_parser(
        "redo",
        help="restyle some frames of a finished job again with other settings",
        description=(
            "Restyle a range of frames again, against its finished neighbours, which stay as they are to the bit. "
            'Settings are named as in job.json: --set "prompt=a gold statue" --set deflicker.window=2. '
            "They are kept in job.json; run goes on with them where this was stopped."
        ),
    )
    redo.add_argument("job", type=Path, metavar="JOB", help="the job folder")
    redo.add_argument("--frames", type=frame_range, required=True, metavar="A-B", help="these scene frames")
    redo.add_argument("--json", action="store_true", help="write every event to stdout, one JSON object a line")
    redo.add_argument(
        "--set",
        dest="changes",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting that differs from those of the frames; may be given several times",
    )
    _add_deflicker(commands)
    add_model_commands(commands)
    commands.add_parser("check", help="test this installation")
    return parser


def _add_deflicker(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "deflicker",
        help="make the frames of a folder steady, without a diffusion model",
        description=(
            "Make flickering frames steady. Each frame is blended with its neighbours along the motion, which is read "
            "from the passes of a job folder (exact) or found by comparing the frames of a guide. Frames are matched "
            "by the number in their file names: PNG with 8 or 16 bits, JPEG, TIFF, WebP, BMP; transparency is laid "
            "over black. The same command again goes on where it stopped."
        ),
        epilog="exit codes: 0 done, 2 bad input, 3 device or package missing, 4 out of memory, 130 cancelled",
    )
    add = parser.add_argument
    add("--style", type=_folder, required=True, metavar="DIR", help="the frames to make steady, or the key frames")
    add("--job", type=_folder, metavar="JOB", help="a job folder: its source frames guide, its passes give the motion")
    add(
        "--guide",
        type=_folder,
        metavar="DIR",
        help="frames that show what moves where, such as the plain render; the style folder itself will do",
    )
    add("--output", type=_folder, required=True, metavar="DIR", help="receives 0001.png..., report.json, the journal")
    add(
        "--mode",
        choices=DEFLICKER_MODES,
        default=DEFAULT_MODE,
        help=(
            "fast, balanced, accurate: how much care a frame gets; keyframes: --style holds a few painted frames, "
            "all others of the guide or job are made from them (default: %(default)s)"
        ),
    )
    add(
        "--window",
        type=int,
        default=DEFAULT_WINDOW,
        metavar="N",
        help="neighbours on either side that take part (default: %(default)s)",
    )
    add("--device", choices=DEVICES, default="auto", help="where to compute (default: %(default)s)")
    add("--json", action="store_true", help="write every event to stdout, one JSON object a line")


def _deflicker_request(arguments: argparse.Namespace) -> DeflickerFrames:
    return DeflickerFrames(
        job_id="",
        style_dir=arguments.style,
        output_dir=arguments.output,
        guide_dir=arguments.guide,
        job_dir=arguments.job,
        mode=arguments.mode,
        window=arguments.window,
        device=arguments.device,
    )


def _folder(text: str) -> str:
    return str(Path(text).absolute())


if __name__ == "__main__":
    sys.exit(main())
