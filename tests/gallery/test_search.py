"""Search finds the true nearest templates, whatever happened to store, file or machine in between."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gallerymakers import MODEL as TOY
from gallerymakers import voiceprint
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shelves import MODEL, D, Shelf, Some, truth, units

from samevoice.errors import GalleryError
from samevoice.gallery import cache as files
from samevoice.gallery import search
from samevoice.gallery.cache import cache_file
from samevoice.gallery.crypto import MasterKey
from samevoice.gallery.layout import BLOCK, Head, Rows, UnusableError, check_of, checks_of, head_of, key_of
from samevoice.gallery.locks import locked
from samevoice.gallery.rows import State
from samevoice.gallery.search import Index
from samevoice.gallery.store import Store


def agrees(index: Index, shelf: Shelf, queries: Rows, top: int = 10) -> None:
    ids, scores = index.search(queries, top)
    wanted, cosines = truth(shelf, queries, top)
    np.testing.assert_array_equal(ids, wanted)
    np.testing.assert_allclose(scores, cosines, atol=1e-6)
    assert len(index) == len(shelf.kept)


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files from 50 templates on."""
    monkeypatch.setattr(search, "LIMIT", 50)


def forget(near: Path, shelf: Shelf) -> None:
    files.forget(near, lambda: shelf.template_ids(MODEL), key_of(shelf.key, shelf.id))


def filled(count: int = 200) -> Shelf:
    shelf = Shelf()
    shelf.add(units(count))
    return shelf


@given(
    count=st.integers(1, 80),
    queries=st.integers(1, 5),
    top=st.integers(1, 100),
    seed=st.integers(0, 2**32 - 1),
)
def test_finds_the_nearest_in_order(count: int, queries: int, top: int, seed: int) -> None:
    shelf = Shelf()
    shelf.add(units(count, seed))
    agrees(Index.of(shelf, MODEL, cache=None), shelf, units(queries, seed + 1), top)


def test_batches_give_what_single_queries_give(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf, queries = filled(3_000), units(40, 1)
    index = Index.of(shelf, MODEL, cache=None)
    together = index.search(queries)
    monkeypatch.setattr(search, "SCORES", 10_000)  # three queries at a time
    in_blocks = index.search(queries)
    alone = [index.search(query[np.newaxis]) for query in queries]
    for at in range(2):
        np.testing.assert_array_equal(together[at], in_blocks[at])
        np.testing.assert_array_equal(together[at], np.concatenate([one[at] for one in alone]))


def test_many_queries_take_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    cosines = State.cosines

    def watched(state: State, queries: Rows) -> Rows:
        taken.append(len(queries) * state.places)
        return cosines(state, queries)

    monkeypatch.setattr(State, "cosines", watched)
    monkeypatch.setattr(search, "SCORES", 1_000)
    Index.of(filled(100), MODEL, cache=None).search(units(95, 1))
    assert taken == [1_000] * 9 + [500]


def test_a_template_that_changes_while_it_is_read_comes_twice_and_the_newer_counts() -> None:
    shelf = filled(30)
    given_out = Shelf.templates

    def templates(model: str, *, since: int) -> Iterator[Some]:
        yield from given_out(shelf, model, since=since)
        shelf.change(7, units(1, 9)[0])
        shelf.change(30, units(1, 10)[0])
        yield from given_out(shelf, model, since=1)

    shelf.templates = templates  # type: ignore[method-assign]
    index = Index.of(shelf, MODEL, cache=None)
    agrees(index, shelf, np.concatenate([units(30), units(1, 9), units(1, 10)]), 3)


@pytest.mark.usefixtures("small_files")
def test_equal_templates_come_in_order_of_enrolment_wherever_their_rows_are(tmp_path: Path) -> None:
    shelf = filled(60)
    twin = shelf.kept[30][1]
    index = Index.of(shelf, MODEL, cache=tmp_path / "c")
    shelf.change(50, twin)
    shelf.change(7, twin)
    shelf.add(np.stack([twin] * 40))
    index.refresh()
    ids, scores = index.search(twin[np.newaxis], 20)
    assert ids[0].tolist() == [7, 30, 50, *range(61, 78)]
    assert (scores == scores[0, 0]).all()


def test_a_probe_that_is_a_template_scores_one_and_never_more() -> None:
    shelf = filled(500)
    _, scores = Index.of(shelf, MODEL, cache=None).search(units(500), 1)
    np.testing.assert_allclose(scores, 1.0, atol=1e-6)
    assert scores.max() <= 1.0


def test_empty_galleries_and_odd_queries() -> None:
    shelf = Shelf()
    index = Index.of(shelf, MODEL, cache=None)
    ids, scores = index.search(units(3))
    assert ids.shape == scores.shape == (3, 0)
    assert index.match(units(1)[0]) == []
    shelf.add(units(5))
    index.refresh()
    assert index.search(np.empty((0, D), np.float32))[0].shape == (0, 5)
    bad = units(1)
    bad[0, 3] = np.nan
    for vectors, top in ((units(1, size=D + 1), 1), (units(1), 0), (units(1)[0], 1), (bad, 1)):
        with pytest.raises(ValueError, match="search takes"):
            index.search(vectors, top)


def test_match_names_people() -> None:
    shelf = filled(30)
    first, second = Index.of(shelf, MODEL, cache=None).match(units(30)[4], 2)
    assert (first.person, first.name, first.seconds) == ("p5", "Person 5", 8.0)
    assert first.score == pytest.approx(1.0)
    assert first.score > second.score


def test_somebody_deleted_since_is_not_matched_and_another_moves_up() -> None:
    shelf = filled(30)
    index = Index.of(shelf, MODEL, cache=None)
    shelf.remove(5)
    wanted = [f"p{each}" for each in truth(shelf, units(30)[4:5], 3)[0][0]]
    assert [match.person for match in index.match(units(30)[4], 3)] == wanted


changes = st.lists(
    st.tuples(st.sampled_from(["add", "change", "remove", "refresh", "reopen", "forget"]), st.integers(0, 2**16)),
    max_size=30,
)


@pytest.mark.usefixtures("small_files")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=changes)
@pytest.mark.parametrize("with_file", [True, False])
def test_an_index_follows_its_store(
    steps: list[tuple[str, int]], with_file: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    near = tmp_path_factory.mktemp("gallery") / "g.db"
    cache = cache_file(near, MODEL) if with_file else None
    shelf = filled(60)
    index = Index.of(shelf, MODEL, cache=cache)
    for step, number in steps:
        ids = sorted(shelf.kept)
        if step == "add":
            shelf.add(units(1 + number % 40, number))
        elif step == "change" and ids:
            shelf.change(ids[number % len(ids)], units(1, number)[0])
        elif step == "remove" and ids:
            shelf.remove(*ids[number % len(ids) :][: 1 + number % 20])
        elif step == "refresh":
            index.refresh()
        elif step == "reopen":
            index = Index.of(shelf, MODEL, cache=cache)
        elif step == "forget":
            forget(near, shelf)
    for each in (index, Index.of(shelf, MODEL, cache=cache)):
        each.refresh()
        if shelf.kept:
            agrees(each, shelf, units(2, 99), 5)
        assert len(each) == len(shelf.kept)


@pytest.mark.usefixtures("small_files")
def test_refresh_reads_only_what_is_new(tmp_path: Path) -> None:
    shelf = filled(200)
    index = Index.of(shelf, MODEL, cache=tmp_path / "c")
    shelf.reads = 0
    index.refresh()
    assert shelf.reads == 0
    shelf.add(units(3, 5))
    shelf.change(9, units(1, 6)[0])
    shelf.remove(11)
    index.refresh()
    assert shelf.reads == 4
    again = Index.of(shelf, MODEL, cache=tmp_path / "c")  # the file is 3 changes behind
    assert shelf.reads == 8
    for each in (index, again):
        agrees(each, shelf, units(4, 7))


@pytest.mark.usefixtures("small_files")
def test_the_file_is_for_its_owner_and_holds_no_plain_vector(tmp_path: Path) -> None:
    shelf = filled()
    Index.of(shelf, MODEL, cache=tmp_path / "deep" / "c")
    path = tmp_path / "deep" / "c"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = path.read_bytes()
    assert not any(vector[:2].tobytes() in content for vector in units(200))
    assert {each.name for each in path.parent.iterdir()} == {"c", "c.lock"}


def test_few_people_need_no_file(tmp_path: Path) -> None:
    Index.of(filled(), MODEL, cache=tmp_path / "c")
    assert not [*tmp_path.iterdir()]


@pytest.mark.usefixtures("small_files")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_a_damaged_file_is_never_believed(
    place: float, bit: int, cut: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shelf, path = filled(), tmp_path_factory.mktemp("cache") / "c"
    Index.of(shelf, MODEL, cache=path)
    content = bytearray(path.read_bytes())
    at = int(place * len(content))
    if cut:
        del content[at:]
    else:
        content[at] ^= 1 << bit
    path.write_bytes(content)
    agrees(Index.of(shelf, MODEL, cache=path), shelf, units(200), 3)
    assert path.stat().st_size > len(units(200).tobytes())  # whole again


@pytest.mark.usefixtures("small_files")
def test_a_file_of_another_gallery_key_or_model_is_not_believed(tmp_path: Path) -> None:
    shelf, path = filled(), tmp_path / "c"
    others = [Shelf("two"), Shelf("one", MasterKey.from_bytes(bytes(32)))]
    for other in others:
        other.add(units(200, 3))
        Index.of(other, MODEL, cache=path)
        agrees(Index.of(shelf, MODEL, cache=path), shelf, units(5, 8))
    other = Shelf(model="another@0")
    other.add(units(200, 4))
    agrees(Index.of(other, "another@0", cache=path), other, units(5, 8))
    agrees(Index.of(shelf, MODEL, cache=path), shelf, units(5, 8))


@pytest.mark.usefixtures("small_files")
def test_an_older_database_that_came_back_is_read_anew(tmp_path: Path) -> None:
    shelf = filled()
    before = shelf.copy()
    shelf.change(3, units(1, 5)[0])
    shelf.add(units(100, 6))
    index = Index.of(shelf, MODEL, cache=tmp_path / "c")
    shelf.put_back(before)
    index.refresh()
    for each in (index, Index.of(shelf, MODEL, cache=tmp_path / "c")):
        agrees(each, shelf, units(5, 8))


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("later", [0, 1, 5])
def test_an_older_database_that_counted_on_is_read_anew(later: int, tmp_path: Path) -> None:
    """Numbers and counts start again from the copy, so that others get those of the people who are lost."""
    shelf = filled()
    before = shelf.copy()
    for seed in range(3):
        shelf.add(units(1, 20 + seed))
    index, alone = Index.of(shelf, MODEL, cache=tmp_path / "c"), Index.of(shelf, MODEL, cache=None)
    shelf.put_back(before)
    for seed in range(3 + later):
        shelf.add(units(1, 30 + seed))
    for each in (Index.of(shelf, MODEL, cache=tmp_path / "c"), index, alone):
        each.refresh()
        agrees(each, shelf, np.concatenate([units(1, 20 + seed) for seed in range(3)]))


@pytest.mark.usefixtures("small_files")
def test_a_file_that_was_altered_with_new_checks_is_never_believed(tmp_path: Path) -> None:
    """Somebody without the key swaps two people, and makes whatever can be made without it."""
    near = tmp_path / "g.db"
    path, shelf = cache_file(near, MODEL), filled()
    mine, theirs = key_of(shelf.key, shelf.id), bytes(32)

    def swap(*, rows: bool, blocks: bool, head: bool) -> None:
        with path.open("r+b") as stream:
            was = head_of(mine, stream)
            first, second = ids = was.ids[3:5].copy()
            stream.seek(was.place(0))
            content = np.frombuffer(bytearray(stream.read()), "<f4").reshape(-1, D)
            if rows:
                content[[3, 4]] = content[[4, 3]]
            else:
                ids[:] = second, first
                was.ids[3:5] = ids
            checks = checks_of([check_of(theirs, content.tobytes())]) if blocks else was.checks
            stream.seek(was.place(0))
            stream.write(content.tobytes())
            if head:
                stream.seek(0)
                stream.write(Head(D, was.moment, was.origin, was.ids, checks).pack(theirs))
        assert len(shelf.kept) < BLOCK

    for how in ({"rows": True, "blocks": False}, {"rows": True, "blocks": True}, {"rows": False, "blocks": False}):
        for head in (False, True):
            Index.of(shelf, MODEL, cache=path)
            swap(head=head, **how)
            agrees(Index.of(shelf, MODEL, cache=path), shelf, units(200), 3)
    Index.of(shelf, MODEL, cache=path)
    swap(rows=True, blocks=False, head=False)
    shelf.remove(100)
    forget(near, shelf)  # must not make new checks for what was altered
    assert not path.exists()


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("change", [lambda whole: whole[:-1], lambda whole: whole + bytes(1)], ids=["short", "long"])
def test_a_file_of_another_size_than_it_tells_has_no_head(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    path, shelf = cache_file(tmp_path / "g.db", MODEL), filled()
    Index.of(shelf, MODEL, cache=path)
    with path.open("rb") as stream:
        assert head_of(key_of(shelf.key, shelf.id), stream).dimension == D
    path.write_bytes(change(path.read_bytes()))
    with path.open("rb") as stream, pytest.raises(UnusableError):
        head_of(key_of(shelf.key, shelf.id), stream)


def rotated(path: Path, shelf: Shelf, each: int) -> bool:
    """Whether a file holds somebody's row; found as the row that an index of only this person keeps."""
    alone = Shelf()
    alone.changes, alone.kept = 1, {each: (1, shelf.kept[each][1])}
    row = Index.of(alone, MODEL, cache=None)._state.rows[0]
    with path.open("rb") as stream:
        first = head_of(key_of(shelf.key, shelf.id), stream).place(0)
    stored = np.frombuffer(path.read_bytes(), "<f4", offset=first).reshape(-1, D)
    return bool((np.abs(stored - row).max(axis=1) < 1e-6).any())


@pytest.mark.usefixtures("small_files")
def test_deleting_zeroes_the_row_on_disk_in_every_process(tmp_path: Path) -> None:
    near = tmp_path / "g.db"
    path, shelf = cache_file(near, MODEL), filled()
    index = Index.of(shelf, MODEL, cache=path)
    gone = shelf.kept[42]
    assert rotated(path, shelf, 42)
    shelf.remove(42)
    forget(near, shelf)
    shelf.kept[42] = gone
    assert not rotated(path, shelf, 42)
    assert rotated(path, shelf, 41)
    shelf.kept.pop(42)
    ids, scores = index.search(gone[1][np.newaxis], 200)  # not refreshed, but mapped
    assert scores[ids == 42] == 0.0
    shelf.reads = 0
    agrees(Index.of(shelf, MODEL, cache=path), shelf, units(5, 8))
    assert shelf.reads == 0  # the file is still good


@pytest.mark.usefixtures("small_files")
def test_a_refresh_zeroes_what_another_process_removed_but_not_what_it_changed(tmp_path: Path) -> None:
    path, shelf = tmp_path / "c", filled()
    index = Index.of(shelf, MODEL, cache=path)
    old = dict(shelf.kept)
    shelf.remove(42)
    shelf.change(43, units(1, 5)[0])
    index.refresh()
    shelf.kept, now = old, shelf.kept
    assert not rotated(path, shelf, 42)
    assert rotated(path, shelf, 43)  # whoever has not refreshed yet must still find this person
    shelf.kept = now
    agrees(index, shelf, units(5, 8))


@pytest.mark.usefixtures("small_files")
def test_a_person_deleted_while_the_file_is_rebuilt_does_not_come_back(tmp_path: Path) -> None:
    near = tmp_path / "g.db"
    path, shelf = cache_file(near, MODEL), filled()
    gone = shelf.kept[42]
    deleted = threading.Thread(target=forget, args=(near, shelf))
    given_out = Shelf.templates

    def templates(model: str, *, since: int) -> Iterator[Some]:
        yield from given_out(shelf, model, since=since)
        if 42 in shelf.kept:  # after the row was read: the deletion is committed, and its call waits for the writer
            shelf.remove(42)
            deleted.start()
            deleted.join(0.2)
            assert deleted.is_alive()

    shelf.templates = templates  # type: ignore[method-assign]
    index = Index.of(shelf, MODEL, cache=path)
    deleted.join()
    agrees(index, shelf, units(5, 8))
    shelf.kept[42] = gone
    assert path.exists()
    assert not rotated(path, shelf, 42)


@pytest.mark.usefixtures("small_files")
def test_a_lock_that_means_nothing_is_made_up_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, shelf = tmp_path / "c", filled()
    gone = shelf.kept[42]
    real = files.write

    def write(*arguments: Any) -> None:
        shelf.remove(42)  # by somebody who found no file to change
        real(*arguments)

    monkeypatch.setattr(files, "write", write)
    index = Index.of(shelf, MODEL, cache=path)
    agrees(index, shelf, units(5, 8))
    shelf.kept[42] = gone
    assert not rotated(path, shelf, 42)


@pytest.mark.usefixtures("small_files")
def test_what_a_killed_writer_left_goes_with_the_next_deletion(tmp_path: Path) -> None:
    near = tmp_path / "g.db"
    path, shelf = cache_file(near, MODEL), filled()
    Index.of(shelf, MODEL, cache=path)
    left = path.with_name(path.name + ".new")
    left.write_bytes(path.read_bytes())
    shelf.remove(42)
    forget(near, shelf)
    assert not left.exists()


def test_forgetting_touches_nothing_else(tmp_path: Path) -> None:
    near = tmp_path / "g[1]*.db"
    other = tmp_path / "g1.db.index"
    other.write_text("mine")
    files.forget(near, lambda: pytest.fail("there is no cache"), b"")
    files.forget(tmp_path / "nowhere" / "g.db", lambda: pytest.fail("there is no cache"), b"")
    assert other.read_text() == "mine"


@pytest.mark.usefixtures("small_files")
def test_a_file_that_can_be_neither_changed_nor_removed_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = tmp_path / "g.db"
    shelf = filled()
    Index.of(shelf, MODEL, cache=cache_file(near, MODEL))
    shelf.remove(42)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(GalleryError, match=r"still holds.*Read-only file system.*remove this file"):
        forget(near, shelf)


@pytest.mark.usefixtures("small_files")
def test_a_disk_that_takes_no_file_costs_no_answer(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    shelf = filled()
    index = Index.of(shelf, MODEL, cache=blocked / "c")
    agrees(index, shelf, units(5, 8))
    shelf.add(units(60, 3))
    shelf.remove(*range(1, 10))
    index.refresh()
    agrees(index, shelf, units(5, 8))


@pytest.mark.usefixtures("small_files")
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf, path = filled(), tmp_path / "c"
    index = Index.of(shelf, MODEL, cache=path)
    content = path.read_bytes()
    monkeypatch.setattr(files, "_sync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
    shelf.add(units(60, 3))
    index.refresh()
    agrees(index, shelf, units(5, 8))
    assert path.read_bytes() == content
    assert {each.name for each in tmp_path.iterdir()} == {"c", "c.lock"}


@pytest.mark.usefixtures("small_files")
def test_searching_while_people_come_and_go(tmp_path: Path) -> None:
    shelf = filled(300)
    index = Index.of(shelf, MODEL, cache=tmp_path / "c")
    stay = units(300)[200:]
    wrong: list[object] = []
    over = threading.Event()

    def look() -> None:
        try:
            while not over.is_set():
                ids, scores = index.search(stay, 1)
                wrong.extend(ids[ids[:, 0] != np.arange(201, 301)])
                wrong.extend(scores[scores < 0.999])
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(40):
        newest = shelf.add(units(20, 1_000 + turn))[0]
        shelf.remove(turn + 1, newest)
        index.refresh()
    over.set()
    for thread in threads:
        thread.join()
    assert not wrong


def test_writers_take_turns_between_processes(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nfrom samevoice.gallery.locks import locked\n"
        f"with locked(Path({str(tmp_path / 'c')!r})): print('in')"
    )
    with locked(tmp_path / "c"):
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            child.communicate(timeout=2)
    assert child.communicate(timeout=20)[0] == "in\n"
    assert child.returncode == 0


def test_twenty_thousand_go_to_a_file_and_are_there_at_the_next_start(tmp_path: Path) -> None:
    shelf = filled(20_000)
    agrees(Index.of(shelf, MODEL, cache=tmp_path / "c"), shelf, units(3, 8))
    shelf.reads = 0
    agrees(Index.of(shelf, MODEL, cache=tmp_path / "c"), shelf, units(3, 8))
    assert shelf.reads == 0
    shelf.remove(*range(1, 19_000))
    shelf.add(units(3_000, 2))
    index = Index.of(shelf, MODEL, cache=tmp_path / "c")
    agrees(index, shelf, units(3, 8))
    assert not (tmp_path / "c").exists()  # few again


@pytest.mark.usefixtures("small_files")
def test_with_a_real_store(store: Store, path: Path) -> None:
    for seed in range(60):
        store.add(f"P{seed}", voiceprint(seed))
    cache = cache_file(path, TOY)
    index = Index.of(store, TOY, cache=cache)
    assert cache.exists()
    store.add("P7", voiceprint(107))
    store.delete("P8")
    store.merge("P9", "P10")
    store.remove_last("P11")
    store.add("P12", voiceprint(5, model="toy/2"))
    store.add("New", voiceprint(500))
    files.forget(path, store.template_owners, store.index_key)
    for each in (index, Index.of(store, TOY, cache=cache)):
        each.refresh()
        assert len(each) == len(store.people()) == 58
        for person in store.people():
            template = store.template(person.name, TOY)
            assert template is not None
            (match,) = each.match(template.vector, 1)
            assert (match.person, match.name, match.seconds) == (person.id, person.name, template.seconds)
            assert match.score == pytest.approx(1.0)
