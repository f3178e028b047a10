"""A timeline as a file: JSON lines, NPZ or Parquet, by suffix.

All three hold the same columns. Embeddings are voices, and personal data; they can be left out.

Knows: columns, formats. Does not know: how a timeline is made.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from samevoice.errors import ConfigError
from samevoice.files import write_atomically
from samevoice.timelines.table import SliceTable

SUFFIXES = (".jsonl", ".npz", ".parquet")
VERSION = 1


def check_suffix(path: Path) -> None:
    """Say before the work, not after, that a file cannot be written.

    Raises:
        ConfigError: the suffix is none of a timeline, or pyarrow is needed and not installed.
    """
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"{path}: the suffix decides the format; use {', '.join(SUFFIXES)}")
    if path.suffix == ".parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            raise ConfigError("writing .parquet needs pyarrow; pip install 'samevoice[scale]', or use .npz") from error


def write_table(table: SliceTable, path: Path, *, embeddings: bool = True) -> None:
    """Write a timeline: the file appears whole or not at all.

    Args:
        table: the timeline.
        path: where to write; the suffix decides the format (.jsonl, .npz, .parquet).
        embeddings: put them in.

    Raises:
        ConfigError: see `check_suffix`; or the file cannot be written.
    """
    check_suffix(path)
    put = {".jsonl": _put_lines, ".npz": _put_npz, ".parquet": _put_parquet}[path.suffix]
    try:
        write_atomically(path, lambda file: put(table, file, embeddings))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror}); make room or choose another") from error


def header(table: SliceTable) -> dict[str, object]:
    """What holds for all slices, as plain data."""
    return {
        "timeline": VERSION,
        "recording": _text(table.recording),
        "model": table.model,
        "extent": table.extent,
        "length": table.grid.length,
        "step": table.grid.step,
        "slices": len(table),
        "warnings": [_text(warning) for warning in table.warnings],
    }


def rows(table: SliceTable, *, embeddings: bool) -> Iterator[dict[str, object]]:
    """The slices as plain data; an embedding is base64 of little-endian float32, null where there is none."""
    for one in table:
        row: dict[str, object] = {
            "start": round(one.start, 6),
            "end": round(one.end, 6),
            "speech": round(one.probability, 4),
            "share": round(one.share, 4),
            "level_dbfs": round(one.level_dbfs, 2),
        }
        if table.voices is not None:
            likeness = one.likeness
            row["name"] = _text(likeness.name) if likeness else None
            row["cosine"] = round(likeness.cosine, 5) if likeness else None
            row["llr"] = round(likeness.llr, 4) if likeness and likeness.llr is not None else None
        if embeddings:
            row["embedding"] = (
                base64.b64encode(one.embedding.vector.astype("<f4").tobytes()).decode() if one.embedding else None
            )
        yield row


def _put_lines(table: SliceTable, file: BinaryIO, embeddings: bool) -> None:
    """A line on the whole, then one for each slice."""
    for line in (header(table), *rows(table, embeddings=embeddings)):
        file.write(json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def _put_npz(table: SliceTable, file: BinaryIO, embeddings: bool) -> None:
    """One array per column; cosines and evidence are 0 where `embedded` is false."""
    about = {key: np.array(value) for key, value in header(table).items() if key != "warnings"}
    arrays: dict[str, Any] = {**about, "warnings": np.array([_text(one) for one in table.warnings], dtype=np.str_)}
    arrays |= {name: column for name, column in _columns(table).items() if column is not None}
    if embeddings:
        arrays["embedding"] = table.vectors
    np.savez(file, **arrays)


def _put_parquet(table: SliceTable, file: BinaryIO, embeddings: bool) -> None:
    """One row per slice, null where there is no embedding; what holds for all is JSON in the schema's metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    missing = ~table.embedded
    columns = {
        name: pa.array(column, mask=missing if name in ("name", "cosine", "llr") else None)
        for name, column in _columns(table).items()
        if column is not None
    }
    if embeddings:
        flat = pa.array(table.vectors.ravel())
        columns["embedding"] = pa.FixedSizeListArray.from_arrays(flat, table.vectors.shape[1], mask=pa.array(missing))
    metadata = {"samevoice": json.dumps(header(table), ensure_ascii=False)}
    pq.write_table(pa.table(columns, metadata=metadata), file, compression="zstd")


def _columns(table: SliceTable) -> dict[str, np.ndarray[Any, Any] | None]:
    """The columns by the names they have in files."""
    return {
        "start": table.starts,
        "end": table.ends,
        "speech": table.probability,
        "share": table.share,
        "level_dbfs": table.level_dbfs,
        "embedded": table.embedded,
        "name": None if table.voices is None else np.array([_text(name) for name in table.names], dtype=np.str_),
        "cosine": table.cosine,
        "llr": table.llr,
    }


def _text(text: str) -> str:
    """Names of files need not be text."""
    return text.encode(errors="backslashreplace").decode()
