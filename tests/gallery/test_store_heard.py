"""People of whom there is history but nothing enrolled of the same event: what is taken back, and what is enrolled."""

from __future__ import annotations

import pytest
from gallerymakers import MODEL, assert_whole, embedding, voiceprint
from hearingmakers import source

from samevoice.errors import GalleryError
from samevoice.gallery.history import Spoken
from samevoice.gallery.remembering import Decided, Kept, forget, remember
from samevoice.gallery.store import Store


def heard(store: Store, seed: int, digest: str, person: str | None = None, *, adds: bool = True) -> Kept:
    """Remember a recording with one voice: of a new stranger, or of a person by public id."""
    decided = [Decided(embedding(seed), [Spoken(0, 5)], person)]
    return remember(store, source(digest, digest), decided, expected=store.counters(), guard=lambda *_: adds)


def test_history_that_was_merged_in_is_not_taken_back_nor_what_came_before(either_store: Store) -> None:
    store = either_store
    store.add("Ada", voiceprint(1))
    store.merge(heard(store, 2, "aa").people[0][1], "Ada")
    store.add("Ada", voiceprint(3))
    before = store.remove_last("Ada")  # the enrolment after the merger
    events = store.events()
    for _ in range(2):
        with pytest.raises(GalleryError, match="Ada last is the history of another entry"):
            store.remove_last("Ada")
    assert store.person("Ada") == before
    assert store.events() == events
    assert [one.label for one in store.heard("Ada")] == ["aa"]
    assert_whole(store)


def test_once_that_history_is_forgotten_the_enrolment_can_be_taken_back(store: Store) -> None:
    store.add("Ada", voiceprint(1))
    kept = heard(store, 2, "aa")
    store.merge(kept.people[0][1], "Ada")
    forget(store, kept.recording)
    assert store.remove_last("Ada") is None


def test_a_merger_of_two_strangers_is_taken_back(store: Store) -> None:
    one, other = (heard(store, seed, digest).people[0][1] for seed, digest in ((1, "aa"), (2, "bb")))
    store.merge(other, one)
    assert len(store.person(one).voiceprints) == 2
    left = store.remove_last(one)
    assert left is not None
    assert len(left.voiceprints) == 1


def test_a_stranger_of_whom_turns_alone_are_left_is_enrolled_as_anybody(either_store: Store) -> None:
    store = either_store
    store.require_model(MODEL)
    first = heard(store, 1, "aa")
    [(person, name)] = first.people
    heard(store, 1, "bb", person, adds=False)
    forget(store, first.recording)
    assert store.person(name).voiceprints == ()
    enrolled = store.add(name, voiceprint(1))
    assert enrolled.stranger is None
    assert len(enrolled.voiceprints) == 1
    assert store.events()[-1].action == "enrol"
    assert [one.label for one in store.heard(name)] == ["bb"]
    assert_whole(store)
