"""A model as a file and as a function: read and write the file, run the graph.

A model is one `.onnx` whose metadata carries its card. Reading recomputes the fingerprint, so that a file whose
weights or recipe were changed never makes embeddings under the old name.

Knows: files, cards, ONNX Runtime. Does not know: where models come from, how features are made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from samevoice.errors import ModelError
from samevoice.files import write_atomically
from samevoice.models.card import METADATA_KEY, ModelCard, fingerprint_of
from samevoice.models.frames import SEQUENCE, Pooling, split
from samevoice.models.onnxfile import split_metadata, with_metadata
from samevoice.runtime import open_session

MAX_BYTES = 1 << 30
# Of features per call. On one thread two clips of 3 s are each as quick as one, eight are 13 % slower, since what lies
# between the layers leaves the cache (CAM++, 2 MB of cache per core). Several threads share a call and gain from more.
BATCH_FRAMES, BATCH_FRAMES_SHARED = 600, 2_400

Each = TypeVar("Each")


class Encoder:
    """The network of a speaker-embedding model.

    Args:
        card: the model's card.
        graph: the ONNX model: one input (batch, frames, bands), one output (batch, d).
        threads: how many threads one call may use, 1 to 256.

    Attributes:
        frames: the only number of frames that the graph takes; None if it takes any.
        pooling: what makes embeddings of a `sequence`; None if the network cannot be split.

    Raises:
        ConfigError: the number of threads is out of range.
        ModelError: ONNX Runtime cannot open the graph, it takes more than features, the card describes no
            embedding, or its window is not of the only length that the graph takes.
    """

    def __init__(self, card: ModelCard, graph: bytes, threads: int) -> None:
        """Open the graph."""
        if card.frontend is None or not card.dimension:
            raise ModelError(f"{card.name} is a {card.kind} model and makes no embeddings; choose another model")
        self.card = card
        self._bands = card.frontend.bands
        self._batch_frames = BATCH_FRAMES if threads == 1 else BATCH_FRAMES_SHARED
        whole = split(graph)
        self.pooling: Pooling | None = whole[1] if whole else None
        self._session = open_session(whole[0] if whole else graph, card.name, threads=threads)
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise ModelError(f"{card.name}: the network takes {len(inputs)} inputs, not features alone; pull it again")
        self._output = self._session.get_outputs()[0].name
        self._input, shape = inputs[0].name, inputs[0].shape  # axes of any length have names instead of numbers
        self.frames: int | None = shape[1] if len(shape) == 3 and isinstance(shape[1], int) else None
        if self.frames and card.window and card.window.frames != self.frames:
            raise ModelError(
                f"{card.name}: the network takes {self.frames} frames, its card cuts {card.window.frames}; export it "
                f"again with a window of {self.frames}"
            )

    def __call__(self, features: NDArray[np.float32], /) -> NDArray[np.float32]:
        """Run the network.

        Args:
            features: output of the card's front end, shape (batch, frames, bands).

        Returns:
            Raw network outputs, not normalised but of a norm that can be divided by, shape (batch, d).

        Raises:
            ValueError: the features have another shape.
            ModelError: the network fails, or answers with numbers that are zero or not finite.
        """
        name, shape = self.card.name, features.shape
        outputs = self._run(self._output, features)
        if outputs.shape != (len(features), self.card.dimension):
            raise ModelError(f"{name}: the network answers {outputs.shape}, not what its card says; pull it again")
        with np.errstate(all="ignore"):  # what overflows is refused
            norms = np.linalg.norm(outputs, axis=1)
        if not (np.isfinite(norms) & (norms > 0)).all():
            raise ModelError(
                f"{name}: the network's answer is zero or not finite for {shape[1]} frames; give longer speech"
            )
        return outputs

    def batch_size(self, frames: int) -> int:
        """How many stretches of so many frames one call takes best."""
        return max(1, self._batch_frames // frames)

    def batches(self, stretches: Sequence[Each], frames: int) -> Iterator[Sequence[Each]]:
        """Stretches of so many frames each, cut into calls."""
        size = self.batch_size(frames)
        return (stretches[start : start + size] for start in range(0, len(stretches), size))

    def sequence(self, features: NDArray[np.float32], /) -> NDArray[np.float32]:
        """What the network knows of each moment before it pools them; only where `pooling` is not None.

        Args:
            features: as in a call.

        Returns:
            Shape (batch, channels, ceil(frames / 2)).

        Raises:
            ValueError: the features have another shape.
            ModelError: the network fails, or answers with numbers that are not finite.
        """
        outputs = self._run(SEQUENCE, features)
        if not np.isfinite(outputs).all():
            raise ModelError(f"{self.card.name}: the network's answer is not finite; check the recording")
        return outputs

    def _run(self, output: str, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """One output of the network."""
        name, shape = self.card.name, features.shape
        if len(shape) != 3 or 0 in shape or shape[1:] != (self.frames or shape[1], self._bands):
            wanted = f"(batch, {self.frames or 'frames'}, {self._bands})"
            raise ValueError(f"{name} takes features {wanted}, got {shape}")
        try:
            (raw,) = self._session.run([output], {self._input: np.ascontiguousarray(features, dtype=np.float32)})
        except Exception as error:  # ONNX Runtime raises many private classes
            reason = str(error).splitlines()[0][:200]
            raise ModelError(f"{name}: the network failed on {shape} ({reason})") from error
        with np.errstate(all="ignore"):
            return np.asarray(raw, dtype=np.float32)


def read_model(path: Path) -> tuple[ModelCard, bytes]:
    """Read a model and check that it is what its card says.

    Args:
        path: an `.onnx` written by `write_model`.

    Returns:
        The card and the graph without metadata.

    Raises:
        ModelError: the file cannot be read, is no ONNX model, carries no card, or was changed.
    """
    try:
        content = read_file(path)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); check the path, or pull the model") from error
    return parse_model(content, str(path))


def read_file(path: Path) -> bytes:
    """The bytes of a model's file, for `parse_model`; the caller knows what a missing file means.

    Raises:
        OSError: the file is not there, or cannot be read.
        ModelError: it is larger than any model.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ModelError(f"{path}: larger than 1 GiB; this is not a samevoice model, choose another file")
    return path.read_bytes()


def parse_model(content: bytes, where: str) -> tuple[ModelCard, bytes]:
    """The same for a file already in memory.

    Args:
        content: the file.
        where: what to call it in an error.

    Raises:
        ModelError: as `read_model`.
    """
    try:
        graph, metadata = split_metadata(content)
        card = ModelCard.from_json(metadata[METADATA_KEY]) if METADATA_KEY in metadata else None
    except ModelError as error:
        raise ModelError(f"{where}: {error}") from error
    if card is None:
        raise ModelError(f"{where}: carries no samevoice card; pull a model by name, or write one with write_model")
    found = fingerprint_of(graph, card)
    if found != card.fingerprint:
        raise ModelError(f"{where}: wrong digest ({found}, its card says {card.fingerprint}), pull it again")
    return card, graph


def write_model(path: Path, graph: bytes, card: ModelCard) -> None:
    """Write a model in one step: a reader sees the old file or the new one, never a part.

    Args:
        path: where; its folder is made if missing.
        graph: the ONNX model; metadata it carries is replaced.
        card: its fingerprint must be that of the graph.

    Raises:
        ModelError: the fingerprint is another, or the file cannot be written.
    """
    bare, _ = split_metadata(graph)
    found = fingerprint_of(bare, card)
    if found != card.fingerprint:
        raise ModelError(f"{path}: not written, the card says {card.fingerprint}, the graph is {found}; mend the card")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = with_metadata(bare, {METADATA_KEY: card.to_json()})
        write_atomically(path, lambda stream: stream.write(content))
    except OSError as error:
        raise ModelError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error
