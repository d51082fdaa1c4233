"""`worker models list|download|scan|import`: what is known, what is there, and bringing the one to the other.

With `--json` every line on stdout is one object with a "type": "model" (of the table), "found" (on disk), "progress",
"fetched", then "done" or "error". Nothing here loads a model. A token comes by the environment (HF_TOKEN) alone:
command lines are seen by everybody on the machine.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ..protocol.errors import BadJobError, JobBusyError, JobCancelledError, ModelMissingError
from ..protocol.known_model import KnownModel
from ..protocol.known_models import KNOWN_MODELS
from ..protocol.lock import try_lock
from .failure import describe_failure

LOCK = ".models.lock"
REPORT_SECONDS = 0.2  # between two lines of progress

Tell = Callable[[dict[str, Any]], None]


def add_model_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `models` to the worker's command line."""
    models = commands.add_parser("models", help="list, download, scan or import models").add_subparsers(
        dest="action", required=True
    )
    for name, text in (
        ("list", "the models known by name, and which of them are in the folder of models"),
        ("download", "fetch models by name from a hub into the folder of models"),
        ("scan", "look through a file or folder for models"),
        ("import", "bring one .safetensors file into the folder of models"),
    ):
        parser = models.add_parser(name, help=text, description=text)
        parser.add_argument("--json", action="store_true", help="one JSON object a line on stdout")
        if name != "scan":
            parser.add_argument("--folder", type=Path, required=True, metavar="DIR", help="the folder of models")
        if name == "download":
            parser.add_argument("names", nargs="+", metavar="NAME", help="as in the list")
            parser.add_argument("--endpoint", default="", metavar="URL", help="a mirror of the hub (HF_ENDPOINT)")
        elif name == "scan":
            parser.add_argument("path", type=Path, metavar="PATH", help="a file or a folder")
        elif name == "import":
            parser.add_argument("file", type=Path, metavar="FILE", help="a .safetensors file")
            parser.add_argument("--sha256", default="", metavar="HASH", help="what its hash must be")


def run_models(arguments: argparse.Namespace, stdout: IO[bytes]) -> int:
    """Do one of the commands and return its exit code, as `cli` has them."""
    tell = _json_teller(stdout) if arguments.json else _text_teller(stdout)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        actions = {"list": _list, "download": _download, "scan": _scan, "import": _import}
        actions[arguments.action](arguments, tell)
    except KeyboardInterrupt:
        tell({"type": "error", "kind": JobCancelledError.kind, "message": "cancelled; what has come is kept"})
        return JobCancelledError.exit_code
    except Exception as error:
        failure = describe_failure(_as_ours(error))
        message = _without_token(failure.message)
        tell({"type": "error", "kind": failure.kind, "message": message})
        if not arguments.json:
            print(f"error: {message}", file=sys.stderr)
        return failure.exit_code
    tell({"type": "done"})
    return 0


def _list(arguments: argparse.Namespace, tell: Tell) -> None:
    for model in KNOWN_MODELS.values():
        tell(
            {
                "type": "model",
                "name": model.name,
                "label": model.label,
                "kind": model.kind,
                "family": model.family,
                "licence": model.licence,
                "size": model.size,
                "memory_gb": model.memory_gb,
                "is_there": all((arguments.folder / file.target).is_file() for file in model.files),
            }
        )


def _download(arguments: argparse.Namespace, tell: Tell) -> None:
    """Fetch what is wanted, a file at a time."""
    from ..models.hub import fetch
    from ..models.hub_content import Hub, HubFile

    models = [_known(name) for name in dict.fromkeys(arguments.names)]
    folder = arguments.folder.absolute()
    hub = Hub(arguments.endpoint or None, os.environ.get("HF_TOKEN") or None)
    with _alone(folder):
        for model in models:
            for number, file in enumerate(model.files):
                text = f"{model.label}, file {number + 1} of {len(model.files)}" if number else model.label
                wanted = HubFile(file.repository, file.name, file.revision, file.size, file.sha256)
                target = folder / file.target
                verified = fetch(wanted, target, hub, report=_progress(tell, text))
                tell({"type": "fetched", "model": model.name, "path": str(target), "verified": verified})


def _scan(arguments: argparse.Namespace, tell: Tell) -> None:
    from ..models.scan import look_at, scan

    path = arguments.path.absolute()
    for found in [look_at(path)] if path.is_file() or (path / "model_index.json").is_file() else scan(path):
        tell({"type": "found", **_described(found)})


def _import(arguments: argparse.Namespace, tell: Tell) -> None:
    from ..models.bring import bring

    with _alone(arguments.folder.absolute()):
        report = _progress(tell, arguments.file.name)
        brought = bring(arguments.file.absolute(), arguments.folder.absolute(), arguments.sha256, report=report)
    known = {file.sha256: model.label for model in KNOWN_MODELS.values() for file in model.files if file.sha256}
    label = known.get(brought.sha256, "")
    tell({"type": "found", **_described(brought.found), "sha256": brought.sha256, "label": label})


def _described(found: Any) -> dict[str, Any]:
    identity = found.identity
    return {
        "path": str(found.path),
        "kind": identity.kind if identity else "",
        "family": identity.family if identity else "",
        "control": identity.control if identity else "",
        "remark": found.remark,
    }


def _known(name: str) -> KnownModel:
    if name not in KNOWN_MODELS:
        raise BadJobError(f"no model {name!r} is known; choose one of {', '.join(KNOWN_MODELS)}")
    return KNOWN_MODELS[name]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder of models, which is made. Raises JobBusyError where somebody else fills it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("ab") as file:
        if not try_lock(file):
            raise JobBusyError(f"{folder}: another download is under way there; wait for it")
        yield


def _progress(tell: Tell, text: str) -> Callable[[int, int], None]:
    told = [0.0]

    def report(done: int, total: int) -> None:
        now = time.monotonic()
        if now - told[0] >= REPORT_SECONDS or done == total:
            told[0] = now
            tell({"type": "progress", "text": text, "done": done, "total": total})

    return report


def _as_ours(error: Exception) -> Exception:
    """The error that host and shell know, for those of the models' package."""
    from ..models.errors import CheckpointError, DownloadError

    return ModelMissingError(str(error)) if isinstance(error, (CheckpointError, DownloadError)) else error


def _without_token(text: str) -> str:
    token = os.environ.get("HF_TOKEN")
    return text.replace(token, "***") if token else text


def _json_teller(out: IO[bytes]) -> Tell:
    def tell(event: dict[str, Any]) -> None:
        out.write(json.dumps(event).encode() + b"\n")
        out.flush()

    return tell


def _text_teller(out: IO[bytes]) -> Tell:
    """For people."""

    def tell(event: dict[str, Any]) -> None:
        lines = {
            "model": lambda e: f"{'+' if e['is_there'] else '-'} {e['name']:15} {e['label']} ({e['licence']})",
            "found": lambda e: f"{e['kind'] or '?':13} {e['family']:5} {e['control']:8} {e['path']}  {e['remark']}",
            "progress": lambda e: f"{e['text']}: {e['done'] / max(1, e['total']):.0%}",
            "fetched": lambda e: f"{e['path']}: verified by {e['verified']}",
        }
        if event["type"] in lines:
            out.write(lines[event["type"]](event).encode(errors="replace") + b"\n")
            out.flush()

    return tell
