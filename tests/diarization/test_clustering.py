"""Telling voices apart: what was said holds, bounds hold, and long recordings are told as short ones are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from evidencemakers import Said, evidence_of, meeting, owners_of, people, rounds
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from samevoice.diarization import clustering
from samevoice.diarization.clustering import Constraints, Method, Telling, Told, tell
from samevoice.diarization.evidence import HOP, Evidence
from samevoice.errors import ConfigError
from samevoice.speech.segmentation import FRAMES, STEP, VOICES

METHODS: tuple[Method, ...] = ("agglomerative", "spectral")
FOUR: Said = meeting(240.0, 4, seed=3)


@pytest.fixture(scope="module")
def four() -> Evidence:
    """Four people within four minutes."""
    evidence = evidence_of(FOUR, 240.0)
    assert len({person for *_, person in FOUR}) == 4
    return evidence


def same_partition(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether two labellings differ by names alone."""
    pairs = set(zip(one, other, strict=True))
    return len(pairs) == len(set(one)) == len(set(other))


def promises(told: Told, pieces: int) -> None:
    """What holds for any answer."""
    labels = told.labels
    assert labels.shape == (pieces,)
    assert sum(share for _, share in told.counts) == pytest.approx(1.0)
    assert all(0 < share <= 1 + 1e-12 for _, share in told.counts)
    shares = [share for _, share in told.counts]
    assert shares == sorted(shares, reverse=True)
    assert len({count for count, _ in told.counts}) == len(told.counts)
    values, first = np.unique(labels, return_index=True)
    assert values.tolist() == list(range(told.speakers))
    assert (np.diff(first) > 0).all(), "in order of first appearance"


@pytest.mark.parametrize("method", METHODS)
def test_separate_voices_are_told_apart(four: Evidence, method: Method) -> None:
    told = tell(four, Telling(method=method))
    promises(told, len(four.windows))
    assert same_partition(told.labels.tolist(), owners_of(four, FOUR).tolist())
    assert told.counts[0][0] == 4


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 7])
def test_a_given_number_is_met(four: Evidence, method: Method, number: int) -> None:
    told = tell(four, Telling(speakers=number, method=method))
    promises(told, len(four.windows))
    assert told.speakers == number
    assert [count for count, _ in told.counts] == [number]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("least", "most", "wanted"), [(1, 3, 3), (6, None, 6), (2, 9, 4), (6, 8, 6), (1, 1, 1)])
def test_bounds_are_met(four: Evidence, method: Method, least: int, most: int | None, wanted: int) -> None:
    told = tell(four, Telling(least=least, most=most, method=method))
    promises(told, len(four.windows))
    assert told.speakers == wanted
    assert all(least <= count <= (most or 99) for count, _ in told.counts)


@pytest.mark.parametrize(
    "options",
    [{"speakers": 0}, {"speakers": -1}, {"least": 0}, {"least": 3, "most": 2}, {"likeness": 1.0}, {"likeness": -1.5}],
)
def test_bounds_that_nothing_meets(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"told apart|no cosine"):
        Telling(**options)


@pytest.mark.parametrize("method", METHODS)
def test_nothing_and_one_piece(method: Method) -> None:
    empty = evidence_of([], 12.0, voices=people(1))
    for rules in (Telling(method=method), Telling(speakers=3, method=method)):
        told = tell(empty, rules)
        assert (told.speakers, told.labels.tolist(), told.counts) == (0, [], ((0, 1.0),))
    for length in (0.4, 5.0):
        single = evidence_of([(1.0, 1.0 + length, 0)], 8.0)
        assert len(single.windows) == 1
        for rules in (Telling(method=method), Telling(speakers=3, method=method)):
            assert tell(single, rules).labels.tolist() == [0]


def test_a_passing_noise_is_no_speaker_but_a_short_speaker_is() -> None:
    said = [*rounds([8.0, 8.0] * 6, [0, 1] * 6), (104.0, 105.2, 2)]
    short = evidence_of(said, 120.0, noise=0.3)
    owners = owners_of(short, said)
    assert short.seconds[owners == 2].sum() / 2 < 1.5, "less than a speaker needs"
    assert tell(short).speakers == 2
    longer = evidence_of([*said[:-1], (104.0, 107.0, 2)], 120.0, noise=0.3)
    assert tell(longer).speakers == 3


@pytest.mark.parametrize("method", METHODS)
def test_what_was_said_holds(four: Evidence, method: Method) -> None:
    owners = owners_of(four, FOUR)
    rows = [np.flatnonzero(owners == person) for person in range(4)]
    alike = (int(rows[0][0]), int(rows[1][0])), (int(rows[1][3]), int(rows[0][4]))
    unlike = ((int(rows[2][0]), int(rows[2][1])), (int(rows[2][1]), int(rows[3][0])))
    for telling in (Telling(method=method), Telling(speakers=2, method=method), Telling(speakers=5, method=method)):
        told = tell(four, telling, Constraints(alike, unlike))
        promises(told, len(four.windows))
        for group in alike:
            assert len(set(told.labels[list(group)].tolist())) == 1
        for one, other in unlike:
            assert told.labels[one] != told.labels[other]


def test_what_was_said_holds_for_pieces_too_short_to_matter() -> None:
    said = [*rounds([8.0, 8.0] * 6, [0, 1] * 6), (120.0, 120.4, 0), (134.0, 134.4, 1)]
    evidence = evidence_of(said, 150.0, noise=0.3)
    late = evidence.firsts[evidence.windows] * HOP > 105
    first, last = (int(np.flatnonzero(late & (owners_of(evidence, said) == person))[0]) for person in (0, 1))
    assert max(evidence.seconds[[first, last]]) < 0.5
    free = tell(evidence)
    assert free.labels[first] != free.labels[last]
    long = int(np.flatnonzero(free.labels == free.labels[first])[0])
    other = int(np.flatnonzero(free.labels == free.labels[last])[0])
    tied = tell(evidence, None, Constraints(together=((first, last),)))
    assert tied.labels[first] == tied.labels[last]
    assert tied.speakers == 2
    moved = tell(evidence, None, Constraints(apart=((first, long),)))
    assert moved.labels[first] == moved.labels[other], "whom nothing speaks against"
    alone = tell(evidence, None, Constraints(apart=((first, long), (first, other))))
    assert alone.speakers == 3
    assert (alone.labels == alone.labels[first]).sum() == 1
    both = Constraints(apart=((first, long), (first, other), (last, long), (last, other)))
    assert tell(evidence, None, both).speakers == 3, "two whom nobody else may have can be one"
    three = tell(evidence, None, replace(both, apart=(*both.apart, (first, last))))
    assert three.speakers == 4


@pytest.mark.parametrize(
    ("together", "apart"),
    [
        (((0, 1),), ((0, 1),)),
        (((0, 1),), ((1, 0),)),
        (((0, 1), (1, 2)), ((0, 2),)),
        (((0, 1), (2, 3), (3, 0)), ((1, 2),)),
        ((), ((4, 4),)),
    ],
)
def test_contradictions_are_refused(
    four: Evidence, together: tuple[tuple[int, ...], ...], apart: tuple[tuple[int, int], ...]
) -> None:
    with pytest.raises(ConfigError, match="one voice and two"):
        tell(four, None, Constraints(together, apart))


def test_many_pieces_are_told_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    said = meeting(900.0, 5, seed=1)
    evidence = evidence_of(said, 900.0, noise=0.5)
    whole = tell(evidence)
    assert whole.speakers == 5
    monkeypatch.setattr(clustering, "FIRST_LEVEL", 60)
    monkeypatch.setattr(clustering, "SURELY", 0.6)
    parts = tell(evidence)
    promises(parts, len(evidence.windows))
    assert parts.labels.tolist() == whole.labels.tolist()
    assert parts.counts[0][0] == 5


def test_what_was_said_holds_among_many_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    said = meeting(600.0, 3, seed=2)
    evidence = evidence_of(said, 600.0, noise=0.3)
    owners = owners_of(evidence, said)
    monkeypatch.setattr(clustering, "FIRST_LEVEL", 40)
    mine = np.flatnonzero((owners == 0) & (evidence.seconds >= 1)).tolist()
    # One of these is said to be one with a far one of another voice, and not with its neighbour, and so on in a ring.
    theirs = np.flatnonzero((owners == 1) & (evidence.seconds >= 1)).tolist()
    known = Constraints(together=((mine[0], theirs[-1]), (mine[-1], theirs[0])), apart=((mine[1], theirs[-2]),))
    for telling in (Telling(), Telling(speakers=2), Telling(speakers=6)):
        told = tell(evidence, telling, known)
        promises(told, len(evidence.windows))
        for one, other in known.together:
            assert told.labels[one] == told.labels[other]
        assert told.labels[mine[1]] != told.labels[theirs[-2]]
    ring = Constraints(apart=tuple((one, other) for one, other in pairwise(mine)))
    told = tell(evidence, None, ring)
    assert all(told.labels[one] != told.labels[other] for one, other in ring.apart)


def test_the_order_of_pieces_in_a_window_means_nothing(four: Evidence) -> None:
    rows = np.lexsort((-four.voices, four.windows))
    turned = replace(four, **{name: getattr(four, name)[rows] for name in ("windows", "voices", "seconds", "vectors")})
    assert same_partition(tell(turned).labels.tolist(), tell(four).labels[rows].tolist())


@pytest.mark.slow
@settings(max_examples=60)
@given(data=st.data(), seed=st.integers(0, 9), noise=st.sampled_from([0.3, 1.0, 3.0]))
def test_any_demands_are_met_or_refused(data: st.DataObject, seed: int, noise: float) -> None:
    said = meeting(70.0, 3, seed=seed)
    evidence = evidence_of(said, 70.0, noise=noise, seed=seed)
    pieces = len(evidence.windows)
    piece = st.integers(0, pieces - 1)
    together = data.draw(st.lists(st.lists(piece, min_size=2, max_size=4).map(tuple), max_size=4).map(tuple))
    apart = data.draw(st.lists(st.tuples(piece, piece), max_size=4).map(tuple))
    number = data.draw(st.none() | st.integers(1, 6))
    telling = Telling(speakers=number, method=data.draw(st.sampled_from(METHODS)))
    root = list(range(pieces))
    for group in together:
        for one in group[1:]:
            old, new = root[one], root[group[0]]
            root = [new if it == old else it for it in root]
    if any(root[one] == root[other] for one, other in apart):
        with pytest.raises(ConfigError, match="one voice and two"):
            tell(evidence, telling, Constraints(together, apart))
        return
    told = tell(evidence, telling, Constraints(together, apart))
    promises(told, pieces)
    for group in together:
        assert len(set(told.labels[list(group)].tolist())) == 1
    for one, other in apart:
        assert told.labels[one] != told.labels[other]
    if number is not None and not apart:
        assert told.speakers <= number


def test_a_mixture_of_two_people_is_nobody() -> None:
    """Pieces in which the segmentation took two people for one voice are alike, and are no third person."""
    random = np.random.default_rng(5)
    first, second, third = people(3)
    middles = [first] * 20 + [second] * 20 + [(first + second) / np.sqrt(2)] * 8
    assert tell(_each_alone(middles, random)).speakers == 2
    assert tell(_each_alone(middles, random), Telling(speakers=3)).speakers == 3
    apart = [first] * 20 + [second] * 20 + [0.4 * first + 0.4 * second + np.sqrt(0.68) * third] * 8
    assert tell(_each_alone(apart, random)).speakers == 3


def _each_alone(middles: list[NDArray[np.float64]], random: np.random.Generator) -> Evidence:
    """A window with one voice of five seconds for each vector, a little noisy."""
    count, dimension = len(middles), len(middles[0])
    noisy = np.stack(middles) + 0.3 / np.sqrt(dimension) * random.standard_normal((count, dimension))
    tracks = np.zeros((count, FRAMES, VOICES + 2), dtype=np.uint8)
    tracks[:, :, [0, VOICES]] = 255
    return Evidence(
        recording="talk",
        extent=count * STEP * HOP + 10.0,
        model="tiny@0",
        firsts=np.arange(count) * STEP,
        tracks=tracks,
        windows=np.arange(count),
        voices=np.zeros(count, dtype=np.int64),
        seconds=np.full(count, 5.0, dtype=np.float32),
        vectors=(noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.float32),
        starts=np.zeros(0, dtype=np.float32),
        span_vectors=np.zeros((0, dimension), dtype=np.float16),
    )
