"""Labels of Audacity: `start<TAB>end<TAB>speaker`, one line for each turn.

Labels of a moment and the lines of frequencies are passed over. Lost: confidence, the recording's name and length.
Source: Audacity manual, "Importing and Exporting Labels".
"""

from __future__ import annotations

from samevoice.diarization.formats.lines import numbered, plain, recording_of, rows, seconds, turn, wrong
from samevoice.diarization.turns import Diarization, Turn


def write(diarization: Diarization) -> str:
    """A label track."""
    return "".join(f"{plain(start)}000\t{plain(end)}000\t{one.speaker}\n" for start, end, one in rows(diarization))


def read(text: str, source: str) -> list[Diarization]:
    """The one recording of a file.

    Raises:
        DataError: a line has not three fields, or cannot be a turn.
    """
    turns: list[Turn] = []
    for number, line in numbered(text):
        if not line.strip() or line.startswith("\\\t"):
            continue
        fields = line.split("\t")
        if len(fields) != 3:
            raise wrong(source, number, "a label is a start, an end and a name with tabs between them")
        start, end = seconds(fields[0], source, number), seconds(fields[1], source, number)
        if start != end:
            turns.append(turn(start, end, fields[2], source, number))
    return [recording_of(turns, "", source)]
