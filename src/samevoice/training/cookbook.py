"""Recipes by name: the shipped ones and those of a user, each a file of TOML.

    samevoice train NAME       a recipe that comes with the package (`recipes/*.toml`)
    samevoice train FILE.toml  one of your own

A recipe may have a table `[small]` that is laid over the rest for a training of minutes on two cores.

Knows: files, changes. Does not know: what a recipe holds (`recipe`); it needs no torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from samevoice.errors import ConfigError
from samevoice.training.recipe import Recipe
from samevoice.training.tables import from_table, merged, parsed

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def shipped() -> tuple[str, ...]:
    """Names of the recipes that come with the package."""
    folder = files("samevoice").joinpath("training", "recipes")
    return tuple(sorted(one.name.removesuffix(".toml") for one in folder.iterdir() if one.name.endswith(".toml")))


def load_recipe(name: str, *, small: bool = False, changes: tuple[str, ...] = ()) -> tuple[Recipe, dict[str, Any]]:
    """A recipe, and the table it was read from.

    Args:
        name: of a shipped one, or the path of a `.toml` file.
        small: lay its table `[small]` over it.
        changes: lines of TOML that are laid over it last, such as "stage.softmax.steps = 100"; a text may stand
            without quotes.

    Raises:
        ConfigError: there is no such recipe, it is no TOML, a key is unknown, or a value is out of range.
    """
    text = _text_of(name)
    table = parsed(text, f"recipe {name}")
    profile = table.pop("small", None)
    if profile is not None and not isinstance(profile, Mapping):
        raise ConfigError(f"recipe {name}: small must be a table, got {profile!r}")
    if profile is not None:
        from_table(Recipe, _laid_over(table, profile), f"recipe {name} with [small]")  # even if it is not asked for
    if small:
        if profile is None:
            raise ConfigError(f"recipe {name} has no table [small]; train it at full size or add one")
        table = _laid_over(table, profile)
    for change in changes:
        table = _laid_over(table, _change(change))
    return from_table(Recipe, table, f"recipe {name}"), table


def _change(line: str) -> dict[str, Any]:
    """One change; a shell takes quotes away, so a word without them is a text."""
    key, sign, value = line.partition("=")
    word = value.strip()
    if sign and _WORD.fullmatch(word) and word not in ("true", "false", "inf", "nan"):
        line = f'{key}= "{word}"'
    return parsed(line, f"the change {line!r}")


def _laid_over(table: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe with changes; another network begins with no options, as it takes others."""
    was, now = table.get("network"), changes.get("network")
    if isinstance(was, Mapping) and isinstance(now, Mapping) and now.get("name", was.get("name")) != was.get("name"):
        table = {**table, "network": now}
    return merged(table, changes)


def _text_of(name: str) -> str:
    """The TOML of a recipe."""
    if name in shipped():
        return files("samevoice").joinpath("training", "recipes", f"{name}.toml").read_text(encoding="utf-8")
    path = Path(name)
    if path.suffix != ".toml":
        raise ConfigError(f"recipe {name!r} is unknown; use one of {', '.join(shipped())}, or a .toml file")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # no text, or no path
        raise ConfigError(f"{name}: the recipe cannot be read ({error}); check the path") from error
