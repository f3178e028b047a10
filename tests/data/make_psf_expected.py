"""Run python_speech_features on known sounds and write its normalised energies as `psf_expected.json`.

python tests/data/make_psf_expected.py   (with python_speech_features 0.6 installed)
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

HERE = Path(__file__).parent
SAMPLE = "librispeech_1255_a.flac"
CUTS = {"whole": (0, 103_840), "loud to the end": (30_000, 34_321), "less than a frame": (40_000, 40_123)}
FRAMES = (0, 1, 25, 100, 333, 647)


def normalised(sound: NDArray[np.float64]) -> NDArray[np.float64]:
    """64 linear energies per frame; each frame of zero mean and unit deviation."""
    package = importlib.import_module("python_speech_features")
    energies, _ = package.fbank(sound, samplerate=16_000, nfilt=64)
    deviation = np.maximum(energies.std(axis=1, keepdims=True), 1e-12)
    return np.asarray((energies - energies.mean(axis=1, keepdims=True)) / deviation)


def main() -> None:
    """Write a few frames of each cut."""
    sound, rate = soundfile.read(HERE.parent.parent / "samples" / SAMPLE, dtype="float64")
    cases: list[dict[str, Any]] = []
    for name, (start, stop) in CUTS.items():
        features = normalised(sound[start:stop])
        chosen = [index for index in FRAMES if index < len(features)]
        cases.append(
            {
                "name": name,
                "start": start,
                "stop": stop,
                "count": len(features),
                "frames": {str(index): np.round(features[index], 7).tolist() for index in chosen},
            }
        )
    expected = {"package": "python_speech_features 0.6", "sample": SAMPLE, "rate": rate, "cases": cases}
    (HERE / "psf_expected.json").write_text(json.dumps(expected) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
