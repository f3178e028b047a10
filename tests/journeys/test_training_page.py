"""docs/training.md names what there is: keys of recipes, and options of commands that stand within its sentences."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from typer.testing import CliRunner

from samevoice.cli.main import app
from samevoice.training.cookbook import load_recipe

PAGE = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")


def test_the_recipe_on_the_page_is_one(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "mine.toml"
    file.write_text(text, encoding="utf-8")
    assert load_recipe(str(file))[0].stage["margin"].steps == 5_000
    changes = re.findall(r"`--set ((?:network|seed)[^`]*)`", PAGE)
    assert len(changes) == 2
    recipe, _ = load_recipe("fbanknet", changes=tuple(changes))
    assert (recipe.network.options, recipe.seed) == ({"embedding": "pooled"}, 1)


def test_every_command_within_a_sentence_has_the_options_it_uses() -> None:
    lines = [one.split("-m ")[-1] for one in re.findall(r"`((?:accelerate launch .*?-m )?samevoice .*?)`", PAGE)]
    assert len(lines) >= 3
    for line in lines:
        command = shlex.split(line)
        assert command[0] == "samevoice"
        # --help answers only once all other options are understood
        done = CliRunner().invoke(app, [*command[1:], "--help"])
        assert done.exit_code == 0, f"{line}: {done.output}"
