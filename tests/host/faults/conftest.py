"""Faults that Blender meets: a real process with bpy, a real worker, real files."""

from tests.faults.plugin import fault_seed, pytest_terminal_summary, tally, times

__all__ = ["fault_seed", "pytest_terminal_summary", "tally", "times"]
