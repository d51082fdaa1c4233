"""Thins out a job's progress and estimates the time left. Results pass untouched."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from ..protocol.messages import Event, JobProgress

ESTIMATE_STEPS = 8  # the estimate follows this many last steps: long enough to average steps with and without smoothing


class ProgressFilter:
    """Passes events on: every result, but progress at most every so often within a stage."""

    def __init__(
        self, send: Callable[[Event], None], *, interval: float = 0.1, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Args: `send` takes the events; `interval` [s] between two of a stage; `clock` tells the time [s]."""
        self._send = send
        self._interval = interval
        self._clock = clock
        self._stage = ""
        self._sent_at = 0.0
        self._steps: deque[tuple[float, int]] = deque(maxlen=ESTIMATE_STEPS + 1)  # when each last step was reached

    def __call__(self, event: Event) -> None:
        """Pass on, or drop, one event of the job."""
        if not isinstance(event, JobProgress):
            self._send(event)
            return
        now = self._clock()
        is_first = event.stage != self._stage
        if is_first:
            self._stage = event.stage
            self._steps.clear()
        if not self._steps or event.step > self._steps[-1][1]:
            self._steps.append((now, event.step))
        is_last = event.step >= event.step_count
        if is_first or is_last or now - self._sent_at >= self._interval:
            self._sent_at = now
            self._send(replace(event, seconds_left=self._seconds_left(event, now)))

    def _seconds_left(self, event: JobProgress, now: float) -> float | None:
        (first_time, first_step), (last_time, last_step) = self._steps[0], self._steps[-1]
        if event.step >= event.step_count:
            return 0.0
        if last_step == first_step:
            return None
        seconds_per_step = (last_time - first_time) / (last_step - first_step)
        return max(0.0, seconds_per_step * (event.step_count - last_step) - (now - last_time))
