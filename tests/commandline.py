"""The `samevoice` command within the process of the tests, because starting one takes longer than most of its work.

What only a process of its own can show is tested with one: pipes, closed descriptors, kills, what libraries mutter.
"""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from subprocess import CompletedProcess
from unittest.mock import patch

import pytest

from samevoice.cli import main


def samevoice(*arguments: object) -> CompletedProcess[str]:
    """What a command answers; a defect fails the test."""
    line = ["samevoice", *map(str, arguments)]
    told, said = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace") for _ in range(2))
    with patch.object(sys, "argv", line), redirect_stdout(told), redirect_stderr(said):
        with pytest.raises(SystemExit) as end:
            main._run()
        texts = []
        for stream in (told, said):
            stream.flush()
            stream.seek(0)
            texts.append(stream.read())
    assert isinstance(end.value.code, int)
    assert "samevoice: unexpected" not in texts[1], texts[1]
    return CompletedProcess(line, end.value.code, *texts)
