"""An utterance as a record of plain values, checked field by field when it comes back.

Knows: which values a field may have. Does not know: files, formats.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from samevoice.corpora.manifest import Utterance
from samevoice.corpora.tree import stays_below
from samevoice.errors import DataError
from samevoice.options import brief

Record = dict[str, Any]

FIELDS = tuple(field.name for field in fields(Utterance))
NULLABLE = frozenset({"speaker", "member"})
NUMBERS = {"start": float, "seconds": float, "rate": int}
FILLED = frozenset({"id", "speaker", "path", "member"})
MAX_RATE = 1 << 31
MAX_SECONDS = 1e9  # about thirty years; also keeps out infinity and numbers too long for a float

_CHOICES = {"gender": ("f", "m", ""), "split": ("train", "dev", "test", "")}
_CHECKSUM = re.compile(r"(sha256:[0-9a-f]{64})?")


def to_record(utterance: Utterance, place: str) -> Record:
    """The record of an utterance.

    Args:
        utterance: what to write.
        place: what to call it in messages.

    Raises:
        DataError: it has a value that could not be read back.
    """
    record = asdict(utterance)
    from_record(record, place)
    return record


def from_record(record: Mapping[str, Any], place: str) -> Utterance:
    """The utterance of a record.

    Args:
        record: field -> value, as a file gave it.
        place: file and line, for messages.

    Raises:
        DataError: a field is unknown, missing, or has a value that cannot be.
    """
    if unknown := sorted(set(record) - set(FIELDS)):
        raise DataError(f"{place}: field {brief(unknown[0])} is unknown; known are {', '.join(FIELDS)}")
    for name in FIELDS:
        if name not in record:
            raise DataError(f"{place}: field {name!r} is missing; scan the corpus again")
        if fault := _fault(name, record[name]):
            raise DataError(f"{place}: {name} {fault}, got {record[name]!r:.100}; scan the corpus again")
    values = dict(record)
    return Utterance(**values | {"start": float(values["start"]), "seconds": float(values["seconds"])})


def _fault(name: str, value: object) -> str | None:
    """What is wrong with a value; None if nothing is."""
    if value is None and name in NULLABLE:
        return None
    if name in NUMBERS:
        return _number_fault(name, value)
    if not isinstance(value, str):
        return "must be a string"
    if not value and name in FILLED:
        return "must not be empty"
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        return "must be Unicode text"
    if name in _CHOICES and value not in _CHOICES[name]:
        return f"must be one of {', '.join(map(repr, _CHOICES[name]))}"
    if name == "checksum" and not _CHECKSUM.fullmatch(value):
        return "must be 'sha256:' and 64 hexadecimal digits, or empty"
    if name in ("path", "member") and not stays_below(value):
        return "must not be absolute or lead out of its root"
    return None


def _number_fault(name: str, value: object) -> str | None:
    """What is wrong with a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "must be a number"
    if NUMBERS[name] is int:
        return None if isinstance(value, int) and 0 < value < MAX_RATE else "must be a whole number above 0"
    if name == "seconds":
        return None if 0 < value <= MAX_SECONDS else "must be above 0"
    return None if 0 <= value <= MAX_SECONDS else "must be at least 0"
