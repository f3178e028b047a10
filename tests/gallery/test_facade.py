"""`Gallery` with a real model and real voices: what a user sees, and what nobody may see."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile
import time_machine
from gallerymakers import KEY, raw_bytes

import samevoice as sv
from samevoice.audio.waveform import Waveform
from samevoice.embedder import Model
from samevoice.errors import (
    AudioError,
    ConfigError,
    EnrolmentRefused,
    FingerprintMismatch,
    GalleryError,
    UnknownPerson,
)
from samevoice.gallery.store import Store
from samevoice.gallery.voiceprints import NewVoiceprint
from samevoice.scoring.cosine import cosine

SAMPLES = Path(__file__).parents[2] / "samples"
ADA, ADA_AGAIN = SAMPLES / "sample_1a.mp3", SAMPLES / "sample_1b.mp3"  # of one person
PHILIPPE, PHILIPPE_LONGER = SAMPLES / "philippe_2.flac", SAMPLES / "philippe_1.flac"  # of another; 3 and 7 s of speech
READER, OTHER_READER = SAMPLES / "librispeech_1255_a.flac", SAMPLES / "librispeech_19_a.flac"  # 5 s; 1.3 s
STRANGER = SAMPLES / "sample_2.mp3"


@pytest.fixture(autouse=True)
def own_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test finds, or makes, the key of whoever runs it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for variable in ("SAMEVOICE_GALLERY", "SAMEVOICE_GALLERY_KEY", "SAMEVOICE_GALLERY_KEY_FILE"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(scope="module")
def model() -> Model:
    return sv.load_model("campplus", threads=1)


@pytest.fixture(scope="module")
def other_model() -> Model:
    return sv.load_model("ge2e", threads=1)


@pytest.fixture(scope="module")
def two(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed gallery of Ada and Philippe."""
    path = tmp_path_factory.mktemp("two") / "voices.db"
    with sv.Gallery(path, model=model, key=KEY) as gallery:
        gallery.enrol("Ada", ADA)
        gallery.enrol("Philippe", PHILIPPE)
    return path


@pytest.fixture
def opened(two: Path, path: Path, model: Model) -> Iterator[Callable[..., sv.Gallery]]:
    """Opens a copy of it, as often as one likes."""
    shutil.copy(two, path)
    galleries: list[sv.Gallery] = []

    def give(**options: object) -> sv.Gallery:
        galleries.append(sv.Gallery(path, **{"model": model, "key": KEY, **options}))  # type: ignore[arg-type]
        return galleries[-1]

    yield give
    for gallery in galleries:
        gallery.close()


@pytest.fixture
def gallery(opened: Callable[..., sv.Gallery]) -> sv.Gallery:
    return opened()


@pytest.fixture
def empty(path: Path, model: Model) -> Iterator[sv.Gallery]:
    with sv.Gallery(path, model=model, key=KEY) as made:
        yield made


def rows(path: Path) -> list[str]:
    """All that the database of a gallery holds."""
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def codes(refused: pytest.ExceptionInfo[EnrolmentRefused]) -> set[str]:
    return set(refused.value.codes)


# Who speaks?


def test_people_are_known_and_strangers_are_not(gallery: sv.Gallery) -> None:
    for recording, name in ((ADA_AGAIN, "Ada"), (PHILIPPE_LONGER, "Philippe")):
        found = gallery.identify(recording)
        assert (found.verdict, found.name, found.people) == ("known", name, 2)
        assert found.candidates[0].name == name
        assert found.candidates[0].score > found.candidates[1].score
    stranger = gallery.identify(READER)
    assert (stranger.verdict, stranger.name) == ("unknown", None)
    assert len(stranger.candidates) == 2


def test_probabilities_sum_to_one_and_json_is_plain(gallery: sv.Gallery, silence: Waveform) -> None:
    for found in (gallery.identify(ADA_AGAIN), gallery.identify(STRANGER, top=1), gallery.identify(silence)):
        told = json.loads(json.dumps(found.to_json(), allow_nan=False))
        named = sum(one["probability"] for one in told["candidates"])
        assert named + told["nobody"] + told["others"] == pytest.approx(1)
        assert str(found).endswith(".")


def test_one_after_another_finds_the_same_as_at_once_with_less_speech(gallery: sv.Gallery) -> None:
    for recording in (ADA_AGAIN, PHILIPPE_LONGER, READER):
        at_once, early = gallery.identify(recording), gallery.identify(recording, sequential=True)
        assert (early.verdict, early.name) == (at_once.verdict, at_once.name)
        assert early.speech <= at_once.speech + 0.1
    assert gallery.identify(PHILIPPE_LONGER, sequential=True).speech < 4


def test_cosines_are_those_of_the_recordings(gallery: sv.Gallery, model: Model) -> None:
    voice = model.embed(ADA_AGAIN)
    wanted = {"Ada": cosine(voice, model.embed(ADA)), "Philippe": cosine(voice, model.embed(PHILIPPE))}
    found = {one.name: one.score for one in gallery.identify(ADA_AGAIN).candidates}
    assert found == pytest.approx(wanted, abs=1e-5)


def test_every_kind_of_source_gives_one_answer(gallery: sv.Gallery) -> None:
    samples, rate = soundfile.read(READER, dtype="float32")
    content = READER.read_bytes()
    gallery.enrol("Reader", io.BytesIO(content))
    for source in (READER, str(READER), content, Waveform(samples, rate)):
        assert gallery.identify(source).candidates[0].score == pytest.approx(1, abs=1e-4)
        assert gallery.verify("Reader", source).score == pytest.approx(1, abs=1e-4)
    assert gallery.identify(io.BytesIO(content)).name == "Reader"
    assert gallery.verify("Reader", io.BytesIO(content)).verdict == "same"


def test_nobody_is_known_in_an_empty_gallery(empty: sv.Gallery, silence: Waveform) -> None:
    for found in (empty.identify(ADA), empty.identify(ADA, sequential=True), empty.identify(silence)):
        assert (found.verdict, found.people, found.candidates) == ("unknown", 0, ())
        json.dumps(found.to_json(), allow_nan=False)
    assert empty.people() == []
    with pytest.raises(UnknownPerson):
        empty.verify("Ada", ADA)


@pytest.mark.parametrize(
    "option",
    [{"fpir": 0}, {"fpir": 2}, {"fpir": float("nan")}, {"fpir": 5e-324}, {"prior": 1}, {"top": 0}, {"top": 51}],
)
def test_options_that_cannot_be_honoured_are_refused_with_people_or_without(
    gallery: sv.Gallery, model: Model, tmp_path: Path, option: dict[str, float]
) -> None:
    with sv.Gallery(tmp_path / "empty.db", model=model, key=KEY) as empty:
        for one in (gallery, empty):
            for sequential in (False, True):
                with pytest.raises(ConfigError):
                    one.identify(ADA, sequential=sequential, **option)  # type: ignore[arg-type]


def test_more_candidates_may_be_asked_for_than_there_are_people(gallery: sv.Gallery) -> None:
    assert len(gallery.identify(ADA, top=50).candidates) == 2


def test_verification_is_that_of_two_recordings(gallery: sv.Gallery, model: Model) -> None:
    decision = gallery.verify("ADA", ADA_AGAIN)
    assert decision.verdict == "same"
    wanted = sv.verify(ADA, ADA_AGAIN, model=model)
    assert decision.score == pytest.approx(wanted.score, abs=1e-5)
    assert decision.threshold == wanted.threshold
    assert gallery.verify("Ada", READER).verdict == "different"
    with pytest.raises(UnknownPerson, match="Philippe"):
        gallery.verify("Philipe", PHILIPPE)


def test_too_little_speech_decides_nothing(gallery: sv.Gallery, silence: Waveform) -> None:
    assert gallery.verify("Ada", silence).verdict == "unsure"
    for sequential in (False, True):
        assert gallery.identify(silence, sequential=sequential).verdict == "unsure"


# Who gets in?


def test_what_is_enrolled_is_told(empty: sv.Gallery, model: Model) -> None:
    later = datetime.now(UTC) + timedelta(days=30)
    found = empty.enrol("Ada", ADA, channel="studio", consent="asked on 3 May", expires=later)
    (one,) = found.person.voiceprints
    assert (one.model, one.channel, one.consent, one.expires) == (
        model.card.fingerprint,
        "studio",
        "asked on 3 May",
        later,
    )
    assert one.seconds == pytest.approx(model.embed(ADA).seconds)
    assert not one.kept_audio
    assert [advice.code for advice in found.advice] == ["short-speech"]
    assert [event.action for event in empty.events("Ada")] == ["enrol"]


def test_a_bad_recording_is_refused_and_nothing_is_stored(
    gallery: sv.Gallery, path: Path, noise: Waveform, silence: Waveform
) -> None:
    before = rows(path)
    samples, rate = soundfile.read(READER, dtype="float32")
    for sound, code in (
        (noise, "no-speech"),
        (silence, "silence"),
        (Waveform(samples[2 * rate : 3 * rate], rate), "short-speech"),
        (PHILIPPE.read_bytes(), "replayed"),
        (Waveform(np.clip(40 * samples, -1, 1), rate), "clipped"),
    ):
        with pytest.raises(EnrolmentRefused) as refused:
            gallery.enrol("Somebody", sound)
        assert code in codes(refused)
    with pytest.raises(AudioError):
        gallery.enrol("Somebody", b"no sound at all")
    assert rows(path) == before


def test_the_same_recording_is_refused_for_the_same_person_too(gallery: sv.Gallery) -> None:
    gallery.enrol("Philippe", PHILIPPE_LONGER)
    with pytest.raises(EnrolmentRefused) as refused:
        gallery.enrol("Philippe", PHILIPPE_LONGER)
    assert codes(refused) == {"replayed"}


def test_another_voice_does_not_get_into_a_voiceprint(gallery: sv.Gallery, path: Path, model: Model) -> None:
    before, known = rows(path), gallery.store.template("Philippe", model.card.fingerprint)
    for name in ("Philippe", "pHILIPPE "):
        with pytest.raises(EnrolmentRefused) as refused:
            gallery.enrol(name, READER)
        assert "update" in codes(refused)
        assert not gallery.coach(name, READER).usable  # asking tells the same as trying
    after = gallery.store.template("Philippe", model.card.fingerprint)
    assert rows(path) == before
    assert known is not None
    assert after is not None
    np.testing.assert_array_equal(known.vector, after.vector)


def test_the_bar_is_checked_against_whoever_was_added_meanwhile(empty: sv.Gallery, model: Model) -> None:
    """Between the coach's look and the transaction another process may enrol somebody under the name."""
    coached = empty.coach
    with pytest.MonkeyPatch.context() as patch, Store.open(empty.store.database.path, key=KEY) as elsewhere:
        with sv.Gallery(elsewhere.database.path, model=model, key=KEY) as other:

            def slow(*arguments: object, **options: object) -> object:
                found = coached(*arguments, **options)  # type: ignore[arg-type]
                other.enrol("Ada", PHILIPPE)
                return found

            patch.setattr(empty, "coach", slow)
            with pytest.raises(EnrolmentRefused) as refused:
                empty.enrol("Ada", READER)
        assert codes(refused) == {"update"}
        assert len(elsewhere.person("Ada").voiceprints) == 1


def test_the_person_s_own_voice_gets_in_and_the_template_follows(gallery: sv.Gallery, model: Model) -> None:
    found = gallery.enrol("PHILIPPE", PHILIPPE_LONGER)
    assert found.person.name == "Philippe"
    assert "alike" not in {one.code for one in found.advice}, "a person is like itself, however the name is written"
    template = gallery.store.template("Philippe", model.card.fingerprint)
    assert template is not None
    total = model.embed(PHILIPPE).vector.astype(float) + model.embed(PHILIPPE_LONGER).vector
    np.testing.assert_allclose(template.vector, total / np.linalg.norm(total), atol=1e-5)
    assert template.voiceprints == 2


def test_enrolling_somebody_twice_under_two_names_is_advised_against(gallery: sv.Gallery) -> None:
    found = gallery.enrol("Somebody new", PHILIPPE_LONGER)
    assert [one.code for one in found.advice] == ["alike"]
    assert "Philippe" in found.advice[0].sentence


def test_asking_the_coach_stores_nothing(empty: sv.Gallery, path: Path) -> None:
    before = rows(path)
    assert empty.coach("Ada", ADA).usable
    assert empty.identify(ADA).verdict == "unknown"
    assert rows(path) == before, "not even the model"
    with pytest.raises(GalleryError):
        empty.coach("", ADA)


def test_kept_sound_is_sealed_and_is_what_was_enrolled(empty: sv.Gallery, path: Path, model: Model) -> None:
    person = empty.enrol("Ada", ADA, keep_audio=True).person
    (one,) = person.voiceprints
    assert one.kept_audio
    stored = raw_bytes(path)
    assert b"fLaC" not in stored
    assert model.embed(ADA).vector[:8].tobytes() not in stored
    assert sum("Ada" in line for line in rows(path)) == 1, "the name is in the table of people alone"
    sound = empty.store.recording(one.id)
    assert sound is not None
    assert sound.startswith(b"fLaC")
    assert cosine(model.embed(sound), model.embed(ADA)) > 0.999
    assert empty.export("Ada")["voiceprints"][0]["audio_flac"]


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "'; DROP TABLE people; --", "😀 Zoë", "שלום", "[bold]x[/bold]", "%_*?", "NULL", "a" * 200],
)
def test_strange_names_are_only_names(empty: sv.Gallery, name: str) -> None:
    assert empty.enrol(name, ADA).person.name == name
    assert [person.name for person in empty.people()] == [name]
    found = empty.identify(ADA_AGAIN)
    assert found.name == name
    assert name in str(found)
    assert empty.verify(name, ADA_AGAIN).verdict == "same"
    assert empty.rename(name, f"{name[:150]}!").name == f"{name[:150]}!"
    empty.delete(f"{name[:150]}!")
    assert empty.people() == []


@pytest.mark.parametrize("name", ["", "  ", "a" * 10_000, "a\nb", "\x1b[31mred", "a\u202eb", "\ud800", "\u200b", "\0"])
def test_what_is_no_name_is_refused_in_one_line(empty: sv.Gallery, path: Path, name: str) -> None:
    before = rows(path)
    for act in (empty.enrol, empty.coach, empty.verify):
        with pytest.raises(GalleryError) as refused:
            act(name, ADA)
        assert len(str(refused.value)) < 300
        assert str(refused.value).isprintable()
    assert rows(path) == before


# What time, and others, do.


def test_an_expired_voiceprint_is_never_compared(gallery: sv.Gallery, opened: Callable[..., sv.Gallery]) -> None:
    other = opened()
    gallery.enrol("Reader", READER, expires=datetime.now(UTC) + timedelta(days=1))
    assert other.identify(READER).name == "Reader"
    with time_machine.travel(datetime.now(UTC) + timedelta(days=2)):
        assert other.identify(READER).verdict == "unknown"
        with pytest.raises(UnknownPerson):
            gallery.verify("Reader", READER)
        assert gallery.enrol("Reader again", READER).advice == (), "what is forgotten is no replay"


def test_verification_alone_honours_expiry_and_keeps_the_rest_of_a_person(gallery: sv.Gallery) -> None:
    gallery.enrol("Philippe", PHILIPPE_LONGER, expires=datetime.now(UTC) + timedelta(days=1))
    assert gallery.verify("Philippe", PHILIPPE_LONGER).score != pytest.approx(0.824, abs=0.01)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=2)):
        assert gallery.verify("Philippe", PHILIPPE_LONGER).score == pytest.approx(0.824, abs=0.01)
    assert len(gallery.person("Philippe").voiceprints) == 1


def test_what_has_expired_already_is_not_enrolled(gallery: sv.Gallery) -> None:
    with pytest.raises(GalleryError, match="past"):
        gallery.enrol("Reader", READER, expires=datetime.now(UTC) - timedelta(days=1))
    assert len(gallery.people()) == 2


def test_an_open_gallery_sees_at_once_what_another_did(
    gallery: sv.Gallery, opened: Callable[..., sv.Gallery], model: Model
) -> None:
    other = opened()
    assert gallery.identify(ADA_AGAIN).name == other.identify(ADA_AGAIN).name == "Ada"
    gallery.rename("Ada", "Ada Lovelace")
    assert other.identify(ADA_AGAIN).name == "Ada Lovelace"
    gallery.enrol("Ada 2", ADA_AGAIN)
    assert other.identify(ADA_AGAIN).people == 3
    gallery.merge("Ada 2", "Ada Lovelace")
    found = other.identify(ADA_AGAIN)
    assert (found.name, found.people) == ("Ada Lovelace", 2)
    merged = model.embed(ADA).vector.astype(float) + model.embed(ADA_AGAIN).vector
    wanted = float(model.embed(ADA_AGAIN).vector @ merged / np.linalg.norm(merged))
    assert found.candidates[0].score == pytest.approx(wanted, abs=1e-5)
    assert gallery.undo("Ada Lovelace") is not None
    assert other.identify(ADA_AGAIN).candidates[0].score == pytest.approx(0.747, abs=0.01)
    gallery.delete("Ada Lovelace")
    found = other.identify(ADA_AGAIN)
    assert (found.verdict, [one.name for one in found.candidates]) == ("unknown", ["Philippe"])
    assert gallery.undo("Philippe") is None
    assert other.identify(ADA_AGAIN).people == 0
    assert other.audit().broken is None


def test_one_gallery_serves_several_threads(opened: Callable[..., sv.Gallery]) -> None:
    gallery = opened()  # nobody has opened its index yet
    ready = threading.Barrier(4)

    def ask(recording: Path, name: str) -> None:
        ready.wait()
        for _ in range(3):
            found = gallery.identify(recording)
            assert (found.verdict, found.name) == ("known", name)

    def change() -> None:
        ready.wait()
        for _ in range(2):
            gallery.enrol("Reader", READER)
            gallery.enrol("Philippe", PHILIPPE_LONGER)
            gallery.undo("Philippe")
            gallery.delete("Reader")

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(ask, ADA_AGAIN, "Ada"), pool.submit(ask, PHILIPPE_LONGER, "Philippe")]
        done += [pool.submit(ask, ADA_AGAIN, "Ada"), pool.submit(change)]
        for one in done:
            one.result()
    assert [len(person.voiceprints) for person in gallery.people()] == [1, 1]
    assert gallery.identify(READER).verdict == "unknown"


# One model.


def test_another_model_is_always_refused(
    gallery: sv.Gallery, opened: Callable[..., sv.Gallery], path: Path, other_model: Model
) -> None:
    before = rows(path)
    acts: list[Callable[[sv.Gallery], object]] = [
        lambda one: one.enrol("Ada", ADA_AGAIN),
        lambda one: one.enrol("New", READER),
        lambda one: one.coach("New", READER),
        lambda one: one.identify(ADA),
        lambda one: one.identify(ADA, sequential=True),
        lambda one: one.verify("Ada", ADA),
        lambda one: one.model,
    ]
    for act in acts:
        with pytest.raises(FingerprintMismatch):
            act(opened(model=other_model))
    assert rows(path) == before
    assert gallery.identify(ADA_AGAIN).name == "Ada"


@pytest.mark.parametrize("attempt", range(3))
def test_of_two_models_that_race_for_an_empty_gallery_one_wins(
    path: Path, model: Model, other_model: Model, attempt: int
) -> None:
    galleries = [sv.Gallery(path, model=one, key=KEY) for one in (model, other_model)]
    assert [one.model for one in galleries] == [model, other_model], "nobody is enrolled, so either will do"
    ready = threading.Barrier(2)

    def enrol(gallery: sv.Gallery, recording: Path) -> str:
        ready.wait()
        try:
            gallery.enrol(recording.stem, recording)
        except FingerprintMismatch:
            return "refused"
        return "enrolled"

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(enrol, galleries[:: (-1) ** attempt], (READER, PHILIPPE_LONGER)))
    assert sorted(found) == ["enrolled", "refused"]
    (person,) = galleries[0].people()
    assert person.voiceprints[0].model == galleries[0].store.model()
    for gallery in galleries:
        gallery.close()


def test_by_default_the_model_is_the_gallery_s(path: Path, other_model: Model) -> None:
    with sv.Gallery(path, model=other_model, key=KEY) as gallery:
        gallery.enrol("Ada", ADA)
    with sv.Gallery(path, threads=1, key=KEY) as gallery:
        assert gallery.model.card.fingerprint == other_model.card.fingerprint
        assert gallery.verify("Ada", ADA_AGAIN).model == other_model.card.fingerprint


def test_a_new_gallery_has_the_usual_model(path: Path, model: Model) -> None:
    with sv.Gallery(path, threads=1, key=KEY) as gallery:
        assert gallery.model.card.fingerprint == model.card.fingerprint


def test_an_open_gallery_notices_that_the_model_was_changed(
    gallery: sv.Gallery, opened: Callable[..., sv.Gallery], other_model: Model, silence: Waveform
) -> None:
    """Else it would take everybody for a stranger, without a word."""
    open_before = opened()
    assert open_before.identify(ADA_AGAIN).name == "Ada"
    gallery.migrate(other_model)
    for act in (
        lambda: open_before.identify(ADA_AGAIN),
        lambda: open_before.identify(ADA_AGAIN, sequential=True),
        lambda: open_before.identify(silence),
        lambda: open_before.coach("New", READER),
        lambda: open_before.enrol("New", READER),
        lambda: open_before.verify("Ada", ADA_AGAIN),
    ):
        with pytest.raises(FingerprintMismatch):
            act()


def test_the_model_changes_in_the_middle_of_an_identification(
    gallery: sv.Gallery, opened: Callable[..., sv.Gallery], other_model: Model
) -> None:
    class Slow:
        """A file whose reading takes so long that somebody changes the model meanwhile."""

        def __init__(self) -> None:
            self._file = io.BytesIO(ADA_AGAIN.read_bytes())

        def read(self, size: int = -1) -> bytes:
            if gallery.store.model() != other_model.card.fingerprint:
                gallery.migrate(other_model)
            return self._file.read(size)

        def seek(self, *place: int) -> int:
            return self._file.seek(*place)

        def tell(self) -> int:
            return self._file.tell()

    middle = opened()
    assert middle.identify(ADA_AGAIN).name == "Ada"
    with pytest.raises(FingerprintMismatch):
        middle.identify(Slow())  # type: ignore[arg-type]


# Secrets stay so.


def test_no_secret_is_in_what_is_printed(gallery: sv.Gallery, path: Path, model: Model) -> None:
    texts = [repr(gallery), repr(gallery.coach("New", READER)), repr(gallery.person("Ada")), str(gallery.events())]
    numbers = [f"{number:.4f}" for number in model.embed(ADA).vector[:3]]
    for text in texts:
        assert bytes(range(32)).hex() not in text
        assert not any(number in text for number in numbers)
    assert str(path) in texts[0]


def test_the_file_and_its_key_are_their_owner_s_alone(path: Path, model: Model, tmp_path: Path) -> None:
    with sv.Gallery(path, model=model) as gallery:
        gallery.enrol("Ada", ADA)
    (key,) = (tmp_path / "config").rglob("*.key")
    for file in (path, key):
        assert file.stat().st_mode & 0o077 == 0
    assert not path.is_relative_to(key.parent)
    with pytest.raises(GalleryError, match="another key"):
        sv.Gallery(path, key=KEY)
    assert ADA.name not in " ".join(rows(path)), "nor is what the recording was called kept"


def test_a_merger_needs_alike_voices_and_can_be_taken_back(gallery: sv.Gallery) -> None:
    gallery.enrol("Stranger", STRANGER)
    before = gallery.store.template("Ada", gallery.model.card.fingerprint)
    with pytest.raises(GalleryError, match=r"not merged: the evidence is 5\.1 to 1 for two people.*--force"):
        gallery.merge("Stranger", "Ada")
    assert len(gallery.people()) == 3
    assert len(gallery.merge("Stranger", "Ada", force=True).voiceprints) == 2
    assert gallery.events("Ada")[-1].detail["forced"] is True
    gallery.enrol("Reader", READER)
    assert gallery.merge("Reader", "Ada", force=True).id == gallery.person("Ada").id
    assert len(gallery.person("Ada").voiceprints) == 3
    left = [gallery.undo("Ada"), gallery.undo("Ada")]
    assert [one and len(one.voiceprints) for one in left] == [2, 1]
    after = gallery.store.template("Ada", gallery.model.card.fingerprint)
    assert before is not None
    assert after is not None
    np.testing.assert_array_equal(after.vector, before.vector)


def test_undo_takes_what_came_last_and_not_the_highest_number(gallery: sv.Gallery) -> None:
    """Ada is 1, a stranger 3, Ada again 4 and joined by the stranger after that: the stranger goes first."""
    gallery.enrol("Stranger", STRANGER)
    gallery.store.add("Ada", NewVoiceprint(gallery.model.embed(ADA_AGAIN)))
    numbers = [one.id for one in gallery.merge("Stranger", "Ada", force=True).voiceprints]
    left = gallery.undo("Ada")
    assert left is not None
    assert [one.id for one in left.voiceprints] == [numbers[0], numbers[2]]
