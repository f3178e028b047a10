"""A report as one HTML page: no other file, no script, nothing fetched; light and dark, on screen and on paper.

Knows: words, tables, pictures and sounds in the order they are read. Does not know: what they mean.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from samevoice.errors import ConfigError
from samevoice.files import write_atomically

PNG, SVG, WAV = b"\x89PNG\r\n\x1a\n", b"<svg", b"RIFF"
FIGURE = r"[-+\u2212]?\d[\d.,]*( %)?"
NUMBER = re.compile(rf"({FIGURE}( to {FIGURE})?)?|[\u2014\u221e]")  # a cell of a column of numbers
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:"
STYLE = """
:root { color-scheme: light dark; --ink: #1b2230; --soft: #5a6475; --line: #d9dee7; --paper: #fff; --card: #f5f7fa;
  --accent: #1f3b73; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e7eaf0; --soft: #a2abba; --line: #333b49; --paper: #14181f; --card: #1c222c; --accent: #e8b34b; }
  img { filter: invert(0.92) hue-rotate(180deg); }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.6 system-ui, "Segoe UI", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
h1 { margin: 0 0 1.2rem; font-size: 1.9rem; line-height: 1.25; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { margin: 3rem 0 0.8rem; padding-top: 1rem; border-top: 1px solid var(--line); font-size: 1.3rem; }
p { max-width: 46rem; margin: 0.6rem 0; overflow-wrap: anywhere; }
p.lead { max-width: none; margin: 1rem 0; padding: 0.9rem 1.2rem; background: var(--card); font-size: 1.12rem;
  border-left: 4px solid var(--accent); }
dl { display: flex; flex-wrap: wrap; gap: 0.8rem; margin: 1.2rem 0; }
dl div { flex: 1 1 10.5rem; padding: 0.8rem 1rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 0.6rem; }
dt, dd.note { color: var(--soft); font-size: 0.86rem; line-height: 1.4; }
dd { margin: 0; font-variant-numeric: tabular-nums; }
dd.value { font-size: 1.6rem; font-weight: 600; line-height: 1.4; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: 0.93rem; font-variant-numeric: tabular-nums; }
caption { padding-bottom: 0.4rem; color: var(--soft); text-align: left; }
th, td { padding: 0.4rem 1rem 0.4rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { border-bottom: 2px solid var(--ink); vertical-align: bottom; }
tbody th { font-weight: 500; overflow-wrap: anywhere; }
.number { text-align: right; }
td.number { white-space: nowrap; }
figure { margin: 1.2rem 0; }
img { display: block; max-width: 100%; height: auto; }
figcaption, .label { color: var(--soft); font-size: 0.86rem; }
audio { display: block; width: 13rem; max-width: 100%; height: 2.2rem; }
@media print {
  main { max-width: none; padding: 0; }
  .wide { overflow: visible; }
  table { font-size: 0.8rem; }
  h2 { break-after: avoid; }
  tr, figure, dl div, p.lead { break-inside: avoid; }
  audio { display: none; }
}
"""


@dataclass(frozen=True, slots=True)
class Heading:
    """Begins a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph.

    Args:
        text: of it.
        lead: what a reader in a hurry should read.
    """

    text: str
    lead: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure to be seen first.

    Args:
        name: what it is.
        value: short.
        note: what more there is to it, such as an interval.
    """

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """A few figures side by side."""

    facts: Sequence[Fact]


@dataclass(frozen=True, slots=True)
class Player:
    """A sound to be played.

    Args:
        wav: a whole WAV file.
        label: what is heard.

    Raises:
        ValueError: it is no WAV file.
    """

    wav: bytes
    label: str

    def __post_init__(self) -> None:
        """Refuse what no browser could play."""
        if not self.wav.startswith(WAV):
            raise ValueError("a player needs a WAV file")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows with a heading each.

    Args:
        columns: their names.
        rows: cells, as many as columns; the first names the row.
        caption: what the table tells.

    Raises:
        ValueError: a row has more or fewer cells than there are columns.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str | Player]]
    caption: str = ""

    def __post_init__(self) -> None:
        """Refuse rows that do not fit."""
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"rows of a table with {len(self.columns)} columns need as many cells")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture on a white ground, which is inverted where the page is dark.

    Args:
        data: a whole SVG or PNG file.
        alt: what it shows, for those who do not see it; also written below.

    Raises:
        ValueError: it is neither.
    """

    data: bytes
    alt: str

    def __post_init__(self) -> None:
        """Refuse other kinds of files."""
        if not self.data.startswith(PNG) and SVG not in self.data[:1000]:
            raise ValueError("a picture is an SVG or PNG file")


Block = Heading | Text | Facts | Table | Picture | Player


def save_page(path: Path, text: str) -> None:
    """Write a page in one step.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        write_atomically(path, lambda file: file.write(text.encode()))
    except OSError as error:
        raise ConfigError(f"{path}: the report cannot be written ({error.strerror}); choose another place") from error


def page(title: str, blocks: Iterable[Block]) -> str:
    """A whole page, to be written as UTF-8; the same for the same blocks.

    Args:
        title: of the page, also its first heading.
        blocks: in the order they are read.
    """
    head = (
        '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{_plain(title)}</title>\n<style>{STYLE}</style>"
    )
    body = "\n".join(_block(block) for block in blocks)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n<main>\n<h1>{_plain(title)}</h1>\n'
        f"{body}\n</main>\n</body>\n</html>\n"
    )


def _block(block: Block) -> str:
    """One block as HTML."""
    match block:
        case Heading(text):
            return f"<h2>{_plain(text)}</h2>"
        case Text(text, lead):
            return f'<p class="lead">{_plain(text)}</p>' if lead else f"<p>{_plain(text)}</p>"
        case Facts(facts):
            return f"<dl>{''.join(_fact(fact) for fact in facts)}</dl>"
        case Picture(data, alt):
            kind = "image/png" if data.startswith(PNG) else "image/svg+xml"
            said = _plain(alt)
            return f'<figure><img src="{_uri(kind, data)}" alt="{said}"><figcaption>{said}</figcaption></figure>'
        case Player():
            return _player(block)
        case Table():
            return _table(block)


def _fact(fact: Fact) -> str:
    """One figure."""
    note = f'<dd class="note">{_plain(fact.note)}</dd>' if fact.note else ""
    return f'<div><dt>{_plain(fact.name)}</dt><dd class="value">{_plain(fact.value)}</dd>{note}</div>'


def _player(player: Player) -> str:
    """A sound and its label, which is read aloud with the player."""
    label, source = _plain(player.label), _uri("audio/wav", player.wav)
    return (
        f'<div class="label">{label}<audio controls preload="none" aria-label="{label}" src="{source}"></audio></div>'
    )


def _table(table: Table) -> str:
    """A table that scrolls by itself where it is wider than the page; columns of numbers stand to the right."""
    kinds = [
        ' class="number"' if at and all(isinstance(one, str) and NUMBER.fullmatch(one) for one in column) else ""
        for at, column in enumerate(zip(*table.rows, strict=True))
    ] or [""] * len(table.columns)
    head = "".join(
        f'<th scope="col"{kind}>{_plain(name)}</th>' for name, kind in zip(table.columns, kinds, strict=True)
    )
    body = "\n".join(f"<tr>{_row(row, kinds)}</tr>" for row in table.rows)
    caption = f"<caption>{_plain(table.caption)}</caption>" if table.caption else ""
    name = _plain(table.caption or f"Table: {', '.join(table.columns)}")
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{name}"><table>{caption}'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _row(row: Sequence[str | Player], kinds: Sequence[str]) -> str:
    """The cells of a row; the first is its heading."""
    cells = [_player(cell) if isinstance(cell, Player) else _plain(cell) for cell in row]
    rest = (f"<td{kind}>{cell}</td>" for cell, kind in zip(cells[1:], kinds[1:], strict=True))
    return f'<th scope="row">{cells[0]}</th>{"".join(rest)}'


def _plain(text: str) -> str:
    """Text that cannot be read as HTML; names of files need not be Unicode."""
    return escape(text).encode("utf-8", "backslashreplace").decode("utf-8")


def _uri(kind: str, data: bytes) -> str:
    """A file as an address."""
    return f"data:{kind};base64,{b64encode(data).decode('ascii')}"
