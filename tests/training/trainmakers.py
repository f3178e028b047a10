"""A small corpus of noises, and what a training makes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from makers import encode
from numpy.typing import NDArray

from samevoice.corpora.manifest import Manifest, Utterance
from samevoice.corpora.sounds import Sounds
from samevoice.features.frontend import Frontend, build_frontend
from samevoice.features.kinds import KINDS, default_spec
from samevoice.training.crops import Crops
from samevoice.training.index import UtteranceIndex
from samevoice.training.items import Items, items_of
from samevoice.training.recipe import Crop, Data

RATE = 16_000
FRONTENDS = tuple(KINDS)


NOTHING = Utterance("", None, "", "", None, 0.0, 1.0, RATE, "", "", "", "", "", "")


def listed(id: str, speaker: str | None = None, **known: Any) -> Utterance:  # noqa: A002 - the field's name
    """An utterance of 1 s at 16 kHz of which little is known."""
    return replace(NOTHING, id=id, speaker=speaker, **{"path": f"{id}.flac", **known})


def flac(samples: NDArray[np.float32]) -> bytes:
    """A file of 16 bits at 16 kHz."""
    return encode("flac", samples, RATE)


def noise(seconds: float, seed: int) -> NDArray[np.float32]:
    """Sound in which any two places differ, and any two seeds."""
    raw = np.random.default_rng(seed).standard_normal(round(seconds * RATE) + 7)
    return (0.1 * np.convolve(raw, np.hanning(8) / 4, mode="valid")).astype(np.float32)


def frontend(kind: str = "psf-64") -> Frontend:
    return build_frontend(default_spec(kind))


def voices(root: Path, counts: tuple[int, ...] = (3, 3, 3, 3), seconds: float = 0.8, unlabelled: int = 0) -> Manifest:
    """A file for each utterance: so many of each speaker, then so many of nobody."""
    names = [f"s{who}" for who, count in enumerate(counts) for _ in range(count)] + [None] * unlabelled
    utterances = []
    for number, name in enumerate(names):
        path = f"{name}-{number}.flac"
        (root / path).write_bytes(flac(noise(seconds, number)))
        utterances.append(listed(path, name, path=path, seconds=seconds))
    return Manifest(root, tuple(utterances))


def spoil(manifest: Manifest, *numbers: int) -> None:
    """Make files unreadable."""
    for number in numbers:
        (manifest.root / manifest.utterances[number].path).write_bytes(b"fLaC and no more")


def crops_of(manifest: Manifest, kind: str = "psf-64", frames: int = 10, fill: str = "repeat", cache: int = 0) -> Crops:
    front = frontend(kind)
    return Crops(Sounds(manifest.root, front.spec.rate, cache_bytes=cache), front, Crop(frames, fill))


def joined(manifest: Manifest, data: Data | None = None) -> tuple[Items, Items]:
    """All items, labelled ones first, and the labelled alone."""
    data = data or Data()
    labelled = items_of(manifest.only(one for one in manifest if one.speaker is not None), data)
    nobody = [one for one in manifest if one.speaker is None]
    if not nobody:
        return labelled, labelled
    others = items_of(manifest.only(nobody), data)
    labels = np.concatenate([labelled.index.positions, others.index.positions + len(labelled.names)])
    return Items(labelled.items + others.items, UtteranceIndex(labels), labelled.names + others.names), labelled


def ramp(root: Path, seconds: float) -> Manifest:
    """One utterance in which every sample is its own number."""
    count = round(seconds * RATE)
    assert count < 32768
    values = (np.arange(count) / 32768).astype(np.float32)
    (root / "ramp.flac").write_bytes(flac(values))
    return Manifest(root, (listed("ramp", "s0", seconds=count / RATE),))
