"""Embeddings of chosen moments of a stretch of sound, whatever the model.

A network that pools its moments only at the end passes a stretch once, and any choice of moments costs next to nothing
(`frames`). Any other network passes the features of each choice.

Knows: front ends, encoders. Does not know: files, who speaks, why moments are chosen.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.waveform import Samples
from samevoice.features.frontend import Features, Frontend
from samevoice.models.encoder import Encoder
from samevoice.models.frames import LEAST, STRIDE, Frames, Pooling

Chosen = NDArray[np.bool_]


class Describer(Protocol):
    """What a stretch of sound holds at each moment, and the voice in any choice of moments."""

    @property
    def dimension(self) -> int:
        """Length of an embedding."""

    @property
    def stride(self) -> int:
        """Samples from one moment to the next; moment i is centred at i x stride + centre."""

    @property
    def centre(self) -> int:
        """Samples from the start of a stretch to the centre of its first moment."""

    def sequence(self, samples: Samples, /) -> Frames:
        """The moments of a stretch: whatever `embed` wants of them, shape (channels, t)."""

    def embed(self, sequence: Frames, chosen: Chosen, /) -> Frames:
        """Unit vectors of choices of moments.

        Args:
            sequence: shape (channels, t).
            chosen: shape (n, t).

        Returns:
            float32 (n, d); zeros where too few moments were chosen.
        """


def describer_of(encoder: Encoder, frontend: Frontend, level_dbfs: float | None) -> Describer:
    """The quickest way to describe moments with a model.

    Args:
        encoder: its network.
        frontend: its front end.
        level_dbfs: stretches quieter than this are raised to it; None to leave them.
    """
    if encoder.pooling is not None:
        return Pooled(encoder, frontend, encoder.pooling, level_dbfs)
    return Cut(encoder, frontend, level_dbfs)


class _Base:
    """What both ways share."""

    frames = 1  # of features per moment

    def __init__(self, encoder: Encoder, frontend: Frontend, level_dbfs: float | None) -> None:
        """Keep the parts."""
        self._encoder, self._frontend, self._level = encoder, frontend, level_dbfs
        self.dimension = encoder.card.dimension
        self.stride = self.frames * frontend.hop
        self.centre = (frontend.width - frontend.lead) // 2

    def _features(self, samples: Samples) -> Features:
        """Features of a stretch at the level that the model expects, not normalised."""
        power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
        if self._level is not None and power > 0:
            gain = max(1.0, 10 ** (self._level / 20) / power**0.5)
            samples = (samples * np.float32(gain)).astype(np.float32)
        found = list(self._frontend.walk([samples]))
        return np.concatenate(found) if found else np.empty((0, self._frontend.spec.bands), dtype=np.float32)

    def _unit(self, raw: Frames) -> Frames:
        """Rows brought to the unit sphere; float32 (n, d)."""
        norms = np.linalg.norm(raw, axis=1, keepdims=True)
        unit: Frames = raw / np.maximum(norms, np.finfo(np.float32).tiny)
        return unit


class Pooled(_Base):
    """One pass per stretch; choices are pooled from it."""

    frames = STRIDE

    def __init__(self, encoder: Encoder, frontend: Frontend, pooling: Pooling, level_dbfs: float | None) -> None:
        """Keep the parts."""
        super().__init__(encoder, frontend, level_dbfs)
        self._pooling = pooling
        self.channels = pooling.weight.shape[1] // 2

    def sequence(self, samples: Samples, /) -> Frames:
        """What the network knows of each moment."""
        features = self._features(samples)
        if not len(features):
            return np.empty((self.channels, 0), dtype=np.float32)
        found: Frames = self._encoder.sequence(self._frontend.normalise(features)[None])[0]
        return found

    def embed(self, sequence: Frames, chosen: Chosen, /) -> Frames:
        """Unit vectors of choices of at least two moments; zeros for others."""
        vectors = np.zeros((len(chosen), self.dimension), dtype=np.float32)
        rows = np.flatnonzero(chosen.sum(axis=1) >= LEAST)
        if len(rows):
            vectors[rows] = self._unit(self._pooling(sequence, chosen[rows]))
        return vectors


class Cut(_Base):
    """The features of each choice through the network; of more than its window the first."""

    def sequence(self, samples: Samples, /) -> Frames:
        """The features, shape (bands, t)."""
        return np.ascontiguousarray(self._features(samples).T)

    def embed(self, sequence: Frames, chosen: Chosen, /) -> Frames:
        """Unit vectors of choices that hold as many frames as the network needs; zeros for others."""
        card, fixed = self._encoder.card, self._encoder.frames
        most = fixed or (card.window.frames if card.window else chosen.shape[1])
        least = fixed or max(1, round(card.min_speech * card.rate / self._frontend.hop))
        vectors = np.zeros((len(chosen), self.dimension), dtype=np.float32)
        lengths: dict[int, list[int]] = {}
        for row, count in enumerate(np.minimum(chosen.sum(axis=1), most).tolist()):
            if count >= least:
                lengths.setdefault(count, []).append(row)
        for count, rows in lengths.items():
            for batch in self._encoder.batches(rows, count):
                cut = [sequence[:, np.flatnonzero(chosen[row])[:count]].T for row in batch]
                vectors[batch] = self._unit(self._encoder(np.stack([self._frontend.normalise(one) for one in cut])))
        return vectors
