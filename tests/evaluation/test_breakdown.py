"""The breakdown: every trial in one row of each table, with the rates that a loop counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from trialrunmakers import CALIBRATION, embedded

from samevoice.corpora.manifest import Manifest, Utterance
from samevoice.evaluation import metrics
from samevoice.evaluation.breakdown import SECONDS, break_down, by_label, by_number, labels_of
from samevoice.evaluation.trialrun import VERDICTS, Run, score


def scored() -> Run:
    """Trials of 8 speakers."""
    listed, found = embedded()
    return score(listed, CALIBRATION, found)


def test_numbers_are_sorted_as_a_loop_sorts_them() -> None:
    run = scored()
    assert run.verdicts is not None
    assert run.llrs is not None
    numbers = run.seconds.copy()
    numbers[:2] = 2.0, np.nan  # an edge belongs above it
    parts = by_number(run, "speech", numbers, (1.0, 2.0, 4.0), "s")
    limits = {"below 1 s": (0, 1), "1 to 2 s": (1, 2), "2 to 4 s": (2, 4), "4 s and more": (4, np.inf)}
    assert [part.name for part in parts] == [*limits, "unknown"]
    for part in parts[:-1]:
        low, high = limits[part.name]
        rows = [row for row, number in enumerate(numbers) if low <= number < high]
        targets = [row for row in rows if run.trials.is_target[row]]
        others = [row for row in rows if not run.trials.is_target[row]]
        assert (part.targets, part.non_targets) == (len(targets), len(others))
        assert part.eer == metrics.eer(run.llrs[targets], run.llrs[others])
        said = [VERDICTS[verdict] for verdict in run.verdicts]
        assert part.false_accepts == pytest.approx(sum(said[row] == "same" for row in others) / len(others))
        assert part.false_rejects == pytest.approx(sum(said[row] == "different" for row in targets) / len(targets))
        assert part.unsure == pytest.approx(sum(said[row] == "unsure" for row in targets) / len(targets))
        assert part.few == (min(len(targets), len(others)) < 30)
    assert (parts[-1].targets, parts[-1].non_targets, parts[-1].eer) == (1, 0, None)
    assert parts[-1].false_accepts is None
    assert parts[-1].few


def test_labels_of_both_sides_make_a_part() -> None:
    run = scored()
    labels = ["f"] * 8 + ["m"] * 16 + [""] * 8  # four recordings of each speaker
    parts = {part.name: part for part in by_label(run, "gender", labels)}
    assert set(parts) == {"f", "m", "f and m", "unknown"}
    assert (parts["f"].targets, parts["f"].non_targets) == (12, 16)
    assert (parts["f and m"].targets, parts["f and m"].non_targets) == (0, 128)
    assert sum(part.targets + part.non_targets for part in parts.values()) == len(run.trials)
    assert parts["unknown"].non_targets == 24 * 8 + 16
    assert parts["f and m"].eer is None


def test_each_table_holds_every_trial() -> None:
    run = scored()
    snr = np.full(32, 25.0)
    snr[3] = np.nan
    snr[4] = 5.0
    parts = list(break_down(run, snr, {"gender": ["f", "m"] * 16}))
    for by in {part.by for part in parts}:
        assert sum(part.targets + part.non_targets for part in parts if part.by == by) == len(run.trials)
    noise = {part.name: part.targets + part.non_targets for part in parts if part.by.startswith("signal")}
    assert noise == {"below 10 dB": 31, "20 to 30 dB": 496 - 31}  # one unknown side leaves the other to tell
    assert {part.by for part in parts} >= {"speech on the shorter side", "gender"}
    assert len(SECONDS) == 4
    assert parts[0].to_json()["few"] in (True, False)


def test_a_manifest_tells_about_its_files(tmp_path: Path) -> None:
    plain = Utterance("a", "s", "", "x/a.wav", None, 0.0, 1.0, 16_000, "en", "f", "", "", "", "")
    packed = replace(plain, id="b", path="b.tar", member="b.wav")
    corpus = Manifest(tmp_path, (plain, packed))
    told = labels_of(corpus, [tmp_path / "x" / ".." / "x" / "a.wav", tmp_path / "b.tar", tmp_path / "c.wav"])
    assert told == {"gender": ["f", "", ""], "language": ["en", "", ""]}
