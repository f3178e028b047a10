"""All steps on one clip, each with its chance: room, noise, colour, band, codec, gain.

Knows: the order of the steps, which is that of a recording. Does not know: clips, batches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from samevoice.audio.waveform import Samples
from samevoice.effects import channel
from samevoice.effects.codecs import advice, available, round_trip
from samevoice.effects.noise import add_noise, babble, synthetic_noise
from samevoice.effects.rooms import reverberate, synthetic_response
from samevoice.effects.sounds import load_sounds
from samevoice.errors import ConfigError
from samevoice.training.augment.options import AugmentOptions, Band, Noise, Room, Span, augment_options


class Augmenter:
    """The same voice, recorded elsewhere. Holds no state: threads may share one.

    Args:
        options: which steps, how often and how strongly.
        rate: of all sounds, in Hz.
        noises: sounds to lay behind the voice, shape (n,) each; synthetic noise where there are none.
        responses: of rooms, shape (n,) each; made-up rooms where there are none.

    Raises:
        ConfigError: a codec is asked for that does not work here.
    """

    def __init__(
        self, options: AugmentOptions, rate: int, *, noises: Sequence[Samples] = (), responses: Sequence[Samples] = ()
    ) -> None:
        for name in options.codec.names if options.codec else ():
            if name not in available():
                raise ConfigError(f"augment.codec.names: {name!r} does not work here: {advice(name)}")
        self.options = options
        self.rate = rate
        self._noises = tuple(noises)
        self._responses = tuple(responses)

    def __call__(self, samples: Samples, random: np.random.Generator) -> Samples:
        """A clip as it might have sounded.

        Args:
            samples: shape (n,), n >= 1; never written to.
            random: decides all; it moves on.

        Returns:
            Shape (n,), finite; the samples themselves where chance left all steps out.
        """
        asked = self.options
        if asked.room and random.random() < asked.room.chance:
            samples = self._in_a_room(samples, asked.room, random)
        if asked.noise and random.random() < asked.noise.chance:
            samples = self._in_noise(samples, asked.noise, random)
        if asked.colour and random.random() < asked.colour.chance:
            reach = asked.colour.db
            samples = channel.coloured(samples, random.uniform(-reach, reach, size=asked.colour.knots))
        if asked.band and random.random() < asked.band.chance:
            samples = self._band_limited(samples, asked.band, random)
        if asked.codec and random.random() < asked.codec.chance:
            names = asked.codec.names
            samples = round_trip(samples, self.rate, names[int(random.integers(len(names)))])
        if asked.gain and random.random() < asked.gain.chance:
            samples = channel.gain(samples, _drawn(asked.gain.db, random))
        return samples

    def _in_a_room(self, samples: Samples, options: Room, random: np.random.Generator) -> Samples:
        """Through one of the responses, or a made-up one."""
        if self._responses:
            return reverberate(samples, self._responses[int(random.integers(len(self._responses)))])
        seconds, direct_db = _drawn(options.rt60, random), _drawn(options.direct, random)
        return reverberate(samples, synthetic_response(self.rate, seconds, direct_db, random))

    def _in_noise(self, samples: Samples, options: Noise, random: np.random.Generator) -> Samples:
        """Over one or several of the noises, or a synthetic one."""
        snr_db = _drawn(options.snr, random)
        if self._noises:
            fewest, most = options.sounds
            count = int(random.integers(fewest, most + 1))
            return add_noise(samples, babble(self._noises, count, len(samples), random), snr_db)
        tilt = _drawn(options.tilt, random)
        return add_noise(samples, synthetic_noise(len(samples), self.rate, tilt, random), snr_db)

    def _band_limited(self, samples: Samples, options: Band, random: np.random.Generator) -> Samples:
        """Over a telephone, or below a random frequency."""
        if random.random() < options.telephone:
            return channel.band_limited(samples, self.rate, *channel.TELEPHONE_HZ)
        return channel.band_limited(samples, self.rate, 0, _drawn(options.top, random))


def _drawn(span: Span, random: np.random.Generator) -> float:
    """A value from a span, evenly."""
    low, high = span
    return float(random.uniform(low, high))


def augmenter_of(
    asked: Mapping[str, Any], rate: int, *, noises: Path | None, responses: Path | None
) -> Augmenter | None:
    """What changes the crops of a recipe, with the noises and responses that were given.

    Args:
        asked: the table `augment` of the recipe.
        rate: of all sounds, in Hz.
        noises: folder of sounds to lay behind the voice.
        responses: folder of room responses.

    Returns:
        None where nothing is asked for.

    Raises:
        ConfigError: something is given that no step would use, or a codec does not work here.
        DataError: a folder holds no recordings.
        AudioError: a recording there cannot be read.
    """
    given = {"noise": noises, "room": responses}
    for step, folder in given.items():
        if folder and step not in asked:
            raise ConfigError(
                f"{folder} would not be heard: the recipe has no augment.{step}; add it, for instance with "
                f"--set augment.{step}.chance=0.5"
            )
    if not asked:
        return None
    sounds, rooms = (load_sounds(folder, rate) if folder else [] for folder in given.values())
    return Augmenter(augment_options(asked), rate, noises=sounds, responses=rooms)
