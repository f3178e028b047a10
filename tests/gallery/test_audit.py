"""The chain of events: its digest by the book, and every way to damage it is found at its first place."""

from __future__ import annotations

import hashlib
import hmac
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samevoice.gallery.audit import START, Event, Row, chained, first_break, head_of

KEY, OTHER = b"k" * 32, b"o" * 32
DAY = datetime(2031, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)


def rows(number: int, key: bytes = KEY) -> Iterator[Row]:
    digest = START
    for seq in range(1, number + 1):
        event = Event(seq, DAY + timedelta(seconds=seq), "local", "enrol", f"{seq:032x}", {"voiceprint": seq})
        previous, digest = digest, chained(key, digest, event)
        yield Row(event, previous, digest)


def whole(number: int, key: bytes = KEY) -> tuple[list[Row], bytes]:
    found = list(rows(number, key))
    return found, head_of(key, number, found[-1].digest if found else START)


def event_of(row: Row) -> Event:
    assert row.event is not None
    return row.event


def test_the_digest_is_that_of_the_book() -> None:
    event = Event(7, DAY, "löcal", "rename", None, {"b": [1, 2.5, None, True], "a": {"y": "ü", "x": ""}})
    text = (
        b'[7,"2031-05-06T07:08:09.123456+00:00","l\\u00f6cal","rename",null,'
        b'{"a":{"x":"","y":"\\u00fc"},"b":[1,2.5,null,true]}]'
    )
    expected = hmac.new(KEY, b"p" * 32 + text, hashlib.sha256).digest()
    assert chained(KEY, b"p" * 32, event) == expected
    elsewhere = replace(event, at=DAY.astimezone(timezone(timedelta(hours=-7))))
    assert chained(KEY, b"p" * 32, elsewhere) == expected
    head = bytes([0, 0, 0, 0, 0, 0, 0, 3]) + expected
    assert head_of(KEY, 3, expected) == head + hmac.new(KEY, b"head" + head, hashlib.sha256).digest()


@pytest.mark.parametrize("number", [0, 1, 2, 50])
def test_a_whole_chain_is_whole(number: int) -> None:
    found, head = whole(number)
    assert first_break(KEY, iter(found), head) is None


CHANGES: list[Callable[[Row], Row]] = [
    lambda row: replace(row, event=replace(event_of(row), at=event_of(row).at + timedelta(microseconds=1))),
    lambda row: replace(row, event=replace(event_of(row), actor="somebody")),
    lambda row: replace(row, event=replace(event_of(row), action="delete")),
    lambda row: replace(row, event=replace(event_of(row), person=None)),
    lambda row: replace(row, event=replace(event_of(row), detail={})),
    lambda row: replace(row, event=replace(event_of(row), detail={"voiceprint": float("nan")})),
    lambda row: replace(row, event=replace(event_of(row), actor=b"local")),  # type: ignore[arg-type]
    lambda row: replace(
        row, event=replace(event_of(row), at=datetime.min.replace(tzinfo=timezone(timedelta(hours=1))))
    ),
    lambda row: replace(row, event=None),
    lambda row: replace(row, previous=bytes(31) + b"x"),
    lambda row: replace(row, previous=b""),
    lambda row: replace(row, digest=bytes(32)),
    lambda row: replace(row, digest=b""),
    lambda row: replace(row, digest=chained(OTHER, row.previous, event_of(row))),
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("place", [0, 3, 9])
def test_an_altered_event_is_found(change: Callable[[Row], Row], place: int) -> None:
    found, head = whole(10)
    found[place] = change(found[place])
    assert first_break(KEY, found, head) == place + 1


@given(st.integers(1, 12), st.data())
def test_what_is_missing_moved_or_added_is_found_at_its_first_place(number: int, data: st.DataObject) -> None:
    found, head = whole(number)
    place = data.draw(st.integers(0, number - 1))
    missing = found[:place] + found[place + 1 :]
    assert first_break(KEY, missing, head) == place + 1
    closed = [
        replace(row, event=replace(event_of(row), seq=seq)) for seq, row in enumerate(missing, start=1)
    ]  # renumbered, so that no gap is seen
    assert first_break(KEY, closed, head) == place + 1
    assert first_break(KEY, found[:place], head) == place + 1  # the tail cut off
    assert first_break(KEY, [*found[:place], found[place], *found[place:]], head) == place + 1  # twice
    forged = Event(place + 1, DAY, "local", "enrol", None, {})
    false = Row(forged, found[place].previous, chained(OTHER, found[place].previous, forged))
    moved = [replace(row, event=replace(event_of(row), seq=event_of(row).seq + 1)) for row in found[place:]]
    assert first_break(KEY, [*found[:place], false, *moved], head) == place + 1
    if number > 1:
        other = data.draw(st.integers(0, number - 1).filter(lambda one: one != place))
        swapped = list(found)
        swapped[place], swapped[other] = found[other], found[place]
        assert first_break(KEY, swapped, head) == min(place, other) + 1


@given(st.integers(0, 5), st.data())
def test_a_head_that_is_altered_gone_or_of_another_key_is_found(number: int, data: st.DataObject) -> None:
    found, head = whole(number)
    altered = bytearray(head)
    altered[data.draw(st.integers(0, len(head) - 1))] ^= data.draw(st.integers(1, 255))
    for wrong in (bytes(altered), b"", head[:-1], head + b"x", whole(number, OTHER)[1]):
        assert first_break(KEY, found, wrong) == number + 1


def test_events_that_no_head_covers_are_found() -> None:
    found, _ = whole(5)
    for covered in range(5):
        assert first_break(KEY, found, head_of(KEY, covered, found[covered - 1].digest if covered else START)) == (
            covered + 1
        )
    assert first_break(KEY, found, head_of(KEY, 5, found[3].digest)) == 5


@pytest.mark.parametrize("place", range(1, 4))
def test_two_histories_of_one_gallery_do_not_join(place: int) -> None:
    """A copy of the database that went on by itself, with the same key, has true rows of the same numbers."""
    found, head = whole(4)
    first = replace(event_of(found[0]), actor="somebody")
    other = [Row(first, START, chained(KEY, START, first))]
    for row in found[1:]:
        previous = other[-1].digest
        other.append(Row(row.event, previous, chained(KEY, previous, event_of(row))))
    assert first_break(KEY, [*other[:place], *found[place:]], head) == place + 1
    assert first_break(KEY, other, head) == 4


def test_another_key_breaks_the_chain_at_its_first_event() -> None:
    found, head = whole(3)
    assert first_break(OTHER, found, head) == 1


def test_walks_without_keeping_what_it_has_seen() -> None:
    number = 5_000
    *_, last = rows(number)
    head = head_of(KEY, number, last.digest)
    tracemalloc.start()
    try:
        assert first_break(KEY, rows(number), head) is None
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 50_000


def test_stops_at_the_break() -> None:
    read = count()

    def damaged() -> Iterator[Row]:
        for row in rows(100):
            seq = next(read) + 1
            yield replace(row, event=None) if seq == 4 else row

    assert first_break(KEY, damaged(), whole(100)[1]) == 4
    assert next(read) == 4


def test_programming_mistakes_are_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Event(1, datetime(2031, 1, 1), "local", "enrol", None, {})
    event = Event(1, DAY, "local", "enrol", None, {"x": float("inf")})
    with pytest.raises(ValueError, match="JSON"):
        chained(KEY, START, event)
    with pytest.raises(ValueError, match="32 bytes"):
        chained(KEY, b"", replace(event, detail={}))
