"""A chain of events that nobody can alter, drop, reorder or cut short unnoticed.

Each event carries a digest over its content and the digest before it; the head, kept beside the events and
authenticated too, says how many there are and which digest is the last.

What it proves: whoever has no key changed no event, and the events are all that were written up to the head. What it
does not: somebody with the key can write another history, and somebody who puts back an older copy of the whole
database, events and head together, leaves a chain that is whole. Keep a head elsewhere to notice that.

Knows: events, digests. Does not know: tables, where keys come from.
Source: Schneier and Kelsey, "Secure audit logs to support computer forensics", ACM TISSEC 2, 1999.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TypeAlias

Detail: TypeAlias = "str | int | float | bool | list[Detail] | dict[str, Detail] | None"

START = bytes(32)  # the digest before the first event
_HASH = "sha256"
_COUNT_BYTES = 8


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was done to a gallery.

    Args:
        seq: its number: 1, 2, 3... without gaps.
        at: when, with a time zone; kept to the microsecond.
        actor: who did it.
        action: what was done.
        person: public id of the person concerned, never a name; None if it concerns none.
        detail: more, as plain JSON.

    Raises:
        ValueError: the time has no zone.
    """

    seq: int
    at: datetime
    actor: str
    action: str
    person: str | None
    detail: Mapping[str, Detail]

    def __post_init__(self) -> None:
        """Refuse a time that means another instant elsewhere."""
        if self.at.tzinfo is None:
            raise ValueError("an event's time needs a time zone")

    def to_json(self) -> dict[str, object]:
        """Plain data with the field names of this class."""
        return {**asdict(self), "at": self.at.isoformat()}


@dataclass(frozen=True, slots=True)
class Row:
    """An event as it was found.

    Args:
        event: None if the row cannot be read as one.
        previous: the digest before it.
        digest: its own.
    """

    event: Event | None
    previous: bytes
    digest: bytes


def chained(key: bytes, previous: bytes, event: Event) -> bytes:
    """The digest of an event: HMAC-SHA256 over the digest before it and the event's canonical JSON.

    Args:
        key: derived for the events of this one gallery.
        previous: digest of the event before, 32 bytes; `START` for the first.
        event: the event.

    Raises:
        ValueError: the detail is no JSON (NaN, for one), or `previous` has not 32 bytes.
    """
    if len(previous) != len(START):
        raise ValueError(f"a digest has {len(START)} bytes, got {len(previous)}")
    at = event.at.astimezone(UTC).isoformat(timespec="microseconds")
    content = [event.seq, at, event.actor, event.action, event.person, event.detail]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hmac.digest(key, previous + text.encode(), _HASH)


def head_of(key: bytes, count: int, digest: bytes = START) -> bytes:
    """What is kept beside the events, and renewed with each: their number and last digest, authenticated.

    Args:
        key: the same as for `chained`.
        count: how many events there are.
        digest: of the last; `START` if there is none.

    Returns:
        72 bytes.
    """
    content = count.to_bytes(_COUNT_BYTES, "big") + digest
    return content + hmac.digest(key, b"head" + content, _HASH)


def first_break(key: bytes, rows: Iterable[Row], head: bytes) -> int | None:
    """Where a chain of events breaks first; None if it is whole.

    Args:
        key: the same as for `chained`.
        rows: in order of their numbers; read once, one at a time.
        head: as `head_of` gave it last; empty if it is gone.

    Returns:
        Number of the first event that is altered, missing, out of order or inserted. A tail cut off is missing from
        the number after the last; a head that is altered, gone or older than the events puts in doubt what follows
        the last event that it surely covers.
    """
    count, previous = 0, START
    covered, last = _read_head(key, head)
    for row in rows:
        expected = count + 1
        if row.event is None:
            return expected
        if row.event.seq != expected:
            return min(row.event.seq, expected)
        if row.previous != previous or not _is_digest(key, row):
            return expected
        if covered is not None and count == covered:
            return expected  # appended without a new head
        count, previous = expected, row.digest
    if covered is None or count < covered:
        return count + 1
    return None if hmac.compare_digest(previous, last) else max(count, 1)


def _is_digest(key: bytes, row: Row) -> bool:
    """Whether an event's digest is the right one."""
    try:
        return row.event is not None and hmac.compare_digest(row.digest, chained(key, row.previous, row.event))
    except (ValueError, TypeError, OverflowError, RecursionError):  # not what `chained` takes, so it was never written
        return False


def _read_head(key: bytes, head: bytes) -> tuple[int | None, bytes]:
    """Number and last digest by the head; None if it is not authentic."""
    count, digest = head[:_COUNT_BYTES], head[_COUNT_BYTES : _COUNT_BYTES + len(START)]
    number = int.from_bytes(count, "big")
    return (number, digest) if hmac.compare_digest(head_of(key, number, digest), head) else (None, START)
