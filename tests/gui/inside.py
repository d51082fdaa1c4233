"""Runs inside Blender's window: answers what the driver asks, and measures how long the interface stood still.

    blender shot.blend --python tests/gui/inside.py -- FOLDER

Questions are Python files that appear in the folder, answers are JSON files beside them (see `window.py`). Both are
handled by a timer of Blender's own, as the extension's are: what holds this timer up holds the artist up.
"""

import json
import sys
import time
import traceback
from pathlib import Path

import bpy

LONG_SECONDS = 0.05  # a gap that is worth telling of
BEAT_SECONDS = 0.005  # Blender sleeps 5 ms between two looks at its events; a timer cannot beat faster


class Beat:
    """When the timer last came, and the longest it stayed away since `reset`."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin to measure anew."""
        self.last = time.perf_counter()
        self.gaps: list[float] = []
        self.during: list[str] = []  # what went on in each gap that is long, as `doing` says
        self.doing = lambda: ""

    def come(self) -> None:
        """Note the gap to the last time [s]."""
        now = time.perf_counter()
        self.gaps.append(now - self.last)
        if now - self.last > LONG_SECONDS:
            self.during.append(f"{(now - self.last) * 1000:.0f} ms {self.doing()}".strip())
        self.last = now


def tick(folder: Path, beat: Beat) -> float:
    """Measure, then answer one question if there is one; the time an answer takes is not counted."""
    beat.come()
    question = folder / "question.py"
    if question.is_file():
        answer(question.read_text(), folder / "answer.json", beat)
        question.unlink()
        beat.last = time.perf_counter()
    return BEAT_SECONDS


def answer(code: str, path: Path, beat: Beat) -> None:
    """Run the code; what it leaves in `answer` is the reply, an exception is one too."""
    names = {"bpy": bpy, "beat": beat, "answer": None}
    try:
        exec(compile(code, "question", "exec"), names)
        reply = {"answer": names["answer"]}
    except Exception:  # whatever went wrong is the driver's to tell
        reply = {"error": traceback.format_exc()}
    part = path.with_suffix(".part")
    part.write_text(json.dumps(reply))
    part.rename(path)


def main() -> None:
    """Start the timer."""
    folder = Path(sys.argv[sys.argv.index("--") + 1])
    beat = Beat()
    bpy.app.timers.register(lambda: tick(folder, beat), persistent=True)


main()
