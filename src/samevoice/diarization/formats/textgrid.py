"""TextGrid of Praat: one tier of intervals for each speaker, "speech" where they speak and nothing elsewhere.

Read are the long form and the short one, which differ only in words that Praat itself passes over; an interval counts
whatever its text, unless that is blank; tiers of points are passed over.
Lost: confidence, the recording's name.
Source: Praat manual, "TextGrid file formats".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from samevoice.diarization.formats.lines import (
    length,
    plain,
    recording_of,
    rows,
    seconds,
    shown,
    turn,
    wrong,
)
from samevoice.diarization.turns import Diarization, Turn
from samevoice.speech.timeline import Seconds

SPEECH = "speech"
# Praat reads texts in quotes, numbers and flags that stand alone; all else is comment.
TOKEN = re.compile(r'"([^"]*(?:""[^"]*)*)"|(![^\n]*)|([^\s"]+)|"')
NUMBER = re.compile(r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?")


def write(diarization: Diarization) -> str:
    """The long form; without any speaker one tier without a name, since Praat knows no grid without tiers."""
    until = length(diarization)
    bounds: dict[str, list[tuple[int, int]]] = {}
    for start, end, one in rows(diarization):
        bounds.setdefault(one.speaker, []).append((start, end))
    tiers = [(speaker, list(_intervals(own, until))) for speaker, own in (bounds or {"": []}).items()]
    head = f'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0 \nxmax = {plain(until)} \n'
    lines = [head, f"tiers? <exists> \nsize = {len(tiers)} \nitem []: \n"]
    for number, (speaker, intervals) in enumerate(tiers, 1):
        lines.append(f'    item [{number}]:\n        class = "IntervalTier" \n        name = {_quoted(speaker)} \n')
        lines.append(
            f"        xmin = 0 \n        xmax = {plain(until)} \n        intervals: size = {len(intervals)} \n"
        )
        for index, (start, end, text) in enumerate(intervals, 1):
            lines.append(f"        intervals [{index}]:\n            xmin = {plain(start)} \n")
            lines.append(f"            xmax = {plain(end)} \n            text = {_quoted(text)} \n")
    return "".join(lines)


def read(text: str, source: str) -> list[Diarization]:
    """The one recording of a file, in either form.

    Raises:
        DataError: it is no TextGrid, is cut short, or an interval cannot be a turn.
    """
    reader = _Reader(text, source)
    for kind in ("ooTextFile", "TextGrid"):
        if reader.text() != kind:
            raise wrong(source, reader.line, 'is no TextGrid; it must begin with "ooTextFile" and "TextGrid"')
    reader.time()
    extent = reader.time()
    turns: list[Turn] = []
    if reader.flag():
        for _ in range(reader.count()):
            turns.extend(_tier(reader))
    return [recording_of(turns, "", source, max([extent, *(one.end for one in turns)]))]


def _tier(reader: _Reader) -> Iterator[Turn]:
    """The turns of one tier."""
    kind, speaker = reader.text(), reader.text()
    if kind not in ("IntervalTier", "TextTier"):
        raise wrong(reader.source, reader.line, f"a tier is an IntervalTier or a TextTier, not {shown(kind)}")
    reader.time(), reader.time()
    for _ in range(reader.count()):
        start = reader.time()
        end = reader.time() if kind == "IntervalTier" else start
        text = reader.text()
        if kind == "IntervalTier" and text.strip():
            yield turn(start, end, speaker, reader.source, reader.line)


def _intervals(bounds: list[tuple[int, int]], until: int) -> Iterator[tuple[int, int, str]]:
    """Intervals of one tier in milliseconds, without gaps."""
    now = 0
    for start, end in bounds:
        if now < start:
            yield now, start, ""
        yield start, end, SPEECH
        now = end
    if now < until:
        yield now, until, ""


def _quoted(text: str) -> str:
    """A text of Praat."""
    return '"' + text.replace('"', '""') + '"'


class _Reader:
    """Texts, numbers and flags one after the other."""

    def __init__(self, text: str, source: str) -> None:
        """Start at the top."""
        self.source = source
        self._all = text.replace("\r\n", "\n").replace("\r", "\n")
        self._tokens = TOKEN.finditer(self._all)
        self._at = 0
        self.line = 1

    def text(self) -> str:
        """The next token, which must be a text in quotes."""
        token = self._next()
        if not token.startswith('"'):
            raise wrong(self.source, self.line, f"a text in quotes is missing before {shown(token)}")
        return token[1:-1].replace('""', '"')

    def time(self) -> Seconds:
        """The next token, which must be a time."""
        return seconds(self._next(), self.source, self.line)

    def count(self) -> int:
        """The next token, which must be a whole number."""
        value = seconds(self._next(), self.source, self.line)
        if value != int(value):
            raise wrong(self.source, self.line, f"a number of tiers or intervals is whole, got {value:g}")
        return int(value)

    def flag(self) -> bool:
        """The next token, which must be a flag."""
        token = self._next()
        if token not in ("<exists>", "<absent>"):
            raise wrong(self.source, self.line, "<exists> is missing before the tiers")
        return token == "<exists>"  # noqa: S105 - a flag of Praat

    def _next(self) -> str:
        """The next token that is no comment."""
        for match in self._tokens:
            self.line += self._all.count("\n", self._at, match.start())
            self._at = match.start()
            if match[0] == '"':
                raise wrong(self.source, self.line, "a quote is not closed")
            word = match[3]
            if match[1] is not None or (word and (word[0] == "<" or NUMBER.fullmatch(word))):
                return match[0]
        raise wrong(self.source, self.line, "the file ends too early")
