"""Links of the pages that come with a release lead somewhere."""

from __future__ import annotations

import re

import pytest

from releasing.project import ROOT

PAGES = ("CONTRIBUTING.md", "SECURITY.md", "docs/models.md", "docs/licences.md", "docs/requirements.md")


def anchors(text: str) -> set[str]:
    """What the headings of a page are called in links."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", path.read_text(encoding="utf-8")):
        file, _, anchor = target.partition("#")
        there = (path.parent / file) if file else path
        assert there.is_file(), target
        assert not anchor or anchor in anchors(there.read_text(encoding="utf-8")), target


def test_make_targets_that_are_named_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page in PAGES:
        for target in re.findall(r"(?:^|`)make ([\w-]+)", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE):
            assert re.search(rf"^{target}(?: \w+)*:", makefile, re.MULTILINE), target
