"""What a question costs in a larger gallery, in steps of the database: as many as there are answers, no more."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from gallerymakers import KEY, MODEL, voiceprint
from sqlalchemy import Connection, event, insert

from samevoice.gallery.records import PersonRecord, VoiceprintRecord
from samevoice.gallery.store import Store

FEW, MANY = 200, 1_600
AT_ONCE = 50  # steps between two looks


def crowd(connection: Connection, first: int, last: int) -> None:
    """People as lists see them, from one number to another, each with one voiceprint."""
    now = datetime.now(UTC)
    people, voiceprints = [], []
    for number in range(first, last):
        names = {"public_id": f"{number:032x}", "name": f"P{number}", "name_key": f"p{number}"}
        people.append({"id": number, "data_key": b"", "created": now, **names})
        about = {"seconds": 3.5, "clipped": 0.0, "channel": "", "needs_audio": False}
        voiceprints.append({"person_id": number, "model": MODEL, "sealed": b"", "created": now, **about})
    connection.execute(insert(PersonRecord), people)
    connection.execute(insert(VoiceprintRecord), voiceprints)


def test_lists_grow_with_the_people_and_questions_about_one_do_not(path: Path) -> None:
    steps = 0

    def tick() -> None:
        nonlocal steps
        steps += AT_ONCE

    def watch(connection: sqlite3.Connection, *_: object) -> None:
        connection.set_progress_handler(tick, AT_ONCE)

    with Store.open(path, key=KEY) as store:
        ada = store.add("Ada", voiceprint(1, trace=b"trace"))
        event.listen(store.database.engine, "checkout", watch)
        lists: tuple[Callable[[], object], ...] = (store.people, store.size)
        single: tuple[Callable[[], object], ...] = (lambda: store.person("Ada"), lambda: store.traces(ada.id))

        def cost(ask: Callable[[], object]) -> int:
            before = steps
            ask()
            return steps - before

        store.database.write(lambda connection: crowd(connection, 1_000, 1_000 + FEW))
        few = [cost(ask) for ask in (*lists, *single)]
        store.database.write(lambda connection: crowd(connection, 1_000 + FEW, 1_000 + MANY))
        many = [cost(ask) for ask in (*lists, *single)]
        assert len(store.people()) == store.size().voiceprints == MANY + 1
    growth = MANY / FEW
    assert all(after < 1.5 * growth * before for before, after in zip(few[:2], many[:2], strict=True))
    assert all(after < before + 1_000 for before, after in zip(few[2:], many[2:], strict=True))
