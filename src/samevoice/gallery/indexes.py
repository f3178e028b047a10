"""Which index a gallery is searched with.

Knows: both indexes. Does not know: how they search.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from samevoice.errors import ConfigError
from samevoice.gallery.cache import cache_file
from samevoice.gallery.hnsw import Neighbours
from samevoice.gallery.layout import Rows
from samevoice.gallery.marks import drop_all, has_marks
from samevoice.gallery.search import Index
from samevoice.gallery.store import Store

QUERIES = 200
NEAR = 1.0  # length of the noise that is added to a template: the cosine of both is then 0.7, as of one voice


def index_of(store: Store, model: str, cache: Path) -> Index | Neighbours:
    """What a gallery is searched with: the table of neighbours where it is turned on, else the exact index.

    Args:
        store: the gallery.
        model: fingerprint.
        cache: as for the exact index.

    Raises:
        GalleryError: the store cannot be read.
        ConfigError: the table is turned on and pgvector's client is not installed.
    """
    if (neighbours := neighbours_of(store, model)) is not None:
        neighbours.refresh()
        return neighbours
    return Index.of(store, model, cache=cache)


def neighbours_of(store: Store, model: str | None) -> Neighbours | None:
    """The table of neighbours of a model; None where it is not turned on.

    Raises:
        GalleryError: the server cannot be asked.
        ConfigError: pgvector's client is not installed.
    """
    if model is None or not store.database.read(has_marks):
        return None
    neighbours = Neighbours(store, model, store.database.engine)
    return neighbours if neighbours.is_on() else None


def turn_on(store: Store) -> None:
    """Make the table of neighbours of the gallery's model, and drop those of models that it had before.

    Raises:
        GalleryError: the server cannot do this.
        ConfigError: the gallery is no PostgreSQL, has no model yet, or pgvector's client is not installed.
    """
    model = store.model()
    if model is None:
        raise ConfigError("the gallery has no model yet; enrol somebody first")
    neighbours = Neighbours(store, model, store.database.engine)
    if not neighbours.is_on():
        store.database.write(drop_all)
    neighbours.turn_on()


def turn_off(store: Store) -> None:
    """Drop the tables of neighbours of all models.

    Raises:
        GalleryError: the server cannot do this.
    """
    store.database.write(drop_all)


def measured_recall(store: Store, neighbours: Neighbours, model: str) -> float | None:
    """Share of the ten true nearest that are found, for noisy copies of some templates; None if nobody is enrolled.

    Raises:
        GalleryError: the gallery cannot be read.
    """
    some = next(store.templates(model), None)
    if some is None:
        return None
    draw = np.random.default_rng(0)  # the same figure each time
    picked = draw.permutation(len(some))[:QUERIES]
    noise = draw.standard_normal((len(picked), some.vectors.shape[1]))
    near = some.vectors[picked] + NEAR * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    queries: Rows = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
    return neighbours.recall(queries, Index.of(store, model, cache=cache_file(store.near, model)))
