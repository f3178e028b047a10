"""A database of vulnerabilities is believed only if it knows what everybody knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from releasing import inventory

PROBE = {"name": "jinja2", "version": "2.4.1", "vulns": [{"id": "PYSEC-2019-217", "fix_versions": ["2.10.1"]}]}


def answer(*packages: dict[str, Any]) -> str:
    """As pip-audit 2.10 writes it."""
    return json.dumps({"dependencies": packages, "fixes": []})


def test_faults_and_what_is_unknown_are_told() -> None:
    found = inventory.read_answer(
        "pypi",
        answer(
            {"name": "numpy", "version": "2.4.6", "vulns": []},
            {"name": "mako", "version": "1.0", "vulns": [{"id": "CVE-2022-40023", "fix_versions": ["1.2.2"]}]},
            {"name": "ours", "skip_reason": "Dependency not found on PyPI"},
            PROBE,
        ),
    )
    assert found == inventory.Findings("pypi", ("mako 1.0: CVE-2022-40023",), ("ours",))


@pytest.mark.parametrize(
    "said",
    [
        "",
        "Traceback (most recent call last):",
        "[]",
        answer({"name": "numpy", "version": "2.4.6", "vulns": []}),
        answer({**PROBE, "vulns": []}),
        answer({"name": "jinja2", "skip_reason": "Dependency not found on PyPI and could not be audited"}),
    ],
)
def test_an_answer_without_the_known_faults_is_none(said: str) -> None:
    """pip-audit ends well, with no vulnerability found, where its database knows no package at all."""
    assert inventory.read_answer("pypi", said) is None


def test_components_leave_samevoice_out(tmp_path: Path) -> None:
    file = tmp_path / "x.cdx.json"
    listed = [{"name": name, "version": "1"} for name in ("samevoice", "numpy", "mako")]
    file.write_text(json.dumps({"components": listed}), encoding="utf-8")
    assert inventory.components(file) == ["mako==1", "numpy==1"]
