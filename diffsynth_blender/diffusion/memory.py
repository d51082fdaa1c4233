"""Doing with less: smaller pieces when memory runs out, and off the device what is not in use.

Knows no models: whoever computes says in which pieces it can.
"""

import gc
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Generic, TypeAlias, TypeVar

import torch

from ..refusals import is_out_of_memory

Report: TypeAlias = Callable[[str], None]
"""Called with one line, for people, when memory ran out and less is done at a time."""

Rung = TypeVar("Rung")
Result = TypeVar("Result")


def say_nothing(line: str) -> None:
    """The report that nobody reads."""


class Ladder(Generic[Rung]):
    """One computation in ever smaller pieces: on out-of-memory the next is tried, and kept from then on."""

    def __init__(self, what: str, rungs: Sequence[Rung], report: Report = say_nothing) -> None:
        """Take the ways of computing, the one that needs most memory first.

        Args:
            what: the subject of the report.
            rungs: at least one; each is passed to the computation and its text appears in the report.
            report: told of every step down.
        """
        self._what = what
        self._rungs = tuple(rungs)
        self._place = 0
        self._report = report

    @property
    def rung(self) -> Rung:
        """The way that is used now."""
        return self._rungs[self._place]

    def __call__(self, compute: Callable[[Rung], Result]) -> Result:
        """The result of `compute(rung)`, which may be called several times. Raises what the smallest raised."""
        while True:
            try:
                return compute(self.rung)
            except (torch.OutOfMemoryError, RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or self._place == len(self._rungs) - 1:
                    raise
            # Not in the handler: the exception holds every tensor of the failed attempt.
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self._place += 1
            self._report(f"out of memory: from now on {self._what} {self.rung}")


class Resident:
    """Keeps networks on a device inside `with` blocks and in main memory outside them; only a GPU's are moved."""

    def __init__(self, device: torch.device, *networks: torch.nn.Module) -> None:
        self._device = device
        self._networks = networks
        self._depth = 0
        self._move(torch.device("cpu"))

    def __enter__(self) -> None:
        if self._depth == 0:
            self._move(self._device)
        self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._move(torch.device("cpu"))

    def _move(self, device: torch.device) -> None:
        if self._device.type == "cuda":
            for network in self._networks:
                network.to(device)
