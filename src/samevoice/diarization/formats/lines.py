"""What all text formats share: bytes become text, fields become turns, and what cannot be is told with its line.

Times have milliseconds in all formats but JSON; a turn that is shorter is written as one millisecond.

Knows: encodings, numbers, clocks. Does not know: any format.
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Iterable
from dataclasses import replace

from samevoice.diarization.turns import Diarization, Turn
from samevoice.errors import DataError
from samevoice.speech.timeline import Seconds

MAX_SECONDS = 1e8  # three years; beyond it a number is a mistake, and milliseconds lose their digits
CLOCK = re.compile(r"(?:([0-9]{1,6}):)?([0-5]?[0-9]):([0-5]?[0-9])[.,]([0-9]{1,9})")


def decoded(text: bytes, source: str) -> str:
    """Text of a file: UTF-8, or UTF-16 where a byte order mark says so (as Praat writes).

    Raises:
        DataError: it is neither.
    """
    wide = text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return text.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise wrong(source, line, "is not UTF-8; save the file as UTF-8 text") from error


def numbered(text: str) -> list[tuple[int, str]]:
    """Lines with their numbers, without their ends, whether those are LF, CRLF or CR."""
    return list(enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1))


def wrong(source: str, line: int, what: str) -> DataError:
    """The error about a line."""
    return DataError(f"{source}:{line}: {what}")


def shown(text: str) -> str:
    """A field as a message quotes it: short, without control characters."""
    return ascii(text if len(text) <= 40 else text[:37] + "...")


def seconds(text: str, source: str, line: int) -> Seconds:
    """A time.

    Raises:
        DataError: it is no number from 0 to `MAX_SECONDS`.
    """
    try:
        value = float(text) if text.isascii() and "_" not in text else math.nan  # digits of Python, not of files
    except ValueError:
        value = math.nan
    if not 0 <= value <= MAX_SECONDS:
        raise wrong(source, line, f"a time is a number of seconds from 0 to {MAX_SECONDS:g}, got {shown(text)}")
    return value


def from_clock(text: str, source: str, line: int) -> Seconds:
    """A time such as 01:02:03.456, with a dot or a comma, hours optional.

    Raises:
        DataError: it is none, or later than `MAX_SECONDS`.
    """
    if (match := CLOCK.fullmatch(text)) is None:
        raise wrong(source, line, f"a time is written 00:00:01.500, got {shown(text)}")
    hours, minutes, whole, fraction = match.groups()
    value = int(hours or 0) * 3600 + int(minutes) * 60 + float(f"{whole}.{fraction}")
    return seconds(str(round(value, 9)), source, line)


def turn(start: Seconds, end: Seconds, speaker: str, source: str, line: int, confidence: float | None = None) -> Turn:
    """A turn that was read.

    Raises:
        DataError: it ends before it starts, or the name cannot be one.
    """
    if not start < end:
        raise wrong(source, line, f"a turn ends after its start, got {start:g} to {end:g} s")
    if end > MAX_SECONDS:
        raise wrong(source, line, f"a turn ends at {end:g} s, which is beyond {MAX_SECONDS:g} s; mend the times")
    try:
        return Turn(start, end, speaker, confidence)
    except ValueError as error:
        raise wrong(source, line, f"{error}; mend the line") from error


def recording_of(turns: Iterable[Turn], recording: str, source: str, extent: Seconds | None = None) -> Diarization:
    """The turns of a recording; where nobody said how long it is, until the last of them ends.

    Raises:
        DataError: the name cannot be one.
    """
    listed = list(turns)
    until = max((one.end for one in listed), default=0.0) if extent is None else extent
    try:
        return Diarization(listed, until, recording)
    except ValueError as error:
        raise DataError(f"{source}: {error}") from error


def rows(diarization: Diarization) -> list[tuple[int, int, Turn]]:
    """Start and end of each turn in whole milliseconds, at least one apart, and the turn.

    Turns of one speaker that would touch after rounding are joined.
    """
    coarse: list[Turn] = []
    for one in diarization:
        start = round(1000 * one.start)
        end = max(round(1000 * one.end), start + 1)
        coarse.append(replace(one, start=start / 1000, end=end / 1000))
    joined = Diarization(coarse, diarization.extent + 1)  # a millisecond may lie beyond the extent
    return [(round(1000 * one.start), round(1000 * one.end), one) for one in joined]


def length(diarization: Diarization) -> int:
    """Milliseconds until the recording ends, at least one, and not before the last turn."""
    return max([math.ceil(round(1000 * diarization.extent, 6)), 1, *(end for _, end, _ in rows(diarization))])


def plain(value: int) -> str:
    """Milliseconds as seconds, such as 1.500."""
    return f"{value // 1000}.{value % 1000:03d}"


def clock(value: int, mark: str) -> str:
    """Milliseconds as hours, minutes and seconds, such as 00:00:01.500 where the mark is a dot."""
    whole, thousandths = divmod(value, 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{mark}{thousandths:03d}"
