"""The worker process: serves the host's requests and runs jobs. Imports nothing heavy: it answers quickly."""

import os
import sys

# `python -m` looks for modules where somebody stands, before it looks in Python's own folders: a json.py in the job
# folder would be run. It stays where that is the place of this very package. What is imported here was there before.
_root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
if sys.argv[:1] == ["-m"] and not sys.flags.safe_path and os.path.realpath(sys.path[0]) != _root:
    del sys.path[0]
