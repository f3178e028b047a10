"""A page: one file, nothing fetched, and every word as it was given."""

from __future__ import annotations

import io
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from samevoice.evaluation.page import Block, Fact, Facts, Heading, Picture, Player, Table, Text, page

SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"></svg>'
PNG = b"\x89PNG\r\n\x1a\n rest"
WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1).filter(lambda text: text.strip() == text)


def wav() -> bytes:
    """A tenth of a second."""
    file = io.BytesIO()
    soundfile.write(file, np.zeros(800, dtype=np.float32), 8_000, format="WAV")
    return file.getvalue()


class Reader(HTMLParser):
    """What a browser would find."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag  # each is closed in its turn

    def handle_data(self, data: str) -> None:
        if "style" not in self.open and data.strip():
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of each tag of a kind."""
        return [attributes for name, attributes in self.tags if name == tag]


def everything(text: str) -> list[Block]:
    """Every kind of block, with one text in every place."""
    return [
        Heading(text),
        Text(text),
        Text(text, lead=True),
        Facts([Fact(text, text, text)]),
        Table([text, text], [[text, Player(wav(), text)]], text),
        Picture(SVG, text),
        Player(wav(), text),
    ]


@given(WORDS)
def test_every_word_arrives_as_it_is_and_nothing_else(text: str) -> None:
    found = Reader(page(text, everything(text)))
    assert found.open == []
    assert set(found.words) == {text}
    assert len(found.words) == 15  # the title twice, and each place once
    assert {one["alt"] for one in found.all("img")} == {text}
    assert {one["aria-label"] for one in found.all("audio")} == {text}
    assert [tag for tag, _ in found.tags] == [tag for tag, _ in Reader(page("x", everything("x"))).tags]


def test_nothing_is_fetched() -> None:
    found = Reader(page("Report", [*everything("x"), Picture(PNG, "y")]))
    sources = [value for _, attributes in found.tags for key, value in attributes.items() if key in {"src", "href"}]
    assert [str(source).partition(";")[0] for source in sources] == [
        "data:audio/wav",
        "data:image/svg+xml",
        "data:audio/wav",
        "data:image/png",
    ]
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in found.tags}
    assert "url(" not in page("Report", [])
    (policy,) = [one["content"] for one in found.all("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    assert str(policy).startswith("default-src 'none'")


def test_readers_of_all_kinds_are_told() -> None:
    text = page("Report", everything("x"))
    found = Reader(text)
    assert found.all("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in found.all("meta")
    assert [one["scope"] for one in found.all("th")] == ["col", "col", "row"]
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


@pytest.mark.parametrize(
    ("cells", "right"),
    [
        (["1", "2,345", "-0.5", "+3.1", "0.12 %", "—", ""], True),
        (["0.1 to 0.2", "1 % to 2 %", "∞"], True),
        (["1", "3664/b.wav"], False),
        (["12 people"], False),
    ],
)
def test_numbers_stand_to_the_right(cells: list[str], right: bool) -> None:
    found = Reader(page("x", [Table(["name", "value"], [["n", cell] for cell in cells])]))
    assert {one.get("class") for one in found.all("td")} == {"number" if right else None}
    assert "class" not in found.all("th")[0]


def test_a_table_without_rows_has_its_head() -> None:
    assert Reader(page("x", [Table(["a", "b"], [])])).words == ["x", "x", "a", "b"]


def test_names_that_are_no_text_can_be_written() -> None:
    assert "caf\\udce9" in page("x", [Text("caf\udce9")]).encode().decode()


def test_what_cannot_be_shown_is_refused() -> None:
    with pytest.raises(ValueError, match="2 columns"):
        Table(["a", "b"], [["1"]])
    with pytest.raises(ValueError, match="SVG or PNG"):
        Picture(b"GIF89a", "x")
    with pytest.raises(ValueError, match="WAV"):
        Player(b"ID3", "x")
