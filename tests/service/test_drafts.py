"""Drafts on disk: every step back and forth, within a second for an hour of meeting."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from samevoice.diarization.clustering import tell
from samevoice.diarization.diarizer import told_apart
from samevoice.diarization.editing import Draft
from samevoice.diarization.evidence import TRACKS, Evidence
from samevoice.errors import ConfigError, DataError
from samevoice.service.edits import OPEN, STEPS, Drafts, load, save, shown
from samevoice.service.jobfiles import Folder
from samevoice.speech.segmentation import FRAMES, STEP

DIMENSION = 192


def meeting(seconds: float, people: int = 5) -> Evidence:
    """Two of some people speak in each window, one after the other."""
    random = np.random.default_rng(5)
    basis, _ = np.linalg.qr(random.standard_normal((DIMENSION, people)))
    count = int(seconds / 5) - 1
    tracks = np.zeros((count, FRAMES, TRACKS), dtype=np.uint8)
    tracks[:, : FRAMES // 2, 0] = tracks[:, FRAMES // 2 :, 1] = tracks[:, :, 3] = 255
    owners = np.array([random.choice(people, 2, replace=False) for _ in range(count)]).ravel()
    vectors = basis.T[owners] + 0.3 * random.standard_normal((2 * count, DIMENSION)) / np.sqrt(DIMENSION)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Evidence(
        recording="meeting.wav",
        extent=seconds,
        model="test",
        firsts=np.arange(count, dtype=np.int64) * STEP,
        tracks=tracks,
        windows=np.repeat(np.arange(count), 2).astype(np.int64),
        voices=np.tile([0, 1], count).astype(np.int64),
        seconds=np.full(2 * count, 4.0, dtype=np.float32),
        vectors=vectors.astype(np.float32),
        starts=np.arange(0, seconds - 2, 0.5, dtype=np.float32),
        span_vectors=np.tile(vectors[0], (len(np.arange(0, seconds - 2, 0.5)), 1)).astype(np.float16),
    )


def kept(place: Path, evidence: Evidence) -> Folder:
    """The folder of a job that is done."""
    place.mkdir()
    folder = Folder(place)
    evidence.save(folder.evidence)
    save(Draft.of(told_apart(evidence, tell(evidence, None))), folder)
    return folder


def test_every_step_is_kept_up_to_a_bound(tmp_path: Path) -> None:
    folder = kept(tmp_path / "job", meeting(60.0))
    drafts = Drafts()
    first = drafts.read(folder).names[0]
    for turn in range(STEPS + 5):
        drafts.edit(folder, lambda draft, turn=turn: draft.rename(draft.names[0], f"name {turn}"))  # type: ignore[misc]
    back = Drafts()
    for turn in reversed(range(5, STEPS + 4)):
        assert back.edit(folder, Draft.undo).names[0] == f"name {turn}"
    assert back.edit(folder, Draft.undo).names[0] == "name 4"
    assert not back.edit(folder, Draft.undo).past
    forth = Drafts().read(folder)
    assert forth.redo().names[0] == "name 5"
    assert first not in forth.names


def test_an_edit_that_cannot_be_made_leaves_the_file_alone(tmp_path: Path) -> None:
    folder = kept(tmp_path / "job", meeting(60.0))
    before = folder.edits.read_bytes()
    drafts = Drafts()
    with pytest.raises(ConfigError):
        drafts.edit(folder, lambda draft: draft.rename("nobody", "Ann"))
    drafts.edit(folder, Draft.undo)
    assert folder.edits.read_bytes() == before


def test_more_drafts_than_are_held(tmp_path: Path) -> None:
    evidence = meeting(60.0)
    folders = [kept(tmp_path / f"job{number}", evidence) for number in range(OPEN + 3)]
    drafts = Drafts()
    for folder in [*folders, *folders]:
        drafts.edit(folder, lambda draft: draft.rename(draft.names[0], f"{draft.names[0]}x"))
    assert all(len(load(folder).past) == 2 for folder in folders)


@pytest.mark.parametrize("key", ["version", "now", "past", "future"])
@pytest.mark.parametrize("value", [None, 7, "text", [1], {"a": 1}])
def test_damaged_steps_are_refused(tmp_path: Path, key: str, value: object) -> None:
    folder = kept(tmp_path / "job", meeting(60.0))
    content = json.loads(folder.edits.read_text())
    folder.edits.write_text(json.dumps({**content, key: value}))
    with pytest.raises(DataError):
        load(folder)


def test_an_hour_is_edited_within_a_second(tmp_path: Path) -> None:
    folder = kept(tmp_path / "job", meeting(3_600.0))
    drafts = Drafts()
    for turn in range(STEPS):
        drafts.edit(folder, lambda draft, turn=turn: draft.rename(draft.names[0], f"name {turn}"))  # type: ignore[misc]
    began = time.process_time()
    edited = drafts.edit(folder, lambda draft: draft.with_speakers(3))
    shown(edited)
    took = time.process_time() - began
    assert len(edited.names) == 3
    assert took < 1.0
