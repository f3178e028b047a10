"""Parts share nobody, are stable, and hold everything; leaks are refused with names."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from listings import digest, listed, small_corpus

from samevoice.corpora.manifest import Manifest, Utterance
from samevoice.corpora.splits import check_disjoint, split_as_published, split_by_speaker
from samevoice.errors import ConfigError, DataError

SHARES = {"train": 0.8, "dev": 0.1, "test": 0.1}


def corpus(*utterances: Utterance) -> Manifest:
    return Manifest(Path("corpus"), utterances)


def many(speakers: int, each: int = 2) -> Manifest:
    return corpus(*(listed(f"{who}-{n}", f"who{who}") for who in range(speakers) for n in range(each)))


@given(speakers=st.integers(3, 80), dev=st.floats(0.01, 0.4), test=st.floats(0.01, 0.4), seed=st.integers(0, 5))
def test_every_part_has_somebody_and_everything_is_in_one_part(
    speakers: int, dev: float, test: float, seed: int
) -> None:
    manifest = many(speakers)
    shares = {"train": 1 - dev - test, "dev": dev, "test": test}
    parts = split_by_speaker(manifest, shares, seed)
    assert list(parts) == list(shares)
    ids = [one.id for part in parts.values() for one in part]
    assert sorted(ids) == sorted(one.id for one in manifest)
    homes = [set(part.speakers) for part in parts.values()]
    assert sum(map(len, homes)) == len(set().union(*homes)) == speakers
    for home, share in zip(homes, shares.values(), strict=True):
        assert len(home) >= 1
        assert abs(len(home) - share * speakers) <= 2


def test_the_seed_decides_and_nothing_else() -> None:
    manifest = many(50)
    backwards = manifest.only(reversed(manifest.utterances))
    first = split_by_speaker(manifest, SHARES, 1)["test"].speakers
    assert first == split_by_speaker(backwards, SHARES, 1)["test"].speakers
    assert first != split_by_speaker(manifest, SHARES, 2)["test"].speakers


def test_this_order_is_for_ever() -> None:
    parts = split_by_speaker(many(10), SHARES)
    assert {name: part.speakers for name, part in parts.items() if name != "train"} == {
        "dev": ("who7",),
        "test": ("who6",),
    }


@given(more=st.integers(1, 5))
def test_new_speakers_move_few(more: int) -> None:
    before, after = split_by_speaker(many(200), SHARES), split_by_speaker(many(200 + more), SHARES)
    homes = [{who: name for name, part in parts.items() for who in part.speakers} for parts in (before, after)]
    moved = [who for who, name in homes[0].items() if homes[1][who] != name]
    assert len(moved) <= 2 * more


def test_a_share_of_nothing_gets_nobody() -> None:
    parts = split_by_speaker(many(2), {"train": 0.5, "dev": 0.0, "test": 0.5})
    assert [len(part.speakers) for part in parts.values()] == [1, 0, 1]
    parts = split_by_speaker(many(3), {"train": 1.0, "test": 0.0})
    assert [len(part) for part in parts.values()] == [6, 0]


def test_whoever_is_not_named_is_in_the_first_part() -> None:
    manifest = corpus(*many(3).utterances, listed("x"), listed("y"))
    parts = split_by_speaker(manifest, SHARES)
    assert [one.id for one in parts["train"] if one.speaker is None] == ["x", "y"]
    assert all(one.speaker for one in chain(parts["dev"], parts["test"]))


def test_too_few_speakers_are_told() -> None:
    with pytest.raises(DataError, match=r"2 speakers cannot be split into 3 parts; add speakers"):
        split_by_speaker(many(2), SHARES)


@pytest.mark.parametrize("shares", [{}, {"a": 0.5}, {"a": 1.5, "b": -0.5}, {"a": float("nan"), "b": 1.0}])
def test_shares_that_are_none_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="together 1"):
        split_by_speaker(many(5), shares)


def test_the_parts_of_the_corpus_itself() -> None:
    ones = [listed("a", "A", split="train"), listed("b", "B", split="test"), listed("c", "C")]
    parts = split_as_published(corpus(*ones))
    assert {name: [one.id for one in part] for name, part in parts.items()} == {"test": ["b"], "train": ["a"]}
    with pytest.raises(DataError, match="names no parts"):
        split_as_published(corpus(listed("c", "C")))
    with pytest.raises(DataError, match=r"1 speaker is in both test and train: A; split anew"):
        split_as_published(corpus(*ones, listed("d", "A", split="test")))


def test_speakers_on_two_sides_are_named_up_to_ten() -> None:
    with pytest.raises(DataError, match=r"^3 speakers are in both dev and train: who0, who1, who2; split anew"):
        check_disjoint({"train": many(5), "dev": many(3)})
    with pytest.raises(DataError, match=r"15 speakers are .*: who0, who1, who10, .*, who4 and 5 more; "):
        check_disjoint({"train": many(15), "dev": many(15)})
    check_disjoint({"train": many(3), "dev": corpus(listed("x"), listed("y", "Y"))})


COPY = digest(b"one recording")


def test_a_copy_on_the_other_side_is_named() -> None:
    here = listed("a", "A", checksum=COPY)
    for there in (listed("b", "B", checksum=COPY), listed("b", checksum=COPY)):
        with pytest.raises(DataError, match=r"^1 recording is listed twice.*: a \(A, train\) is b \(.*, dev\); remove"):
            check_disjoint({"train": corpus(here), "dev": corpus(there)})


def test_a_copy_under_two_speakers_is_named() -> None:
    here = listed("a", "A", checksum=COPY)
    with pytest.raises(DataError, match=r"a \(A, train\) is b \(B, train\)"):
        check_disjoint({"train": corpus(here, replace(here, id="b", speaker="B"))})
    with pytest.raises(DataError, match="under two speakers"):
        split_by_speaker(corpus(*many(20).utterances, here, replace(here, id="b", speaker="B")), SHARES)
    check_disjoint({"train": corpus(here, replace(here, id="b"))})  # the same speaker: no leak
    check_disjoint({"train": corpus(here, replace(here, id="b", speaker=None))})
    unknown = replace(here, checksum="")
    check_disjoint({"train": corpus(unknown), "dev": corpus(replace(unknown, id="b", speaker="B"))})


def test_a_meeting_may_have_several_speakers() -> None:
    first = listed("a", "A", checksum=COPY, start=0.0, seconds=5.0)
    second = listed("b", "B", checksum=COPY, start=4.0, seconds=5.0)  # they talk at once
    third = listed("c", "C", checksum=COPY, start=5.0, seconds=1.0)
    check_disjoint({"train": corpus(first, second, third)})
    check_disjoint({"train": corpus(first), "dev": corpus(third)})
    with pytest.raises(DataError, match=r"a \(A, train\) is b \(B, dev\)"):
        check_disjoint({"train": corpus(first), "dev": corpus(second)})


def test_a_long_recording_is_remembered_behind_short_ones() -> None:
    long = listed("a", "A", checksum=COPY, start=0.0, seconds=10.0)
    short = listed("b", "A", checksum=COPY, start=1.0, seconds=1.0)
    late = listed("c", "C", checksum=COPY, start=5.0, seconds=1.0)
    with pytest.raises(DataError, match=r"a \(A, train\) is c \(C, dev\)"):
        check_disjoint({"train": corpus(long, short), "dev": corpus(late)})


@given(
    st.lists(
        st.tuples(st.sampled_from(["train", "dev"]), st.integers(0, 12), st.integers(1, 6), st.sampled_from("ABC")),
        max_size=7,
    )
)
def test_overlap_is_found_as_by_comparing_all_pairs(drawn: list[tuple[str, int, int, str]]) -> None:
    ones = [
        (side, listed(str(n), f"{who}-{side}", checksum=COPY, start=float(start), seconds=float(length)))
        for n, (side, start, length, who) in enumerate(drawn)
    ]
    leaks = any(
        (one.start < other.start + other.seconds and other.start < one.start + one.seconds and side != that)
        or ((one.start, one.seconds) == (other.start, other.seconds) and one.speaker != other.speaker)
        for side, one in ones
        for that, other in ones
    )
    parts = {name: corpus(*(one for side, one in ones if side == name)) for name in ("train", "dev")}
    if leaks:
        with pytest.raises(DataError, match="listed twice"):
            check_disjoint(parts)
    else:
        check_disjoint(parts)


def test_a_deal_replaces_the_split_that_the_corpus_named(tmp_path: Path) -> None:
    corpus = small_corpus(tmp_path, speakers=6)
    named = corpus.only(replace(one, split="dev") for one in corpus)
    found = split_by_speaker(named, {"train": 0.5, "valid": 0.5})
    assert {one.split for one in found["train"]} == {"train"}
    assert {one.split for one in found["valid"]} == {""}
