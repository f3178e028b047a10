"""Processes that measure: started, asked, and gone when their block ends.

Knows: pipes and one line of JSON per answer. Does not know: what is measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from samevoice.errors import ConfigError

Child = subprocess.Popen[str]


@contextmanager
def started(code: str, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Child]:
    """A fresh interpreter that runs some code; it is ended with the block.

    Args:
        code: of Python.
        arguments: its `sys.argv[1:]`.
        env: its variables; those of this process if None.
    """
    command = [sys.executable, "-c", code, *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, env=env) as child:
        try:
            yield child
        finally:
            child.kill()


def answer(child: Child) -> dict[str, float]:
    """The next line that a process tells.

    Raises:
        ConfigError: it ended without one.
    """
    line = child.stdout.readline() if child.stdout else ""
    try:
        told: dict[str, float] = json.loads(line)
    except ValueError as error:
        raise ConfigError("a measuring process ended without an answer; is there enough memory? try again") from error
    return told


def ask(child: Child) -> None:
    """Tell a process to go on."""
    if child.stdin:
        child.stdin.write("\n")
        child.stdin.flush()
