"""Sheets of frames to compare by eye; compare.png shows source, independent frames, result, and where each flickers."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..protocol.files import replacing

COMPARE_FILE = "compare.png"
COLUMNS = 4
"""Consecutive frames shown."""
GAIN = 6.0
"""Factor on differences, so that flicker of a few percent is seen."""
LABEL_HEIGHT = 26
BACKGROUND = (24, 24, 24)
TEXT = (235, 235, 235)


def write_sheet(path: Path, rows: list[tuple[str, np.ndarray]]) -> Path:
    """Write rows of frames with their labels as one picture and return its path.

    Args:
        path: of the picture; its folder exists.
        rows: label and frames of each row, values in [0, 1], shape (columns, H, W, 3); all rows alike.
    """
    count, height, width, _ = rows[0][1].shape
    gap = 4
    sheet = Image.new("RGB", (count * (width + gap) + gap, len(rows) * (height + LABEL_HEIGHT + gap)), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=15)
    for r, (label, frames) in enumerate(rows):
        top = r * (height + LABEL_HEIGHT + gap)
        draw.text((gap + 2, top + 4), label, fill=TEXT, font=font)
        for c, frame in enumerate(frames):
            pixels = np.rint(np.clip(frame, 0.0, 1.0) * 255.0).astype(np.uint8)
            sheet.paste(Image.fromarray(pixels), (gap + c * (width + gap), top + LABEL_HEIGHT))
    with replacing(path) as temporary:
        sheet.save(temporary)
    return path
