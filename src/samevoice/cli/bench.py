"""`samevoice bench`: what one recording costs on this machine, beside what the hardware would allow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.table import Table

from samevoice.cli.console import MODEL, JsonOption, ModelOption, err, out, print_json, warn
from samevoice.measuring.bench import Bench
from samevoice.measuring.bench import bench as measured

BUSY = 0.7  # load before we began, from which figures are those of a shared machine

Row = tuple[str, str, str]


def bench(
    model: ModelOption = MODEL,
    seconds: Annotated[
        float, typer.Option("--seconds", "-s", min=0.5, max=60.0, help="Length of the recording, all of it speech.")
    ] = 3.0,
    threads: Annotated[int, typer.Option(min=1, max=256, help="Threads for one call of the network.")] = 1,
    json: JsonOption = False,
) -> None:
    """Measure how fast a model is on this machine; it takes less than 20 s.

    The network's operations are counted from its graph. Divided by the speed of this machine's matrix product they give
    the time below which no network of that size can go. Beside it stand the bare network, each stage between a WAV file
    and a decision, what a fresh process needs, and how many recordings all cores embed per second, one process per
    core. Stages are medians of runs that take turns; close other programs to see what the machine can do.

    Example: samevoice bench --model campplus --seconds 3
    """
    with err.status("starting") as status:
        found = measured(model, seconds=seconds, threads=threads, tell=lambda what: status.update(f"measuring: {what}"))
    if json:
        print_json(found.as_json())
        return
    if found.load is not None and found.load > BUSY:
        warn([f"other programs were running (load {found.load:.1f}); close them and measure again"])
    table = Table("what", "measured", "beside the limit", title=_title(found), title_justify="left")
    for row in _rows(found):
        table.add_row(*row)
    out.print(table)


def _title(found: Bench) -> str:
    """What was measured."""
    plural = "" if found.threads == 1 else "s"
    return f"{found.model}, {found.seconds:g} s of speech, {found.threads} thread{plural} of {found.cores}"


def _rows(found: Bench) -> Iterator[Row]:
    """The table: from the machine over the network to the whole way and all cores."""
    crowd, limit = found.crowd, found.limit_ms
    yield "matrix product", f"{found.matrix_gflops:.0f} GFLOP/s", f"all cores: {found.matrix_gflops_cores:.0f} GFLOP/s"
    yield "the network's operations", f"{found.gflop:.3g} GFLOP", f"limit: {limit:.1f} ms"
    yield "bare network", f"{found.network_ms:.1f} ms", f"{found.network_ms / limit:.1f} x the limit"
    for name, took in found.stages_ms.items():
        if name != "network":
            yield f"  {name}", f"{took:.1f} ms", f"{took / found.network_ms:+.0%} on the network"
    yield "file to decision", f"{found.end_to_end_ms:.1f} ms", f"{found.overhead:+.0%} on the network"
    yield "real-time factor", f"{found.real_time_factor:.4f}", f"{1 / found.real_time_factor:.0f} x faster than sound"
    limit_here = f"limit: {found.limit_per_second:.0f} per second"
    yield f"{crowd.processes} processes together", f"{crowd.per_second:.0f} recordings per second", limit_here
    yield "import", f"{crowd.import_s:.2f} s", "a fresh process"
    yield "load", f"{crowd.load_s:.2f} s", f"first recording: {crowd.first_ms:.0f} ms"
    if crowd.peak_mb is not None:
        yield "peak memory", f"{crowd.peak_mb:.0f} MB", "of one process"
