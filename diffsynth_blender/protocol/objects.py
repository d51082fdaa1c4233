"""The matrices of one frame's objects: `passes/0001.objects.json`, one line an object. Reading is strict.

    {"8a3f00b1": [[1.0, 0.0, 0.0, 2.5], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]], ...}

A key is an object's id as the passes hold it, its bits as eight hexadecimal digits (as a cryptomatte's own manifest
writes them); the value takes the object's own coordinates to the world, 4x4, rows first. An object that is not in the
file has no single matrix at this frame, or its shape has just changed.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from .errors import BadJobError
from .fields import JsonObject
from .files import write_bytes_atomic
from .reading import read_json
from .shot import Matrix
from .texts import shortened


def save_objects(matrices: Mapping[int, Matrix], path: Path) -> None:
    """Write the matrices of a frame in one piece.

    Args:
        matrices: Object to world by the bits of the object's id, as an unsigned integer of 32 bits.
        path: The file; its folder must exist.
    """
    lines = [f'"{bits:08x}": {json.dumps(matrix, allow_nan=False)}' for bits, matrix in sorted(matrices.items())]
    write_bytes_atomic(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def load_objects(path: Path) -> dict[int, Matrix]:
    """Read what `save_objects` wrote, by the unsigned bits. Raises `BadJobError` naming file, key and remedy."""
    value = read_json(path, remedy="capture the frame again")
    keys = tuple(value) if isinstance(value, dict) else ()
    matrices = JsonObject(value, str(path), "", keys)
    for key in keys:
        if not re.fullmatch("[0-9a-f]{8}", key):
            raise BadJobError(
                f"{path}: {shortened(key)} is no object id of eight hexadecimal digits; capture the frame again"
            )
    return {int(key, 16): matrices.matrix(key) for key in keys}
