"""A model on a list of trials: scores, evidence and verdicts are those of each pair alone, and nothing gets lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from trialrunmakers import CALIBRATION, embedded

import samevoice as sv
from samevoice.errors import AudioError, DataError
from samevoice.evaluation import metrics
from samevoice.evaluation.trialrun import (
    MEASURES,
    OF_LLRS,
    VERDICTS,
    Embedded,
    embed_all,
    find_recordings,
    measure,
    noise_of,
    score,
    values,
)
from samevoice.scoring.decision import decide


def test_each_trial_is_scored_like_a_pair_alone() -> None:
    listed, found = embedded()
    run = score(listed, CALIBRATION, found)
    assert run.llrs is not None
    assert run.verdicts is not None
    assert run.accepted_from is not None
    seen = set()
    for row, (i, j) in enumerate(zip(listed.first, listed.second, strict=True)):
        cosine = float(found.vectors[i].astype(float) @ found.vectors[j].astype(float))
        decision = decide(cosine, (found.seconds[i], found.seconds[j]), CALIBRATION, model="")
        assert run.trials.scores[row] == pytest.approx(cosine, abs=1e-6)
        assert run.seconds[row] == min(found.seconds[i], found.seconds[j])
        assert run.llrs[row] == pytest.approx(decision.llr, abs=1e-5)
        assert run.accepted_from[row] == decision.threshold
        assert VERDICTS[run.verdicts[row]] == decision.verdict
        seen.add(decision.verdict)
    assert seen == set(VERDICTS)
    assert run.left_out == 0
    np.testing.assert_array_equal(run.trials.is_target, listed.is_target)


def test_trials_of_lost_recordings_are_counted_and_left_out() -> None:
    whole, rest = (score(*(pair[0], CALIBRATION, pair[1])) for pair in (embedded(), embedded(lost=(3, 17))))
    listed, _ = embedded()
    kept = [
        row
        for row, sides in enumerate(zip(listed.first, listed.second, strict=True))
        if not {3, 17} & {int(side) for side in sides}
    ]
    assert rest.kept.tolist() == kept
    assert rest.left_out == len(listed) - len(kept) == 61
    np.testing.assert_array_equal(rest.trials.scores, whole.trials.scores[kept])
    assert rest.trials.voices.tolist() == whole.trials.voices.tolist()  # who speaks, all trials of the list tell


def test_nothing_left_is_an_error() -> None:
    listed, found = embedded(2, 2, lost=(0, 1))
    with pytest.raises(DataError, match="no non-target trials are left of 6, since 2 recordings cannot be used"):
        score(listed, CALIBRATION, found)
    listed, found = embedded(2, 2, lost=(0, 3))
    with pytest.raises(DataError, match="no target trials are left"):
        score(listed, CALIBRATION, found)


def test_the_second_side_may_be_another_recording() -> None:
    listed, found = embedded()
    other = Embedded(np.roll(found.vectors, 1, axis=0), found.seconds / 2, {5: AudioError("broken")})
    run = score(listed, CALIBRATION, found, other)
    assert run.left_out == int((listed.second == 5).sum())
    row = 40
    i, j = listed.first[run.kept[row]], listed.second[run.kept[row]]
    assert run.trials.scores[row] == pytest.approx(float(found.vectors[i] @ found.vectors[j - 1]), abs=1e-6)
    assert run.seconds[row] == min(found.seconds[i], found.seconds[j] / 2)


def test_measures_are_those_of_the_evidence() -> None:
    listed, found = embedded()
    run = score(listed, CALIBRATION, found)
    assert run.llrs is not None
    sides = run.llrs[listed.is_target], run.llrs[~listed.is_target]
    expected = {
        "eer": metrics.eer(*sides),
        "min_dcf": metrics.min_dcf(*sides, prior=0.01),
        "min_dcf_05": metrics.min_dcf(*sides, prior=0.05),
        "auc": metrics.auc(*sides),
        "act_dcf": metrics.act_dcf(*sides, prior=0.01),
        "act_dcf_05": metrics.act_dcf(*sides, prior=0.05),
        "cllr": metrics.cllr(*sides),
        "cllr_min": metrics.cllr_min(*sides),
    }
    assert values(run) == pytest.approx(expected)
    measured, draws = measure(run)
    assert draws == 1000
    assert set(measured) == set(MEASURES)
    for name, one in measured.items():
        assert one is not None
        assert one.value == pytest.approx(expected[name])
        assert one.low <= one.value <= one.high
        assert one.low < one.high or "dcf" in name  # no threshold may do better than none at a prior


def test_without_calibration_cosines_are_measured() -> None:
    listed, found = embedded()
    run = score(listed, None, found)
    cosines = run.trials.targets, run.trials.non_targets
    for told in (values(run), {name: one and one.value for name, one in measure(run)[0].items()}):
        assert told["eer"] == pytest.approx(metrics.eer(*cosines))
        assert [told[name] for name in OF_LLRS] == [None] * len(OF_LLRS)
    assert run.share("same", is_target=True) is None


def test_shares_add_up() -> None:
    listed, found = embedded()
    run = score(listed, CALIBRATION, found)
    assert run.verdicts is not None
    chosen = run.seconds > 2
    for is_target in (True, False):
        shares = [run.share(verdict, is_target=is_target, chosen=chosen) for verdict in VERDICTS]
        rows = [row for row in range(len(listed)) if chosen[row] and listed.is_target[row] == is_target]
        counts = [sum(VERDICTS[run.verdicts[row]] == verdict for row in rows) for verdict in VERDICTS]
        assert shares == pytest.approx([count / len(rows) for count in counts])
    assert run.share("same", is_target=True, chosen=np.zeros(len(listed), dtype=bool)) is None


@pytest.mark.parametrize("name", ["../a.wav", "/etc/passwd", "x/../../a.wav", "C:\\a.wav"])
def test_a_name_may_not_leave_the_root(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="leads out of"):
        find_recordings(["a.wav", name], tmp_path)
    assert find_recordings(["b/a.wav"], tmp_path) == [tmp_path / "b" / "a.wav"]
    with pytest.raises(DataError, match="no such folder"):
        find_recordings(["a.wav"], tmp_path / "nowhere")


def test_recordings_are_embedded_in_order_and_failures_stay(samples: Path, tmp_path: Path) -> None:
    model = sv.load_model("campplus", threads=1)
    paths = [samples / "sample_2.mp3", tmp_path / "missing.wav", samples / "sample_1a.mp3"]
    done: list[float] = []
    found = embed_all(model, paths, done.append)
    assert list(found.errors) == [1]
    assert found.usable.tolist() == [True, False, True]
    for row in (0, 2):
        alone = model.embed(paths[row])
        np.testing.assert_allclose(found.vectors[row], alone.vector, atol=1e-5)
        assert found.seconds[row] == alone.seconds
    assert done[-1] == pytest.approx(3)
    noise = noise_of(model, paths, found.usable)
    assert noise[0] == model.listen(paths[0]).report.snr_db
    assert np.isnan(noise[1])


def test_the_default_rate_follows_a_small_calibration() -> None:
    listed, found = embedded()
    small = replace(CALIBRATION, rates=(0.1, 0.05))
    run = score(listed, small, found)
    assert run.accepted_from is not None
    assert run.accepted_from[0] == decide(0.0, (run.seconds[0], run.seconds[0]), small, model="", far=0.05).threshold
