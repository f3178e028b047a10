"""One model on this machine: what a recording costs, and what the hardware would allow.

Knows: which measurements make the picture. Does not know: how each is made, how it is shown.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from samevoice.loading import load_model
from samevoice.measuring.machine import matrix_gflops
from samevoice.measuring.operations import operations
from samevoice.measuring.stages import Way, medians, write_buzz
from samevoice.measuring.worker import Crowd, crowd
from samevoice.models import store
from samevoice.runtime import cores

BUDGET = 4.0  # seconds for the stages
CROWD_SECONDS = 2.0

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Bench:
    """What was measured; times are medians.

    Args:
        model: fingerprint.
        seconds: length of the recording, all of it speech.
        threads: that one call of the network used.
        cores: that this process may use.
        load: how many processes wanted to run before we began, over the last minute; None where nobody knows.
        gflop: 10^9 operations of the network for the recording.
        matrix_gflops: 10^9 operations per second of a float32 matrix product on so many threads, the best seen.
        matrix_gflops_cores: the same on all cores.
        network_ms: the bare network.
        end_to_end_ms: from the file to a decision.
        stages_ms: the parts of that, each timed alone, and what is left over.
        crowd: fresh processes, and all cores together.
    """

    model: str
    seconds: float
    threads: int
    cores: int
    load: float | None
    gflop: float
    matrix_gflops: float
    matrix_gflops_cores: float
    network_ms: float
    end_to_end_ms: float
    stages_ms: Mapping[str, float]
    crowd: Crowd

    @property
    def limit_ms(self) -> float:
        """The time that the network's operations take as matrix products."""
        return 1000 * self.gflop / self.matrix_gflops

    @property
    def overhead(self) -> float:
        """What the whole way adds to the bare network, as a fraction of it."""
        return self.end_to_end_ms / self.network_ms - 1

    @property
    def real_time_factor(self) -> float:
        """Seconds of work per second of sound."""
        return self.end_to_end_ms / 1000 / self.seconds

    @property
    def limit_per_second(self) -> float:
        """Recordings per second if all cores did nothing but the network's matrix products."""
        return self.matrix_gflops_cores / self.gflop

    def as_json(self) -> dict[str, Any]:
        """All figures, rounded to what can be repeated."""
        derived = {
            "limit_ms": self.limit_ms,
            "overhead": self.overhead,
            "real_time_factor": self.real_time_factor,
            "limit_per_second": self.limit_per_second,
        }
        rounded: dict[str, Any] = _rounded({**asdict(self), **derived})
        return rounded


def bench(name: str, *, seconds: float = 3.0, threads: int = 1, tell: Tell = lambda _: None) -> Bench:
    """Measure one model on this machine, in less than 20 s where it is not busy.

    Args:
        name: a model that was pulled, or a path.
        seconds: length of the recording, which is made for the purpose.
        threads: for one call of the network.
        tell: is told what is measured next.

    Raises:
        ModelError: the model is not there, damaged, or no speaker embedding model.
        ConfigError: the number of threads is out of range, or a measuring process ended without an answer.
        NotEnoughSpeech: the recording is too short for the model.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    tell("loading")
    model = load_model(name, threads)
    _, graph = store.load_file(Path(name)) if store.is_path(name) else store.load(name)
    with tempfile.TemporaryDirectory(prefix="samevoice-") as folder:
        path = Path(folder) / "buzz.wav"
        write_buzz(path, seconds)
        tell("stages")
        way = Way(model, path)
        parts = medians(way.actions(), BUDGET)
        tell("operations")
        gflop = operations(graph, way.features) / 1e9
        tell("matrix products")
        alone = matrix_gflops(threads)
        together = alone if threads == cores() else matrix_gflops(cores())
        tell("all cores")
        fresh = crowd(name, str(path), processes=cores(), seconds=CROWD_SECONDS)
    whole = parts.pop("end to end")
    parts["everything else"] = whole - sum(parts.values())
    return Bench(
        model=model.card.fingerprint,
        seconds=seconds,
        threads=threads,
        cores=cores(),
        load=load,
        gflop=gflop,
        matrix_gflops=alone,
        matrix_gflops_cores=together,
        network_ms=parts["network"],
        end_to_end_ms=whole,
        stages_ms=parts,
        crowd=fresh,
    )


def _rounded(value: Any) -> Any:
    """Numbers to four digits, at any depth."""
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value
