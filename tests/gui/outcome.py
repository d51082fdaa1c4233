"""What was tried and how it came out: the lines of the report."""

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
