"""The journal, and the folder of a run."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from test_checkpoint import small_disk

from samevoice.errors import ConfigError, ModelError
from samevoice.training.journal import Journal, main_loss, prepare_folder, read_journal, sparse_journal, write_json


def test_rows_come_back_and_what_ran_ahead_is_cut_off(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write({"step": 1, "loss": 0.1 + 0.2})
    kept = journal.position()
    journal.write({"step": 2, "loss": 1e-300})
    journal.close()
    assert list(read_journal(tmp_path)) == [{"step": 1, "loss": 0.1 + 0.2}, {"step": 2, "loss": 1e-300}]
    again = Journal(tmp_path, kept)
    again.write({"step": 2, "loss": 7.0})
    again.close()
    assert [row["loss"] for row in read_journal(tmp_path)] == [0.1 + 0.2, 7.0]
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 3, "lo')  # killed in the middle of a line
    assert len(list(read_journal(tmp_path))) == 2
    Journal(tmp_path, 0).close()
    assert list(read_journal(tmp_path)) == []


def test_a_full_disk_and_no_run_are_sentences(tmp_path: Path) -> None:
    with small_disk(1000):
        journal = Journal(tmp_path)
        journal.write({"step": 1, "text": "x" * 2000})
        with pytest.raises(ModelError, match="make room and start again"):
            journal.position()
        journal.close()  # must not fail once more
        with pytest.raises(ModelError, match="make room"):
            write_json(tmp_path / "a.json", ["x" * 5000])
    with pytest.raises(ModelError, match="holds no run"):
        list(read_journal(tmp_path / "none"))
    with pytest.raises(ValueError, match="JSON compliant"):
        (journal := Journal(tmp_path)).write({"loss": float("nan")})
    journal.close()


def test_the_main_loss_is_that_of_the_first_objective() -> None:
    assert main_loss({"loss": 3.0, "cosine-triplet": 0.2, "penalty": 2.8}, "cosine-triplet") == 0.2
    assert main_loss({"loss": 0.2}, "cosine-triplet") == 0.2
    assert main_loss({"eer": 0.2}, "cosine-triplet") is None


def test_a_folder_is_made_or_refused_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:  # as several processes of one launcher do
        list(pool.map(prepare_folder, [tmp_path / "a" / "b"] * 200))
    assert list((tmp_path / "a" / "b").iterdir()) == []
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").write_text("")
    for name in ("file", "file/run"):
        with pytest.raises(ConfigError, match="choose another folder"):
            prepare_folder(tmp_path / name)
    if os.geteuid():
        (tmp_path / "a").chmod(0o500)
        with pytest.raises(ConfigError, match="choose another folder"):
            prepare_folder(tmp_path / "a" / "c")


def test_json_is_written_whole(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"ä": [1, 2.5, None]})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"ä": [1, 2.5, None]}


def test_a_long_journal_is_thinned_and_keeps_its_validations(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for step in range(1, 1001):
        journal.write({"step": step, "loss": 1.0})
        if step % 100 == 0:
            journal.write({"step": step, "eer": 0.1})
    journal.close()
    rows = sparse_journal(tmp_path, 50)
    assert [row["step"] for row in rows if "eer" in row] == list(range(100, 1001, 100))
    assert 25 <= len(rows) <= 110
    assert [row["step"] for row in rows] == sorted(row["step"] for row in rows)
    assert sparse_journal(tmp_path, 5000) == list(read_journal(tmp_path))
