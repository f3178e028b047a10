"""The glossary's places: found where a term is used, under the right section."""

from __future__ import annotations

import pytest

pytest.importorskip("pymdownx", reason="the extra [docs] is not installed")

from tools.docs.glossary import anchor_at, linked, places, spellings, title_of

PAGE = """# The `page`

Trials stand here.

## A part: `x`

DER is told.

```sh
collar
```

## A part: `x`

And an embedding, twice: embeddings.
"""


def test_places_name_title_and_section() -> None:
    assert places(["trial"], {"page.md": PAGE}) == {"page.md": ("The page", "")}
    assert places(["DER"], {"page.md": PAGE}) == {"page.md": ("The page", "#a-part-x")}
    assert places(["Embedding"], {"page.md": PAGE}) == {"page.md": ("The page", "#a-part-x_1")}


@pytest.mark.parametrize("term", ["tri", "DeR", "EER", "bedding"])
def test_parts_of_words_and_other_capitals_are_other_words(term: str) -> None:
    assert places([term], {"page.md": PAGE}) == {}


def test_terms_get_their_places_and_lost_ones_are_told() -> None:
    glossary = "# Glossary\n\n## Part\n\n### Trial, comparison\nOne comparison.\n\n### Collar\nSeconds.\n"
    text, lost = linked(glossary, {"page.md": PAGE})
    assert lost == ["Collar"]  # a block of code is no use of a word
    assert "One comparison.\n\n*Used in:* [The page](page.md)\n\n### Collar" in text


def test_headings_are_read() -> None:
    assert spellings("EER, equal error rate") == ["EER", "equal error rate"]
    assert title_of(PAGE) == "The page"
    assert anchor_at(PAGE, 0) == ""
