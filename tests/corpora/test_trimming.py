"""Trimming: silence around speech goes, speech and pauses stay, and nothing is lost in silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from commandline import samevoice

from samevoice.corpora.manifest import Manifest
from samevoice.corpora.opening import open_corpus
from samevoice.corpora.sounds import Sounds
from samevoice.corpora.storage import load_manifest
from samevoice.corpora.trimming import MARGIN, trim
from samevoice.errors import ConfigError
from samevoice.models import store
from samevoice.speech.tinyvad import TinyVad

RATE = 16_000
BEFORE, AFTER = 2.5, 1.5  # seconds of silence around


@pytest.fixture
def clips(tmp_path: Path, samples: Path) -> Path:
    """A recording with silence around its speech, one of silence alone, and one that breaks off."""
    speech, rate = soundfile.read(samples / "librispeech_1255_a.flac", frames=4 * RATE, dtype="int16")
    assert rate == RATE
    root = tmp_path / "clips" / "anna"
    root.mkdir(parents=True)
    padded = np.concatenate([np.zeros(round(BEFORE * RATE)), speech, np.zeros(round(AFTER * RATE))]).astype(np.int16)
    soundfile.write(root / "padded.wav", padded, RATE)
    soundfile.write(root / "silent.wav", np.zeros(3 * RATE, dtype=np.int16), RATE)
    soundfile.write(root / "broken.flac", padded, RATE)
    return root.parent


@pytest.fixture
def corpus(clips: Path) -> Manifest:
    """The clips as they were scanned; one was damaged after that."""
    found = open_corpus(clips).manifest
    broken = clips / "anna" / "broken.flac"
    broken.write_bytes(broken.read_bytes()[:2_000])
    return found


def detector() -> TinyVad:
    return TinyVad(store.load("vad")[1])


def test_an_utterance_begins_and_ends_with_its_speech(corpus: Manifest) -> None:
    told: list[float] = []
    trimmed = trim(corpus, detector(), progress=told.append)
    (kept,) = trimmed.manifest
    assert kept.path.endswith("padded.wav")
    assert BEFORE - 2 * MARGIN < kept.start < BEFORE + 1.0
    assert kept.start + kept.seconds < BEFORE + 4 + 2 * MARGIN
    assert kept.seconds > 2.5
    assert trimmed.silent == 1
    (problem,) = trimmed.problems
    assert problem.path.endswith("broken.flac")
    assert told == sorted(told)
    assert told[-1] == pytest.approx(corpus.seconds)


def test_what_is_trimmed_sounds_like_that_place_of_the_file(corpus: Manifest) -> None:
    (kept,) = trim(corpus, detector()).manifest
    whole, _ = soundfile.read(corpus.root / kept.path, dtype="float32")
    heard = Sounds(corpus.root, RATE).read(kept)
    first = round(kept.start * RATE)
    np.testing.assert_array_equal(heard, whole[first : first + len(heard)])
    assert len(heard) == pytest.approx(kept.seconds * RATE, abs=1)


def test_trimming_twice_changes_hardly_anything(corpus: Manifest) -> None:
    once = trim(corpus, detector()).manifest
    (again,), (kept,) = trim(once, detector()).manifest, once
    assert again.start == pytest.approx(kept.start, abs=0.15)
    assert again.seconds == pytest.approx(kept.seconds, abs=0.3)


def test_speech_that_is_too_short_is_left_out_and_counted(corpus: Manifest) -> None:
    trimmed = trim(corpus, detector(), least=10.0)
    assert len(trimmed.manifest) == 0
    assert trimmed.silent == 2


@pytest.mark.parametrize("least", [0.0, -1.0, float("nan")])
def test_a_least_that_cannot_be(corpus: Manifest, least: float) -> None:
    with pytest.raises(ConfigError, match="least seconds of speech"):
        trim(corpus, detector(), least=least)


def test_the_command_writes_a_manifest_that_others_read(clips: Path, tmp_path: Path) -> None:
    output = tmp_path / "speech.jsonl"
    done = samevoice("data", "trim", clips, "-o", output)
    assert done.returncode == 0, done.stderr
    assert "1 without speech left out" in done.stdout
    assert {Path(one.path).stem for one in load_manifest(output)} == {"padded", "broken"}


def test_the_command_leaves_out_a_corpus_of_a_table(clips: Path, tmp_path: Path) -> None:
    rows = ["path\tspeaker\tsource", "anna/padded.wav\tanna\tgood", "anna/broken.flac\tbo\tbad"]
    (clips / "manifest.tsv").write_text("\n".join(rows) + "\n")
    output = tmp_path / "speech.jsonl"
    done = samevoice("data", "trim", clips, "-o", output, "--leave-out", "bad")
    assert done.returncode == 0, done.stderr
    assert [one.corpus for one in load_manifest(output)] == ["good"]
    refused = samevoice("data", "trim", clips, "-o", output, "--leave-out", "worse")
    assert refused.returncode == 2
    assert "no utterance is of the corpus 'worse'" in refused.stderr
    assert "Traceback" not in refused.stderr
