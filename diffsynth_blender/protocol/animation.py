"""Settings whose value changes along the shot, as an artist's keyframes give them."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, fields

from .fields import JsonObject
from .frames import FRAME_LIMIT


@dataclass(frozen=True)
class Animation:
    """One setting's values by scene frame, in place of the one value that it has else."""

    key: str
    """"guidance_scale", "deflicker.strength", or "controls.KIND.scale" such as "controls.depth.scale"."""
    frames: tuple[int, ...]
    """Scene frames at which the value is given, rising."""
    values: tuple[float, ...]
    """The value at each of them; linear in between, constant before and after."""

    def at(self, frame: int) -> float:
        """The value at a scene frame."""
        after = bisect_right(self.frames, frame)
        if after in (0, len(self.frames)):
            return self.values[max(0, after - 1)]
        first, last = self.frames[after - 1], self.frames[after]
        share = (frame - first) / (last - first)
        return self.values[after - 1] + share * (self.values[after] - self.values[after - 1])


def decode_animation(parent: JsonObject, key: str, ranges: dict[str, tuple[float, float]]) -> tuple[Animation, ...]:
    """The animations in the list under a key.

    Args:
        parent: the object that holds the key.
        key: its key.
        ranges: lowest and highest value by what can be animated; inf for no limit.

    Raises BadJobError naming file, key and remedy.
    """
    animations = []
    for animation in parent.children(key, tuple(field.name for field in fields(Animation))):
        name = animation.text("key", choices=tuple(ranges))
        frames = animation.integers("frames", -FRAME_LIMIT, FRAME_LIMIT)
        if list(frames) != sorted(set(frames)):
            raise animation.error("frames", "a list of rising scene frames")
        values = animation.numbers("values", len(frames))
        _check_range(animation, values, *ranges[name])
        animations.append(Animation(name, frames, values))
    if len({animation.key for animation in animations}) != len(animations):
        raise parent.error(key, "a list with each key at most once")
    return tuple(animations)


def _check_range(animation: JsonObject, values: Sequence[float], low: float, high: float) -> None:
    if not all(low <= value <= high for value in values):
        raise animation.error("values", f"numbers from {low:g}" + (f" to {high:g}" if high < float("inf") else ""))
