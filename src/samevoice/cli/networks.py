"""`samevoice networks`: which networks can be trained, and what they cost."""

from __future__ import annotations

import json as jsonlib
from importlib.resources import files
from typing import Any

from samevoice.cli.console import JsonOption, out, print_json

TITLES = ("name", "input", "front end", "embedding", "parameters", "GFLOP per 3 s")


def network_facts() -> list[dict[str, Any]]:
    """Counted facts, kept as data: importing the networks themselves would need torch."""
    text = files("samevoice").joinpath("networks", "facts.json").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = jsonlib.loads(text)
    return found


def networks(json: JsonOption = False) -> None:
    """Show the networks that can be trained: input, size of an embedding, parameters, operations for 3 s of sound.

    Training them needs torch; this list does not.

    Example: samevoice networks --json
    """
    found = network_facts()
    if json:
        print_json(found)
        return
    rows = [TITLES, *(_cells(one) for one in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:  # aligned here, because a table of rich cuts names short where a terminal is narrow
        words = [cell.ljust(width) for cell, width in zip(row[:3], widths[:3], strict=True)]
        numbers = [cell.rjust(width) for cell, width in zip(row[3:], widths[3:], strict=True)]
        out.print("  ".join(words + numbers), markup=False)


def _cells(one: dict[str, Any]) -> tuple[str, ...]:
    """One network's line."""
    numbers = (str(one["embedding_size"]), f"{one['parameters']:,}", f"{one['gflop_3s']:g}")
    return (one["name"], one["input"], one["frontend"], *numbers)
