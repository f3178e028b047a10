"""Sets of trials taken from others, against their words."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from trialmakers import voices

from samevoice.evaluation.generators import by_duration, per_speaker, same_gender
from samevoice.evaluation.trials import Trials, all_pairs


def pairs(trials: Trials) -> list[tuple[int, int]]:
    """Rows on both sides."""
    return list(zip(trials.first.tolist(), trials.second.tolist(), strict=True))


def test_only_non_targets_of_one_known_gender_are_left() -> None:
    trials = all_pairs(*voices(4, 2))
    genders = ["f", "f", "m", "m", "f", "f", "", ""]  # two women, a man, and one of whom nothing is told
    found = same_gender(trials, genders)
    assert pairs(found) == [(0, 1), (0, 4), (0, 5), (1, 4), (1, 5), (2, 3), (4, 5), (6, 7)]
    before = dict(zip(pairs(trials), trials.scores, strict=True))
    assert [before[pair] for pair in pairs(found)] == found.scores.tolist()
    assert found.names == trials.names
    assert len(same_gender(trials, [""] * 8).non_targets) == 0


@pytest.mark.parametrize(("targets", "non_targets"), [(2, 5), (100, 1), (0, 1000), (3, 0)])
def test_no_speaker_has_more_than_so_many(targets: int, non_targets: int) -> None:
    vectors, speakers = voices(6, 6)
    kept = [row for row in range(36) if row % 6 < 2 or speakers[row] < "p003"]  # three have six rows, three two
    trials = all_pairs(vectors[kept], [speakers[row] for row in kept])
    found = per_speaker(trials, targets, non_targets, seed=1)
    own = Counter(found.voices[found.first[found.is_target]].tolist())
    has = Counter(trials.voices[trials.first[trials.is_target]].tolist())
    assert own == Counter({voice: min(targets, count) for voice, count in has.items() if targets})
    assert len(found.non_targets) <= 6 * non_targets
    if non_targets == 5:
        assert len(found.non_targets) == 30  # everybody has more than five to give
    if non_targets == 1000:
        assert len(found.non_targets) == len(trials.non_targets)
    places = [pairs(trials).index(pair) for pair in pairs(found)]
    assert places == sorted(set(places))
    assert trials.scores[places].tolist() == found.scores.tolist()


def test_non_targets_of_all_speakers_are_alike_many() -> None:
    found = per_speaker(all_pairs(*voices(20, 6)), 0, 10)
    seen = Counter(found.voices[np.concatenate([found.first, found.second])].tolist())
    assert len(seen) == 20
    assert min(seen.values()) >= 10  # its own, and some of others; by first side alone the last would have none


def test_a_seed_repeats_the_draw() -> None:
    trials = all_pairs(*voices(6, 4))
    assert pairs(per_speaker(trials, 2, 3, seed=1)) == pairs(per_speaker(trials, 2, 3, seed=1))
    for most in ((2, 0), (0, 3)):
        assert pairs(per_speaker(trials, *most, seed=1)) != pairs(per_speaker(trials, *most, seed=2))


def test_the_shorter_side_decides_the_duration() -> None:
    trials = all_pairs(*voices(2, 2))
    seconds = [0.5, 1.0, 2.5, 9.0]
    found = by_duration(trials, seconds, [1, 2, 5])
    assert [pairs(one) for one in found] == [[(0, 1), (0, 2), (0, 3)], [(1, 2), (1, 3)], [(2, 3)], []]
    assert [len(one) for one in by_duration(trials, seconds, [])] == [6]


def test_what_is_not_told_of_every_row_is_refused() -> None:
    trials = all_pairs(*voices(2, 2))
    with pytest.raises(ValueError, match="4 rows"):
        same_gender(trials, ["f"] * 3)
    with pytest.raises(ValueError, match="4 rows"):
        by_duration(trials, [1.0] * 5, [2])
    with pytest.raises(ValueError, match="ascend"):
        by_duration(trials, [1.0] * 4, [2, 2])
    with pytest.raises(ValueError, match="at least 0"):
        per_speaker(trials, -1, 2)
