"""The conditions of a stress test: pink noise, a living room, the telephone band, lossy codecs.

Knows: effects and how strong they are. Does not know: trials, models.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from samevoice.audio.waveform import Samples
from samevoice.effects.channel import TELEPHONE_HZ, band_limited
from samevoice.effects.codecs import advice, available, round_trip
from samevoice.effects.noise import add_noise, synthetic_noise
from samevoice.effects.rooms import reverberate, synthetic_response
from samevoice.evaluation.stress import Change

SNR_DB = (20, 10, 0)
TILT = 1.0  # pink noise
RT60, DIRECT_DB = 0.6, 0.0  # a living room, two metres from the microphone
CODECS = ("mp3", "opus")


def conditions() -> tuple[dict[str, Change], dict[str, str]]:
    """What can be done to the sound here, by name, and what to do about the rest."""
    works = available()
    changes: dict[str, Change] = {f"noise at {snr} dB": partial(_noisy, snr) for snr in SNR_DB}
    changes["room"] = lambda samples, rate, random: reverberate(
        samples, synthetic_response(rate, RT60, DIRECT_DB, random)
    )
    changes["telephone band"] = lambda samples, rate, _: band_limited(samples, rate, *TELEPHONE_HZ)
    changes.update({name: partial(_coded, name) for name in CODECS if name in works})
    return changes, {name: advice(name) for name in CODECS if name not in works}


def _noisy(snr: float, samples: Samples, rate: int, random: np.random.Generator) -> Samples:
    """With pink noise."""
    return add_noise(samples, synthetic_noise(len(samples), rate, TILT, random), snr)


def _coded(name: str, samples: Samples, rate: int, _: np.random.Generator) -> Samples:
    """Through a codec."""
    return round_trip(samples, rate, name)
