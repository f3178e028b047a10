"""The reference of the models, from the cards that `samevoice models info` prints; nothing has to be pulled for it.

Knows: cards. Does not know: weights, the site around the page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from samevoice.models import shipped, store
from samevoice.models.card import ModelCard

PAGE = "reference/models.md"
_HEAD = """# Models

What `samevoice models info NAME` prints of each model. What they reach is in
[Measurements](measurements.md); what none of them is for, in [What not to do with voices](../ethics.md).
"""


def page() -> str:
    """All cards on one page."""
    return "\n".join([_HEAD, *(_section(store.card_of(name)) for name in store.names())])


def _section(card: ModelCard) -> str:
    """One card as a table."""
    where = (
        "lies in the package itself" if card.name in shipped.NAMES else f"`samevoice models pull {card.name}` brings it"
    )
    rows = {
        "kind": card.kind,
        "fingerprint": f"`{card.fingerprint}`",
        "where": where,
        "sample rate": f"{card.rate:,} Hz",
        "dimension": f"{card.dimension}" if card.dimension else "makes no embeddings",
        "front end": _frontend(card),
        "window": f"{card.window.frames} frames, every {card.window.hop}" if card.window else "none",
        "level": "as recorded" if card.level_dbfs is None else f"raised to {card.level_dbfs:g} dBFS",
        "least speech": f"{card.min_speech:g} s",
        "licence of the code": card.licences.code,
        "licence of the weights": card.licences.weights,
        "licence of the data": card.licences.data,
        "trained on": card.training_data,
        "weights from": card.source,
        "calibration": _calibration(card.calibration),
    }
    table = "\n".join(f"| {key} | {value.replace('|', chr(92) + '|')} |" for key, value in rows.items())
    return f"## {card.name}\n\n{card.summary}\n\n| of the card | |\n|---|---|\n{table}\n"


def _frontend(card: ModelCard) -> str:
    """The recipe of the features in words."""
    if card.frontend is None:
        return "none: it hears samples"
    spec = card.frontend
    options = f", `{json.dumps(dict(spec.options), sort_keys=True)}`" if spec.options else ""
    return f"`{spec.kind}`, {spec.bands} bands at {spec.rate:,} Hz{options}"


def _calibration(calibration: Mapping[str, object] | None) -> str:
    """What the evidence stands on."""
    if calibration is None:
        return "none: it gives no evidence"
    pairs, source = calibration["speaker_pairs"], calibration["source"]
    return f"{source}; {pairs:,} pairs of speakers"
