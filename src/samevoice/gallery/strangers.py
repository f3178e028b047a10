"""Strangers as a shelf of their own: its index holds nobody enrolled, and that of the enrolled holds no stranger.

So nobody who was only heard can be who a login finds, whatever happens in a search.

Knows: the store. Does not know: how an index searches, what is decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from samevoice.gallery.cache import cache_file
from samevoice.gallery.crypto import MasterKey
from samevoice.gallery.layout import Ids, Moment
from samevoice.gallery.search import Batch, Index
from samevoice.gallery.store import Store


class Strangers:
    """The templates of strangers, as an index asks for them.

    Args:
        store: the gallery.
        model: fingerprint.
    """

    def __init__(self, store: Store, model: str) -> None:
        """Keep the parts."""
        self._store, self._model = store, model

    @property
    def id(self) -> str:
        """The gallery's own id."""
        return self._store.id

    @property
    def key(self) -> MasterKey:
        """The gallery's master key."""
        return self._store.key

    def moment(self) -> Moment:
        """How far the gallery has come."""
        return self._store.moment()

    def has_been_at(self, moment: Moment) -> bool:
        """Whether the gallery was there once."""
        return self._store.has_been_at(moment)

    def templates(self, _model: str, *, since: int) -> Iterator[Batch]:
        """The templates that were written after the count of changes was `since`."""
        return self._store.templates(self._model, since=since, strangers=True)

    def template_ids(self, _model: str) -> Ids:
        """The ids of all templates, int64 (n,)."""
        return self._store.template_ids(self._model, strangers=True)

    def owners(self, _model: str, ids: Sequence[int]) -> dict[int, tuple[str, str, float]]:
        """Public id, name and seconds of speech by id."""
        return self._store.owners(self._model, ids, strangers=True)


def strangers_index(store: Store, model: str) -> Index:
    """The index of those heard and not enrolled; always exact, with a cache file and a rotation of its own.

    Raises:
        GalleryError: the store cannot be read.
    """
    name = f"{model} strangers"
    return Index.of(Strangers(store, model), name, cache=cache_file(store.near, name))
