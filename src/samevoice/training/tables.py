"""From TOML tables to dataclasses, with strict keys: a recipe is data, and a misspelt key is an error, never ignored.

Knows: tables, kinds of values. Does not know: what a recipe holds.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from samevoice.errors import ConfigError
from samevoice.options import brief

T = TypeVar("T")

LONGEST = 80  # letters of a name that a message quotes
LARGEST = 2**53  # up to here every whole number is a float too


def from_table(kind: type[T], table: object, where: str) -> T:
    """A dataclass from a table; nested dataclasses come from nested tables.

    Args:
        kind: a dataclass whose fields are numbers, texts, flags, tuples of them, mappings, other such dataclasses, or
            mappings of names to those.
        table: decoded TOML.
        where: what to call it in messages.

    Raises:
        ConfigError: a key is unknown or missing, a value has another kind, or the dataclass refuses it.
    """
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where} must be a table, got {brief(table)}")
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    if unknown := [key for key in table if key not in known]:
        raise ConfigError(f"{where} has an unknown key {brief(unknown[0])}; it takes {', '.join(known)}")
    required = [name for name, field in known.items() if field.default is field.default_factory is MISSING]
    if missing := [name for name in required if name not in table]:
        raise ConfigError(f"{where} lacks the key {missing[0]!r}; add it")
    hints = get_type_hints(kind)
    return kind(**{key: _value(hints[key], value, f"{where}.{key}") for key, value in table.items()})


def parsed(text: str, what: str) -> dict[str, Any]:
    """Decoded TOML.

    Args:
        text: of a file.
        what: what to call it in messages.

    Raises:
        ConfigError: it is none.
    """
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also a number of 5,000 digits, and brackets without end
        raise ConfigError(f"{what} is no TOML ({error}); mend it") from error


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A table with another laid over it; tables within are merged likewise, all else is replaced."""
    result = dict(base)
    for key, value in changes.items():
        inner = result.get(key)
        result[key] = merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return result


def _value(hint: Any, value: object, where: str) -> Any:
    """One value, if it is of the kind that a field asks for."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        (hint,) = (one for one in inner if one is not type(None))  # TOML has no null: a key is left out instead
        return _value(hint, value, where)
    if is_dataclass(hint):
        return from_table(hint, value, where)  # type: ignore[arg-type]
    if origin is tuple:
        if not isinstance(value, list):
            raise ConfigError(f"{where} must be a list, got {brief(value)}")
        return tuple(_value(inner[0], one, where) for one in value)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where} must be a table, got {brief(value)}")
        return {key: _value(inner[1], one, f"{where}.{key[:LONGEST]}") for key, one in value.items()}
    if hint is Any:
        return _plain(value, where)
    if hint is float and type(value) is int and abs(value) <= LARGEST:
        return float(value)
    _finite(value, where)
    if type(value) is not hint:
        raise ConfigError(f"{where} must be {_NAMES[hint]}, got {brief(value)}")
    return value


def _plain(value: object, where: str) -> Any:
    """A value that can be written as JSON too; TOML also knows dates and times."""
    if isinstance(value, Mapping):
        return {key: _plain(one, f"{where}.{key[:LONGEST]}") for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one, where) for one in value]
    _finite(value, where)
    if type(value) not in _NAMES:
        raise ConfigError(
            f"{where} must be a number, a text, true or false, or a list or table of them, got {brief(value)}"
        )
    return value


def _finite(value: object, where: str) -> None:
    """Refuse what TOML calls a number and nobody can compute with."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{where} must be a finite number, got {value}")


_NAMES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
