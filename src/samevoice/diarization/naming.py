"""Names for the speakers of a recording: those of a gallery where it knows them, local ones for the others.

Knows: speakers, what a gallery says of voices. Does not know: how voices are compared, where people are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from samevoice.diarization.diarizer import Diarized, local
from samevoice.errors import AudioError

if TYPE_CHECKING:
    from samevoice.gallery.gallery import Gallery
    from samevoice.gallery.recognition import Recognised

BLOCK = 1 << 20  # bytes read at once


def recognise(found: Diarized, gallery: Gallery, *, fpir: float) -> tuple[Diarized, list[Recognised]]:
    """Name the speakers whom a gallery knows; nothing is stored.

    Two speakers who get one name become one: the diarization took one person for two.

    Args:
        found: the diarization, made with the gallery's model.
        gallery: the people.
        fpir: share of unknown voices tolerated to get anybody's name, in (0, 1).

    Returns:
        The diarization with names, and what the gallery said of each of the speakers that went in.

    Raises:
        FingerprintMismatch: another model made the embeddings.
        GalleryError: the gallery cannot be read.
        ConfigError: the rate is out of range.
    """
    said = gallery.recognise([one.embedding for one in found.speakers], fpir=fpir)
    return _named(found, said), said


def remember(
    found: Diarized,
    gallery: Gallery,
    *,
    fpir: float,
    recording: str,
    digest: str | None = None,
    expires: datetime | None = None,
) -> tuple[Diarized, list[Recognised]]:
    """Name the speakers, keep who spoke when, and give new voices a name that stays.

    Args:
        found: the diarization, made with the gallery's model.
        gallery: the people.
        fpir: as in `recognise`.
        recording: what to call it in the gallery.
        digest: SHA-256 of the file in hexadecimal; the same file is kept once.
        expires: when the voiceprints made of it are to be forgotten, with a time zone; None for never.

    Raises:
        FingerprintMismatch: another model made the embeddings.
        GalleryError: the gallery cannot be written.
        ConfigError: the rate is out of range.
    """
    from samevoice.gallery.hearing import Voice
    from samevoice.gallery.history import Source, Spoken

    voices = [
        Voice(
            one.embedding, [Spoken(turn.start, turn.end, turn.confidence) for turn in found if turn.speaker == one.name]
        )
        for one in found.speakers
    ]
    source = Source(recording, found.diarization.extent, digest)
    said = list(gallery.remember(source, voices, fpir=fpir, expires=expires).voices)
    return _named(found, said), said


def digest_of(recording: Path) -> str:
    """SHA-256 of a file in hexadecimal.

    Raises:
        AudioError: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with recording.open("rb") as stream:
            while block := stream.read(BLOCK):
                digest.update(block)
    except OSError as error:
        raise AudioError(f"{recording}: cannot be read ({error.strerror}); check the path") from error
    return digest.hexdigest()


def _named(found: Diarized, said: Sequence[Recognised]) -> Diarized:
    """The diarization under the names that the gallery gave; nobody else gets one that sounds the same."""
    taken = {one.name for one in said if one.name is not None}
    free = (name for name in map(local, range(len(said) + len(taken))) if name not in taken)
    names = {
        speaker.name: next(free) if one.name is None else one.name
        for speaker, one in zip(found.speakers, said, strict=True)
    }
    return found.renamed(names)
