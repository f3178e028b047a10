"""Speakers whose speech lies at known places, and a detector that knows it too."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from samevoice.audio.waveform import Samples, Waveform
from samevoice.speech.timeline import Segment, Timeline
from samevoice.speech.vad import VoiceActivityDetector

RATE = 16_000


def talker(seed: int, phrases: int = 12, longest: float = 3.0) -> Waveform:
    """Phrases of noise, 0.3 s at least, between silences of 0.15 to 1.4 s."""
    random = np.random.default_rng(seed)
    parts: list[Samples] = []
    for _ in range(phrases):
        parts.append(np.zeros(round(random.uniform(0.15, 1.4) * RATE), dtype=np.float32))
        parts.append(0.1 * random.standard_normal(round(random.uniform(0.3, longest) * RATE), dtype=np.float32))
    return Waveform(np.concatenate([*parts, parts[0]]), RATE)


def people(count: int, phrases: int = 12, longest: float = 3.0) -> dict[str, list[Waveform]]:
    """Speakers with two recordings each."""
    return {f"person {n}": [talker(2 * n + k, phrases, longest) for k in range(2)] for n in range(count)}


def sounding(samples: Samples, bridged: int) -> list[tuple[int, int]]:
    """First sample of each stretch of sound and one after the last; so much silence is bridged."""
    places = np.flatnonzero(samples)
    if not len(places):
        return []
    breaks = np.flatnonzero(np.diff(places) > bridged + 1)
    firsts, lasts = [places[0], *places[breaks + 1]], [*places[breaks], places[-1]]
    return [(int(first), int(last) + 1) for first, last in zip(firsts, lasts, strict=True)]


def detector(margin: float = 0.0) -> VoiceActivityDetector:
    """Finds sound after 50 ms of silence, and adds a margin in seconds."""

    def detect(blocks: Iterable[Waveform], /) -> Timeline:
        samples = np.concatenate([block.samples for block in blocks])
        extent = len(samples) / RATE
        spans = [(first / RATE, last / RATE) for first, last in sounding(samples, RATE // 20)]
        return Timeline((Segment(max(0.0, a - margin), b + margin) for a, b in spans), extent)

    return detect


def counting(inner: VoiceActivityDetector, calls: list[int]) -> Callable[[Iterable[Waveform]], Timeline]:
    """Notes how often it is asked."""

    def detect(blocks: Iterable[Waveform], /) -> Timeline:
        calls.append(1)
        return inner(blocks)

    return detect
