"""The reference of the commands, from the `samevoice` command itself: a page for each, its subcommands on it.

Knows: typer's commands. Does not know: what they do, the site around the pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer.main

from samevoice.cli.main import app

FOLDER = "reference/commands"
INDEX = f"{FOLDER}/index.md"
_EXAMPLE = "Example: "


def pages() -> dict[str, str]:
    """All pages by path: an index, and one for each command."""
    root = typer.main.get_command(app)
    commands = _subcommands(root)
    rows = "\n".join(
        f"| [`samevoice {name}`]({name}.md) | {_first_line(command)} |" for name, command in commands.items()
    )
    index = (
        "# Command line\n\n"
        f"{_prose(root.help)}\n\n"
        f"| command | what it does |\n|---|---|\n{rows}\n\n"
        f"{_table(root, 'samevoice', 'Options of `samevoice` itself')}\n\n"
        "This page and those of the commands are generated from what `--help` prints.\n"
    )
    return {INDEX: index} | {f"{FOLDER}/{name}.md": _page(name, command) for name, command in commands.items()}


def anchors() -> Iterator[tuple[str, str, str]]:
    """Each command that can be run: its words, the page of its reference, and the anchor there."""
    for name, command in _subcommands(typer.main.get_command(app)).items():
        yield name, f"{FOLDER}/{name}.md", anchor(name)
        for below in _subcommands(command):
            yield f"{name} {below}", f"{FOLDER}/{name}.md", anchor(f"{name} {below}")


def anchor(words: str) -> str:
    """The anchor of a command, such as "samevoice-people-list"."""
    return f"samevoice-{words.replace(' ', '-')}"


def _subcommands(command: Any) -> dict[str, Any]:
    """Those of a group by name, without hidden ones; none of a plain command."""
    return {name: one for name, one in getattr(command, "commands", {}).items() if not one.hidden}


def _page(name: str, command: Any) -> str:
    """One command, and what stands below it."""
    parts = [_section(name, command, "#")]
    parts += [_section(f"{name} {below}", one, "##") for below, one in _subcommands(command).items()]
    return "\n\n".join(parts) + "\n"


def _section(words: str, command: Any, level: str) -> str:
    """Heading, usage, help and options of a command."""
    context = command.context_class(command, info_name=f"samevoice {words}")
    usage = " ".join(["samevoice", words, *command.collect_usage_pieces(context)])
    parts = [
        f"{level} samevoice {words} {{: #{anchor(words)} }}",
        f"```text\n{usage}\n```",
        _prose(command.help),
        _table(command, words, "Arguments and options"),
    ]
    return "\n\n".join(part for part in parts if part)


def _table(command: Any, words: str, title: str) -> str:
    """What may follow a command; empty where nothing may."""
    context = command.context_class(command, info_name=words)
    records = [record for one in command.params if (record := one.get_help_record(context)) is not None]
    if not records:
        return ""
    rows = "\n".join(f"| `{spelt}` | {_cell(_marked(said))} |" for spelt, said in records)
    return f"| {title} | |\n|---|---|\n{rows}"


def _first_line(command: Any) -> str:
    """The first sentence of a command's help."""
    return _cell(_marked((command.help or "").partition("\n\n")[0].replace("\n", " ")))


def _prose(text: str | None) -> str:
    """Help as paragraphs; examples as code."""
    blocks = (block.strip() for block in (text or "").split("\n\n"))
    return "\n\n".join(
        f"```sh\n{block.removeprefix(_EXAMPLE)}\n```" if block.startswith(_EXAMPLE) else _marked(block)
        for block in blocks
        if block
    )


def _marked(text: str) -> str:
    """Rich's marks as Markdown's; what looks like HTML stays words."""
    text = re.sub(r"\[(/?)(bold|italic)\]", lambda found: "**" if found.group(2) == "bold" else "*", text)
    return text.replace("\\[", "[").replace("<", "&lt;").replace("*.", "\\*.").replace("[", "\\[")


def _cell(text: str) -> str:
    """Text that stays in its cell."""
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()
