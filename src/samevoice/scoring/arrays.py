"""Arrays of a model in one file, which may come from anybody: only numbers and texts are read.

Knows: names, ranks, fingerprints, archives. Does not know: what the numbers mean.
"""

from __future__ import annotations

import textwrap
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice.errors import FingerprintMismatch, ModelError
from samevoice.files import write_atomically

KIND = "kind"
MAX_BYTES = 1 << 30  # unpacked
# What numpy, zipfile and json raise for files that are not what they say.
DAMAGE = (
    *(KeyError, ValueError, TypeError, EOFError, OverflowError, MemoryError, RuntimeError, SyntaxError),
    *(zipfile.BadZipFile, zlib.error, TokenError),
)
LONGEST_REASON = 120  # letters; some of those errors quote the file


def write_arrays(path: Path, kind: str, content: Mapping[str, NDArray[Any] | str]) -> None:
    """Write named arrays and texts to one file.

    Args:
        path: where.
        kind: what they are; `read_arrays` asks for it.
        content: by name.

    Raises:
        ModelError: the file cannot be written.
    """
    arrays = {KIND: np.array(kind)} | {name: np.asarray(value) for name, value in content.items()}
    try:
        write_atomically(path, lambda stream: np.savez(stream, **arrays))  # type: ignore[arg-type]
    except OSError as error:
        raise ModelError(f"{path}: cannot be written ({error.strerror}); choose another place") from error


def read_arrays(path: Path, kind: str, ranks: Mapping[str, int], model: str) -> dict[str, NDArray[Any]]:
    """Read what `write_arrays` wrote: numbers of the stated ranks, and the texts `model` and `source`.

    Args:
        path: where.
        kind: what they must be.
        ranks: number of axes of each array of numbers, by name.
        model: fingerprint that the file must have been made with.

    Raises:
        FingerprintMismatch: another model was used.
        ModelError: the file cannot be read, is damaged or of another kind.
    """
    texts = (KIND, "model", "source")
    try:
        with path.open("rb") as stream:
            _check_members(stream, {*texts, *ranks})
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as opened:
                found = {name: opened[name] for name in (*texts, *ranks)}
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    except DAMAGE as error:
        raise damaged(path, kind, error) from error
    if any(found[name].dtype.kind != "U" or found[name].ndim for name in texts) or str(found[KIND]) != kind:
        raise damaged(path, kind, "it is of another kind")
    for name, rank in ranks.items():
        if found[name].dtype.kind != "f" or found[name].ndim != rank:
            raise damaged(path, kind, f"{name} are not the numbers they should be")
    if str(found["model"]) != model:
        raise FingerprintMismatch(str(found["model"]), model)
    return found


def damaged(path: Path, kind: str, why: object) -> ModelError:
    """What to say about a file that is not what it should be."""
    reason = textwrap.shorten(str(why), LONGEST_REASON, placeholder=" …")
    return ModelError(f"{path}: no usable {kind} ({reason}); make it again")


def _check_members(stream: Any, names: Iterable[str]) -> None:
    """Refuse archives with other members than expected, or that unpack to too much."""
    with zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
    if sorted(one.filename for one in members) != sorted(f"{name}.npy" for name in names):
        raise ValueError("its arrays are not those expected")
    if sum(one.file_size for one in members) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES:,} bytes")
