"""Diarization from end to end with the real networks: conversations, names, silence, and a kill half way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

import samevoice as sv
from samevoice.audio.waveform import Samples, Waveform
from samevoice.diarization.clustering import Telling
from samevoice.diarization.diarizer import Diarized, Diarizer, diarize, finish, load_diarizer
from samevoice.diarization.editing import Draft
from samevoice.diarization.hearing import stretches
from samevoice.diarization.scoring import score
from samevoice.diarization.turns import Diarization, Turn
from samevoice.lab.conversation import Conversation, simulate
from samevoice.lab.scene import Scene
from samevoice.models.store import default_folder

RATE = 16_000
VOICES = {"woman": ["librispeech_1255_a.flac"], "man": ["philippe_1.flac", "philippe_2.flac"]}
CHILD = """
import sys
import samevoice as sv
from samevoice.diarization.diarizer import Diarizer, diarize, load_diarizer
from samevoice.diarization.formats import rttm

hear = Diarizer.hear
def told(self, stretch, recording):
    print("heard", stretch.number, file=sys.stderr, flush=True)
    return hear(self, stretch, recording)
Diarizer.hear = told
found = diarize(sys.argv[1], diarizer=load_diarizer(threads=1))
print(rttm.write(found.diarization), end="")
"""


@pytest.fixture(scope="module")
def diarizer() -> Diarizer:
    """The real networks, on one core."""
    return load_diarizer(sv.load_model("campplus", threads=1), threads=1)


@pytest.fixture(scope="module")
def conversation(samples: Path) -> Conversation:
    """Two people talk for 50 s, now and then at once."""
    sources = {name: [str(samples / file) for file in files] for name, files in VOICES.items()}
    scene = Scene(speakers=(2, 2), minutes=(50 / 60, 50 / 60), overlap=0.05, dominance=0.0, rt60=None, seed=3)
    return simulate(sources, scene, detector=sv.load_detector())


@pytest.fixture(scope="module")
def truth(conversation: Conversation) -> Diarization:
    """Who speaks when in it."""
    turns = (Turn(segment.start, segment.end, name) for segment, name in conversation.labels)
    return Diarization(turns, conversation.extent)


@pytest.fixture(scope="module")
def found(diarizer: Diarizer, conversation: Conversation) -> Diarized:
    """What is found in it."""
    return diarize(conversation.waveform(), diarizer=diarizer, name="talk")


def test_two_people_are_told_apart(found: Diarized, truth: Diarization) -> None:
    assert len(found.speakers) == 2
    assert found.counts[0][0] == 2
    assert score(truth, found.diarization, collar=0.25).der < 0.1
    assert score(truth, found.diarization).der < 0.25
    assert found.diarization.recording == "talk"
    assert [one.name for one in found.speakers] == ["speaker-1", "speaker-2"] == list(found.diarization.speakers)
    assert list(found) == list(found.diarization)
    assert len(found) == len(found.diarization)
    assert str(found) == str(found.diarization)


def test_speakers_sound_like_themselves(found: Diarized, samples: Path) -> None:
    model = sv.load_model("campplus", threads=1)
    known = np.stack([model.embed(samples / files[0]).vector for files in VOICES.values()])
    cosines = np.stack([one.embedding.vector for one in found.speakers]) @ known.T
    assert sorted(cosines.argmax(axis=1).tolist()) == [0, 1]
    assert cosines.max(axis=1).min() > 0.6
    assert cosines.min(axis=1).max() < 0.3
    for one in found.speakers:
        assert one.embedding.model == model.card.fingerprint
        assert one.seconds == one.embedding.seconds
        assert 5 < one.seconds <= found.diarization.of(one.name).duration + 0.5


def test_renaming(found: Diarized) -> None:
    named = found.renamed({"speaker-2": "Ann", "nobody": "Bo"})
    assert [one.name for one in named.speakers] == ["speaker-1", "Ann"]
    assert set(named.diarization.speakers) == {"speaker-1", "Ann"}
    assert named.diarization.of("Ann") == found.diarization.of("speaker-2")
    np.testing.assert_array_equal(named.labels, found.labels)
    assert [one.name for one in found.speakers] == ["speaker-1", "speaker-2"]


def test_two_of_one_name_become_one(found: Diarized) -> None:
    one = found.renamed({"speaker-1": "Ann", "speaker-2": "Ann"})
    (ann,) = one.speakers
    assert one.diarization.speakers == ("Ann",)
    assert ann.seconds == pytest.approx(sum(speaker.seconds for speaker in found.speakers))
    assert np.linalg.norm(ann.embedding.vector) == pytest.approx(1.0)
    assert set(one.labels.tolist()) == {0}
    assert one.diarization.speech.duration == pytest.approx(found.diarization.speech.duration)


def test_a_given_number_of_speakers(found: Diarized, diarizer: Diarizer, conversation: Conversation) -> None:
    sound = conversation.waveform()
    single = diarize(sound, diarizer=diarizer, telling=Telling(speakers=1))
    assert len(single.speakers) == 1
    assert single.diarization.speech.duration == pytest.approx(found.diarization.speech.duration, abs=1.0)


def test_stretches_heard_one_by_one(diarizer: Diarizer, conversation: Conversation, found: Diarized) -> None:
    samples = conversation.waveform().samples
    parts = [diarizer.hear(stretch, "talk") for stretch in stretches([samples])]
    assert finish(parts, len(samples) / RATE).diarization == found.diarization


def test_what_is_found_can_be_edited(found: Diarized) -> None:
    draft = Draft.of(found)
    assert draft.diarized.diarization == found.diarization
    named = draft.rename("speaker-1", "Ann")
    moments = [
        (part.start + part.end) / 2
        for part in (found.diarization.of(name).segments[0] for name in ("speaker-1", "speaker-2"))
    ]
    tied = named.together(*moments)
    one, other = ([turn.speaker for turn in tied.diarized if moment in turn.segment] for moment in moments)
    assert one == other
    assert len(named.merge("Ann", "speaker-2").diarized.speakers) == 1
    assert tied.undo().diarized.diarization == found.diarization.renamed({"speaker-1": "Ann"})


@pytest.mark.parametrize("seconds", [1 / RATE, 0.05, 0.3, 1.0, 12.0])
def test_where_nobody_speaks_there_are_no_turns(diarizer: Diarizer, seconds: float) -> None:
    silence: Samples = np.zeros(round(seconds * RATE), dtype=np.float32)
    found = diarize(Waveform(silence, RATE), diarizer=diarizer, telling=Telling(speakers=2))
    assert len(found) == len(found.speakers) == 0
    assert found.counts == ((0, 1.0),)
    assert found.diarization.extent == pytest.approx(seconds, abs=1e-4)
    assert Draft.of(found).names == ()


def test_a_word_is_a_turn(diarizer: Diarizer, speech: Waveform) -> None:
    word = Waveform(np.pad(speech.samples[: RATE * 3 // 2], (RATE, RATE)), RATE)
    found = diarize(word, diarizer=diarizer)
    assert [one.name for one in found.speakers] == ["speaker-1"]
    assert 0.8 < found.diarization.turns[0].start < 1.6


def test_progress_is_told(diarizer: Diarizer, speech: Waveform, tmp_path: Path) -> None:
    path = tmp_path / "speech.wav"
    soundfile.write(path, speech.samples, RATE)
    told: list[float] = []
    found = diarize(path, diarizer=diarizer, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) == 2
    assert found.diarization.recording == "speech"


def child(path: Path, cache: Path) -> subprocess.Popen[str]:
    """A process that diarizes a file."""
    variables = {**os.environ, "SAMEVOICE_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=variables,
    )


def finished(process: subprocess.Popen[str]) -> tuple[str, list[int]]:
    """What a process said at its end, and which stretches it heard."""
    told, heard = process.communicate(timeout=300)
    assert process.returncode == 0, heard
    return told, [int(line.split()[1]) for line in heard.splitlines() if line.startswith("heard")]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="there is no such signal")
def test_a_kill_half_way_changes_nothing(conversation: Conversation, tmp_path: Path) -> None:
    """Five minutes of conversation: killed after the first stretch, it goes on with the second."""
    path, cache = tmp_path / "long.wav", tmp_path / "cache"
    cache.mkdir()
    (cache / "models").symlink_to(default_folder())
    sound = conversation.waveform().samples
    soundfile.write(path, np.tile(sound, 7)[: 305 * RATE], RATE)
    doomed = child(path, cache)
    deadline = time.monotonic() + 200
    while not list(cache.glob("diarize/*/00000.npz")):
        assert doomed.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    doomed.send_signal(signal.SIGKILL)
    doomed.communicate()
    assert doomed.returncode == -signal.SIGKILL
    told, heard = finished(child(path, cache))
    assert heard in ([1, 2], [2])
    assert not list(cache.glob("diarize/*")), "nothing of the voices stays"
    whole, every = finished(child(path, cache))
    assert every == [0, 1, 2]
    assert told == whole
    assert told.count("SPEAKER") > 40
