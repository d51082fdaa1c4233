"""Read damaged files in a process of its own: `python fuzz_reader.py FOLDER SEED COUNT`, one line of JSON a file.

A library that crashes takes this process with it, and nobody else: the last line names what it read. FOLDER holds good
files of a frame of 64x48 pixels; each is damaged in turn.
"""

import json
import random
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from diffsynth_blender.passes.errors import PassError
from diffsynth_blender.passes.exr import read_passes, read_samples
from diffsynth_blender.passes.images import read_png
from diffsynth_blender.passes.stills import read_still
from tests.reference.exr_files import CHANNELS

WIDTH, HEIGHT = 64, 48
HEAD_BYTES = 2000  # where damage does most


def damaged(content: bytes, dice: random.Random) -> bytes:
    """The content with some bytes changed, and sometimes cut off."""
    found = bytearray(content)
    for _ in range(dice.choice([0, 1, 1, 2, 4, 16])):
        at = dice.randrange(len(found) if dice.random() < 0.4 else min(len(found), HEAD_BYTES))
        found[at] = dice.choice([0, 1, 127, 128, 255, dice.randrange(256), found[at] ^ 1 << dice.randrange(8)])
    if dice.random() < 0.2:
        del found[dice.randrange(len(found)) :]
    return bytes(found)


def read_exr(path: Path) -> None:
    passes = read_passes(path, CHANNELS, width=WIDTH, height=HEIGHT)
    assert passes.vector.shape == (HEIGHT, WIDTH, 4)
    read_samples(path, CHANNELS)


def read_picture(path: Path) -> None:
    for read in (read_png, read_still):
        try:
            assert read(path, width=WIDTH, height=HEIGHT).shape == (HEIGHT, WIDTH, 3)
        except PassError as error:
            if read is read_still:
                raise
            check(str(error), path)


def check(message: str, path: Path) -> None:
    """One line that names the file and a remedy."""
    remedies = (": capture", ": make the file", ": make all", ": save", ": restore")
    assert "\n" not in message and str(path) in message and any(word in message for word in remedies), message


def outcome(read: Callable[[Path], None], path: Path) -> str:
    """What came of it: "read", "refused", or what should not have happened."""
    try:
        read(path)
    except PassError as error:
        check(str(error), path)
        return "refused"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    return "read"


def main(folder: Path, seed: str, count: int) -> None:
    warnings.simplefilter("ignore")  # Pillow's, of pictures that are damaged
    files = sorted(folder.iterdir())
    path = folder / "damaged"
    for number in range(count):
        name = files[number % len(files)]
        dice = random.Random(f"{seed} {name.name} {number}")
        path.write_bytes(damaged(name.read_bytes(), dice))
        print(json.dumps({"file": name.name, "number": number}), flush=True)
        started_at = time.monotonic()
        told = outcome(read_exr if name.suffix == ".exr" else read_picture, path)
        print(json.dumps({"outcome": told, "seconds": time.monotonic() - started_at}), flush=True)
        path.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
