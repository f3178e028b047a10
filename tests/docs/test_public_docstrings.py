"""What the reference shows of each public function: every argument is said, and so is what goes wrong."""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import samevoice

HOMES = ["", *samevoice.PUBLIC_MODULES]


def functions(module: Any, names: list[str]) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The public functions and methods of a module, those of other classes that a class shows included."""
    for name in names:
        value = getattr(module, name)
        if inspect.isclass(value) and value.__module__.startswith("samevoice"):
            for key, _ in inspect.getmembers(value, callable):
                plain = inspect.unwrap(inspect.getattr_static(value, key))
                method = plain.__func__ if isinstance(plain, classmethod | staticmethod) else plain
                if not key.startswith("_") and inspect.isfunction(method):
                    yield f"{name}.{key}", method
        elif inspect.isfunction(value):
            yield name, value


def named_defaults(function: Callable[..., Any]) -> list[str]:
    """Defaults that a signature shows by the name of a constant, in the words that a docstring needs for them."""
    definition = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(definition, ast.FunctionDef)
    given = definition.args
    places = [*(given.posonlyargs + given.args)[::-1][: len(given.defaults)][::-1], *given.kwonlyargs]
    names = [
        place.arg
        for place, default in zip(places, [*given.defaults, *given.kw_defaults], strict=True)
        if isinstance(default, ast.Name)
    ]
    values = [inspect.signature(function).parameters[name].default for name in names]
    return [f'by default "{one}"' if isinstance(one, str) else f"by default {one:,}" for one in values]


@pytest.mark.parametrize("home", HOMES)
def test_every_argument_is_described(home: str) -> None:
    module = importlib.import_module(f"samevoice.{home}".rstrip("."))
    missing = []
    for name, function in functions(module, list(module.__all__)):
        if not function.__module__.startswith("samevoice"):
            continue  # inherited from a library
        said = inspect.getdoc(function) or ""
        missing += [f"{name}: {value}" for value in named_defaults(function) if value not in " ".join(said.split())]
        arguments = [one for one in inspect.signature(function).parameters if one not in {"self", "cls"}]
        missing += [f"{name}({one})" for one in arguments if f"\n    {one}:" not in said]
        missing += [] if inspect.signature(function).return_annotation is not inspect.Parameter.empty else [name]
    assert missing == []
