"""`samevoice simulate` on real recordings: sound, labels and facts that agree."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from commandline import samevoice


@pytest.fixture(scope="module")
def voices(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each of three speakers."""
    root = tmp_path_factory.mktemp("voices")
    for name in ("librispeech_1255", "librispeech_19", "philippe"):
        (root / name).mkdir()
        for path in samples.glob(f"{name}_*"):
            shutil.copy(path, root / name)
    return root


def simulated(voices: Path, output: Path, *options: object) -> list[dict[str, Any]]:
    done = samevoice("simulate", voices, "-o", output, "--minutes", "0.8-1", "--json", *options)
    assert done.returncode == 0, done.stderr
    made: list[dict[str, Any]] = json.loads(done.stdout)["conversations"]
    return made


def test_sound_labels_and_facts_agree(voices: Path, tmp_path: Path) -> None:
    made = simulated(voices, tmp_path, "--count", 2, "--speakers", "2", "--snr", "none", "--reverb", "none")
    assert {path.name for path in tmp_path.iterdir()} == {
        f"conversation-000{n}.{kind}" for n in (1, 2) for kind in ("flac", "rttm", "json")
    }
    for one in made:
        name = one["recording"]
        assert one == json.loads((tmp_path / f"{name}.json").read_text())
        assert 48 <= one["seconds"] <= 60
        assert one["scene"]["snr"] is None
        sound, rate = soundfile.read(tmp_path / f"{name}.flac")
        assert len(sound) / rate == one["seconds"]
        spoken = np.zeros(len(sound), dtype=bool)
        seconds: dict[str, float] = {}
        for line in (tmp_path / f"{name}.rttm").read_text().splitlines():
            kind, recording, _, start, length, *_ = fields = line.split()
            assert (kind, recording) == ("SPEAKER", name)
            first, last = round(float(start) * rate), round((float(start) + float(length)) * rate)
            spoken[first:last] = True
            seconds[fields[7]] = seconds.get(fields[7], 0) + float(length)
        assert seconds == pytest.approx({who["name"]: who["seconds"] for who in one["speakers"]}, abs=0.1)
        # All that is louder than a breath lies where somebody is said to speak.
        assert np.sum(sound[spoken] ** 2) > 0.9995 * np.sum(sound**2)
        assert one["overlap"] == pytest.approx(0.1, abs=0.02)


def test_the_same_seed_gives_the_same_files(voices: Path, tmp_path: Path) -> None:
    for folder, seed in (("a", 5), ("b", 5), ("c", 6)):
        simulated(voices, tmp_path / folder, "--seed", seed, "--format", "wav", "--codec", "ulaw")
    files = {name: [path.read_bytes() for path in sorted((tmp_path / name).iterdir())] for name in "abc"}
    assert files["a"] == files["b"]
    assert all(ours != theirs for ours, theirs in zip(files["a"], files["c"], strict=True))


def test_noise_and_rooms_come_from_folders(voices: Path, tmp_path: Path) -> None:
    for name, sound in (("noise", np.sin(np.arange(8_000))), ("rooms", np.array([1.0, 0.0, 0.3]))):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "one.wav", sound, 16_000)
    (one,) = simulated(
        voices, tmp_path / "out", "--noise", tmp_path / "noise", "--rooms", tmp_path / "rooms", "--snr", "3"
    )
    assert one["rt60"] is None
    assert one["snr"] == 3
    sound, rate = soundfile.read(tmp_path / "out" / "conversation-0001.flac")
    assert np.abs(np.fft.rfft(sound)).argmax() * rate / len(sound) == pytest.approx(rate / (2 * np.pi), abs=1)


def test_words_name_the_files_and_what_was_used_twice(voices: Path, tmp_path: Path) -> None:
    done = samevoice("simulate", voices, "-o", tmp_path / "new", "--speakers", 3, "--minutes", 2)
    assert done.returncode == 0
    assert "conversation-0001.flac  120 s, 3 speakers, " in done.stdout
    assert "have to say things twice" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--speakers", "2-9"), "9 speakers are asked for, but recordings of 3 are given; add others"),
        (("--speakers", "two"), "--speakers takes a number or two with a dash between, such as 2 or 2-8, got 'two'"),
        (("--speakers", "2.5"), "--speakers counts people, got 2.5"),
        (("--minutes", "0.2"), "0.2 min are too short for 3 speakers"),
        (("--overlap", "0.9"), "overlap must be a number at least 0 and at most 0.4, got 0.9"),
        (("--format", "mp3"), "--format 'mp3' is unknown; use one of flac, wav"),
        (("--count", "0"), "--count must be a whole number from 1 to 10000, got 0"),
        (("--snr", "none", "--noise", "."), "--noise has no effect with --snr none"),
        (("--codec", "tape"), "codec 'tape' is unknown"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    options: tuple[str, ...], message: str, voices: Path, tmp_path: Path
) -> None:
    done = samevoice("simulate", voices, "-o", tmp_path / "out", "--speakers", "2-3", *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_over(voices: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = samevoice("simulate", voices, "-o", tmp_path)
    assert done.returncode == 2
    assert "is not empty; give a new folder" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_speakers_without_speech_and_bad_names_are_named(voices: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    shutil.copytree(voices, root)
    (root / "quiet").mkdir()
    soundfile.write(root / "quiet" / "a.wav", np.zeros(16_000), 16_000)
    done = samevoice("simulate", root, "-o", tmp_path / "out", "--speakers", 4)
    assert done.returncode == 2
    assert "quiet: no speech was found in its recording; leave this speaker out" in done.stderr
    (root / "quiet").rename(root / "new\nline")
    done = samevoice("simulate", root, "-o", tmp_path / "more", "--speakers", 2)
    assert done.returncode == 2
    assert "has control characters in the name; rename the folder" in done.stderr
