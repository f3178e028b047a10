"""A new master key for a gallery, so that nobody opens what the old one wrapped.

A server keeps deleted rows, wrapped keys of people among them, in its log, its files and its backups. Once the master
key that wrapped them is destroyed they are of no use to anybody. All keys of people are wrapped anew in one
transaction; vectors and sounds stay as they are, sealed under them.

Killed at any moment, it leaves a gallery that opens: the new key lies beside the old one before anything is changed,
and the old one is given up only when the gallery has opened with the new one. Whoever was killed after that change
calls it again, which gives up all older keys too.

Knows: the order of these steps. Does not know: how a home keeps keys (`homes`), how keys are wrapped (`owners`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from samevoice.errors import ConfigError
from samevoice.gallery.cache import remove_all
from samevoice.gallery.crypto import MasterKey
from samevoice.gallery.founding import default_place, entrust, is_key, was_key
from samevoice.gallery.homes import parsed
from samevoice.gallery.indexes import neighbours_of
from samevoice.gallery.keys import home_of, next_text
from samevoice.gallery.marks import drop_rows
from samevoice.gallery.store import Store

Tell = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """What came of it.

    Args:
        people: whose keys were wrapped anew.
        home: where the new key is, or is to be put.
        is_given: whether a user must put it there.
        kept: how many other keys are still there, the old one perhaps among them.
    """

    people: int
    home: str
    is_given: bool
    kept: int


def rekey(
    place: str | Path | None = None, *, forget_old: bool = False, actor: str = "local", progress: Tell | None = None
) -> Rekeyed:
    """Give a gallery a new master key, and destroy the old one where that is ours to do.

    Args:
        place: as for `Store.open`.
        forget_old: also where other galleries may have the same key, which then open no more.
        actor: who does it, for the record of events.
        progress: is told the fraction done, in [0, 1].

    Raises:
        GalleryError: the gallery or its key cannot be read or written; it opens with what lies where its key is.
        ConfigError: the key comes from a variable and no new one is given, or the new one is the old one.
    """
    place = default_place(create=False) if place is None else place
    with Store.open(place, create=False) as store:
        home = home_of(place, store.id)
    with home.turn():  # opened again in it, for somebody else may have had it before
        texts = home.texts(create=False)
        text = next_text(home)
        new = parsed(text)
        with Store.open(place, create=False) as store:
            if is_key(store.database, new, store.id) or was_key(store.database, new, store.id):
                raise ConfigError("the new key is one that the gallery has or had before; give another")
            home.put(list(dict.fromkeys([text, *texts])))
            people = store.database.write(lambda connection: _change(store, connection, new, actor, progress))
        with Store.open(place, key=new, create=False) as store:  # it opens: only now is the old key given up
            others = _others(store, texts, forget_old=forget_old) if home.is_shared else []
            home.put([text, *others])
            remove_all(store.near)
            store.database.scrub()
            if (neighbours := neighbours_of(store, store.model())) is not None:
                neighbours.refresh()
    return Rekeyed(people, home.shown, home.is_given, len(others))


def _change(store: Store, connection: Connection, new: MasterKey, actor: str, progress: Tell | None) -> int:
    """All that the database has to do with the master key; how many people there are."""
    drop_rows(connection)
    people = store.vault.rewrap(connection, new, progress)
    entrust(connection, store.key, new, store.id)
    store.ledger.append(connection, actor, "rekey", people=people)
    return people


def _others(store: Store, texts: list[str], *, forget_old: bool) -> list[str]:
    """The keys that stay beside the new one in a home that may be of several galleries."""
    keys = {text: parsed(text) for text in texts}
    return [
        text
        for text, key in keys.items()
        if not is_key(store.database, key, store.id) and not (forget_old and was_key(store.database, key, store.id))
    ]
