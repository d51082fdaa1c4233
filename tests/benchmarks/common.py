"""What every benchmark shares: timing of both sides in turn, and the JSON that a claim is quoted from."""

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "build" / "bench"

TURN = 0.2
"""Least length of a measurement [s]."""


def paired(sides: dict[str, Callable[[], object]], *, repeats: int) -> dict[str, list[float]]:
    """Seconds of each side, by name, measured in turn after one warm-up of each.

    In turn, because these machines are noisy: whatever slows one round down slows both sides of it. In each turn a side
    is called again until `TURN` seconds are over, and has the mean of its calls: one call of milliseconds would be
    measured with what the side before it has left in the caches.
    """
    for side in sides.values():
        side()
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, side in sides.items():
            start, calls = time.perf_counter(), 0
            while calls == 0 or time.perf_counter() - start < TURN:
                side()
                calls += 1
            seconds[name].append((time.perf_counter() - start) / calls)
    return seconds


def ratio(seconds: dict[str, list[float]], over: str, under: str) -> float:
    """Median over rounds of one side's time divided by the other's in the same round."""
    return statistics.median(a / b for a, b in zip(seconds[over], seconds[under], strict=True))


def write_bench(name: str, rows: list[dict[str, object]], ratios: dict[str, float], *, quiet: bool = False) -> None:
    """Write build/bench/NAME.json and print its table, or only its ratios where the rows are shown already."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    OUTPUT.mkdir(parents=True, exist_ok=True)
    value = {"machine": machine, "commit": commit.stdout.strip(), "rows": rows, "ratios": ratios}
    (OUTPUT / f"{name}.json").write_text(json.dumps(value, indent=1) + "\n")
    print(f"\n{name} ({machine})")
    for row in () if quiet else rows:
        print(
            "  "
            + "  ".join(
                f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items()
            )
        )
    for key, value in ratios.items():
        print(f"  {key}: {value:.3g}")


def read_ratios(*names: str) -> dict[str, float]:
    """Return the ratios of benchmarks that have run before, in build/bench/NAME.json; of those that have not, none."""
    files = [OUTPUT / f"{name}.json" for name in names]
    ratios: dict[str, float] = {}
    for file in filter(Path.is_file, files):
        ratios |= json.loads(file.read_text())["ratios"]
    return ratios


def spread(name: str, seconds: list[float]) -> dict[str, object]:
    """A row: median, least and most milliseconds."""
    return {
        "what": name,
        "median_ms": statistics.median(seconds) * 1e3,
        "min_ms": min(seconds) * 1e3,
        "max_ms": max(seconds) * 1e3,
    }
