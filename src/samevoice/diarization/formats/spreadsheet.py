"""CSV for spreadsheets: columns recording, start, end, speaker, confidence; one row for each turn.

A spreadsheet takes a cell that starts with = + - or @ for a formula and would compute it. Names that do are written
with an apostrophe in front, and so are those that start with one; reading takes it away again.
Lost: the length of the recording, and recordings in which nobody speaks.
Sources: RFC 4180; OWASP, "CSV Injection".
"""

from __future__ import annotations

import csv
import io

from samevoice.diarization.formats.lines import numbered, plain, recording_of, rows, seconds, turn, wrong
from samevoice.diarization.turns import Diarization, Turn

COLUMNS = ("recording", "start", "end", "speaker", "confidence")
NEEDED = ("start", "end", "speaker")
FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
MARK = "'"


def write(diarization: Diarization) -> str:
    """A table of one recording."""
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\r\n")
    table.writerow(COLUMNS)
    for start, end, one in rows(diarization):
        sure = "" if one.confidence is None else f"{one.confidence:.3f}"
        table.writerow([_safe(diarization.recording), plain(start), plain(end), _safe(one.speaker), sure])
    return stream.getvalue()


def read(text: str, source: str) -> list[Diarization]:
    """All recordings of a table in order of first appearance; columns in any order, others are passed over.

    Raises:
        DataError: it is no table, a column is missing or there twice, or a row cannot be a turn.
    """
    table = csv.reader((line + "\n" for _, line in numbered(text)), strict=True)
    found: dict[str, list[Turn]] = {}
    try:
        columns = [column.strip().lower() for column in next(table, [])]
        if missing := [column for column in NEEDED if columns.count(column) != 1]:
            raise wrong(source, 1, f"the first line must name the columns {', '.join(NEEDED)}; look at {missing[0]!r}")
        for row in table:
            if not any(row):
                continue
            if len(row) != len(columns):
                raise wrong(source, table.line_num, f"{len(row)} fields under {len(columns)} columns; mend the row")
            cell = dict(zip(columns, row, strict=True))
            turns = found.setdefault(_exact(cell.get("recording", "")), [])
            turns.append(_turn(cell, source, table.line_num))
    except csv.Error as error:
        raise wrong(source, table.line_num, f"is not a table ({error}); mend the row") from error
    return [recording_of(turns, recording, source) for recording, turns in found.items()]


def _turn(cell: dict[str, str], source: str, line: int) -> Turn:
    """One row."""
    start, end = seconds(cell["start"], source, line), seconds(cell["end"], source, line)
    sure = cell.get("confidence", "").strip()
    try:
        confidence = float(sure) if sure else None
    except ValueError as error:
        raise wrong(source, line, "a confidence is a number from 0 to 1, or nothing") from error
    return turn(start, end, _exact(cell["speaker"]), source, line, confidence)


def _safe(name: str) -> str:
    """A name that no spreadsheet computes."""
    return MARK + name if name.lstrip().startswith((*FORMULA, MARK)) else name


def _exact(cell: str) -> str:
    """The name of such a cell."""
    return cell[1:] if cell.startswith(MARK) and cell[1:].lstrip().startswith((*FORMULA, MARK)) else cell
