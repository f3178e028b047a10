"""What is left behind the last sample: losses that libsndfile keeps quiet about.

Knows: Ogg pages, how far a decoder came. Does not know: decoding, recordings.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from typing import BinaryIO

from samevoice.audio.info import DecodeFailure, UnusedStream

_PAGE = 65_307  # bytes of the longest Ogg page
_HEADER = 27  # bytes before the table of its segments
_BEGINS, _ENDS = 2, 4  # flags of the first and of the last page of a logical stream
_LOOK = 4_096  # bytes read per step: a header, or a piece of what is no page
_MAX_STEPS = 5_000_000  # a day in pages of 20 ms


def check_tail(file: BinaryIO, kind: str) -> None:
    """Look at the end of a file that libsndfile decoded without complaint.

    Args:
        file: as the decoder left it; its position is lost.
        kind: libsndfile's name of the format.

    Raises:
        UnusedStream: an Ogg stream is followed by another one.
        DecodeFailure: an Ogg stream has no end, or an MP3 is longer than estimated from its first bit rate.
    """
    stopped = file.tell()
    size = file.seek(0, os.SEEK_END)
    if kind.startswith("MP3") and size - stopped > size // 8:
        raise DecodeFailure("more follows than its header announces")
    if kind.startswith("OGG"):
        # Streams that sound together all begin before the first page of sound (RFC 3533).
        if any(later & _BEGINS and not earlier & _BEGINS for earlier, later in pairwise(_ogg_flags(file))):
            raise UnusedStream("a further Ogg stream follows; only the first was used")
        if not _ogg_ends(file, size):
            raise DecodeFailure("the end of the Ogg stream is missing")


def _ogg_flags(file: BinaryIO) -> Iterator[int]:
    """The flags of each page from the beginning; what is no page is skipped up to the next one."""
    place = 0
    for _ in range(_MAX_STEPS):
        file.seek(place)
        page = file.read(_LOOK)
        if len(page) < _HEADER:
            return
        if page.startswith(b"OggS\0"):
            yield page[5]
            place += _page_bytes(page)
        else:
            found = page.find(b"OggS", 1)
            place += found if found > 0 else len(page) - 3  # the mark may lie across two pieces


def _ogg_ends(file: BinaryIO, size: int) -> bool:
    """Whether the last page is whole and says that it is the last."""
    file.seek(max(0, size - _PAGE))
    tail = file.read()
    page = tail[max(tail.rfind(b"OggS"), 0) :]
    return len(page) >= _HEADER and bool(page[5] & _ENDS) and len(page) >= _page_bytes(page)


def _page_bytes(page: bytes) -> int:
    """The length of the page that begins here, from its table of segments."""
    segments = page[_HEADER - 1]
    return _HEADER + segments + sum(page[_HEADER : _HEADER + segments])
