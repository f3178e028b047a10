"""Files of the project and the pages that they are: written for a code host, and led on to the site.

Knows: which files outside `docs/` are shown, and where; how the site's Markdown differs. Does not know: mkdocs.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = "docs"
SHOWN = {
    "README.md": "overview.md",
    "README.vi.md": "overview.vi.md",
    "benchmarks/README.md": "reference/measurements.md",
    "samples/README.md": "project/samples.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
}
"""Pages whose source lies outside `docs/`, by file; those that do not exist are left out."""

_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
_FENCE = re.compile(r"(^```.*?^```|`[^`\n]+`)", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\|.*$", re.MULTILINE)
_CODE = re.compile(r"`[^`\n]+`")
_OUTSIDE = re.compile(r"[a-z][a-z0-9+.-]*:|#|/", re.IGNORECASE)


def shown() -> dict[str, str]:
    """The page of each file outside `docs/` that there is."""
    return {source: page for source, page in SHOWN.items() if (ROOT / source).is_file()}


def led(markdown: str, source: str, page: str) -> str:
    """The text of a file as the site's Markdown, with its relative links led to pages.

    A link to a file that is no page, such as a source file, keeps its words and is a link no more: the site stands
    alone. A link to nothing stays as it is, so that the strict build names it.

    Args:
        markdown: the text.
        source: path of its file in the project, with "/".
        page: path of its page in the site, with "/".
    """
    return "".join(
        part if number % 2 else _LINK.sub(_leader(source, page), part)
        for number, part in enumerate(_FENCE.split(_plain_bars(_joined(markdown))))
    )


def _plain_bars(markdown: str) -> str:
    """Tables whose code holds bars as they are: a code host needs a backslash before them, the site would show it."""
    return _ROW.sub(lambda row: _CODE.sub(lambda code: code.group().replace("\\|", "|"), row.group()), markdown)


def _joined(markdown: str) -> str:
    """The text without line breaks inside the words of a link."""
    return re.sub(r"\[[^\[\]`]*\]\([^()\s]+\)", lambda found: found.group().replace("\n", " "), markdown)


def _leader(source: str, page: str) -> Callable[[re.Match[str]], str]:
    """What becomes of one link."""
    pages = shown()

    def lead(found: re.Match[str]) -> str:
        mark, words, target = found.groups()
        if _OUTSIDE.match(target):
            return found.group()
        path, hash_sign, anchor = target.partition("#")
        file = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if file in pages:
            goal = pages[file]
        elif file.startswith(f"{DOCS}/"):
            goal = file.removeprefix(f"{DOCS}/")
        elif (ROOT / file).exists() and not mark:
            return str(words)
        else:
            return found.group()
        relative = posixpath.relpath(goal, posixpath.dirname(page) or ".")
        return f"{mark}[{words}]({relative}{hash_sign}{anchor})"

    return lead
