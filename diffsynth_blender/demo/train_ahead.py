"""Batches drawn ahead in threads, always in the same order: a graphics card should not wait for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """Calls functions before their results are asked for, in turns, each in a thread of its own."""

    def __init__(self, draws: Sequence[Callable[..., T]], *, depth: int) -> None:
        """Keep `depth` results of each function ready; 0 calls the first one when a result is asked for."""
        self._draws = draws
        self._threads = [ThreadPoolExecutor(1) for _ in draws]
        self._depth = depth * len(draws)
        self._waiting: deque[tuple[tuple[object, ...], Future[T]]] = deque()
        self._turn = 0

    def next(self, *arguments: object) -> T:
        """The next result for these arguments; when they change, what was drawn for others is thrown away."""
        if not self._depth:
            return self._draws[0](*arguments)
        if self._waiting and self._waiting[0][0] != arguments:
            self._waiting.clear()
        while len(self._waiting) < self._depth:
            own = self._turn % len(self._draws)
            self._waiting.append((arguments, self._threads[own].submit(self._draws[own], *arguments)))
            self._turn += 1
        return self._waiting.popleft()[1].result()
