"""What a match may be asked to do. Knows nothing of how it is done."""

from __future__ import annotations

from dataclasses import dataclass

MAX_SIDE = 32767
"""Largest side of a picture [px]: random numbers address positions with 16 bits."""


@dataclass(frozen=True)
class MatchOptions:
    """Settings of a patch match; every one has a default that suits frames of a film."""

    patch_size: int = 7
    """Side of the compared squares [px], odd, 3 to 31."""
    iterations: int = 4
    """Rounds of propagation and random search at every pyramid level."""
    search_count: int = 3
    """Random candidates of a pixel in a round; each is drawn from half the radius of the one before."""
    coarsest: int = 16
    """Shorter side of the coarsest pyramid level [px], at least; a smaller picture has one level."""
    subpixel: bool = True
    """Refine positions to fractions of a pixel; else they are whole numbers wherever a match was searched."""
    seed: int = 0
    """Of the random candidates, 0 to 2**32 - 1."""

    def __post_init__(self) -> None:
        """Refuse what would not work.

        Raises:
            ValueError: a setting is out of range; the message names it.
        """
        if not 3 <= self.patch_size <= 31 or self.patch_size % 2 == 0:
            raise ValueError(f"patch_size must be an odd number from 3 to 31, got {self.patch_size}")
        for name, least in (("iterations", 1), ("search_count", 0), ("coarsest", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be {least} or more, got {getattr(self, name)}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be from 0 to 2**32 - 1, got {self.seed}")
