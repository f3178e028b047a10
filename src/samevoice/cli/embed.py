"""`samevoice embed FILES|DIR -o OUT`: one embedding per recording, into one file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import numpy as np
import typer
from numpy.typing import NDArray

from samevoice.cli.console import MODEL, ModelOption, PathsArgument, ThreadsOption, audio_files, embed_files, out
from samevoice.cli.outputs import require_writable
from samevoice.errors import ConfigError
from samevoice.files import write_atomically
from samevoice.loading import load_model
from samevoice.models.embedding import Embedding

SUFFIXES = (".npz", ".parquet")


def embed(
    files: PathsArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write: OUT.npz or OUT.parquet.")],
    model: ModelOption = MODEL,
    threads: ThreadsOption = None,
) -> None:
    """Turn recordings into embeddings, one unit vector for each.

    The file holds for each recording its path, vector, seconds of speech, the model's fingerprint and warnings.
    Recordings that cannot be used are listed and left out; the exit code is then 2.

    Example: samevoice embed recordings/ -o voices.npz
    """
    if output.suffix not in SUFFIXES:
        raise ConfigError(f"{output}: the suffix decides the format; use .npz or .parquet")
    require_writable(output)
    if output.suffix == ".parquet":
        require_parquet()
    paths = audio_files(files)
    opened = load_model(model, threads)
    good, errors = embed_files(opened, paths)
    if not good:
        raise ConfigError(f"none of {len(paths)} recordings could be embedded; nothing was written")
    write(output, good)
    out.print(f"{len(good)} embeddings by {opened.card.fingerprint} in {output}", markup=False)
    raise typer.Exit(2 if errors else 0)


def require_parquet() -> None:
    """Say at once, not after hours of work, that the writer is missing.

    Raises:
        ConfigError: pyarrow is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise ConfigError("writing .parquet needs pyarrow; pip install 'samevoice[scale]', or write .npz") from error


def write(output: Path, embeddings: Sequence[tuple[str, Embedding]]) -> None:
    """Write all embeddings at once: the file appears whole or not at all.

    Raises:
        ConfigError: it cannot be written.
    """
    columns: dict[str, NDArray[Any]] = {
        "path": np.array([path.encode(errors="backslashreplace").decode() for path, _ in embeddings]),
        "vector": np.stack([embedding.vector for _, embedding in embeddings]),
        "seconds": np.array([embedding.seconds for _, embedding in embeddings]),
        "model": np.array([embedding.model for _, embedding in embeddings]),
        "warnings": np.array(["; ".join(embedding.warnings) for _, embedding in embeddings]),
    }
    put = _put_parquet if output.suffix == ".parquet" else _put_npz
    try:
        write_atomically(output, lambda file: put(file, columns))
    except OSError as error:
        raise ConfigError(f"{output}: cannot be written ({error.strerror}); make room or choose another") from error


def _put_npz(file: BinaryIO, columns: dict[str, NDArray[Any]]) -> None:
    """One array per column."""
    arrays: dict[str, Any] = dict(columns)
    np.savez(file, **arrays)


def _put_parquet(file: BinaryIO, columns: dict[str, NDArray[Any]]) -> None:
    """One row per recording; the vector is a list of float32."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: list(values) if values.ndim > 1 else values for name, values in columns.items()})
    pq.write_table(table, file, compression="zstd")
