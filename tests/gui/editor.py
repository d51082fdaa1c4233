"""One editor in the window: scroll to a button and press it, fill in a field, take its picture."""

from __future__ import annotations

import time
from pathlib import Path

from .window import Window

COLUMN = 0.7  # of the width: where fields are, and buttons over the whole width; more than 1 is a place [px]
LEFT = 0.3  # the left one of two buttons side by side
RIGHT = -30  # [px] from the right edge: small buttons at the end of a row
NOTCH = 40  # by which the mouse wheel scrolls [px]
NEARBY = (1, -2)  # pages, one after the other: what comes next is mostly below, else just above
PAGES = 20  # at most, from top to bottom
ROUNDS = 2  # from top to bottom: on a busy machine Blender may answer for a button when the pointer has left it
MARGIN = 4  # [px] to the next editor
HEADER = 26  # height of a sub-panel's header [px]
SWITCH = 46  # [px] from the left edge: a switch in a sub-panel's header


class NotFoundError(Exception):
    """No such button is in the editor, or it is disabled."""


class Editor:
    """An editor of one kind; the largest in the window."""

    def __init__(self, window: Window, kind: str, region: str = "WINDOW") -> None:
        """Name the editor as Blender does ("PROPERTIES", "SEQUENCE_EDITOR"), and which region of it ("UI": sidebar)."""
        self.window, self.kind, self.region = window, kind, region
        self._known: dict[str, tuple[int, int]] = {}
        self._last = 0  # where something was found [px]: what comes next is mostly near it

    def box(self) -> tuple[int, int, int, int]:
        """Left, top, width, height [px]."""
        return self.window.area(self.kind, self.region)

    def press(self, wanted: str, *, column: float = COLUMN) -> None:
        """Press a button by a part of its Python command or data path. Raises NotFoundError."""
        self.window.click(*self.place(wanted, column=column))

    def fill(self, wanted: str, text: str, *, is_path: bool = False) -> None:
        """Replace a field's value by typing."""
        place = self.place(wanted)
        if is_path:  # Return does not open a path in Blender 4.3, a click does
            self.window.click(*place)
        else:  # a number would be dragged or stepped by a click
            self.window.hover(*place)
            time.sleep(0.2)
            self.window.key("Return")
        self.window.key("ctrl+a")
        self.window.type(text)
        self.window.key("Return")

    def turn(self, wanted: str, notches: int) -> None:
        """Choose another item of a menu, so many below the one that is chosen, by the wheel with Ctrl held."""
        self.window.hover(*self.place(wanted))
        time.sleep(0.2)
        self.window.turn(notches)

    def place(self, wanted: str, *, column: float = COLUMN) -> tuple[int, int]:
        """Where a button is on the screen, scrolled to if need be. Raises NotFoundError."""
        if wanted in self._known and wanted in self.window.under_pointer(*self._known[wanted]):
            return self._known[wanted]
        found = self._look(wanted, column)
        for pages in NEARBY:
            if found is None:
                self.scroll(pages * self._page)
                found = self._look(wanted, column)
        for _ in range(ROUNDS):
            found = self._look_everywhere(wanted, column) if found is None else found
        if found is None:
            raise NotFoundError(f"no button {wanted!r} in {self.kind}, or it is disabled")
        self._known[wanted] = found
        return found

    def open_panel(self, switch: str, rows: int, inside: str, *, column: float = COLUMN) -> None:
        """Open a closed panel by its header. That has no name to be asked for; but another one may have a switch in it.

        Args:
            switch: The property of a header with a switch.
            rows: How far below it the header is, in headers of closed panels; negative above it.
            inside: A button or field that is there once the panel is open. Raises NotFoundError where it is not.
            column: Where that is.
        """
        x, y = self.place(switch, column=SWITCH)
        _, top, _, height = self.box()
        if not top < y + rows * HEADER < top + height - MARGIN:
            self.scroll(self._page // 2 if rows > 0 else -self._page // 2)
            x, y = self.place(switch, column=SWITCH)
        self.window.click(x + HEADER * 3, y + rows * HEADER)
        time.sleep(0.4)
        self.place(inside, column=column)

    def show_tab(self, name: str) -> None:
        """Go to a tab of a sidebar. Raises NotFoundError."""
        left, top, width, height = self.box()
        code = f"""
area = max((a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == {self.kind!r}),
           key=lambda a: a.width * a.height)
answer = next(r for r in area.regions if r.type == {self.region!r}).active_panel_category
"""
        self.window.move(left + width // 3, top + height // 2)
        for _ in range(12):
            if self.window.ask(code) == name:
                return
            self.window.key("ctrl+Tab")
            time.sleep(0.5)
        raise NotFoundError(f"no tab {name!r} in {self.kind}")

    def scroll(self, notches: int) -> None:
        """Turn the mouse wheel in it."""
        left, top, width, height = self.box()
        self.window.scroll(left + width // 2, top + height // 2, notches)

    def to_top(self) -> None:
        """Scroll to its first row."""
        self.scroll(-80)
        self._last = 0

    def picture(self, path: Path, *, top: int | None = None) -> None:
        """Take its picture, with the pointer out of the way; from this y on, where one is given."""
        left, first, width, height = self.box()
        self.window.move(left // 2, self.window.size[1] // 2)  # a view, which has no tooltips
        time.sleep(0.8)
        start = first if top is None else max(first, top)
        self.window.screenshot(path, (left, start, width, first + height - start))

    @property
    def _page(self) -> int:
        """Notches of the mouse wheel that bring what is not seen yet, and little of what is."""
        return max((self.box()[3] - 2 * HEADER) // NOTCH, 1)

    def _look_everywhere(self, wanted: str, column: float) -> tuple[int, int] | None:
        self.to_top()
        for _ in range(PAGES):
            found = self._look(wanted, column)
            if found is not None:
                return found
            self.scroll(self._page)
        return None

    def _look(self, wanted: str, column: float) -> tuple[int, int] | None:
        left, top, width, height = self.box()
        if abs(column) <= 1:
            column *= width
        x = left + int(column % width)
        first, last = top + MARGIN, top + height - MARGIN
        y = self.window.find(wanted, x, first, last, around=min(max(self._last, first), last))
        if y is None:
            return None
        self._last = y
        return x, y
