"""Every second of every utterance is in one piece at each speed; nobody is on two sides."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trainmakers import listed, voices

from samevoice.corpora.manifest import Manifest, Utterance
from samevoice.errors import DataError
from samevoice.training.items import digest_of, items_of, parts
from samevoice.training.recipe import Data


def corpus(*utterances: Utterance) -> Manifest:
    return Manifest(Path("corpus"), utterances)


def people(count: int, each: int = 2, prefix: str = "p", **known: Any) -> tuple[Utterance, ...]:
    return tuple(
        listed(f"{prefix}{who:02}-{n}", f"{prefix}{who:02}", **known) for who in range(count) for n in range(each)
    )


@given(lengths=st.lists(st.floats(0.1, 100), min_size=1, max_size=6), pieces=st.just(0.0) | st.floats(0.1, 20))
def test_pieces_are_equal_and_cover_each_utterance_exactly(lengths: list[float], pieces: float) -> None:
    manifest = corpus(*(listed(f"u{n}", f"s{n}", seconds=length) for n, length in enumerate(lengths)))
    found = items_of(manifest, Data(pieces=pieces)).items
    for one in manifest:
        own = [item.piece for item in found if item.piece.utterance is one]
        assert len({piece.seconds for piece in own}) == 1
        ends = [0.0, *(piece.start + piece.seconds for piece in own)]
        for piece, before in zip(own, ends, strict=False):
            assert piece.start == pytest.approx(before, abs=1e-9)
        assert ends[-1] == pytest.approx(one.seconds, abs=1e-9)
        if not pieces:
            assert len(own) == 1
        elif len(own) > 1:
            assert pieces / 1.5 <= own[0].seconds * (1 + 1e-9)
            assert own[0].seconds <= 1.5 * pieces * (1 + 1e-9)
        else:
            assert one.seconds <= 1.5 * pieces * (1 + 1e-9)


def test_speeds_are_further_speakers_where_asked() -> None:
    manifest = corpus(*people(2))
    apart = items_of(manifest, Data(speeds=(1.0, 0.9, 1.1)))
    assert apart.names == ("p00", "p00 x0.9", "p00 x1.1", "p01", "p01 x0.9", "p01 x1.1")
    assert len(apart) == 12
    for item, number in zip(apart.items, apart.index.positions.tolist(), strict=True):
        name = item.piece.utterance.speaker
        assert apart.names[number] == (name if item.speed == 1 else f"{name} x{item.speed:g}")
    together = items_of(manifest, Data(speeds=(1.0, 0.9, 1.1), speeds_are_speakers=False))
    assert together.names == ("p00", "p01")
    assert [together.names[number] for number in together.index.positions] == [one.speaker for one in together.items]
    assert together.index.counts.tolist() == [6, 6]


def test_each_unlabelled_utterance_has_a_number_of_its_own() -> None:
    found = items_of(corpus(*(listed(f"u{n}", seconds=2.0) for n in range(3))), Data(pieces=1.0))
    assert len(found) == 6
    assert found.index.counts.tolist() == [2, 2, 2]


def test_nothing_to_learn_from() -> None:
    with pytest.raises(DataError, match="no utterance to learn from"):
        items_of(corpus(), Data())
    with pytest.raises(DataError, match=r"corpus: no utterance of 0\.5 s or more; add recordings"):
        parts(corpus(), Data(), 0)
    with pytest.raises(DataError, match="no utterance of 2 s"):
        parts(corpus(*people(9)), Data(least=2.0), 0)


def test_short_utterances_are_left_out_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    short = people(3, prefix="q", seconds=0.2)
    with caplog.at_level(logging.WARNING):
        found = parts(corpus(*people(8), *short), Data(), 0)
    assert "6 utterances are shorter than 0.5 s" in caplog.text
    assert not [one for side in (found.train, found.valid) for one in side if one.seconds < 0.5]


@given(count=st.integers(4, 60), share=st.floats(0.01, 0.5), seed=st.integers(0, 9))
def test_validation_speakers_are_taken_out(count: int, share: float, seed: int) -> None:
    manifest = corpus(*people(count), listed("nobody"))
    found = parts(manifest, Data(valid=share), seed)
    train, valid = set(found.train.speakers), set(found.valid.speakers)
    assert not train & valid
    assert len(train | valid) == count
    assert min(len(train), len(valid)) >= 2
    assert len(valid) == pytest.approx(max(2, share * count), abs=1)
    assert [one.id for one in found.unlabelled] == ["nobody"]
    assert len(found.train) + len(found.valid) == 2 * count
    assert not len(found.test)
    assert parts(manifest, Data(valid=share), seed) == found


def test_another_seed_takes_others() -> None:
    manifest = corpus(*people(40))
    assert len({parts(manifest, Data(), seed).valid.speakers for seed in range(5)}) > 1


@pytest.mark.parametrize("only", ["dev", "test"])
def test_one_published_side_is_the_test(only: str) -> None:
    sides = (*people(6, split="train"), *people(3, prefix="q", split=only), *people(2, prefix="r"))
    found = parts(corpus(*sides), Data(), 0)
    assert found.test.speakers == ("q00", "q01", "q02")
    assert len(found.valid.speakers) == 2
    assert set(found.train.speakers) | set(found.valid.speakers) == {
        *(f"p{n:02}" for n in range(6)),
        *(f"r{n:02}" for n in range(2)),
    }


def test_both_published_sides_are_taken() -> None:
    sides = (
        *people(4, split="train"),
        *people(3, prefix="q", split="dev"),
        *people(2, prefix="r", split="test"),
        listed("u0"),
        listed("u1", split="test"),
        listed("u2", split="dev"),
    )
    found = parts(corpus(*sides), Data(), 0)
    assert found.valid.speakers == ("q00", "q01", "q02")
    assert found.test.speakers == ("r00", "r01")
    assert found.train.speakers == ("p00", "p01", "p02", "p03")
    assert [one.id for one in found.unlabelled] == ["u0"]  # nothing of dev or test is learnt from


def test_validation_of_another_corpus_takes_nobody_out() -> None:
    other = Manifest(Path("other"), people(3, prefix="q"))
    found = parts(corpus(*people(5)), Data(), 0, valid=other)
    assert found.valid is other
    assert len(found.train.speakers) == 5


def test_a_speaker_on_two_sides_is_named() -> None:
    other = Manifest(Path("other"), (*people(3, prefix="q"), listed("x", "p03")))
    with pytest.raises(DataError, match=r"1 speaker is in both train and valid: p03"):
        parts(corpus(*people(5)), Data(), 0, valid=other)
    mixed = (*people(4, split="train"), listed("x", "p01", split="test"), listed("y", "q", split="test"))
    with pytest.raises(DataError, match=r"1 speaker is in both test and train: p01"):
        parts(corpus(*mixed), Data(), 0)


@pytest.mark.parametrize("speaker", [None, "p00"])
def test_a_recording_on_two_sides_is_named(speaker: str | None) -> None:
    same = f"sha256:{7:064x}"
    tested = replace(listed("t", "q00", split="test"), checksum=same)
    learnt = replace(listed("l", speaker), checksum=same)
    sides = (*people(6), tested, listed("t2", "q01", split="test"), learnt)
    with pytest.raises(DataError, match=r"l \(.*\) is t \(q00, test\)|t \(q00, test\) is l \("):
        parts(corpus(*sides), Data(), 0)


@pytest.mark.parametrize(("count", "words"), [(0, "found 0"), (1, "found 1"), (3, "at least 4 speakers .* found 3")])
def test_too_few_people(count: int, words: str) -> None:
    with pytest.raises(DataError, match=words):
        parts(corpus(*people(count), listed("nobody")), Data(), 0)


def test_too_few_people_on_a_published_side() -> None:
    sides = (*people(4), *people(1, prefix="q", split="dev"), *people(1, prefix="r", split="test"))
    with pytest.raises(DataError, match="a validation needs at least 2 speakers"):
        parts(corpus(*sides), Data(), 0)


def test_the_digest_is_of_the_utterances_not_of_their_place() -> None:
    manifest = corpus(*people(3))
    moved = Manifest(Path("elsewhere"), tuple(replace(one, path="x", member="y") for one in manifest))
    assert digest_of([manifest]) == digest_of([moved])
    changed = corpus(*(replace(one, seconds=1.5) for one in manifest))
    halves = [manifest.only(manifest.utterances[:3]), manifest.only(manifest.utterances[3:])]
    assert len({digest_of(one) for one in ([manifest], [changed], halves, [manifest, corpus()], halves[::-1])}) == 5


def test_numbers_do_not_depend_on_the_order_of_names() -> None:
    found = items_of(corpus(listed("a", "z"), listed("b", "a"), listed("c", "z")), Data())
    assert found.names == ("a", "z")
    np.testing.assert_array_equal(found.index.positions, [1, 0, 1])


def test_a_part_of_a_corpus_is_a_corpus(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = voices(tmp_path, (2,) * 8, seconds=0.8)
    dev = whole.only(replace(one, split="dev") for one in whole)
    with caplog.at_level("WARNING"):
        found = parts(dev, Data(valid=0.25), 0)
    assert (len(found.train.speakers), len(found.valid.speakers), len(found.test)) == (6, 2, 0)
    assert "taken for a corpus of its own" in caplog.text


def test_speakers_with_two_pieces_are_preferred_for_validation(tmp_path: Path) -> None:
    corpus = voices(tmp_path, (1, 1, 1, 1, 1, 1, 3, 3, 3), seconds=0.8)
    for seed in range(5):
        found = parts(corpus, Data(valid=0.22), seed, seconds=0.7)
        assert all(sum(one.speaker == name for one in found.valid) == 3 for name in found.valid.speakers)
