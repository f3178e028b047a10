"""How fast is a corpus packed? `pack` with one thread and with two, against nothing but decoding and encoding.

All take the 16 kHz recordings of a corpus, from files that the system has already read once. The floor decodes each
with soundfile and encodes it as 16-bit FLAC, and throws the result away. The peer, webdataset's own writer, puts the
same FLAC and a description into one tar; it is measured where `webdataset` is installed.

Run: python -m benchmarks.pack_speed --data DIR   (about half a minute)
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import soundfile

from benchmarks.rescnn_step import cpu
from samevoice.corpora.manifest import Manifest, Utterance
from samevoice.corpora.opening import open_corpus
from samevoice.corpora.shards import RATE, pack


def encoded(corpus: Manifest, utterance: Utterance) -> bytes:
    """A recording as FLAC, decoded and encoded in one go."""
    sound, rate = soundfile.read(corpus.root / utterance.path, dtype="int16")
    file = io.BytesIO()
    soundfile.write(file, sound, rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def floor(corpus: Manifest, _: Path) -> None:
    """Decode and encode everything, keep nothing."""
    for one in corpus:
        encoded(corpus, one)


def packing(jobs: int) -> Callable[[Manifest, Path], None]:
    """`pack` on so many threads."""

    def work(corpus: Manifest, folder: Path) -> None:
        packed = pack(corpus, folder / "packed", jobs=jobs)
        if len(packed.manifest) != len(corpus):
            raise SystemExit(f"{len(packed.problems)} recordings cannot be packed: {packed.problems[0].message}")

    return work


def webdataset(corpus: Manifest, folder: Path) -> None:
    """The peer's writer; what it writes is decoded and encoded as above."""
    with import_module("webdataset").TarWriter(str(folder / "peer.tar")) as writer:
        for number, one in enumerate(corpus):
            writer.write({"__key__": f"{number:06d}", "flac": encoded(corpus, one), "json": asdict(one)})


WAYS: dict[str, Callable[[Manifest, Path], None]] = {
    "pack, 1 thread": packing(1),
    "pack, 2 threads": packing(2),
    "decode and encode only, 1 thread": floor,
    "webdataset's TarWriter, 1 thread": webdataset,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a corpus or a manifest")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    found = open_corpus(given.data).manifest
    corpus = found.only(one for one in found if one.rate == RATE and one.member is None)
    if not len(corpus):
        raise SystemExit(f"{given.data}: holds no files of {RATE} Hz")
    floor(corpus, Path())  # the files are in the system's cache from here on
    names = [name for name in WAYS if "webdataset" not in name or find_spec("webdataset")]
    best = dict.fromkeys(names, (float("inf"), float("inf")))
    for _ in range(given.repeats):
        for name in names:
            with tempfile.TemporaryDirectory() as folder:
                began, used = time.perf_counter(), time.process_time()
                WAYS[name](corpus, Path(folder))
                best[name] = min(best[name], (time.perf_counter() - began, time.process_time() - used))
    hours = corpus.seconds / 3600
    print(f"{cpu()}; {len(corpus)} recordings, {hours:.2f} h, the fastest of {given.repeats}\n")
    print("| way | utterances/s | audio-hours/s | s | processor s |\n|---|---|---|---|---|")
    for name, (wall, used) in best.items():
        print(f"| {name} | {len(corpus) / wall:.0f} | {hours / wall:.2f} | {wall:.2f} | {used:.2f} |")
    if len(names) < len(WAYS):
        print("\nwebdataset is not installed and was left out")


if __name__ == "__main__":
    main()
