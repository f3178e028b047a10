"""`samevoice timeline` as a person meets it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
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


@pytest.fixture(scope="module")
def meeting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One person, a pause, another one."""
    path = tmp_path_factory.mktemp("meeting") / "meeting.wav"
    sounds = [soundfile.read(name, dtype="float32")[0] for name in (READER, PHILIPPE)]
    soundfile.write(path, np.concatenate([sounds[0], np.zeros(24_000, dtype=np.float32), sounds[1]]), 16_000)
    return path


def test_a_line_for_each_slice(meeting: Path) -> None:
    done = samevoice("timeline", meeting, "--reference", PHILIPPE_LONGER, "--threads", 1)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout  # no colours in a file
    head, *lines = done.stdout.splitlines()
    assert head.split() == ["time", "speech", "level", "nearest", "voice"]
    assert [line.split()[0] for line in lines[:3]] == ["0:00.00", "0:00.75", "0:01.50"]
    reader = [line for line in lines if "  - " in line]
    philippe = [line for line in lines if "  + " in line and "philippe_1.flac" in line]
    assert len(reader) >= 6
    assert len(philippe) >= 4
    assert lines.index(reader[-1]) < lines.index(philippe[0])
    assert "slices of 1.5 s every 0.75 s" in done.stderr


def test_files_and_a_picture(meeting: Path, tmp_path: Path) -> None:
    lines, picture = tmp_path / "out.jsonl", tmp_path / "out.png"
    done = samevoice("timeline", meeting, "--seeds", "-o", lines, "--picture", picture, "--threads", 1)
    assert (done.returncode, done.stdout) == (0, "")
    head, *slices = (json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines())
    assert (head["length"], head["step"], head["slices"]) == (1.6, 0.5, len(slices))
    assert [one["start"] for one in slices[:3]] == [0.0, 0.5, 1.0]
    assert any(one["embedding"] for one in slices)
    assert picture.read_bytes().startswith(b"\x89PNG")
    bare = tmp_path / "bare.npz"
    done = samevoice("timeline", meeting, "--length", 2, "-o", bare, "--no-embeddings", "--threads", 1)
    assert done.returncode == 0
    with np.load(bare, allow_pickle=False) as file:
        assert "embedding" not in file
        assert file["start"][:3].tolist() == [0.0, 1.0, 2.0]
        assert file["embedded"].any()


def test_people_of_a_gallery(meeting: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMEVOICE_GALLERY_KEY", KEY)
    monkeypatch.delenv("SAMEVOICE_GALLERY_KEY_FILE", raising=False)
    place = tmp_path / "voices.db"
    model = sv.load_model("campplus", threads=1)
    with sv.Gallery(place, model=model, key=MasterKey.from_bytes(bytes.fromhex(KEY))) as gallery:
        gallery.enrol("Philippe", PHILIPPE_LONGER)
        gallery.enrol("Ada", SAMPLES / "sample_1a.mp3")
    done = samevoice("timeline", meeting, "--gallery", place, "--json", "--threads", 1)
    assert done.returncode == 0
    slices = json.loads(done.stdout)["slices"]
    assert {one["name"] for one in slices if one["start"] > 8.5 and one["name"]} == {"Philippe"}
    assert all(one["llr"] < 0 for one in slices if one["name"] and one["end"] < 6.4)
    monkeypatch.setenv("SAMEVOICE_GALLERY", str(place))
    done = samevoice("timeline", meeting, "--people", "--threads", 1)
    assert "  Philippe  + " in done.stdout


@pytest.mark.slow
def test_an_empty_gallery_and_other_mistakes(meeting: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMEVOICE_GALLERY_KEY", KEY)
    sv.Gallery(tmp_path / "voices.db", key=MasterKey.from_bytes(bytes.fromhex(KEY))).close()
    for options, message in (
        (("--gallery", tmp_path / "voices.db"), "nobody is enrolled in this gallery"),
        (("--people", "--reference", PHILIPPE), "exclude each other"),
        (("--seeds", "--length", 2), "leave --length and --step out"),
        (("--length", 0.2), "slices of 0.2 s cannot be"),
        (("--length", 30), "choose another length"),
        (("-o", tmp_path / "out.txt"), "use .jsonl, .npz, .parquet"),
        (("--picture", tmp_path / "out.txt"), "use .png, .svg, .pdf"),
        (("-o", tmp_path / "nowhere" / "out.npz"), "no file can be written here"),
        (("--reference", tmp_path / "nobody.wav"), "no such file"),
    ):
        done = samevoice("timeline", meeting, *options, "--threads", 1)
        assert (done.returncode, done.stdout) == (2, ""), options
        assert message in done.stderr, options
    done = samevoice("timeline", "-", "--reference", "-")
    assert (done.returncode, "only once" in done.stderr) == (2, True)


@pytest.mark.parametrize("content", [b"", b"RIFF\0\0\0\0WAVEfmt ", b"\0" * 4096, b"OggS" + bytes(range(256)) * 8])
def test_hostile_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad\x1b[31m.wav"
    path.write_bytes(content)
    done = samevoice("timeline", path, "-o", tmp_path / "out.jsonl", "--threads", 1)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out.jsonl").exists()


def test_a_file_without_speech(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(32_000), 16_000)
    done = samevoice("timeline", tmp_path / "silence.wav", "--reference", PHILIPPE, "--threads", 1)
    assert done.returncode == 0
    assert done.stdout.splitlines()[1:] == [f"  0:0{at}  {'░' * 10}   {0} %   -200 dB" for at in ("0.00", "0.75")]
    assert "warning: silent" in done.stderr


@pytest.mark.slow
def test_standard_input(meeting: Path) -> None:
    command = [sys.executable, "-m", "samevoice", "timeline", "-", "--json", "--threads", "1"]
    with meeting.open("rb") as file:
        done = subprocess.run(command, stdin=file, capture_output=True, check=True)
    told = json.load(io.BytesIO(done.stdout))
    assert told["recording"] == "standard input"
    assert told["slices"][-1]["end"] == pytest.approx(told["extent"])
