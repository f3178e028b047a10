"""Stopping early: the schedule, the split of the tolerated rate, and prefixes of real recordings."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import samevoice as sv
from samevoice.audio.waveform import Waveform
from samevoice.errors import ConfigError, NotEnoughSpeech
from samevoice.gallery.identification import identify
from samevoice.gallery.rules import Rules
from samevoice.gallery.sequential import LOOKS, Matches, Sequential, identify_early
from samevoice.models.embedding import Embedding
from samevoice.scoring.calibration import Calibration
from samevoice.scoring.cosine import cosine
from samevoice.verification import calibration_of

SAMPLES = Path(__file__).parents[2] / "samples"
# Strangers are normal (0.1, 0.1), targets (0.5, 0.1), at every duration.
CALIBRATION = Calibration(
    weights=(-12.0, 40.0, 0.0, 0.0),
    max_llr=10.0,
    durations=(1.0, 10.0),
    rates=(0.1, 0.01, 0.001),
    thresholds=((0.2282, 0.2282), (0.3326, 0.3326), (0.4090, 0.4090)),
    speaker_pairs=3_000,
    trials=(100, 200),
    source="by hand",
)


def one(score: float) -> Matches:
    return Matches([score], ["Ann"], [30.0], 1)


def rules(fpir: float = 0.01, prior: float = 0.5) -> Rules:
    return Rules(CALIBRATION, "m@1", fpir, prior)


def test_it_stops_as_soon_as_somebody_is_known() -> None:
    assert Sequential(rules()).result is None
    sequence = Sequential(rules())
    assert sequence.next_look == 1.0
    assert sequence.look(one(0.33), 1.0).verdict == "unsure"
    assert sequence.next_look == 1.5
    found = sequence.look(one(0.8), 1.5)
    assert (found.verdict, found.name, found.speech) == ("known", "Ann", 1.5)
    assert sequence.result is found
    assert sequence.done
    with pytest.raises(ValueError, match="over"):
        sequence.look(one(0.8), 2.0)


def test_an_early_no_needs_nineteen_to_one() -> None:
    weak = 0.3 - math.log(10) / 40  # ten to one against: "unknown", but not before the last look
    sequence = Sequential(rules())
    assert sequence.look(one(weak), 1.0).verdict == "unknown"
    assert sequence.next_look == 1.5
    assert sequence.look(one(0.3 - math.log(20) / 40), 1.5).verdict == "unknown"
    assert sequence.done
    sequence = Sequential(rules())
    assert sequence.look(one(weak), 1.0, last=True).verdict == "unknown"
    assert sequence.done


def test_all_looks_may_be_used() -> None:
    sequence = Sequential(rules())
    for seconds in LOOKS:
        assert sequence.next_look == seconds
        sequence.look(one(0.3), seconds)
    assert sequence.done


@given(st.integers(1, 8), st.floats(0.001, 0.3), st.integers(1, 200), st.data())
def test_the_rates_of_all_looks_make_the_stated_one(looks: int, fpir: float, people: int, data: st.DataObject) -> None:
    """Wherever the speech ends, the shares spent are no more than the whole."""
    ending = data.draw(st.integers(1, looks))
    sequence = Sequential(rules(fpir), [float(second) for second in range(1, looks + 1)])
    matches = Matches([0.31], ["Ann"], [30.0], people)
    spent = 0.0
    for number in range(1, ending + 1):
        found = sequence.look(matches, float(number), last=number == ending)
        assert found.fpir == fpir
        shares = [1.0] if looks == 1 else [0.5] if number == ending else [0.5 / (looks - 1)]
        expected = Rules(CALIBRATION, "m@1", fpir, share=shares[0])
        assert found.threshold == pytest.approx(expected.threshold(people, float(number)), abs=1e-12)
        spent += shares[0]
        if sequence.done:
            break
    assert spent <= 1 + 1e-9
    assert ending < looks or sequence.done


@pytest.mark.slow
@pytest.mark.parametrize("steady", [0.0, 0.9])
def test_the_rate_of_strangers_is_kept_over_all_looks(steady: float) -> None:
    """Independent at every look, the hardest case, and as alike as prefixes are; the prior leaves it to the rate."""
    rng = np.random.default_rng(5)
    people, probes, fpir = 10, 1_500, 0.05
    names = [f"p{number}" for number in range(people)]
    known = looked = 0
    for _ in range(probes):
        sequence = Sequential(rules(fpir, prior=0.9999))
        lasting = rng.normal(size=people)
        while (seconds := sequence.next_look) is not None:
            fresh = rng.normal(size=people)
            scores = 0.1 + 0.1 * (math.sqrt(steady) * lasting + math.sqrt(1 - steady) * fresh)
            found = sequence.look(Matches(scores, names, [30.0] * people, people), seconds)
            looked += 1
        known += found.verdict == "known"
    assert known / probes <= fpir + 2 * math.sqrt(fpir * (1 - fpir) / probes)
    assert looked >= 4 * probes
    if not steady:
        assert known / probes >= 0.5 * fpir  # the split is not wasted where it is nearly sharp


def test_people_enrolled_are_known_early() -> None:
    rng = np.random.default_rng(6)
    names = [f"p{number}" for number in range(10)]
    used, right = [], 0
    for _ in range(300):
        sequence = Sequential(rules())
        while (seconds := sequence.next_look) is not None:
            scores = rng.normal(0.1, 0.1, 10)
            scores[4] = rng.normal(0.7, 0.1)
            found = sequence.look(Matches(scores, names, [30.0] * 10, 10), seconds)
        used.append(found.speech)
        right += found.name == "p4"
    assert right >= 297
    assert np.median(used) == 1.0


def test_nothing_new_is_refused() -> None:
    sequence = Sequential(rules())
    sequence.look(one(0.3), 1.2)
    with pytest.raises(ValueError, match="no more than before"):
        sequence.look(one(0.3), 1.2)


@pytest.mark.parametrize("schedule", [[], [0.0, 1.0], [2.0, 1.0], [1.0, 1.0]])
def test_a_schedule_ascends(schedule: list[float]) -> None:
    with pytest.raises(ValueError, match="ascending"):
        Sequential(rules(), schedule)


def test_nobody_is_enrolled() -> None:
    sequence = Sequential(rules())
    assert str(sequence.look(Matches([], [], [], 0), 1.0)) == "Unknown: nobody is enrolled."
    assert sequence.done


@pytest.fixture(scope="module")
def model() -> sv.Model:
    return sv.load_model("campplus", threads=1)


@pytest.fixture(scope="module")
def philippe(model: sv.Model) -> Embedding:
    return model.embed(SAMPLES / "philippe_1.flac")


class Enrolled:
    """A gallery of one; remembers what it was asked."""

    def __init__(self, voice: Embedding) -> None:
        self.voice = voice
        self.asked: list[Embedding] = []

    def __call__(self, probe: Embedding) -> Matches:
        self.asked.append(probe)
        return Matches([cosine(self.voice, probe)], ["Philippe"], [self.voice.seconds], 1)


def test_a_recording_of_somebody_enrolled(model: sv.Model, philippe: Embedding) -> None:
    enrolled = Enrolled(philippe)
    found = identify_early(SAMPLES / "philippe_2.flac", enrolled, model=model)
    assert (found.verdict, found.name, found.model) == ("known", "Philippe", model.card.fingerprint)
    assert found.speech in LOOKS
    whole = model.embed(SAMPLES / "philippe_2.flac").seconds
    assert found.speech < whole
    before = sum(seconds < whole for seconds in LOOKS)
    assert before < len(LOOKS) - 1
    calibration = calibration_of(model)
    assert calibration is not None
    early = Rules(calibration, model.card.fingerprint, share=0.5 / before)  # of as many looks as the speech gives
    assert found.threshold == early.threshold(1, found.speech)
    assert [voice.seconds for voice in enrolled.asked] == pytest.approx(LOOKS[: len(enrolled.asked)], abs=0.02)


def test_a_recording_of_a_stranger(model: sv.Model, philippe: Embedding) -> None:
    found = identify_early(SAMPLES / "librispeech_1255_a.flac", Enrolled(philippe), model=model)
    assert (found.verdict, found.name) == ("unknown", None)
    assert found.nobody >= 0.95


def test_the_last_look_takes_all_there_is(model: sv.Model, speech: Waveform) -> None:
    """With a prior that the evidence cannot overcome it looks until the speech ends."""
    whole = model.embed(speech)
    before = [seconds for seconds in LOOKS if seconds < whole.seconds]
    enrolled = Enrolled(whole)
    found = identify_early(speech, enrolled, model=model, prior=0.0025)
    assert found.verdict == "unsure"
    assert found.speech == pytest.approx(whole.seconds)
    assert [voice.seconds for voice in enrolled.asked] == pytest.approx([*before, whole.seconds], abs=0.02)
    assert cosine(enrolled.asked[-1], whole) > 0.9  # the same speech, its pauses cut out
    calibration = calibration_of(model)
    assert calibration is not None
    again = Rules(calibration, model.card.fingerprint, prior=0.0025, share=0.5)
    score = cosine(whole, enrolled.asked[-1])
    expected = identify([score], ["Philippe"], [whole.seconds], found.speech, again, people=1)
    assert found.threshold == expected.threshold
    assert found.nobody == expected.nobody


def test_too_little_speech(model: sv.Model, philippe: Embedding, speech: Waveform, silence: Waveform) -> None:
    with pytest.raises(NotEnoughSpeech, match=r"nothing: 0\.0 s of speech"):
        identify_early(silence, Enrolled(philippe), model=model, name="nothing")
    enrolled = Enrolled(philippe)
    found = identify_early(speech.cut(0.5, 1.4), enrolled, model=model)
    assert (len(enrolled.asked), found.verdict) == (1, "unknown")  # less than the first look: one look at all of it


def test_a_look_that_is_too_short_for_the_model_is_skipped(
    model: sv.Model, philippe: Embedding, speech: Waveform
) -> None:
    enrolled = Enrolled(philippe)
    identify_early(speech, enrolled, model=model, schedule=(0.2, 1.0, 2.0))
    assert enrolled.asked[0].seconds == pytest.approx(1.0, abs=0.02)


def test_options_are_checked_before_the_recording(model: sv.Model, philippe: Embedding) -> None:
    with pytest.raises(ConfigError, match="false-positive rate"):
        identify_early("missing.wav", Enrolled(philippe), model=model, fpir=2.0)
