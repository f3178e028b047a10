"""RTTM, the format in which diarizations are scored: a line for each turn, recordings one after the other.

    SPEAKER <recording> 1 <start> <duration> <NA> <NA> <speaker> <confidence> <NA>

Fields are separated by blanks, so names are written like addresses on the web: a blank is %20, a per cent sign %25; the
same with quotes and the first letter of names like <NA> or Null, which other readers take for something else. All read
such a name as one word. What is no such escape is read as it stands. A recording without a name is <NA>.

Lost: the length of the recording, and recordings in which nobody speaks. A confidence has three digits; one that is no
number from 0 to 1 is left out when reading. Turns without length are passed over: some corpora have them.
Source: NIST, "The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan", appendix A.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from samevoice.diarization.formats.lines import numbered, plain, recording_of, rows, seconds, turn, wrong
from samevoice.diarization.turns import Diarization, Turn

NOBODY = "<NA>"
OTHERS = frozenset(
    (
        *("SEGMENT", "NOSCORE", "NO_RT_METADATA", "LEXEME", "NON-LEX", "NON-SPEECH", "FILLER", "EDIT", "IP", "SU"),
        *("CB", "A/P", "SPKR-INFO"),
    )
)
UNSAFE = re.compile(r'[\s%"]|^(?=(?i:<na>|#?n/?a|-?nan|null|none)$).')


def write(diarization: Diarization) -> str:
    """Lines for one recording; those of several can follow each other."""
    name = escape(diarization.recording) if diarization.recording else NOBODY
    return "".join(f"SPEAKER {name} 1 {_fields(*row)} <NA>\n" for row in rows(diarization))


def read(text: str, source: str) -> list[Diarization]:
    """All recordings in order of first appearance.

    Raises:
        DataError: a line is none of RTTM, or a turn that cannot be.
    """
    found: dict[str, list[Turn]] = {}
    for number, line in numbered(text):
        fields = line.split()
        if not fields or fields[0].startswith((";", "#")) or fields[0] in OTHERS:
            continue
        if fields[0] != "SPEAKER" or not 8 <= len(fields) <= 10:
            raise wrong(source, number, "is no line of RTTM: SPEAKER and up to nine fields, without blanks in names")
        recording = "" if fields[1] == NOBODY else unescape(fields[1])
        turns = found.setdefault(recording, [])
        start, duration = seconds(fields[3], source, number), seconds(fields[4], source, number)
        if duration > 0:
            sure = _confidence(fields[8]) if len(fields) > 8 else None
            # The sum of two decimal fractions has a tail that neither had.
            turns.append(turn(start, round(start + duration, 9), unescape(fields[7]), source, number, sure))
    return [recording_of(turns, recording, source) for recording, turns in found.items()]


def escape(name: str) -> str:
    """A name as one word."""
    return UNSAFE.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), name)


def unescape(word: str) -> str:
    """The name that a word stands for."""
    try:
        return unquote(word, errors="strict")
    except UnicodeDecodeError:
        return word


def _fields(start: int, end: int, one: Turn) -> str:
    """What stands between the recording and the last field."""
    sure = NOBODY if one.confidence is None else f"{one.confidence:.3f}"
    return f"{plain(start)} {plain(end - start)} <NA> <NA> {escape(one.speaker)} {sure}"


def _confidence(word: str) -> float | None:
    """A number from 0 to 1; anything else is none."""
    try:
        value = float(word)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None
