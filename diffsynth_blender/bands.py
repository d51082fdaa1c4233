"""Run Warp kernels over the rows of a frame, on the processor's cores or on a CUDA device.

On a processor one Warp launch is one thread, but it releases Python's lock: the rows are split
into bands, one launch each, in a pool of threads. Kernels must gather and never scatter, since
atomic operations are plain additions on the processor; the result then does not depend on the
number of threads. On CUDA a frame is one band.
"""

from __future__ import annotations

import os
from _thread import allocate_lock, get_ident, start_new_thread
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from itertools import pairwise
from queue import SimpleQueue
from types import ModuleType
from weakref import finalize

import warp as wp

# Warp greets on standard output, which in the worker's process belongs to the protocol.
wp.config.log_level = wp.LOG_WARNING

ROWS_PER_BAND = 16
"""Fewest rows worth a thread: a launch costs about 6 microseconds, a row of 384 pixels about 15."""

BANDS_PER_THREAD = 8
"""Rows differ in cost; with one band a thread the others wait for the slowest: a match took 1.2 times as long."""


class _Turn:
    """Something that a helper does, unless whoever asked for it was quicker."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._begun, self._ended = allocate_lock(), allocate_lock()
        self._ended.acquire()
        self._error: BaseException | None = None

    def take(self) -> None:
        """Do it, in a helper; nothing where it is done or called off."""
        if self._begun.acquire(blocking=False):
            try:
                self._work()
            except BaseException as error:
                self._error = error
            finally:
                self._ended.release()

    def finish(self) -> None:
        """Wait for its end; one that has not begun is called off. Raises what it raised."""
        if not self._begun.acquire(blocking=False):
            self._ended.acquire()
            if self._error is not None:
                raise self._error


class _Helpers:
    """Threads that take turns, for as long as this lives.

    Not those of concurrent.futures: `Thread.start` waits for ever for one that finds no memory to begin with.
    """

    def __init__(self, count: int) -> None:
        self._missing = count
        self._waiting: SimpleQueue[_Turn | None] = SimpleQueue()
        finalize(self, _dismiss, self._waiting, count)

    def ask(self, work: Callable[[], None]) -> _Turn:
        """Have a helper do something when one is free; who has not enough of them does with fewer."""
        if self._missing:
            self._missing -= 1
            with suppress(RuntimeError, MemoryError):  # the system grants no more
                start_new_thread(_help, (self._waiting,))
        turn = _Turn(work)
        self._waiting.put(turn)
        return turn


def _help(waiting: SimpleQueue[_Turn | None]) -> None:
    while (turn := waiting.get()) is not None:
        turn.take()
        del turn  # and what it works on


def _dismiss(waiting: SimpleQueue[_Turn | None], count: int) -> None:
    for _ in range(count):
        waiting.put(None)


class Bands:
    """Splits frames into bands of rows for one device."""

    def __init__(self, device: str, *, threads: int | None = None):
        """Prepare `device`.

        Args:
            device: a Warp device name, "cpu" or "cuda:0".
            threads: bands at a time on a processor; None means one for every core.
        """
        self.device = wp.get_device(device)
        self._threads = 1 if self.device.is_cuda else threads or core_count()
        # Who asks for work does its share.
        self._helpers = _Helpers(self._threads - 1) if self._threads > 1 else None

    def load(self, *modules: ModuleType) -> None:
        """Load the kernels of Python `modules`; to be done before a launch, not from several threads."""
        for module in modules:
            wp.load_module(module, device=self.device)

    def run(self, height: int, work: Callable[[int, int], None], *, rows_per_band: int = ROWS_PER_BAND) -> None:
        """Call `work(first_row, row_count)` for bands that together cover `height` rows.

        Args:
            height: rows in all.
            work: launches a kernel on some rows.
            rows_per_band: fewest rows worth a thread; 1 where each row is heavy.
        """
        count = max(1, min(self._threads * BANDS_PER_THREAD if self._helpers else 1, height // rows_per_band))
        edges = [height * band // count for band in range(count + 1)]
        spans = [(top, bottom - top) for top, bottom in pairwise(edges)]
        waiting = iter(spans)

        def take_turns() -> None:
            for span in waiting:
                work(*span)

        asked = (
            []
            if self._helpers is None
            else [self._helpers.ask(take_turns) for _ in range(min(self._threads, count) - 1)]
        )
        take_turns()
        for turn in asked:
            turn.finish()  # one that has not begun has nothing left to do

    def launch(
        self,
        kernel: wp.Kernel,
        shape: tuple[int, int],
        inputs: list,
        outputs: list,
        *,
        rows_per_band: int = ROWS_PER_BAND,
        whole_rows: bool = False,
        whole_bands: bool = False,
    ) -> None:
        """Launch `kernel(first_row, *inputs, *outputs)` on every pixel of a frame, (H, W).

        Args:
            kernel: to be launched.
            shape: height and width.
            inputs: behind `first_row`.
            outputs: behind the inputs.
            rows_per_band: fewest rows worth a thread.
            whole_rows: the kernel does a whole row where it is launched on column 0, as on a processor it then is.
            whole_bands: the kernel is `kernel(first_row, row_count, *inputs, *outputs)` and does as many whole rows
                where it is launched on column 0, as on a processor it then is; on CUDA they are 1.
        """
        height, width = shape
        if (whole_rows or whole_bands) and self.device.is_cpu:
            width = 1

        one_launch = whole_bands and self.device.is_cpu
        places = [0, 1] if whole_bands else [0]
        # Arguments are checked and packed once; that costs as much as a band of 20 rows.
        recorded = wp.launch(
            kernel, dim=(1, width), inputs=[*places, *inputs], outputs=outputs, device=self.device, record_cmd=True
        )

        # Bands are of one or two heights; what a thread has set up for one serves it for the next.
        known: dict[tuple[int, int], wp.Launch] = {}

        def work(first_row: int, rows: int) -> None:
            key = get_ident(), rows
            band = known.get(key)
            if band is None:
                band = known[key] = copy(recorded)
                band.params = list(recorded.params)
                if one_launch:
                    band.set_param_at_index(1, rows)
                else:
                    band.set_dim((rows, width))
            band.set_param_at_index(0, first_row)
            band.launch()

        self.run(height, work, rows_per_band=rows_per_band)


def core_count() -> int:
    """Return the cores that this process may use, where the system can tell."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
