"""Voices for tests of recognition: drawn at random, as alike as recordings of one person are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from gallerymakers import SIZE, unit_vector

from samevoice.gallery.hearing import Voice
from samevoice.gallery.history import Source, Spoken
from samevoice.gallery.voiceprints import NewVoiceprint
from samevoice.models.embedding import Embedding

ALIKE = 0.85  # cosine of an utterance with the middle of its voice; of two utterances 0.72


def said(model: str, person: int, take: int = 0, *, seconds: float = 20.0, alike: float = ALIKE) -> Embedding:
    """An utterance of a person: the same for the same numbers."""
    middle = unit_vector(person).astype(np.float64)
    noise = np.random.default_rng([person, take, 1]).standard_normal(SIZE)
    noise -= (noise @ middle) * middle
    vector = alike * middle + np.sqrt(1 - alike**2) * noise / np.linalg.norm(noise)
    return Embedding((vector / np.linalg.norm(vector)).astype(np.float32), model, seconds)


def enrolled(model: str, person: int, **about: float) -> NewVoiceprint:
    """An utterance to enrol."""
    return NewVoiceprint(said(model, person, 1_000, **about))


def voices(model: str, people: Sequence[int], take: int, *, seconds: float = 20.0) -> list[Voice]:
    """Those who speak in a recording, one after the other for ten seconds each."""
    return [
        Voice(said(model, person, take, seconds=seconds), [Spoken(10.0 * at, 10.0 * at + 9.5, 0.9)])
        for at, person in enumerate(people)
    ]


def source(label: str = "meeting", digest: str | None = None) -> Source:
    """A recording of ten minutes; `digest` is two hexadecimal digits."""
    return Source(label, 600.0, None if digest is None else digest * 32)
