"""What a corpus amounts to: how many people, how much speech, of what kind.

Knows: counting. Does not know: how it is shown.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from samevoice.corpora.manifest import Utterance


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts over some utterances.

    Args:
        utterances: how many.
        speakers: how many people are named.
        single: how many of them have one utterance only, and can be no target trial of whole utterances.
        unlabelled: utterances of nobody named.
        seconds: together.
        shortest: utterance, in seconds; 0 if there is none.
        longest: utterance, in seconds; 0 if there is none.
        rates: Hz -> utterances, most frequent first.
        languages: code -> utterances, most frequent first; "" where unknown.
    """

    utterances: int
    speakers: int
    single: int
    unlabelled: int
    seconds: float
    shortest: float
    longest: float
    rates: dict[int, int]
    languages: dict[str, int]


def overview(utterances: Iterable[Utterance]) -> Overview:
    """Count."""
    ones = list(utterances)
    speakers = Counter(one.speaker for one in ones)
    unlabelled = speakers.pop(None, 0)
    lengths = [one.seconds for one in ones] or [0.0]
    return Overview(
        utterances=len(ones),
        speakers=len(speakers),
        single=sum(count == 1 for count in speakers.values()),
        unlabelled=unlabelled,
        seconds=sum(lengths),
        shortest=min(lengths),
        longest=max(lengths),
        rates=dict(Counter(one.rate for one in ones).most_common()),
        languages=dict(Counter(one.language for one in ones).most_common()),
    )


def groups(utterances: Iterable[Utterance]) -> dict[tuple[str, str, str], Overview]:
    """Counts for each (corpus, split, language), in order."""
    held: dict[tuple[str, str, str], list[Utterance]] = defaultdict(list)
    for one in utterances:
        held[one.corpus, one.split, one.language].append(one)
    return {group: overview(held[group]) for group in sorted(held)}


def voices(utterances: Iterable[Utterance]) -> dict[str, Overview]:
    """Counts for each speaker, in order."""
    held: dict[str, list[Utterance]] = defaultdict(list)
    for one in utterances:
        if one.speaker is not None:
            held[one.speaker].append(one)
    return {speaker: overview(held[speaker]) for speaker in sorted(held)}
