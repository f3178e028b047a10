"""Packing a corpus into shards: tar files of equal size that can be read in order, in parallel, and over a network.

A shard is in the webdataset format: `<key>.flac` is followed by `<key>.json` with the same key. The shards of a corpus
follow from its manifest alone, byte for byte, however often packing was interrupted and on however many threads it ran.

    out/pack.json            what is packed, and how: a plan that later runs must share
        shard-000000.tar     at most so many bytes of 16-bit sound, before compression
        shard-000000.json    says that the shard is complete, and what was left out
        manifest.jsonl       at the very end: the packed corpus

Knows: plans, what is done already. Does not know: tar, codecs, layouts of corpora.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from samevoice.audio.waveform import check_rate
from samevoice.corpora.decoding import frames_of
from samevoice.corpora.feed import Feed
from samevoice.corpora.found import Problem
from samevoice.corpora.manifest import Manifest, Utterance
from samevoice.corpora.shardfile import Shard, keys_of, read_shard, write_shard
from samevoice.corpora.storage import save_manifest
from samevoice.errors import ConfigError, DataError
from samevoice.files import write_atomically
from samevoice.options import checked_size

MANIFEST = "manifest.jsonl"
PLAN = "pack.json"
VERSION = 1
RATE = 16_000
SHARD_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Packed:
    """What packing did.

    Args:
        manifest: the packed corpus.
        written: how many shards were written.
        skipped: how many were there already.
        problems: utterances that could not be read, each with the reason; they are in no shard.
        seconds: of sound in all shards.
    """

    manifest: Manifest
    written: int
    skipped: int
    problems: tuple[Problem, ...]
    seconds: float


def pack(
    manifest: Manifest,
    out: Path,
    *,
    rate: int = RATE,
    shard_bytes: int = SHARD_BYTES,
    jobs: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> Packed:
    """Pack a corpus; after an interruption call it again, and shards that are complete are left as they are.

    Args:
        manifest: of any corpus; archives that are compressed are read as a stream.
        out: a new folder, or one where packing the same corpus in the same way was interrupted.
        rate: of the packed sound, in Hz.
        shard_bytes: how much 16-bit sound a shard holds at most, unless one utterance alone is longer.
        jobs: threads that decode and encode; all cores by default.
        progress: told how many seconds of sound are done, of `manifest.seconds`.

    Raises:
        ConfigError: a setting is out of range, or the folder cannot be written.
        DataError: the folder holds something else, an archive is unusable, or not one utterance can be read.
    """
    check_rate(rate, "packed sound")
    checked_size("bytes of a shard", shard_bytes)
    threads = checked_size("jobs", jobs if jobs is not None else os.cpu_count() or 1, most=256)
    if not len(manifest):
        raise DataError(f"{manifest.root}: holds no utterances to pack; scan another folder")
    _claim(out, {"version": VERSION, "rate": rate, "shard_bytes": shard_bytes, "manifest": _digest(manifest)})
    feed = Feed(manifest)
    shards = list(_plan(feed.utterances, out, rate, shard_bytes))
    packed: list[Utterance] = []
    problems: list[Problem] = []
    written, done = 0, 0.0
    with ThreadPoolExecutor(threads) as pool:
        for shard in shards:
            before = done

            def tell(seconds: float, before: float = before) -> None:
                if progress is not None:
                    progress(before + seconds)

            held = read_shard(shard)
            if held is None:
                held = write_shard(shard, feed, pool, 2 * threads, tell)
                written += 1
            packed.extend(held.utterances)
            problems.extend(held.problems)
            done += sum(one.seconds for one in shard.utterances)
            tell(done - before)
    if not packed:
        raise DataError(f"{manifest.root}: none of {len(manifest)} utterances can be read; {problems[0].message}")
    whole = Manifest(out, tuple(sorted(packed, key=lambda one: one.id)))
    save_manifest(whole, out / MANIFEST)
    return Packed(whole, written, len(shards) - written, tuple(problems), whole.seconds)


def _plan(ordered: Sequence[Utterance], out: Path, rate: int, shard_bytes: int) -> Iterator[Shard]:
    """Which utterance comes into which shard, in the order in which they are read."""
    keys = keys_of(ordered)
    begin, held = 0, 0
    number = 0
    for place, one in enumerate(ordered):
        size = 2 * frames_of(one, rate)
        if held and held + size > shard_bytes:
            yield _shard(out, number, rate, ordered[begin:place], keys[begin:place])
            begin, held, number = place, 0, number + 1
        held += size
    yield _shard(out, number, rate, ordered[begin:], keys[begin:])


def _shard(out: Path, number: int, rate: int, utterances: Sequence[Utterance], keys: Sequence[str]) -> Shard:
    """A planned shard."""
    return Shard(out / f"shard-{number:06d}.tar", rate, tuple(utterances), tuple(keys))


def _digest(manifest: Manifest) -> str:
    """What a manifest lists, in a word."""
    total = hashlib.sha256()
    for one in sorted(manifest, key=lambda one: one.id):
        total.update(json.dumps(asdict(one), sort_keys=True).encode() + b"\n")
    return f"sha256:{total.hexdigest()}"


def _claim(out: Path, plan: dict[str, object]) -> None:
    """Begin in a new or empty folder, or go on where the same plan was begun."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        file = out / PLAN
        if file.exists():
            _compare(file, plan)
        elif any(out.iterdir()):
            raise DataError(f"{out}: holds other files; give a new folder to pack into")
        else:
            write_atomically(file, lambda stream: stream.write(json.dumps(plan, indent=2).encode() + b"\n"))
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written ({error.strerror}); make room or choose another") from error


def _compare(file: Path, plan: dict[str, object]) -> None:
    """Refuse to go on with another plan than the folder was begun with."""
    try:
        begun = json.loads(file.read_bytes())
    except ValueError as error:
        raise DataError(f"{file}: is damaged ({error}); pack into a new folder") from error
    if begun != plan:
        known = begun if isinstance(begun, dict) else {}
        other = [key.replace("_", " ") for key in plan if known.get(key) != plan[key]]
        raise DataError(f"{file.parent}: was begun with another {' and '.join(other)}; pack into a new folder")
