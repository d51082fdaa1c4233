"""Faults that the worker meets: a real process on a real job folder."""

from tests.e2e.conftest import run_worker, start_worker, tiny_model
from tests.faults.disks import small_disk
from tests.faults.good_frame import good
from tests.faults.plugin import fault_seed, pytest_terminal_summary, tally, times
from tests.faults.scenarios import shot
from tests.faults.served import healthy, undisturbed, worker

__all__ = [
    "fault_seed",
    "good",
    "healthy",
    "pytest_terminal_summary",
    "run_worker",
    "shot",
    "small_disk",
    "start_worker",
    "tally",
    "times",
    "tiny_model",
    "undisturbed",
    "worker",
]
