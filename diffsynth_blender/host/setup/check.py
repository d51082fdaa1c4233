"""The button Check: the worker's own test beside the interface, and its report as a text that can be copied."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import bpy

from ...client.environment import worker_environment
from ...environment.errors import SetupError
from ...environment.install import Step
from ...environment.process_lines import lines_of
from ...protocol import DiffSynthError
from ..jobs.worker_job import PACKAGE_ROOT
from ..preferences import worker_python
from . import report as setup_report
from . import run as setup_run
from .operators import SetupOperator

LINES = 13  # of a report, for the progress bar


class DIFFSYNTH_OT_check(SetupOperator, bpy.types.Operator):
    """Start the worker's test."""

    bl_idname = "diffsynth.check"
    bl_label = "Check"
    bl_description = "Test the worker: packages, device, memory, and four frames stylised with the demo model"

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            python = worker_python()
        except DiffSynthError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        setup_run.start(lambda report, is_cancelled: _check(python, report, is_cancelled))
        return {"FINISHED"}


class DIFFSYNTH_OT_check_copy(bpy.types.Operator):
    """Take the report along."""

    bl_idname = "diffsynth.check_copy"
    bl_label = "Copy Report"
    bl_description = "Copy what the last check said, for a bug report"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not setup_report.text():
            cls.poll_message_set("Nothing was checked yet; press Check")
        return bool(setup_report.text())

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.window_manager.clipboard = f"Blender {bpy.app.version_string}\n{setup_report.text()}"
        return {"FINISHED"}


def _check(python: Path, report: Callable[[Step], None], is_cancelled: Callable[[], bool]) -> str:
    """Run the worker's test, line by line; returns its last line. Raises SetupError where it found something."""
    lines: list[str] = []
    try:
        process = subprocess.Popen(
            [str(python), "-u", "-m", "diffsynth_blender.worker", "check"],
            env=worker_environment(PACKAGE_ROOT), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
        )  # fmt: skip
    except OSError as error:
        raise SetupError(f"{python}: cannot be started: {error.strerror}; repair the set-up") from None
    try:
        for line in lines_of(process.stdout, is_cancelled, "the check was cancelled"):
            lines.append(line)
            report(Step(line.strip(), min(1.0, len(lines) / LINES)))
    except BaseException:
        process.kill()
        raise
    finally:
        process.wait()
    setup_report.keep("\n".join(lines))
    if process.returncode:
        broken = next((line.strip() for line in lines if "BROKEN" in line), lines[-1] if lines else "it said nothing")
        raise SetupError(f"The worker does not work: {broken}")
    return lines[-1]


CLASSES = (DIFFSYNTH_OT_check, DIFFSYNTH_OT_check_copy)
