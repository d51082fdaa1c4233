r"""Weights in a prompt, as AUTOMATIC1111's web interface made them common.

    (words)        counts 1.1 times         (words:1.3)   counts 1.3 times
    [words]        counts 1 / 1.1 times     ((words))     nested: the weights are multiplied
    \( \) \[ \] \\ the character itself

A bracket that is never closed counts to the end of the prompt; one that was never opened is a character like others.
"""

import re

STEP = 1.1

_PARTS = re.compile(
    r"""
    \\(?P<escaped>[()\[\]\\])              # a character that means itself
    | (?P<open>[(\[])
    | :\s*(?P<weight>[+-]?(?:\d+\.?\d*|\.\d+))\s*\)   # the end of "(words:1.3)"
    | (?P<close>[)\]])
    | (?P<text>[^()\[\]\\:]+|.)            # all else, colons and lonely backslashes included
    """,
    re.VERBOSE | re.DOTALL,
)


def parse_weights(prompt: str) -> list[tuple[str, float]]:
    """Runs of text with their weights, in order, neighbours of equal weight joined; a plain prompt is one run."""
    runs: list[list] = []
    opened: list[tuple[str, int]] = []  # the bracket, and the first run inside it

    def close(bracket: str, factor: float) -> bool:
        if not opened or opened[-1][0] != bracket:
            return False
        for run in runs[opened.pop()[1] :]:
            run[1] *= factor
        return True

    for part in _PARTS.finditer(prompt):
        found = part.lastgroup
        if found == "open":
            opened.append((part["open"], len(runs)))
        elif found == "weight" and close("(", float(part["weight"])):
            pass
        elif found == "close" and (close("(", STEP) if part["close"] == ")" else close("[", 1 / STEP)):
            pass
        else:
            runs.append([part["escaped"] if found == "escaped" else part[0], 1.0])
    while opened:
        close(opened[-1][0], STEP if opened[-1][0] == "(" else 1 / STEP)
    joined: list[tuple[str, float]] = []
    for text, weight in runs:
        if joined and joined[-1][1] == weight:
            joined[-1] = (joined[-1][0] + text, weight)
        else:
            joined.append((text, weight))
    return joined or [("", 1.0)]
