"""Whether a card tells the truth about a network, asked before anything is exported.

Knows: what a card promises, and what the readers of a model's file will ask of it. Does not know: graphs, files.
"""

from __future__ import annotations

import math

from samevoice.errors import ModelError
from samevoice.features.frontend import Frontend, build_frontend
from samevoice.models.card import ModelCard, Window
from samevoice.networks.embedding import EmbeddingNetwork

EMBEDDING = "speaker-embedding"


def check_card(network: EmbeddingNetwork, card: ModelCard) -> None:
    """Refuse a card with which a network could be written but not run.

    Args:
        network: what is to be exported.
        card: what describes it; the fingerprint is not looked at.

    Raises:
        ModelError: the card is of another kind of model, dimension or number of bands, its front end cannot be
            built, its window or least speech gives the network fewer or more frames than it takes, or a reader
            would refuse it.
    """
    spec = card.frontend
    if card.kind != EMBEDDING:
        raise ModelError(f"the card is of kind {card.kind!r}, the network makes embeddings; set it to {EMBEDDING!r}")
    if spec is None or (spec.bands, card.dimension) != (network.bands, network.dimension):
        described = f"{spec.bands if spec else 'no'} bands and {card.dimension} dimensions"
        raise ModelError(
            f"the card describes {described}, the network has {network.bands} and {network.dimension}; mend the card"
        )
    frontend = build_frontend(spec)
    if card.rate != spec.rate:
        raise ModelError(f"the card's rate is {card.rate} Hz, its front end's {spec.rate} Hz; set both alike")
    try:
        ModelCard.from_json(card.to_json())
    except (ModelError, TypeError) as error:  # TypeError: what JSON cannot hold
        raise ModelError(f"the card would not be read back ({error}); mend the card") from error
    _check_window(network, card.window)
    _check_least_speech(network, card, frontend)


def _check_window(network: EmbeddingNetwork, window: Window | None) -> None:
    """Refuse windows of a length that the network does not take."""
    least, only = network.least_frames, network.frames
    if window is None or window.frames < least or window.frames != (only or window.frames):
        given = f"windows of {window.frames} frames" if window else "no windows"
        raise ModelError(f"the card gives {given}, the network takes {only or f'{least} or more'}; set the window")


def _check_least_speech(network: EmbeddingNetwork, card: ModelCard, frontend: Frontend) -> None:
    """Refuse a least speech that may hold too few frames; speech without any frame is refused when it is embedded.

    Counted are the frames inside one stretch of speech, whatever a recipe adds at the end of a recording.
    """
    samples = (network.least_frames - 1) * frontend.hop + frontend.width
    if network.least_frames > 1 and round(card.min_speech * card.rate) < samples:
        least = math.ceil(1000 * samples / card.rate) / 1000
        raise ModelError(
            f"the card's min_speech of {card.min_speech} s may hold fewer frames than the network's "
            f"{network.least_frames}; set it to at least {least} s"
        )
