"""Pages in Vietnamese have the commands and code of the English ones, block by block; their links lead to files."""

from __future__ import annotations

import re

import pytest
from pages import ROOT, all_pages, blocks

TRANSLATED = [page for page in all_pages() if page.endswith(".vi.md")]


def test_what_is_translated() -> None:
    assert TRANSLATED == ["README.vi.md", "docs/tutorials/training.vi.md"]


@pytest.mark.parametrize("page", TRANSLATED)
def test_commands_and_code_are_those_of_the_english_page(page: str) -> None:
    english = page.replace(".vi.md", ".md")
    ours, theirs = blocks(page), blocks(english)
    assert [(one.language, one.text) for one in ours] == [(one.language, one.text) for one in theirs]
    headings = [re.findall(r"^#+ ", (ROOT / one).read_text(encoding="utf-8"), re.MULTILINE) for one in (page, english)]
    assert len(headings[0]) == len(headings[1])


@pytest.mark.parametrize("page", TRANSLATED)
def test_commands_within_sentences_are_those_of_the_english_page(page: str) -> None:
    said = [
        set(re.findall(r"`((?:samevoice|pip) [^`]*)`", (ROOT / one).read_text(encoding="utf-8")))
        for one in (page, page.replace(".vi.md", ".md"))
    ]
    assert said[0] == said[1]


@pytest.mark.parametrize("page", TRANSLATED)
def test_links_lead_to_files(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert links
    assert all(((ROOT / page).parent / link).exists() for link in links)
