"""A real Blender with its window on a virtual screen, driven by mouse and keyboard. Knows nothing of the extension.

Where a button is, nobody tells a program from outside. But Blender copies the Python command of the button under the
mouse on Ctrl-C, and the path of the property under it on Ctrl-Shift-C: so the pointer goes down a column and asks.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

INSIDE = Path(__file__).with_name("inside.py")
SIZE = (1200, 1100)  # [px]: large enough for panels to be read in pictures
ROW = 18  # less than the height of a button at scale 1 [px]: no row is stepped over
ANSWER_SECONDS = 600.0  # the slowest answer is a capture of the file for a job, on a machine that does much else


class Window:
    """One Blender on one screen. Use as a context manager: both end with it."""

    def __init__(
        self,
        blender: Path,
        folder: Path,
        *,
        display: str = ":78",
        environment: dict[str, str],
        size: tuple[int, int] = SIZE,
    ) -> None:
        """Start the screen and Blender, and wait until it answers.

        Args:
            blender: Blender's executable.
            folder: For questions and answers; Blender must see it under the same path.
            display: X display to make.
            environment: Variables for Blender beside those of this process.
            size: Of the screen and of Blender's window on it [px].
        """
        self.folder, self.size = folder, size
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob("question.py"), folder.glob("answer.json"):
            for path in left:
                path.unlink()
        self._environment = {**os.environ, **environment, "DISPLAY": display, "LIBGL_ALWAYS_SOFTWARE": "1"}
        self._screen = subprocess.Popen(
            ["Xvfb", display, "-screen", "0", f"{size[0]}x{size[1]}x24", "+extension", "GLX", "-nolisten", "tcp"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(1.0)
        self._log = (folder / "blender.log").open("w")
        self._command = [str(blender), "--gpu-backend", "opengl", "-p", "0", "0", *map(str, self.size)]
        self.start()

    def start(self) -> None:
        """Start Blender on the screen; again, where it was quit."""
        self.process = subprocess.Popen(
            [*self._command, "--python", str(INSIDE), "--", str(self.folder)],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.ask("answer = bpy.app.version_string")

    def quit(self) -> int:
        """Quit Blender as an artist does, and return its exit code."""
        self.move(self.size[0] // 2, self.size[1] // 2)
        self.key("ctrl+q")
        return self.process.wait(120)

    def __enter__(self) -> Window:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.process, self._screen:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._log.close()

    def ask(self, code: str, *, seconds: float = ANSWER_SECONDS) -> object:
        """Run Python code inside Blender and return what it leaves in `answer`. Raises RuntimeError."""
        question, reply = self.folder / "question.py", self.folder / "answer.json"
        part = question.with_suffix(".part")
        part.write_text(code)
        part.rename(question)
        deadline = time.monotonic() + seconds
        while not reply.is_file() or question.is_file():
            if self.process.poll() is not None:
                raise RuntimeError(f"Blender ended with exit code {self.process.returncode}; see {self._log.name}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Blender did not answer within {seconds:g} s: {code}")
            time.sleep(0.005)
        received = json.loads(reply.read_text())
        reply.unlink()
        if "error" in received:
            raise RuntimeError(received["error"])
        return received["answer"]

    def wait_until(self, condition: str, *, seconds: float, every: float = 0.5) -> None:
        """Wait for a Python expression inside Blender to become true. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while not self.ask(f"answer = bool({condition})"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {seconds:g} s: {condition}")
            time.sleep(every)

    def area(self, kind: str, region: str = "WINDOW") -> tuple[int, int, int, int]:
        """Left, top, width and height on the screen [px] of a region of the largest area of a kind."""
        code = f"""
area = max((a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == {kind!r}),
           key=lambda a: a.width * a.height)
region = next(r for r in area.regions if r.type == {region!r})
answer = (region.x, bpy.context.window_manager.windows[0].height - region.y - region.height, region.width,
          region.height)
"""
        return tuple(self.ask(code))

    def move(self, x: int, y: int) -> None:
        """Move the pointer."""
        self._xdotool("mousemove", str(x), str(y))

    def hover(self, x: int, y: int) -> None:
        """Come to a place from beside it, and wait until what is there knows: a pointer that stays tells nothing."""
        self.move(x + 3, y)
        self._until_handled()
        self.move(x, y)
        self._until_handled()
        self.ask("")

    def click(self, x: int, y: int, *, button: int = 1, modifier: str = "") -> None:
        """Click, as a hand does: the pointer arrives first."""
        self.hover(x, y)
        time.sleep(0.15)
        if modifier:
            self._xdotool("keydown", modifier)
        self._xdotool("click", str(button))
        if modifier:
            self._xdotool("keyup", modifier)
        time.sleep(0.3)

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Press the mouse at a place, go to another one, and let go there.

        As a hand does, slowly at first: what is under the pointer when Blender sees that it is dragged, is dragged.
        """
        self.move(*start)
        time.sleep(0.3)
        self._xdotool("mousedown", "1")
        time.sleep(0.3)
        for share in (0.005, 0.01, 0.02, 0.04, 0.08, 0.2, 0.4, 0.6, 0.8, 1.0):
            self.move(*(round(begin + (stop - begin) * share) for begin, stop in zip(start, end, strict=True)))
            time.sleep(0.15)
        time.sleep(0.5)
        self._xdotool("mouseup", "1")
        time.sleep(0.3)

    def key(self, *keys: str) -> None:
        """Press keys, such as "ctrl+z"."""
        self._xdotool("key", *keys)
        time.sleep(0.2)

    def type(self, text: str) -> None:
        """Type text into the field that has the keyboard."""
        self._xdotool("type", "--delay", "15", text)
        time.sleep(0.2)

    def scroll(self, x: int, y: int, notches: int) -> None:
        """Turn the mouse wheel over a place, down for a positive number."""
        self.move(x, y)
        self._xdotool("click", "--repeat", str(abs(notches)), "--delay", "40", "5" if notches > 0 else "4")
        time.sleep(0.4)

    def turn(self, notches: int) -> None:
        """Turn the mouse wheel where the pointer is, with Ctrl held: over a menu that chooses the next item."""
        self._xdotool("keydown", "ctrl")
        for _ in range(abs(notches)):
            self._xdotool("click", "5" if notches > 0 else "4")
            time.sleep(0.3)
        self._xdotool("keyup", "ctrl")
        time.sleep(0.3)

    def find(self, wanted: str, x: int, top: int, bottom: int, *, around: int) -> int | None:
        """The y [px] of a button or field in a column, by a part of its operator or data path; None where it is not.

        The nearest to `around` [px], which is looked at first.
        """
        rows = [*range(around, bottom, ROW), *range(around - ROW, top, -ROW)]
        for y in sorted(rows, key=lambda y: abs(y - around)):
            if wanted in self.under_pointer(x, y):
                return y
        return None

    def under_pointer(self, x: int, y: int) -> str:
        """The Python command of the button at a place, or the path of the property; "" for neither."""
        self.move(x, y)
        self.ask("bpy.context.window_manager.clipboard = ''")
        # The button that the pointer comes to is told of it only once the one that it leaves has been.
        self._until_handled()
        self.ask("")
        self._xdotool("key", "--delay", "0", "ctrl+shift+alt+c", "ctrl+c")
        self._until_handled()
        return str(self.ask("answer = bpy.context.window_manager.clipboard"))

    def screenshot(self, path: Path, crop: tuple[int, int, int, int] | None = None) -> None:
        """Write the screen, or a part of it given as left, top, width, height, as PNG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        command = ["import", "-window", "root"]
        if crop:
            left, top, width, height = crop
            command += ["-crop", f"{width}x{height}+{left}+{top}", "+repage"]
        subprocess.run([*command, str(path)], env=self._environment, check=True, timeout=60)

    def _until_handled(self) -> None:
        """Wait until Blender has acted on the mouse and the keyboard.

        It looks for events, answers, then acts on them. The first answer may come between an event and the look at it,
        the second one before it is acted on; whatever is asked after these two comes after that.
        """
        self.ask("")
        self.ask("")

    def _xdotool(self, *arguments: str) -> None:
        subprocess.run(["xdotool", *arguments], env=self._environment, check=True, timeout=60)
