"""Tables become dataclasses, or one sentence; never anything else."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samevoice.errors import ConfigError
from samevoice.training.recipe import Recipe
from samevoice.training.tables import from_table, merged, parsed


@dataclass(frozen=True, slots=True)
class Wheel:
    size: float
    spokes: int = 32


@dataclass(frozen=True, slots=True)
class Bicycle:
    name: str
    wheels: tuple[Wheel, ...] = ()
    gears: tuple[float, ...] = (1.0,)
    bell: bool = False
    spare: float | None = None
    frame: Wheel = Wheel(1.0)
    parts: Mapping[str, Wheel] = field(default_factory=dict)
    other: Mapping[str, Any] = field(default_factory=dict)


GOOD: dict[str, Any] = {
    "name": "b",
    "wheels": [{"size": 28}, {"size": 26.5, "spokes": 20}],
    "gears": [1, 2.5],
    "bell": True,
    "spare": 2,
    "frame": {"size": 3.0},
    "parts": {"left": {"size": 1.0}},
    "other": {"list": [1, [2.0, "x"]], "table": {"deep": False}},
}


def test_every_kind_of_value() -> None:
    found = from_table(Bicycle, GOOD, "bicycle")
    assert found == Bicycle(
        "b",
        (Wheel(28.0), Wheel(26.5, 20)),
        (1.0, 2.5),
        True,
        2.0,
        Wheel(3.0),
        {"left": Wheel(1.0)},
        {"list": [1, [2.0, "x"]], "table": {"deep": False}},
    )
    assert [type(one) for one in (found.wheels[0].size, found.gears[0], found.spare)] == [float] * 3
    assert from_table(Bicycle, {"name": "b"}, "bicycle") == Bicycle("b")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"colour": 1}, r"bicycle has an unknown key 'colour'; it takes name, wheels, gears, bell, spare, frame"),
        ({"wheels": [{"size": 1, "tyre": 2}]}, r"bicycle\.wheels has an unknown key 'tyre'; it takes size, spokes"),
        ({"parts": {"left": {"sise": 1}}}, r"bicycle\.parts\.left has an unknown key 'sise'"),
        ({"frame": {}}, r"bicycle\.frame lacks the key 'size'"),
        ({"frame": 3}, r"bicycle\.frame must be a table, got 3"),
        ({"name": 3}, r"bicycle\.name must be a text, got 3"),
        ({"bell": 1}, r"bicycle\.bell must be true or false, got 1"),
        ({"frame": {"size": True}}, r"bicycle\.frame\.size must be a number, got True"),
        ({"frame": {"size": 1.0, "spokes": 3.0}}, r"bicycle\.frame\.spokes must be a whole number, got 3\.0"),
        ({"frame": {"size": 1.0, "spokes": True}}, r"spokes must be a whole number, got True"),
        ({"gears": 1.0}, r"bicycle\.gears must be a list"),
        ({"gears": ["1"]}, r"bicycle\.gears must be a number"),
        ({"gears": [10**400]}, r"bicycle\.gears must be a number"),
        ({"parts": []}, r"bicycle\.parts must be a table"),
        ({"spare": "x"}, r"bicycle\.spare must be a number"),
        ({"other": tomllib.loads("a = [1979-05-27]")}, r"bicycle\.other\.a must be a number, a text"),
        ({"other": tomllib.loads("a.b = 07:32:00")}, r"bicycle\.other\.a\.b must be a number, a text"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        from_table(Bicycle, GOOD | change, "bicycle")


def test_a_missing_key_is_named() -> None:
    with pytest.raises(ConfigError, match=r"bicycle lacks the key 'name'; add it"):
        from_table(Bicycle, {"bell": True}, "bicycle")


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates() | st.times()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
WHOLE: dict[str, Any] = {
    "name": "r",
    "summary": "s",
    "source": "s",
    "needs": "n",
    "network": {"name": "fbanknet", "options": {}},
    "data": {"pieces": 3.0, "least": 0.5, "speeds": [1.0], "speeds_are_speakers": True, "valid": 0.1},
    "crop": {"frames": 64, "fill": "repeat"},
    "augment": {},
    "mask": {},
    "teacher": "campplus",
    "validation": {"seconds": 3.0, "speakers_at_most": 10},
    "seed": 1,
    "stage": {
        "one": {
            "steps": 3,
            "sampler": "buffer",
            "sampler_options": {"batch": 2},
            "objectives": [{"loss": "softmax", "weight": 1.0, "options": {}}],
            "unlabelled": 0,
            "validate_every": 2,
            "patience": 1,
            "collapse": 0.5,
            "optimiser": {
                "kind": "adam",
                "lr": 0.1,
                "final_lr": 0.0,
                "schedule": "constant",
                "warmup": 1,
                "momentum": 0.0,
                "eps": 1e-8,
                "weight_decay": 0.0,
                "kernel_penalty": 0.0,
                "clip": 0.0,
                "patience": 2,
            },
        }
    },
}


def places(table: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where a value stands in a nested table."""
    inner = table.items() if isinstance(table, dict) else enumerate(table) if isinstance(table, list) else ()
    return [path, *(found for key, one in inner for found in places(one, (*path, key)))]


def put(table: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value at a place."""
    if not path:
        return value
    copy = dict(table) if isinstance(table, dict) else list(table)
    copy[path[0]] = put(copy[path[0]], path[1:], value)
    return copy


def test_the_whole_table_is_a_recipe() -> None:
    found = from_table(Recipe, WHOLE, "recipe")
    assert found.stage["one"].optimiser.warmup == 1
    assert found.stage["one"].objectives[0].loss == "softmax"


@given(path=st.sampled_from(places(WHOLE)), value=VALUES)
def test_any_value_anywhere_is_a_recipe_or_a_sentence(path: tuple[Any, ...], value: Any) -> None:
    try:
        found = from_table(Recipe, put(WHOLE, path, value), "recipe")
    except ConfigError as error:
        sentence = str(error)
    else:
        assert isinstance(found, Recipe)
        return
    assert sentence


@given(
    path=st.sampled_from([(), ("network",), ("data",), ("crop",), ("validation",), ("stage", "one")])
    | st.sampled_from([("stage", "one", "objectives", 0), ("stage", "one", "optimiser")]),
    key=st.text(min_size=1, max_size=8),
    value=SCALARS,
)
def test_a_key_that_is_not_known_is_never_ignored(path: tuple[Any, ...], key: str, value: Any) -> None:
    inner: Any = WHOLE
    for step in path:
        inner = inner[step]
    if key in inner:
        return
    with pytest.raises(ConfigError, match="has an unknown key"):
        from_table(Recipe, put(WHOLE, path, {**inner, key: value}), "recipe")


def test_tables_are_merged_and_all_else_is_replaced() -> None:
    base = {"a": 1, "b": {"c": [1, 2], "d": {"e": 1, "f": 2}}, "g": {"h": 1}}
    changes = {"b": {"c": [3], "d": {"f": 5, "i": 6}}, "g": 7, "j": {"k": 8}}
    copy = repr(base)
    assert merged(base, changes) == {
        "a": 1,
        "b": {"c": [3], "d": {"e": 1, "f": 5, "i": 6}},
        "g": 7,
        "j": {"k": 8},
    }
    assert repr(base) == copy


@pytest.mark.parametrize(
    "line", ["stage.one.collapse = nan", "stage.one.objectives = [{ loss = 'x', options = { margin = inf } }]"]
)
def test_what_is_no_number_is_refused(line: str) -> None:
    table = {"stage": {"one": {"steps": 1, "sampler": "buffer", "objectives": [{"loss": "x"}]}}}
    whole = {"name": "n", "summary": "s", "source": "s", "needs": "n", "network": {"name": "n"}, **table}
    with pytest.raises(ConfigError, match="must be a finite number"):
        from_table(Recipe, merged(whole, parsed(line, "a line")), "recipe")
