"""One shard: written whole or not at all, and the same bytes each time; read back only if every byte is right.

Knows: tar, FLAC, the note beside a shard. Does not know: plans, which shards there are.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import soundfile

from samevoice.corpora.decoding import decode, frames_of
from samevoice.corpora.feed import Feed, Source
from samevoice.corpora.found import Problem
from samevoice.corpora.manifest import Utterance
from samevoice.corpora.sounds import name_of
from samevoice.errors import AudioError, ConfigError, DataError
from samevoice.files import write_atomically

KEY_LENGTH = 80  # with a suffix well below the 100 bytes of a plain tar header
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard as planned.

    Args:
        path: where it lies.
        rate: of its sound, in Hz.
        utterances: what goes in, in this order, as the original manifest lists it.
        keys: their names in the shard, in the same order.
    """

    path: Path
    rate: int
    utterances: tuple[Utterance, ...]
    keys: tuple[str, ...]

    @property
    def note(self) -> Path:
        """The file that says that the shard is complete."""
        return self.path.with_suffix(".json")


@dataclass(frozen=True, slots=True)
class Held:
    """What a shard holds in the end.

    Args:
        utterances: as the packed manifest lists them.
        problems: what could not be read, and is not in it.
    """

    utterances: tuple[Utterance, ...]
    problems: tuple[Problem, ...]


def keys_of(utterances: Sequence[Utterance]) -> list[str]:
    """Names that are safe on every system and without a dot, where webdataset would cut them.

    Raises:
        DataError: two utterances have one name.
    """
    keys: dict[str, str] = {}
    for one in utterances:
        key = one.id
        if _UNSAFE.search(key) or not 0 < len(key) <= KEY_LENGTH:
            short = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()[:12]
            key = f"{_UNSAFE.sub('-', key)[: KEY_LENGTH - 13].strip('-')}-{short}".lstrip("-")
        if key in keys:
            raise DataError(f"utterances {keys[key]!r} and {one.id!r} would have one name in a shard; rename one")
        keys[key] = one.id
    return list(keys)


def write_shard(shard: Shard, feed: Feed, pool: ThreadPoolExecutor, ahead: int, tell: Callable[[float], None]) -> Held:
    """Write a shard, then the note that it is complete.

    Args:
        shard: the plan.
        feed: gives the files.
        pool: decodes and encodes.
        ahead: how many utterances may be in memory.
        tell: takes the seconds of sound that are done.

    Raises:
        ConfigError: it cannot be written.
        DataError: an archive is unusable.
    """
    utterances: list[Utterance] = []
    problems: list[Problem] = []

    def fill(file: BinaryIO) -> None:
        done = 0.0
        with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for one, key, data in _encoded(shard, feed, pool, ahead):
                if isinstance(data, bytes):
                    utterances.append(_packed(shard, one, key, data))
                    _add(tar, f"{key}.flac", data)
                    _add(tar, f"{key}.json", _description(one, utterances[-1]))
                else:
                    problems.append(Problem(one.path, one.member, str(data)))
                tell(done := done + one.seconds)

    try:
        write_atomically(shard.path, fill)
        left_out = [asdict(problem) for problem in problems]
        note = {"bytes": shard.path.stat().st_size, "problems": left_out}
        write_atomically(shard.note, lambda file: file.write(json.dumps(note, indent=2).encode() + b"\n"))
    except OSError as error:
        raise ConfigError(f"{shard.path}: cannot be written ({error.strerror}); make room and go on") from error
    return Held(tuple(utterances), tuple(problems))


def read_shard(shard: Shard) -> Held | None:
    """What a complete shard holds; None if it is not there, not complete or not what is planned."""
    try:
        note = json.loads(shard.note.read_bytes())
        problems = tuple(Problem(**problem) for problem in note["problems"])
        if shard.path.stat().st_size != note["bytes"]:
            return None
        with tarfile.open(shard.path, "r:") as tar:
            utterances = tuple(_read_back(shard, tar))
    except (OSError, ValueError, KeyError, TypeError, tarfile.TarError):
        return None
    return Held(utterances, problems) if len(utterances) + len(problems) == len(shard.keys) else None


def _read_back(shard: Shard, tar: tarfile.TarFile) -> Iterator[Utterance]:
    """The utterances of a shard, each compared with the plan and with its own checksum; ValueError if one differs."""
    planned = zip(shard.keys, shard.utterances, strict=True)
    members = iter(tar)
    for sound, description in zip(members, members, strict=True):
        data, told = (b"" if (file := tar.extractfile(one)) is None else file.read() for one in (sound, description))
        key, one = next(((key, one) for key, one in planned if sound.name == f"{key}.flac"), ("", None))
        if one is None:
            raise ValueError(sound.name)
        packed = _packed(shard, one, key, data)
        if description.name != f"{key}.json" or told != _description(one, packed):
            raise ValueError(description.name)
        yield packed


def _encoded(
    shard: Shard, feed: Feed, pool: ThreadPoolExecutor, ahead: int
) -> Iterator[tuple[Utterance, str, bytes | AudioError | DataError]]:
    """Each utterance as FLAC, or what is wrong with it, in order; only a few are in memory."""
    todo = zip(shard.utterances, shard.keys, strict=True)

    def begun() -> Iterator[tuple[Utterance, str, Future[bytes | AudioError | DataError]]]:
        for one, key in todo:
            yield one, key, pool.submit(_flac, feed.source(one), name_of(feed.root, one), one, shard.rate)

    coming = begun()
    waiting = deque(islice(coming, ahead))
    try:
        while waiting:
            one, key, future = waiting.popleft()
            yield one, key, future.result()
            waiting.extend(islice(coming, 1))
    finally:
        for _, _, future in waiting:
            future.cancel()


def _flac(source: Source, name: str, utterance: Utterance, rate: int) -> bytes | AudioError | DataError:
    """An utterance, decoded and encoded block by block."""
    file = io.BytesIO()
    try:
        with soundfile.SoundFile(file, "w", rate, 1, "PCM_16", format="FLAC") as sound:
            for block in decode(source(), name, utterance, rate, 0, frames_of(utterance, rate)):
                sound.write(block)
    except (AudioError, DataError) as error:
        return error
    return file.getvalue()


def _packed(shard: Shard, one: Utterance, key: str, data: bytes) -> Utterance:
    """An utterance as the packed manifest lists it."""
    return replace(
        one,
        path=shard.path.name,
        member=f"{key}.flac",
        start=0.0,
        seconds=frames_of(one, shard.rate) / shard.rate,
        rate=shard.rate,
        checksum=f"sha256:{hashlib.sha256(data).hexdigest()}",
    )


def _description(original: Utterance, packed: Utterance) -> bytes:
    """What stands beside the sound: the packed utterance without its place, and where it came from."""
    told = {key: value for key, value in asdict(packed).items() if key not in ("path", "member", "start")}
    told["origin"] = {key: getattr(original, key) for key in ("path", "member", "start", "seconds", "rate", "checksum")}
    return json.dumps(told, sort_keys=True).encode() + b"\n"


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """A member that tells nothing of when and by whom it was made."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mode = 0o644
    tar.addfile(info, io.BytesIO(data))
