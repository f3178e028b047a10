"""From a trained network and its card to a model's file.

Knows: the order of tracing, proof and writing. Does not know: where the weights came from.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from samevoice.errors import ModelError
from samevoice.export.graph import trace
from samevoice.export.int8 import with_int8_weights
from samevoice.export.parity import MIN_COSINE, parity
from samevoice.models.card import ModelCard, fingerprint_of
from samevoice.models.encoder import write_model
from samevoice.networks.embedding import EmbeddingNetwork

MIN_INT8_COSINE = 0.995

Weights = Literal["float32", "int8"]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Args:
        path: the model's file.
        card: the card inside it, with its fingerprint.
        cosine: smallest cosine between torch and ONNX Runtime over twenty lengths and batch sizes.
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
        weights: "int8" for a quarter of the size; its parity is then written into the card's summary.

    Returns:
        The card as written, and the parity.

    Raises:
        ModelError: the card is of another network, ONNX cannot express the network, or the answers differ (cosine
            below 0.9999; with int8 weights below 0.995). Nothing is written then.
    """
    frontend = card.frontend
    if frontend is None or (frontend.bands, card.dimension) != (network.bands, network.dimension):
        described = f"{frontend.bands if frontend else 'no'} bands and {card.dimension} dimensions"
        raise ModelError(
            f"{path}: not written, the card describes {described}, the network has {network.bands} and "
            f"{network.dimension}; mend the card"
        )
    still = copy.deepcopy(network).cpu().eval()
    try:
        graph: bytes = trace(still, keeps_names=False).SerializeToString(deterministic=True)
        cosine = parity(still, graph, least=MIN_COSINE)
        if weights == "int8":
            graph = with_int8_weights(graph)
            cosine = parity(still, graph, least=MIN_INT8_COSINE)
            card = replace(card, summary=f"{card.summary} Weights in 8 bits, cosine to the original {cosine:.5f}.")
    except ModelError as error:
        raise ModelError(f"{path}: not written, {error}") from error
    card = replace(card, fingerprint=fingerprint_of(graph, card))
    write_model(path, graph, card)
    return Exported(path, card, cosine)
