"""What was tried and how it came out: the lines of the report."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """One thing tried."""

    name: str
    as_wanted: bool
    told: str
    """What was seen: an exit code and the line that says why, a time, what differs."""
    seconds: float = 0.0
    """How long it took; 0 where that means nothing."""

    @property
    def line(self) -> str:
        """For people."""
        return f"{'ok  ' if self.as_wanted else 'FAIL'} {self.seconds:6.1f} s  {self.name:<34}{self.told}"


def table(outcomes: Sequence[Outcome]) -> str:
    """All of them in a table, with their count below it."""
    rows = [f"| {one.name} | {'ok' if one.as_wanted else 'FAIL'} | {one.seconds:.0f} s |" for one in outcomes]
    good = sum(one.as_wanted for one in outcomes)
    return "\n".join(["| step | | |", "|---|---|---|", *rows, "", f"{good} of {len(outcomes)} as wanted", ""])
