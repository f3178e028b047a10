"""What mkdocs calls while it builds the site: generated pages, links led on, the places of the glossary.

Run by `mkdocs.yml`; mkdocs must be started from the root of the project, as `make docs` does.

Knows: mkdocs' events. Does not know: how a page is generated.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from tools.docs import commandline, glossary, links, surface

log = logging.getLogger("mkdocs.hooks.samevoice")  # its warnings fail the strict build


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the generated pages into the navigation: an entry "folder/*" stands for all of a folder, its index first."""
    config.nav = _expanded(config.nav)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that no file under `docs/` holds."""
    for path, text in generated().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, **_: object) -> str:
    """Lead the links of a page out of `docs/` to the pages that stand for their files, and fill the glossary."""
    path = page.file.src_uri
    if path in generated():
        return markdown
    if path == glossary.PAGE:
        markdown, lost = glossary.linked(markdown, _readable(config))
        for term in lost:
            log.warning("%s: the term %r appears on no page", path, term)
    return links.led(markdown, f"{links.DOCS}/{path}", path)


@lru_cache(maxsize=1)
def generated() -> dict[str, str]:
    """All generated pages by path."""
    outside = {
        page: links.led((links.ROOT / source).read_text(encoding="utf-8"), source, page)
        for source, page in links.shown().items()
    }
    return outside | surface.pages() | commandline.pages()


def _expanded(entry: Any) -> Any:
    """A part of the navigation with its "folder/*" replaced by pages."""
    if isinstance(entry, dict):
        return {title: _expanded(below) for title, below in entry.items()}
    if isinstance(entry, list):
        return [one for below in entry for one in (_all_of(below) if _is_folder(below) else [_expanded(below)])]
    return entry


def _is_folder(entry: object) -> bool:
    """Whether an entry stands for a folder."""
    return isinstance(entry, str) and entry.endswith("/*")


def _all_of(entry: str) -> list[str]:
    """The generated pages of a folder, in the order in which they were generated."""
    folder = entry.removesuffix("*")
    return [path for path in generated() if path.startswith(folder)]


def _readable(config: MkDocsConfig) -> dict[str, str]:
    """The pages in which a term may be looked up: those that people wrote."""
    folder = Path(config.docs_dir)
    written = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*.md"))
        if path.name not in {glossary.PAGE, "index.md"}
    }
    return written | {page: generated()[page] for page in links.shown().values() if page.startswith("reference/")}
