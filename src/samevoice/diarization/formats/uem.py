"""UEM, evaluation maps: which stretches of which recordings are scored; a line is `recording channel start end`.

Names are escaped as in RTTM. Source: NIST, as for RTTM.
"""

from __future__ import annotations

from samevoice.diarization.formats.lines import numbered, seconds, wrong
from samevoice.diarization.formats.rttm import unescape
from samevoice.speech.timeline import Segment, Timeline


def read(text: str, source: str) -> dict[str, Timeline]:
    """What is scored of each recording.

    Raises:
        DataError: a line has not four fields, or its times are out of order.
    """
    found: dict[str, list[Segment]] = {}
    for number, line in numbered(text):
        fields = line.split()
        if not fields or fields[0].startswith((";", "#")):
            continue
        if len(fields) != 4:
            raise wrong(source, number, "a line is a recording, a channel, a start and an end")
        start, end = seconds(fields[2], source, number), seconds(fields[3], source, number)
        if not start < end:
            raise wrong(source, number, f"a stretch ends after its start, got {start:g} to {end:g} s")
        found.setdefault(unescape(fields[0]), []).append(Segment(start, end))
    return {name: Timeline(parts, max(part.end for part in parts)) for name, parts in found.items()}
