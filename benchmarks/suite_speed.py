"""What the systems of the suite cost: time for a clip of 3 s, clips per second on all cores, memory, space.

Every system answers from a process of its own, and they take turns, so that whatever else the machine does meets all.

Knows: which figures, medians. Does not know: which systems there are, pages.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.suite_systems import Running, System, running

SECONDS = 3.0  # of the clip
REST = 0.01  # seconds in which the threads of the one before come to rest
LEAST = 5

Tell = Callable[[str], None]


def clip_times(systems: Sequence[System], clip: Path, threads: int, budget: float) -> list[dict[str, Any]]:
    """Milliseconds for a clip, by the bare network and from the file to the embedding; medians.

    Args:
        systems: which.
        clip: of 3 s.
        threads: of each call.
        budget: seconds for all.
    """
    with ExitStack() as stack:
        ready = [stack.enter_context(running(system, threads)) for system in systems]
        times: dict[tuple[str, str], list[float]] = {}
        until = time.perf_counter() + budget
        rounds = -1  # the first warms up
        while rounds < LEAST or time.perf_counter() < until:
            for one in ready:
                for what in ("network", "whole"):
                    time.sleep(REST)
                    took = one.ask(what, path=str(clip))["ms"]
                    if rounds >= 0:
                        times.setdefault((one.system.name, what), []).append(took)
            rounds += 1
    return [
        {
            "system": one.name,
            "threads": threads,
            "network_ms": median(times[one.name, "network"]),
            "whole_ms": (whole := median(times[one.name, "whole"])),
            "real_time_factor": whole / 1000 / SECONDS,
        }
        for one in systems
    ]


def crowds(systems: Sequence[System], clip: Path, cores: int, seconds: float, rounds: int) -> list[dict[str, Any]]:
    """Clips per second that one process of one thread for each core embed together; medians.

    Args:
        systems: which.
        clip: of 3 s.
        cores: how many processes.
        seconds: of a round.
        rounds: how many, all systems taking turns.
    """
    rates: dict[str, list[float]] = {system.name: [] for system in systems}
    with ExitStack() as stack:
        teams = [[stack.enter_context(running(system, 1)) for _ in range(cores)] for system in systems]
        pool = stack.enter_context(ThreadPoolExecutor(cores))
        for team in teams:
            for one in team:
                one.ask("whole", path=str(clip))
        work = partial(_crowd, path=str(clip), seconds=seconds)
        for _ in range(rounds):
            for system, team in zip(systems, teams, strict=True):
                time.sleep(REST)
                rates[system.name].append(sum(pool.map(work, team)))
    return [{"system": system.name, "processes": cores, "per_second": median(rates[system.name])} for system in systems]


def _crowd(one: Running, *, path: str, seconds: float) -> float:
    return float(one.ask("crowd", path=path, seconds=seconds)["per_second"])


def footprints(systems: Sequence[System], clip: Path, rounds: int) -> list[dict[str, Any]]:
    """What fresh processes of one thread need until their first answer, and what lies on the disk; medians."""
    found: dict[str, list[dict[str, Any]]] = {system.name: [] for system in systems}
    for _ in range(rounds):
        for system in systems:
            with running(system, 1) as one:
                first = one.ask("whole", path=str(clip))["ms"]
                found[system.name].append({**one.ready, "first_ms": first, **one.ask("about")})
    timed = ("import_s", "load_s", "first_ms", "peak_mb")
    return [
        {
            "system": name,
            **{key: median(one[key] for one in told) for key in timed},
            **{key: told[0][key] for key in ("model_mb", "installed_mb", "versions")},
        }
        for name, told in found.items()
    ]
