"""Decks of phrases: what is dealt, in which order, and borders that keep to the speech."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
from talkers import RATE, detector, sounding, talker

from samevoice.audio.waveform import Waveform
from samevoice.lab.takes import Shelf, take
from samevoice.lab.voices import Deck, Phrase, Voice
from samevoice.speech.timeline import Timeline


def voice(*recordings: Waveform, margin: float = 0.0) -> Voice:
    takes = [take(one, f"recording {n}") for n, one in enumerate(recordings)]
    return Voice("ann", takes, detector(margin), Shelf())


def places(parts: list[list[Phrase]]) -> list[int]:
    return [phrase.first for part in parts for phrase in part]


def test_a_round_ends_when_all_was_said() -> None:
    speaker = voice(talker(1))
    everything = [phrase.first for phrase in speaker.phrases(speaker.takes[0])]
    deck = Deck(speaker, np.random.default_rng(0))
    dealt: list[int] = []
    while len(dealt) < len(everything):
        dealt += places(deck.deal(0.0, 100.0))
        assert deck.rounds == 1
    assert dealt == everything
    again = [place for _ in everything for place in places(deck.deal(0.0, 100.0))]
    assert deck.rounds == 2
    assert sorted(again) == everything
    start = everything.index(again[0])
    assert again == everything[start:] + everything[:start]
    assert start > 0


def test_turns_are_as_long_as_whole_phrases_allow() -> None:
    deck = Deck(voice(talker(1, 200), talker(2, 200)), np.random.default_rng(0))
    for wanted in (1.0, 4.0, 15.0):
        lengths = []
        for _ in range(10):
            parts = deck.deal(wanted, 100.0)
            assert all(one.followed_by(other) for part in parts for one, other in pairwise(part))
            lengths.append(sum(part[-1].last - part[0].first for part in parts) / RATE)
        assert np.mean(lengths) == pytest.approx(wanted, abs=1.0)
    assert deck.deal(4.0, 0.01) == []
    for _ in range(20):
        assert sum(part[-1].last - part[0].first for part in deck.deal(50.0, 6.0)) <= 6 * RATE


@pytest.mark.parametrize("margin", [0.03, 0.1, 0.18])
def test_borders_move_to_the_speech(margin: float) -> None:
    sound = talker(3, 30)
    noisy = Waveform(sound.samples + 1e-4 * np.random.default_rng(0).standard_normal(len(sound.samples)), RATE)
    speech = sounding(sound.samples, round(2 * margin * RATE))

    def sloppy(blocks: Iterable[Waveform], /) -> Timeline:
        del blocks
        return detector(margin)([Waveform(sound.samples, RATE)])

    speaker = Voice("ann", [take(noisy, "one")], sloppy, Shelf())
    found = [(phrase.first, phrase.last) for phrase in speaker.phrases(speaker.takes[0])]
    long = [span for span in speech if span[1] - span[0] > RATE * 0.8]
    assert len(long) > 10
    for first, last in long:
        assert min(abs(one[0] - first) for one in found) < RATE // 100
        assert min(abs(one[1] - last) for one in found) < RATE // 100
