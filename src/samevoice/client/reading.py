"""JSON as typed values: a dataclass is read from an object, field by field.

Members that a dataclass does not have are passed over, so that an older client reads a newer service; one that is
missing or of another type is an error, never a wrong value.

Knows: dataclasses, tuples, optional values, literals. Does not know: what they mean.
"""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from samevoice.client.errors import ServiceError

Kind = TypeVar("Kind")


class _Unreadable(Exception):
    """Where something is not of its type, from the innermost outwards."""


def read(kind: type[Kind], value: Any) -> Kind:
    """A value of a type.

    Args:
        kind: a dataclass, `tuple[X, ...]`, `tuple[X, Y]`, `X | None`, a Literal, a plain type, or Any.
        value: what `json.loads` gave.

    Raises:
        ServiceError: it is not of that type; the message tells where, and never the value.
    """
    try:
        return cast("Kind", _read(kind, value))
    except _Unreadable as error:
        where = ".".join(reversed([str(part) for part in error.args])) or "the answer"
        raise ServiceError(
            f"the service answered something else than this client reads ({where}); use a client of its version",
            "version",
        ) from None


@cache
def hints(kind: type) -> dict[str, Any]:
    """The types of a dataclass's fields."""
    return get_type_hints(kind)


def _read(kind: Any, value: Any) -> Any:
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if is_dataclass(kind) and isinstance(kind, type):
        return _object(kind, value)
    if origin is tuple:
        return _tuple(parts, value)
    if origin in {Union, UnionType}:
        if value is None and NoneType in parts:
            return None
        return _read(next(part for part in parts if part is not NoneType), value)
    if origin is Literal:
        if value in parts:
            return value
    elif kind is float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    elif isinstance(value, origin or kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise _Unreadable


def _object(kind: type, value: Any) -> Any:
    if not isinstance(value, dict):
        raise _Unreadable
    found = {}
    for field in fields(kind):
        if field.name in value:
            found[field.name] = _inside(hints(kind)[field.name], value[field.name], field.name)
        elif field.default is MISSING:
            raise _Unreadable(field.name)
    return kind(**found)


def _tuple(parts: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _Unreadable
    kinds = (parts[0],) * len(value) if parts[-1] is Ellipsis else parts
    if len(kinds) != len(value):
        raise _Unreadable
    return tuple(_inside(kind, one, number) for number, (kind, one) in enumerate(zip(kinds, value, strict=True)))


def _inside(kind: Any, value: Any, name: object) -> Any:
    try:
        return _read(kind, value)
    except _Unreadable as error:
        raise _Unreadable(*error.args, name) from None
