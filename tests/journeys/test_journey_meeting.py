"""Journey of an analyst: a meeting, its speakers named, corrected and exported; docs/tutorials/meeting.md.

The meeting is short and simulated, so that its truth is known.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pagefiles import SAMPLES, prepare
from pages import Walk
from sockets import free_port

import samevoice as sv
from samevoice.diarization import formats
from samevoice.diarization.scoring import score

VOICES = {
    "ann": ("librispeech_1255_a.flac",),
    "carl": ("sample_2.mp3",),
    "philippe": ("philippe_2.flac", "philippe_1.flac"),
}


@pytest.mark.slow
def test_an_analyst_gets_named_speakers(tmp_path: Path) -> None:
    prepare(tmp_path, "samples/")
    for name, files in VOICES.items():
        (tmp_path / "voices" / name).mkdir(parents=True)
        for file in files:
            shutil.copy(SAMPLES / file, tmp_path / "voices" / name)
    with Walk("docs/tutorials/meeting.md", tmp_path, {"8750": free_port()}) as walk:
        walk.run(until="samevoice score-diarization")
        (truth,) = formats.read_file(tmp_path / "practice" / "conversation-0001.rttm")
        named = {kind: formats.read_file(tmp_path / f"meeting.{kind}")[0] for kind in ("srt", "TextGrid", "csv")}
        for one in named.values():
            assert {"Philippe", "Ann Lee"} <= {turn.speaker for turn in one}
        (guess,) = formats.read_file(tmp_path / "meeting.rttm")
        assert score(truth, guess, collar=0.25, overlap=True).der < 0.3
        walk.run()
        with walk.here(), sv.Gallery() as gallery:
            assert "Ann Lee" not in [person.name for person in gallery.people()]
            assert gallery.recordings() == []
