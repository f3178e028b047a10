"""A timeline in files: every format says what the table says, and nothing is left of a file that failed."""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from slicemakers import MODEL, made

import samevoice as sv
from samevoice.timelines.outputs import write_table


def read(path: Path) -> tuple[dict[str, object], list[dict[str, object]]]:
    """What a file says: on the whole, and of each slice, with an embedding as numbers."""
    if path.suffix == ".jsonl":
        first, *lines = (json.loads(line) for line in path.read_bytes().splitlines())
        for line in lines:
            if line.get("embedding") is not None:
                line["embedding"] = np.frombuffer(base64.b64decode(line["embedding"]), "<f4").tolist()
        return first, lines
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        return json.loads(table.schema.metadata[b"samevoice"]), table.to_pylist()
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    columns = {key: column.tolist() for key, column in arrays.items() if column.ndim and key != "warnings"}
    lines = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    for line in lines:
        if not line["embedded"]:
            line.update(dict.fromkeys({"name", "cosine", "llr", "embedding"} & set(line)))
    return {key: value.tolist() for key, value in arrays.items() if key not in columns}, lines


@pytest.mark.parametrize("suffix", [".jsonl", ".npz", ".parquet"])
@pytest.mark.parametrize("embeddings", [True, False])
@pytest.mark.parametrize("voices", [True, False])
def test_a_file_says_what_the_table_says(tmp_path: Path, suffix: str, embeddings: bool, voices: bool) -> None:
    table = made(voices=voices)
    path = tmp_path / f"out{suffix}"
    write_table(table, path, embeddings=embeddings)
    about, lines = read(path)
    assert about == {
        "timeline": 1,
        "recording": "a\\udcffb.wav",
        "model": MODEL,
        "extent": 4.5,
        "length": 1.5,
        "step": 0.75,
        "slices": 5,
        "warnings": ["noisy\\udcff"],
    }
    assert len(lines) == 5
    names = ["Ada", None, 'B"ob\n\\udcff', None]
    for row, (line, one) in enumerate(zip(lines, table, strict=True)):
        numbers = [line[key] for key in ("start", "end", "speech", "share", "level_dbfs")]
        assert numbers == pytest.approx([one.start, one.end, one.probability, one.share, one.level_dbfs], abs=0.005)
        assert ("embedding" in line) == embeddings
        if embeddings and one.embedding:
            assert line["embedding"] == one.embedding.vector.tolist()
        elif embeddings:
            assert line["embedding"] is None
        assert ("cosine" in line) == voices
        if voices and row < 4:
            assert line["name"] == names[row]
        if voices and one.likeness:
            assert [line["cosine"], line["llr"]] == pytest.approx([one.likeness.cosine, one.likeness.llr], abs=1e-4)
        elif voices:
            assert line["cosine"] is line["llr"] is None
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".jsonl", ".npz", ".parquet"])
def test_a_model_without_calibration_writes_no_evidence(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    write_table(made(calibrated=False), path)
    _, lines = read(path)
    assert [line.get("llr") for line in lines] == [None] * 5
    assert lines[0]["cosine"] == pytest.approx(1.0)


@pytest.mark.parametrize("suffix", [".jsonl", ".npz", ".parquet"])
def test_no_slice_embedded(tmp_path: Path, suffix: str) -> None:
    plain = made(voices=False)
    path = tmp_path / f"out{suffix}"
    write_table(replace(plain, vectors=np.zeros_like(plain.vectors)), path)
    _, lines = read(path)
    assert [line["embedding"] for line in lines] == [None] * 5


def test_what_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(sv.ConfigError, match=r"use \.jsonl, \.npz, \.parquet"):
        write_table(made(), tmp_path / "out.csv")
    with pytest.raises(sv.ConfigError, match="cannot be written"):
        write_table(made(), tmp_path / "nowhere" / "out.jsonl")
    old = tmp_path / "out.jsonl"
    old.write_text("kept")
    broken = replace(made(), extent=float("nan"))  # refused by JSON in the middle of the work
    with pytest.raises(ValueError, match="JSON compliant"):
        write_table(broken, old)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("out.jsonl", "kept")]
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(sv.ConfigError, match=r"pip install 'samevoice\[scale\]'"):
        write_table(made(), tmp_path / "out.parquet")
