"""What a recording says about itself before it is decoded, and how decoding can end early."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO

Opener = Callable[[], AbstractContextManager[BinaryIO]]


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """The facts of a header.

    Args:
        name: what to call the recording in messages.
        format: container and codec, for people.
        rate: sample rate in Hz.
        channels: how many.
        declared: seconds that the header promises, or None where it promises nothing.
    """

    name: str
    format: str
    rate: int
    channels: int
    declared: float | None


class DecodeFailure(Exception):
    """Decoding stopped in the middle; what came before it is good."""


class UnusedStream(DecodeFailure):
    """Decoding came to a proper end, but the file goes on; the message is a sentence of its own."""
