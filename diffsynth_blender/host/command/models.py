"""The command models: which are known and there, and fetching, finding and importing them, as the preferences say.

The worker's own Python does all but the list: it has the hub's library, and reads the files' headers.
"""

from __future__ import annotations

import argparse
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import bpy

from ...environment.errors import SetupError
from ...environment.install import Step
from ...protocol import BadJobError, JobProgress
from ...protocol.known_models import KNOWN_MODELS
from ..setup.models_operators import OFFLINE
from ..setup.models_properties import models_folder
from ..setup.models_run import model_worker
from ..setup.models_worker import ModelWorker
from .log import CommandLog, say

STAGE = "model"


@dataclass(frozen=True)
class ModelKnown:
    """A model that is known by name."""

    name: str
    """For `models download`."""
    label: str
    """For people."""
    kind: str
    """Such as "base" or "lora"."""
    family: str
    """Such as "sd15"."""
    licence: str
    """Of the weights."""
    size: int | None
    """Of its files [bytes]; null where the table has none."""
    is_there: bool
    """Whether all of its files are in the folder of models."""


@dataclass(frozen=True)
class ModelFetched:
    """A file of a model is whole, and where it belongs."""

    name: str
    """Of the model."""
    path: str
    """Absolute path."""
    verified: str
    """By what: the hash of the extension's list ("listed"), the hub's ("hub"), its "size", or "present": not at all."""


@dataclass(frozen=True)
class ModelFound:
    """A file or a folder that is a model, or ought to be one."""

    path: str
    """Absolute path."""
    kind: str
    """"" where it cannot be used."""
    family: str
    """"" where its weights do not tell."""
    control: str
    """Of a ControlNet, as far as its name tells."""
    remark: str
    """Why it cannot be used, or in what it misleads."""
    sha256: str = ""
    """Of an imported file."""
    label: str = ""
    """Of an imported file that is known by its hash."""


LINES = (ModelKnown, ModelFetched, ModelFound)
"""What is written with --json beside progress and the end."""


def models(options: argparse.Namespace, log: CommandLog, cancelled: threading.Event) -> Path:
    """Do what is asked for with the folder of models, which is returned.

    Raises BadJobError for what cannot be meant, DeviceMissingError without a worker, and SetupError where it fails.
    """
    folder = options.folder or models_folder()
    count, words = COUNTS[options.action]
    if len(options.items) not in count:
        raise BadJobError(f"models {options.action} takes {words}; {len(options.items)} were given")
    if options.action == "list":
        _list(folder, log)
        return folder
    worker = replace(model_worker(options.worker_python), folder=folder)
    ACTIONS[options.action](worker, options, log, cancelled)
    return folder


def _list(folder: Path, log: CommandLog) -> None:
    for model in KNOWN_MODELS.values():
        is_there = all((folder / file.target).is_file() for file in model.files)
        log.event(ModelKnown(model.name, model.label, model.kind, model.family, model.licence, model.size, is_there))
        say(f"{'+' if is_there else '-'} {model.name:15} {model.label} ({model.licence})")


def _download(worker: ModelWorker, options: argparse.Namespace, log: CommandLog, cancelled: threading.Event) -> None:
    if unknown := [name for name in options.items if name not in KNOWN_MODELS]:
        raise BadJobError(f"no model {unknown[0]!r} is known; choose of {', '.join(KNOWN_MODELS)}")
    if not bpy.app.online_access:
        raise SetupError(OFFLINE)
    for event in worker.download(options.items, _teller(log), cancelled.is_set):
        log.event(ModelFetched(event["model"], event["path"], event["verified"]))
        say(f"{event['path']}: verified by {event['verified']}")


def _scan(worker: ModelWorker, options: argparse.Namespace, log: CommandLog, cancelled: threading.Event) -> None:
    for event in worker.scan(Path(options.items[0]).absolute(), cancelled.is_set):
        _tell_found(event, log)


def _import(worker: ModelWorker, options: argparse.Namespace, log: CommandLog, cancelled: threading.Event) -> None:
    file = Path(options.items[0]).absolute()
    _tell_found(worker.bring(file, options.sha256, _teller(log), cancelled.is_set), log)


COUNTS = {
    "list": (range(1), "nothing"),
    "download": (range(1, len(KNOWN_MODELS) + 1), "names of models as in models list"),
    "scan": (range(1, 2), "one file or folder"),
    "import": (range(1, 2), "one .safetensors file"),
}
"""How many words may follow an action, and what they are."""
ACTIONS = {"download": _download, "scan": _scan, "import": _import}


def _tell_found(event: dict, log: CommandLog) -> None:
    found = ModelFound(**{key: value for key, value in event.items() if key != "type"})
    log.event(found)
    what = " ".join(filter(None, (found.kind or "unusable", found.family, found.control, found.label, found.sha256)))
    say(f"{found.path}: {what}{'; ' if found.remark else ''}{found.remark}")


def _teller(log: CommandLog):
    """Percents of a file, and its name where another begins."""
    told = [""]

    def tell(step: Step) -> None:
        if step.text != told[0]:
            told[0] = step.text
            log.note(step.text)
        log.event(JobProgress("", STAGE, round(100 * step.factor), 100))

    return tell
