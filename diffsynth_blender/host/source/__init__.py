"""Where frames come from: rendered now, passes on disk, a strip of the sequencer."""
