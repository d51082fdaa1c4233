"""`make bench`: every benchmark, or those named on the command line."""

import sys

from tests.benchmarks import bench_diffusion, bench_passes

BENCHMARKS = {"diffusion": bench_diffusion.main, "passes": bench_passes.main}

if __name__ == "__main__":
    for name in sys.argv[1:] or BENCHMARKS:
        BENCHMARKS[name]()
