"""Trying again while a hub fails for reasons that pass, and saying in one sentence what the reason was."""

import time
from collections.abc import Callable
from typing import Any

import httpx2
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

from .errors import DownloadError

ATTEMPTS = 5
"""In a row without a byte coming."""
_PASSING = (408, 425, 429, 500, 502, 503, 504)
"""Answers of a server that may be another a second later."""


def patiently(act: Callable[[], Any], label: str, *, first_wait: float, progress: Callable[[], int] = lambda: 0) -> Any:
    """Do something with the hub, again and again while it fails for reasons that pass.

    Args:
        act: what is done; its result is returned.
        label: of the file, for the message.
        first_wait: after a failure [s]; each further wait in a row is twice as long.
        progress: bytes that are there; where they grow, an attempt was not in vain.

    Raises:
        DownloadError: it fails for a reason that stays, or too often.
    """
    attempt, wait = 0, first_wait
    while True:
        before = progress()
        try:
            return act()
        except OfflineModeIsEnabled:
            raise DownloadError(
                f"{label}: HF_HUB_OFFLINE forbids the network; unset it, or import the file by its path"
            ) from None
        except (HfHubHTTPError, httpx2.HTTPError) as error:
            reason, passes = _reason(error)
        if progress() > before:
            attempt, wait = 0, first_wait
        attempt += 1
        if not passes or attempt >= ATTEMPTS:
            raise DownloadError(f"{label}: {reason}") from None
        time.sleep(wait)
        wait *= 2


def _reason(error: Exception) -> tuple[str, bool]:
    """Why it failed and what to do, without addresses, which may hold signatures; and whether it may pass."""
    response = getattr(error, "response", None) if isinstance(error, HfHubHTTPError) else None
    status = response.status_code if response is not None else None
    if status in (401, 403):
        return (
            f"the hub refuses access ({status}); accept the model's licence on its page, and give a token of yours",
            False,
        )
    if status in (404, 410):
        return "the hub has no such file; use another mirror, or import the file by its path", False
    if status is not None:
        return f"the hub answers {status}; try again later, what has come is kept", status in _PASSING
    return (
        f"the connection failed ({type(error).__name__}); look at network, proxy and mirror, and try again: what has "
        "come is kept",
        True,
    )
