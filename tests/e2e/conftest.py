"""The worker as people run it: a process of its own on a real job folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny_model import save_tiny_model

ROOT = Path(__file__).resolve().parents[2]
# Others may share the machine: waiting threads must not spin on its cores.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> str:
    """Folder of a tiny model with random weights, in the layout that artists' models have."""
    return str(save_tiny_model(tmp_path_factory.mktemp("model")))


def worker_command(*arguments) -> list[str]:
    return [sys.executable, "-m", "diffsynth_blender.worker", *map(str, arguments)]


@pytest.fixture(scope="session")
def run_worker():
    """Run the worker's command line to its end."""

    def run(*arguments, timeout=300) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            worker_command(*arguments), capture_output=True, text=True, env=ENVIRONMENT, timeout=timeout, check=False
        )

    return run


@pytest.fixture(scope="session")
def start_worker():
    """Start the worker's command line and return at once."""

    def start(*arguments) -> subprocess.Popen[str]:
        return subprocess.Popen(
            worker_command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=ENVIRONMENT
        )

    return start
