"""The tool that plants defects: what it counts as found, and what it says of the share that it tried."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from pathlib import Path

import samevoice.scoring
from tools.mutants import kind, outcomes, prepare, told

PYTEST = {0: "survived", 1: "a test failed", 3: "a test failed", 5: "reached by no test"}  # all passed, ..., none run


def test_what_exit_codes_of_the_tests_mean() -> None:
    assert {code: kind(code) for code in PYTEST} == PYTEST
    assert kind(None) == "not tried"
    assert kind(33) == "reached by no test"
    assert kind(36) == kind(-24) == "took too long"


def test_outcomes_are_read_from_every_module(tmp_path: Path) -> None:
    folder = tmp_path / "mutants" / "src" / "samevoice" / "scoring"
    folder.mkdir(parents=True)
    for name, codes in (("cosine", {"a__mutmut_1": 1, "a__mutmut_2": None}), ("plda", {"b__mutmut_1": 0})):
        (folder / f"{name}.py.meta").write_text(json.dumps({"exit_code_by_key": codes}), encoding="utf-8")
    assert outcomes(tmp_path) == {"a__mutmut_1": 1, "a__mutmut_2": None, "b__mutmut_1": 0}


def test_what_was_not_tried_counts_neither_way() -> None:
    counts = Counter({"a test failed": 80, "took too long": 5, "survived": 10, "reached by no test": 5})
    line = told(counts, 700)
    assert line.startswith("found: 85 of 100: 85 % [77, 91];"), line
    assert "700 planted" in line
    assert told(counts + Counter({"not tried": 50}), 700).split(";")[0] == line.split(";")[0]


def test_the_copy_is_a_checkout_whose_settings_name_the_package(tmp_path: Path) -> None:
    prepare(tmp_path, "samevoice.scoring", ["tests/scoring"])
    settings = tomllib.loads((tmp_path / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
    (pattern,) = settings["only_mutate"]
    changed = {path.name for path in tmp_path.glob(pattern)}
    assert changed == {path.name for path in Path(samevoice.scoring.__file__).parent.glob("*.py")}
    assert settings["pytest_add_cli_args_test_selection"] == ["tests/scoring"]
    assert (tmp_path / "tests" / "scoring").is_dir()
    assert {"tests", "benchmarks", "pyproject.toml"} <= set(settings["also_copy"])
