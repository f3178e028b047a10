"""Stages, validations, early stops, and what a run says when its numbers go astray."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from runmakers import AUGMENT, MINED, SOFTMAX, TRIPLETS, parted, recipe, rows_of, run, voices
from test_checkpoint import small_disk

from samevoice.corpora.manifest import Manifest
from samevoice.errors import ConfigError, DataError, ModelError
from samevoice.training.checkpoint import best_path, last_path, load_checkpoint
from samevoice.training.trained import best_weights, built, trained
from samevoice.training.trainer import Moment


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return parted(voices(tmp_path_factory.mktemp("voices"), 9), dev=2, test=2)


def weights(path: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_checkpoint(path)["network"]
    return found


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class Killed(Exception):
    """What stops a run in a test, in place of a kill."""


def killer(*steps: tuple[str, int]) -> Callable[[Moment], None]:
    """Stops after each of these steps once."""
    left = list(steps)

    def step(moment: Moment) -> None:
        if left and (moment.stage, moment.step) == left[0]:
            del left[0]
            raise Killed

    return step


@pytest.mark.slow
@pytest.mark.parametrize(
    "parts",
    [(TRIPLETS, AUGMENT), (MINED,), (SOFTMAX, TRIPLETS.replace("24", "9"), AUGMENT)],
    ids=["random triplets", "mined triplets", "two stages"],
)
def test_a_stopped_run_goes_on_bit_for_bit(parts: tuple[str, ...], corpus: Manifest, tmp_path: Path) -> None:
    told = recipe(tmp_path, *parts)
    whole = run(told, corpus, tmp_path / "whole")()
    names = list(told[0].stage)
    first, last = names[0], names[-1]
    step = killer((first, 3), (first, 7), (last, 8))
    for _ in range(3):
        with pytest.raises(Killed):
            run(told, corpus, tmp_path / "parts", save_seconds=0.0, step=step)()
    again = run(told, corpus, tmp_path / "parts", step=step)()
    assert rows_of(tmp_path / "parts") == rows_of(tmp_path / "whole")
    assert same(again.network.state_dict(), whole.network.state_dict())
    for name in told[0].stage:
        assert same(weights(best_path(tmp_path / "parts", name)), weights(best_path(tmp_path / "whole", name)))
    before = last_path(tmp_path / "parts").stat().st_mtime_ns
    moments: list[Moment] = []
    run(told, corpus, tmp_path / "parts", step=moments.append)()  # finished: nothing is left to do
    assert not moments
    assert last_path(tmp_path / "parts").stat().st_mtime_ns == before


def test_the_second_stage_starts_from_the_best_of_the_first(corpus: Manifest, tmp_path: Path) -> None:
    stage = TRIPLETS.replace("steps = 24", "steps = 1").replace("lr = 1e-3", "lr = 1e-12")  # hardly moves
    done = run(recipe(tmp_path, SOFTMAX, stage), corpus, tmp_path / "run")()
    first = weights(best_path(tmp_path / "run", "softmax"))
    moved = {name for name, value in done.network.state_dict().items() if not torch.allclose(value, first[name])}
    assert not any("running" not in name and "tracked" not in name for name in moved)
    fresh = run(recipe(tmp_path, stage), corpus, tmp_path / "fresh")().network.state_dict()
    assert not torch.allclose(fresh["stages.0.weight"], first["stages.0.weight"])
    eers = {(row["stage"], row["step"]): row["eer"] for row in rows_of(tmp_path / "run") if "eer" in row}
    assert eers["triplet", 0] == min(eer for (name, _), eer in eers.items() if name == "softmax")
    assert same(trained(tmp_path / "run").state_dict(), weights(best_path(tmp_path / "run", "triplet")))


def test_another_run_can_be_started_from(corpus: Manifest, tmp_path: Path) -> None:
    told = recipe(tmp_path, SOFTMAX.replace("steps = 16", "steps = 3"))
    done = run(told, corpus, tmp_path / "one")()
    following = run(recipe(tmp_path, TRIPLETS.replace("24", "1").replace("1e-3", "1e-12")), corpus, tmp_path / "two")
    following.sources = type(following.sources)(corpus, start=tmp_path / "one")
    found = following().network.state_dict()
    assert torch.allclose(found["stages.0.weight"], done.network.state_dict()["stages.0.weight"])
    with pytest.raises(ConfigError, match="of another network"):
        best_weights(tmp_path / "one", built("fbanknet-20k", {"speakers": 7}))
    with pytest.raises(ConfigError, match="holds no run"):
        trained(tmp_path / "none")


def test_numbers_gone_astray_stop_the_run_and_keep_what_was_good(corpus: Manifest, tmp_path: Path) -> None:
    wild = (
        SOFTMAX.replace("am-softmax", "cross-entropy")
        .replace('kind = "adamw", lr = 3e-3', 'kind = "sgd", lr = 10')
        .replace("0.01", "1.0")
    )
    told = recipe(tmp_path, wild, changes=("stage.softmax.steps = 200", "stage.softmax.validate_every = 200"))
    pattern = r"stage 'softmax', step \d+: .*lower stage\.softmax\.optimiser\.lr, or clip"
    with pytest.raises(ModelError, match=pattern):
        run(told, corpus, tmp_path / "run", save_seconds=0.0)()
    kept = load_checkpoint(last_path(tmp_path / "run"))
    assert all(bool(one.isfinite().all()) for one in kept["network"].values())
    assert 0 < kept["learning"]["step"] < 200
    with pytest.raises(ModelError, match=pattern):  # and so does the next attempt
        run(told, corpus, tmp_path / "run")()


def test_training_stops_when_nothing_gets_better(corpus: Manifest, tmp_path: Path) -> None:
    still = TRIPLETS.replace("lr = 1e-3", "lr = 1e-12").replace(
        "validate_every = 10", "validate_every = 2\npatience = 3"
    )
    run(recipe(tmp_path, still), corpus, tmp_path / "run")()
    rows = rows_of(tmp_path / "run")
    eers = [row["eer"] for row in rows if "eer" in row]
    best = int(np.argmin(eers))
    assert len(eers) == best + 1 + 3 < 13
    assert [row["best"] for row in rows if "eer" in row][best:] == [True, False, False, False]


@pytest.mark.parametrize("keep", ["best", "last"])
def test_a_stage_keeps_its_best_weights_or_its_last(keep: str, corpus: Manifest, tmp_path: Path) -> None:
    still = TRIPLETS.replace("lr = 1e-3", "lr = 1e-12").replace("validate_every = 10", "validate_every = 2")
    finished = run(recipe(tmp_path, still, changes=(f'stage.triplet.keep = "{keep}"',)), corpus, tmp_path / "run")()
    kept = load_checkpoint(best_path(tmp_path / "run", "triplet"))
    eers = {row["step"]: row["eer"] for row in rows_of(tmp_path / "run") if "eer" in row}
    best = min(eers, key=lambda step: eers[step])
    assert best < 24
    assert kept["step"] == {"best": best, "last": 24}[keep]
    assert same(finished.network.state_dict(), kept["network"])


@pytest.mark.slow
def test_a_plateau_halves_the_learning_rate(corpus: Manifest, tmp_path: Path) -> None:
    still = TRIPLETS.replace("lr = 1e-3", 'lr = 1e-12, schedule = "plateau", patience = 2')
    run(recipe(tmp_path, still, changes=("stage.triplet.validate_every = 2",)), corpus, tmp_path / "run")()
    best, waited, factor = float("inf"), 0, 1.0
    for row in rows_of(tmp_path / "run"):
        if "lr" in row:
            assert row["lr"] == pytest.approx(1e-12 * factor)
        elif row["eer"] < best:
            best, waited = row["eer"], 0
        else:
            waited += 1
            if waited == 2:
                factor, waited = factor / 2, 0
    assert factor < 0.1


def test_a_full_disk_is_a_sentence_and_the_old_checkpoint_goes_on(corpus: Manifest, tmp_path: Path) -> None:
    told = recipe(tmp_path, TRIPLETS.replace("steps = 24", "steps = 6"))
    run(told, corpus, tmp_path / "whole")()
    with pytest.raises(Killed):
        run(told, corpus, tmp_path / "run", save_seconds=0.0, step=killer(("triplet", 4)))()
    before = last_path(tmp_path / "run").read_bytes()
    with small_disk(50_000), pytest.raises(ModelError, match="make room and start"):
        run(told, corpus, tmp_path / "run", save_seconds=0.0)()
    assert last_path(tmp_path / "run").read_bytes() == before
    assert not list((tmp_path / "run").rglob(".samevoice*"))
    run(told, corpus, tmp_path / "run")()
    assert rows_of(tmp_path / "run") == rows_of(tmp_path / "whole")


def test_another_recipe_changes_nothing_in_the_folder(corpus: Manifest, tmp_path: Path) -> None:
    told = recipe(tmp_path, TRIPLETS.replace("steps = 24", "steps = 2"))
    run(told, corpus, tmp_path / "run")()
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    for changed, heard in (
        (recipe(tmp_path, TRIPLETS, changes=("stage.triplet.steps = 3",)), corpus),
        (told, corpus.only(list(corpus)[1:])),
    ):
        with pytest.raises(ModelError, match="another recipe or of other data"):
            run(changed, heard, tmp_path / "run")()
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before


def test_bad_recordings_are_counted_over_a_stop(tmp_path: Path) -> None:
    heard = parted(root := voices(tmp_path / "voices", 8), dev=2, test=2)
    (bad := root / "s1" / "0.wav").write_bytes(bad.read_bytes()[:44])
    told = recipe(tmp_path, SOFTMAX)
    with pytest.raises(Killed):
        run(told, heard, tmp_path / "run", save_seconds=0.0, step=killer(("softmax", 12)))()
    done = run(told, heard, tmp_path / "run")()
    assert len(done.bad) == 1
    assert "s1" in next(iter(done.bad))


def test_a_run_describes_itself(corpus: Manifest, tmp_path: Path) -> None:
    told = recipe(tmp_path, TRIPLETS.replace("steps = 24", "steps = 1"))
    run(told, corpus, tmp_path / "run")()
    described = json.loads((tmp_path / "run" / "run.json").read_text())
    assert described["recipe"] == json.loads(json.dumps(told[1]))
    assert described["network"] == {"name": "fbanknet-20k", "options": {"speakers": 5}}
    assert described["data"]["train"]["speakers"] == 5
    assert described["data"]["valid"]["utterances"] == 8
    assert described["machine"]["processes"] == 1


def test_what_does_not_fit_is_told_before_the_work(corpus: Manifest, tmp_path: Path) -> None:
    cases: list[tuple[str, type[Exception], str]] = [
        ("validation.seconds = 0.3", ConfigError, "takes at least 64"),
        ("validation.seconds = 2.3", DataError, "ask for shorter pieces"),
        ("crop.frames = 40", ConfigError, "takes at least 64"),
        ('network.name = "silero"', ConfigError, "unknown"),
    ]
    for change, kind, match in cases:
        with pytest.raises(kind, match=match):
            run(recipe(tmp_path, TRIPLETS, changes=(change,)), corpus, tmp_path / "run")()
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_recipe_sets_how_fast_batch_normalisation_forgets(corpus: Manifest, tmp_path: Path) -> None:
    told = recipe(tmp_path, SOFTMAX.replace("steps = 24", "steps = 2"), changes=("network.momentum = 0.25",))
    done = run(told, corpus, tmp_path / "run")()
    found = {one.momentum for one in done.network.modules() if isinstance(one, torch.nn.BatchNorm2d)}
    assert found == {0.25}
