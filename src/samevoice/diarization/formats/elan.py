"""EAF of ELAN: one tier for each speaker, with a "speech" annotation for each turn.

The name of a tier is that of its speaker; reading prefers the participant where one is named. Annotations that hang on
others have no times of their own and are passed over. ELAN keeps the properties that hold the recording and its length.
A document type or entities are refused before anything of them is read: they can fetch files, or fill the memory.
Lost: confidence. Source: Max Planck Institute for Psycholinguistics, "ELAN Annotation Format", schema 3.0.
"""

from __future__ import annotations

from typing import NoReturn
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from samevoice.diarization.formats.lines import (
    MAX_SECONDS,
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

RECORDING, EXTENT = "samevoice:recording", "samevoice:extent"
HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<ANNOTATION_DOCUMENT AUTHOR="" DATE="1970-01-01T00:00:00+00:00" FORMAT="3.0" VERSION="3.0"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    ' xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">\n'
    '<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">\n'
)
FOOT = (
    '<LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="speech" TIME_ALIGNABLE="true"/>\n'
    "</ANNOTATION_DOCUMENT>\n"
)


def write(diarization: Diarization) -> str:
    """A document without a date, so that the same turns give the same file."""
    turns = rows(diarization)
    bounds = sorted((time, index, side) for index, row in enumerate(turns) for side, time in enumerate(row[:2]))
    slot = {(index, side): f"ts{number}" for number, (_, index, side) in enumerate(bounds, 1)}
    slots = [f'<TIME_SLOT TIME_SLOT_ID="{slot[index, side]}" TIME_VALUE="{time}"/>' for time, index, side in bounds]
    tiers: list[str] = []
    for speaker in diarization.speakers:
        name = quoteattr(speaker)
        tiers.append(f'<TIER LINGUISTIC_TYPE_REF="speech" PARTICIPANT={name} TIER_ID={name}>')
        tiers += (
            f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{index + 1}" '
            f'TIME_SLOT_REF1="{slot[index, 0]}" TIME_SLOT_REF2="{slot[index, 1]}">'
            "<ANNOTATION_VALUE>speech</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"
            for index, (_, _, one) in enumerate(turns)
            if one.speaker == speaker
        )
        tiers.append("</TIER>")
    properties = ((RECORDING, diarization.recording), (EXTENT, plain(length(diarization))))
    told = [f'<PROPERTY NAME="{name}">{escape(value)}</PROPERTY>' for name, value in properties]
    body = [*told, "</HEADER>", "<TIME_ORDER>", *slots, "</TIME_ORDER>", *tiers]
    return HEAD + "\n".join(body) + "\n" + FOOT


def read(text: str, source: str) -> list[Diarization]:
    """The one recording of a file.

    Raises:
        DataError: it is no EAF, has a document type, or an annotation cannot be a turn.
    """
    reader = _Reader(source)
    reader.parse(text)
    extent = reader.extent
    if extent is not None:
        extent = max([extent, *(one.end for one in reader.turns)])
    return [recording_of(reader.turns, reader.recording, source, extent)]


class _Reader:
    """What a parser meets, element by element; nothing is kept of what is not needed."""

    def __init__(self, source: str) -> None:
        """Prepare a parser that refuses document types."""
        self.source = source
        self.turns: list[Turn] = []
        self.recording = ""
        self.extent: Seconds | None = None
        self._slots: dict[str, Seconds | None] = {}
        self._speaker = ""
        self._property = ""
        self._value: list[str] = []
        self._begun = False
        self._parser = expat.ParserCreate("utf-8")  # of our own encoding, whatever the file claims
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def parse(self, text: str) -> None:
        """Read a whole document.

        Raises:
            DataError: it cannot be read.
        """
        try:
            self._parser.Parse(text.encode("utf-8"), True)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            raise wrong(self.source, error.lineno, f"is no XML ({reason}); mend the file") from error
        except UnicodeEncodeError as error:
            raise wrong(self.source, 1, "is not Unicode text; save the file as UTF-8") from error

    def _refuse(self, *_: object) -> NoReturn:
        raise wrong(self.source, self._line, "has a document type, which can do harm; remove <!DOCTYPE ...>")

    @property
    def _line(self) -> int:
        return self._parser.CurrentLineNumber

    def _start(self, name: str, values: dict[str, str]) -> None:
        if not self._begun and name != "ANNOTATION_DOCUMENT":
            raise wrong(self.source, self._line, f"is no EAF but {shown(name)}")
        self._begun = True
        if name == "TIME_SLOT":
            value = values.get("TIME_VALUE")
            self._slots[values.get("TIME_SLOT_ID", "")] = None if value is None else self._seconds(value)
        elif name == "TIER":
            self._speaker = values.get("PARTICIPANT") or values.get("TIER_ID", "")
        elif name == "ALIGNABLE_ANNOTATION":
            start, end = (self._slot(values.get(f"TIME_SLOT_REF{number}", "")) for number in (1, 2))
            self.turns.append(turn(start, end, self._speaker, self.source, self._line))
        elif name == "PROPERTY":
            self._property, self._value = values.get("NAME", ""), []

    def _end(self, name: str) -> None:
        if name == "PROPERTY":
            value, told = "".join(self._value), self._property
            if told == RECORDING:
                self.recording = value
            elif told == EXTENT:
                self.extent = seconds(value, self.source, self._line)
            self._property = ""

    def _text(self, text: str) -> None:
        if self._property:
            self._value.append(text)

    def _seconds(self, value: str) -> Seconds:
        """Milliseconds as seconds."""
        if not (value.isascii() and value.isdecimal() and len(value) < 12 and int(value) <= 1000 * MAX_SECONDS):
            raise wrong(self.source, self._line, f"a time is a whole number of milliseconds, got {shown(value)}")
        return int(value) / 1000

    def _slot(self, name: str) -> Seconds:
        """The time of a slot."""
        if (value := self._slots.get(name)) is None:
            raise wrong(self.source, self._line, f"time slot {shown(name)} has no time; align the annotation in ELAN")
        return value
