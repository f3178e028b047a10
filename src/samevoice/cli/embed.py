"""`samevoice embed FILES|DIR -o OUT`: one embedding per recording, into one file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import numpy as np
import typer
from numpy.typing import NDArray

from samevoice.cli.console import MODEL, ModelOption, PathsArgument, ThreadsOption, audio_files, err, out, progress_bar
from samevoice.embedder import load_model
from samevoice.errors import ConfigError, SamevoiceError
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
    if not output.parent.is_dir():
        raise ConfigError(f"{output.parent}: no such folder; create it first")
    if output.suffix == ".parquet":
        require_parquet()
    paths = audio_files(files)
    opened = load_model(model, threads)
    good: list[tuple[str, Embedding]] = []
    failed = 0
    with progress_bar("embedding", len(paths)) as tell:
        for path, outcome in zip(paths, opened.embed_each(paths, progress=tell), strict=True):
            if isinstance(outcome, SamevoiceError):
                err.print(f"samevoice: {outcome}", style="red", markup=False)
                failed += 1
            else:
                good.append((path, outcome))
    if not good:
        raise ConfigError(f"none of {len(paths)} recordings could be embedded; nothing was written")
    write(output, good)
    out.print(f"{len(good)} embeddings by {opened.card.fingerprint} in {output}", markup=False)
    raise typer.Exit(2 if failed else 0)


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
    """Write all embeddings at once: the file appears whole or not at all."""
    columns: dict[str, NDArray[Any]] = {
        "path": np.array([path for path, _ in embeddings]),
        "vector": np.stack([embedding.vector for _, embedding in embeddings]),
        "seconds": np.array([embedding.seconds for _, embedding in embeddings]),
        "model": np.array([embedding.model for _, embedding in embeddings]),
        "warnings": np.array(["; ".join(embedding.warnings) for _, embedding in embeddings]),
    }
    handle, name = tempfile.mkstemp(dir=output.parent, prefix=f".{output.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            if output.suffix == ".npz":
                np.savez(file, allow_pickle=False, **columns)
            else:
                _write_parquet(file, columns)
        os.chmod(name, 0o644)  # noqa: PTH101
        Path(name).replace(output)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _write_parquet(file: BinaryIO, columns: dict[str, NDArray[Any]]) -> None:
    """One row per recording; the vector is a list of float32."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: list(values) if values.ndim > 1 else values for name, values in columns.items()})
    pq.write_table(table, file, compression="zstd")
