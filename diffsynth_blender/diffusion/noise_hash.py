"""Random numbers that are a function of what they belong to: no state, no order, the same bits on every machine.

Integers are hashed by the finaliser of SplitMix64 (Steele et al. 2014), whose output passes as random for inputs that
differ in any bit. Knows numpy alone: whole arrays of 64-bit integers that wrap around.
"""

from functools import cache
from statistics import NormalDist

import numpy as np

TABLE_BITS = 16
"""A hash picks one of 2**16 quantiles of the normal distribution, out to 4.2 standard deviations."""


def scramble(values: np.ndarray) -> np.ndarray:
    """Hash uint64 integers of any shape, one to one."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def hash_of(*numbers: int) -> np.uint64:
    """One hash of some integers; their order matters."""
    state = np.zeros(1, np.uint64)
    for number in numbers:
        state = scramble(state + np.uint64(0x9E3779B97F4A7C15) ^ np.uint64(number % 2**64))
    return state[0]


def hash_cells(cells: np.ndarray, *labels: np.ndarray) -> np.ndarray:
    """A hash uint64 (N,) for each cell int64 (N, 3) of a lattice, and integers int64 (N,) that tell lattices apart.

    The integers are first added up with large odd factors: two cells get the same sum about as likely as by chance.
    """
    columns = [*np.ascontiguousarray(cells.T), *labels]
    total = np.zeros(len(cells), np.uint64)
    for place, column in enumerate(columns):
        total += column.astype(np.int64, copy=False).view(np.uint64) * (hash_of(place) | np.uint64(1))
    return scramble(total)


def normal(hashes: np.ndarray, stream: np.uint64) -> np.ndarray:
    """Numbers of the normal distribution, float32, for uint64 hashes; independent for each stream (see `hash_of`)."""
    picked = scramble(hashes + stream) >> np.uint64(64 - TABLE_BITS)
    return _quantiles()[picked.astype(np.int64)]


@cache
def _quantiles() -> np.ndarray:
    """The middles of 2**16 equally likely parts of the normal distribution, scaled to variance 1, float32."""
    count = 2**TABLE_BITS
    upper = np.array([NormalDist().inv_cdf((i + 0.5) / count) for i in range(count // 2, count)])
    table = np.concatenate([-upper[::-1], upper])
    return (table / table.std()).astype(np.float32)
