"""Other benchmarks as parts of the suite: run, and what they print read as tables.

Knows: Markdown tables. Does not know: what their columns mean.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.suite_systems import Missing
from samevoice.measuring.machine import THREAD_VARIABLES

ROOT = Path(__file__).parents[1]

Table = dict[str, Any]


def tables_of(text: str) -> list[Table]:
    """All tables of a text.

    Returns:
        For each: `title`, the last line before it that says anything; `columns`; `rows`, cells as they are written.
    """
    found: list[Table] = []
    title, inside = "", False
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if not line.startswith("|"):
            inside, title = False, line.strip() or title
            continue
        cells = [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]
        if set(line) <= set("|-: "):
            continue
        if not inside and number + 1 < len(lines) and set(lines[number + 1].strip()) <= set("|-: "):
            found.append({"title": title, "columns": cells, "rows": []})
            inside, title = True, ""
        elif inside:
            found[-1]["rows"].append(cells)
    return found


def printed(module: str, *arguments: str, data: Path | None = None) -> list[Table]:
    """Run a benchmark of this project in a process of its own.

    Args:
        module: in `benchmarks`.
        arguments: as on the command line.
        data: given as `--data`.

    Returns:
        The tables that it printed.

    Raises:
        Missing: it failed.
    """
    given: Sequence[str] = (*arguments, *(("--data", str(data)) if data else ()))
    command = [sys.executable, "-m", f"benchmarks.{module}", *given]
    free = {name: value for name, value in os.environ.items() if name not in THREAD_VARIABLES}  # it chooses itself
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=free)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Missing(f"benchmarks.{module}: {said[-1] if said else f'ended with {done.returncode}'}")
    return tables_of(done.stdout)
