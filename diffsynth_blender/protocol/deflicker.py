"""The choices of a deflickering, for the host, both command lines and the worker."""

DEFLICKER_MODES = ("fast", "balanced", "accurate", "keyframes")
"""How frames are blended with their neighbours; "keyframes" makes all frames from a few painted ones."""
DEFAULT_MODE = "accurate"

DEFAULT_WINDOW = 7
"""Neighbours on either side [frames]: flicker falls with the root of their number, time rises with it."""
WINDOW_LIMIT = 64
"""Largest window [frames]: twice as many frames are held in memory."""
