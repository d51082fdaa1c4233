"""The worker process: serves the host's requests and runs jobs. Imports nothing heavy: it answers quickly."""

import sys
from pathlib import Path

# `python -m` looks for modules where somebody stands, before it looks in Python's own folders: a json.py in the job
# folder would be run. It stays where that is the place of this very package.
if sys.argv[:1] == ["-m"] and not sys.flags.safe_path and Path(sys.path[0]).resolve() != Path(__file__).parents[2]:
    del sys.path[0]
