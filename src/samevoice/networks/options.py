"""Checks of what a network is built with, for options that come from a recipe.

Knows: kinds and ranges of numbers and words. Does not know: any network, torch.
"""

from __future__ import annotations

from collections.abc import Collection

from samevoice.errors import ConfigError
from samevoice.features.frontend import MAX_BANDS
from samevoice.options import checked_size

MAX_DIMENSION = 65_536  # more than any embedding has use for
MAX_SPEAKERS = 10_000_000  # more than any corpus has


def checked_bands(bands: int) -> int:
    """Numbers per frame, as many as a front end can make.

    Raises:
        ConfigError: there cannot be so many.
    """
    return checked_size("bands", bands, 1, MAX_BANDS)


def checked_dimension(dimension: int) -> int:
    """Length of an embedding, at least 1.

    Raises:
        ConfigError: it cannot have that length.
    """
    return checked_size("dimension", dimension, 1, MAX_DIMENSION)


def checked_dropout(dropout: float) -> float:
    """A share of numbers to zero in training, in [0, 1).

    Raises:
        ConfigError: it is none.
    """
    if not isinstance(dropout, int | float) or isinstance(dropout, bool) or not 0 <= dropout < 1:
        raise ConfigError(f"dropout must be a number of at least 0 and below 1, got {dropout!r}")
    return float(dropout)


def checked_word(name: str, value: str, known: Collection[str]) -> str:
    """One of a few words.

    Raises:
        ConfigError: it is none of them.
    """
    if value not in known:
        raise ConfigError(f"{name} must be {' or '.join(known)}, got {value!r}")
    return value
