"""Long shots: peak memory of the worker for 96 frames beside 24, a job of the demo model from its folder to its report.

Each length runs in a fresh process, by the worker's own command line, on the processor: with independent frames,
deflickering inside the loop and of the finished frames. The scene swings to and fro, so that long shots show no more
than short ones.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.bench_long_clips import swinging_scene
from tests.benchmarks.common import ROOT, write_bench
from tests.e2e.job_folder import write_job_folder

SIZE = (192, 128)
LENGTHS = (24, 96)

# The kernel's own count for the process: what getrusage says includes what its parent once had.
CHILD = """
import re, sys
from pathlib import Path
from diffsynth_blender.worker.__main__ import main
peak = Path(sys.argv.pop())
code = main()
peak.write_text(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])
sys.exit(code)
"""


def main() -> None:
    """Measure and write memory.json."""
    rows = []
    for length in LENGTHS:
        with tempfile.TemporaryDirectory() as folder:
            write_job_folder(Path(folder) / "job", frames=length, scene=swinging_scene(*SIZE), steps=4, baseline=True)
            start = time.perf_counter()
            peak = peak_of_job(Path(folder) / "job", Path(folder) / "peak")
            rows.append({"frames": length, "peak_mb": peak, "seconds": time.perf_counter() - start})
    write_bench("memory", rows, {"memory_96_vs_24_frames": rows[1]["peak_mb"] / rows[0]["peak_mb"]})


def peak_of_job(job_dir: Path, note: Path) -> float:
    """Run a job in a process of its own; the most memory it had [MB]. `note` is a file for the process to write."""
    subprocess.run([sys.executable, "-c", CHILD, "run", str(job_dir), str(note)], cwd=ROOT, check=True)
    return int(note.read_text()) / 1024
