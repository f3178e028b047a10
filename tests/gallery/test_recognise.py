"""Voices that were found elsewhere, asked for in a gallery: who is named, who is not, and that nothing is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from gallerymakers import KEY
from hearingmakers import enrolled, said, source, voices

import samevoice as sv
from samevoice.embedder import Model
from samevoice.errors import ConfigError, FingerprintMismatch, GalleryError
from samevoice.gallery.hearing import Voice
from samevoice.gallery.history import Spoken
from samevoice.gallery.identification import COMPARED, identify
from samevoice.gallery.recognition import LEAST_REMEMBERED
from samevoice.gallery.rules import Rules
from samevoice.models.embedding import Embedding
from samevoice.verification import calibration_of

SAMPLES = Path(__file__).parents[2] / "samples"
PEOPLE = 12


@pytest.fixture(scope="module")
def model() -> Model:
    return sv.load_model("campplus", threads=1)


@pytest.fixture
def gallery(path: Path, model: Model) -> Iterator[sv.Gallery]:
    """Persons 0 to 11 are enrolled."""
    with sv.Gallery(path, model=model, key=KEY) as opened:
        opened.store.require_model(model.card.fingerprint)
        for person in range(PEOPLE):
            opened.store.add(f"person {person}", enrolled(model.card.fingerprint, person))
        yield opened


@pytest.fixture
def name(model: Model) -> str:
    return model.card.fingerprint


def test_people_enrolled_are_named_and_others_are_not(gallery: sv.Gallery, name: str) -> None:
    asked = [said(name, person) for person in (3, 100, 7, 101)]
    found = gallery.recognise(asked)
    assert [(one.name, one.known) for one in found] == [
        ("person 3", "enrolled"), (None, "new"), ("person 7", "enrolled"), (None, "new"),
    ]  # fmt: skip
    assert [one.person for one in found] == [gallery.person("person 3").id, None, gallery.person("person 7").id, None]
    assert all(one.identification.people == PEOPLE for one in found)
    assert "none of the 12 people known speaks" in found[1].identification.reason


def test_nothing_is_stored(gallery: sv.Gallery, name: str) -> None:
    before = gallery.store.moment()
    gallery.recognise([said(name, 3), said(name, 100)])
    assert gallery.store.moment() == before
    assert gallery.recordings() == []


def test_it_is_the_answer_of_identify_to_the_same_cosines(gallery: sv.Gallery, model: Model) -> None:
    name = model.card.fingerprint
    voice = said(name, 5, alike=0.6)
    templates = [gallery.store.template(f"person {person}", name) for person in range(PEOPLE)]
    calibration = calibration_of(model)
    assert calibration is not None
    expected = identify(
        [float(one.vector.astype(np.float64) @ voice.vector.astype(np.float64)) for one in templates if one],
        [one.name for one in templates if one],
        [one.seconds for one in templates if one],
        voice.seconds,
        Rules(calibration, name, 0.001, 0.3),
        people=PEOPLE,
    )
    [found] = gallery.recognise([voice], fpir=0.001, prior=0.3)
    assert found.identification.verdict == expected.verdict
    assert found.identification.threshold == pytest.approx(expected.threshold)
    assert found.identification.probability == pytest.approx(expected.probability, abs=1e-4)


def test_two_voices_may_be_one_person(gallery: sv.Gallery, name: str) -> None:
    assert [one.name for one in gallery.recognise([said(name, 3, 1), said(name, 3, 2)])] == ["person 3"] * 2


def test_strangers_heard_before_count_unless_they_are_not_wanted(gallery: sv.Gallery, name: str) -> None:
    gallery.remember(source(), voices(name, [100], take=1))
    asked = [said(name, 100, 2), said(name, 3, 2)]
    assert [(one.name, one.known) for one in gallery.recognise(asked)] == [
        ("unknown-1", "stranger"), ("person 3", "enrolled"),
    ]  # fmt: skip
    without = gallery.recognise(asked, strangers=False)
    assert [(one.name, one.known) for one in without] == [(None, "new"), ("person 3", "enrolled")]
    assert without[0].identification.people == PEOPLE


@pytest.mark.parametrize("seconds", [0.0, 0.4, 1.0])
def test_too_little_speech_makes_nobody_new(gallery: sv.Gallery, name: str, seconds: float) -> None:
    assert seconds < LEAST_REMEMBERED
    [found] = gallery.recognise([said(name, 100, seconds=seconds)])
    assert (found.name, found.known) == (None, "too short")
    assert found.identification.speech == seconds


def test_a_short_voice_of_somebody_known_is_named_all_the_same(gallery: sv.Gallery, name: str) -> None:
    [found] = gallery.recognise([said(name, 3, seconds=1.5)])
    assert (found.name, found.known) == ("person 3", "enrolled")


def test_what_may_be_somebody_is_unsure_and_not_new(gallery: sv.Gallery, name: str) -> None:
    [found] = gallery.recognise([said(name, 3, alike=0.58)])
    assert found.identification.verdict == "unsure"
    assert found.identification.candidates[0].name == "person 3"
    assert (found.name, found.known) == (None, "unsure")


def test_voices_of_another_model_are_refused(gallery: sv.Gallery, name: str) -> None:
    with pytest.raises(FingerprintMismatch, match="embed the voices with the model of the gallery"):
        gallery.recognise([said(name, 3), said("other@1", 3)])


@pytest.mark.parametrize("options", [{"fpir": 0.0}, {"prior": 1.0}, {"top": 0}])
def test_options_that_cannot_be_honoured_are_refused(gallery: sv.Gallery, options: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        gallery.recognise([], **options)  # type: ignore[arg-type]


def test_in_an_empty_gallery_everybody_is_new(path: Path, model: Model) -> None:
    with sv.Gallery(path, model=model, key=KEY) as empty:
        [found] = empty.recognise([said(model.card.fingerprint, 3)])
        assert (found.name, found.known, found.identification.people) == (None, "new", 0)
        assert empty.recognise([]) == []
        assert empty.store.model() is None  # to ask binds it to no model


def test_json_is_plain(gallery: sv.Gallery, name: str) -> None:
    [found] = gallery.recognise([said(name, 3)])
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["name"] == "person 3"


@pytest.mark.slow
def test_the_rate_is_kept_for_each_voice_with_strangers_in_the_gallery(gallery: sv.Gallery, name: str) -> None:
    """Voices drawn at random are less alike than people are, so not one of 300 may pass."""
    gallery.remember(source(), voices(name, range(100, 130), take=1))
    found = gallery.recognise([said(name, person) for person in range(1_000, 1_300)])
    assert {one.known for one in found} == {"new"}


def test_many_strangers_hide_nobody_who_is_enrolled(gallery: sv.Gallery, name: str) -> None:
    gallery.remember(source(), voices(name, range(100, 101 + COMPARED), take=1)[: COMPARED + 1])
    found = gallery.recognise([said(name, person, 2) for person in (*range(PEOPLE), 100, 100 + COMPARED)])
    assert [one.name for one in found][:PEOPLE] == [f"person {person}" for person in range(PEOPLE)]
    assert [one.name for one in found][PEOPLE:] == ["unknown-1", f"unknown-{COMPARED + 1}"]
    assert found[0].identification.people == PEOPLE + COMPARED + 1


# What was only heard never lets anybody in.


def test_nobody_who_was_only_heard_passes_for_anybody_enrolled(path: Path, model: Model) -> None:
    voice = model.embed(SAMPLES / "philippe_1.flac")
    other = SAMPLES / "philippe_2.flac"
    with sv.Gallery(path, model=model, key=KEY) as gallery:
        gallery.enrol("Reader", SAMPLES / "librispeech_1255_a.flac")
        gallery.remember(source(), [Voice(voice, [Spoken(0, 5)])])
        gallery.rename("unknown-1", "Philippe")
        [heard] = gallery.recognise([model.embed(other)])
        assert (heard.name, heard.known) == ("Philippe", "stranger")
        found = gallery.identify(other)
        assert (found.name, found.people, [one.name for one in found.candidates]) == (None, 1, ["Reader"])
        assert gallery.identify(other, sequential=True).name is None
        with pytest.raises(GalleryError, match="was heard in recordings and never enrolled"):
            gallery.verify("Philippe", other)
        gallery.enrol("Philippe", SAMPLES / "philippe_1.flac")
        assert gallery.verify("Philippe", other).verdict == "same"
        assert gallery.identify(other).name == "Philippe"
        [again] = gallery.recognise([model.embed(other)])
        assert (again.name, again.known, again.person) == ("Philippe", "enrolled", heard.person)


def test_a_stranger_who_sounds_alike_takes_no_name_from_anybody_enrolled(gallery: sv.Gallery, name: str) -> None:
    """As where a bad recording of somebody enrolled was taken for somebody new."""
    double = said(name, 1, 1, alike=0.35)
    gallery.remember(source(), [Voice(double, [Spoken(0, 9)])])
    assert gallery.recordings()[0].people == ("unknown-1",)
    mixed = said(name, 1, 2).vector + 0.45 * double.vector
    voice = Embedding(mixed / np.linalg.norm(mixed), name, 20.0)
    first, second = gallery.recognise([voice])[0].identification.candidates[:2]
    assert (first.name, second.name) == ("person 1", "unknown-1")
    assert second.score > 0.45
    assert gallery.recognise([voice])[0].name == "person 1"
    nearer = said(name, 1, 2).vector + 2.0 * double.vector
    [other] = gallery.recognise([Embedding(nearer / np.linalg.norm(nearer), name, 20.0)])
    assert other.identification.candidates[0].name == "unknown-1"
    assert other.name in (None, "unknown-1")
