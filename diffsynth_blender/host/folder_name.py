"""The name of a scene or a strip as that of a folder."""

import re

_NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*{}\x00-\x1f]')
"""What some file system, or a pattern of Blender's, takes for something else."""


def folder_name(name: str) -> str:
    """The name, with what no folder may be called replaced.

    Letters of all alphabets stay: replaced, they would give two scenes with names of one length the same folder.
    """
    return _NOT_IN_NAMES.sub("_", name).rstrip(" .") or "_"
