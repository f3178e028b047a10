"""Who is trained on and who is tested on: parts of a corpus that share nobody.

Knows: speakers, checksums, stretches of files. Does not know: how parts are stored or used.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from samevoice.corpora.manifest import Manifest, Utterance
from samevoice.corpora.pieces import SLACK
from samevoice.errors import ConfigError, DataError

SPLITS = ("train", "dev", "test")
NAMES_SHOWN = 10


def split_by_speaker(manifest: Manifest, shares: Mapping[str, float], seed: int = 0) -> dict[str, Manifest]:
    """Deal the speakers out; each comes with all their utterances.

    Speakers stand in an order that follows from their names and the seed, so a few new ones move few others. Whoever
    speaks in utterances without a speaker is unknown: these all go to the first part.

    Args:
        manifest: of any corpus.
        shares: name of a part -> its share of the speakers, together 1; every share above 0 gets at least one.
        seed: another one deals otherwise.

    Returns:
        A manifest for each name.

    Raises:
        ConfigError: the shares are not at least 0 and together 1.
        DataError: there are fewer speakers than parts, or one file is in the corpus under two speakers.
    """
    if not shares or not all(share >= 0 for share in shares.values()) or not math.isclose(sum(shares.values()), 1):
        told = ", ".join(f"{name} {share:g}" for name, share in shares.items())
        raise ConfigError(f"shares of speakers must be at least 0 and together 1, got {told or 'none'}")
    dealt = sorted(manifest.speakers, key=lambda speaker: hashlib.sha256(f"{seed}\0{speaker}".encode()).digest())
    needed = [1 if share > 0 else 0 for share in shares.values()]
    if len(dealt) < sum(needed):
        raise DataError(
            f"{manifest.root}: {len(dealt)} speakers cannot be split into {sum(needed)} parts; "
            "add speakers, or set the share of a part to 0"
        )
    home: dict[str | None, str] = {None: next(iter(shares))}
    begin, total = 0, 0.0
    for place, (name, share) in enumerate(shares.items()):
        total += share
        least, most = begin + needed[place], len(dealt) - sum(needed[place + 1 :])
        end = min(max(round(total * len(dealt)), least), most) if share > 0 else begin
        home.update(dict.fromkeys(dealt[begin:end], name))
        begin = end
    return _parts(manifest, shares, home)


def split_as_published(manifest: Manifest) -> dict[str, Manifest]:
    """The parts that the corpus itself names; utterances that it puts nowhere are left out.

    Raises:
        DataError: it names none, or its parts share a speaker or a recording.
    """
    names = sorted({one.split for one in manifest} - {""})
    if not names:
        raise DataError(f"{manifest.root}: this corpus names no parts of its own; split it by speaker")
    parts = {name: manifest.only(one for one in manifest if one.split == name) for name in names}
    check_disjoint(parts)
    return parts


def check_disjoint(parts: Mapping[str, Manifest]) -> None:
    """Refuse parts that would make a test too easy.

    Args:
        parts: name -> manifest.

    Raises:
        DataError: a speaker, or the same stretch of the same recording (by checksum), is in two parts, or one
            recording is listed under two speakers.
    """
    sides: dict[str, list[str]] = defaultdict(list)
    for name, manifest in parts.items():
        for speaker in manifest.speakers:
            sides[speaker].append(name)
    if shared := sorted(speaker for speaker, names in sides.items() if len(names) > 1):
        where = " and ".join(sorted({name for speaker in shared for name in sides[speaker]}))
        raise DataError(
            f"{_counted(shared, 'speaker', 'speakers')} in both {where}: {_shown(shared)}; "
            "split anew by speaker, so that nobody is on two sides"
        )
    copies: dict[str, list[tuple[str, Utterance]]] = defaultdict(list)
    for name, manifest in parts.items():
        for one in manifest:
            if one.checksum:
                copies[one.checksum].append((name, one))
    pairs = [pair for group in copies.values() if len(group) > 1 for pair in _conflicts(group)]
    if pairs:
        told = [f"{_told(*first)} is {_told(*second)}" for first, second in pairs]
        raise DataError(
            f"{_counted(told, 'recording', 'recordings')} listed twice, under two speakers or in two parts: "
            f"{_shown(told)}; remove one of each"
        )


Listed = tuple[str, Utterance]  # with the name of its part


def _conflicts(group: list[Listed]) -> Iterable[tuple[Listed, Listed]]:
    """Pairs from one file that overlap and lie in two parts, or are the same stretch under two speakers."""
    group.sort(key=lambda listed: (listed[1].start, listed[1].seconds, listed[1].id))
    last: dict[str, Listed] = {}  # part -> what ends last in it
    alike: dict[tuple[float, float], Listed] = {}
    for name, one in group:
        for other, latest in last.items():
            if other != name and latest[1].start + latest[1].seconds > one.start + SLACK:
                yield latest, (name, one)
        if name not in last or last[name][1].start + last[name][1].seconds < one.start + one.seconds:
            last[name] = (name, one)
        if one.speaker is not None:
            stretch = (one.start, one.seconds)
            before = alike.setdefault(stretch, (name, one))
            if before[1].speaker != one.speaker and before[0] == name:
                yield before, (name, one)


def _parts(manifest: Manifest, names: Iterable[str], home: Mapping[str | None, str]) -> dict[str, Manifest]:
    """The utterances by where their speakers live; a split that the corpus named is no longer theirs."""
    held: dict[str, list[Utterance]] = {name: [] for name in names}
    for one in manifest:
        name = home[one.speaker]
        held[name].append(replace(one, split=name if name in SPLITS else ""))
    parts = {name: manifest.only(utterances) for name, utterances in held.items()}
    check_disjoint(parts)
    return parts


def _told(name: str, one: Utterance) -> str:
    """An utterance with its speaker and part."""
    return f"{one.id} ({one.speaker or 'nobody named'}, {name})"


def _counted(found: Sequence[str], one: str, many: str) -> str:
    """How many there are, and the verb."""
    return f"{len(found)} {one if len(found) == 1 else many} {'is' if len(found) == 1 else 'are'}"


def _shown(found: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(found) - NAMES_SHOWN
    return ", ".join(found[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
