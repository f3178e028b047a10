"""Batch k is a function of k, whoever makes it and when; bad recordings are replaced, counted and named."""

from __future__ import annotations

import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trainmakers import crops_of, joined, spoil, voices

from samevoice.corpora.manifest import Manifest
from samevoice.errors import ConfigError, DataError
from samevoice.training.crops import Samples, Taken
from samevoice.training.index import Rows
from samevoice.training.items import Item, items_of
from samevoice.training.loading import AHEAD, Batch, Loader
from samevoice.training.recipe import Data


def loader(manifest: Manifest, data: Data | None = None, cache: int = 1 << 24, **known: Any) -> Loader:
    return Loader(joined(manifest, data)[0], crops_of(manifest, cache=cache), **known)


def rows(items: int, batch: int = 6, start: int = 0) -> Iterator[tuple[int, Rows]]:
    """Number and rows of each batch, from one on."""
    return ((number, np.random.default_rng(number).integers(items, size=batch)) for number in count(start))


def bits(batches: Iterator[Batch] | list[Batch]) -> list[tuple[bytes, bytes, bytes]]:
    return [(one.sound.tobytes(), one.lengths.tobytes(), one.rows.tobytes()) for one in batches]


@pytest.fixture
def corpus(tmp_path: Path) -> Manifest:
    return voices(tmp_path, (5, 5, 5, 5))


@pytest.mark.parametrize("spoilt", [(), (2, 11)], ids=["sound", "spoilt"])
def test_batches_do_not_depend_on_threads_or_on_what_was_before(corpus: Manifest, spoilt: tuple[int, ...]) -> None:
    spoil(corpus, *spoilt)
    found = []
    for workers in (1, 4):
        with closing(loader(corpus, workers=workers)) as one:
            found.append(bits(islice(one.stream(rows(20)), 12)))
    with closing(loader(corpus, cache=0)) as fresh:
        later = bits(islice(fresh.stream(rows(20, start=5)), 7))
        alone = bits([fresh.load(number, drawn) for number, drawn in islice(rows(20), 12)][::-1])[::-1]
    assert found[0] == found[1] == alone
    assert found[0][5:] == later
    assert len(set(found[0])) == 12


def test_order_of_the_threads_does_not_matter(corpus: Manifest) -> None:
    """The earlier a batch, the longer it takes."""
    plain = loader(corpus)
    held = replace(crops_of(corpus), augment=lambda samples, _: samples)

    class Slow(type(held)):  # type: ignore[misc]
        def take(self, item: Item, random: np.random.Generator) -> Taken:
            time.sleep(float(random.random()) * 0.004)
            return plain._crops.take(item, np.random.default_rng(int(1e9 * item.piece.seconds)))

    one = Loader(joined(corpus)[0], Slow(held.sounds, held.frontend, held.crop), workers=4)
    two = Loader(joined(corpus)[0], Slow(held.sounds, held.frontend, held.crop), workers=1)
    with closing(plain), closing(one), closing(two):
        assert bits(islice(one.stream(rows(20)), 10)) == bits(islice(two.stream(rows(20)), 10))


def test_rows_of_one_batch_and_batches_of_one_row_are_heard_anew(corpus: Manifest) -> None:
    with closing(loader(corpus)) as one:
        batch = one.load(0, np.zeros(8, dtype=np.int64))
        again = one.load(1, np.zeros(8, dtype=np.int64))
    assert len(np.unique(np.concatenate([batch.sound, again.sound]), axis=0)) == 16
    with closing(loader(corpus, key=(1,))) as other:
        assert bits([other.load(0, np.zeros(8, dtype=np.int64))]) != bits([batch])


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_shares_are_the_whole_batch(corpus: Manifest, processes: int) -> None:
    spoil(corpus, 7)
    drawn = np.arange(12)
    with closing(loader(corpus)) as one:
        whole = one.load(3, drawn)
    shares = []
    for which in range(processes):
        with closing(loader(corpus, share=(which, processes))) as one:
            shares.append(one.load(3, drawn))
    np.testing.assert_array_equal(whole.sound, np.concatenate([one.sound for one in shares]))
    np.testing.assert_array_equal(whole.lengths, np.concatenate([one.lengths for one in shares]))
    np.testing.assert_array_equal(whole.rows, np.concatenate([one.rows for one in shares]))


def test_a_batch_that_cannot_be_shared_evenly_is_refused(corpus: Manifest) -> None:
    with (
        closing(loader(corpus, share=(0, 3))) as one,
        pytest.raises(ConfigError, match="3 processes cannot share a batch of 10 rows evenly"),
    ):
        one.load(0, np.arange(10))


@pytest.mark.parametrize("workers", [1, 9])
def test_only_so_many_batches_are_made_ahead(corpus: Manifest, workers: int) -> None:
    asked = 0

    def counted() -> Iterator[tuple[int, Rows]]:
        nonlocal asked
        for one in rows(20, batch=2):
            asked += 1
            yield one

    with closing(loader(corpus, workers=workers)) as one:
        for used, _ in enumerate(islice(one.stream(counted()), 5), start=1):
            assert asked == used + max(AHEAD, workers)


def test_finite_rows_end(corpus: Manifest) -> None:
    with closing(loader(corpus, workers=2)) as one:
        assert len(list(one.stream(islice(rows(20), 3)))) == 3
        assert list(one.stream(iter([]))) == []


def test_close_ends_the_threads(corpus: Manifest) -> None:
    one = loader(corpus, workers=3)
    stream = one.stream(rows(20))
    next(stream)
    mine = [thread for thread in threading.enumerate() if thread.name.startswith("samevoice-loader")]
    assert mine
    stream.close()  # type: ignore[attr-defined]
    one.close()
    assert not any(thread.is_alive() for thread in mine)


def test_errors_in_threads_surface_and_leave_nothing_waiting(corpus: Manifest) -> None:
    def broken(_: Samples) -> Samples:
        raise RuntimeError("in a thread")

    with closing(loader(corpus, prepare=broken, workers=2)) as one, pytest.raises(RuntimeError, match="in a thread"):
        next(one.stream(rows(20)))


def test_what_is_prepared_is_what_the_function_makes(corpus: Manifest) -> None:
    with closing(loader(corpus)) as plain, closing(loader(corpus, prepare=lambda one: 2 * one[:9])) as prepared:
        np.testing.assert_array_equal(
            prepared.load(0, np.arange(4)).sound, 2 * plain.load(0, np.arange(4)).sound[:, :9]
        )


@pytest.mark.parametrize("data", [Data(), Data(speeds=(1.0, 1.1)), Data(pieces=0.4)], ids=["whole", "speeds", "pieces"])
def test_a_bad_recording_is_replaced_by_the_same_voice_and_named(corpus: Manifest, data: Data) -> None:
    spoil(corpus, 1, 12)
    items = items_of(corpus, data)
    bad = {row for row, one in enumerate(items.items) if one.piece.utterance.id in ("s0-1.flac", "s2-12.flac")}
    with closing(loader(corpus, data)) as one:
        asked = np.tile(np.arange(len(items)), 3)
        batch = one.load(0, asked)
        assert set(one.bad) == bad
        told = one.describe_bad()
    assert set(told) == {"s0-1.flac", "s2-12.flac"}
    assert "s0-1.flac" in told["s0-1.flac"]
    np.testing.assert_array_equal(items.index.positions[batch.rows], items.index.positions[asked])
    replaced = np.isin(asked, list(bad))
    assert (batch.rows == asked)[~replaced].all()
    assert not np.isin(batch.rows, list(bad)).any()
    assert len(np.unique(batch.rows[replaced])) > 2  # not always by the same one


def test_an_unlabelled_recording_is_replaced_by_any_other(tmp_path: Path) -> None:
    corpus = voices(tmp_path, (3, 3), unlabelled=4)
    spoil(corpus, 7)
    with closing(loader(corpus)) as one:
        batch = one.load(0, np.full(20, 7))
        assert list(one.describe_bad()) == ["None-7.flac"]
    assert 7 not in batch.rows
    assert len(np.unique(batch.rows)) > 3


def test_too_many_bad_recordings_stop_it(corpus: Manifest) -> None:
    spoil(corpus, 0, 5, 10, 15)  # a fifth of 20: just tolerated
    with closing(loader(corpus)) as one:
        one.load(0, np.arange(20))
        assert len(one.describe_bad()) == 4
    spoil(corpus, 1)
    with (
        closing(loader(corpus)) as one,
        pytest.raises(DataError, match=r"5 of 20 recordings cannot be read.*data scan"),
    ):
        one.load(0, np.arange(20))


def test_pieces_of_one_bad_recording_are_one(tmp_path: Path) -> None:
    corpus = voices(tmp_path, (2, 2, 2), seconds=1.0)
    spoil(corpus, 0)
    with closing(loader(corpus, Data(pieces=0.1, speeds=(1.0, 0.9), speeds_are_speakers=False))) as one:
        one.load(0, np.arange(120))
        assert len(one.bad) == 20
        assert list(one.describe_bad()) == ["s0-0.flac"]


def test_a_speaker_of_bad_recordings_only_is_named(tmp_path: Path) -> None:
    corpus = voices(tmp_path, (2, 9))
    spoil(corpus, 0, 1)
    with (
        closing(loader(corpus)) as one,
        pytest.raises(DataError, match=r"no recording of speaker s0 can be read \(.*s0-"),
    ):
        one.load(0, np.arange(11))


def test_memory_is_flat_over_epochs(corpus: Manifest) -> None:
    with closing(loader(corpus, cache=0, workers=2)) as one:
        stream = one.stream(rows(20))
        held = []
        tracemalloc.start()
        try:
            for _ in range(6):
                for _ in islice(stream, 10):
                    pass
                held.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
    batch = 6 * 2000 * 4
    assert held[-1] - held[1] < 6 * batch  # what is on its way differs; every epoch kept would be 40 batches more
