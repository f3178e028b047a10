"""How many planted defects do the tests find? A random share of those that mutmut plants into some modules.

    python -m tools.mutants samevoice.scoring --tests tests/scoring [--share 300] [--seed 0] [--workers 2]

Works on a copy of what git knows here, in a folder of its own. First all these tests but slow ones run once, to see
which function each of them reaches; then, for each planted defect, those that reach its function, until one fails. A
defect is found if a test fails or takes fifteen times as long. Needs `pip install mutmut`.

Knows: mutmut's files. Does not know: what the modules are about.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.conversations import wilson

ROOT = Path(__file__).parents[1]
CONFIG = """
[tool.mutmut]
source_paths = ["src/samevoice"]
only_mutate = [{pattern}]
also_copy = [{rest}]
pytest_add_cli_args = ["-p", "no:cacheprovider", "-n0", "-m", "not slow"]
pytest_add_cli_args_test_selection = [{tests}]
"""
SURVIVED, UNREACHED, FAILED = (0,), (5, 33), (1, 3)  # exit codes of pytest, as mutmut keeps them


def main() -> None:
    """Plant, test, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", help="whose modules are changed, such as samevoice.scoring")
    parser.add_argument("--tests", nargs="+", required=True)
    parser.add_argument("--share", type=int, default=300, help="defects that are tried")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--survivors", type=Path, help="file for the changes that no test noticed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place)
        prepare(copy, options.package, options.tests)
        run = ["--max-children", str(options.workers)]
        said = mutmut(copy, "run", *run, "none", check=False)  # plants all, runs the tests, and refuses that name
        if not (planted := sorted(outcomes(copy))):
            raise SystemExit(f"nothing could be planted:\n{said[-3_000:]}")
        chosen = random.Random(options.seed).sample(planted, min(options.share, len(planted)))  # noqa: S311
        mutmut(copy, "run", *run, *chosen)
        found = outcomes(copy)
        print(told(Counter(kind(found[name]) for name in chosen), len(planted)))
        if options.survivors:
            missed = [name for name in chosen if kind(found[name]) in ("survived", "reached by no test")]
            options.survivors.write_text("\n".join(mutmut(copy, "show", name) for name in missed), encoding="utf-8")


def prepare(copy: Path, package: str, tests: list[str]) -> None:
    """Copy the checkout and say what is to be changed there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    pattern = json.dumps(f"src/{package.replace('.', '/')}/*.py")
    rest = ", ".join(json.dumps(one.name) for one in sorted(copy.iterdir()) if one.name != "src")
    with (copy / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(CONFIG.format(pattern=pattern, rest=rest, tests=", ".join(map(json.dumps, tests))))


def mutmut(copy: Path, *words: str, check: bool = True) -> str:
    """What mutmut says; what it does is in its files."""
    line = [sys.executable, "-m", "mutmut", *words]
    planted = {**os.environ, "PYTHONPATH": str(copy / "mutants" / "src")}  # for processes that tests start, too
    done = subprocess.run(line, cwd=copy, env=planted, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise SystemExit(f"mutmut failed:\n{done.stdout[-3_000:]}{done.stderr[-3_000:]}")
    return done.stdout + done.stderr


def outcomes(copy: Path) -> dict[str, int | None]:
    """The exit code of the tests for each planted defect; None where it was not tried."""
    codes: dict[str, int | None] = {}
    for path in copy.glob("mutants/src/**/*.meta"):
        codes |= json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
    return codes


def kind(code: int | None) -> str:
    """What an exit code means."""
    if code in SURVIVED:
        return "survived"
    if code in UNREACHED:
        return "reached by no test"
    return "a test failed" if code in FAILED else "not tried" if code is None else "took too long"


def told(counts: Counter[str], planted: int) -> str:
    """The score with its interval, and what came of the defects."""
    tried = counts.total() - counts["not tried"]
    found = counts["a test failed"] + counts["took too long"]
    rest = ", ".join(f"{name}: {count}" for name, count in counts.most_common())
    return f"found: {wilson(found, tried)}; {planted} planted ({rest})"


if __name__ == "__main__":
    main()
