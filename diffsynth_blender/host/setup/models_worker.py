"""The worker's model commands, from a thread of the host: progress told, cancelled in a moment, secrets kept.

A download runs in the worker's Python, which has the hub's library; Blender's has not.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...client.behind import start_behind
from ...client.environment import worker_environment
from ...environment.errors import SetupError
from ...environment.install import Step
from ...environment.process_lines import run_lines
from ...protocol import ERRORS
from ...protocol.errors import INTERNAL_EXIT_CODE
from ..jobs.worker_job import PACKAGE_ROOT

CANCELLED = "cancelled; what has come is kept, and downloading again goes on from there"

Report = Callable[[Step], None]


class ModelsError(SetupError):
    """A command failed; of the worker's kind of failure, with its exit code."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.exit_code = ERRORS[kind].exit_code if kind in ERRORS else INTERNAL_EXIT_CODE


@dataclass(frozen=True)
class ModelWorker:
    """What is the same for every command."""

    python: Path
    """The worker's interpreter."""
    folder: Path
    """Of models."""
    endpoint: str = ""
    token: str = ""
    proxy: str = ""

    def download(self, names: list[str], report: Report, is_cancelled: Callable[[], bool]) -> list[dict]:
        """Fetch models by name; what was fetched. Raises SetupError and SetupCancelledError."""
        arguments = ["download", *names, "--folder", str(self.folder)]
        if self.endpoint:
            arguments += ["--endpoint", self.endpoint]
        return [event for event in self.run(arguments, report, is_cancelled) if event["type"] == "fetched"]

    def scan(self, path: Path, is_cancelled: Callable[[], bool]) -> list[dict]:
        """What a file is, or what lies in a folder."""
        return self.run(["scan", str(path)], lambda step: None, is_cancelled)

    def bring(self, file: Path, sha256: str, report: Report, is_cancelled: Callable[[], bool]) -> dict:
        """Import a file; what it is and where it lies now."""
        arguments = ["import", str(file), "--folder", str(self.folder)]
        if sha256:
            arguments += ["--sha256", sha256]
        (found,) = self.run(arguments, report, is_cancelled)
        return found

    def run(self, arguments: list[str], report: Report, is_cancelled: Callable[[], bool]) -> list[dict]:
        """Events of one command, but those of progress, which are reported as they come.

        Raises ModelsError where it failed, SetupError where the worker cannot be used, and SetupCancelledError where it
        was asked to stop.
        """
        found: list[dict] = []

        def take(line: str) -> None:
            event = json.loads(line)
            if event["type"] == "progress":
                report(Step(event["text"], event["done"] / max(1, event["total"])))
            elif event["type"] == "error":
                raise ModelsError(event["kind"], event["message"])
            elif event["type"] != "done":
                found.append(event)

        with tempfile.TemporaryFile() as said:
            code = run_lines(
                [str(self.python), "-m", "diffsynth_blender.worker", "models", *arguments, "--json"],
                environment=self._environment(),
                on_line=take,
                is_cancelled=is_cancelled,
                cancelled=CANCELLED,
                remedy="repair the set-up",
                errors=said,
                start=start_behind,
            )
            if code:
                said.seek(0)
                last = said.read().decode(errors="replace").strip().splitlines()
                raise SetupError(f"the worker ended: {last[-1] if last else 'without a word'}; repair the set-up")
        return found

    def _environment(self) -> dict[str, str]:
        environment = worker_environment(PACKAGE_ROOT, downloads=True)
        if self.token:
            environment["HF_TOKEN"] = self.token  # not on the command line, which everybody on the machine sees
        if self.proxy:
            environment |= {"HTTP_PROXY": self.proxy, "HTTPS_PROXY": self.proxy, "ALL_PROXY": self.proxy}
        return environment
