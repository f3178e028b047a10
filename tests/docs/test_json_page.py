"""Every command that prints JSON has its fields on docs/json.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from samevoice.cli.main import app

HEADINGS = re.findall(
    r"^## (.*)$", (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8"), re.MULTILINE
)


def commands(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    """All that can be run, by their words."""
    below = getattr(command, "commands", None)
    if below is None:
        yield words, command
    for name, one in (below or {}).items():
        if not one.hidden:
            yield from commands(f"{words} {name}", one)


def with_json() -> list[str]:
    found = commands("samevoice", typer.main.get_command(app))
    return [words for words, one in found if any("--json" in option.opts for option in one.params)]


def test_commands_are_found() -> None:
    assert {"samevoice verify", "samevoice batch embed", "samevoice keys list"} <= set(with_json())


@pytest.mark.parametrize("words", with_json())
def test_a_command_that_prints_json_has_a_section(words: str) -> None:
    group = f"{words.rsplit(' ', 1)[0]} ..."
    known = [part for line in HEADINGS for part in re.findall(r"`(samevoice [^`]*)`", line)]
    assert any(part.startswith((f"{words} ", group)) for part in known), known
