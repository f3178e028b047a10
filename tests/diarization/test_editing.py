"""Edits of a diarization: what somebody says holds, names stick, nothing is lost on the way to a file and back."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from evidencemakers import DIMENSION, Said, evidence_of, meeting, owners_of, people, rounds
from hypothesis import given, settings
from hypothesis import strategies as st

from samevoice.diarization.clustering import Constraints, Telling, tell
from samevoice.diarization.diarizer import told_apart
from samevoice.diarization.editing import Draft
from samevoice.diarization.evidence import HOP, Evidence
from samevoice.diarization.pointing import pieces_at
from samevoice.diarization.turns import Turn
from samevoice.errors import ConfigError, DataError
from samevoice.speech.segmentation import FRAMES

LENGTHS = (6.0, 7.0, 5.0, 8.0, 6.0, 7.0, 5.0, 7.5, 8.0)
ORDER = (0, 1, 2, 0, 1, 2, 0, 1, 2)
SAID: Said = rounds(LENGTHS, ORDER)
EXTENT = 70.0
FRAME = 0.017


@pytest.fixture(scope="module")
def heard() -> Evidence:
    """Three people, three turns each."""
    return evidence_of(SAID, EXTENT)


@pytest.fixture
def draft(heard: Evidence) -> Draft:
    """What was found of the three."""
    found = Draft.of(told_apart(heard, tell(heard)))
    assert found.names == ("speaker-1", "speaker-2", "speaker-3")
    return found


def middle(turn: int) -> float:
    """The middle of a turn that was said."""
    start, end, _ = SAID[turn]
    return (start + end) / 2


def who(draft: Draft, moment: float) -> list[str]:
    """Who speaks at a moment."""
    return [turn.speaker for turn in draft.diarized if turn.start <= moment < turn.end]


def each(draft: Draft) -> list[str]:
    """Who speaks in the middle of each turn that was said; nobody beside them."""
    found = [who(draft, middle(turn)) for turn in range(len(SAID))]
    assert all(len(names) == 1 for names in found), found
    return [names[0] for names in found]


def as_text(draft: Draft) -> str:
    """Everything a draft says, as JSON."""
    return json.dumps(draft.to_json(), allow_nan=False)


def test_a_draft_begins_with_what_was_found(draft: Draft, heard: Evidence) -> None:
    found = told_apart(heard, tell(heard))
    assert draft.diarized.diarization == found.diarization
    assert [one.name for one in draft.diarized.speakers] == [one.name for one in found.speakers]
    for mine, theirs in zip(draft.diarized.speakers, found.speakers, strict=True):
        assert mine.seconds == theirs.seconds
        np.testing.assert_array_equal(mine.embedding.vector, theirs.embedding.vector)
    assert draft.undo() is draft
    assert draft.redo() is draft


def test_renaming(draft: Draft) -> None:
    new = draft.rename("speaker-2", "Ann Lee")
    assert each(new) == [{"speaker-2": "Ann Lee"}.get(name, name) for name in each(draft)]
    assert [one.name for one in new.diarized.speakers] == ["speaker-1", "Ann Lee", "speaker-3"]
    assert draft.names[1] == "speaker-2", "a draft never changes"
    assert new.rename("Ann Lee", "Ann Lee").names == new.names


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda draft: draft.rename("Bob", "Ann"), "nobody is called 'Bob' here; there are speaker-1, speaker-2"),
        (lambda draft: draft.rename("speaker-1", "speaker-2"), "merge the two"),
        (lambda draft: draft.rename("speaker-1", ""), "no name for a speaker"),
        (lambda draft: draft.rename("speaker-1", "a\nb"), "no name for a speaker"),
        (lambda draft: draft.merge("speaker-1", "speaker-1"), "name two speakers"),
        (lambda draft: draft.merge("speaker-1", "Bob"), "nobody is called 'Bob'"),
        (lambda draft: draft.split("Bob"), "nobody is called 'Bob'"),
        (lambda draft: draft.split("speaker-1", (middle(0), middle(1))), "speaker-1 is not who speaks at"),
        (lambda draft: draft.split("speaker-1", (middle(0), middle(0) + 0.5)), "heard as one voice"),
        (lambda draft: draft.together(0.2, middle(1)), "nobody is heard speaking at 0.20 s"),
        (lambda draft: draft.together(middle(1), 67.5), "nobody is heard speaking at 67.50 s"),
        (lambda draft: draft.together(middle(1), 99.0), "nobody is heard speaking at 99.00 s"),
        (lambda draft: draft.apart(-1.0, middle(1)), "nobody is heard speaking at -1.00 s"),
        (lambda draft: draft.apart(float("nan"), middle(1)), "nobody is heard speaking at nan s"),
        (lambda draft: draft.apart(middle(0), middle(0) + 1), "heard as one voice"),
        (lambda draft: draft.together(middle(0), middle(0)), "heard as one voice"),
        (lambda draft: draft.assign(5.0, 5.2, "speaker-1"), "cannot be assigned"),
        (lambda draft: draft.assign(6.0, 5.0, "speaker-1"), "cannot be assigned"),
        (lambda draft: draft.assign(66.0, 71.0, "speaker-1"), "cannot be assigned"),
        (lambda draft: draft.assign(float("nan"), 5.0, "speaker-1"), "cannot be assigned"),
        (lambda draft: draft.assign(5.0, 6.0, "\t"), "no name for a speaker"),
        (lambda draft: draft.with_speakers(0), "0 speakers"),
    ],
)
def test_what_cannot_be(draft: Draft, edit: Callable[[Draft], Draft], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        edit(draft)


def test_merging_holds_when_speakers_are_told_anew(draft: Draft) -> None:
    new = draft.merge("speaker-1", "speaker-3")
    wanted = [{"speaker-3": "speaker-1"}.get(name, name) for name in each(draft)]
    assert each(new) == wanted
    assert new.names == ("speaker-1", "speaker-2")
    assert len(new.diarized.speakers) == 2
    assert each(new.with_speakers(None)) == wanted
    assert each(new.apart(middle(0), middle(1))) == wanted


def test_merging_keeps_the_name_that_was_chosen(draft: Draft) -> None:
    assert draft.rename("speaker-3", "Ann").merge("speaker-1", "Ann").names == ("Ann", "speaker-2")
    assert draft.rename("speaker-3", "Ann").rename("speaker-1", "Bo").merge("Bo", "Ann").names == ("Bo", "speaker-2")


def test_splitting_what_was_merged_gives_it_back(draft: Draft) -> None:
    new = draft.merge("speaker-1", "speaker-3").split("speaker-1")
    assert len(new.names) == 3
    pairs = set(zip(each(draft), each(new), strict=True))
    assert len(pairs) == 3, "as before, but for names"
    again = new.with_speakers(None)
    assert each(again) == each(new)
    assert len(set(each(new.merge("speaker-1", "speaker-3").split("speaker-1", (middle(0), middle(2)))))) == 3


def test_the_larger_part_or_the_first_moment_keeps_the_name(draft: Draft) -> None:
    one = draft.merge("speaker-1", "speaker-2")
    assert draft.diarized.diarization.of("speaker-2").duration > draft.diarized.diarization.of("speaker-1").duration
    assert who(one.split("speaker-1"), middle(1)) == ["speaker-1"]
    first = one.split("speaker-1", (middle(0), middle(1)))
    assert who(first, middle(0)) == ["speaker-1"]
    assert who(first, middle(1)) == ["speaker-2"]


def test_splitting_one_voice_at_moments_holds(draft: Draft) -> None:
    new = draft.split("speaker-1", (middle(0), middle(6)))
    for now in (new, new.with_speakers(None), new.with_speakers(4)):
        assert who(now, middle(0)) == ["speaker-1"]
        assert who(now, middle(6)) == ["speaker-4"]
        assert who(now, middle(1)) == ["speaker-2"]


def test_a_given_number_follows_merges_and_splits(draft: Draft) -> None:
    new = draft.with_speakers(3).merge("speaker-1", "speaker-3")
    assert new.edits.telling.speakers == 2
    assert len(new.apart(middle(0), middle(1)).names) == 2
    assert new.split("speaker-1").edits.telling.speakers == 3


def test_the_slider(draft: Draft) -> None:
    assert len(draft.with_speakers(2).names) == 2
    assert len(set(each(draft.with_speakers(1)))) == 1
    assert each(draft.with_speakers(1).with_speakers(None)) == each(draft)


def test_moments_said_to_be_one_voice_are(draft: Draft) -> None:
    new = draft.together(middle(0), middle(1))
    assert who(new, middle(0)) == who(new, middle(1))
    assert who(new, middle(2)) == who(draft, middle(2))


def test_moments_said_to_be_two_voices_are(draft: Draft) -> None:
    new = draft.apart(middle(0), middle(3))
    assert len({*who(new, middle(0)), *who(new, middle(3))}) == 2
    both = new.apart(middle(0), middle(6)).apart(middle(3), middle(6))
    assert len({name for turn in (0, 3, 6) for name in who(both, middle(turn))}) == 3
    assert who(both, middle(1)) == who(both, middle(4)) == ["speaker-2"]


def test_the_last_word_about_two_moments_holds(draft: Draft) -> None:
    one = draft.apart(middle(0), middle(3)).together(middle(0), middle(3))
    assert who(one, middle(0)) == who(one, middle(3))
    two = draft.together(middle(0), middle(1)).apart(middle(0), middle(1))
    assert who(two, middle(0)) != who(two, middle(1))
    merged = draft.merge("speaker-1", "speaker-2").apart(middle(0), middle(1))
    assert who(merged, middle(0)) != who(merged, middle(1))
    parted = draft.split("speaker-1").together(middle(0), middle(3)).together(middle(3), middle(6))
    assert who(parted, middle(0)) == who(parted, middle(3)) == who(parted, middle(6))
    by_others = draft.together(middle(0), middle(1)).together(middle(1), middle(2)).apart(middle(0), middle(2))
    assert who(by_others, middle(0)) != who(by_others, middle(2))


def test_a_moment_is_the_pieces_of_one_voice_in_all_windows_around_it() -> None:
    said: Said = [(1.0, 9.0, 0), (8.0, 15.0, 1), (16.0, 24.0, 0), (23.0, 31.0, 2), (32.0, 39.0, 1)]
    evidence = evidence_of(said, 41.0)
    owners = owners_of(evidence, said)
    for moment in np.arange(1.1, 38.9, 0.1).tolist():
        speaking = {person for start, end, person in said if start + FRAME < moment < end - FRAME}
        near = {person for start, end, person in said if start - FRAME < moment < end + FRAME}
        pieces = pieces_at(evidence, moment)
        around = (evidence.firsts <= moment / HOP - 3) & (moment / HOP + 3 < evidence.firsts + FRAMES)
        people_there = set(owners[list(pieces)].tolist())
        assert people_there <= near
        assert len(people_there) <= 1
        assert people_there or not speaking or speaking != near
        assert len(set(evidence.windows[list(pieces)].tolist())) == len(pieces)
        if len(speaking) == len(near) == 1:
            assert len(pieces) >= around.sum(), "one of each window"
        if not near:
            assert not pieces


def test_a_voice_that_a_window_missed_is_not_taken_for_another() -> None:
    said: Said = [(1.0, 9.0, 0), (9.5, 18.0, 1)]
    evidence = evidence_of(said, 20.0)
    owners = owners_of(evidence, said)
    assert len(pieces_at(evidence, 6.5)) == 2
    rows = ~((evidence.windows == 1) & (owners == 0))
    fields = ("windows", "voices", "seconds", "vectors")
    missed = replace(evidence, **{name: getattr(evidence, name)[rows] for name in fields})
    (piece,) = pieces_at(missed, 6.5)
    assert owners[rows][piece] == 0


def test_names_stick_to_speech(draft: Draft) -> None:
    named = draft.rename("speaker-1", "Ann").rename("speaker-2", "Bo").rename("speaker-3", "Cy")
    assert each(named.with_speakers(None)) == ["Ann", "Bo", "Cy"] * 3
    two = named.with_speakers(2)
    assert set(two.names) < {"Ann", "Bo", "Cy"}
    three = two.with_speakers(3)
    assert len(set(each(three))) == 3
    assert set(two.names) < set(three.names), "whoever had a name keeps it"


def test_a_chosen_name_stays_where_another_had_more_speech(draft: Draft) -> None:
    one = draft.rename("speaker-1", "Ann").with_speakers(1)
    durations = [draft.diarized.diarization.of(name).duration for name in draft.names]
    assert durations[0] < max(durations)
    assert one.names == ("Ann",)


def test_assigned_seconds_are_theirs_alone_and_certain(draft: Draft) -> None:
    new = draft.assign(3.0, 5.0, "Dee")
    (turn,) = [turn for turn in new.diarized if turn.speaker == "Dee"]
    assert turn.start == pytest.approx(3.0, abs=FRAME)
    assert turn.end == pytest.approx(5.0, abs=FRAME)
    assert turn.confidence == 1.0
    assert who(new, 4.0) == ["Dee"]
    assert who(new, 2.5) == who(new, 5.5) == ["speaker-1"]
    assert new.names[-1] == "Dee"
    dee = new.diarized.speakers[-1]
    assert (dee.name, dee.seconds) == ("Dee", 2.0)
    found = people(3) @ dee.embedding.vector
    assert found.argmax() == 0, "from the spans of these seconds"
    assert who(new.with_speakers(2), 4.0) == ["Dee"]
    assert who(new.rename("Dee", "Di"), 4.0) == ["Di"]
    assert who(new.merge("speaker-2", "Dee"), 4.0) == ["Dee"], "whose name was chosen"


def test_silence_can_be_assigned(draft: Draft) -> None:
    new = draft.assign(66.0, 70.0, "Dee")
    (turn,) = [turn for turn in new.diarized if turn.speaker == "Dee"]
    assert turn.end == pytest.approx(70.0, abs=FRAME)
    assert "Dee" in new.names
    assert "Dee" not in [one.name for one in new.diarized.speakers], "nobody heard the voice"
    assert new.diarized.renamed({"Dee": "Di"}).diarization.speakers[-1] == "Di"


def test_pieces_inside_assigned_seconds_change_hands(draft: Draft) -> None:
    start, end, _ = SAID[3]
    new = draft.assign(start, end, "speaker-2")
    moved = new.edits.labels != draft.edits.labels
    assert moved.any()
    assert (new.edits.labels[moved] == 1).all()
    again = new.with_speakers(None)
    assert who(again, middle(3)) == ["speaker-2"]
    assert [again.names[place] for place in again.edits.labels[moved]] == ["speaker-2"] * moved.sum()
    assert who(again, middle(0)) == who(again, middle(6)) == ["speaker-1"]


def test_somebody_new_is_not_taken_back(draft: Draft) -> None:
    start, end, _ = SAID[3]
    new = draft.assign(start, end, "Dee")
    assert (new.edits.labels == new.names.index("Dee")).any()
    again = new.with_speakers(None)
    assert again.names == new.names
    mine = draft.edits.labels != new.edits.labels
    assert (again.edits.labels[mine] == new.names.index("Dee")).all()


def test_what_is_assigned_later_holds(draft: Draft) -> None:
    new = draft.assign(3.0, 5.0, "Dee").assign(4.0, 6.0, "speaker-2")
    assert (who(new, 3.5), who(new, 4.5)) == (["Dee"], ["speaker-2"])
    over = new.assign(2.0, 6.5, "speaker-3")
    assert who(over, 3.5) == who(over, 4.5) == ["speaker-3"]
    assert "Dee" not in over.names
    start, end, _ = SAID[3]
    tied = draft.together(middle(3), middle(1))
    loose = tied.assign(start, end, "speaker-3")
    assert (who(loose, middle(3)), who(loose, middle(1))) == (["speaker-3"], who(tied, middle(1)))


def test_undo_and_redo(draft: Draft) -> None:
    edits: list[Callable[[Draft], Draft]] = [
        lambda one: one.rename("speaker-1", "Ann"),
        lambda one: one.merge("Ann", "speaker-2"),
        lambda one: one.split("Ann"),
        lambda one: one.assign(3.0, 5.0, "Dee"),
        lambda one: one.apart(middle(0), middle(3)),
        lambda one: one.with_speakers(2),
    ]
    drafts = [draft]
    for edit in edits:
        drafts.append(edit(drafts[-1]))
    texts = [as_text(one) for one in drafts]
    now = drafts[-1]
    for text in texts[-2::-1]:
        now = now.undo()
        assert as_text(now) == text
    assert now.undo() is now
    for text in texts[1:]:
        now = now.redo()
        assert as_text(now) == text
    assert now.redo() is now
    back = now.undo().undo().rename("speaker-3", "Cy")
    assert back.redo() is back, "another edit leaves nothing to redo"
    assert as_text(back.undo()) == texts[-3]


def test_edits_keep_in_a_file(draft: Draft, heard: Evidence) -> None:
    new = draft.rename("speaker-1", "Ann Lee").apart(middle(0), middle(3)).assign(3.0, 5.0, "Dee").with_speakers(4)
    text = as_text(new)
    again = Draft.from_json(json.loads(text), heard)
    assert as_text(again) == text
    assert again.diarized.diarization == new.diarized.diarization
    assert as_text(again.with_speakers(None)) == as_text(new.with_speakers(None))
    assert again.undo() is again


def broken(content: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Edits in which one value is another."""
    content = copy.deepcopy(content)
    place: Any = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return content


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), 2),
        (("more",), 1),
        (("names",), "abcd"),
        (("names", 0), "speaker-2"),
        (("names", 0), ""),
        (("names", 0), "a\nb"),
        (("names", 0), 7),
        (("labels",), None),
        (("labels",), [0]),
        (("labels", 0), 99),
        (("labels", 0), -1),
        (("labels", 0), 0.0),
        (("labels", 0), True),
        (("telling", "speakers"), 0),
        (("telling", "speakers"), "2"),
        (("telling", "speakers"), True),
        (("telling", "least"), None),
        (("telling", "method"), "magic"),
        (("telling", "likeness"), "0.5"),
        (("telling", "likeness"), 2),
        (("telling", "more"), 2),
        (("together",), 1),
        (("together", 0), [0, 10**9]),
        (("together", 0), [0, -1]),
        (("together", 0, 0), 10**30),
        (("apart", 0), [0]),
        (("apart", 0), [0, 0]),
        (("apart", 0), [0, 1, 2]),
        (("pinned",), [1.5]),
        (("assigned", 0), [3.0, 5.0]),
        (("assigned", 0), [3.0, 5.0, "nobody"]),
        (("assigned", 0), [5.0, 3.0, "Dee"]),
        (("assigned", 0), [3.0, 1e9, "Dee"]),
        (("assigned", 0), ["3", 5.0, "Dee"]),
        (("assigned", 0), [float("nan"), 5.0, "Dee"]),
        (("counts", 0), [3]),
        (("counts", 0), [3, 1.5]),
        (("counts", 0), [3.5, 0.5]),
    ],
)
def test_damaged_edits_are_refused(draft: Draft, heard: Evidence, path: tuple[Any, ...], value: Any) -> None:
    content = draft.apart(middle(0), middle(3)).together(middle(2), middle(5)).assign(3.0, 5.0, "Dee").to_json()
    Draft.from_json(content, heard)
    with pytest.raises(DataError, match="damaged or no edits"):
        Draft.from_json(broken(content, path, value), heard)


def test_labels_that_break_what_was_said_are_refused(draft: Draft, heard: Evidence) -> None:
    content = draft.apart(middle(0), middle(3)).to_json()
    one, other = content["apart"][0]
    with pytest.raises(DataError, match="damaged"):
        Draft.from_json(broken(content, ("labels", one), content["labels"][other]), heard)
    content = draft.to_json()
    row = heard.windows.tolist().index(1)
    content["together"] = [[0, int(np.flatnonzero(draft.edits.labels != draft.edits.labels[0])[0])]]
    with pytest.raises(DataError, match="damaged"):
        Draft.from_json(content, heard)
    assert row > 0


def test_places_without_pieces_lie_behind_those_with(draft: Draft, heard: Evidence) -> None:
    content = draft.assign(3.0, 5.0, "Dee").to_json()
    assert content["names"][3] == "Dee"
    content["labels"] = [3 if place == 2 else place for place in content["labels"]]
    with pytest.raises(DataError, match="damaged"):
        Draft.from_json(content, heard)


@pytest.mark.parametrize("content", [None, [], "x", 1, {}, {"version": 1}])
def test_what_is_no_edits_at_all_is_refused(heard: Evidence, content: object) -> None:
    with pytest.raises(DataError, match="no edits at all"):
        Draft.from_json(content, heard)


def test_edits_of_another_recording_are_refused(draft: Draft, heard: Evidence) -> None:
    for other in (evidence_of(SAID, EXTENT, seed=1), replace(heard, model="other"), evidence_of(SAID, EXTENT + 1)):
        with pytest.raises(DataError, match="another recording"):
            Draft.from_json(draft.to_json(), other)


def test_no_vectors_in_what_is_shown(draft: Draft) -> None:
    assert "vectors" not in as_text(draft)
    assert f"{draft.evidence.vectors[0, 0]:.4f}" not in repr(draft) + as_text(draft)


def test_nobody_speaks() -> None:
    evidence = evidence_of([], 12.0, voices=people(1))
    draft = Draft.of(told_apart(evidence, tell(evidence)))
    assert draft.names == ()
    assert len(draft.diarized) == 0
    assert draft.with_speakers(3).names == ()
    with pytest.raises(ConfigError, match="there are none"):
        draft.rename("speaker-1", "Ann")
    new = draft.assign(2.0, 4.0, "Ann")
    (turn,) = new.diarized
    assert turn == Turn(turn.start, turn.end, "Ann")
    assert new.with_speakers(None).names == ("Ann",)
    assert Draft.from_json(new.to_json(), evidence).names == ("Ann",)


def test_a_speaker_of_one_piece_cannot_be_split() -> None:
    evidence = evidence_of([(1.0, 4.0, 0)], 8.0)
    draft = Draft.of(told_apart(evidence, tell(evidence)))
    with pytest.raises(ConfigError, match="too little of speaker-1"):
        draft.split("speaker-1")


def seen(draft: Draft) -> None:
    """Whatever was done, a draft keeps its promises."""
    edits, count = draft.edits, len(draft.names)
    heard = len(set(edits.labels.tolist()))
    assert len(set(draft.names)) == count
    assert edits.labels.min() == 0
    assert edits.labels.max() == heard - 1
    _, first = np.unique(edits.labels, return_index=True)
    assert (np.diff(first) > 0).all(), "in order of first appearance"
    assert set(draft.names[heard:]) <= {one.speaker for one in edits.assigned}
    for group in edits.constraints.together:
        assert len(set(edits.labels[list(group)].tolist())) == 1
    for one, other in edits.constraints.apart:
        assert edits.labels[one] != edits.labels[other]
    for last in edits.assigned[-1:]:
        assert who(draft, (last.start + last.end) / 2) == [last.speaker]
    assert set(draft.diarized.diarization.speakers) <= set(draft.names)
    assert [one.name for one in draft.diarized.speakers][:heard] == list(draft.names[:heard])
    assert all(0 <= (turn.confidence or 0) <= 1 for turn in draft.diarized)
    assert as_text(Draft.from_json(json.loads(as_text(draft)), draft.evidence)) == as_text(draft)


STEP = st.tuples(
    st.sampled_from(["rename", "merge", "split", "cut", "assign", "together", "apart", "slider"]),
    st.integers(0, 8),
    st.integers(0, 8),
)


def edited(draft: Draft, kind: str, one: int, other: int) -> Draft:
    """A draft after an edit chosen by numbers."""
    names = draft.names
    mine, its = names[one % len(names)], names[other % len(names)]
    start, end, _ = SAID[one]
    match kind:
        case "rename":
            return draft.rename(mine, f"name {other}")
        case "merge":
            return draft.merge(mine, its)
        case "split":
            return draft.split(mine)
        case "cut":
            return draft.split(mine, (middle(one), middle(other)))
        case "assign":
            return draft.assign(start, end, its if other % 2 else f"new {other}")
        case "together":
            return draft.together(middle(one), middle(other))
        case "apart":
            return draft.apart(middle(one), middle(other))
    return draft.with_speakers(other or None)


@pytest.mark.slow
@settings(max_examples=40)
@given(st.lists(STEP, max_size=7))
def test_any_edits_keep_the_promises(steps: list[tuple[str, int, int]]) -> None:
    evidence = evidence_of(SAID, EXTENT, noise=1.2)
    draft = Draft.of(told_apart(evidence, tell(evidence)))
    for kind, one, other in steps:
        new, refusal = draft, ""
        try:
            new = edited(draft, kind, one, other)
        except ConfigError as error:
            refusal = str(error)
        assert "one voice and two" not in refusal, "the last word holds"
        if refusal:
            assert kind not in {"assign", "slider"}
            continue
        assert as_text(new.undo()) == as_text(draft)
        assert as_text(new.undo().redo()) == as_text(new)
        draft = new
        seen(draft)
        if kind in {"together", "apart"} and one != other:
            alike = who(draft, middle(one)) == who(draft, middle(other))
            laid = any(it.start <= middle(turn) < it.end for it in draft.edits.assigned for turn in (one, other))
            assert laid or alike == (kind == "together")


def test_constraints_may_name_any_piece() -> None:
    evidence = evidence_of(meeting(120.0, 3), 120.0)
    owners = owners_of(evidence, meeting(120.0, 3))
    assert evidence.vectors.shape[1] == DIMENSION
    short = int(evidence.seconds.argmin())
    other = int(np.flatnonzero(owners != owners[short])[0])
    told = tell(evidence, Telling(), Constraints(together=((short, other),)))
    assert told.labels[short] == told.labels[other]
