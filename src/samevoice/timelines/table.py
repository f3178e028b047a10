"""A timeline as a value: columns over the slices of one recording.

Knows: its invariants, how a slice reads. Does not know: how it was measured, files, pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice.models.embedding import Embedding
from samevoice.speech.timeline import Seconds, Timeline
from samevoice.timelines.grid import Grid, Times
from samevoice.timelines.voices import Vectors, Voices

Column = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Likeness:
    """The known voice that a slice is most like.

    Args:
        name: of the voice; it is the nearest, which need not be who speaks.
        cosine: in [-1, 1].
        llr: evidence for one speaker against two, natural logarithm, by the calibration at so little speech; None
            where the model has none. It is not corrected for the number of voices that were asked.
    """

    name: str
    cosine: float
    llr: float | None


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice of a recording.

    Args:
        start: in seconds of the source.
        end: the same.
        probability: of speech, mean over the slice, in [0, 1].
        share: of the slice that the detector counts as speech, in [0, 1].
        level_dbfs: root mean square over the slice, 0 = full scale, -200 for digital silence.
        embedding: of the speech in it; None where that is too little.
        likeness: to the voices that were asked for; None where there is no embedding, or none were.
    """

    start: Seconds
    end: Seconds
    probability: float
    share: float
    level_dbfs: float
    embedding: Embedding | None
    likeness: Likeness | None


@dataclass(frozen=True, slots=True, eq=False)
class SliceTable:
    """Slices of one recording, as read-only columns of n numbers; iterates as `Slice`s.

    Args:
        recording: what to call it.
        model: fingerprint of the model.
        grid: where the slices lie.
        extent: seconds of the recording.
        starts: in seconds of the source.
        ends: the same.
        probability: see `Slice`, like the following ones.
        share: see there.
        level_dbfs: see there.
        vectors: embeddings, unit norm, shape (n, d); zeros where a slice holds too little speech.
        voices: what the slices were compared with, or None.
        nearest: row of the nearest voice, -1 without an embedding; None without voices.
        cosine: with that voice, 0 without an embedding; None without voices.
        llr: see `Likeness`, 0 without an embedding; None without voices or calibration.
        even: cosine at which the evidence is even for a slice full of speech; None without calibration.
        speech: where somebody speaks.
        envelope: lowest and highest sample in equal parts of the recording, float32 (2, k), for pictures.
        warnings: what about the recording could mislead.
    """

    recording: str
    model: str
    grid: Grid
    extent: Seconds
    starts: Times
    ends: Times
    probability: Column
    share: Column
    level_dbfs: Column
    vectors: Vectors
    voices: Voices | None
    nearest: NDArray[np.int32] | None
    cosine: Column | None
    llr: Column | None
    even: float | None
    speech: Timeline
    envelope: Column
    warnings: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check and freeze the columns."""
        columns: list[NDArray[Any] | None] = [self.starts, self.ends, self.probability, self.share, self.level_dbfs]
        columns += [self.vectors, self.nearest, self.cosine, self.llr]
        for column in columns:
            if column is not None and len(column) != len(self.starts):
                raise ValueError(f"columns of {len(column)} and {len(self.starts)} slices are no table")
        for column in (*columns, self.envelope):
            if column is not None:
                column.flags.writeable = False

    def __len__(self) -> int:
        """How many slices there are."""
        return len(self.starts)

    def __repr__(self) -> str:
        """How many and of what; never the numbers, which are personal data."""
        return f"SliceTable({len(self)} slices, {int(self.embedded.sum())} embedded, {self.extent:.1f} s, {self.model})"

    @property
    def embedded(self) -> NDArray[np.bool_]:
        """Which slices have an embedding, shape (n,)."""
        return np.asarray(self.vectors.any(axis=1), dtype=np.bool_)

    @property
    def names(self) -> tuple[str, ...]:
        """The nearest voice of each slice, "" without an embedding or voices."""
        if self.voices is None or self.nearest is None:
            return ("",) * len(self)
        return tuple(self.voices.names[row] if row >= 0 else "" for row in self.nearest.tolist())

    def __iter__(self) -> Iterator[Slice]:
        """The slices in order of time."""
        return (self[row] for row in range(len(self)))

    def __getitem__(self, row: int) -> Slice:
        """One slice.

        Raises:
            IndexError: there are not so many.
        """
        start, end, share = float(self.starts[row]), float(self.ends[row]), float(self.share[row])
        vector = self.vectors[row]
        return Slice(
            start,
            end,
            float(self.probability[row]),
            share,
            float(self.level_dbfs[row]),
            Embedding(vector, self.model, share * (end - start)) if vector.any() else None,
            self._likeness(row),
        )

    def _likeness(self, row: int) -> Likeness | None:
        """To the nearest voice."""
        if self.voices is None or self.nearest is None or self.cosine is None or self.nearest[row] < 0:
            return None
        llr = None if self.llr is None else float(self.llr[row])
        return Likeness(self.voices.names[self.nearest[row]], float(self.cosine[row]), llr)
