"""docs/models.md says of every model what its card says."""

from __future__ import annotations

import pytest

from releasing import modelcards
from releasing.project import ReleaseError
from samevoice.models import store

PAGE = modelcards.PAGE.read_text(encoding="utf-8")


def test_the_facts_are_those_of_the_cards() -> None:
    assert modelcards.renewed(PAGE) == PAGE, "run: python -m releasing.modelcards"


@pytest.mark.parametrize("name", store.names())
def test_every_model_has_a_use_and_limits(name: str) -> None:
    part = PAGE.split(f"<!-- facts: {name} -->")[1].split("\n## ")[0]
    assert store.card_of(name).fingerprint in part
    assert "- **Use it**" in part
    assert "- **Limits**" in part


def test_a_model_without_a_part_is_missed() -> None:
    with pytest.raises(ReleaseError, match="has facts of"):
        modelcards.renewed(PAGE.replace("<!-- facts: ge2e -->", ""))


def test_stale_facts_are_replaced() -> None:
    stale = PAGE.replace("| embedding | 192 numbers |", "| embedding | 7 numbers |")
    assert stale != PAGE
    assert modelcards.renewed(stale) == PAGE
