"""How fast does the service verify, and what does serving add to the same model called in process?

`samevoice serve` is started in a process of its own, with as many workers as there are cores. Then 1, 4 and 16 clients
send two recordings, wait for the verdict, and send again, each over a connection of its own, while another asks
`/healthz` every 100 ms. In the same run, alternating with the service, the library verifies the same two recordings in
this process, on one thread and on two threads at once: `overhead` compares requests per second with that.

Run: python -m benchmarks.service_load [--seconds 20]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import httpx
import numpy as np

import samevoice as sv

SAMPLES = Path(__file__).parents[1] / "samples"
PAIR = (SAMPLES / "philippe_1.flac", SAMPLES / "philippe_2.flac")
CLIENTS = (1, 4, 16)
HEALTH_SECONDS = 0.1
LIMITS = "per_minute = 1000000\nport = 0\n"


@dataclass
class Load:
    """What happened in one run.

    Args:
        took: seconds of each request that was answered with a verdict.
        health: seconds of each look at /healthz.
        lost: requests that were answered otherwise, or not at all.
        rate: verdicts per second.
    """

    took: list[float] = field(default_factory=list)
    health: list[float] = field(default_factory=list)
    lost: int = 0
    rate: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="of each run")
    parser.add_argument("--rounds", type=int, default=3, help="of all runs, taking turns; the medians are told")
    asked = parser.parse_args()
    cores = os.cpu_count() or 1
    print(f"{cores} cores, Python {sys.version.split()[0]}, samevoice {sv.__version__}, {cores} workers of 1 thread\n")
    direct: dict[int, list[float]] = {1: [], 2: []}
    served: dict[int, list[Load]] = {clients: [] for clients in CLIENTS}
    with service(cores) as url:
        asyncio.run(load(url, 1, 1.0))
        for _ in range(asked.rounds):
            for threads, rates in direct.items():
                rates.append(in_process(threads, asked.seconds))
            for clients, loads in served.items():
                loads.append(asyncio.run(load(url, clients, asked.seconds)))
    print("| what | verdicts per second | p50 ms | p95 ms | lost | slowest /healthz ms | overhead |")
    print("|---|---|---|---|---|---|---|")
    best = {threads: float(np.median(rates)) for threads, rates in direct.items()}
    for threads, rate in best.items():
        print(
            f"| in process, {threads} thread{'s' * (threads > 1)} | {rate:.2f} | {1000 * threads / rate:.0f} | | | | |"
        )
    for clients, loads in served.items():
        took = np.concatenate([one.took for one in loads])
        rate = float(np.median([one.rate for one in loads]))
        same = best[min(clients, 2)]
        p50, p95 = 1000 * np.percentile(took, (50, 95))
        slowest = 1000 * max(max(one.health) for one in loads)
        print(
            f"| service, {clients} client{'s' * (clients > 1)} | {rate:.2f} | {p50:.0f} | {p95:.0f} | "
            f"{sum(one.lost for one in loads)} | {slowest:.0f} | {100 * (same / rate - 1):+.0f} % |"
        )


@contextmanager
def service(workers: int) -> Iterator[str]:
    """`samevoice serve` on a free port, with a gallery of its own; its address."""
    with tempfile.TemporaryDirectory() as folder:
        options = Path(folder, "options.toml")
        options.write_text(f'{LIMITS}workers = {workers}\ngallery = "{folder}/voices.db"\ndata = "{folder}/data"\n')
        command = [sys.executable, "-m", "samevoice", "serve", "--config", str(options)]
        environment = {**os.environ, "XDG_CONFIG_HOME": folder + "/keys"}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        ) as process:
            try:
                lines = iter(process.stdout or ())
                url = next(found[0] for line in lines if (found := re.search(r"http://[^\s]+:\d+", line)))
                while httpx.get(f"{url}/readyz").status_code != httpx.codes.OK:
                    time.sleep(0.05)
                yield url
            finally:
                process.terminate()
                process.wait(30)


async def load(url: str, clients: int, seconds: float) -> Load:
    """So many clients for so many seconds; requests that run at the end are waited for and count."""
    found, bodies = Load(), [path.read_bytes() for path in PAIR]
    began = time.perf_counter()

    async def client() -> None:
        async with httpx.AsyncClient(timeout=120) as line:
            while time.perf_counter() - began < seconds:
                start = time.perf_counter()
                try:
                    files = {"first": bodies[0], "second": bodies[1]}
                    answer = await line.post(f"{url}/v1/verify", files=files)
                    good = answer.status_code == httpx.codes.OK and answer.json()["verdict"] == "same"
                except httpx.HTTPError:
                    good = False
                if good:
                    found.took.append(time.perf_counter() - start)
                else:
                    found.lost += 1

    watching = threading.Event()
    watcher = threading.Thread(target=watch, args=(url, found.health, watching))
    watcher.start()
    await asyncio.gather(*(client() for _ in range(clients)))
    found.rate = len(found.took) / (time.perf_counter() - began)
    watching.set()
    watcher.join()
    return found


def watch(url: str, took: list[float], done: threading.Event) -> None:
    """How long /healthz takes, from a thread of its own, so that the clients do not hold it up."""
    with httpx.Client(timeout=30) as line:
        while not done.wait(HEALTH_SECONDS):
            start = time.perf_counter()
            line.get(f"{url}/healthz").raise_for_status()
            took.append(time.perf_counter() - start)


def in_process(threads: int, seconds: float) -> float:
    """Verdicts per second of the library: each thread reads, hears and compares both files, one after the other."""
    model = sv.load_model("campplus", threads=1)
    sv.verify(*PAIR, model=model)
    counts = [0] * threads
    began = time.perf_counter()

    def verify(number: int) -> None:
        while time.perf_counter() - began < seconds:
            sv.verify(*PAIR, model=model)
            counts[number] += 1

    workers = [threading.Thread(target=verify, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
