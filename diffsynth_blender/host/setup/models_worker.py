"""The worker's model commands, from a thread of the host: progress told, cancelled in a moment, secrets kept.

A download runs in the worker's Python, which has the hub's library; Blender's has not.
"""

from __future__ import annotations

import json
import queue
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...client.process import own_group, worker_environment
from ...environment.errors import SetupCancelledError, SetupError
from ...environment.install import Step
from ..jobs.worker_job import PACKAGE_ROOT

POLL_SECONDS = 0.1  # how late a cancellation may be noticed

Report = Callable[[Step], None]


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
        return list(self.run(["scan", str(path)], lambda step: None, is_cancelled))

    def bring(self, file: Path, sha256: str, report: Report, is_cancelled: Callable[[], bool]) -> dict:
        """Import a file; what it is and where it lies now."""
        arguments = ["import", str(file), "--folder", str(self.folder)]
        if sha256:
            arguments += ["--sha256", sha256]
        (found,) = self.run(arguments, report, is_cancelled)
        return found

    def run(self, arguments: list[str], report: Report, is_cancelled: Callable[[], bool]) -> Iterator[dict]:
        """Events of one command, but those of progress, which are reported.

        Raises SetupError where it failed, and SetupCancelledError where it was asked to stop.
        """
        command = [str(self.python), "-m", "diffsynth_blender.worker", "models", *arguments, "--json"]
        with tempfile.TemporaryFile() as said:
            try:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=said,
                    env=self._environment(),
                    encoding="utf-8",
                    **own_group(),
                )
            except OSError as error:
                raise SetupError(f"{self.python}: cannot be started: {error.strerror}; repair the set-up") from None
            lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
            threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
            try:
                yield from _events(lines, report, is_cancelled)
            except BaseException:
                process.terminate()
                raise
            finally:
                process.wait()
            if process.returncode:
                said.seek(0)
                last = said.read().decode(errors="replace").strip().splitlines()
                raise SetupError(f"the worker ended: {last[-1] if last else 'without a word'}; repair the set-up")

    def _environment(self) -> dict[str, str]:
        environment = worker_environment(PACKAGE_ROOT)
        if self.token:
            environment["HF_TOKEN"] = self.token  # not on the command line, which everybody on the machine sees
        if self.proxy:
            environment |= {"HTTP_PROXY": self.proxy, "HTTPS_PROXY": self.proxy, "ALL_PROXY": self.proxy}
        return environment


def _events(lines: queue.SimpleQueue[str | None], report: Report, is_cancelled: Callable[[], bool]) -> Iterator[dict]:
    while True:
        if is_cancelled():
            raise SetupCancelledError("cancelled; what has come is kept, and downloading again goes on from there")
        try:
            line = lines.get(timeout=POLL_SECONDS)
        except queue.Empty:
            continue
        if line is None:
            return
        event = json.loads(line)
        if event["type"] == "progress":
            report(Step(event["text"], event["done"] / max(1, event["total"])))
        elif event["type"] == "error":
            raise SetupError(event["message"])
        elif event["type"] != "done":
            yield event


def _read(stream, lines: queue.SimpleQueue[str | None]) -> None:
    with stream:
        for line in stream:
            lines.put(line)
    lines.put(None)
