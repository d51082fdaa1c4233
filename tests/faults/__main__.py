"""`python -m tests.faults --seed N`: the whole fault suite, worker and host, and one table of what was tried.

Run it with the worker's Python; the host's tests run in the host's. What follows `--` goes to both pytests, such as
`-k kill`. Exits with 1 where a test failed, or where a fault did not recover, lost a frame, hung or left a process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.faults.plugin import LENGTH, LENGTHS, SEED, TABLE, Record, rows, table

ROOT = Path(__file__).resolve().parents[2]
NO_TESTS = 5  # pytest's exit code where nothing was selected


def main() -> int:
    """Run both suites and print the table; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="what everything random starts from (default: %(default)s)")
    parser.add_argument("--length", choices=LENGTHS, default="long", help="how often to try (default: %(default)s)")
    parser.add_argument(
        "--host",
        type=Path,
        default=ROOT / "build/venv/host-4.5/bin/python",
        metavar="PYTHON",
        help="a Python with bpy (default: %(default)s)",
    )
    parser.add_argument("pytest", nargs="*", metavar="ARGUMENT", help="for both pytests, after --")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records.jsonl"
        path.touch()
        environment = {
            **os.environ,
            LENGTH: arguments.length,
            SEED: str(arguments.seed),
            TABLE: str(path),
            "DIFFSYNTH_WORKER_PYTHON": sys.executable,
        }
        codes = [
            _pytest(python, tests, arguments.pytest, environment)
            for python, tests in ((Path(sys.executable), "tests/faults"), (arguments.host, "tests/host/faults"))
        ]
        found = rows(Record(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines())
    print(f"\nfaults, seed {arguments.seed}\n")
    print("\n".join(table(found)))
    return 0 if found and set(codes) <= {0, NO_TESTS} and all(row.is_good for row in found) else 1


def _pytest(python: Path, tests: str, arguments: list[str], environment: dict[str, str]) -> int:
    command = [str(python), "-m", "pytest", tests, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
