"""`python -m releasing.modelcards`: the facts in docs/models.md, from the cards of the models.

The page's sentences are written by hand. Between `<!-- facts: NAME -->` and `<!-- end of facts -->` stands what the
card of that model says, and is written anew by this.

Knows: cards as a table. Does not know: what a model is good for.
"""

from __future__ import annotations

import re

from releasing.project import ROOT, ReleaseError
from samevoice.models import store
from samevoice.models.card import ModelCard

PAGE = ROOT / "docs" / "models.md"
_PART = re.compile(r"(<!-- facts: (?P<name>[\w-]+) -->\n).*?(<!-- end of facts -->)", re.DOTALL)


def facts(card: ModelCard) -> str:
    """What a card says, as a table in Markdown."""
    rows = {
        "fingerprint": f"`{card.fingerprint}`",
        "kind": card.kind,
        "summary": card.summary,
        "sound": f"{card.rate / 1000:g} kHz, one channel",
        "front end": f"{card.frontend.kind}, {card.frontend.bands} bands" if card.frontend else "samples",
        "embedding": f"{card.dimension} numbers" if card.dimension else "none",
        "least speech": f"{card.min_speech:g} s" if card.min_speech else "none asked for",
        "licence of code": card.licences.code,
        "licence of weights": card.licences.weights,
        "licence of data": card.licences.data,
        "from": card.source,
        "trained on": card.training_data,
        "calibration": _calibration(card),
    }
    return "| | |\n|---|---|\n" + "".join(f"| {name} | {value} |\n" for name, value in rows.items())


def _calibration(card: ModelCard) -> str:
    """What its likelihood ratios rest on."""
    if not card.calibration:
        return "none"
    pairs, rates = card.calibration["speaker_pairs"], card.calibration["rates"]
    least = f"; no false-accept rate below {100 * min(rates):g} %" if isinstance(rates, list | tuple) else ""
    return f"{pairs:,} pairs of speakers{least}. {card.calibration['source']}"


def renewed(text: str) -> str:
    """The page with the facts of today.

    Raises:
        ReleaseError: a model has no part in it, or a part no model.
    """
    named = [found["name"] for found in _PART.finditer(text)]
    if sorted(named) != sorted(store.names()):
        raise ReleaseError(f"{PAGE.name} has facts of {', '.join(named)}; there are {', '.join(store.names())}")
    return _PART.sub(lambda found: f"{found[1]}{facts(store.card_of(found['name']))}{found[3]}", text)


def main() -> int:
    """Write the page anew."""
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(PAGE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
