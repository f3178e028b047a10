"""What is removed from a gallery leaves no byte in its files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from gallerymakers import KEY, assert_whole, raw_bytes, voiceprint
from sqlalchemy import Connection, select, text

from samevoice.errors import GalleryError
from samevoice.gallery.names import name_key
from samevoice.gallery.records import PersonRecord, TemplateRecord, VoiceprintRecord
from samevoice.gallery.store import Store


def secrets_of(store: Store, name: str) -> dict[str, bytes]:
    """All bytes that would betray a person, as they lie in the tables."""
    person = store.database.read(
        lambda connection: connection.execute(
            select(PersonRecord.id, PersonRecord.name, PersonRecord.data_key).where(
                PersonRecord.name_key == name_key(name)
            )
        ).one()
    )
    found = {"name": person.name.encode(), "name key": name_key(name).encode(), "data key": person.data_key}
    for table, number in (
        (VoiceprintRecord, VoiceprintRecord.person_id), (TemplateRecord, TemplateRecord.person_id)
    ):  # fmt: skip
        rows = store.database.read(
            lambda connection, table=table, number=number: connection.execute(  # type: ignore[misc]
                select(table.sealed).where(number == person.id)
            ).scalars().all()
        )  # fmt: skip
        found.update({f"{table.__tablename__} {index}": sealed for index, sealed in enumerate(rows)})
    sounds = store.database.read(
        lambda connection: connection.execute(
            text(
                "SELECT recordings.sealed FROM recordings JOIN voiceprints ON id = voiceprint_id WHERE person_id = :id"
            ),
            {"id": person.id},
        ).scalars().all()
    )  # fmt: skip
    for sealed in sounds:  # which does not lie in one piece
        found.update({"sound's beginning": sealed[100:300], "sound's end": sealed[-200:]})
    return found


def named(seed: int) -> str:
    """A name that nothing else in a file looks like."""
    return f"Ž{np.random.default_rng(seed).bytes(3 + seed % 20).hex()}"


def test_after_delete_neither_bytes_nor_key_nor_name_are_in_the_files(path: Path) -> None:
    with Store.open(path, key=KEY) as store:
        for seed in range(60):
            store.add(named(seed), voiceprint(seed, audio=bytes(5000) if seed % 3 else None))
            store.add(named(seed // 2), voiceprint(1000 + seed))
        gone = {seed: secrets_of(store, named(seed)) for seed in range(0, 60, 2)}
        kept = {seed: secrets_of(store, named(seed)) for seed in range(1, 60, 2)}
        before = raw_bytes(path)
        for found in (*gone.values(), *kept.values()):
            assert len(found) >= 5
            assert [what for what, content in found.items() if content not in before] == []
        for seed in gone:
            store.delete(named(seed))
        after = raw_bytes(path)  # while the gallery is still open
        assert [(seed, what) for seed, found in gone.items() for what, one in found.items() if one in after] == []
        assert [(seed, what) for seed, found in kept.items() for what, one in found.items() if one not in after] == []
        assert_whole(store)
    after = raw_bytes(path)
    assert [(seed, what) for seed, found in gone.items() for what, one in found.items() if one in after] == []


def test_what_is_renamed_rolled_back_merged_or_purged_is_not_in_the_files(path: Path) -> None:
    with Store.open(path, key=KEY) as store:
        for seed in range(4):
            store.add(named(seed), voiceprint(seed))
        store.add(named(1), voiceprint(11))
        store.add(named(3), voiceprint(13, expires=datetime.now(UTC) + timedelta(seconds=60)))
        old = [secrets_of(store, named(seed)) for seed in range(4)]
        last = {"voiceprints 1", "templates 0"}
        gone = [
            *(old[0][what] for what in ("name", "name key")),
            *(old[1][what] for what in last),
            *old[2].values(),
            *(old[3][what] for what in last),
        ]
        assert all(one in raw_bytes(path) for one in gone)
        store.rename(named(0), "somebody")
        store.remove_last(named(1))
        store.merge(named(2), "somebody")
        assert store.purge(before=datetime.now(UTC) + timedelta(seconds=90)) == 1
        assert not any(one in raw_bytes(path) for one in gone)
        assert_whole(store)


def test_a_reader_who_stays_too_long_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samevoice.gallery.database.PATIENCE", 0.6)
    with Store.open(path, key=KEY) as store, Store.open(path, key=KEY) as other:
        store.add("Ada", voiceprint(1))

        def read(connection: Connection) -> None:
            connection.execute(select(PersonRecord.name)).all()
            with pytest.raises(GalleryError, match="the log still holds the old bytes because another process"):
                store.delete("Ada")
            assert store.people() == []

        other.database.read(read)
        assert store.purge() == 0  # as the message says
        assert b"Ada" not in raw_bytes(path)
