"""A database of vulnerabilities is believed only if it knows what everybody knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from releasing import inventory
from releasing.project import ROOT, version

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


def test_packages_are_those_of_python_but_samevoice(tmp_path: Path) -> None:
    file = tmp_path / "x.cdx.json"
    listed = [{"name": name, "version": "1", "purl": f"pkg:pypi/{name}@1"} for name in ("samevoice", "numpy", "mako")]
    file.write_text(json.dumps({"components": [*listed, *inventory.parts_of_wheel()]}), encoding="utf-8")
    assert inventory.packages(file) == ["mako==1", "numpy==1"]


def test_what_lies_in_the_wheel_is_listed_with_its_licence() -> None:
    found = {one["name"]: one for one in inventory.parts_of_wheel()}
    assert found.keys() == {"small", "vad", "onnxruntime-web", "wavesurfer.js"}
    assert len({one["bom-ref"] for one in found.values()}) == len(found)
    readme = (ROOT / "src/samevoice/service/web/vendor/README.md").read_text(encoding="utf-8")
    for name, licence in (("onnxruntime-web", "MIT"), ("wavesurfer.js", "BSD-3-Clause")):
        assert found[name]["licenses"] == [{"license": {"acknowledgement": "declared", "id": licence}}]
        assert found[name]["purl"] == f"pkg:npm/{name}@{found[name]['version']}"
        assert f"`{name}` {found[name]['version']}" in readme
    assert found["small"]["version"] == version()
