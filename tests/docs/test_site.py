"""The documentation site: built strictly as `make docs` builds it, every link alive, every public name in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser

pytest.importorskip("mkdocs", reason="the extra [docs] is not installed")
pytest.importorskip("mkdocstrings", reason="the extra [docs] is not installed")
pytest.importorskip("material", reason="the extra [docs] is not installed")

from tools.docs import check, commandline, links, surface

pytest_plugins = ["webfixtures"]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    site = tmp_path_factory.mktemp("docs") / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(site)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return site


@pytest.mark.slow
def test_every_link_is_alive_and_every_name_has_its_place(site: Path) -> None:
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


@pytest.mark.slow
def test_site_is_read_and_searched_from_its_folder(site: Path, browser: Browser) -> None:
    """Without a server, without a connection, and as narrow as a phone."""
    with browser.new_context(viewport={"width": 360, "height": 740}) as context:
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((site / "index.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        page.locator("label[for=__search]").first.click()
        page.locator("input[name=query]").press_sequentially("voiceprint")
        page.locator(".md-search-result__link[href*='voiceprint.html']").first.wait_for()
        assert asked
        assert [url for url in asked if not url.startswith("file:")] == []


def test_pictures_of_the_start_page_are_light() -> None:
    """Each below 150 kB; the picture of the page is made with a browser and may differ."""
    from tools.docs.pictures import NAMES

    for name in NAMES:
        assert 1_000 < (ROOT / "docs" / "screenshots" / name).stat().st_size < 150_000, name
