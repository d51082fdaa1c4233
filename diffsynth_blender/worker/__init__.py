"""The worker process: serves the host's requests and runs jobs. Imports nothing: the first answer must be quick."""
