"""Cards that fit networks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import modelmakers

from samevoice.features.kinds import default_spec
from samevoice.models.card import ModelCard, Window
from samevoice.networks.embedding import EmbeddingNetwork


def card_of(network: EmbeddingNetwork, **changes: Any) -> ModelCard:
    """A card that fits a network, with some fields changed."""
    frontend = replace(default_spec(network.frontend), bands=network.bands)
    frames = network.frames or 200
    plain = modelmakers.card(
        name="trained",
        rate=frontend.rate,
        dimension=network.dimension,
        frontend=frontend,
        window=Window(frames, frames // 2),
    )
    return replace(plain, **changes)
