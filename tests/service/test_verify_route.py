"""POST /v1/verify, over a real socket, against the library in this process."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from servicemakers import Running, serving

import samevoice as sv

RATE = 16_000


def ask(running: Running, first: bytes, second: bytes, names: tuple[str, str] = ("a", "b"), **fields: Any) -> Any:
    files = {"first": (names[0], first), "second": (names[1], second)}
    return httpx.post(f"{running.url}/v1/verify", files=files, data=fields, timeout=60)


@pytest.fixture(scope="module")
def clips(samples: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in samples.iterdir() if path.suffix != ".md"}


def silence(seconds: float, rate: int = RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(round(seconds * rate), np.float32), rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def unmeasured(seconds: float) -> bytes:
    """A FLAC whose header does not tell how long it is."""
    file = io.BytesIO()
    soundfile.write(file, np.zeros(round(seconds * RATE), np.float32), RATE, format="FLAC", subtype="PCM_16")
    content = bytearray(file.getvalue())
    content[21] &= 0xF0  # the number of samples: 36 bits, 0 for unknown
    content[22:26] = bytes(4)
    return bytes(content)


@pytest.mark.parametrize(
    ("first", "second"),
    [("philippe_1", "philippe_2"), ("philippe_1", "librispeech_19_a"), ("sample_1a", "sample_1b")],
)
def test_the_answer_is_that_of_the_library(service: Running, clips: dict[str, bytes], first: str, second: str) -> None:
    answer = ask(service, clips[first], clips[second], far=0.02, prior=0.3)
    told = sv.verify(clips[first], clips[second], model=service.gallery.model, far=0.02, prior=0.3)
    expected = told.to_json() | {"speech": list(told.speech), "warnings": list(told.warnings)}
    assert answer.status_code == 200
    assert answer.json() == expected
    assert answer.headers["cache-control"] == "no-store"


def test_silence_is_no_error_and_says_what_is_missing(service: Running, clips: dict[str, bytes]) -> None:
    answer = ask(service, silence(3), clips["philippe_1"])
    assert answer.status_code == 200
    assert answer.json()["verdict"] == "unsure"
    assert answer.json()["score"] is None
    assert "a: 0.0 s of speech found" in answer.json()["reason"]


def test_no_message_tells_a_path_of_the_machine(service: Running, clips: dict[str, bytes], tmp_path: Path) -> None:
    told = ask(service, silence(3), clips["philippe_1"], names=("/etc/secret/x.wav", "..\\..\\y.wav")).text
    told += ask(service, b"nonsense", b"", names=("../../etc/passwd", "y")).text
    for word in (str(service.service.uploads), "/etc", str(tmp_path.parent)):
        assert word not in told


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"prior": "0"}, 400),
        ({"prior": "nan"}, 400),
        ({"prior": "inf"}, 400),
        ({"far": "nan"}, 400),
        ({"far": "-1"}, 400),
        ({"far": "1e308"}, 400),
        ({"far": "0.0000001"}, 400),
        ({"far": "many"}, 422),
    ],
)
def test_an_option_that_cannot_be_honoured_is_told(
    service: Running, clips: dict[str, bytes], fields: dict[str, str], status: int
) -> None:
    answer = ask(service, clips["philippe_1"], clips["philippe_2"], ("a", "b"), **fields)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == ("config" if status == 400 else "request")


@pytest.mark.parametrize("content", [b"", b"x", b"RIFF\xff\xff\xff\xffWAVE", b"fLaC" + bytes(60), bytes(5000)])
def test_what_is_no_audio_is_told_and_nothing_stays(service: Running, clips: dict[str, bytes], content: bytes) -> None:
    answer = ask(service, clips["philippe_1"], content, names=("a.flac", "b.wav"))
    assert answer.status_code == 422
    assert answer.json()["code"] == "audio"
    assert answer.json()["detail"].startswith("b.wav: ")
    assert list(service.service.uploads.iterdir()) == []


def test_a_missing_file_is_named_and_its_content_is_not_repeated(service: Running) -> None:
    answer = httpx.post(f"{service.url}/v1/verify", data={"first": "private words"})
    assert answer.status_code == 422
    assert [field["where"] for field in answer.json()["fields"]] == ["body.first", "body.second"]
    assert "private" not in answer.text


def test_a_long_clip_is_refused_by_its_header_and_by_its_sound(tmp_path: Path, clips: dict[str, bytes]) -> None:
    with serving(tmp_path, clip_seconds=9.0) as running:
        short, long = clips["philippe_2"], silence(9.5)
        answer = ask(running, short, long, names=("s.flac", "long.wav"))
        assert (answer.status_code, answer.json()["code"]) == (422, "too-long")
        assert answer.json()["limit"] == 9.0
        assert ask(running, short, unmeasured(9.5)).json()["code"] == "too-long"
        assert ask(running, short, unmeasured(8.5)).status_code == 200
        assert ask(running, short, silence(8.5)).status_code == 200
        assert list(running.service.uploads.iterdir()) == []


def test_a_file_that_takes_long_to_decode_is_given_up(tmp_path: Path, clips: dict[str, bytes]) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(200 * 48_000, np.float32), 48_000, format="FLAC", subtype="PCM_16")
    assert len(file.getvalue()) < 1 << 20  # small, and much sound
    with serving(tmp_path, decode_seconds=0.02) as running:
        answer = ask(running, file.getvalue(), clips["philippe_1"], names=("bomb.flac", "b"))
        assert (answer.status_code, answer.json()["code"]) == (422, "decode")
        assert "bomb.flac" in answer.json()["detail"]


def test_a_clip_over_its_own_limit_is_refused_though_the_request_is_not(
    tmp_path: Path, clips: dict[str, bytes]
) -> None:
    with serving(tmp_path, clip_bytes=100_000) as running:
        answer = ask(running, clips["philippe_2"], bytes(150_000), names=("a", "big.wav"))
        assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
        assert "big.wav" in answer.json()["detail"]


def test_models_are_listed_with_their_licences_and_the_one_used(service: Running) -> None:
    found = httpx.get(f"{service.url}/v1/models").json()
    used = [one for one in found if one["used"]]
    assert [one["name"] for one in used] == ["campplus"]
    assert used[0]["installed"] is True
    assert used[0]["fingerprint"] == service.gallery.model.card.fingerprint
    assert all(one["licences"]["weights"] for one in found)
    assert {"campplus", "silero", "segmentation"} <= {one["name"] for one in found}


def test_me_tells_the_limits(service: Running) -> None:
    told = httpx.get(f"{service.url}/v1/me").json()
    assert (told["name"], told["role"], told["keys"]) == ("local", "admin", False)
    assert told["limits"]["clip_bytes"] == service.service.options.clip_bytes
    assert math.isclose(told["fpir"], 0.01)


def test_system_tells_how_it_is(service: Running) -> None:
    told = httpx.get(f"{service.url}/v1/system").json()
    assert told["workers"] == 2
    assert told["uptime"] > 0
    assert 50 < told["memory_mb"] < 4000
    assert told["gallery"].endswith("voices.db")
    assert told["people"] == 0
    assert httpx.get(f"{service.url}/v1/system").json()["requests"] > told["requests"]
