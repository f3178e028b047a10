"""Rooms: a sound through a room's impulse response, measured or made up.

Knows: responses. Does not know: walls; a made-up room is one that decays like a real one.
Source of the decay: Polack, "La transmission de l'energie sonore dans les salles", 1988: noise under an exponential.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.waveform import Samples
from samevoice.effects.fourier import fast_size, mean_power

REFLECTIONS = 6
REFLECTED_SHARE = 0.3  # of the energy behind the direct sound, in these early reflections; the rest is the tail
LOUDEST_REFLECTION = 0.9  # of the direct sound, which has to stay the peak: `reverberate` finds it there


def reverberate(samples: Samples, response: Samples) -> Samples:
    """A sound as it is heard in a room: as loud, as long and at the same times as before.

    Args:
        samples: shape (n,).
        response: of the room, shape (m,) at the same rate; what precedes its peak, the direct sound, is left out.

    Returns:
        Shape (n,): the first n samples of the convolution, brought to the energy of the input. The samples as they are
        where the response is silent.
    """
    peak = int(np.abs(response).argmax())
    height = abs(float(response[peak]))
    if not height:
        return samples
    room = response[peak : peak + len(samples)] / height
    size = fast_size(len(samples) + len(room) - 1)
    loudest = float(np.abs(samples).max()) or 1.0
    wet = np.fft.irfft(np.fft.rfft(samples / loudest, size) * np.fft.rfft(room, size), size)[: len(samples)]
    power = mean_power(wet)
    if not power:
        return samples
    kept: Samples = (wet * np.sqrt(mean_power(samples) / power)).astype(np.float32)
    return kept


def synthetic_response(rate: int, rt60: float, direct_db: float, random: np.random.Generator) -> Samples:
    """The response of a made-up room: direct sound, a few early reflections, a tail of decaying noise.

    Args:
        rate: in Hz.
        rt60: seconds in which the reverberation falls by 60 dB, above 0.
        direct_db: energy of the direct sound over that of all the rest, in dB.
        random: draws reflections and tail.

    Returns:
        As long as `rt60`; the direct sound is sample 0 and the peak, 1.
    """
    size = max(2, round(rt60 * rate))
    decay = 10.0 ** (-3 * np.arange(1, size) / (rt60 * rate))
    tail = random.standard_normal(size - 1) * decay
    early = np.zeros(size - 1)
    places = random.integers(max(1, len(early) // 10), size=REFLECTIONS)  # within the first 6 dB of the decay
    early[places] = random.choice([-1.0, 1.0], size=REFLECTIONS) * decay[places]
    rest = _of_energy(early, REFLECTED_SHARE) + _of_energy(tail, 1 - REFLECTED_SHARE)
    rest = _of_energy(rest, 10.0 ** (-direct_db / 10)).clip(-LOUDEST_REFLECTION, LOUDEST_REFLECTION)
    return np.concatenate([[1.0], rest]).astype(np.float32)


def _of_energy(sound: NDArray[np.float64], energy: float) -> NDArray[np.float64]:
    """A sound scaled so that its squares add up to `energy`."""
    scaled: NDArray[np.float64] = sound * np.sqrt(energy / np.sum(sound**2))
    return scaled
