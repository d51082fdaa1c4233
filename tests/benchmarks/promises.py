"""What the default mode has promised, checked on the measured table; each line says pass or FAIL and by how much."""

from __future__ import annotations

from collections.abc import Iterator

PSNR_LEAD = 0.5
"""Over every row that is not ours [dB]."""
OURS = ("fast", "balanced", "accurate")
FLICKER_LIMIT = {"rigid": 1.2, "deforming": 1.2, "optics": 0.7}
"""Of `error_flicker`, in units of the truth's own warp error."""


def check_promises(table: list[dict], default: str) -> list[str]:
    """One line for each promise that the rows of `table` allow to check."""
    lines = []
    for clip in dict.fromkeys(row["clip"] for row in table):
        rows = {row["row"]: row for row in table if row["clip"] == clip}
        if default not in rows:
            continue
        ours = rows[default]
        others = {name: row for name, row in rows.items() if name not in OURS}
        for held, text in _promises(clip, ours, others):
            lines.append(f"{'pass' if held else 'FAIL'}  {clip:<10}{default}: {text}")
    return lines


def _promises(clip: str, ours: dict, others: dict[str, dict]) -> Iterator[tuple[bool, str]]:
    for figure, lead, form in (
        ("psnr", PSNR_LEAD, ".2f"),
        ("detail", 0.0, ".3f"),
        ("psnr_disoccluded", 0.0, ".2f"),
        ("psnr_changing", 0.0, ".2f"),
    ):
        rival = max(others, key=lambda name, figure=figure: others[name][figure])
        best = others[rival][figure]
        held = ours[figure] >= best + lead if lead else ours[figure] > best
        need = f" + {lead:g}" if lead else ""
        yield held, f"{figure} {ours[figure]:{form}} against {best:{form}}{need} of {rival}"
    limit = FLICKER_LIMIT[clip]
    flicker, floor = ours["error_flicker"], ours["truth_warp_error"]
    yield flicker <= limit * floor, f"error_flicker {flicker / floor:.2f} of the truth's own floor, at most {limit:g}"
