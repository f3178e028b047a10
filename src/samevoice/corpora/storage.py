"""Manifests in files: JSON lines for people and small corpora, Parquet (extra `[scale]`) for large ones.

Both have a header with the version and the root. The root is relative where it lies above, in or beside the folder of
the manifest, so that both can be moved together.

Knows: the two formats. Does not know: how a manifest comes about.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from samevoice.corpora.manifest import Manifest, Utterance
from samevoice.corpora.records import FIELDS, NULLABLE, NUMBERS, from_record, to_record
from samevoice.errors import DataError
from samevoice.files import write_atomically

VERSION = 1
HEADER = {"samevoice", "version", "root"}
PARQUET_KEY = b"samevoice"
MAX_LINE = 1 << 20  # bytes
SHOWN = 40  # columns that a message names at most, and letters of each
INSTALL = "pip install 'samevoice[scale]'"


def load_manifest(path: Path) -> Manifest:
    """Read a manifest; anything that is not as it was written is refused.

    Args:
        path: ends in .jsonl or .parquet.

    Raises:
        DataError: no such file, another format, a wrong header, or a field, value, path or id that cannot be; with the
            line or row where it is.
    """
    read, _ = _format(path)
    try:
        return read(path)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; check the path") from error


def save_manifest(manifest: Manifest, path: Path) -> None:
    """Write a manifest in one step.

    Args:
        manifest: what to write.
        path: ends in .jsonl or .parquet; its folder must be there.

    Raises:
        DataError: another format, a value that could not be read back, or the file cannot be written.
    """
    _, write = _format(path)
    try:
        write(manifest, path)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; check the folder and the space on the disk") from error


def _load_lines(path: Path) -> Manifest:
    """Read JSON lines."""
    with path.open("rb") as file:
        lines = _json_lines(file, path)
        _, header = next(lines, (1, None))
        root = _root(header, path)
        utterances = tuple(_numbered((from_record(record, place), place) for place, record in lines))
    return Manifest(root, utterances)


def _save_lines(manifest: Manifest, path: Path) -> None:
    """Write JSON lines."""

    def write(file: BinaryIO) -> None:
        file.write(json.dumps(_header(manifest, path)).encode() + b"\n")
        for one in manifest:
            record = to_record(one, f"{path}: {one.id!r}")
            file.write(json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n")

    write_atomically(path, write)


def _json_lines(file: BinaryIO, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Place and object of each line."""
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        place = f"{path}:{number}"
        if len(line) > MAX_LINE:
            raise DataError(f"{place}: longer than {MAX_LINE} bytes; scan the corpus again")
        try:
            value = json.loads(line.decode(), object_pairs_hook=_object)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{place}: is not a JSON object ({error}); scan the corpus again") from error
        if not isinstance(value, dict):
            raise DataError(f"{place}: is not a JSON object; scan the corpus again")
        yield place, value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose keys are there once."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key is there twice")
    return value


def _load_parquet(path: Path) -> Manifest:
    """Read Parquet."""
    arrow, parquet = _pyarrow(path)
    try:
        with path.open("rb") as stream, parquet.ParquetFile(stream) as file:
            found = file.schema_arrow
            if not found.equals(_schema(arrow), check_metadata=False):
                wrong = sorted(set(found.names) ^ set(FIELDS))
                what = (
                    f"columns {', '.join(one[:SHOWN] for one in wrong[:SHOWN])}"
                    if wrong
                    else "types or order of columns"
                )
                raise DataError(f"{path}: is no manifest ({what}); scan the corpus again")
            root = _root(json.loads((found.metadata or {}).get(PARQUET_KEY, b"null")), path)
            rows = (row for batch in file.iter_batches() for row in batch.to_pylist())
            placed = ((f"{path}: row {number}", row) for number, row in enumerate(rows, 1))
            utterances = tuple(_numbered((from_record(record, place), place) for place, record in placed))
    except (arrow.ArrowException, ValueError) as error:
        raise DataError(f"{path}: is no Parquet file that can be read ({error}); scan the corpus again") from error
    return Manifest(root, utterances)


def _save_parquet(manifest: Manifest, path: Path) -> None:
    """Write Parquet."""
    arrow, parquet = _pyarrow(path)
    records = [to_record(one, f"{path}: {one.id!r}") for one in manifest]
    schema = _schema(arrow).with_metadata({PARQUET_KEY: json.dumps(_header(manifest, path)).encode()})
    table = arrow.Table.from_pylist(records, schema=schema)
    write_atomically(path, lambda file: parquet.write_table(table, file, compression="zstd"))


def _pyarrow(path: Path) -> tuple[Any, Any]:
    """The library and its Parquet part."""
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise DataError(f"{path}: Parquet needs pyarrow; {INSTALL}, or use a name that ends in .jsonl") from error
    return arrow, parquet


def _schema(arrow: Any) -> Any:
    """Columns in the order of the fields."""
    kinds = {float: arrow.float64(), int: arrow.int64()}
    return arrow.schema(
        [
            arrow.field(name, kinds[NUMBERS[name]] if name in NUMBERS else arrow.string(), nullable=name in NULLABLE)
            for name in FIELDS
        ]
    )


def _numbered(placed: Iterator[tuple[Utterance, str]]) -> Iterator[Utterance]:
    """The utterances, each id once."""
    places: dict[str, str] = {}
    for one, place in placed:
        if (first := places.setdefault(one.id, place)) != place:
            raise DataError(f"{place}: the id {one.id!r} is already that of {first}; scan the corpus again")
        yield one


def _header(manifest: Manifest, path: Path) -> dict[str, Any]:
    """What stands before the utterances."""
    return {"samevoice": "manifest", "version": VERSION, "root": _written_root(manifest.root, path)}


def _written_root(root: Path, path: Path) -> str:
    """The root from the manifest's folder if it lies above, in or beside it, else absolute."""
    root, folder = root.resolve(), path.parent.resolve()
    near = folder.is_relative_to(root) or root.is_relative_to(folder) or root.is_relative_to(folder.parent)
    if not near or root == Path(root.anchor):
        return root.as_posix()
    return Path(os.path.relpath(root, folder)).as_posix()


def _root(header: Any, path: Path) -> Path:
    """The root that a header names."""
    if not isinstance(header, dict) or header.get("samevoice") != "manifest" or set(header) != HEADER:
        raise DataError(f"{path}: does not begin like a manifest of samevoice; make one with samevoice data scan")
    if type(header["version"]) is not int or header["version"] != VERSION:
        raise DataError(f"{path}: has version {header['version']!r}, this samevoice reads {VERSION}; update samevoice")
    root = header["root"]
    if not isinstance(root, str) or not root or "\0" in root:
        raise DataError(f"{path}: its root must be a folder, got {root!r}; scan the corpus again")
    return (path.parent / root).resolve()


_FORMATS: dict[str, tuple[Callable[[Path], Manifest], Callable[[Manifest, Path], None]]] = {
    ".jsonl": (_load_lines, _save_lines),
    ".parquet": (_load_parquet, _save_parquet),
}


def _format(path: Path) -> tuple[Callable[[Path], Manifest], Callable[[Manifest, Path], None]]:
    """The functions that read and write a format."""
    if path.suffix.lower() not in _FORMATS:
        raise DataError(f"{path}: is not the name of a manifest; let it end in {' or '.join(_FORMATS)}")
    return _FORMATS[path.suffix.lower()]
