"""`samevoice diarize` as a person meets it: turns, formats, names, history, and what goes wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from commandline import samevoice

import samevoice as sv
from samevoice.audio.decode import open_recording
from samevoice.audio.resample import mix, waveforms
from samevoice.diarization import formats
from samevoice.diarization.scoring import score
from samevoice.diarization.turns import Diarization, Turn
from samevoice.gallery.crypto import MasterKey

SAMPLES = Path(__file__).parents[2] / "samples"
RATE = 16_000
PAUSE = 0.6
KEY = bytes(range(32)).hex()
PARTS = (  # who speaks, from which recording, from which second on, for how long
    ("Ada", "sample_1b.mp3", 0.0, 5.2),
    ("Reader", "librispeech_1255_a.flac", 0.0, 6.4),
    ("Ada", "sample_1a.mp3", 0.0, 4.1),
    ("Reader", "librispeech_1255_a.flac", 0.0, 6.4),
)


def sound_of(name: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """A sample as 16 kHz."""
    recording = open_recording(SAMPLES / name)
    blocks = waveforms((mix(block) for block in recording.blocks()), recording.info.rate, RATE)
    return np.concatenate([block.samples for block in blocks])


@pytest.fixture(scope="module")
def meeting(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Diarization]:
    """Two people who take turns, and who speaks when."""
    at, turns, parts = PAUSE, [], [np.zeros(round(PAUSE * RATE), dtype=np.float32)]
    for speaker, name, start, seconds in PARTS:
        part = sound_of(name)[round(start * RATE) : round((start + seconds) * RATE)]
        parts += [part * np.float32(0.1 / np.sqrt(np.mean(part**2))), np.zeros(round(PAUSE * RATE), dtype=np.float32)]
        turns.append(Turn(at, at + len(part) / RATE, speaker))
        at += len(part) / RATE + PAUSE
    path = tmp_path_factory.mktemp("meeting") / "talk.wav"
    soundfile.write(path, np.clip(np.concatenate(parts), -1, 1), RATE)
    return path, Diarization(turns, at, "talk")


@pytest.fixture(scope="module")
def ada_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery in which only Ada is enrolled."""
    path = tmp_path_factory.mktemp("gallery") / "voices.db"
    with sv.Gallery(path, model="campplus", threads=1, key=MasterKey.from_bytes(bytes.fromhex(KEY))) as gallery:
        gallery.enrol("Ada", SAMPLES / "sample_1a.mp3")
    return path


@pytest.fixture(autouse=True)
def place(ada_only: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, which all commands use; and no trace of whoever runs the tests."""
    path = tmp_path / "voices.db"
    shutil.copy(ada_only, path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("SAMEVOICE_GALLERY", str(path))
    monkeypatch.setenv("SAMEVOICE_GALLERY_KEY", KEY)
    return path


@pytest.mark.slow
def test_two_people_who_take_turns_are_told_apart(meeting: tuple[Path, Diarization], tmp_path: Path) -> None:
    """The turns are found, whichever way they are written."""
    path, truth = meeting
    for name in ("talk.rttm", "talk.json", "talk.eaf", "talk.srt"):
        done = samevoice("diarize", path, "-o", tmp_path / name, "--threads", "1")
        assert done.returncode == 0, done.stderr
        (found,) = formats.read_file(tmp_path / name)
        assert found.speakers == ("speaker-1", "speaker-2")
        figures = score(truth, found, collar=0.25)
        assert figures.confusion < 0.3
        assert figures.false_alarm < 0.3
        assert figures.der < 0.4  # the silence at both ends of each recording counts as missed
    assert "speakers: 2" in done.stderr


def test_the_words_on_the_screen(meeting: tuple[Path, Diarization]) -> None:
    """A line for each turn, and who speaks how much."""
    done = samevoice("diarize", meeting[0], "--threads", "1")
    lines = done.stdout.splitlines()
    assert len(lines) == len(PARTS)
    assert all("speaker-" in line and "%" in line and " - " in line for line in lines)
    assert [line.split()[-1] for line in lines] == ["speaker-1", "speaker-2"] * 2


def test_json_says_how_many_speak_and_how_sure_that_is(meeting: tuple[Path, Diarization]) -> None:
    content = json.loads(samevoice("diarize", meeting[0], "--json", "--threads", "1").stdout)
    assert content["counts"][0]["speakers"] == 2
    assert sum(one["probability"] for one in content["counts"]) == pytest.approx(1.0)
    assert content["model"].startswith("campplus@")
    assert all(0 <= turn["confidence"] <= 1 for turn in content["turns"])
    assert "recognised" not in content


@pytest.mark.slow
def test_evidence_that_was_kept_answers_anew(meeting: tuple[Path, Diarization], tmp_path: Path) -> None:
    """Without the recording, with another number of speakers, and by the other method."""
    kept = tmp_path / "talk.npz"
    first = samevoice("diarize", meeting[0], "--keep", kept, "-f", "rttm", "--threads", "1")
    assert kept.exists()
    assert samevoice("diarize", kept, "-f", "rttm").stdout == first.stdout
    alone = formats.read(samevoice("diarize", kept, "-f", "rttm", "-n", "1").stdout, "rttm")[0]
    assert len(alone.speakers) == 1
    spectral = formats.read(samevoice("diarize", kept, "-f", "rttm", "--method", "spectral").stdout, "rttm")[0]
    assert len(spectral.speakers) == 2


def test_the_gallery_names_whom_it_knows_and_nobody_else(meeting: tuple[Path, Diarization], place: Path) -> None:
    done = samevoice("diarize", meeting[0], "--people", "--json", "--threads", "1")
    content = json.loads(done.stdout)
    assert {turn["speaker"] for turn in content["turns"]} == {"Ada", "speaker-1"}
    assert [one["known"] for one in content["recognised"]] == ["enrolled", "new"]
    with sv.Gallery(place, create=False) as gallery:
        assert not gallery.recordings()


@pytest.mark.slow
def test_strangers_keep_their_names_and_get_better_ones(meeting: tuple[Path, Diarization], tmp_path: Path) -> None:
    """The second file knows the stranger of the first; naming the stranger names both files."""
    path, _ = meeting
    again = tmp_path / "again.wav"
    sound, rate = soundfile.read(path)
    soundfile.write(again, sound[: 12 * rate], rate)
    for file in (path, again):
        done = samevoice("diarize", file, "--remember", "--json", "--threads", "1")
        assert {turn["speaker"] for turn in json.loads(done.stdout)["turns"]} == {"Ada", "unknown-1"}, done.stderr
    assert samevoice("people", "rename", "unknown-1", "Reader").returncode == 0
    for number in (1, 2):
        rttm = tmp_path / f"{number}.rttm"
        assert samevoice("recordings", "export", number, "-o", rttm).returncode == 0
        assert set(formats.read_file(rttm)[0].speakers) == {"Ada", "Reader"}
    assert samevoice("identify", SAMPLES / "librispeech_1255_a.flac").returncode != 0  # a name is no login


def test_the_same_file_is_remembered_once(meeting: tuple[Path, Diarization], place: Path) -> None:
    for _ in range(2):
        assert samevoice("diarize", meeting[0], "--remember", "--threads", "1").returncode == 0
    with sv.Gallery(place, create=False) as gallery:
        assert len(gallery.recordings()) == 1
        assert {turn.name for turn in gallery.recording(gallery.recordings()[0].id).turns} == {"Ada", "unknown-1"}


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_picture_is_one(meeting: tuple[Path, Diarization], tmp_path: Path, suffix: str) -> None:
    picture = tmp_path / f"talk{suffix}"
    done = samevoice("diarize", meeting[0], "--picture", picture, "-f", "csv", "--threads", "1")
    assert done.returncode == 0, done.stderr
    content = picture.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n" if suffix == ".png" else b"<svg" in content[:2_000]


@pytest.mark.parametrize("seconds", [0.01, 1.0, 12.0])
def test_nobody_speaks_in_silence(tmp_path: Path, seconds: float) -> None:
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(round(seconds * RATE)), RATE)
    done = samevoice("diarize", path, "-f", "rttm", "--threads", "1")
    assert (done.returncode, done.stdout) == (0, "")
    assert "nobody speaks" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-n", "0"), "1 or more"),
        (("--least", "4", "--most", "2"), "cannot be told apart"),
        (("--method", "magic"), "choose agglomerative or spectral"),
        (("-f", "docx"), "unknown; choose one of"),
        (("-o", "turns.docx"), "suffix"),
        (("-o", "nowhere/turns.rttm"), "no file can be written"),
        (("--keep", "turns.rttm"), ".npz"),
        (("--expires", "30"), "--remember"),
        (("--people", "--fpir", "2"), "false-positive rate"),
        (("--threads", "1", "--model", "silero"), "speaker embeddings"),
    ],
)
def test_wrong_options_end_in_one_sentence(
    meeting: tuple[Path, Diarization],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = samevoice("diarize", meeting[0], *arguments)
    assert done.returncode == 2
    assert words.lower() in done.stderr.lower()
    assert len(done.stderr.strip().splitlines()) == 1


def test_what_is_no_recording_and_no_evidence(tmp_path: Path) -> None:
    for name, content in (("noise.wav", b"RIFFgarbage"), ("noise.npz", b"PK\x03\x04garbage"), ("empty.npz", b"")):
        path = tmp_path / name
        path.write_bytes(content)
        done = samevoice("diarize", path)
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1
    assert samevoice("diarize", tmp_path / "missing.wav").returncode == 2
