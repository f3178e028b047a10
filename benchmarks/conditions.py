"""Another day, room and device, simulated: what a single recording per person cannot show.

A clean piece of speech is passed through a random microphone colour, room, noise, telephone band and codec. It does
not simulate what changes in a voice itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from samevoice.audio.waveform import Waveform
from samevoice.effects.channel import coloured
from samevoice.effects.codecs import round_trip
from samevoice.effects.noise import add_noise, stretch
from samevoice.effects.rooms import reverberate
from samevoice.embedder import Model
from samevoice.speech.vad import RATE


class Conditions:
    """Random recording conditions from the noises and room responses of the data folder.

    Args:
        folder: holds `noise/*.flac` and `rir/*.flac` at 16 kHz.
        rng: the only source of randomness.
    """

    def __init__(self, folder: Path, rng: np.random.Generator) -> None:
        self._rng = rng
        self._noises = [soundfile.read(path, dtype="float32")[0] for path in sorted((folder / "noise").glob("*.flac"))]
        self._rooms = [soundfile.read(path, dtype="float32")[0] for path in sorted((folder / "rir").glob("*.flac"))]

    def __call__(self, waveform: Waveform) -> Waveform:
        """The same speech, recorded elsewhere."""
        rng = self._rng
        sound = coloured(waveform.samples, rng.uniform(-6, 6, size=5))
        if rng.random() < 0.6:
            sound = reverberate(sound, self._rooms[rng.integers(len(self._rooms))])
        if rng.random() < 0.8:
            snr_db = rng.uniform(8, 25)
            noise = self._noises[rng.integers(len(self._noises))]
            sound = add_noise(sound, stretch(noise, len(sound), rng), snr_db)
        if rng.random() < 0.2:
            sound = soxr.resample(soxr.resample(sound, RATE, 8_000), 8_000, RATE)[: len(sound)]
        sound = 0.5 * sound / max(float(np.abs(sound).max()), 1e-9)
        if rng.random() < 0.3:
            sound = round_trip(sound, RATE, ("mp3", "opus")[int(rng.integers(2))])
        return Waveform(sound.astype(np.float32), RATE)


def here_and_elsewhere(
    model: Model, pieces: Sequence[Waveform], elsewhere: Conditions
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Embeddings of the pieces as they were recorded, and as recorded elsewhere, each (n, d)."""
    here = np.stack([one.vector for one in model.embed_many(pieces)])
    return here, np.stack([one.vector for one in model.embed_many(map(elsewhere, pieces))])
