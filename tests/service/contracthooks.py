"""Hooks that schemathesis loads: real speech in some uploads, a real person and job in some paths.

It is run by schemathesis' own process, not by pytest.
"""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis import HookContext, Response

SOUND = Path(os.environ["CONTRACT_SOUND"]).read_bytes()
KNOWN: dict[str, str] = json.loads(os.environ["CONTRACT_KNOWN"])
UPLOADS = ("audio", "first", "second", "reference")
_turn = itertools.count()


@schemathesis.hook
def before_load_schema(context: HookContext, raw_schema: dict[str, Any]) -> None:  # noqa: ARG001
    """Pairs as lists of two: schemathesis 4.32 takes its own reading of `prefixItems` for an invalid schema."""

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            if kinds := part.pop("prefixItems", None):
                part["items"] = {"anyOf": kinds}
            for value in part.values():
                walk(value)
        elif isinstance(part, list):
            for value in part:
                walk(value)

    walk(raw_schema)


@schemathesis.hook
def before_call(context: HookContext, case: Any, kwargs: dict[str, Any]) -> None:  # noqa: ARG001
    """Every third request reaches what lies behind the decoder and behind "there is no such thing"."""
    if next(_turn) % 3:
        return
    if isinstance(case.body, dict) and set(UPLOADS) & set(case.body):
        case.body = {name: SOUND if name in UPLOADS else value for name, value in case.body.items()}
    if case.method not in {"DELETE", "PATCH"} and not case.path.endswith(("undo", "merge")):
        case.path_parameters.update({name: value for name, value in KNOWN.items() if name in case.path_parameters})


@schemathesis.hook
def after_call(context: HookContext, case: Any, response: Response) -> None:  # noqa: ARG001
    """Note the answer."""
    with Path(os.environ["CONTRACT_NOTES"]).open("a") as notes:
        notes.write(f"{response.status_code} {case.method} {case.path}\n")
