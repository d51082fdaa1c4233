"""What this machine computes on, and so which build of torch it wants."""

import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

BACKENDS = ("cpu", "cuda", "rocm", "macos")
"""By the names of the lock files."""

CUDA_DRIVER = 580
"""Oldest NVIDIA driver that runs CUDA 13, which the locked build of torch is made for (CUDA 13 release notes)."""
CUDA_CAPABILITY = (7, 5)
"""Oldest compute capability that CUDA 13 compiles for: Turing (CUDA 13 release notes)."""
TOOL_SECONDS = 20.0  # nvidia-smi takes several seconds where a driver wakes a sleeping card


@dataclass(frozen=True)
class Backend:
    """What was found."""

    name: str
    """One of `BACKENDS`."""
    found: str
    """What it was chosen for, as a sentence for people."""


@cache  # drawing the preferences asks for it, and the tools take seconds
def find_backend() -> Backend:
    """Look at the machine, once: NVIDIA, AMD, Apple, else the processor. What is not there is not found."""
    if platform.system() == "Darwin":
        return _apple()
    cards = _lines("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")
    if cards:
        return _nvidia(cards[0])
    if platform.system() == "Linux":
        agents = [line.split(":", 1)[1].strip() for line in _lines("rocminfo") if "Marketing Name" in line]
        cards = [agent for agent in agents if "Radeon" in agent or "Instinct" in agent]
        if cards:
            return Backend("rocm", f"{cards[0]}, ROCm")
    return Backend("cpu", "no graphics card that torch can use was found: the processor, which is slow")


def _nvidia(card: str) -> Backend:
    name, driver, memory = (part.strip() for part in card.split(","))
    found = f"{name} with {memory}, NVIDIA driver {driver}"
    if int(driver.split(".")[0]) < CUDA_DRIVER:
        return Backend("cpu", f"{found}; the driver is too old for CUDA 13, update it to {CUDA_DRIVER} or newer")
    # Such a driver still runs cards that CUDA 13 no longer knows. A question of its own: drivers far older fail at it.
    lines = _lines("nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader")
    capability = tuple(int(part) for part in re.findall(r"\d+", lines[0])) if lines else CUDA_CAPABILITY
    if capability < CUDA_CAPABILITY:
        return Backend("cpu", f"{found}; the card is older than CUDA 13 works with (Turing, of 2018)")
    return Backend("cuda", found)


def _apple() -> Backend:
    if platform.machine() == "arm64":
        return Backend("macos", f"Apple processor, macOS {platform.mac_ver()[0]}")
    return Backend("cpu", "a Mac with an Intel processor")


def _lines(*command: str) -> Sequence[str]:
    """What a tool prints; nothing where it is not there or fails."""
    if shutil.which(command[0]) is None:
        return ()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TOOL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return done.stdout.strip().splitlines() if done.returncode == 0 else ()
