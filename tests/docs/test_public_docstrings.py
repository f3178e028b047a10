"""What the reference shows of each public function: every argument is said, and so is what goes wrong."""

from __future__ import annotations

import importlib
import inspect
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


@pytest.mark.parametrize("home", HOMES)
def test_every_argument_is_described(home: str) -> None:
    module = importlib.import_module(f"samevoice.{home}".rstrip("."))
    missing = []
    for name, function in functions(module, list(module.__all__)):
        if not function.__module__.startswith("samevoice"):
            continue  # inherited from a library
        said = inspect.getdoc(function) or ""
        arguments = [one for one in inspect.signature(function).parameters if one not in {"self", "cls"}]
        missing += [f"{name}({one})" for one in arguments if f"\n    {one}:" not in said]
        missing += [] if inspect.signature(function).return_annotation is not inspect.Parameter.empty else [name]
    assert missing == []
