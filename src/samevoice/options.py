"""Things that are built by name with options from a recipe, and the checks of those options.

Knows: registries, kinds and ranges of numbers. Does not know: what is built, torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import Parameter, signature
from reprlib import Repr
from typing import Any, TypeVar

from samevoice.errors import ConfigError

Built = TypeVar("Built")


def registered(what: str, name: str, homes: Mapping[str, str]) -> Any:
    """The class behind a name.

    Args:
        what: what the registry holds, for the message.
        name: a key of the registry.
        homes: the registry, name -> "module:Class".

    Raises:
        ConfigError: nothing has that name, or torch is not installed.
    """
    if name not in homes:
        raise ConfigError(f"{what} {name!r} is unknown; use one of {', '.join(sorted(homes))}")
    module, _, attribute = homes[name].partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ImportError as error:
        raise ConfigError(f"{what} {name!r} needs torch; install it with: pip install 'samevoice[train]'") from error


def with_options(
    what: str,
    make: Callable[..., Built],
    options: Mapping[str, Any],
    fixed: Mapping[str, Any] | None = None,
    *,
    keyword_only: bool = False,
) -> Built:
    """Call a class with options by name.

    Args:
        what: what is built and how it is called, for the message.
        make: the class.
        options: arguments that a recipe may give.
        fixed: arguments that it may not.
        keyword_only: only keyword-only arguments are options; the others are for programmers.

    Raises:
        ConfigError: an option is unknown or missing, or the class refuses its value.
    """
    fixed = fixed or {}
    named = {Parameter.KEYWORD_ONLY} if keyword_only else {Parameter.KEYWORD_ONLY, Parameter.POSITIONAL_OR_KEYWORD}
    known = {key: one for key, one in signature(make).parameters.items() if one.kind in named and key not in fixed}
    takes = f"{what} takes {', '.join(known) or 'no options'}"
    if unknown := [key for key in options if key not in known]:
        raise ConfigError(f"{takes}; got {unknown[0]!r}")
    if missing := [key for key, one in known.items() if one.default is one.empty and key not in options]:
        raise ConfigError(f"{takes}; {missing[0]!r} is missing")
    return make(**fixed, **options)


def brief(value: object) -> str:
    """A value as a message quotes it: not too long, whatever somebody typed."""
    return _BRIEF.repr(value)


def checked_number(name: str, value: float, *, above: float | None = None, low: float = 0, high: float = 1e6) -> float:
    """A setting that lies in low <= value <= high and, where `above` is given, value > above.

    Raises:
        ConfigError: it does not, or it is no number.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high or (above is not None and value <= above):
        least = f"above {above:g}" if above is not None else f"at least {low:g}"
        raise ConfigError(f"{name} must be a number {least} and at most {high:g}, got {brief(value)}")
    return float(value)


def checked_size(name: str, value: object, least: int = 1, most: int | None = None) -> int:
    """A whole number from `least`, and up to `most` where that is given.

    Raises:
        ConfigError: it is none.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least or (most is not None and value > most):
        span = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ConfigError(f"{name} must be a whole number {span}, got {brief(value)}")
    return value


def checked_flag(name: str, value: object) -> bool:
    """True or false; the word "false" is neither.

    Raises:
        ConfigError: it is none of the two.
    """
    if not isinstance(value, bool):
        raise ConfigError(f"{name} must be true or false, got {brief(value)}")
    return value


def checked_word(name: str, value: str, known: tuple[str, ...]) -> str:
    """One of the known words.

    Raises:
        ConfigError: it is none of them.
    """
    if value not in known:
        raise ConfigError(f"{name} must be one of {', '.join(known)}, got {brief(value)}")
    return value


_BRIEF = Repr()
_BRIEF.maxstring = _BRIEF.maxother = 80
