"""Journey of a researcher: recipes of seeds trained, tested and put beside what the seeds reported.

docs/tutorials/seeds.md is run as it stands, but for a few steps in the place of some hundred.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from pagefiles import prepare
from pages import ROOT, Walk
from quickly import TRIPLETS, TWO, train


@pytest.mark.slow
def test_a_researcher_reads_a_recipe_beside_its_seed(tmp_path: Path) -> None:
    prepare(tmp_path, "voices/")
    (tmp_path / "benchmarks").symlink_to(ROOT / "benchmarks")  # the page asks for a checkout
    more = dict([train("fbanknet", *TWO), train("deep-speaker-simple", *TRIPLETS)])
    with Walk("docs/tutorials/seeds.md", tmp_path, more=more) as walk:
        walk.run()
    assert "three-sigma" in walk.said("samevoice evaluate runs/fbanknet")
    lines = (tmp_path / "results.md").read_text(encoding="utf-8").splitlines()
    beside = lines[lines.index("## Beside what the seeds reported") :]
    rows = {line.split("|")[1].strip(): line for line in beside if line.startswith("| ")}
    assert "You-Only-Speak-Once: negatives 97 %, positives 74 %" in rows["fbanknet"]
    assert "voice-embeddings: 21 of 32 positives" in rows["deep-speaker-simple"]
    for name in ("fbanknet", "deep-speaker-simple"):
        assert "%" in rows[name].split("|")[3]
