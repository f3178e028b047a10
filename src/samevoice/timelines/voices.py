"""Voices that slices are compared with: one reference, or everybody in a gallery.

Knows: vectors, names, calibrations. Does not know: recordings, slices, how a gallery keeps its people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from samevoice.errors import FingerprintMismatch, GalleryError
from samevoice.models.embedding import Embedding

if TYPE_CHECKING:
    from samevoice.gallery.gallery import Gallery

Vectors = NDArray[np.float32]

BLOCK = 1 << 22  # cosines that are held at once


@dataclass(frozen=True, slots=True, eq=False)
class Voices:
    """Known voices of one model.

    Args:
        names: what to call them, m >= 1.
        vectors: of unit norm, float32 (m, d).
        seconds: of speech behind each, shape (m,).
        model: fingerprint of the model that made them.
    """

    names: tuple[str, ...]
    vectors: Vectors
    seconds: NDArray[np.float64]
    model: str

    @classmethod
    def of(cls, name: str, embedding: Embedding) -> Voices:
        """One voice.

        Args:
            name: what to call it.
            embedding: of it.
        """
        return cls((name,), embedding.vector[None], np.array([embedding.seconds]), embedding.model)

    @classmethod
    def enrolled(cls, gallery: Gallery) -> Voices:
        """Everybody who is enrolled, by the gallery's model.

        Args:
            gallery: of the people.

        Raises:
            GalleryError: nobody is, or the gallery cannot be read.
            FingerprintMismatch: the people were enrolled with another model.
        """
        model, store = gallery.model.card.fingerprint, gallery.store
        if store.has_expired():
            gallery.purge(patient=False)
        batches = list(store.templates(model))
        row = {number: at for at, number in enumerate(number for one in batches for number in one.ids.tolist())}
        owners = store.owners(model, list(row))
        if not owners:
            raise GalleryError("nobody is enrolled in this gallery; use samevoice enrol, or give a reference recording")
        return cls(
            tuple(name for _, name, _ in owners.values()),
            np.concatenate([one.vectors for one in batches])[[row[number] for number in owners]],
            np.array([seconds for _, _, seconds in owners.values()]),
            model,
        )

    def __len__(self) -> int:
        """How many voices there are."""
        return len(self.names)

    def __repr__(self) -> str:
        """How many and of what; never the numbers, which are personal data."""
        return f"Voices({len(self)}, {self.model})"

    def require(self, model: str) -> None:
        """Refuse voices of another model.

        Args:
            model: fingerprint of the model that is needed.

        Raises:
            FingerprintMismatch: so.
        """
        if self.model != model:
            raise FingerprintMismatch(model, self.model)

    def cosines(self, vectors: Vectors, rows: NDArray[np.intp]) -> Vectors:
        """Cosines of vectors (n, d) with some of the voices, float32 (n, rows).

        Args:
            vectors: of unit norm, shape (n, d).
            rows: numbers of the voices, shape (r,).
        """
        found: Vectors = np.clip(vectors @ self.vectors[rows].T, -1.0, 1.0)
        return found

    def nearest(self, vectors: Vectors) -> tuple[NDArray[np.int32], Vectors]:
        """For each of n vectors (n, d) the voice with the highest cosine, and that cosine.

        Args:
            vectors: of unit norm, shape (n, d).
        """
        best, top = np.zeros(len(vectors), dtype=np.int32), np.zeros(len(vectors), dtype=np.float32)
        everybody = np.arange(len(self))
        block = max(1, BLOCK // len(self))
        for start in range(0, len(vectors), block):
            cosines = self.cosines(vectors[start : start + block], everybody)
            best[start : start + block] = cosines.argmax(axis=1)
            top[start : start + block] = cosines.max(axis=1)
        return best, top
