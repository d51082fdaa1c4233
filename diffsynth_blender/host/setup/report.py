"""What the last check of the worker said, kept while Blender runs."""

_kept: list[str] = []


def keep(text: str) -> None:
    """Remember a report in place of the one before."""
    _kept[:] = [text]


def text() -> str:
    """The report; "" before the first."""
    return _kept[0] if _kept else ""
