"""Who of the household speaks, or is it a guest? Identification with enrolment by one utterance, measured.

Twenty households or meetings of 3 to 8 people are drawn from the LibriSpeech speakers that the calibration never saw,
and one gallery of 150. Everybody is enrolled by the first 4 s of speech of the one utterance there is; the rest of it
gives probes of 1, 2 and 3 s, as recorded and with every probe in simulated other conditions (`conditions`). Strangers
are speakers who are in no household, and everybody enrolled is tried as a stranger to the others too. Printed: how
often strangers are taken for somebody (FPIR), how often people enrolled are not named (FNIR) and whether they come
first (rank-1), with 95 % intervals over the speakers; all verdicts; and the sequential mode, which may stop early,
beside one look at all the speech that is left.

What this cannot show: enrolment and probe are of one recording, and all read books. Where no error was seen the
interval is [0, 0]; with n speakers the true rate may still be 3 / n.

Run: python -m benchmarks.households --data DIR [--model campplus] [--threads 1]
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import samevoice as sv
from benchmarks.conditions import Conditions
from benchmarks.corpus import data_folder, librispeech, speech_pieces
from samevoice.audio.waveform import Waveform
from samevoice.embedder import Model
from samevoice.evaluation.identification import Searches, Statistic, by_probe_speaker
from samevoice.gallery.identification import Identification, identify
from samevoice.gallery.rules import Rules, required
from samevoice.gallery.sequential import LOOKS, Matches, Sequential
from samevoice.speech.vad import RATE, everything
from samevoice.verification import calibration_of

ENROLLED = 4  # seconds of speech
LENGTHS = (1, 2, 3)  # seconds of a probe
PROBES = 2  # of each length, at most
HOUSEHOLDS, SMALLEST, LARGEST, BIG = 20, 3, 8, 150
RATES = (0.01, 0.05)
SEED = 6
PLACES = ("as recorded", "elsewhere")

Vector = NDArray[np.float32]
Spoken = list[tuple[float, Vector]]  # seconds of speech and their embedding
MEASURES: dict[str, Statistic] = {
    "FPIR": lambda searches: searches.fpir(0.5),
    "FNIR": lambda searches: searches.fnir(0.5),
    "rank-1": Searches.rank_rate,
}


@dataclass(slots=True)
class Voice:
    """A speaker: the template, and probes by place and length ("prefixes": of all that is left)."""

    name: str
    template: Vector
    probes: dict[tuple[str, int], list[Spoken]] = field(default_factory=lambda: defaultdict(list))
    prefixes: dict[str, Spoken] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True, slots=True)
class Group:
    """Who is enrolled together, and who are strangers to them."""

    members: list[Voice]
    strangers: list[Voice]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One probe: who spoke, whether enrolled, the place of the own template (0 for a stranger), the result."""

    speaker: str
    place: int
    found: Identification

    @property
    def right(self) -> bool:
        """Whether the right person was named."""
        return self.place > 0 and self.found.name == self.speaker


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", default="campplus")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    folder = data_folder(options.data)
    model = sv.load_model(options.model, options.threads, detector=everything)
    calibration = required(calibration_of(model), options.model)
    people = voices(folder, model)
    print(f"{model.card.fingerprint}, {len(people)} speakers, enrolled by {ENROLLED} s of speech\n")
    galleries = {f"{HOUSEHOLDS} households": households(people), f"one of {BIG}": [split(people, BIG)]}
    print("| gallery | stated | probes | speech | FPIR | FNIR | rank-1 ", end="")
    print("| enrolled: right | wrong | unsure | unknown | strangers: known | unsure | unknown |")
    print(f"|{'---|' * 14}")
    for name, groups in galleries.items():
        for fpir in RATES:
            rules = Rules(calibration, model.card.fingerprint, fpir)
            for place in PLACES:
                for length in LENGTHS:
                    outcomes = judged(groups, lambda one: one.probes[place, length], at_once(rules))  # noqa: B023
                    print(f"| {name} | {fpir:.0%} | {place} | {length} s | {' | '.join(cells(outcomes))} |", flush=True)
    print("\n| gallery | stated | probes | mode | seconds used: enrolled | strangers | FPIR | FNIR | rank-1 ", end="")
    print("| enrolled: right | wrong | unsure | unknown | strangers: known | unsure | unknown |")
    print(f"|{'---|' * 16}")
    for name, groups in galleries.items():
        for fpir in RATES:
            rules = Rules(calibration, model.card.fingerprint, fpir)
            for place in PLACES:
                for mode, judge in (("all at once", at_once(rules)), ("sequential", one_by_one(rules))):
                    outcomes = judged(groups, lambda one: [one.prefixes[place]], judge)  # noqa: B023
                    row = " | ".join([*used(outcomes), *cells(outcomes)])
                    print(f"| {name} | {fpir:.0%} | {place} | {mode} | {row} |", flush=True)


def voices(folder: Path, model: Model) -> list[Voice]:
    """Everybody with enough speech for a template and a probe of each length, in random order."""
    seconds, names = speech_pieces(librispeech(folder, "train"), 1.0, sv.load_detector())
    spoken: dict[str, list[NDArray[np.float32]]] = defaultdict(list)
    for second, name in zip(seconds, names, strict=True):
        spoken[name].append(second.samples)
    elsewhere = Conditions(folder, np.random.default_rng(SEED))
    found = []
    for name, parts in spoken.items():
        enrolled, rest = parts[:ENROLLED], parts[ENROLLED:]
        if len(rest) < max(LENGTHS):
            continue
        voice = Voice(name, model.embed(joined(enrolled)).vector)
        for length in LENGTHS:
            for start in range(0, len(rest) - length + 1, length)[:PROBES]:
                probe = joined(rest[start : start + length])
                for place, sound in zip(PLACES, (probe, elsewhere(probe)), strict=True):
                    voice.probes[place, length].append([(float(length), model.embed(sound).vector)])
        everything_left = joined(rest)
        for place, sound in zip(PLACES, (everything_left, elsewhere(everything_left)), strict=True):
            have = len(rest)
            for look in [*(look for look in LOOKS if look < have), float(have)][: len(LOOKS)]:
                voice.prefixes[place].append((look, model.embed(sound.cut(0, look)).vector))
        found.append(voice)
    order = np.random.default_rng(SEED).permutation(len(found))
    return [found[place] for place in order]


def joined(parts: Iterable[NDArray[np.float32]]) -> Waveform:
    """Pieces of speech, one after another."""
    return Waveform(np.concatenate(list(parts)), RATE)


def split(people: Sequence[Voice], count: int) -> Group:
    """The first so many are enrolled, the others are strangers."""
    return Group(list(people[:count]), list(people[count:]))


def households(people: Sequence[Voice]) -> list[Group]:
    """Drawn from one half of the people; the other half are strangers to all."""
    rng = np.random.default_rng(SEED)
    half = split(people, len(people) // 2)
    drawn = (rng.permutation(len(half.members))[: rng.integers(SMALLEST, LARGEST + 1)] for _ in range(HOUSEHOLDS))
    return [Group([half.members[place] for place in places], half.strangers) for places in drawn]


Judge = Callable[[Group, Spoken], Identification]


def matches(group: Group, vector: Vector) -> Matches:
    """An embedding against everybody enrolled."""
    scores = np.stack([one.template for one in group.members]) @ vector
    count = len(group.members)
    return Matches(scores, [one.name for one in group.members], np.full(count, float(ENROLLED)), count)


def at_once(rules: Rules) -> Judge:
    """One look at all the speech of a probe."""

    def judge(group: Group, spoken: Spoken) -> Identification:
        seconds, vector = spoken[-1]
        found = matches(group, vector)
        return identify(found.scores, found.names, found.lengths, seconds, rules, people=found.people)

    return judge


def one_by_one(rules: Rules) -> Judge:
    """A look at each prefix, until it is enough."""

    def judge(group: Group, spoken: Spoken) -> Identification:
        sequence = Sequential(rules, [seconds for seconds, _ in spoken])
        for seconds, vector in spoken:
            found = sequence.look(matches(group, vector), seconds, last=seconds == spoken[-1][0])
            if sequence.done:
                break
        return found

    return judge


def judged(groups: Iterable[Group], probes: Callable[[Voice], list[Spoken]], judge: Judge) -> list[Outcome]:
    """All probes of all people in all groups; of people enrolled a second time, as strangers to the others."""
    outcomes = []
    for group in groups:
        for number, voice in enumerate(group.members):
            others = Group([one for one in group.members if one is not voice], [])
            for spoken in probes(voice):
                scores = np.asarray(matches(group, spoken[-1][1]).scores)
                outcomes += [
                    Outcome(voice.name, int(np.sum(scores >= scores[number])), judge(group, spoken)),
                    Outcome(f"{voice.name} left out", 0, judge(others, spoken)),
                ]
        for voice in group.strangers:
            outcomes += [Outcome(voice.name, 0, judge(group, spoken)) for spoken in probes(voice)]
    return outcomes


def used(outcomes: Sequence[Outcome]) -> list[str]:
    """Median seconds of speech until it stopped, of people enrolled and of strangers."""
    sides = ([one for one in outcomes if one.place], [one for one in outcomes if not one.place])
    return [f"{np.median([one.found.speech for one in side]):.1f} s" for side in sides]


def cells(outcomes: Sequence[Outcome]) -> list[str]:
    """The rates with their intervals, and the shares of all verdicts."""
    _, speakers = np.unique([one.speaker for one in outcomes], return_inverse=True)
    searches = Searches(
        top=np.array([float(one.found.verdict == "known") for one in outcomes]),
        own=np.array([float(one.right) for one in outcomes]),
        place=np.array([one.place for one in outcomes]),
        speakers=speakers,
        weights=np.ones(len(outcomes)),
    )
    intervals = by_probe_speaker(searches, MEASURES)
    enrolled = [one for one in outcomes if one.place]
    strangers = [one for one in outcomes if not one.place]
    verdicts = [
        np.mean([one.right for one in enrolled]),
        np.mean([one.found.verdict == "known" and not one.right for one in enrolled]),
        *(np.mean([one.found.verdict == verdict for one in enrolled]) for verdict in ("unsure", "unknown")),
        *(np.mean([one.found.verdict == verdict for one in strangers]) for verdict in ("known", "unsure", "unknown")),
    ]
    return [
        *(f"{100 * one.value:.2f} % [{100 * one.low:.2f}, {100 * one.high:.2f}]" for one in intervals.values()),
        *(f"{100 * share:.1f} %" for share in verdicts),
    ]


if __name__ == "__main__":
    main()
