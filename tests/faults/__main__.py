"""`python -m tests.faults --seed N`: the whole fault suite, worker and host, and one table of what was tried.

Run it with the worker's Python; the host's tests run in the host's. Each file is a pytest of its own, two files at a
time. What follows `--` goes to every pytest, such as `-k kill`. Exits with 1 where a test failed, or where a fault did
not recover, lost a frame, hung or left a process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.faults.plugin import LENGTH, LENGTHS, SEED, TABLE, Record, rows, table

ROOT = Path(__file__).resolve().parents[2]
NO_TESTS = 5  # pytest's exit code where nothing was selected
LONGEST = ("tests/faults/test_kills.py", "tests/host/faults/test_kills.py", "tests/faults/test_power_cuts.py")
"""Begun first, so that not one of them is left to run alone at the end."""
TIMEOUT = 3600
"""Seconds that a test of the long form may take in all; each wait in it has a limit of its own."""


@dataclass(frozen=True)
class Part:
    """A file of tests, its Python, and where its records and words go."""

    python: Path
    file: str
    folder: Path

    @property
    def records(self) -> Path:
        """What it tried, see `plugin.Tally`."""
        return self._beside("jsonl")

    @property
    def log(self) -> Path:
        """What its pytest says."""
        return self._beside("log")

    @property
    def passed(self) -> Path:
        """There once it has passed."""
        return self._beside("passed")

    def run(self, arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
        """Run it, and print its words when it is over, not among another's; whether it passed."""
        self.records.write_text("")
        # Two at once would write to one cache.
        command = [str(self.python), "-m", "pytest", "-p", "no:cacheprovider", self.file, *arguments]
        started_at = time.monotonic()
        with self.log.open("w") as log:
            code = subprocess.run(
                command, cwd=ROOT, env={**environment, TABLE: str(self.records)}, stdout=log, stderr=log, check=False
            ).returncode
        is_good = code in (0, NO_TESTS)
        if is_good:
            self.passed.touch()
        outcome = f"{'passed' if is_good else 'FAILED'} in {time.monotonic() - started_at:.0f} s"
        with _printing:
            print(f"\n== {self.file}: {outcome}\n{self.log.read_text()}", flush=True)
        return is_good

    def _beside(self, ending: str) -> Path:
        return self.folder / f"{self.file.replace('/', '-')}.{ending}"


_printing = threading.Lock()


def main() -> int:
    """Run both suites and print the table; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="what everything random starts from (default: %(default)s)")
    parser.add_argument("--length", choices=LENGTHS, default="long", help="how often to try (default: %(default)s)")
    parser.add_argument("--at-once", type=int, default=2, metavar="COUNT", help="files (default: %(default)s)")
    parser.add_argument(
        "--host",
        type=Path,
        default=ROOT / "build/venv/host-4.5/bin/python",
        metavar="PYTHON",
        help="a Python with bpy (default: %(default)s)",
    )
    parser.add_argument(
        "--folder", type=Path, help="keep what each file tried and said here; a file that has passed is not run again"
    )
    parser.add_argument("pytest", nargs="*", metavar="ARGUMENT", help="for every pytest, after --")
    arguments = parser.parse_args()
    if arguments.folder and arguments.pytest:
        parser.error("--folder is for whole files: leave out what follows --")
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)) / f"{arguments.length}-{arguments.seed}"
        folder.mkdir(parents=True, exist_ok=True)
        parts = [
            Part(python, path.relative_to(ROOT).as_posix(), folder.resolve())
            for python, tests in ((Path(sys.executable), "tests/faults"), (arguments.host, "tests/host/faults"))
            for path in sorted((ROOT / tests).glob("test_*.py"))
        ]
        is_good = run(parts, arguments)
        lines = [line for part in parts for line in part.records.read_text(encoding="utf-8").splitlines()]
    found = rows(Record(**json.loads(line)) for line in lines)
    print(f"\nfaults, seed {arguments.seed}\n")
    print("\n".join(table(found)))
    return 0 if found and is_good and all(row.is_good for row in found) else 1


def run(parts: Sequence[Part], arguments: argparse.Namespace) -> bool:
    """Run all that has not passed yet, some at once; whether all is good."""
    environment = {
        **os.environ,
        LENGTH: arguments.length,
        SEED: str(arguments.seed),
        "DIFFSYNTH_WORKER_PYTHON": sys.executable,
    }
    timeout = ["--timeout", str(TIMEOUT)] if arguments.length == "long" else []
    waiting = sorted((part for part in parts if not part.passed.exists()), key=lambda part: part.file not in LONGEST)
    with ThreadPoolExecutor(arguments.at_once) as pool:
        return all([*pool.map(lambda part: part.run([*timeout, *arguments.pytest], environment), waiting)])


if __name__ == "__main__":
    sys.exit(main())
