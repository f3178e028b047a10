"""Live sound over a real WebSocket."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jobmakers import PHILIPPE_ENROLS, RATE, conversation
from servicemakers import Running, new_key, serving
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State
from websockets.sync.client import ClientConnection, connect

from samevoice.audio.waveform import Samples, Waveform
from samevoice.diarization import naming
from samevoice.diarization.diarizer import diarize, load_diarizer
from samevoice.live.feed import Note
from samevoice.loading import load_detector
from samevoice.service import stream as streaming
from samevoice.service.coaching import coached
from samevoice.service.keys import Keys
from samevoice.service.stream import BLOCKS, Gone, Pipe
from samevoice.speech.listening import listen

THREADS = ("stream", "listening to stream", "hearing stretches")
EARLIER: set[threading.Thread] = set()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("service"), streams=2, per_minute=100_000) as found:
        found.gallery.enrol("Philippe", PHILIPPE_ENROLS)
        yield found


def raw(samples: Samples) -> bytes:
    return np.rint(samples * 32_768).clip(-32_768, 32_767).astype("<i2").tobytes()


def told(line: ClientConnection) -> list[dict[str, Any]]:
    """All events up to the end of the connection."""
    found = []
    try:
        while True:
            found.append(json.loads(line.recv(timeout=60)))
    except ConnectionClosed:
        return found


def streamed(running: Running, sound: bytes, size: int = 6_400, **start: Any) -> list[dict[str, Any]]:
    with connect(f"{running.websocket}/v1/stream") as line:
        line.send(json.dumps(start))
        assert json.loads(line.recv()) == {"event": "ready"}
        for first in range(0, len(sound), size):
            line.send(sound[first : first + size])
        line.send('{"end": true}')
        found = told(line)
        assert line.protocol.close_code == 1000
        return found


@pytest.fixture(autouse=True)
def before() -> Iterator[None]:
    """Threads that other tests left are none of ours."""
    EARLIER.update(threading.enumerate())
    yield
    EARLIER.clear()


def listening() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name in THREADS and one not in EARLIER]


def nobody_listens() -> bool:
    """Whether all threads of streams end."""
    end = time.monotonic() + 15
    while listening():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_names_are_those_of_the_whole_recording(running: Running) -> None:
    events = streamed(running, raw(conversation()))
    diarizer = load_diarizer(running.gallery.model, 1)
    offline = diarize(Waveform(conversation(), RATE), diarizer=diarizer, name="stream")
    named, _ = naming.recognise(offline, running.gallery, fpir=running.service.options.fpir)
    (end,) = [event for event in events if event["event"] == "end"]
    turns = [(one["start"], one["end"], one["speaker"]) for one in end["diarization"]["turns"]]
    assert turns == [(one.start, one.end, one.speaker) for one in named]
    assert "Philippe" in named.diarization.speakers
    assert events[-1] is end
    heard = {(one["name"], one["known"]) for one in events if one["event"] == "identity" and one["known"] != "?"}
    assert ("Philippe", "enrolled") in heard
    assert [one["on"] for one in events if one["event"] == "speech"][:2] == [True, False]
    assert nobody_listens()


def test_without_names_nobody_is_named(running: Running) -> None:
    events = streamed(running, raw(conversation()), 65_536, names=False)
    assert {turn["speaker"] for turn in events[-1]["diarization"]["turns"]} == {"speaker-1", "speaker-2"}


def test_the_coach_tells_levels_and_nothing_else(running: Running) -> None:
    events = streamed(running, raw(conversation()), coach=True)
    levels, end = events[:-1], events[-1]
    assert {one["event"] for one in levels} == {"level"}
    assert set(levels[0]) == {"event", "time", "dbfs", "speech", "snr_db", "speaking"}
    seconds = len(conversation()) / RATE
    assert len(levels) == pytest.approx(4 * seconds, abs=1)
    heard = load_detector()([Waveform(conversation(), RATE)])
    assert end["event"] == "end"
    assert end["time"] == pytest.approx(seconds, abs=0.001)
    assert end["speech"] == pytest.approx(heard.duration, abs=0.05)
    assert [one["speech"] for one in levels] == sorted(one["speech"] for one in levels)
    assert levels[0]["dbfs"] == -200
    assert {one["speaking"] for one in levels} == {True, False}


def test_levels_of_a_known_sound() -> None:
    """Half a second of a tone at -6 dB, at another rate and in odd pieces."""
    time_axis = np.arange(24_000) / 48_000
    tone = (10 ** (-6 / 20) * np.sqrt(2) * 0.5 * np.sin(2 * np.pi * 440 * time_axis)).astype(np.float32)
    pieces = np.array_split(tone, 7)
    *levels, end = coached(pieces, 48_000, load_detector())
    for one in levels:
        assert one["dbfs"] == pytest.approx(-6 + 20 * np.log10(0.5), abs=0.2)
        assert one["snr_db"] is None
    assert end["time"] == pytest.approx(0.5, abs=0.01)


def test_noise_is_measured_as_the_audio_doctor_does() -> None:
    noise = np.random.default_rng(3).standard_normal(len(conversation())).astype(np.float32)
    found = []
    for level in (0.0, 0.003, 0.03):
        sound = conversation() + np.float32(level) * noise
        doctor = listen(Waveform(sound, RATE), load_detector()).report.snr_db
        *levels, _ = coached([sound], RATE, load_detector())
        found.append(levels[-1]["snr_db"])
        assert found[-1] == pytest.approx(doctor, abs=2.5)
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize(
    ("messages", "code", "status"),
    [
        ([b"\x00\x00"], "start", 4400),
        (["no json"], "start", 4400),
        (["[]"], "start", 4400),
        (["{" * 3_000], "start", 4400),
        (['{"rate": 1}'], "start", 4400),
        (['{"rate": "fast"}'], "start", 4400),
        (['{"other": 1}'], "start", 4400),
        (["x" * 5_000], "too-large", 4400),
        (["{}", b"\x00"], "samples", 4400),
        (["{}", b""], "samples", 4400),
        ([""], "start", 4400),
        (["{}", ""], "message", 4400),
        (["{}", b"\x00\x00", "what?"], "message", 4400),
        (["{}", '{"end": false}'], "message", 4400),
        (["{}", '{"end": true, "more": 1}'], "message", 4400),
        (["{}", "[" * 4_000], "message", 4400),
        (["{}", bytes(600_000)], "too-large", 4400),
        (["{}", '{"end": true}'], "audio", 4400),
    ],
)
def test_what_is_none_of_the_protocol(running: Running, messages: list[Any], code: str, status: int) -> None:
    with connect(f"{running.websocket}/v1/stream") as line:
        for message in messages:
            line.send(message)
        events = told(line)
    problem = events[-1]
    assert (problem["event"], problem["code"]) == ("problem", code)
    assert problem["detail"]
    assert line.protocol.close_code == status
    assert nobody_listens()


def test_a_huge_message_ends_the_stream(running: Running) -> None:
    with connect(f"{running.websocket}/v1/stream", max_size=None) as line:
        line.send("{}")
        try:
            line.send(bytes(3_000_000))
            told(line)
        except ConnectionClosed:
            pass
        told(line)
    assert line.protocol.close_code in (1009, 4400)
    assert nobody_listens()


def test_whoever_goes_away_leaves_no_thread(running: Running) -> None:
    sound = raw(conversation())
    for _ in range(2):
        with connect(f"{running.websocket}/v1/stream") as line:
            line.send("{}")
            line.recv()
            line.send(sound[:300_000])
            line.recv()
            assert "stream" in listening()
            line.socket.close()  # as a phone does that loses its network
    assert nobody_listens()
    assert streamed(running, sound[:160_000])[-1]["event"] == "end"


def test_more_streams_than_there_may_be(running: Running) -> None:
    assert nobody_listens()
    with connect(f"{running.websocket}/v1/stream") as one, connect(f"{running.websocket}/v1/stream") as other:
        for line in (one, other):
            line.send("{}")
            assert json.loads(line.recv())["event"] == "ready"
        with connect(f"{running.websocket}/v1/stream") as third:
            third.send("{}")
            assert told(third)[-1]["code"] == "busy"
            assert third.protocol.close_code == 1013
    assert nobody_listens()
    assert streamed(running, raw(conversation())[:160_000])[-1]["event"] == "end"


@contextmanager
def begun(running: Running, **start: Any) -> Iterator[ClientConnection]:
    """A stream that is ready."""
    with connect(f"{running.websocket}/v1/stream") as line:
        line.send(json.dumps(start))
        assert json.loads(line.recv()) == {"event": "ready"}
        yield line


def test_sound_that_trickles_does_not_hold_a_stream_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "IDLE", 0.6)
    with serving(tmp_path, stream_seconds=0.6) as running, begun(running, coach=True) as line:
        began = time.monotonic()
        while line.protocol.state is State.OPEN and time.monotonic() < began + 10:
            with suppress(ConnectionClosed):
                line.send(b"\x00\x00")
            time.sleep(0.05)
        assert told(line)[-1]["code"] == "long"
        assert line.protocol.close_code == 4408
        assert 1.1 <= time.monotonic() - began < 9
    assert nobody_listens()


def test_one_key_has_half_of_the_streams_until_it_is_revoked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "LOOK", 0.2)
    ann, bob = new_key(tmp_path, "user", "ann"), new_key(tmp_path, "user", "bob")
    with serving(tmp_path, streams=3) as running:
        with begun(running, key=ann, coach=True) as first:
            with connect(f"{running.websocket}/v1/stream") as second:
                second.send(json.dumps({"key": ann}))
                (problem,) = told(second)
                assert (problem["code"], problem["status"]) == ("busy", 429)
                assert second.protocol.close_code == 4429
            with begun(running, key=bob, coach=True) as other:
                Keys(tmp_path / "data" / "keys.json").revoke("ann")
                assert told(first)[-1]["code"] == "key"
                assert first.protocol.close_code == 4401
                time.sleep(0.5)
                other.send(bytes(32_000))
                assert json.loads(other.recv())["event"] == "level"
        assert nobody_listens()
        with begun(running, key=bob, coach=True):
            pass


def test_silence_of_the_line_ends_a_stream(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "IDLE", 0.3)
    for messages in ([], ["{}"]):
        with connect(f"{running.websocket}/v1/stream") as line:
            for message in messages:
                line.send(message)
            assert told(line)[-1]["code"] == "idle"
            assert line.protocol.close_code == 4408
    assert nobody_listens()


def test_a_stream_that_is_too_long_ends_with_its_answer_and_keys_are_asked_for(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    place = tmp_path_factory.mktemp("keys")
    token = new_key(place)
    with serving(place, stream_seconds=4) as running:
        for start in ({}, {"key": "sv_0123abcd_" + "x" * 43}):
            with connect(f"{running.websocket}/v1/stream") as line:
                line.send(json.dumps(start))
                (problem,) = told(line)
                assert problem["code"] == "key"
                assert line.protocol.close_code == 4401
        events = streamed(running, raw(conversation())[: 8 * RATE * 2], key=token)
        assert [one["text"] for one in events if one["event"] == "note"] == [
            "a stream ends after 4 s; what came before was heard; begin another"
        ]
        assert events[-1]["event"] == "end"
        assert events[-1]["time"] == pytest.approx(4.0)


def test_a_page_of_another_site_cannot_stream(running: Running) -> None:
    with (
        pytest.raises(Exception, match="403"),
        connect(f"{running.websocket}/v1/stream", additional_headers={"Origin": "https://evil.example"}),
    ):
        pass


def test_a_socket_is_not_read_while_too_much_waits() -> None:
    async def scenario() -> list[Samples | Note]:
        pipe = Pipe(RATE, 3_600)
        sound = bytes(2 * RATE * (BLOCKS + 2))
        putting = asyncio.ensure_future(pipe.put(sound))
        await asyncio.sleep(0.1)
        assert not putting.done()
        found: list[Samples | Note] = []
        reader = threading.Thread(target=lambda: found.extend(pipe.blocks()))
        reader.start()
        await putting
        pipe.end()
        await asyncio.to_thread(reader.join)
        return found

    found = asyncio.run(scenario())
    assert [len(block) for block in found if not isinstance(block, Note)] == [RATE] * (BLOCKS + 2)


def test_a_pipe_that_breaks_off_gives_nothing_more() -> None:
    async def scenario() -> None:
        pipe = Pipe(RATE, 3_600)
        await pipe.put(bytes(2 * RATE * 3))
        pipe.break_off()
        found: list[Samples | Note] = []
        with pytest.raises(Gone):
            await asyncio.to_thread(found.extend, pipe.blocks())
        assert len(found) <= 1

    asyncio.run(scenario())
