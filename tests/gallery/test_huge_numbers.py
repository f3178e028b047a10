"""Numbers that no database takes name nothing, and ask for everything there is."""

from __future__ import annotations

import pytest
from gallerymakers import voiceprint

from samevoice.errors import GalleryError
from samevoice.gallery.remembering import forget
from samevoice.gallery.store import Store

HUGE = (2**63 - 1, 2**63, 10**40)


@pytest.mark.parametrize("number", [*HUGE, 0, -1, -(10**40)])
def test_there_is_no_recording_of_such_a_number(either_store: Store, number: int) -> None:
    with pytest.raises(GalleryError, match=f"there is no recording {number};"):
        either_store.heard_recording(number)
    with pytest.raises(GalleryError, match=f"there is no recording {number};"):
        forget(either_store, number, actor="local")


@pytest.mark.parametrize("number", HUGE)
def test_so_many_events_are_all_there_are(either_store: Store, number: int) -> None:
    either_store.add("Ada", voiceprint(1))
    assert either_store.events(last=number) == either_store.events()
