"""Lists that come with corpora: lines, tables and pairs in UTF-8, with or without a byte order mark and CRLF.

Knows: text, columns. Does not know: what a column means.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from samevoice.corpora.found import Problem
from samevoice.errors import DataError

MAX_LINE = 1 << 20  # bytes; a file without line ends must not fill the memory

Row = dict[str, str]


def decode_lines(stream: IO[bytes], name: str) -> Iterator[str]:
    """Lines without their ends; empty ones too, so that they can be counted.

    Args:
        stream: the text.
        name: what to call it in messages.

    Raises:
        DataError: it is not UTF-8, a line is too long, or it cannot be read on.
    """
    number = 0
    try:
        while raw := stream.readline(MAX_LINE + 1):
            number += 1
            if len(raw) > MAX_LINE:
                raise DataError(f"{name}:{number}: longer than {MAX_LINE} bytes; is this a text file?")
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{name}:{number}: is not UTF-8; save the file as UTF-8 text") from error
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{name}: cannot be read ({reason}); check the file") from error


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each line that is not empty.

    Raises:
        DataError: as `decode_lines`.
    """
    with _opened(path) as stream:
        for number, line in enumerate(decode_lines(stream, str(path)), 1):
            if line.strip():
                yield number, line


def read_table(path: Path, *, needed: tuple[str, ...], as_name: str) -> Iterator[Row | Problem]:
    """Rows of a table; columns are separated by commas in a file that ends in .csv, else by tabs.

    Args:
        path: the file.
        needed: columns that must be there.
        as_name: the file in problems.

    Raises:
        DataError: as `parse_table`.
    """
    with _opened(path) as stream:
        yield from parse_table(stream, str(path), needed, "," if path.suffix.lower() == ".csv" else "\t", as_name)


def parse_table(
    stream: IO[bytes], name: str, needed: tuple[str, ...], delimiter: str, as_name: str
) -> Iterator[Row | Problem]:
    """Rows of a table with a header; a row with more or fewer fields than columns is a problem.

    Args:
        stream: the text. In tables with tabs, quotes are characters like others (Common Voice: sentences).
        name: what to call it in messages.
        needed: columns that must be there.
        delimiter: a tab or a comma.
        as_name: the file in problems.

    Raises:
        DataError: as `decode_lines`, columns are missing or there twice, or quotes do not close.
    """
    lines = decode_lines(stream, name)
    if delimiter == "\t":
        rows = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    else:
        rows = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        columns = [column.strip() for column in next(rows, [])]
        if missing := [column for column in needed if column not in columns]:
            raise DataError(f"{name}: no column {', '.join(missing)}; the first line must name the columns")
        if len(set(columns)) != len(columns):
            raise DataError(f"{name}: has a column twice; rename one")
        for fields in rows:
            if len(fields) == len(columns):
                yield dict(zip(columns, (field.strip() for field in fields), strict=True))
            elif fields:
                message = f"line {rows.line_num} has {len(fields)} fields, not {len(columns)}"
                yield Problem(as_name, None, message)
    except csv.Error as error:
        raise DataError(f"{name}:{rows.line_num}: is not a table ({error}); mend the line") from error


def read_pairs(path: Path) -> dict[str, str]:
    """Lines of a key, white space and a value, as Kaldi writes them.

    Raises:
        DataError: as `decode_lines`, a line has no value, or a key is there twice.
    """
    pairs: dict[str, str] = {}
    for number, line in read_lines(path):
        key, *value = line.split(maxsplit=1)
        if not value:
            raise DataError(f"{path}:{number}: {key!r} has no value; mend the line")
        if key in pairs:
            raise DataError(f"{path}:{number}: {key!r} is there twice; remove one")
        pairs[key] = value[0].strip()
    return pairs


def _opened(path: Path) -> IO[bytes]:
    """Open a list."""
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
