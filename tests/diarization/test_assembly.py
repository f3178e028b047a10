"""From labelled pieces to turns, on evidence whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from evidencemakers import Said, evidence_of, meeting, owners_of, rounds
from hypothesis import given, settings
from hypothesis import strategies as st

from samevoice.diarization import assembly
from samevoice.diarization.assembly import Assembly, assemble, turns
from samevoice.diarization.evidence import HOP, Evidence
from samevoice.diarization.scoring import score
from samevoice.diarization.turns import Diarization, Turn
from samevoice.speech.segmentation import frame_times

NAMES = ("a", "b", "c", "d", "e", "f")


def told(evidence: Evidence, said: Said, *, refine: bool = True) -> list[Turn]:
    """The turns where all pieces have their true labels."""
    found = assemble(evidence, owners_of(evidence, said), refine=refine)
    return sorted(turns(found, NAMES[: found.speaking.shape[1]], evidence.extent))


@pytest.mark.parametrize("refine", [True, False])
def test_turns_are_told_to_a_frame(refine: bool) -> None:
    said = rounds([3.0, 2.0, 6.0, 0.5, 4.0, 9.0], [0, 1, 0, 1, 2, 0])
    found = told(evidence_of(said, 32.0), said, refine=refine)
    assert [turn.speaker for turn in found] == [NAMES[person] for *_, person in said]
    for turn, (start, end, _) in zip(found, said, strict=True):
        assert turn.start == pytest.approx(start, abs=HOP)
        assert turn.end == pytest.approx(end, abs=HOP)


@pytest.mark.parametrize("refine", [True, False])
def test_two_at_once_are_two_turns(refine: bool) -> None:
    said = [(1.0, 8.0, 0), (6.0, 12.0, 1), (14.0, 20.0, 0), (16.0, 18.0, 1)]
    found = told(evidence_of(said, 22.0), said, refine=refine)
    assert len(found) == 4
    for turn, (start, end, person) in zip(found, said, strict=True):
        assert turn.speaker == NAMES[person]
        assert turn.start == pytest.approx(start, abs=HOP)
        assert turn.end == pytest.approx(end, abs=HOP)


@pytest.mark.parametrize(("pause", "parts"), [(0.1, 1), (0.25, 1), (0.35, 2), (1.0, 2)])
def test_short_pauses_of_one_speaker_are_not_told(pause: float, parts: int) -> None:
    said = [(2.0, 5.0, 0), (5.0 + pause, 9.0, 0)]
    found = told(evidence_of(said, 15.0), said)
    assert len(found) == parts
    assert found[0].start == pytest.approx(2.0, abs=HOP)
    assert found[-1].end == pytest.approx(9.0, abs=HOP)


def test_what_is_shorter_than_a_tenth_of_a_second_is_no_turn() -> None:
    said = [(2.0, 5.0, 0), (7.0, 7.05, 0), (9.0, 9.2, 0)]
    assert [round(turn.start) for turn in told(evidence_of(said, 15.0), said)] == [2, 9]


def test_nobody_and_no_windows() -> None:
    evidence = evidence_of([], 12.0)
    found = assemble(evidence, np.zeros(0, dtype=np.intp))
    assert found.speaking.shape == (evidence.frames, 0)
    assert list(turns(found, (), 12.0)) == []
    none = replace(
        evidence,
        firsts=evidence.firsts[:0],
        tracks=evidence.tracks[:0],
        starts=evidence.starts[:0],
        span_vectors=evidence.span_vectors[:0],
    )
    assert assemble(none, np.zeros(0, dtype=np.intp)).speaking.shape == (evidence.frames, 0)


def test_no_turn_passes_the_extent() -> None:
    for extent in (0.05, 0.3, 3.0, 9.99, 10.0, 10.01, 14.7):
        said = [(0.0, extent + 1, 0)]
        evidence = evidence_of(said, extent)
        found = told(evidence, said)
        assert all(0 <= turn.start < turn.end <= extent for turn in found)
        assert len(found) == (extent > 0.1)


def test_spans_overrule_a_piece_that_holds_two_people() -> None:
    said = rounds([6.0, 6.0, 6.0, 6.0, 6.0], [0, 1, 0, 1, 0])
    evidence = evidence_of(said, 34.0, noise=0.3)
    labels = owners_of(evidence, said)
    # The segmentation took both in the last windows for one voice: what the second says is in the first one's piece.
    wrong = evidence.tracks.copy()
    start, end = said[3][0], said[3][1]
    for window, first in enumerate(evidence.firsts.tolist()):
        pieces = np.flatnonzero(evidence.windows == window)
        times = (first + np.arange(wrong.shape[1])) * HOP
        inside = (times > start - 0.3) & (times < end + 0.3)
        for piece in pieces[labels[pieces] == 0]:
            for other in pieces[labels[pieces] == 1]:
                mine, theirs = evidence.voices[piece], evidence.voices[other]
                both = np.maximum(wrong[window, :, mine], wrong[window, :, theirs])
                wrong[window, inside, mine] = both[inside]
                wrong[window, inside, theirs] = 5
    taken = replace(evidence, tracks=wrong)
    middle = (start + end) / 2

    def who(found: Assembly) -> list[str]:
        return [turn.speaker for turn in turns(found, NAMES[:2], 34.0) if turn.start < middle < turn.end]

    assert who(assemble(taken, labels, refine=False)) == ["a"]
    assert who(assemble(taken, labels)) == ["b"]
    assert who(assemble(taken, labels, pinned=np.flatnonzero(labels == 0).tolist())) == ["a"]


def test_confidence_is_high_where_all_agree() -> None:
    said = rounds([6.0, 6.0, 6.0, 6.0, 6.0], [0, 1, 0, 1, 0])
    assert all((turn.confidence or 0) > 0.95 for turn in told(evidence_of(said, 34.0, noise=0.3), said))


def test_confidence_falls_where_two_windows_disagree() -> None:
    said = [(1.0, 29.0, 0), (31.0, 38.0, 1)]
    evidence = evidence_of(said, 40.0)
    labels = owners_of(evidence, said)
    odd = int(np.flatnonzero(evidence.windows == 2)[0])
    labels[odd] = 1
    found = assemble(evidence, labels, refine=False)
    times = frame_times(evidence.frames)
    start = evidence.firsts[2] * HOP
    agreed = (times > 1.5) & (times < start - 0.5)
    disputed = (times > start + 2.5) & (times < start + 7.5)
    said_of = found.confidence[np.arange(evidence.frames), found.speaking.argmax(axis=1)]
    assert said_of[agreed].min() > 0.9
    assert np.median(said_of[disputed]) < 0.85


@pytest.mark.parametrize("refine", [True, False])
@pytest.mark.parametrize("block", [100, 589, 1_000])
def test_blocks_of_frames_mean_nothing(monkeypatch: pytest.MonkeyPatch, block: int, refine: bool) -> None:
    said = [(1.0, 8.0, 0), (6.0, 12.0, 1), (14.0, 20.0, 0), (16.0, 18.0, 1), (21.0, 38.0, 1)]
    evidence = evidence_of(said, 40.0, noise=1.0)
    labels = owners_of(evidence, said)
    pinned = [0, 3]
    whole = assemble(evidence, labels, refine=refine, pinned=pinned)
    monkeypatch.setattr(assembly, "BLOCK", block)
    parts = assemble(evidence, labels, refine=refine, pinned=pinned)
    np.testing.assert_array_equal(parts.speaking, whole.speaking)
    np.testing.assert_allclose(parts.confidence, whole.confidence, atol=2e-3)


def test_spans_change_little_where_pieces_are_right() -> None:
    said = meeting(300.0, 5, seed=4)
    evidence = evidence_of(said, 300.0, noise=1.0)
    truth = Diarization((Turn(start, end, NAMES[person]) for start, end, person in said), 300.0)
    for refine in (True, False):
        found = Diarization(told(evidence, said, refine=refine), 300.0)
        assert score(truth, found, collar=0.1).der < 0.05


@settings(max_examples=60)
@given(data=st.data(), seed=st.integers(0, 20), refine=st.booleans(), extent=st.sampled_from([7.0, 31.0, 64.3]))
def test_any_labels_give_turns(data: st.DataObject, seed: int, refine: bool, extent: float) -> None:
    random = np.random.default_rng(seed)
    starts = np.sort(random.uniform(0, extent, 14))
    said = [(float(start), float(start + random.exponential(3.0)), int(random.integers(3))) for start in starts]
    evidence = evidence_of(said, extent, seed=seed)
    pieces = len(evidence.windows)
    labels = np.array(data.draw(st.lists(st.integers(0, 4), min_size=pieces, max_size=pieces)), dtype=np.intp)
    frames = assemble(evidence, labels, refine=refine)
    assert frames.speaking.shape == frames.confidence.shape == (evidence.frames, labels.max() + 1)
    assert (frames.speaking.sum(axis=1) <= 2).all()
    assert (frames.confidence >= 0).all()
    assert (frames.confidence <= 1).all()
    found = list(turns(frames, NAMES[: labels.max() + 1], extent))
    for turn in found:
        assert 0 <= turn.start < turn.end <= extent
        assert turn.confidence is not None
        assert 0 <= turn.confidence <= 1
        assert turn.duration >= 0.1 - 1e-9
    for name in NAMES:
        own = [turn for turn in found if turn.speaker == name]
        assert all(later.start - earlier.end >= 0.3 - 2 * HOP for earlier, later in pairwise(own))
