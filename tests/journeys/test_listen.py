"""`samevoice listen` as a person meets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from commandline import samevoice

import samevoice as sv
from samevoice.gallery.crypto import MasterKey

SAMPLES = Path(__file__).parents[2] / "samples"
READER, PHILIPPE, PHILIPPE_LONGER = (
    SAMPLES / f"{name}.flac" for name in ("librispeech_1255_a", "philippe_2", "philippe_1")
)
KEY = bytes(range(32)).hex()
RATE = 16_000


@pytest.fixture(scope="module")
def meeting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One person, a pause, another one."""
    path = tmp_path_factory.mktemp("meeting") / "meeting.wav"
    sounds = [soundfile.read(name, dtype="float32")[0] for name in (READER, PHILIPPE)]
    soundfile.write(path, np.concatenate([sounds[0], np.zeros(24_000, dtype=np.float32), sounds[1]]), RATE)
    return path


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A gallery that knows Philippe."""
    path = tmp_path_factory.mktemp("gallery") / "people.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAMEVOICE_GALLERY_KEY", KEY)
        with sv.Gallery(path, key=MasterKey.from_bytes(bytes.fromhex(KEY))) as gallery:
            gallery.enrol("Philippe Ö", PHILIPPE_LONGER)
        yield path


def bare(path: Path) -> bytes:
    """16-bit samples of a recording."""
    content: bytes = soundfile.read(path, dtype="int16")[0].tobytes()
    return content


@pytest.mark.slow
def test_a_replayed_file_gets_the_turns_of_diarize(meeting: Path, people: Path, tmp_path: Path) -> None:
    live, offline = tmp_path / "live.rttm", tmp_path / "offline.rttm"
    options = ["--gallery", people, "--threads", 1]
    done = samevoice("listen", meeting, "--speed", 0, "-o", live, *options)
    assert done.returncode == 0, done.stderr
    assert samevoice("diarize", meeting, "-o", offline, *options).returncode == 0
    assert live.read_text(encoding="utf-8") == offline.read_text(encoding="utf-8") != ""
    said, answer = done.stdout.split("who spoke when:")
    assert "\x1b" not in done.stdout
    assert [line.split()[-7:-5] for line in said.splitlines() if "Philippe" in line] == [["Philippe", "Ö"]]
    assert answer.count("Philippe Ö") == 1
    assert "Ctrl-C ends it" in done.stderr


@pytest.mark.slow
def test_json_lines_from_a_pipe(meeting: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "samevoice", "listen", "-", "--json", "--threads", "1"],
        input=bare(meeting) + b"\0",
        capture_output=True,
        check=True,
        timeout=60,
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [one["event"] for one in events]
    assert kinds[0] == "speech"
    assert kinds[-1] == "end"
    assert {"identity", "note"} <= set(kinds)
    assert [one["name"] for one in events if one["event"] == "identity" and one["known"] == "here"] == [
        "speaker-1",
        "speaker-2",
    ]
    assert "ends within a sample" in next(one["text"] for one in events if one["event"] == "note")
    assert events[-1]["diarization"]["extent"] == pytest.approx(soundfile.info(meeting).duration)
    assert {turn["speaker"] for turn in events[-1]["diarization"]["turns"]} == {"speaker-1", "speaker-2"}
    assert done.stderr == b""


@pytest.mark.slow
def test_stereo_at_another_rate(tmp_path: Path) -> None:
    sound = np.repeat(np.frombuffer(bare(PHILIPPE), dtype="<i2"), 2)  # at half the rate of a copy of each sample
    done = subprocess.run(
        [sys.executable, "-m", "samevoice", "listen", "-", "--json", "--rate", str(RATE), "--channels", "2"],
        input=sound.tobytes(),
        capture_output=True,
        check=True,
        timeout=60,
        cwd=tmp_path,
    )
    end = json.loads(done.stdout.splitlines()[-1])
    assert end["diarization"]["extent"] == pytest.approx(soundfile.info(PHILIPPE).duration)
    assert end["speech"] > 2


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_signal_ends_it_with_the_answer(meeting: Path, tmp_path: Path, number: signal.Signals) -> None:
    output = tmp_path / "out.json"
    line = [sys.executable, "-m", "samevoice", "listen", "-", "--json", "-o", str(output), "--threads", "1"]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(bare(meeting))
        process.stdin.flush()  # and it stays open
        for told in process.stdout:
            if json.loads(told).get("name") == "speaker-2":
                break
        process.send_signal(number)
        rest, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, b"")
    assert json.loads(rest.splitlines()[-1])["event"] == "end"
    assert len(json.loads(output.read_text(encoding="utf-8"))["turns"]) >= 2


@pytest.mark.slow
def test_a_file_that_grows(meeting: Path, tmp_path: Path) -> None:
    path = tmp_path / "growing.wav"
    sound, _ = soundfile.read(meeting, dtype="int16")
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        file.write(sound[:RATE])
        file.flush()
        line = [sys.executable, "-m", "samevoice", "listen", str(path), "--follow", "--idle", "2", "--json"]
        with subprocess.Popen(line, stdout=subprocess.PIPE) as process:
            for start in range(RATE, len(sound), RATE):
                time.sleep(0.1)
                file.write(sound[start : start + RATE])
                file.flush()
            told, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    end = json.loads(told.splitlines()[-1])
    assert end["diarization"]["extent"] == pytest.approx(len(sound) / RATE)


@pytest.mark.slow
def test_waiting_costs_next_to_nothing(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")  # not on Windows
    path = tmp_path / "still.wav"
    soundfile.write(path, np.zeros(RATE, dtype=np.int16), RATE)
    spent = []
    for idle in ("0.2", "3.2"):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        line = [sys.executable, "-m", "samevoice", "listen", str(path), "--follow", "--idle", idle, "--threads", "1"]
        subprocess.run(line, check=True, capture_output=True, timeout=60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert spent[1] - spent[0] < 1.0  # of three seconds of waiting, and starting takes not always the same


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.wav"], "no such file"),
        (["missing.wav", "--follow"], "No such file"),
        ([READER, "--follow"], "only WAV files"),
        ([READER, "--rate", 8_000], "bare samples"),
        ([READER, "--idle", 3], "--follow"),
        ([READER, "--device", "x"], "microphone"),
        ([READER, "--follow", "--speed", 1], "--speed"),
        ([READER, "--speed", -1], "speed"),
        (["-", "--speed", 1], "--speed"),
        (["-", "--follow"], "--follow"),
        (["-", "--rate", 10], "10 Hz"),
        (["-", "--channels", 0], "channels"),
        ([READER, "-o", "out.doc"], "suffix"),
        ([READER, "--format", "rttm"], "--output"),
        ([READER, "--fpir", 0], "fraction"),
        ([READER, "-n", 0], "speakers"),
        ([READER, "--gallery", "nobody.db"], "nobody.db"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    arguments: list[object], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = samevoice("listen", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_microphone_needs_its_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Which is said before anybody is sent for models."""
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    monkeypatch.setenv("SAMEVOICE_CACHE", str(tmp_path))
    done = samevoice("listen")
    assert done.returncode == 2
    assert "pip install 'samevoice[mic]'" in done.stderr
