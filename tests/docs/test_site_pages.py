"""The pages that are generated: links led on, the public surface, commands, cards, the glossary."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import samevoice
from tools.docs import commandline, links, surface

ROOT = Path(__file__).parents[2]
WRITTEN = sorted(
    [*(ROOT / "docs").rglob("*.md"), *(ROOT / source for source in links.shown())], key=lambda path: path.as_posix()
)


def headings(path: Path) -> set[str]:
    """The anchors that a code host makes of the headings of a page."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_work_on_a_code_host(path: Path) -> None:
    """Relative links of README and the pages lead to files of the project, and to headings that they have."""
    text = re.sub(r"^```.*?^```|`[^`\n]+`", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^()\s]+)\)", text):
        if re.match(r"https?:", target):
            continue
        file, _, anchor = target.partition("#")
        goal = (path.parent / file).resolve() if file else path
        assert goal.exists(), target
        if anchor:
            assert anchor in headings(goal), target


@pytest.mark.parametrize(
    ("source", "page", "text", "led"),
    [
        ("README.md", "overview.md", "[a](docs/gallery.md#x)", "[a](gallery.md#x)"),
        ("README.md", "overview.md", "![a](docs/screenshots/same.png)", "![a](screenshots/same.png)"),
        ("docs/index.md", "index.md", "[a](../README.md)", "[a](overview.md)"),
        ("docs/a/b.md", "a/b.md", "[a](../../README.md)", "[a](../overview.md)"),
        ("benchmarks/README.md", "reference/measurements.md", "[a](../docs/live.md)", "[a](../live.md)"),
        ("README.md", "overview.md", "see [the code](pyproject.toml), please", "see the code, please"),
        ("README.md", "overview.md", "[a](nowhere.md)", "[a](nowhere.md)"),
        ("README.md", "overview.md", "[a](https://example.org/docs/x.md)", "[a](https://example.org/docs/x.md)"),
        ("README.md", "overview.md", "`[a](docs/live.md)`", "`[a](docs/live.md)`"),
        ("README.md", "overview.md", "```\n[a](docs/live.md)\n```", "```\n[a](docs/live.md)\n```"),
        ("README.md", "overview.md", "[two\nwords](docs/live.md)", "[two words](live.md)"),
        ("README.md", "overview.md", "| `a\\|b` | c\\|d |", "| `a|b` | c\\|d |"),
    ],
)
def test_links_are_led_on(source: str, page: str, text: str, led: str) -> None:
    assert links.led(text, source, page) == led


def test_every_public_name_has_a_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = surface.pages()
    for name in samevoice.__all__:
        assert sum(f"::: samevoice.{name}\n" in page for page in pages.values()) == 1, name
    monkeypatch.setattr(samevoice, "__all__", [*samevoice.__all__, "surprise"])
    with pytest.raises(ValueError, match="surprise"):
        surface.pages()


@pytest.mark.parametrize("module", samevoice.PUBLIC_MODULES)
def test_public_modules_say_what_they_promise(module: str) -> None:
    loaded = importlib.import_module(f"samevoice.{module}")
    assert loaded.__doc__
    assert tuple(loaded.__all__) == surface.exported(module)
    for name in loaded.__all__:
        assert not name.startswith("_")
        assert hasattr(loaded, name), name


def test_a_module_without_promises_is_not_public() -> None:
    with pytest.raises(ValueError, match="has no __all__"):
        surface.exported("cli.main")


def test_pages_import_what_is_public_alone() -> None:
    """Snippets teach no name that may change without notice, but to who changes samevoice itself."""
    public = {name for name, _ in surface.anchors()} | {f"samevoice.{one}" for one in samevoice.PUBLIC_MODULES}
    for path in (one for one in WRITTEN if one.name != "CONTRIBUTING.md"):
        blocks = re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
        for module, names in re.findall(r"^from (samevoice[\w.]*) import (.+)$", "\n".join(blocks), re.MULTILINE):
            for name in names.split(","):
                assert f"{module}.{name.split(' as ')[0].strip()}" in public, f"{path.name}: {module} {name}"


def test_commands_are_shown_with_their_options() -> None:
    pages = commandline.pages()
    people = pages["reference/commands/people.md"]
    assert "## samevoice people delete {: #samevoice-people-delete }" in people
    verify = pages["reference/commands/verify.md"]
    assert "--explain PNG" in verify
    assert "samevoice verify monday.wav tuesday.m4a --far 0.005" in verify
    assert "[samevoice.verify](" not in verify
    assert "[bold]" not in "".join(pages.values())
