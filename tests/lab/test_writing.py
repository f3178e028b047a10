"""Conversations in files: what was mixed is what is read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from talkers import RATE, detector, people

from samevoice.errors import ConfigError
from samevoice.lab import Conversation, Scene, simulate
from samevoice.lab.writing import write_sound


@pytest.fixture(scope="module")
def conversation() -> Conversation:
    return simulate(people(2), Scene(speakers=(2, 2), minutes=(0.8, 0.8)), detector=detector())


@pytest.mark.parametrize("kind", ["flac", "wav", "FLAC"])
def test_files_hold_the_conversation(kind: str, conversation: Conversation, tmp_path: Path) -> None:
    done: list[float] = []
    write_sound(conversation, tmp_path / f"one.{kind}", done.append)
    sound, rate = soundfile.read(tmp_path / f"one.{kind}", dtype="float32")
    assert rate == RATE
    np.testing.assert_allclose(sound, conversation.waveform().samples, atol=1.01 / 32_768)
    assert done == [20.0, 40.0, 48.0]
    assert [path.name for path in tmp_path.iterdir()] == [f"one.{kind}"]


def test_what_cannot_be_written_is_one_sentence(conversation: Conversation, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"one\.ogg: conversations are written as flac or wav"):
        write_sound(conversation, tmp_path / "one.ogg")
    with pytest.raises(ConfigError, match=r"one\.wav: cannot be written \(No such file"):
        write_sound(conversation, tmp_path / "missing" / "one.wav")
    assert not list(tmp_path.iterdir())
