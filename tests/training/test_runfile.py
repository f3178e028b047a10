"""Whose folder a run writes into, and what it is known by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from samevoice.errors import ConfigError
from samevoice.training.runfile import claimed, identity_of, inherited_licences


def test_files_of_something_else_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("my own notes")
    with pytest.raises(ConfigError, match="holds files of something else"), claimed(tmp_path, "a"):
        pass
    assert (tmp_path / "run.json").read_text() == "my own notes"
    with claimed(tmp_path / "..", "a"):  # a folder with files of other names is welcome
        pass


def test_a_run_that_was_refused_makes_room_and_one_that_began_does_not(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"identity": "of another"}))
    with claimed(tmp_path, "a"):
        pass
    (tmp_path / "log.jsonl").write_text("{}\n")
    with pytest.raises(ConfigError, match="choose another --out"), claimed(tmp_path, "a"):
        pass


def test_one_training_at_a_time(tmp_path: Path) -> None:
    refused = pytest.raises(ConfigError, match="another training is at work there")
    with claimed(tmp_path, "a"), refused, claimed(tmp_path, "a"):
        pass
    with claimed(tmp_path, "a"):
        pass


def test_what_else_is_heard_belongs_to_the_run(tmp_path: Path) -> None:
    plain = identity_of({"seed": 1}, "d", {"noises": None})
    noises = tmp_path / "noises"
    noises.mkdir()
    (noises / "a.wav").write_bytes(b"one")
    one = identity_of({"seed": 1}, "d", {"noises": noises})
    (noises / "a.wav").write_bytes(b"another")
    assert len({plain, one, identity_of({"seed": 1}, "d", {"noises": noises})}) == 3


def test_licences_are_inherited(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"licences": ["NC"]}))
    assert inherited_licences(tmp_path, ("big", "MIT")) == {"NC", "MIT (teacher big)"}
    assert inherited_licences(None, None) == set()
    assert inherited_licences(tmp_path / "none", None) == {"unknown (none)"}
