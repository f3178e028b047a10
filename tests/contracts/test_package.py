"""Promises of the package as a whole: light, quiet, complete."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import samevoice
from samevoice.models.store import default_folder

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "samevoice"


def fresh(code: str) -> str:
    """What a new interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_import_loads_nothing_heavy() -> None:
    heavy = fresh(
        "import sys, samevoice; "
        "print([n for n in ('numpy', 'torch', 'onnxruntime', 'soundfile', 'typer') if n in sys.modules])"
    )
    assert heavy == "[]"


def test_verify_needs_no_torch() -> None:
    samples = ROOT / "samples"
    code = (
        "import sys, samevoice as sv; "
        f"sv.verify({str(samples / 'sample_1a.mp3')!r}, {str(samples / 'sample_2.mp3')!r}); "
        "print('torch' in sys.modules, 'onnx' in sys.modules, 'matplotlib' in sys.modules)"
    )
    assert fresh(code) == "False False False"


def test_verify_leaves_nothing_in_the_home_folder(tmp_path: Path) -> None:
    """ONNX Runtime gathers telemetry there unless it is told not to."""
    samples = ROOT / "samples"
    code = f"import samevoice as sv; sv.verify({str(samples / 'sample_1a.mp3')!r}, {str(samples / 'sample_2.mp3')!r})"
    cache = {"SAMEVOICE_CACHE": str(default_folder().parent)}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    subprocess.run([sys.executable, "-c", code], check=True, env={**environment, **cache, "HOME": str(tmp_path)})
    assert list(tmp_path.rglob("*")) == []


def test_every_public_name_resolves_and_is_listed_once() -> None:
    assert samevoice.__all__ == sorted(samevoice.__all__)
    for name in samevoice.__all__:
        assert getattr(samevoice, name).__name__ == name
    assert set(samevoice.__all__) == set(samevoice._HOMES)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = samevoice.nonsense


def test_editors_see_the_same_names() -> None:
    tree = ast.parse((SOURCE / "__init__.py").read_text(encoding="utf-8"))
    seen = {
        (alias.name, (node.module or "").removeprefix("samevoice."))
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("samevoice")
        for alias in node.names
    }
    assert seen == set(samevoice._HOMES.items())


def test_core_has_at_most_eleven_dependencies_and_no_torch() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[^\w-]", requirement)[0] for requirement in project["dependencies"]}
    assert len(names) <= 11
    assert "torch" not in names
    assert project["version"] == samevoice.__version__


def test_public_functions_have_docstrings() -> None:
    missing = []
    for path in SOURCE.rglob("*.py"):
        module = ast.parse(path.read_text(encoding="utf-8"))
        if not ast.get_docstring(module):
            missing.append(path.name)
        owners: list[ast.Module | ast.ClassDef] = [
            module,
            *(one for one in module.body if isinstance(one, ast.ClassDef) and not one.name.startswith("_")),
        ]
        for node in (node for owner in owners for node in owner.body):  # functions inside functions are private
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                missing += [] if ast.get_docstring(node) else [f"{path.name}:{node.name}"]
    assert missing == []


def test_nothing_is_unpickled_by_a_library() -> None:
    """Only the restricted reader may touch pickle; nobody loads with torch or lets numpy unpickle."""
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        plain = 'torch.load(path, map_location="cpu", weights_only=True)'  # reads tensors and plain values only
        assert "torch.load" not in text.replace(plain, "")
        assert "allow_pickle=True" not in text
        if path.name != "unpickle.py":
            assert "pickle" not in text.replace("unpickle", "").replace("allow_pickle=False", "") or path.name in {
                "errors.py"
            }, path


def test_readme_commands_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?:^|`)make (\w+)", readme, re.MULTILINE))
    assert {"demo", "test"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.slow
def test_readme_python_runs(tmp_path: Path) -> None:
    """Every Python block of the README, in order, in a folder that has the samples and nothing else."""
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert blocks
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("same")
