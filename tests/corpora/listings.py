"""Utterances as a reader of a corpus would list them."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from samevoice.corpora.manifest import Manifest, Utterance

NOTHING = Utterance("", None, "", "", None, 0.0, 1.0, 16_000, "", "", "", "", "", "")


def listed(id: str, speaker: str | None = None, **known: Any) -> Utterance:  # noqa: A002 - the field's name
    """An utterance of 1 s at 16 kHz of which little is known."""
    return replace(NOTHING, id=id, speaker=speaker, **{"path": f"{id}.flac", **known})


def digest(data: bytes) -> str:
    """A checksum as manifests have it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def sound(seconds: float, rate: int = 16_000, seed: int = 0) -> NDArray[np.float32]:
    """Noise without the highest frequencies, in which any two places differ."""
    raw = np.random.default_rng(seed).standard_normal(round(seconds * rate) + 7)
    return (0.1 * np.convolve(raw, np.hanning(8) / 4, mode="valid")).astype(np.float32)


def flac(samples: NDArray[np.float32], rate: int = 16_000) -> bytes:
    """A FLAC file, by the library itself."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def small_corpus(root: Path, speakers: int = 4, each: int = 3, seconds: float = 0.5) -> Manifest:
    """A folder per speaker."""
    utterances = []
    for speaker in range(speakers):
        (root / f"s{speaker}").mkdir(parents=True)
        for number in range(each):
            data = flac(sound(seconds + 0.1 * number, seed=10 * speaker + number))
            path = f"s{speaker}/{number}.flac"
            (root / path).write_bytes(data)
            one = listed(path, f"s{speaker}", path=path, seconds=seconds + 0.1 * number, checksum=digest(data))
            utterances.append(replace(one, corpus="small", language="en"))
    return Manifest(root, tuple(utterances))
