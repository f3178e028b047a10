"""What a training draws from: pieces of utterances at every asked speed, numbered, and who speaks in each.

Knows: parts of a corpus, pieces, speeds, labels. Does not know: sound, batches.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from samevoice.corpora.manifest import Manifest, Utterance
from samevoice.corpora.pieces import Piece, cut_pieces
from samevoice.corpora.splits import check_disjoint, split_by_speaker
from samevoice.errors import DataError
from samevoice.training.index import UtteranceIndex
from samevoice.training.recipe import Data

logger = logging.getLogger(__name__)

LEAST_SPEAKERS = 2  # on every side that compares people


@dataclass(frozen=True, slots=True)
class Item:
    """A piece at one speed; `seconds` of it are heard in `seconds / speed`."""

    piece: Piece
    speed: float

    @property
    def speaker(self) -> str | None:
        """Who is heard."""
        return self.piece.utterance.speaker


@dataclass(frozen=True, slots=True)
class Items:
    """A numbered list of items.

    Args:
        items: the list.
        index: their speakers as numbers.
        names: name of each speaker number; a voice at another speed may be a speaker of its own.
    """

    items: tuple[Item, ...]
    index: UtteranceIndex
    names: tuple[str, ...]

    def __len__(self) -> int:
        """Number of items."""
        return len(self.items)


@dataclass(frozen=True, slots=True)
class Parts:
    """A corpus taken apart; nobody is on two sides.

    Args:
        train: utterances with speakers to learn from.
        unlabelled: utterances of nobody knows whom, for distillation; none that the data put into dev or test.
        valid: of speakers who are not in `train`: when to stop, which weights are best, where thresholds lie.
        test: of speakers who are in neither; empty if the data name no such split.
    """

    train: Manifest
    unlabelled: Manifest
    valid: Manifest
    test: Manifest


def parts(corpus: Manifest, data: Data, seed: int, *, seconds: float = 0.0, valid: Manifest | None = None) -> Parts:
    """Take a corpus apart by speaker.

    Where the corpus names both a dev and a test split, they are taken; where it names one of them, that is the test,
    and validation speakers are taken out of the rest.

    Args:
        corpus: with or without splits of its own.
        data: the share of validation speakers, and the shortest utterance.
        seed: chooses the validation speakers.
        seconds: of a validation piece; speakers who have two such pieces are preferred for the validation.
        valid: validation utterances of another corpus; none are then taken out of this one.

    Raises:
        DataError: a speaker is on two sides, or a side holds too few speakers.
    """
    long = [one for one in corpus if one.seconds >= data.least]
    if not long:
        raise DataError(f"{corpus.root}: no utterance of {data.least:g} s or more; add recordings")
    if len(long) < len(corpus):
        logger.warning("%d utterances are shorter than %g s and left out", len(corpus) - len(long), data.least)
    named = [one for one in long if one.speaker is not None]
    published = {one.split for one in named}
    if len(published) == 1 and published <= {"dev", "test"}:  # a part of a corpus, taken for a corpus
        logger.warning("all utterances are of the split %r; it is taken for a corpus of its own", *published)
        named = [replace(one, split="") for one in named]
    sides = {name: corpus.only(one for one in named if one.split == name) for name in ("dev", "test")}
    train = corpus.only(one for one in named if one.split not in sides)
    check_disjoint({"train": train, **sides})
    dev, test = sides["dev"], sides["test"]
    if not (dev.utterances and test.utterances):
        dev, test = corpus.only(()), dev if dev.utterances else test
    if valid is not None:
        if sides["dev"].utterances:
            logger.warning("the corpus has validation speakers of its own; others were given, so these are left out")
            test = sides["test"]
        dev = valid
    elif not dev.utterances:
        _needs_speakers(train, 2 * LEAST_SPEAKERS, "a training with validation")
        dev = _for_validation(train, data.valid, seconds, seed)
        train = train.only(one for one in train if one.speaker not in set(dev.speakers))
    _needs_speakers(train, LEAST_SPEAKERS, "a training")
    _needs_speakers(dev, LEAST_SPEAKERS, "a validation")
    nobody = corpus.only(one for one in long if one.speaker is None and one.split not in sides)
    check_disjoint({"train": train, "valid": dev, "test": test})
    check_disjoint({"unlabelled": nobody, "valid": dev, "test": test})
    return Parts(train, nobody, dev, test)


def items_of(manifest: Manifest, data: Data) -> Items:
    """Every piece at every speed.

    Args:
        manifest: labelled or unlabelled utterances; of the unlabelled each gets a number of its own.
        data: pieces and speeds; the pieces of an utterance are equally long, about as long as asked for.

    Raises:
        DataError: there is none.
    """
    pieces = [piece for one in manifest for piece in _pieces(one, data.pieces)]
    if not pieces:
        raise DataError(f"{manifest.root}: no utterance to learn from; add recordings")
    items = tuple(Item(piece, speed) for speed in data.speeds for piece in pieces)
    named = [_name(one, data) for one in items]
    names = tuple(sorted(set(named)))
    numbers = {name: number for number, name in enumerate(names)}
    return Items(items, UtteranceIndex(np.array([numbers[name] for name in named])), names)


def joined(labelled: Items, unlabelled: Items | None) -> Items:
    """Labelled items, then unlabelled ones, numbered through."""
    if unlabelled is None:
        return labelled
    offset = len(labelled.names)
    labels = np.concatenate([labelled.index.positions, unlabelled.index.positions + offset])
    return Items(labelled.items + unlabelled.items, UtteranceIndex(labels), labelled.names + unlabelled.names)


def digest_of(manifests: Sequence[Manifest]) -> str:
    """Short name of exactly these utterances, wherever they lie."""
    found = hashlib.sha256()
    for manifest in manifests:
        for one in manifest:
            found.update(repr(replace(one, path="", member=None)).encode())
        found.update(b"|")
    return found.hexdigest()[:16]


def _pieces(utterance: Utterance, seconds: float) -> list[Piece]:
    """An utterance in equal parts, none of it left out."""
    count = max(1, round(utterance.seconds / seconds)) if seconds else 1
    length = utterance.seconds / count
    return [Piece(utterance, number * length, length) for number in range(count)]


def _name(item: Item, data: Data) -> str:
    """What tells the voice of an item from others."""
    utterance: Utterance = item.piece.utterance
    name = f"utterance {utterance.id}" if utterance.speaker is None else utterance.speaker
    return f"{name} x{item.speed:g}" if data.speeds_are_speakers and item.speed != 1.0 else name


def _for_validation(train: Manifest, share: float, seconds: float, seed: int) -> Manifest:
    """A share of the speakers, at least two; of those who have two pieces, where there are enough."""
    count = min(max(LEAST_SPEAKERS, round(share * len(train.speakers))), len(train.speakers) - LEAST_SPEAKERS)
    pieces = Counter(piece.utterance.speaker for piece in cut_pieces(train, seconds or None))
    comparable = train.only(one for one in train if pieces[one.speaker] > 1)
    pool = comparable if len(comparable.speakers) > count else train
    part = count / len(pool.speakers)
    return split_by_speaker(pool, {"train": 1 - part, "valid": part}, seed)["valid"]


def _needs_speakers(manifest: Manifest, least: int, what: str) -> None:
    """Refuse a side with too few people."""
    if (have := len(manifest.speakers)) < least:
        raise DataError(
            f"{manifest.root}: {what} needs at least {least} speakers with utterances of their own, found {have}; add "
            f"recordings of other people, or name who speaks"
        )
