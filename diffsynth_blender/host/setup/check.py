"""The button Check: the worker's own test beside the interface, and its report as a text that can be copied."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy

from ...environment.errors import SetupCancelledError, SetupError
from ...environment.install import Step
from ...protocol import DiffSynthError
from ..preferences import worker_python
from ..worker_check import check_worker
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
    """Run the worker's test and keep its report; returns its last line. Raises SetupError where it found something."""
    lines: list[str] = []

    def take(line: str) -> None:
        lines.append(line)
        report(Step(line.strip(), min(1.0, len(lines) / LINES)))

    try:
        check_worker(python, take, is_cancelled)
    except SetupCancelledError:
        raise
    except SetupError:
        setup_report.keep("\n".join(lines))
        raise
    setup_report.keep("\n".join(lines))
    return lines[-1]


CLASSES = (DIFFSYNTH_OT_check, DIFFSYNTH_OT_check_copy)
