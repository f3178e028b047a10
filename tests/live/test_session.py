"""Listening from end to end, on real recordings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from livemakers import OTHER_READER, PHILIPPE, PHILIPPE_LONGER, RATE, READER, conversation, cut, feed, lines, read

import samevoice as sv
from samevoice.audio.waveform import Samples, Waveform
from samevoice.diarization import formats, naming
from samevoice.diarization.clustering import Telling
from samevoice.diarization.diarizer import Diarizer, diarize, load_diarizer
from samevoice.errors import AudioError, ConfigError
from samevoice.gallery.crypto import MasterKey
from samevoice.live import session as listening
from samevoice.live.events import Change, End, Event, Identity, Speech, Told
from samevoice.live.feed import Feed, Note, replay
from samevoice.live.session import Session
from samevoice.speech.timeline import Segment, Timeline


@pytest.fixture(scope="module")
def diarizer() -> Diarizer:
    return load_diarizer("campplus", 1)


@pytest.fixture(scope="module")
def gallery(diarizer: Diarizer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sv.Gallery]:
    """Philippe and one of the readers are enrolled; of the reader the second half is left."""
    place = tmp_path_factory.mktemp("gallery") / "people.db"
    with sv.Gallery(place, model=diarizer.model, key=MasterKey.generate()) as opened:
        opened.enrol("Philippe", PHILIPPE_LONGER)
        sound = read(READER)
        opened.enrol("Reader", Waveform(sound[: len(sound) // 2], RATE))
        yield opened


@pytest.fixture(scope="module")
def heard(diarizer: Diarizer, gallery: sv.Gallery) -> list[Event]:
    """A conversation with people enrolled and one who is not."""
    sound = Waveform(conversation(), RATE)
    return list(Session(replay(sound, 0, "talk"), diarizer, gallery=gallery))


def named(events: list[Event]) -> list[Identity]:
    return [event for event in events if isinstance(event, Identity) and event.label.certain]


def test_a_replayed_file_gets_the_offline_answer(diarizer: Diarizer, gallery: sv.Gallery, heard: list[Event]) -> None:
    offline = diarize(Waveform(conversation(), RATE), diarizer=diarizer, name="talk")
    named, _ = naming.recognise(offline, gallery, fpir=0.01)
    end = heard[-1]
    assert isinstance(end, End)
    assert formats.write(end.diarized.diarization, "rttm") == formats.write(named.diarization, "rttm")
    assert {"Philippe", "Reader"} <= set(end.diarized.diarization.speakers)


def test_names_within_three_seconds_of_speech(heard: list[Event]) -> None:
    first: dict[str, float] = {}
    for one in named(heard):
        first.setdefault(one.label.name, one.speech)
    assert set(first) == {"Reader", "Philippe", "speaker-1"}
    assert max(first.values()) <= 3.0
    assert [one.label.name for one in named(heard)][-1] == "Philippe"


def test_whoever_is_not_enrolled_gets_no_name(heard: list[Event]) -> None:
    start = 3 * 1.2 + (len(read(READER)) + len(read(PHILIPPE))) / RATE
    end = start + 3 * len(read(OTHER_READER)) / RATE
    labels = {one.label.name for one in named(heard) if start <= one.start < end}
    assert labels == {"speaker-1"}


@pytest.mark.slow
def test_events_do_not_depend_on_how_the_sound_is_cut(diarizer: Diarizer) -> None:
    sound = conversation()[: 16 * RATE]
    known = lines(Session(feed([sound]), diarizer))
    for sizes in ([160], [1, 4_001, 0, 77], [RATE]):
        assert lines(Session(feed(cut(sound, sizes)), diarizer)) == known


def test_another_rate_gets_the_offline_answer_too(diarizer: Diarizer) -> None:
    sound = Waveform(np.repeat(conversation(), 3)[: 30 * 48_000], 48_000)
    offline = diarize(sound, diarizer=diarizer, name="talk")
    *_, end = Session(feed(cut(sound.samples, [4_800, 333]), 48_000), diarizer)
    assert isinstance(end, End)
    assert end.diarized.diarization.turns == offline.diarization.turns
    assert end.diarized.diarization.extent == offline.diarization.extent


@pytest.mark.slow
def test_a_recording_of_several_stretches_gets_the_offline_answer(diarizer: Diarizer) -> None:
    sound = Waveform(np.tile(conversation(0.5), 6), RATE)
    assert sound.duration > 130
    telling = Telling(most=4)
    offline = diarize(sound, diarizer=diarizer, telling=telling)
    *_, end = Session(feed(cut(sound.samples, [RATE])), diarizer, telling=telling)
    assert isinstance(end, End)
    assert end.diarized.diarization.turns == offline.diarization.turns


def test_only_speech_enters_the_ring_and_keeps_its_time(diarizer: Diarizer) -> None:
    sound = conversation()
    session = Session(feed([sound]), diarizer, kept=9.0)
    events = list(session)
    offline = sv.load_model("campplus", threads=1).listen(Waveform(sound, RATE)).speech
    assert session.ring.total == sum(
        min(round(one.end * RATE), len(sound)) - round(one.start * RATE) for one in offline
    )
    assert len(session.ring) == session.ring.capacity == 9 * RATE
    times = session.ring.times()
    assert (np.diff(times) > 0).all()
    assert offline.covers(times + 0.5 / RATE).all()
    np.testing.assert_array_equal(session.ring.last(9 * RATE), sound[np.rint(times * RATE).astype(int)])
    on = [event.time for event in events if isinstance(event, Speech) and event.on]
    off = [event.time for event in events if isinstance(event, Speech) and not event.on]
    assert Timeline(map(Segment, on, off), offline.extent) == offline


@pytest.mark.parametrize("seconds", [0.01, 0.4, 7.0])
@pytest.mark.parametrize("kind", ["digital", "quiet", "white", "hum"])
def test_silence_adds_nothing(diarizer: Diarizer, kind: str, seconds: float) -> None:
    count = round(seconds * RATE)
    draws = np.random.default_rng(3).standard_normal(count).astype(np.float32)
    sound = {
        "digital": np.zeros(count, dtype=np.float32),
        "quiet": draws * np.float32(1e-4),
        "white": draws * np.float32(0.03),
        "hum": (np.sin(np.arange(count) * 2 * np.pi * 50 / RATE) * 0.1 + draws * 0.003).astype(np.float32),
    }[kind]
    session = Session(feed(cut(sound, [1_000])), diarizer)
    (end,) = session
    assert isinstance(end, End)
    assert (session.ring.total, len(session.ring), end.speech) == (0, 0, 0.0)
    assert end.diarized.diarization.extent == count / RATE


def test_a_voice_that_changes_without_a_pause_is_another_turn(diarizer: Diarizer, gallery: sv.Gallery) -> None:
    reader, philippe = read(READER), read(PHILIPPE_LONGER)
    speech = sv.load_model("campplus", threads=1).listen(READER).speech
    cut_at = next(one for one in speech if one.duration > 2).end
    first = reader[: round(max(cut_at, 5.0) * RATE)]
    at = len(first) / RATE
    spoken = sv.load_model("campplus", threads=1).listen(PHILIPPE_LONGER).speech
    second = philippe[round(spoken.segments[0].start * RATE) :][: 8 * RATE]
    events = list(Session(feed([first, second]), diarizer, gallery=gallery))
    (change,) = [event for event in events if isinstance(event, Change)]
    assert change.before.name == "Reader"
    assert abs(change.start - at) < 1.0
    assert change.time - at < 3.0
    assert [one.label.name for one in named(events) if one.start >= change.start] == ["Philippe"]


def test_what_a_source_says_is_told_in_place(diarizer: Diarizer) -> None:
    sound = np.zeros(RATE, dtype=np.float32)
    events = list(Session(feed([sound, Note("a cat sits on it"), sound]), diarizer))
    assert [(event.time, event.text) for event in events if isinstance(event, Told)] == [(1.0, "a cat sits on it")]


@pytest.mark.parametrize("paced", [True, False])
def test_being_behind_is_told(diarizer: Diarizer, monkeypatch: pytest.MonkeyPatch, paced: bool) -> None:
    monkeypatch.setattr(listening, "BEHIND", 0.2)
    blocks = iter([np.zeros(RATE, dtype=np.float32)])
    session = Session(Feed("slow", RATE, blocks, paced=paced), diarizer)
    time.sleep(0.3)
    texts = [event.text for event in session if isinstance(event, Told)]
    assert [" s behind; nothing is lost" in text for text in texts] == [True] * paced


def test_a_source_that_fails_later_still_gets_its_answer(diarizer: Diarizer) -> None:
    sound = conversation()[: 8 * RATE]

    def breaking() -> Iterator[Samples | Note]:
        yield sound
        raise AudioError("mic: stopped working; is it unplugged?")

    *_, told, end = Session(feed(breaking()), diarizer)
    assert isinstance(told, Told | Identity)
    assert isinstance(end, End)
    assert end.diarized.diarization.extent == 8.0
    assert len(end.diarized) > 0


def test_a_source_that_fails_at_once_is_an_error(diarizer: Diarizer) -> None:
    def broken() -> Iterator[Samples | Note]:
        yield Note("it crackles")
        raise AudioError("mic: is not there")

    with pytest.raises(AudioError, match="is not there"):
        list(Session(feed(broken()), diarizer))
    with pytest.raises(AudioError, match="no sound came"):
        list(Session(feed([]), diarizer))


def test_stopping_gives_the_answer_for_what_came(diarizer: Diarizer) -> None:
    sound = conversation()
    fed = 0

    def endless() -> Iterator[Samples | Note]:
        nonlocal fed
        while True:
            yield sound[fed % (5 * RATE) :][: RATE // 10]
            fed += RATE // 10

    session = Session(Feed("endless", RATE, endless(), paced=False), diarizer)
    events: list[Event] = []
    for event in session:
        events.append(event)
        if isinstance(event, Identity):
            session.stop()
    end = events[-1]
    assert isinstance(end, End)
    assert 1.0 < end.diarized.diarization.extent <= fed / RATE


def test_a_ring_too_short_for_a_look_is_refused(diarizer: Diarizer) -> None:
    with pytest.raises(ConfigError, match="give 9 or more"):
        Session(feed([]), diarizer, kept=3.0)


def test_a_file_is_replayed_in_its_own_time(diarizer: Diarizer, tmp_path: Path) -> None:
    path = tmp_path / "one.wav"
    soundfile.write(path, conversation()[: 2 * RATE], RATE)
    began = time.monotonic()
    *_, end = Session(replay(path, 4.0), diarizer)
    assert 0.5 <= time.monotonic() - began < 5
    assert isinstance(end, End)
    assert end.diarized.diarization == diarize(path, diarizer=diarizer).diarization
    for speed in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="speed"):
            replay(path, speed)
