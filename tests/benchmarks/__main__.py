"""`make bench`: every benchmark, or those named on the command line.

Not every Python has what all of them need: the worker's has torch, the benchmarks' own has numba, OpenCV and
scikit-image. Each is imported only when its turn comes.
"""

import importlib
import sys

WITH_TORCH = ("memory", "diffusion", "passes")
WITHOUT_TORCH = ("remap", "patchmatch", "long_clips", "blending")
BENCHMARKS = (*WITH_TORCH, *WITHOUT_TORCH)

if __name__ == "__main__":
    for name in sys.argv[1:] or BENCHMARKS:
        if name not in BENCHMARKS:
            sys.exit(f"there is no benchmark {name!r}; there are: {', '.join(BENCHMARKS)}")
        importlib.import_module(f"tests.benchmarks.bench_{name}").main()
