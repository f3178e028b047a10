"""What a simulated conversation is to be like: the knobs, each with its range.

Knows: keys and ranges. Does not know: sound, speakers.
"""

from __future__ import annotations

from dataclasses import dataclass

from samevoice.effects.codecs import CODECS, advice, available
from samevoice.errors import ConfigError
from samevoice.options import checked_number, checked_size

Span = tuple[float, float]  # lowest and highest value; drawn from evenly, for each conversation

MOST_SPEAKERS = 100
MOST_OVERLAP = 0.4


@dataclass(frozen=True, slots=True)
class Scene:
    """The settings of conversations; each draws its own values from the spans.

    Args:
        speakers: fewest and most who speak; each speaks at least once.
        minutes: shortest and longest.
        overlap: share of the time with speech in which two or more speak, 0 to 0.4.
        pause: mean seconds between two turns that do not overlap; exponential, at most four times the mean.
        turn: mean seconds of a turn; exponential, but never shorter than a phrase of its speaker.
        dominance: 0 where all speak equally long, up to 0.9: each speaks so much less than the one before him.
        levels: by how many dB the softest may be softer than the loudest, 0 to 20.
        snr: of the noise, in dB below the loudest speaker; None for no noise.
        rt60: seconds of reverberation of a made-up room, in which everybody has a place; also None for no room.
        codec: what the sound went through, a key of `effects.codecs.CODECS`; None for none.
        seed: equal seeds and recordings give equal conversations.

    Raises:
        ConfigError: a value is out of its range, or the codec does not work here.
    """

    speakers: tuple[int, int] = (2, 4)
    minutes: Span = (5.0, 5.0)
    overlap: float = 0.1
    pause: float = 0.5
    turn: float = 4.0
    dominance: float = 0.2
    levels: float = 6.0
    snr: Span | None = (15.0, 30.0)
    rt60: Span | None = (0.2, 0.5)
    codec: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be made."""
        for count in self.speakers:
            checked_size("speakers", count, most=MOST_SPEAKERS)
        _checked_span("speakers", self.speakers, 1, MOST_SPEAKERS)
        _checked_span("minutes", self.minutes, 0.1, 24 * 60)
        checked_number("overlap", self.overlap, high=MOST_OVERLAP)
        checked_number("pause", self.pause, high=60)
        checked_number("turn", self.turn, low=0.1, high=120)
        checked_number("dominance", self.dominance, high=0.9)
        checked_number("levels", self.levels, high=20)
        checked_size("seed", self.seed, least=0)
        if self.snr is not None:
            _checked_span("snr", self.snr, -10, 100)
        if self.rt60 is not None:
            _checked_span("rt60", self.rt60, 0.02, 3)
        if self.overlap and self.speakers[0] == 1:
            raise ConfigError("one speaker alone cannot overlap; ask for at least 2 speakers, or for an overlap of 0")
        if self.codec is not None and self.codec not in CODECS:
            raise ConfigError(f"codec {self.codec!r} is unknown; use one of {', '.join(CODECS)}")
        if self.codec is not None and self.codec not in available():
            raise ConfigError(f"codec {self.codec!r} does not work here: {advice(self.codec)}")


def _checked_span(name: str, span: tuple[float, float], low: float, high: float) -> None:
    """Both ends in range and in order."""
    for value in span:
        checked_number(name, value, low=low, high=high)
    if span[0] > span[1]:
        raise ConfigError(f"{name} must go from the lower to the higher value, got {span[0]:g} to {span[1]:g}")
