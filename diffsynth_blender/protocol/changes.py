"""Settings changed by name, as a command line gives them: "strength=0.7", "deflicker.window=[8, 2]", "prompt=gold"."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from .errors import BadJobError
from .fields import JsonObject
from .settings import Attention, Deflicker, KeyFrames, Settings
from .settings_reading import decode_settings

_GROUPS: dict[str, object] = {"attention": Attention(), "deflicker": Deflicker(), "key_frames": KeyFrames()}
"""Settings that are null unless used, with what they start from when one of their keys is given."""


def change_settings(settings: Settings, assignments: Iterable[str]) -> Settings:
    """The settings with some of them changed.

    Args:
        settings: What to start from.
        assignments: "KEY=VALUE" each; the key as in job.json, with dots into groups; the value as JSON, or plain text
            where it is no JSON.

    Raises:
        BadJobError: An assignment has no "=", or its key or value cannot be; the message says what can.
    """
    value = json.loads(json.dumps(asdict(settings)))
    for assignment in assignments:
        key, sign, text = assignment.partition("=")
        if not sign:
            raise BadJobError(f"{assignment!r} is no change of a setting; write KEY=VALUE, such as strength=0.7")
        *groups, last = key.strip().split(".")
        _group(value, groups, key)[last] = _parse(text)
    return decode_settings(JsonObject({"settings": value}, "the changed job", "", ("settings",)), "settings")


def _group(value: dict[str, Any], groups: list[str], key: str) -> dict[str, Any]:
    for name in groups:
        if value.get(name) is None and name in _GROUPS:
            value[name] = json.loads(json.dumps(asdict(_GROUPS[name])))  # type: ignore[call-overload]
        value = value.get(name)  # type: ignore[assignment]
        if not isinstance(value, dict):
            raise BadJobError(f"settings have no group {name!r} as in {key!r}; give the whole value as JSON")
    return value


def _parse(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
