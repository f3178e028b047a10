"""Where each term of `docs/glossary.md` appears: links to the pages that use it, under the section of its first use.

A heading of the glossary lists a term and its other spellings, with commas between them.

Knows: Markdown. Does not know: mkdocs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pymdownx.slugs import slugify

PAGE = "glossary.md"
_TERM = re.compile(r"^### (.+)$", re.MULTILINE)
_CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#{1,4}) (.+?)(?: \{: #(\S+) \})?$", re.MULTILINE)
_slug = slugify(case="lower")


def linked(glossary: str, pages: Mapping[str, str]) -> tuple[str, list[str]]:
    """The glossary with places below each term, and the terms that appear nowhere.

    Args:
        glossary: its Markdown.
        pages: Markdown of the other pages, by path from the glossary; in the order in which they are to be named.
    """
    parts = _TERM.split(glossary)
    written, lost = [parts[0]], []
    plain = {path: _CODE.sub("", text) for path, text in pages.items()}
    for heading, body in zip(parts[1::2], parts[2::2], strict=True):
        found = places(spellings(heading), plain)
        if not found:
            lost.append(heading)
        links = ", ".join(f"[{title}]({path}{anchor})" for path, (title, anchor) in found.items())
        written.append(f"### {heading}{body.rstrip()}\n\n*Used in:* {links}\n\n")
    return "".join(written), lost


def spellings(heading: str) -> list[str]:
    """The term of a heading and its other spellings."""
    return [one.strip() for one in heading.split(",")]


def places(terms: list[str], pages: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """The title of each page that uses one of the terms, and the anchor of the section, "" above the first one.

    Args:
        terms: spellings; unless capitals follow their first letter, capitals and small letters are one.
        pages: Markdown without code blocks, by path.
    """
    words = "|".join(f"(?i:{re.escape(one)})" if one[1:].islower() else re.escape(one) for one in terms)
    pattern = re.compile(rf"(?<![\w/.-])(?:{words})s?(?![\w/-])")
    found: dict[str, tuple[str, str]] = {}
    for path, text in pages.items():
        if use := pattern.search(text):
            found[path] = title_of(text), anchor_at(text, use.start())
    return found


def title_of(text: str) -> str:
    """The words of a page's first heading."""
    heading = _HEADING.search(text)
    return _plain(heading.group(2)) if heading else ""


def anchor_at(text: str, place: int) -> str:
    """The anchor of the section that a place lies in, as "#name"; "" where only the title stands above it."""
    seen: dict[str, int] = {}
    anchor = ""
    for heading in _HEADING.finditer(text):
        if heading.start() > place:
            break
        name = heading.group(3) or _slug(_plain(heading.group(2)), "-")
        count = seen.get(name, 0)
        seen[name] = count + 1
        if heading.group(1) != "#":
            anchor = f"#{name}" + (f"_{count}" if count else "")
    return anchor


def _plain(heading: str) -> str:
    """A heading without marks."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "").strip()
