"""What a fresh process needs before its first answer, and how many utterances many of them embed together.

Knows: starting, loading, the crowd. Does not know: stages, tables.
"""

from __future__ import annotations

import json
import re
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from samevoice.loading import load_model
from samevoice.measuring.children import answer, ask, started
from samevoice.measuring.stages import Everywhere

STATUS = Path("/proc/self/status")
# Timed from the first line: what a user's own script pays.
CODE = """
import time; began = time.perf_counter()
import samevoice; samevoice.load_model; took = time.perf_counter() - began
from samevoice.measuring.worker import work; work(took)
"""


@dataclass(frozen=True, slots=True)
class Crowd:
    """What processes of one thread each did.

    Args:
        import_s: seconds until samevoice was imported, in the first process.
        load_s: seconds to load the model there.
        first_ms: its first recording, in milliseconds.
        peak_mb: its largest resident memory, in 10^6 bytes; None where the system does not tell.
        processes: how many there were at last.
        per_second: recordings that all of them embedded, per second.
    """

    import_s: float
    load_s: float
    first_ms: float
    peak_mb: float | None
    processes: int
    per_second: float


def crowd(model: str, path: str, *, processes: int, seconds: float) -> Crowd:
    """Start one process alone, then the others, and let all of them embed one recording again and again.

    Args:
        model: a name or a path, as for `load_model`.
        path: of the recording.
        processes: how many, >= 1.
        seconds: how long.

    Raises:
        ConfigError: a process ended without an answer.
    """
    with ExitStack() as stack:
        children = [stack.enter_context(started(CODE, model, path, str(seconds)))]
        first = answer(children[0])
        children += [stack.enter_context(started(CODE, model, path, str(seconds))) for _ in range(processes - 1)]
        for child in children[1:]:
            answer(child)
        for child in children:
            ask(child)
        told = [answer(child) for child in children]
    return Crowd(
        import_s=first["import_s"],
        load_s=first["load_s"],
        first_ms=1000 * first["first_s"],
        peak_mb=told[0]["peak_mb"],
        processes=processes,
        per_second=sum(one["clips"] / one["seconds"] for one in told),
    )


def work(import_s: float) -> None:
    """The work of a process: load, embed once, tell; wait; embed for some seconds, tell.

    Args:
        import_s: what its import took, in seconds.
    """
    name, path, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    began = time.perf_counter()
    model = load_model(name, 1)
    model = model.with_detector(Everywhere(model.detector))
    loaded = time.perf_counter()
    model.embed(path)
    first = time.perf_counter()
    _tell(import_s=import_s, load_s=loaded - began, first_s=first - loaded)
    sys.stdin.readline()
    began, clips = time.perf_counter(), 0
    while (now := time.perf_counter()) < began + seconds or not clips:
        model.embed(path)
        clips += 1
    _tell(clips=clips, seconds=now - began, peak_mb=peak_mb())


def peak_mb() -> float | None:
    """The largest resident memory of this process, in 10^6 bytes; None where the system does not tell it in a file.

    `resource.getrusage` would tell at least what the parent held when it started us.
    """
    try:
        facts = STATUS.read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    found = re.search(r"^VmHWM:\s+(\d+) kB", facts, re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else None


def _tell(**facts: float | None) -> None:
    """One line for the parent."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
