"""From a trained network and its card to a model's file.

Knows: the order of checks, tracing, proof and writing. Does not know: where the weights came from.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from samevoice.errors import ConfigError, ModelError
from samevoice.export.agreement import check_card
from samevoice.export.graph import trace
from samevoice.export.int8 import with_int8_weights
from samevoice.export.parity import MIN_COSINE, parity
from samevoice.models.card import ModelCard, fingerprint_of
from samevoice.models.encoder import write_model
from samevoice.networks.campplus import DenselyConnected
from samevoice.networks.embedding import EmbeddingNetwork

MIN_INT8_COSINE = 0.995

Weights = Literal["float32", "int8"]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Args:
        path: the model's file.
        card: the card inside it, with its fingerprint.
        cosine: smallest cosine between the network in torch, in floats, and the file in ONNX Runtime, over normal
            random features of twenty lengths and batch sizes. Noise is no speech: the figure says how far answers
            turn, not how many decisions change; with int8 weights measure that on recordings.
    """

    path: Path
    card: ModelCard
    cosine: float

    def __str__(self) -> str:
        """One line."""
        return f"{self.path}: {self.card.fingerprint}, cosine to torch at least {self.cosine:.6f}"


def export_model(network: EmbeddingNetwork, card: ModelCard, path: Path, *, weights: Weights = "float32") -> Exported:
    """Write a network as one `.onnx` with its card inside, if it answers there as it does in torch.

    Args:
        network: any of `samevoice.networks` with its weights; it is copied, not changed.
        card: what the model is; its fingerprint is made anew.
        path: where to write it; an older file there is replaced.
        weights: "int8" for a quarter of the size; its cosine on random features is then written into the card's
            summary (see `Exported`).

    Returns:
        The card as written, and the parity.

    Raises:
        ConfigError: there are no such weights.
        ModelError: the card does not fit the network, ONNX cannot express the network, or the answers differ (cosine
            below 0.9999; with int8 weights below 0.995). Nothing is written then.
    """
    if weights not in (known := get_args(Weights)):
        raise ConfigError(f"weights {weights!r} cannot be written; choose one of {', '.join(known)}")
    try:
        check_card(network, card)
        still = copy.deepcopy(network).cpu().eval()
        pools_moments = isinstance(still, DenselyConnected)  # which a served model finds by their names
        graph: bytes = trace(still, keeps_names=pools_moments).SerializeToString(deterministic=True)
        cosine = parity(still, graph, least=MIN_COSINE)
        if weights == "int8":
            graph = with_int8_weights(graph)
            cosine = parity(still, graph, least=MIN_INT8_COSINE)
            card = replace(
                card,
                summary=f"{card.summary} Weights in 8 bits; cosine to the original {cosine:.5f} on random features.",
            )
    except ModelError as error:
        raise ModelError(f"{path}: not written, {error}") from error
    card = replace(card, fingerprint=fingerprint_of(graph, card))
    write_model(path, graph, card)
    return Exported(path, card, cosine)
