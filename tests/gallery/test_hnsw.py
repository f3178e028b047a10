"""Approximate search on a real PostgreSQL: in step with the store, nearly always right, gone when dropped."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from shelves import MODEL, D, Shelf, truth, units
from sqlalchemy import Engine, create_engine, event, inspect, text

from samevoice.errors import ConfigError, GalleryError
from samevoice.gallery.hnsw import Neighbours
from samevoice.gallery.layout import Rows
from samevoice.gallery.search import Index


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    opened = create_engine(postgres_url.replace("postgresql://", "postgresql+psycopg://"))
    yield opened
    opened.dispose()


def filled(count: int) -> Shelf:
    shelf = Shelf()
    shelf.add(units(count))
    return shelf


def opened(shelf: Shelf, engine: Engine) -> Neighbours:
    neighbours = Neighbours(shelf, MODEL, engine)
    neighbours.turn_on()
    return neighbours


def spoken_again(shelf: Shelf, count: int = 100, seed: int = 5) -> Rows:
    """Queries near some who are enrolled."""
    picked = np.random.default_rng(seed).choice([*shelf.kept], count)
    near: Rows = np.stack([shelf.kept[each][1] for each in picked.tolist()]) + 0.5 * units(count, seed)
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    return near


def same(neighbours: Neighbours, shelf: Shelf, count: int = 20, top: int = 3) -> None:
    """Few templates: the search must be exact."""
    queries = spoken_again(shelf, count)
    ids, scores = neighbours.search(queries, top, breadth=1_000)
    wanted, cosines = truth(shelf, queries, top)
    np.testing.assert_array_equal(ids, wanted)
    np.testing.assert_allclose(scores, cosines, atol=1e-6)


def stored(engine: Engine) -> dict[int, list[float]]:
    """The rows of the only table of neighbours."""
    with engine.begin() as connection:
        (name,) = (name for name in inspect(connection).get_table_names() if name.startswith("neighbours_"))
        rows = connection.execute(text(f"SELECT id, vector::real[] FROM {name}")).all()  # noqa: S608
    return {row[0]: row[1] for row in rows}


def test_the_table_follows_the_store(engine: Engine) -> None:
    shelf = filled(300)
    neighbours = opened(shelf, engine)
    same(neighbours, shelf)
    shelf.add(units(50, 2))
    shelf.change(7, units(1, 3)[0])
    shelf.remove(8, 9)
    neighbours.refresh()
    same(neighbours, shelf)
    assert stored(engine).keys() == shelf.kept.keys()
    shelf.reads = 0
    neighbours.refresh()
    opened(shelf, engine)
    assert shelf.reads == 0
    shelf.remove(*shelf.kept)
    neighbours.refresh()
    assert neighbours.search(units(2), 3)[0].shape == (2, 0)


def test_nobody_then_somebody(engine: Engine) -> None:
    shelf = Shelf()
    neighbours = opened(shelf, engine)
    assert neighbours.search(units(2), 3)[0].shape == (2, 0)
    shelf.add(units(5))
    neighbours.refresh()
    same(neighbours, shelf)
    assert neighbours.search(units(2), 9)[0].shape == (2, 5)


def test_the_server_gets_no_plain_vector(engine: Engine) -> None:
    shelf = filled(50)
    opened(shelf, engine)
    rows = np.array([vector for _, vector in sorted(stored(engine).items())])
    assert rows.shape == (50, D)
    assert np.abs((rows * units(50)).sum(axis=1)).max() < 0.95  # the same people, elsewhere
    np.testing.assert_allclose(rows @ rows.T, units(50) @ units(50).T, atol=1e-5)


@pytest.mark.parametrize(("server", "used"), [("64MB", "1GB"), ("1500MB", "1500MB")])
def test_the_graph_is_built_with_a_gigabyte_or_what_the_server_gives(server: str, used: str, engine: Engine) -> None:
    with engine.begin() as connection:
        name = connection.execute(text("SELECT current_database()")).scalar_one()
        connection.execute(text(f"ALTER DATABASE \"{name}\" SET maintenance_work_mem = '{server}'"))
    engine.dispose()
    seen = []

    @event.listens_for(engine, "before_cursor_execute")
    def look(_: object, cursor: Any, statement: str, *__: object) -> None:
        if "USING hnsw" in statement:
            cursor.execute("SHOW maintenance_work_mem")
            seen.extend(cursor.fetchone())

    opened(filled(20), engine)
    assert seen == [used]


def test_recall_of_the_graph(engine: Engine) -> None:
    shelf = filled(5_000)
    neighbours, exact, queries = opened(shelf, engine), Index.of(shelf, MODEL, cache=None), spoken_again(shelf)
    assert neighbours.recall(queries, exact) > 0.95
    with engine.begin() as connection:  # a table where some are missing
        connection.execute(text(f"DELETE FROM {neighbours._name} WHERE id % 4 = 0"))  # noqa: S608
    assert 0.6 < neighbours.recall(queries, exact) < 0.9
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = connection.execute(
            text(f"EXPLAIN SELECT id FROM {neighbours._name} ORDER BY vector <#> :query LIMIT 10"),  # noqa: S608
            {"query": str(queries[0].tolist())},
        )
        assert "hnsw" in "".join(plan.scalars())


def test_another_key_or_an_older_store_makes_it_anew(engine: Engine) -> None:
    shelf = filled(100)
    opened(shelf, engine)
    before = shelf.copy()
    shelf.change(3, units(1, 9)[0])
    opened(shelf, engine)
    shelf.put_back(before)
    same(opened(shelf, engine), shelf)
    shelf.add(units(3, 10))
    opened(shelf, engine)
    shelf.put_back(before)
    shelf.add(units(2, 11))  # as many changes as before, but others
    shelf.add(units(1, 12))
    same(opened(shelf, engine), shelf)
    other = Shelf("two")
    other.add(units(80, 4))
    same(opened(other, engine), other)
    with pytest.raises(GalleryError, match="turn that on first"):
        Neighbours(shelf, MODEL, engine).search(units(1))


def test_two_models_do_not_meet(engine: Engine) -> None:
    shelf, other = filled(50), Shelf(model="other@0")
    other.add(units(60, 7, size=8))
    first, second = opened(shelf, engine), Neighbours(other, "other@0", engine)
    second.turn_on()
    same(first, shelf)
    assert second.search(units(1, 7, size=8), 1)[0][0, 0] == 1
    second.drop()
    same(first, shelf)


def test_dropped_means_gone(engine: Engine) -> None:
    shelf = filled(50)
    neighbours = opened(shelf, engine)
    neighbours.drop()
    neighbours.drop()
    assert not [name for name in inspect(engine).get_table_names() if name.startswith("neighbours_")]
    with pytest.raises(GalleryError, match="turn that on first"):
        neighbours.search(units(1))
    with pytest.raises(GalleryError, match="turn that on first"):  # by a process that had it open
        neighbours.refresh()
    neighbours.turn_on()
    same(neighbours, shelf)


def test_before_the_first_refresh_there_is_nothing_to_search(engine: Engine) -> None:
    with pytest.raises(GalleryError, match="turn that on first"):
        Neighbours(filled(5), MODEL, engine).search(units(1))
    with pytest.raises(GalleryError, match="turn that on first"):
        Neighbours(filled(5), MODEL, engine).recall(units(1), Index.of(filled(5), MODEL, cache=None))


def test_what_cannot_be_asked_is_said(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = filled(5)
    neighbours = opened(shelf, engine)
    for top in (0, 1_001):
        with pytest.raises(ValueError, match="1 to 1000"):
            neighbours.search(units(1), top)
    with pytest.raises(ValueError, match="recall needs"):
        neighbours.recall(units(1), Index.of(Shelf(), MODEL, cache=None))
    with pytest.raises(ConfigError, match="PostgreSQL"):
        Neighbours(shelf, MODEL, create_engine("sqlite://"))
    monkeypatch.setitem(sys.modules, "pgvector.psycopg", None)
    with pytest.raises(ConfigError, match=r"pip install 'samevoice\[scale\]'"):
        Neighbours(shelf, MODEL, engine)


def test_no_server_and_no_right_to_install_are_said_without_passwords(engine: Engine) -> None:
    away = create_engine("postgresql+psycopg://me:secret@127.0.0.1:1/voices")
    with pytest.raises(GalleryError, match=r"^postgresql://me@127.0.0.1:1/voices: ") as error:
        Neighbours(filled(5), MODEL, away).turn_on()
    assert "secret" not in str(error.value)
    with engine.begin() as connection:
        connection.execute(text("CREATE ROLE guest_of_hnsw LOGIN"))
        connection.execute(text("GRANT ALL ON SCHEMA public TO guest_of_hnsw"))
    guest = create_engine(engine.url.set(username="guest_of_hnsw"))
    try:
        with pytest.raises(GalleryError, match="CREATE EXTENSION vector"):
            Neighbours(filled(5), MODEL, guest).turn_on()
    finally:
        guest.dispose()
        with engine.begin() as connection:
            connection.execute(text("DROP OWNED BY guest_of_hnsw"))
            connection.execute(text("DROP ROLE guest_of_hnsw"))
