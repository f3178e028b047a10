"""What a comparison found, as a file: CSV, JSON or Parquet, by its suffix.

Knows: the columns. Does not know: how pairs were found.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from samevoice.batch.duplicates import Duplicates
from samevoice.errors import ConfigError
from samevoice.files import write_atomically

SUFFIXES = (".csv", ".json", ".parquet")
COLUMNS = (
    "group",
    "first",
    "second",
    "cosine",
    "llr",
    "probability",
    "false_pairs_expected",
    "first_speech_seconds",
    "second_speech_seconds",
    "first_recordings",
    "second_recordings",
)


def as_rows(found: Duplicates) -> list[dict[str, Any]]:
    """A row for each pair, group by group, the most alike of a group first."""
    return [_row(found, number, place) for number, one in enumerate(found.groups, 1) for place in one.pairs]


def _row(found: Duplicates, group: int, place: int) -> dict[str, Any]:
    """The row of one pair."""
    first, second = int(found.pairs.first[place]), int(found.pairs.second[place])
    values = (
        group,
        found.names[first],
        found.names[second],
        round(float(found.pairs.cosines[place]), 6),
        None if found.llr is None else round(float(found.llr[place]), 4),
        None if found.probability is None else round(float(found.probability[place]), 6),
        None if found.expected_at is None else float(f"{found.expected_at[place]:.4g}"),
        round(float(found.speech[first]), 3),
        round(float(found.speech[second]), 3),
        int(found.recordings[first]),
        int(found.recordings[second]),
    )
    return dict(zip(COLUMNS, values, strict=True))


def as_json(found: Duplicates) -> dict[str, Any]:
    """Everything about a comparison as plain data."""
    groups = [
        {"voices": [found.names[row] for row in one.rows], "complete": one.complete, "weakest": round(one.weakest, 6)}
        for one in found.groups
    ]
    return {
        "by": found.by,
        "voices": len(found.names),
        "left_out": found.unnamed,
        "pairs_compared": found.compared,
        "threshold": found.threshold,
        "false_pairs_expected": found.expected,
        "basis": found.basis,
        "groups": groups,
        "pairs": as_rows(found),
    }


def check_suffix(output: Path) -> None:
    """Refuse a file of no known format, before any work.

    Raises:
        ConfigError: the suffix is none of `SUFFIXES`.
    """
    if output.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{output}: the suffix decides the format; use {', '.join(SUFFIXES)}")


def write(found: Duplicates, output: Path) -> None:
    """Write the pairs, whole or not at all.

    Raises:
        ConfigError: the file cannot be written, or its suffix is unknown.
    """
    check_suffix(output)
    make = {".csv": _csv, ".json": _json, ".parquet": _parquet}[output.suffix.lower()]
    content = make(found)
    try:
        write_atomically(output, lambda file: file.write(content))
    except OSError as error:
        raise ConfigError(f"{output}: cannot be written ({error.strerror}); make room or choose another") from error


def _csv(found: Duplicates) -> bytes:
    """A line for each pair."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(as_rows(found))
    return text.getvalue().encode()


def _json(found: Duplicates) -> bytes:
    """The whole result."""
    return (json.dumps(as_json(found), ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()


def _parquet(found: Duplicates) -> bytes:
    """A row for each pair."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    number, text, whole = arrow.float64(), arrow.string(), arrow.int64()
    kinds = (whole, text, text, number, number, number, number, number, number, whole, whole)
    sink = arrow.BufferOutputStream()
    schema = arrow.schema(list(zip(COLUMNS, kinds, strict=True)))
    parquet.write_table(arrow.Table.from_pylist(as_rows(found), schema=schema), sink, compression="zstd")
    return bytes(sink.getvalue())
