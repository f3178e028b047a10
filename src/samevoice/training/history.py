"""Embeddings of utterances seen lately, so that hard triplets can be looked for in more than one batch.

Knows: a bounded memory and its age. Does not know: networks, how the embeddings are used.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice.errors import ConfigError, ModelError
from samevoice.options import checked_size
from samevoice.training.index import Rows
from samevoice.training.sampler import State

DAMAGED = "the saved history of embeddings is damaged; go back to an older checkpoint"
ROUNDING = 1e-3  # how far a length saved in float32 may be from 1


class EmbeddingHistory:
    """The newest embedding of each of the last `capacity` utterances, oldest first.

    Args:
        capacity: utterances remembered, at least 1.

    Attributes:
        rows: utterance numbers, int64, shape (m,), m <= capacity, none twice.
        embeddings: their embeddings at length 1, float32, shape (m, d).

    Raises:
        ConfigError: the capacity is not a whole number above 0.
    """

    def __init__(self, capacity: int = 6400) -> None:
        self.capacity = checked_size("history", capacity, 1)
        self.rows: Rows = np.empty(0, dtype=np.int64)
        self.embeddings: NDArray[np.float32] = np.empty((0, 0), dtype=np.float32)

    def add(self, rows: Rows, embeddings: NDArray[np.floating[Any]]) -> None:
        """Remember embeddings; an utterance that is already known is replaced, and the oldest give way.

        Args:
            rows: utterance numbers, shape (k,); of one that comes twice the last counts.
            embeddings: as the network gives them now, shape (k, d), d always the same.

        Raises:
            ModelError: no numpy array of floats; wrong shape, NaN, infinity, or a zero vector.
        """
        if not isinstance(embeddings, np.ndarray) or embeddings.dtype.kind != "f":
            raise ModelError(
                f"embeddings must be a numpy array of floats of shape ({len(rows)}, d), got {type(embeddings).__name__}"
            )
        expected = (len(rows), self.embeddings.shape[1] if len(self.rows) else "d")
        if embeddings.ndim != 2 or embeddings.shape[0] != len(rows) or expected[1] not in {"d", embeddings.shape[1]}:
            raise ModelError(f"embeddings must have shape ({expected[0]}, {expected[1]}), got {embeddings.shape}")
        lengths = np.linalg.norm(embeddings.astype(np.float64), axis=1, keepdims=True)
        if not np.all(np.isfinite(lengths) & (lengths > 0)):
            raise ModelError(
                f"embeddings of shape ({expected[0]}, {expected[1]}) must be finite and none a zero vector; look for "
                f"NaN and silent clips in the features"
            )
        unit = (embeddings / lengths).astype(np.float32)
        last = np.sort(len(rows) - 1 - np.unique(rows[::-1], return_index=True)[1])
        stay = ~np.isin(self.rows, rows)
        known = self.embeddings[stay] if len(self.rows) else unit[:0]
        self.rows = np.concatenate([self.rows[stay], rows[last]])[-self.capacity :]
        self.embeddings = np.concatenate([known, unit[last]])[-self.capacity :]

    def state(self) -> State:
        """Everything remembered, as plain JSON; the embeddings as base64 of little-endian float32, so exactly."""
        return {
            "rows": self.rows.tolist(),
            "embeddings": base64.b64encode(self.embeddings.astype("<f4").tobytes()).decode(),
        }

    def read(self, state: Mapping[str, Any]) -> tuple[Rows, NDArray[np.float32]]:
        """What a saved state holds; changes nothing.

        Args:
            state: what `state` gave, possibly after a trip through JSON.

        Returns:
            Utterance numbers, shape (m,), and embeddings, shape (m, d).

        Raises:
            ConfigError: it is damaged, or holds more than the capacity.
        """
        try:
            rows = np.array([checked_size("utterance", row, 0) for row in state["rows"]], dtype=np.int64)
            values = np.frombuffer(base64.b64decode(state["embeddings"], validate=True), dtype="<f4")
            embeddings = values.reshape(len(rows), -1 if len(rows) else 0).astype(np.float32)
        except (KeyError, TypeError, ValueError, OverflowError, ConfigError) as error:
            raise ConfigError(DAMAGED) from error
        lengths = np.linalg.norm(embeddings.astype(np.float64), axis=1)
        if len(np.unique(rows)) < len(rows) or not np.all(abs(lengths - 1) < ROUNDING):  # NaN compares false
            raise ConfigError(DAMAGED)
        if len(rows) > self.capacity:
            raise ConfigError(f"the saved history holds {len(rows)} utterances, this one {self.capacity}; enlarge it")
        return rows, embeddings

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember exactly what was saved.

        Args:
            state: what `state` gave, possibly after a trip through JSON.

        Raises:
            ConfigError: it is damaged, or holds more than the capacity; what was remembered stays.
        """
        self.rows, self.embeddings = self.read(state)
