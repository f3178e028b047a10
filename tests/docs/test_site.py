"""The documentation site: built strictly as `make docs` builds it, every link alive, every public name in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="the extra [docs] is not installed")
pytest.importorskip("mkdocstrings", reason="the extra [docs] is not installed")
pytest.importorskip("material", reason="the extra [docs] is not installed")

from tools.docs import check, commandline, links, surface

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_site_builds_strictly_and_is_whole(tmp_path: Path) -> None:
    """One test, so that the site is built once."""
    site = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(site)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(check.problems(site)) == []

    places = {name: (page, name) for name, page in surface.anchors()}
    places |= {words: (page, anchor) for words, page, anchor in commandline.anchors()}
    assert {"samevoice.verify", "verify", "people list"} <= set(places)
    there = {page: check.links_of((site / page).with_suffix(".html")).anchors for page, _ in places.values()}
    assert [name for name, (page, anchor) in places.items() if anchor not in there[page]] == []

    pages = {path.relative_to(site).with_suffix(".md").as_posix() for path in site.rglob("*.html")}
    written = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert written | set(links.shown().values()) <= pages
    assert "overview.html" in (site / "index.html").read_text(encoding="utf-8")  # ../README.md on a code host


def test_pictures_of_the_start_page_are_light() -> None:
    """Each below 150 kB; the picture of the page is made with a browser and may differ."""
    from tools.docs.pictures import NAMES

    for name in NAMES:
        assert 1_000 < (ROOT / "docs" / "screenshots" / name).stat().st_size < 150_000, name
