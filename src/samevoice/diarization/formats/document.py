"""JSON, the format that loses nothing: recording, extent, and each turn with exact times and its confidence.

    {"format": "samevoice-diarization", "version": 1, "recording": "a", "extent": 9.5,
     "turns": [{"start": 0.5, "end": 2.25, "speaker": "Ann", "confidence": 0.9}]}

A file holds one recording or a list of them. Other keys are left for later versions and passed over.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from samevoice.diarization.formats.lines import MAX_SECONDS, recording_of, wrong
from samevoice.diarization.turns import Diarization, Turn
from samevoice.errors import DataError

FORMAT = "samevoice-diarization"
VERSION = 1


def to_json(diarization: Diarization) -> dict[str, Any]:
    """The object of one recording."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "recording": diarization.recording,
        "extent": diarization.extent,
        "turns": [
            {"start": one.start, "end": one.end, "speaker": one.speaker, "confidence": one.confidence}
            for one in diarization
        ],
    }


def write(diarization: Diarization) -> str:
    """A document of one recording."""
    return json.dumps(to_json(diarization), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def read(text: str, source: str) -> list[Diarization]:
    """One recording or several.

    Raises:
        DataError: it is no JSON, not of this format and version, or holds what cannot be.
    """

    def no_number(word: str) -> NoReturn:
        raise DataError(f"{source}: {word} is no number; mend the file")

    try:
        content = json.loads(text, parse_constant=no_number)
    except json.JSONDecodeError as error:
        raise wrong(source, error.lineno, f"is no JSON ({error.msg}); mend the file") from error
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, nests of thousands of lists
        raise DataError(f"{source}: is no JSON of a diarization; mend the file") from error
    return [_recording(one, source) for one in (content if isinstance(content, list) else [content])]


def _recording(value: Any, source: str) -> Diarization:
    """One recording."""
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise DataError(f'{source}: is no diarization; it has no "format": "{FORMAT}"')
    if value.get("version") != VERSION:
        raise DataError(f"{source}: is of a version other than {VERSION}; use a newer samevoice")
    recording, turns = value.get("recording", ""), value.get("turns")
    if not isinstance(recording, str) or not isinstance(turns, list):
        raise DataError(f'{source}: "recording" must be a text and "turns" a list')
    extent = _number(value.get("extent"), f'{source}: "extent"')
    listed = [_turn(one, f"{source}: turn {number}") for number, one in enumerate(turns, 1)]
    return recording_of(listed, recording, source, extent)


def _turn(value: Any, where: str) -> Turn:
    """One turn."""
    if not isinstance(value, dict) or not isinstance(value.get("speaker"), str):
        raise DataError(f'{where}: has no "speaker"')
    start, end = (_number(value.get(key), f'{where}: "{key}"') for key in ("start", "end"))
    sure = value.get("confidence")
    if sure is not None:
        sure = _number(sure, f'{where}: "confidence"')
    try:
        return Turn(start, end, value["speaker"], sure)
    except ValueError as error:
        raise DataError(f"{where}: {error}") from error


def _number(value: Any, what: str) -> float:
    """A number of the file."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_SECONDS:
        raise DataError(f"{what} must be a number from 0 to {MAX_SECONDS:g}")
    return float(value)
