"""Every link of a built site: `python -m tools.docs.check site` names those that lead nowhere, or outside for an asset.

A link to another page must find the file, and its anchor there; whatever a page needs to be shown (styles, scripts,
pictures, fonts) must lie in the site itself. Links that people follow may lead outside.

Knows: HTML and CSS. Does not know: mkdocs.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

_FOLLOWED = {"a": "href", "area": "href", "form": "action"}
_NEEDED = {
    "audio": "src",
    "embed": "src",
    "iframe": "src",
    "img": "src",
    "input": "src",
    "link": "href",
    "object": "data",
    "script": "src",
    "source": "src",
    "track": "src",
    "video": "src",
}
_NO_ASSETS = {"canonical", "alternate", "author", "license", "me", "next", "prev"}  # kinds of <link> that load nothing
_IN_CSS = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")
_OUTSIDE = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
_OTHER = re.compile(r"(?:data|blob|mailto|javascript|about):", re.IGNORECASE)


@dataclass(slots=True)
class Links:
    """What one page says.

    Attributes:
        anchors: places that a link may name.
        followed: links for people.
        needed: what a browser loads to show the page.
    """

    anchors: set[str] = field(default_factory=set)
    followed: list[str] = field(default_factory=list)
    needed: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    """Gathers the links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links = Links()
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One element."""
        values = {name: value for name, value in attrs if value is not None}
        self._in_style = tag == "style"
        self.links.anchors |= {values[name] for name in (("id", "name") if tag == "a" else ("id",)) if name in values}
        if (target := values.get(_FOLLOWED.get(tag, ""))) is not None:
            self.links.followed.append(target)
        if (target := values.get(_NEEDED.get(tag, ""))) is not None:
            kinds = set(values.get("rel", "").split()) if tag == "link" else set()
            (self.links.followed if kinds & _NO_ASSETS else self.links.needed).append(target)
        for one in values.get("srcset", "").split(","):
            self.links.needed += one.split()[:1]
        self.links.needed += _of_css(values.get("style", ""))

    def handle_data(self, data: str) -> None:
        """The text of an element."""
        if self._in_style:
            self.links.needed += _of_css(data)


def problems(site: Path) -> Iterator[str]:
    """A sentence for each link that is dead, and for each asset from outside.

    Args:
        site: the folder of a built site.
    """
    pages = {path: links_of(path) for path in sorted(site.rglob("*.html"))}
    if not pages:
        yield f"{site}: no page"
    for path, links in pages.items():
        for target in links.needed:
            yield from _of_asset(site, path, target)
        for target in links.followed:
            yield from _of_link(site, path, target, pages)
    for path in sorted(site.rglob("*.css")):
        for target in _of_css(path.read_text(encoding="utf-8")):
            yield from _of_asset(site, path, target)


def links_of(path: Path) -> Links:
    """The links of a page."""
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader.links


def _of_css(text: str) -> list[str]:
    """What a style sheet loads."""
    return [first or second for first, second in _IN_CSS.findall(text)]


def _of_asset(site: Path, path: Path, target: str) -> Iterator[str]:
    """What is wrong with something that a page or a style sheet needs."""
    if _OUTSIDE.match(target):
        yield f"{path.relative_to(site)}: {target} is loaded from outside"
    elif not _OTHER.match(target) and not target.startswith("#") and not _file_of(site, path, target).is_file():
        yield f"{path.relative_to(site)}: {target} is not there"


def _of_link(site: Path, path: Path, target: str, pages: dict[Path, Links]) -> Iterator[str]:
    """What is wrong with a link that somebody may follow."""
    if _OUTSIDE.match(target) or _OTHER.match(target):
        return
    bare, anchor = urldefrag(target)
    file = _file_of(site, path, bare) if bare else path
    if file not in pages:
        if not file.is_file():
            yield f"{path.relative_to(site)}: {target} leads to no file"
    elif anchor and unquote(anchor) not in pages[file].anchors:
        yield f"{path.relative_to(site)}: {target} leads to no place of that page"


def _file_of(site: Path, path: Path, target: str) -> Path:
    """The file that a relative link, or one from the root of the site, means."""
    bare = unquote(urldefrag(target).url.partition("?")[0])
    file = (site / bare.lstrip("/") if bare.startswith("/") else path.parent / bare).resolve()
    return file / "index.html" if file.is_dir() else file


if __name__ == "__main__":
    found = list(problems(Path(sys.argv[1]).resolve()))
    print("\n".join(found) or "every link is alive, and nothing is loaded from outside")
    sys.exit(1 if found else 0)
