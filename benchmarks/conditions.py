"""Another day, room and device, simulated: what a single recording per person cannot show.

A clean piece of speech is passed through a random microphone colour, room, noise, telephone band and codec. It does
not simulate what changes in a voice itself.
"""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from samevoice.audio.waveform import Waveform
from samevoice.speech.vad import RATE

Sound = NDArray[np.float32]


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
        sound = self._coloured(waveform.samples)
        if rng.random() < 0.6:
            sound = self._in_a_room(sound)
        if rng.random() < 0.8:
            sound = self._with_noise(sound, snr_db=rng.uniform(8, 25))
        if rng.random() < 0.2:
            sound = soxr.resample(soxr.resample(sound, RATE, 8_000), 8_000, RATE)[: len(sound)]
        sound = 0.5 * sound / max(float(np.abs(sound).max()), 1e-9)
        if rng.random() < 0.3:
            sound = self._coded(sound)
        return Waveform(sound.astype(np.float32), RATE)

    def _coloured(self, sound: Sound) -> Sound:
        """A smooth random frequency response of up to 6 dB either way, like that of another microphone."""
        spectrum = np.fft.rfft(sound)
        knots = self._rng.uniform(-6, 6, size=5)
        gain = np.interp(np.linspace(0, 4, len(spectrum)), np.arange(5), knots)
        return np.fft.irfft(spectrum * 10 ** (gain / 20), n=len(sound)).astype(np.float32)

    def _in_a_room(self, sound: Sound) -> Sound:
        """Convolved with a room response, from its direct sound on."""
        room = self._rooms[self._rng.integers(len(self._rooms))]
        room = room[int(np.abs(room).argmax()) :]
        size = len(sound) + len(room) - 1
        wet = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(room, size), size)
        return wet[: len(sound)].astype(np.float32)

    def _with_noise(self, sound: Sound, snr_db: float) -> Sound:
        """With a stretch of noise at a ratio of mean powers."""
        noise = self._noises[self._rng.integers(len(self._noises))]
        start = self._rng.integers(len(noise))
        stretch = np.take(noise, np.arange(start, start + len(sound)), mode="wrap")
        power = float(np.mean(sound**2)) / max(float(np.mean(stretch**2)), 1e-12)
        scale = math.sqrt(power / math.pow(10, snr_db / 10))
        return (sound + stretch * scale).astype(np.float32)

    def _coded(self, sound: Sound) -> Sound:
        """Through MP3 or Opus, cut to the old length."""
        kind, subtype = [("MP3", "MPEG_LAYER_III"), ("OGG", "OPUS")][int(self._rng.integers(2))]
        with io.BytesIO() as file:
            with soundfile.SoundFile(file, "w", RATE, 1, subtype, format=kind, compression_level=0.8) as sink:
                sink.write(sound)
            file.seek(0)
            coded = np.asarray(soundfile.read(file, dtype="float32")[0], dtype=np.float32)
        return np.pad(coded, (0, max(0, len(sound) - len(coded))))[: len(sound)]
