"""The page of the benchmark suite says what is in its JSON, and what is missing."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]

Json = dict[str, Any]


def accuracy_row(system: str, piece: str, condition: str, eer: float, **more: Any) -> Json:
    return {
        "piece": piece,
        "condition": condition,
        "system": system,
        "speakers": 50,
        "left_out": 0,
        "targets": 100,
        "non_targets": 4_850,
        "eer": eer,
        "low": eer / 2,
        "high": eer * 2,
        "least_cosine": None,
        **more,
    }


def part(**more: Any) -> Json:
    return {"settings": {}, "at": "2026-01-02T03:04:05+00:00", "seconds": 7, "load": 0.1, "missing": [], **more}


@pytest.fixture
def result() -> Json:
    rows = [
        accuracy_row(system, piece, condition, eer * factor)
        for condition, factor in (("as recorded", 1), ("room", 3))
        for piece, eer_of in (("3 s", {"tiny": 2.0, "large": 1.0}), ("1 s", {"tiny": 8.0, "large": 6.0}))
        for system, eer in eer_of.items()
    ]
    rows.append(accuracy_row("tiny, onnxruntime alone", "3 s", "as recorded", 2.0, least_cosine=0.99991))
    clips = [
        {"system": name, "threads": 1, "network_ms": net, "whole_ms": all_, "real_time_factor": all_ / 3000}
        for name, net, all_ in (("tiny", 5.0, 8.0), ("large", 25.0, 32.0))
    ]
    crowds = [{"system": name, "processes": 2, "per_second": rate} for name, rate in (("tiny", 200.0), ("large", 50.0))]
    costs = {"import_s": 0.1, "load_s": 0.2, "first_ms": 12, "model_mb": 5.9, "installed_mb": 1234}
    footprint = [
        {"system": name, "peak_mb": peak, "versions": {"numpy": "2"}, **costs}
        for name, peak in (("tiny", 100), ("large", 250))
    ]
    search = {
        "title": "",
        "columns": ["people", "search", "p50 ms", "p95 ms"],
        "rows": [["10,000", "samevoice", "0.50", "0.6"], ["10,000", "other", "2.00", "3"]],
    }
    rules = {
        "title": "all: 12 excerpts",
        "columns": ["who", "collar", "overlap", "DER %", "miss %", "false alarm %", "confusion %", "JER %"],
        "rows": [["samevoice", "0", "scored", "31.0 [1, 2]", "20.0 [1, 2]", "4.0", "7.0", "60"]],
    }
    rates = [["samevoice", "1", "0.02"], ["peer", "2", "0.05"]]
    real_time = {"title": "", "columns": ["who", "s", "real-time factor"], "rows": rates}
    here = {"cpu": "A processor", "cores": 2, "system": "Linux", "python": "3.11", "samevoice": "9.9", "libraries": {}}
    return {
        "format": 1,
        "quick": False,
        "machine": here,
        "parts": {
            "accuracy: LibriSpeech": part(rows=rows, draws=9, missing=["Peer: not here"]),
            "accuracy: meetings": part(failed="no AMI excerpts in the data folder"),
            "speed": part(clips=clips, crowds=crowds),
            "footprint": part(rows=footprint),
            "diarization": part(tables=[rules, real_time]),
            "search": part(tables=[search]),
        },
    }


def make(page: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.suite_page", str(page.with_name("suite.json")), "-o", str(page)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)


@pytest.fixture
def page(result: Json, tmp_path: Path) -> Path:
    (tmp_path / "suite.json").write_text(json.dumps(result))
    make(tmp_path / "benchmarks.md")
    return tmp_path / "benchmarks.md"


def test_every_figure_stands_with_its_ratio_to_the_first_row(page: Path) -> None:
    text = page.read_text()
    assert "| tiny | 2.00 [1.00, 4.00] | 8.00 [4.00, 16.00] |" in text
    assert "| large | 1.00 [0.50, 2.00], 0.50 x | 6.00 [3.00, 12.00], 0.75 x |" in text
    assert "| large | 3.00 [1.50, 6.00], 0.50 x | 18.00 [9.00, 36.00], 0.75 x |" in text
    assert "by onnxruntime alone: tiny 0.999910." in text
    assert "| 3 s | 50 | 100 | 4,850 | 0 |" in text
    assert "| large | 25.0 | 5.00 x | 32.0 | 4.00 x | 0.0107 |" in text
    assert "| large | 50.0 | 0.25 x |" in text
    assert "| 250 | 2.50 x |" in text
    assert "| 10,000 | other | 2.00 | 4.00 x |" in text
    assert "| peer | 2 | 0.05 | 2.50 x |" in text
    assert "31.0 [1, 2]" in text


def test_pictures_are_there_and_the_same_each_time(page: Path) -> None:
    pictures = sorted((page.parent / "benchmarks").iterdir())
    assert [one.name for one in pictures] == ["LibriSpeech.svg", "diarization.svg", "search.svg", "speed.svg"]
    for one in pictures:
        assert f"(benchmarks/{one.name})" in page.read_text()
    before = [one.read_bytes() for one in pictures]
    make(page)
    assert [one.read_bytes() for one in pictures] == before


def test_what_is_missing_is_told_and_makes_no_section(page: Path) -> None:
    text = page.read_text()
    assert "- Peer: not here (accuracy: LibriSpeech)" in text
    assert "- no AMI excerpts in the data folder (accuracy: meetings)" in text
    assert "## Voices apart: meetings" not in text
    assert "## Service" not in text
    assert "quick run" not in text


def test_tables_are_read_as_they_were_printed() -> None:
    code = "import json, sys; import benchmarks.suite_tables as t; print(json.dumps(t.tables_of(sys.stdin.read())))"
    printed = "head\n\nfirst: 2\n\n| a | b |\n|---|---|\n| 1 |  |\n| x | 2 [1, 3] |\n\n| c |\n|---|\n| 4 |\nend\n"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, input=printed, check=True, cwd=ROOT, capture_output=True, text=True)
    assert json.loads(done.stdout) == [
        {"title": "first: 2", "columns": ["a", "b"], "rows": [["1", ""], ["x", "2 [1, 3]"]]},
        {"title": "", "columns": ["c"], "rows": [["4"]]},
    ]
