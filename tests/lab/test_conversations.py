"""Simulated conversations: labels as exact as promised, knobs that do what they say."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from talkers import RATE, counting, detector, people, sounding, talker

from samevoice.audio.waveform import Waveform
from samevoice.corpora.opening import open_corpus
from samevoice.effects.codecs import round_trip
from samevoice.errors import ConfigError, DataError
from samevoice.lab import Conversation, Scene, Studio, simulate, takes_of
from samevoice.speech.vad import everything

DRY: dict[str, Any] = {"snr": None, "rt60": None, "minutes": (2.0, 2.0)}
PEOPLE = people(6)


def made(sources: Any = PEOPLE, margin: float = 0.0, **knobs: Any) -> Conversation:
    return simulate(sources, Scene(**{**DRY, **knobs}), detector=detector(margin))


def own_labels(conversation: Conversation, name: str) -> list[tuple[float, float]]:
    return [(one.start, one.end) for one, speaker in conversation.labels if speaker == name]


def speaking(conversation: Conversation) -> NDArray[np.int64]:
    """How many speak in each 10 ms."""
    counts = np.zeros(round(conversation.extent * 100) + 1, dtype=np.int64)
    for one, _ in conversation.labels:
        counts[round(one.start * 100) : round(one.end * 100)] += 1
    return counts


def power(samples: NDArray[np.float32]) -> float:
    return float(np.mean(samples.astype(np.float64) ** 2))


def at_speech(conversation: Conversation, name: str) -> NDArray[np.float32]:
    samples = conversation.waveform(name).samples
    return np.concatenate([samples[round(a * RATE) : round(b * RATE)] for a, b in own_labels(conversation, name)])


@pytest.mark.parametrize("margin", [0.0, 0.06])
def test_labels_are_where_the_sound_is(margin: float) -> None:
    conversation = made(speakers=(3, 3), overlap=0.2, margin=margin)
    total = np.zeros(round(conversation.extent * RATE))
    for name in conversation.speakers:
        alone = conversation.waveform(name).samples
        total += alone
        labels = own_labels(conversation, name)
        assert len(labels) > 10
        heard = np.array(sounding(alone, 100)) / RATE
        starts, ends = np.array(labels).T
        assert np.abs(starts[:, None] - heard[:, 0]).min(axis=1).max() < 0.01
        assert np.abs(ends[:, None] - heard[:, 1]).min(axis=1).max() < 0.01
        within = np.searchsorted(starts, heard[:, 0] + 0.01) - 1  # the label of each sound
        assert (heard[:, 0] > starts[within] - 0.01).all()
        assert (heard[:, 1] < ends[within] + 0.01).all()
        silences = heard[1:, 0] - heard[:-1, 1]
        assert silences[within[1:] == within[:-1]].max(initial=0) < 0.3 + 0.02
        assert silences[within[1:] != within[:-1]].min() > 0.3 - 1e-6
        assert all(later[0] - earlier[1] > 0.3 for earlier, later in pairwise(labels))
    np.testing.assert_allclose(conversation.waveform().samples, total, atol=1e-6)


def test_phrases_are_those_of_the_speaker_and_stay_in_order() -> None:
    conversation = made({"ann": [talker(1)], "bob": [talker(2)]}, speakers=(2, 2), levels=0.0, turn=2.0)
    for name, seed in (("ann", 1), ("bob", 2)):
        source = talker(seed).samples
        spans = sounding(source, RATE // 20)
        alone = conversation.waveform(name).samples
        order = []
        for first, last in sounding(alone, RATE // 20)[: len(spans)]:
            (place,) = [k for k, span in enumerate(spans) if span[1] - span[0] == last - first]
            order.append(place)
            middle = slice(200, last - first - 200)  # within the fades
            assert np.corrcoef(alone[first:last][middle], source[slice(*spans[place])][middle])[0, 1] > 0.9999
        assert order == list(range(len(spans)))


@settings(max_examples=40)
@given(
    st.integers(1, 6),
    st.sampled_from([0.0, 0.03, 0.1, 0.2, 0.3, 0.4]),
    st.floats(0, 2),
    st.floats(0.5, 6),
    st.floats(0, 0.9),
    st.floats(0, 3),
    st.integers(0, 999),
)
def test_every_scene_is_kept_to(
    count: int, overlap: float, pause: float, turn: float, dominance: float, more: float, seed: int
) -> None:
    minutes = count * (10.3 + 4 * pause) / 60 + 0.3 + more
    overlap = overlap if count > 1 else 0.0
    conversation = made(
        speakers=(count, count),
        minutes=(minutes, minutes),
        overlap=overlap,
        pause=pause,
        turn=turn,
        dominance=dominance,
        seed=seed,
    )
    assert conversation.extent == pytest.approx(60 * minutes, abs=0.006)
    assert {name for _, name in conversation.labels} == set(conversation.speakers)
    assert len(conversation.speakers) == count
    assert list(conversation.labels) == sorted(conversation.labels)
    assert max(one.end for one, _ in conversation.labels) <= conversation.extent
    for name in conversation.speakers:
        assert all(later[0] - earlier[1] > 0.3 for earlier, later in pairwise(own_labels(conversation, name)))
    counts = speaking(conversation)
    share = (counts > 1).sum() / (counts > 0).sum()
    assert share == pytest.approx(conversation.overlap, abs=0.005)
    if minutes >= 1:  # in less, one phrase is more than two points
        assert conversation.overlap == pytest.approx(overlap, abs=0.02)


@pytest.mark.parametrize("seed", range(4))
def test_nobody_is_forgotten_where_time_is_short(seed: int) -> None:
    conversation = made(speakers=(6, 6), minutes=(1.3, 1.3), turn=30.0, dominance=0.9, overlap=0.0, seed=seed)
    assert {name for _, name in conversation.labels} == set(conversation.speakers)


def test_pauses_turns_and_shares_follow_their_knobs() -> None:
    many = people(4, phrases=60, longest=1.0)
    gaps, lengths = [], []
    for pause, turn in ((0.4, 2.0), (1.2, 8.0)):
        conversation = made(many, speakers=(4, 4), minutes=(20.0, 20.0), overlap=0.0, pause=pause, turn=turn)
        times = [(one.start, one.end, name) for one, name in conversation.labels]
        changes = [(a, b) for a, b in pairwise(times) if a[2] != b[2]]
        gaps.append(float(np.mean([b[0] - a[1] for a, b in changes])))
        lengths.append(conversation.extent / len(changes))
    assert gaps == pytest.approx([0.4, 1.2], rel=0.2)
    assert 1.8 < lengths[1] / lengths[0] < 5
    for dominance in (0.0, 0.5):
        conversation = made(many, speakers=(4, 4), minutes=(30.0, 30.0), dominance=dominance)
        seconds = [sum(b - a for a, b in own_labels(conversation, name)) for name in conversation.speakers]
        assert np.array(seconds[1:]) / seconds[:-1] == pytest.approx(1 - dominance, abs=0.1)


def test_levels_and_noise_are_those_asked_for() -> None:
    loud = made(speakers=(4, 4), levels=12.0, overlap=0.0)
    found = [10 * np.log10(power(at_speech(loud, name)[at_speech(loud, name) != 0])) for name in loud.speakers]
    assert max(found) == pytest.approx(-26, abs=0.3)
    assert -12.3 < min(found) + 26 < -1
    told = [one["level_db"] for one in loud.to_json()["speakers"]]
    assert np.array(found) + 26 == pytest.approx(told, abs=0.3)
    noisy = made(speakers=(4, 4), levels=12.0, overlap=0.0, snr=(10.0, 10.0))
    assert noisy.labels == loud.labels
    assert 10 * np.log10(power(noisy.waveform().samples - loud.waveform().samples)) == pytest.approx(-36, abs=0.2)
    given = simulate(
        PEOPLE, Scene(**{**DRY, "snr": (20.0, 20.0)}), detector=detector(), noises=[np.ones(7, dtype=np.float32)]
    )
    assert given.waveform().samples[0] == pytest.approx(10 ** (-46 / 20), rel=1e-4)


def test_rooms_noise_and_codecs_leave_the_labels_alone() -> None:
    dry = made(speakers=(2, 2))
    assert made(speakers=(2, 2), rt60=(0.5, 0.5), snr=(5.0, 20.0), codec="ulaw", levels=0.0).labels == dry.labels
    wet = made(speakers=(2, 2), rt60=(0.5, 0.5))
    name = wet.speakers[0]
    before, after = dry.waveform(name).samples, wet.waveform(name).samples
    first, last = (round(edge * RATE) for edge in own_labels(dry, name)[0])
    assert not after[:first].any()  # nothing is heard too early
    assert power(after[last : last + RATE // 10]) > 0  # and it dies away
    assert not before[last : last + RATE // 10].any()
    echo = np.zeros(2_000, dtype=np.float32)
    echo[[0, 1_600]] = 1.0, 0.5
    given = simulate(PEOPLE, Scene(**{**DRY, "speakers": (2, 2)}), detector=detector(), responses=[echo])
    heard = given.waveform(name).samples
    expected = before + 0.5 * np.pad(before, (1_600, 0))[: len(before)]
    where = slice(first, last)
    assert np.corrcoef(heard[where], expected[where])[0, 1] > 0.9999


def test_no_seam_is_heard_in_what_a_codec_made() -> None:
    dry = made(speakers=(2, 2), minutes=(0.7, 0.7), overlap=0.0).waveform().samples
    coded = made(speakers=(2, 2), minutes=(0.7, 0.7), overlap=0.0, codec="ulaw").waveform().samples
    assert coded.shape == dry.shape
    assert np.abs(coded - dry).max() > 0.01
    # The whole at once through the codec is what the blocks have to sound like.
    error = np.abs(coded - round_trip(dry, RATE, "ulaw"))
    step = np.abs(dry).max() / 50
    assert error[20 * RATE - 400 : 20 * RATE + 400].max() < step
    assert error.mean() < step / 5


def test_equal_seeds_give_equal_bits_and_each_number_its_own() -> None:
    scene = Scene(minutes=(1.5, 2.5), codec="ulaw", seed=3)
    studio = Studio(PEOPLE, scene, detector=detector())
    second, first = studio.conversation(1), studio.conversation(0)
    again = simulate(PEOPLE, scene, detector=detector(), number=1)
    assert again.to_json() == second.to_json()
    assert again.labels == second.labels
    np.testing.assert_array_equal(again.waveform().samples, second.waveform().samples)
    np.testing.assert_array_equal(second.waveform().samples, second.waveform().samples)
    assert first.labels != second.labels
    assert simulate(PEOPLE, Scene(seed=4, minutes=(1.5, 2.5)), detector=detector()).labels != first.labels


def test_nothing_is_said_twice_unless_it_must_be() -> None:
    calls: list[int] = []
    many = {name: [talker(10 * n + k) for k in range(10)] for n, name in enumerate(("ann", "bob"))}
    enough = simulate(many, Scene(**DRY, speakers=(2, 2)), detector=counting(detector(), calls))
    assert not enough.reused
    assert 4 <= len(calls) < 20  # only what is needed is listened to
    facts = enough.to_json()["speakers"]
    assert all(not one["reused"] and 1 < len(one["recordings"]) < 10 for one in facts)
    calls.clear()
    few = {name: own[:1] for name, own in many.items()}
    short = simulate(few, Scene(**DRY, speakers=(2, 2)), detector=counting(detector(), calls))
    assert short.reused
    assert len(calls) == 2
    assert all(
        one["rounds"] > 1 and one["recordings"] == [f"{one['name']}, recording 1"]
        for one in short.to_json()["speakers"]
    )


def test_long_speech_without_a_pause_can_be_used() -> None:
    tone = Waveform(0.1 * np.sin(0.3 * np.arange(25 * RATE)).astype(np.float32), RATE)
    conversation = simulate({"ann": [tone]}, Scene(**DRY, speakers=(1, 1), overlap=0), detector=everything)
    assert all(one.duration <= 120 for one, _ in conversation.labels)
    assert sum(one.duration for one, _ in conversation.labels) > 60


def test_corpora_are_read_in_takes(tmp_path: Any) -> None:
    for name in ("ann", "bob"):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "a.wav", talker(len(name)).samples, RATE, "FLOAT")
    long = np.concatenate([talker(seed, 60).samples for seed in range(3)])
    soundfile.write(tmp_path / "ann" / "long.wav", long, RATE, "FLOAT")
    assert len(long) > 300 * RATE
    takes = takes_of(open_corpus(tmp_path, checksums=False).manifest)
    assert {name: [one.name for one in own] for name, own in takes.items()} == {
        "ann": ["ann/a.wav", "ann/long.wav", "ann/long.wav"],
        "bob": ["bob/a.wav"],
    }
    joined = np.concatenate([one.read() for one in takes["ann"][1:]])
    np.testing.assert_allclose(joined, long, atol=1e-4)
    conversation = simulate(takes, Scene(**DRY, speakers=(2, 2)), detector=detector())
    assert set(conversation.speakers) == {"ann", "bob"}


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"speakers": (2, 7)}, "7 speakers are asked for, but recordings of 6 are given"),
        ({"speakers": (6, 6), "minutes": (0.5, 9.0)}, r"0\.5 min are too short for 6 speakers .* at least 1\.3 min"),
        ({"speakers": (1, 2)}, "one speaker alone cannot overlap"),
        ({"speakers": (3, 2)}, "speakers must go from the lower to the higher value, got 3 to 2"),
        ({"speakers": (0, 2)}, "speakers must be a whole number from 1 to 100, got 0"),
        ({"overlap": 0.5}, r"overlap must be a number at least 0 and at most 0\.4"),
        ({"minutes": (float("nan"), 1.0)}, "minutes must be a number"),
        ({"snr": (-50.0, 0.0)}, "snr must be"),
        ({"rt60": (0.0, 1.0)}, "rt60 must be"),
        ({"codec": "tape"}, "codec 'tape' is unknown; use one of mp3"),
        ({"dominance": 1.0}, "dominance must be"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_what_cannot_be_made_is_refused(knobs: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        made(**knobs)


def test_speakers_without_speech_are_named() -> None:
    silent = Waveform(np.zeros(RATE, dtype=np.float32), RATE)
    with pytest.raises(DataError, match="bob: no speech was found in its recording; leave this speaker out"):
        made({"ann": [talker(1)], "bob": [silent]}, speakers=(2, 2), margin=0)
    conversation = made({"ann": [silent, talker(1)], "bob": [talker(2)]}, speakers=(2, 2))
    assert (
        "ann, recording 1" not in conversation.to_json()["speakers"][conversation.speakers.index("ann")]["recordings"]
    )


def test_memory_does_not_grow_with_the_length() -> None:
    conversation = made(minutes=(30.0, 30.0), speakers=(4, 4), rt60=(0.4, 0.4), snr=(20.0, 20.0))
    tracemalloc.start()
    try:
        seconds = sum(block.duration for block in conversation.blocks())
        assert tracemalloc.get_traced_memory()[1] < 32 << 20  # the whole half-hour takes 115 MB
    finally:
        tracemalloc.stop()
    assert seconds == conversation.extent == 1_800
