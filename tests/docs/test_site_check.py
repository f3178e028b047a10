"""What the check of the built site finds, and what it lets pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.docs.check import problems


def site_of(folder: Path, body: str, css: str = "") -> list[str]:
    """What is wrong with a site of two pages, of which the first has this body."""
    (folder / "below").mkdir()
    (folder / "index.html").write_text(f"<html><body>{body}</body></html>", encoding="utf-8")
    (folder / "below" / "other.html").write_text(
        '<h2 id="part-é">x</h2><a href="../index.html">up</a>', encoding="utf-8"
    )
    (folder / "style.css").write_text(css, encoding="utf-8")
    (folder / "icon.png").write_bytes(b"")
    return list(problems(folder))


@pytest.mark.parametrize(
    "body",
    [
        '<a href="below/other.html#part-%C3%A9">there</a>',
        '<a href="/below/other.html">from the root</a>',
        '<a href="#top">x</a><p id="top">',
        '<a href=".">this page</a>',
        '<a href="https://example.org/">people may leave</a>',
        '<img src="icon.png"><link rel="stylesheet" href="style.css"><img src="data:image/png;base64,">',
        '<link rel="canonical" href="https://example.org/">',
    ],
)
def test_living_links_pass(tmp_path: Path, body: str) -> None:
    assert site_of(tmp_path, body) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('<a href="nowhere.html">x</a>', "nowhere.html leads to no file"),
        ('<a href="below/other.html#no">x</a>', "other.html#no leads to no place"),
        ('<a href="#no">x</a><meta name="no">', "#no leads to no place"),
        ('<img src="gone.png">', "gone.png is not there"),
        ('<img src="https://example.org/a.png">', "from outside"),
        ('<script src="//example.org/a.js"></script>', "from outside"),
        ('<link rel="stylesheet" href="http://example.org/a.css">', "from outside"),
        ('<img srcset="icon.png 1x, https://example.org/b.png 2x">', "b.png is loaded from outside"),
        ('<style>p { background: url("https://example.org/c.png") }</style>', "c.png is loaded from outside"),
        ("<p style=\"background: url('https://example.org/d.png')\">", "d.png is loaded from outside"),
    ],
)
def test_dead_and_foreign_links_are_named(tmp_path: Path, body: str, said: str) -> None:
    (found,) = site_of(tmp_path, body)
    assert found.startswith("index.html: ")
    assert said in found


@pytest.mark.parametrize("css", ["@import 'https://example.org/x.css';", "p { src: url(//example.org/x.woff) }"])
def test_style_sheets_load_nothing_from_outside(tmp_path: Path, css: str) -> None:
    (found,) = site_of(tmp_path, "", css)
    assert found.startswith("style.css: ")


def test_a_folder_without_pages_is_no_site(tmp_path: Path) -> None:
    assert len(list(problems(tmp_path))) == 1
