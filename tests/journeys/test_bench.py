"""`samevoice bench` as a person meets it."""

from __future__ import annotations

import json

import pytest
from commandline import samevoice

from samevoice.measuring import bench as measuring

STAGES = ["network", "decode", "audio doctor", "speech detection", "features", "everything else"]


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few rounds are enough to see that all is measured."""
    monkeypatch.setattr(measuring, "BUDGET", 0.2)
    monkeypatch.setattr(measuring, "CROWD_SECONDS", 0.3)


@pytest.mark.slow
def test_json_has_plausible_figures() -> None:
    done = samevoice("bench", "--seconds", "2", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["model"].startswith("campplus@")
    assert (found["seconds"], found["threads"]) == (2.0, 1)
    assert found["cores"] == found["crowd"]["processes"] >= 1
    assert 2.0 < found["gflop"] < 2.3  # two thirds of what 3 s cost
    assert found["limit_ms"] == pytest.approx(1000 * found["gflop"] / found["matrix_gflops"], rel=1e-2)
    assert found["limit_per_second"] == pytest.approx(found["matrix_gflops_cores"] / found["gflop"], rel=1e-2)
    assert list(found["stages_ms"]) == STAGES
    assert all(found["stages_ms"][name] > 0 for name in STAGES[:-1])
    assert sum(found["stages_ms"].values()) == pytest.approx(found["end_to_end_ms"], rel=1e-2)
    assert found["end_to_end_ms"] > found["network_ms"] == found["stages_ms"]["network"]
    assert found["overhead"] == pytest.approx(found["end_to_end_ms"] / found["network_ms"] - 1, abs=1e-2)
    assert found["real_time_factor"] == pytest.approx(found["end_to_end_ms"] / 2000, rel=1e-2)
    crowd = found["crowd"]
    assert 0 < crowd["import_s"] < 60
    assert 0 < crowd["load_s"] < 60
    assert 0 < crowd["per_second"] < 100_000
    assert crowd["peak_mb"] is None or 50 < crowd["peak_mb"] < 4_000


@pytest.mark.slow
def test_words_set_the_limit_beside_what_was_measured() -> None:
    done = samevoice("bench", "--seconds", "1")
    assert done.returncode == 0, done.stderr
    for words in ("campplus@", "1 s of speech, 1 thread", "limit:", "GFLOP/s", "file to decision", "peak memory"):
        assert words in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "nobody"], "nobody"),
        (["--model", "silero"], "not one for speaker embeddings"),
        (["--model", "nowhere.onnx"], "nowhere.onnx"),
    ],
)
def test_a_model_that_cannot_be_measured_is_told_in_a_sentence(arguments: list[str], words: str) -> None:
    done = samevoice("bench", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("arguments", [["--seconds", "0"], ["--threads", "0"], ["--seconds", "x"]])
def test_numbers_out_of_range_are_refused(arguments: list[str]) -> None:
    assert samevoice("bench", *arguments).returncode == 2
