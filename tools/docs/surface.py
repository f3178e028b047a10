"""The Python reference: a page for each topic of the public names and for each public module.

What stands on the pages is read from the docstrings by mkdocstrings; this module only says which names go where.

Knows: the public surface. Does not know: mkdocs, what the names do.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import samevoice

FOLDER = "reference/python"
MODULES = "reference/modules"
INDEX = f"{FOLDER}/index.md"
SOURCE = Path(__file__).parents[2] / "src" / "samevoice"

TOPICS: dict[str, tuple[str, tuple[str, ...]]] = {
    "decisions": ("Two recordings, one decision", ("verify", "judge", "compare", "Decision")),
    "models": ("Models and embeddings", ("load_model", "Model", "Embedding", "ModelCard")),
    "recordings": (
        "Recordings and speech",
        (
            *("open_recording", "Recording", "Waveform", "load_detector", "listen", "Heard"),
            *("AudioReport", "Segment", "Timeline"),
        ),
    ),
    "people": ("People enrolled", ("Gallery", "Identification")),
    "conversations": (
        "Conversations",
        ("diarize", "load_diarizer", "Telling", "Diarized", "Diarization", "Turn", "Draft", "Evidence", "finish"),
    ),
    "timelines": ("Slices of a recording", ("timeline", "Grid", "SliceTable", "Slice", "Voices")),
    "errors": (
        "Errors",
        (
            *("SamevoiceError", "AudioError", "NotEnoughSpeech", "ModelError", "FingerprintMismatch", "GalleryError"),
            *("UnknownPerson", "EnrolmentRefused", "DataError", "ConfigError"),
        ),
    ),
}
"""Title and names of each page; together they are `samevoice.__all__`, each once."""

_INHERITING = {"Gallery"}  # whose methods of other classes are shown too
_HEAD = """# Python API

Everything that is promised: the names of `samevoice` itself, and what the modules below list in their `__all__`.
All other modules may change without notice. Types are checked with mypy; shapes are written as `(n, d)`, times are
seconds of the source file.
"""


def pages() -> dict[str, str]:
    """All pages by path.

    Raises:
        ValueError: a public name has no topic, or more than one, or a topic has another name.
    """
    placed = sorted(name for _, names in TOPICS.values() for name in names)
    if placed != sorted(samevoice.__all__):
        raise ValueError(f"the topics and samevoice.__all__ differ in {set(placed) ^ set(samevoice.__all__) or placed}")
    return (
        {INDEX: _index()}
        | {f"{FOLDER}/{topic}.md": _topic(*about) for topic, about in TOPICS.items()}
        | {_page(module): _module(module) for module in samevoice.PUBLIC_MODULES}
    )


def anchors() -> Iterator[tuple[str, str]]:
    """Each public name as it is imported, with the page of its reference; the name is the anchor."""
    for topic, (_, names) in TOPICS.items():
        for name in names:
            yield f"samevoice.{name}", f"{FOLDER}/{topic}.md"
    for module in samevoice.PUBLIC_MODULES:
        for name in exported(module):
            yield f"samevoice.{module}.{name}", _page(module)


def exported(module: str) -> tuple[str, ...]:
    """What a module lists in its `__all__`, without importing it: it may need what is not installed.

    Args:
        module: below `samevoice`, such as "evaluation.metrics".

    Raises:
        ValueError: it lists nothing.
    """
    for node in _tree(module).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return tuple(ast.literal_eval(node.value))
    raise ValueError(f"samevoice.{module} is public and has no __all__")


def _index() -> str:
    """All names in two tables."""
    names = [
        f"| {title} | {', '.join(f'[`{name}`]({topic}.md#samevoice.{name})' for name in names)} |"
        for topic, (title, names) in TOPICS.items()
    ]
    modules = [
        f"| [`samevoice.{module}`](../modules/{module}.md) | {_first_line(module)} |"
        for module in samevoice.PUBLIC_MODULES
    ]
    return "\n".join(
        [
            _HEAD,
            *("## Names of `samevoice`\n", "| topic | names |\n|---|---|", *names, ""),
            *("## Public modules\n", "| module | what |\n|---|---|", *modules, ""),
        ]
    )


def _topic(title: str, names: tuple[str, ...]) -> str:
    """Some public names."""
    blocks = [
        f"::: samevoice.{name}" + ("\n    options:\n      inherited_members: true" if name in _INHERITING else "")
        for name in names
    ]
    return "\n\n".join([f"# {title}", *blocks]) + "\n"


def _module(module: str) -> str:
    """A public module with what it promises."""
    members = "".join(f"        - {name}\n" for name in exported(module))
    return (
        f"# samevoice.{module}\n\n::: samevoice.{module}\n"
        f"    options:\n      show_root_heading: false\n      show_root_toc_entry: false\n      members:\n{members}"
    )


def _first_line(module: str) -> str:
    """The first line of a module's docstring."""
    return (ast.get_docstring(_tree(module)) or "").partition("\n")[0].replace("|", "\\|")


def _tree(module: str) -> ast.Module:
    """The source of a module."""
    path = SOURCE.joinpath(*module.split("."))
    return ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8"))


def _page(module: str) -> str:
    """The path of a module's page."""
    return f"{MODULES}/{module}.md"
