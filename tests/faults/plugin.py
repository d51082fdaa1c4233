"""What fault tests share in every Python: seed and length of the run, and the table of what was tried.

A test records each fault it tried, and asserts as well: the table is for people, the assertions are for pytest.
Knows neither worker nor host.
"""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pytest

LENGTH, SEED, TABLE = "DIFFSYNTH_FAULTS", "DIFFSYNTH_FAULT_SEED", "DIFFSYNTH_FAULTS_TABLE"
"""Environment variables: "short" or "long"; a number; the file that collects the records of several processes."""
LENGTHS = ("short", "long")


@dataclass(frozen=True)
class Record:
    """One fault, tried once."""

    fault: str
    """A short phrase, the row of the table."""
    recovered: bool
    """What had to follow did: the same bits after a kill, one sentence after bad input."""
    lost_frames: int = 0
    hung: bool = False
    """A wait reached its limit."""
    orphans: int = 0
    """Processes that were left."""


class Tally:
    """The records of this process, and of others that append to the same file."""

    def __init__(self, path: Path | None) -> None:
        """Keep the records, and append each to `path`, if given."""
        self.records: list[Record] = []
        self._path = path

    def record(
        self, fault: str, *, recovered: bool, lost_frames: int = 0, hung: bool = False, orphans: int = 0
    ) -> None:
        """Enter one fault that was tried once, see `Record`."""
        record = Record(fault, recovered, lost_frames, hung, orphans)
        self.records.append(record)
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(record)) + "\n")


@dataclass(frozen=True)
class Row:
    """A fault with all its tries."""

    fault: str
    tried: int
    recovered: int
    lost_frames: int
    hangs: int
    orphans: int

    @property
    def is_good(self) -> bool:
        """Whether everything recovered and nothing was lost, hung or left."""
        return self.recovered == self.tried and not (self.lost_frames or self.hangs or self.orphans)


def rows(records: Iterable[Record]) -> list[Row]:
    """The table, faults in the order they were first tried."""
    by_fault: dict[str, list[Record]] = {}
    for record in records:
        by_fault.setdefault(record.fault, []).append(record)
    return [
        Row(
            fault,
            tried=len(tries),
            recovered=sum(record.recovered for record in tries),
            lost_frames=sum(record.lost_frames for record in tries),
            hangs=sum(record.hung for record in tries),
            orphans=sum(record.orphans for record in tries),
        )
        for fault, tries in by_fault.items()
    ]


def table(found: list[Row]) -> list[str]:
    """Lines of the table, with a head and a sum."""
    total = Row("all", *(sum(getattr(row, field.name) for row in found) for field in fields(Row)[1:]))
    cells = [tuple(field.name.replace("_", " ") for field in fields(Row))]
    cells += [tuple(str(getattr(row, field.name)) for field in fields(Row)) for row in [*found, total]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in cells
    ]
    rule = "-" * len(lines[0])
    return [lines[0], rule, *lines[1:-1], rule, lines[-1]]


_tally = pytest.StashKey[Tally]()


@pytest.fixture(scope="session")
def fault_seed() -> int:
    """What everything random in a fault test starts from."""
    return int(os.environ.get(SEED, "1"))


@pytest.fixture(scope="session")
def times() -> Callable[[int, int], int]:
    """A function (short, long) → how often to try, by the length of the run."""
    length = os.environ.get(LENGTH, "short")
    if length not in LENGTHS:
        raise ValueError(f"{LENGTH} is {length!r}; choose one of {', '.join(LENGTHS)}")
    return lambda short, long: short if length == "short" else long


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config) -> Tally:
    """The table of this run."""
    if _tally not in pytestconfig.stash:
        path = os.environ.get(TABLE)
        pytestconfig.stash[_tally] = Tally(Path(path) if path else None)
    return pytestconfig.stash[_tally]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table of this process."""
    if _tally in config.stash and config.stash[_tally].records:
        terminalreporter.write_sep("=", "faults")
        for line in table(rows(config.stash[_tally].records)):
            terminalreporter.write_line(line)
