"""Every shipped recipe can be trained; what is wrong with one of your own is a sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from samevoice import losses, networks
from samevoice.cli.main import app
from samevoice.errors import ConfigError
from samevoice.features.frontend import build_frontend
from samevoice.features.kinds import default_spec
from samevoice.networks.embedding import EmbeddingNetwork
from samevoice.options import registered, with_options
from samevoice.training import build_sampler, check_layouts
from samevoice.training.augment.options import augment_options
from samevoice.training.augment.spec import SpecAugment
from samevoice.training.cookbook import load_recipe, shipped
from samevoice.training.crops import samples_for
from samevoice.training.index import UtteranceIndex
from samevoice.training.recipe import Recipe

HEAVY = 100_000_000  # parameters; built by facts alone
MOST_LINES = 80
NAMED = (
    "deep-speaker-simple",
    "deep-speaker-rescnn",
    "deep-speaker-gru",
    "fbanknet",
    "fbanknet-20k",
    "spectrogramnet",
    "spectrogramnet-contrastive",
    "speechidentity",
    "ecapa",
    "resnet34",
)
SPEAKERS = 400
INDEX = UtteranceIndex(np.repeat(np.arange(SPEAKERS), 10))
TEACHER = 192

BOTH = pytest.mark.parametrize(
    ("name", "small"), [(name, small) for name in shipped() for small in (False, True)], ids=str
)


def fact(recipe: Recipe) -> dict[str, Any]:
    """What is known of its network without building it."""
    listed = json.loads(files("samevoice").joinpath("networks", "facts.json").read_text(encoding="utf-8"))
    (found,) = (one for one in listed if one["name"] == recipe.network.name)
    return dict(found)


def network_of(recipe: Recipe) -> torch.nn.Module | None:
    """Its network without weights; None where even that is heavy."""
    if fact(recipe)["parameters"] > HEAVY:
        return None
    options = dict(recipe.network.options)
    if "speakers" in signature(registered("network", recipe.network.name, networks.NETWORKS)).parameters:
        options.setdefault("speakers", SPEAKERS)
    with torch.device("meta"):
        return networks.build(recipe.network.name, options)


def test_the_recipes_that_were_promised_are_there() -> None:
    assert set(NAMED) <= set(shipped())


@pytest.mark.parametrize("name", shipped())
def test_a_recipe_is_short_and_says_what_it_is(name: str) -> None:
    text = files("samevoice").joinpath("training", "recipes", f"{name}.toml").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    recipe, table = load_recipe(name)
    assert recipe.name == name
    assert all(len(one) > 10 for one in (recipe.summary, recipe.source, recipe.needs))
    assert "small" not in table
    json.dumps(table)
    assert recipe != load_recipe(name, small=True)[0]


@BOTH
def test_sampler_loss_and_network_of_every_stage_fit(name: str, small: bool) -> None:
    recipe, _ = load_recipe(name, small=small)
    network = network_of(recipe)
    if network is not None:
        assert isinstance(network, EmbeddingNetwork)
        assert recipe.crop.frames >= (network.frames or network.least_frames)
    for stage in recipe.stage.values():
        sampler = build_sampler(stage.sampler, INDEX, stage.sampler_options)
        for objective in stage.objectives:
            takes = signature(registered("loss", objective.loss, losses.LOSSES)).parameters
            answered: dict[str, Any] = {"speakers": SPEAKERS, "teacher_dimension": TEACHER, "dimension": 512}
            answered = {key: value for key, value in answered.items() if key in takes}
            with torch.device("meta"):
                loss = losses.build(objective.loss, {**answered, **objective.options}, network)
            if not objective.distils:
                check_layouts(sampler, loss)
    augment_options(recipe.augment)
    if recipe.mask:
        with_options("mask", SpecAugment, recipe.mask)


@BOTH
def test_crops_are_no_longer_than_pieces(name: str, small: bool) -> None:
    recipe, _ = load_recipe(name, small=small)
    frontend = build_frontend(default_spec(fact(recipe)["frontend"]))
    seconds = samples_for(frontend, recipe.crop.frames) / frontend.spec.rate
    assert not recipe.data.pieces or seconds <= recipe.data.pieces + 0.1


def test_the_list_shows_each() -> None:
    done = CliRunner().invoke(app, ["train", "--list"])
    assert done.exit_code == 0, done.output
    shown = [line.partition(":")[0] for line in done.stdout.splitlines() if line and not line.startswith(" ")]
    told = json.loads(CliRunner().invoke(app, ["train", "--list", "--json"]).stdout)
    assert [one["name"] for one in told] == list(shipped())
    assert set(shipped()) <= set(shown)
    for one in told:
        recipe, _ = load_recipe(one["name"])
        assert one["needs"] == recipe.needs
        assert one["stages"] == {name: stage.steps for name, stage in recipe.stage.items()}


SHORT = """
name = "mine"
summary = "s"
source = "s"
needs = "n"
network = { name = "fbanknet-20k" }
stage.first = { steps = 5, sampler = "buffer", objectives = [{ loss = "softmax" }] }
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(SHORT + "[small]\nseed = 4\nstage.first.steps = 2\n", encoding="utf-8")
    return path


def test_one_of_your_own_with_its_profile_and_changes(mine: Path) -> None:
    assert load_recipe(str(mine))[0].stage["first"].steps == 5
    small, table = load_recipe(str(mine), small=True)
    assert (small.seed, small.stage["first"].steps, small.stage["first"].sampler) == (4, 2, "buffer")
    assert table["stage"]["first"]["steps"] == 2
    changed, _ = load_recipe(str(mine), small=True, changes=("stage.first.steps = 9", "seed = 7", "data.valid = 0.2"))
    assert (changed.seed, changed.stage["first"].steps, changed.data.valid) == (7, 9, 0.2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stage.first.learning_rate = 1", "unknown key 'learning_rate'; it takes steps, sampler"),
        ("nonsense", "is no TOML"),
        ("x = " + "9" * 5000, "is no TOML"),
        ("x = " + "[" * 100_000, "is no TOML"),
        ("seed = -1", "seed must be a whole number from 0"),
        ("seed = 4294967296", "seed must be a whole number from 0 to 4294967295"),
        ("seed = true", "seed must be a whole number"),
        ("crop.frames = 0", "crop.frames must be"),
        ("crop.fill = 'noise'", "crop.fill must be one of repeat, silence"),
        ("data.pieces = 0.01", "data.pieces must be 0 or at least 0.1 s"),
        ("data.pieces = nan", "data.pieces must be a finite number"),
        ("data.least = inf", "data.least must be a finite number"),
        ("data.valid = 0", "data.valid must be"),
        ("data.speeds = []", "at least one speed"),
        ("data.speeds = [1, 1.0]", "each once"),
        ("data.speeds = [0.1]", "data.speeds must be"),
        ("stage.first.steps = 0", "stage.steps must be"),
        ("stage.first.objectives = []", "at least one objective"),
        ("stage.first.unlabelled = 3", "only by distillation"),
        ("stage.first.optimiser.kind = 'lion'", "optimiser.kind must be one of adam, adamw, sgd"),
        ("stage.first.optimiser.schedule = 'step'", "optimiser.schedule must be one of"),
        ("stage.first.optimiser.final_lr = 1", "optimiser.final_lr must be"),
        ("stage.first.optimiser.lr = nan", "optimiser.lr must be a finite number"),
        ("stage.'../../first' = { steps = 1, sampler = 'buffer', objectives = [{ loss = 'softmax' }] }", "file names"),
        ("name = 'mine/../../x'", "file names"),
        ("name = '../mine'", "file names"),
        ("stage.first.sampler_options.batch = 1979-05-27", "must be a number, a text"),
        ("validation.speakers_at_most = 1", "speakers_at_most"),
    ],
)
def test_a_wrong_change_is_a_sentence(mine: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        load_recipe(str(mine), changes=(text,))
    assert "\n" not in str(caught.value)


def test_a_recipe_without_stages_learns_nothing(mine: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no stage; add \[stage.NAME\]"):
        replace(load_recipe(str(mine))[0], stage={})


def test_a_wrong_profile_is_found_before_it_is_asked_for(mine: Path) -> None:
    mine.write_text(SHORT + "[small]\nstep = 3\n", encoding="utf-8")
    for small in (False, True):
        with pytest.raises(ConfigError, match=r"mine\.toml with \[small\] has an unknown key 'step'"):
            load_recipe(str(mine), small=small)
    mine.write_text("small = 3\n" + SHORT, encoding="utf-8")
    with pytest.raises(ConfigError, match="small must be a table, got 3"):
        load_recipe(str(mine), small=True)
    mine.write_text(SHORT, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"no table \[small\]"):
        load_recipe(str(mine), small=True)


def test_another_network_begins_with_no_options(mine: Path) -> None:
    options = "network.options.bands = 40"
    assert load_recipe(str(mine), changes=(options,))[0].network.options == {"bands": 40}
    changed = load_recipe(str(mine), changes=(options, 'network.name = "gru"'))[0].network
    assert (changed.name, changed.options) == ("gru", {})
    again = load_recipe(str(mine), changes=(options, 'network = { name = "gru", options.bands = 20 }'))[0].network
    assert (again.name, again.options) == ("gru", {"bands": 20})
    same = load_recipe(str(mine), changes=(options, 'network.name = "fbanknet-20k"'))[0].network
    assert same.options == {"bands": 40}


def test_recipes_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"'fbanknets' is unknown; use one of .*{NAMED[0]}.*, or a .toml file"):
        load_recipe("fbanknets")
    for path in (tmp_path / "none.toml", tmp_path / "folder.toml", tmp_path / "binary.toml", Path("nul\0.toml")):
        if path.name.startswith("folder"):
            path.mkdir()
        if path.name.startswith("binary"):
            path.write_bytes(b"\xff\xfe\x00")
        with pytest.raises(ConfigError, match="the recipe cannot be read"):
            load_recipe(str(path))


def test_distillation_is_known_by_its_losses() -> None:
    distilled = [name for name in shipped() if load_recipe(name)[0].distils]
    assert "fbanknet-distilled" in distilled
    assert "fbanknet" not in distilled
