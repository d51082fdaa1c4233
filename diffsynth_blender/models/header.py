"""What a .safetensors file holds, from its header alone: names, shapes and metadata, without reading a weight.

The format: eight bytes, little endian, with the length of a JSON object; that object; then the numbers.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..refusals import pass_refusal_on
from .errors import CheckpointError

# The format's own limit [bytes].
_LONGEST_HEADER = 100_000_000
_AGAIN = "download or copy it again"


@dataclass(frozen=True)
class Header:
    """The table of contents of one file."""

    path: Path
    shapes: dict[str, tuple[int, ...]]
    """By the tensor's name."""
    metadata: dict[str, str]

    def has(self, prefix: str) -> bool:
        """Whether any tensor's name begins so."""
        return any(name.startswith(prefix) for name in self.shapes)


def refuse_pickles(path: Path) -> None:
    """Raise CheckpointError for a file whose format can run code when it is read."""
    if path.suffix.lower() in (".ckpt", ".bin", ".pt", ".pth", ".pkl"):
        raise CheckpointError(
            f"{path}: a {path.suffix} file can run any program when it is read; use the .safetensors file of this model"
        )


def read_header(path: Path) -> Header:
    """The header of a .safetensors file.

    Raises CheckpointError where there is no such file, where it is of another format, or cut short.
    """
    refuse_pickles(path)
    if path.suffix.lower() != ".safetensors":
        raise CheckpointError(f"{path}: no .safetensors file; choose one")
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(_LONGEST_HEADER, size - 8):
                raise CheckpointError(f"{path}: no .safetensors file, or cut short; {_AGAIN}")
            entries: dict[str, Any] = json.loads(file.read(length))
    except OSError as error:
        pass_refusal_on(error)
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); choose another file") from error
    except ValueError as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path}: its header is damaged; {_AGAIN}") from error
    try:
        metadata = {str(key): str(value) for key, value in entries.pop("__metadata__", {}).items()}
        shapes = {name: tuple(int(n) for n in entry["shape"]) for name, entry in entries.items()}
        end = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise CheckpointError(f"{path}: its header is damaged; {_AGAIN}") from error
    if size < 8 + length + end:
        raise CheckpointError(f"{path}: cut short, {size} of {8 + length + end} bytes; {_AGAIN}")
    return Header(path, shapes, metadata)
