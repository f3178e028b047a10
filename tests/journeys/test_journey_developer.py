"""Journey of an app developer: two lines of Python to a decision; docs/tutorials/developer.md, run as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from pagefiles import prepare
from pages import ROOT, Walk

import samevoice as sv


@pytest.mark.slow
def test_a_developer_gets_decisions(tmp_path: Path) -> None:
    prepare(tmp_path, "samples/")
    with Walk("docs/tutorials/developer.md", tmp_path) as walk:
        snippets = [done.told.strip() for done in walk.run() if done.step.is_python]
    text = (ROOT / walk.page).read_text(encoding="utf-8")
    assert snippets[0] == "same 0.999"
    assert snippets[-2:] == ["same\ndifferent", "Philippe"]
    assert all(f"`{line}`" in text for told in snippets[:-1] for line in told.splitlines())
    with sv.Gallery(tmp_path / "voices.db") as gallery:
        assert gallery.people() == []
