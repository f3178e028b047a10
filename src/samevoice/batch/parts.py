"""Parquet files of a dataset: the same bytes for the same rows, and a sentence where one is damaged.

Knows: columns, pyarrow. Does not know: folders, blocks, models.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice.batch.listing import Item
from samevoice.errors import ConfigError, DataError
from samevoice.models.embedding import Embedding

BAD_COLUMNS = ("id", "path", "code", "reason")
VECTORS = "embedding"


@dataclass(frozen=True, slots=True)
class Bad:
    """Why a recording has no embedding.

    Args:
        code: short name of the error, for machines.
        reason: a sentence.
    """

    code: str
    reason: str


Outcome = Embedding | Bad


def require_parquet() -> None:
    """Say at once, not after hours of work, that the library for Parquet is missing.

    Raises:
        ConfigError: it is.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise ConfigError("datasets need pyarrow; install it with: pip install 'samevoice[scale]'") from error


def read_columns(path: Path, columns: Sequence[str]) -> Any:
    """Columns of a part, as a table of pyarrow.

    Raises:
        DataError: the file is missing, damaged or of another kind.
    """
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    try:
        with path.open("rb") as file, parquet.ParquetFile(file) as part:
            return part.read(columns=list(columns), use_threads=False).select(list(columns))
    except (arrow.ArrowException, KeyError, OSError) as error:
        raise _damaged(path, error) from error


def vectors_of(table: Any) -> NDArray[np.float32]:
    """The column `embedding` of a table, float32 (n, d)."""
    column = table.column(VECTORS).combine_chunks()
    flat: NDArray[np.float32] = column.flatten().to_numpy()
    return flat.reshape(len(column), column.type.list_size)


def rows_in(path: Path) -> int:
    """Number of rows, from the end of the file."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    try:
        with path.open("rb") as file:
            return int(parquet.read_metadata(file).num_rows)
    except (arrow.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> DataError:
    """What to say of a file that cannot be read."""
    return DataError(
        f"{path}: is damaged ({str(error).partition(chr(10))[0]:.200}); remove it and embed the corpus again"
    )


def embeddings_file(rows: Sequence[tuple[Item, Embedding]], dimension: int) -> bytes:
    """A file of embeddings, in order; there may be none."""
    import pyarrow as arrow

    flat = np.concatenate([out.vector for _, out in rows]) if rows else np.empty(0, dtype=np.float32)
    columns: dict[str, Any] = {
        "id": [one.id for one, _ in rows],
        "path": [place_of(one) for one, _ in rows],
        "speaker": [one.speaker for one, _ in rows],
        VECTORS: arrow.FixedSizeListArray.from_arrays(arrow.array(flat), dimension),
        "speech_seconds": arrow.array([out.seconds for _, out in rows], arrow.float64()),
        "warnings": arrow.array([list(map(_text, out.warnings)) for _, out in rows], arrow.list_(arrow.string())),
    }
    return _encoded(columns)


def bad_file(rows: Sequence[tuple[str, str, Bad]]) -> bytes:
    """A file of bad recordings, each with its id, its place, and what is wrong."""
    listed = [(name, place, bad.code, bad.reason) for name, place, bad in rows]
    return _encoded(dict(zip(BAD_COLUMNS, zip(*listed, strict=True), strict=True)))


def _encoded(columns: dict[str, Any]) -> bytes:
    """A Parquet file; what is no column of pyarrow yet becomes a column of text."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    def column(values: Iterable[str | None]) -> Any:
        return arrow.array([None if one is None else _text(one) for one in values], arrow.string())

    table = arrow.table({name: one if isinstance(one, arrow.Array) else column(one) for name, one in columns.items()})
    coded = [name for name in columns if name != VECTORS]  # which have no values twice, and no useful order
    sink = arrow.BufferOutputStream()
    parquet.write_table(table, sink, compression="zstd", use_dictionary=coded, write_statistics=coded)
    return bytes(sink.getvalue())


def place_of(item: Item) -> str:
    """Where a recording lies; a member of an archive as if that were a folder."""
    member = item.part.member if item.part else None
    return item.path if member is None else f"{item.path}/{member}"


def _text(name: str) -> str:
    """Names of files need not be Unicode; Parquet's texts are."""
    return name.encode(errors="backslashreplace").decode()
