"""From a folder to a manifest: what the layout tells, and what the header of each recording tells.

Knows: readers, headers, digests. Does not know: any layout, how a manifest is stored.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from samevoice.audio.decode import open_recording
from samevoice.corpora.found import Found, Problem
from samevoice.corpora.manifest import Manifest, Utterance
from samevoice.corpora.readers import find_reader, layouts
from samevoice.errors import AudioError, DataError

__all__ = ["Problem", "Scanned", "scan"]

MAX_JOBS = 8
AHEAD = 8  # recordings per thread that may wait with their bytes in memory
CHUNK = 1 << 20
KEPT = 4096  # files whose facts are remembered, for corpora with many utterances in a file
OVERHANG = 0.5  # seconds: how far a list may name an end after the file's


@dataclass(frozen=True, slots=True)
class Scanned:
    """What lies in a corpus.

    Args:
        manifest: utterances that can be used.
        problems: what was left out, in order of path.
    """

    manifest: Manifest
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a file tells about itself: rate in Hz, seconds, digest."""

    rate: int
    seconds: float
    checksum: str


def scan(
    root: Path,
    corpus: str | None = None,
    *,
    licence: str = "",
    checksums: bool = True,
    jobs: int | None = None,
    progress: Callable[[float, float], object] | None = None,
) -> Scanned:
    """List a corpus; recordings are opened by their headers, and decoded only where a header gives no length.

    Args:
        root: folder of the corpus, or the archive or list that it is.
        corpus: name of its layout, a key of `READERS`; None to find out.
        licence: of recordings whose licence the layout does not tell.
        checksums: whether to take digests, for which each file is read whole.
        jobs: threads; one per core, at most 8, if None.
        progress: told (utterances done, utterances known so far) after each.

    Returns:
        Utterances in order of id, whatever the number of threads; the manifest's root is absolute. It is the folder
        given, or the nearest one above all files where a list names files elsewhere.

    Raises:
        DataError: nothing can be used, the layout is unknown, or a list cannot be read at all.
    """
    name, reader = find_reader(root, corpus)
    home = (root if root.is_dir() else root.parent).resolve()
    facts_of = lru_cache(maxsize=KEPT)(lambda path: _facts(home / path, None, checksums))

    def judge(found: Found) -> Utterance | Problem:
        try:
            if found.content is not None:
                facts = _facts(home / found.path / (found.member or ""), found.content, checksums)
            else:
                facts = facts_of(found.path)
            return _utterance(found, facts, licence)
        except AudioError as error:
            return Problem(found.path, found.member, str(error))

    threads = jobs or min(os.cpu_count() or 1, MAX_JOBS)
    good: dict[str, Utterance] = {}
    problems: list[Problem] = []
    reported = _files_last(reader.read(home / root.name if root.is_file() else home))
    for done, known, outcome in _in_order(judge, reported, threads):
        if isinstance(outcome, Utterance):
            outcome = _once(outcome, good)
        if isinstance(outcome, Problem):
            problems.append(outcome)
        if progress:
            progress(done, known)
    problems.sort(key=lambda one: (one.path, one.member or "", one.message))
    if not good:
        why = f" ({len(problems)} left out, the first: {problems[0].path}: {problems[0].message})" if problems else ""
        raise DataError(f"no recording found in {root} that can be used, read as {name}{why}; {layouts()}")
    return Scanned(_gathered(home, good.values()), tuple(problems))


def _files_last(reported: Iterable[Found | Problem]) -> Iterator[tuple[Found | Problem, int]]:
    """Members as their stream brings them, then all files; each with the number of those known by then."""
    listed: list[Found | Problem] = []
    passed = 0
    for one in reported:
        if isinstance(one, Found) and one.content is not None:
            passed += 1
            yield one, passed
        else:
            listed.append(one)
    for one in listed:
        yield one, passed + len(listed)


def _in_order(
    judge: Callable[[Found], Utterance | Problem], reported: Iterable[tuple[Found | Problem, int]], threads: int
) -> Iterator[tuple[int, int, Utterance | Problem]]:
    """Outcomes in the order of the reports, with the numbers of those done and known; few wait at a time."""
    waiting: deque[tuple[int, Future[Utterance | Problem] | Problem]] = deque()
    done = 0

    def first() -> tuple[int, int, Utterance | Problem]:
        known, one = waiting.popleft()
        return done, known, one if isinstance(one, Problem) else one.result()

    with ThreadPoolExecutor(threads) as pool:
        for one, known in reported:
            waiting.append((known, one if isinstance(one, Problem) else pool.submit(judge, one)))
            if len(waiting) > AHEAD * threads:
                done += 1
                yield first()
        while waiting:
            done += 1
            yield first()


def _facts(path: Path, content: bytes | None, checksums: bool) -> _Facts:
    """What a file, or the content of a member, tells about itself."""
    recording = open_recording(path if content is None else content, name=str(path))
    seconds, rate = recording.info.declared, recording.info.rate
    if seconds is None:
        seconds = sum(len(block) for block in recording.blocks()) / rate
    if seconds <= 0:
        raise AudioError(f"{path}: holds no sound; record it again")
    return _Facts(rate, seconds, _digest(path, content) if checksums else "")


def _digest(path: Path, content: bytes | None) -> str:
    """The checksum of a manifest."""
    digest = hashlib.sha256(content or b"")
    if content is None:
        try:
            with path.open("rb") as file:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
        except OSError as error:
            raise AudioError(f"{path}: cannot be read ({error.strerror}); check the disk") from error
    return f"sha256:{digest.hexdigest()}"


def _utterance(found: Found, facts: _Facts, licence: str) -> Utterance | Problem:
    """What the layout and the file tell together."""
    left = facts.seconds - found.start
    if left <= 0 or (found.seconds is not None and found.seconds > left + OVERHANG):
        end = "its end" if found.seconds is None else f"{found.start + found.seconds:.2f} s"
        message = f"{found.id}: reaches from {found.start:.2f} s to {end}, but the file has {facts.seconds:.2f} s"
        return Problem(found.path, found.member, message)
    try:
        f"{found.id}{found.path}{found.member}{found.speaker}{found.session}{found.language}".encode()
    except UnicodeEncodeError:
        return Problem(found.path, found.member, "its name, or what a list says of it, is not Unicode; rename it")
    return Utterance(
        id=found.id,
        speaker=found.speaker,
        session=found.session,
        path=found.path,
        member=found.member,
        start=found.start,
        seconds=left if found.seconds is None else min(found.seconds, left),
        rate=facts.rate,
        language=found.language,
        gender=found.gender,
        licence=found.licence or licence,
        checksum=facts.checksum,
        corpus=found.corpus,
        split=found.split,
    )


def _once(utterance: Utterance, good: dict[str, Utterance]) -> Utterance | Problem:
    """Enter an utterance unless its id is taken."""
    first = good.setdefault(utterance.id, utterance)
    if first is utterance:
        return utterance
    where = first.path if first.member is None else f"{first.path}: {first.member}"
    return Problem(utterance.path, utterance.member, f"has the id {utterance.id!r} of {where}; that one was taken")


def _gathered(home: Path, utterances: Iterable[Utterance]) -> Manifest:
    """The manifest, with a root that is above all files."""
    ordered = sorted(utterances, key=lambda one: one.id)
    outside = {str(Path(one.path).parent) for one in ordered if Path(one.path).is_absolute()}
    if not outside:
        return Manifest(home, tuple(ordered))
    try:
        root = Path(os.path.commonpath([home, *outside]))
    except ValueError as error:  # two drives of Windows
        raise DataError(f"{home}: its files lie on several drives; bring them to one") from error
    return Manifest(root, tuple(replace(one, path=(home / one.path).relative_to(root).as_posix()) for one in ordered))
