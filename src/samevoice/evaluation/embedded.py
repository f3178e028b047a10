"""Pieces of a corpus as unit vectors: what an evaluation compares.

Knows: manifests, reading, models. Does not know: scores, thresholds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.waveform import Waveform
from samevoice.corpora.manifest import Manifest
from samevoice.corpora.pieces import Piece, cut_pieces, evenly
from samevoice.corpora.sounds import Sounds
from samevoice.embedder import Model
from samevoice.errors import DataError, SamevoiceError
from samevoice.speech.listening import Progress

MAX_PIECES = 5_000  # 12.5 million pairs: a few hundred megabytes, and minutes for the intervals
CACHE_BYTES = 16 << 20  # pieces of one utterance follow each other, so that a few utterances suffice


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedPieces:
    """Pieces of known speakers, and what could not be embedded.

    Args:
        vectors: unit vectors, shape (n, d).
        pieces: of each row.
        failures: (piece, reason) of those left out.
    """

    vectors: NDArray[np.float32]
    pieces: tuple[Piece, ...]
    failures: tuple[tuple[Piece, SamevoiceError], ...]

    @property
    def speakers(self) -> list[str]:
        """Who speaks in each row."""
        return [str(piece.utterance.speaker) for piece in self.pieces]

    @property
    def sessions(self) -> list[str]:
        """The session of each row, unique over corpora and speakers; "" where unknown."""
        listed = [piece.utterance for piece in self.pieces]
        return [f"{one.corpus}\n{one.speaker}\n{one.session}" if one.session else "" for one in listed]

    @property
    def utterances(self) -> list[str]:
        """The utterance of each row."""
        return [piece.utterance.id for piece in self.pieces]


def choose_pieces(
    corpus: Manifest, *, split: str | None = None, seconds: float | None = 3.0, per_speaker: int | None = None
) -> list[Piece]:
    """The pieces of everybody who is named.

    Args:
        corpus: utterances without a speaker are left out.
        split: only utterances of that split; None for all.
        seconds: length of a piece; None for whole utterances.
        per_speaker: most pieces of one speaker, evenly spread over those there are; None for all.

    Raises:
        ConfigError: a piece of so many seconds cannot be.
        DataError: nobody of the split is named, fewer than two speakers have two pieces, or there are too many.
    """
    named = [one for one in corpus if one.speaker is not None and split in (None, one.split)]
    where = f"{corpus.root}, split {split!r}" if split is not None else f"{corpus.root}"
    if not named:
        there = ", ".join(sorted({one.split for one in corpus if one.split})) or "none"
        raise DataError(f"{where}: no utterance with a named speaker; the splits there are: {there}")
    of: dict[str, list[Piece]] = {}
    for piece in cut_pieces(named, seconds):
        of.setdefault(str(piece.utterance.speaker), []).append(piece)
    length = "whole utterances" if seconds is None else f"pieces of {seconds:g} s"
    require_two([speaker for speaker, own in of.items() for _ in own], f"{where}, {length}")
    if per_speaker is not None:
        of = {speaker: evenly(own, per_speaker) for speaker, own in of.items()}
    chosen = [piece for own in of.values() for piece in own]
    if len(chosen) > MAX_PIECES:
        raise DataError(
            f"{where}: {len(chosen):,} pieces are more than {MAX_PIECES:,}, too many to compare all of them; "
            f"take at most {max(2, MAX_PIECES // len(of))} of each speaker with --per-speaker"
        )
    return chosen


def speakers_of(corpus: Manifest, split: str | None = None) -> set[str]:
    """Everybody who is named in a split, or in all."""
    return {one.speaker for one in corpus if one.speaker is not None and split in (None, one.split)}


def require_two(speakers: Sequence[str], where: str) -> None:
    """Refuse what cannot be evaluated.

    Args:
        speakers: of each piece.
        where: what to call the corpus.

    Raises:
        DataError: fewer than two speakers have two pieces.
    """
    names, counts = np.unique(np.array(speakers, dtype=str), return_counts=True)
    enough = int((counts >= 2).sum())
    if enough < 2:
        raise DataError(
            f"{where}: {enough} of {len(names)} speakers have two pieces, two speakers are needed; "
            "add recordings or take shorter pieces"
        )


def embed_pieces(
    model: Model, corpus: Manifest, pieces: Sequence[Piece], progress: Progress | None = None
) -> EmbeddedPieces:
    """Embed pieces; those that cannot be read or hold too little speech are left out and listed.

    Args:
        model: any.
        corpus: where the pieces come from.
        pieces: of it.
        progress: is told how many pieces are done.
    """
    reader = _Reader(Sounds(corpus.root, model.card.rate, cache_bytes=CACHE_BYTES))
    vectors: list[NDArray[np.float32]] = []
    kept: list[Piece] = []
    failures: list[tuple[Piece, SamevoiceError]] = reader.failures
    for number, outcome in enumerate(model.embed_each(reader.read(pieces), progress=progress)):
        piece = reader.pieces[number]
        if isinstance(outcome, SamevoiceError):
            failures.append((piece, outcome))
        else:
            vectors.append(outcome.vector)
            kept.append(piece)
    table = np.stack(vectors) if vectors else np.empty((0, model.card.dimension), dtype=np.float32)
    return EmbeddedPieces(table, tuple(kept), tuple(failures))


@dataclass(slots=True)
class _Reader:
    """Reads pieces one after another and remembers which could be read."""

    sounds: Sounds
    pieces: list[Piece] = field(default_factory=list)
    failures: list[tuple[Piece, SamevoiceError]] = field(default_factory=list)

    def read(self, pieces: Iterable[Piece]) -> Iterator[Waveform]:
        """The sound of those that can be read."""
        for piece in pieces:
            try:
                samples = self.sounds.read(piece.utterance, piece.start, piece.seconds)
                sound = Waveform(samples, self.sounds.rate)
            except SamevoiceError as error:
                self.failures.append((piece, error))
                continue
            self.pieces.append(piece)
            yield sound
