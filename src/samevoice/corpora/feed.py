"""The files behind utterances in an order in which every archive needs to be read but once.

Knows: files, archives, streams. Does not know: sound, shards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from samevoice.corpora.archives import stream_members
from samevoice.corpora.manifest import Manifest, Utterance
from samevoice.corpora.members import is_compressed, member_order, read_member
from samevoice.corpora.places import place_below
from samevoice.errors import DataError

Source = Callable[[], Path | bytes]


class Feed:
    """Hands out the files of utterances, one after the other; a compressed archive is read as a stream.

    Attributes:
        root: of the manifest.
        utterances: by path, and within an archive in its order.
    """

    def __init__(self, manifest: Manifest) -> None:
        """Look into the archives of a manifest, for the order of their members.

        Raises:
            DataError: an archive is missing or damaged.
        """
        self.root = manifest.root
        places = {one.path: place_below(self.root, one.path) for one in manifest if one.member is not None}
        self._orders = {path: member_order(place) for path, place in sorted(places.items())}
        self._compressed = {path for path, place in places.items() if is_compressed(place)}
        self.utterances = sorted(manifest, key=self._rank)
        self._path = ""
        self._stream: Iterator[tuple[str, bytes]] = iter(())
        self._last: tuple[str, bytes] = ("", b"")

    def source(self, utterance: Utterance) -> Source:
        """What gives the file or its bytes: ask in the order of `utterances`, of which some may be left out.

        What is returned may be called at any time in any thread, and raises DataError where an archive lacks the file.

        Raises:
            DataError: the file lies outside the corpus, or its archive has changed.
        """
        place, member = place_below(self.root, utterance.path), utterance.member
        if member is None:
            return lambda: place
        if utterance.path not in self._compressed:
            return lambda: read_member(place, member)
        if member not in self._orders[utterance.path]:
            return lambda: _gone(place, member)
        data = self._forward(utterance.path, place, member)
        return lambda: data

    def _rank(self, one: Utterance) -> tuple[str, int, str, float, str]:
        """Where an utterance stands; what an archive lacks comes first."""
        inside = self._orders[one.path].get(one.member, -1) if one.member is not None else 0
        return one.path, inside, one.member or "", one.start, one.id

    def _forward(self, path: str, place: Path, member: str) -> bytes:
        """Go on in a compressed archive up to a member."""
        if path != self._path:
            self._path, self._stream, self._last = path, stream_members(place), ("", b"")
        while self._last[0] != member:
            if (found := next(self._stream, None)) is None:
                return _gone(place, member)
            self._last = found
        return self._last[1]


def _gone(place: Path, member: str) -> bytes:
    """Say that an archive lacks a file."""
    raise DataError(f"{place}: has no file {member!r} any more; scan the corpus again")
