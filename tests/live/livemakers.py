"""What the tests of live listening share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from samevoice.audio.waveform import Samples
from samevoice.live.events import Event
from samevoice.live.feed import Feed, Note

RATE = 16_000
SAMPLES = Path(__file__).parents[2] / "samples"
READER, OTHER_READER, PHILIPPE, PHILIPPE_LONGER = (
    SAMPLES / f"{name}.flac" for name in ("librispeech_1255_a", "librispeech_19_a", "philippe_2", "philippe_1")
)


def read(path: Path) -> Samples:
    """A mono recording at 16 kHz."""
    sound, rate = soundfile.read(path, dtype="float32")
    assert rate == RATE
    return np.asarray(sound, dtype=np.float32)


def conversation(pause: float = 1.2) -> Samples:
    """A reader, Philippe, another reader who says a sentence three times, Philippe again."""
    silence = np.zeros(round(pause * RATE), dtype=np.float32)
    parts = [
        silence,
        read(READER),
        silence,
        read(PHILIPPE),
        silence,
        *3 * [read(OTHER_READER)],
        silence,
        read(PHILIPPE),
    ]
    return np.concatenate(parts)


def cut(samples: Samples, sizes: Sequence[int]) -> Iterator[Samples]:
    """The same in blocks of these sizes, again and again."""
    place, turn = 0, 0
    while place < len(samples):
        yield samples[place : place + sizes[turn % len(sizes)]]
        place += sizes[turn % len(sizes)]
        turn += 1


def feed(items: Iterable[Samples | Note], rate: int = RATE) -> Feed:
    """A feed that does not wait."""
    return Feed("test", rate, iter(items), paced=False)


def lines(events: Iterable[Event]) -> list[dict[str, object]]:
    """Events as plain data."""
    return [event.to_json() for event in events]
