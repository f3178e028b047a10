"""Is everybody known again in every meeting? Names and stable ids across files, from a gallery that knows only some.

Twelve people, of whom six are enrolled (`--enrolled`), meet in twenty simulated meetings (`samevoice simulate`, its
default levels, rooms, noise and overlap) of 2 to 8 of them. Each is diarized and remembered (`--remember`), in order,
at the tolerated rate of 1 %. Of each person there is one LibriSpeech utterance: its first half enrols, as recorded; the
second half is all that is ever said in meetings. People are of the split `train`: the calibration behind every name was
fitted on all of `dev`.

Whose is what:
- a person enrolled is right under the own name;
- an unknown person is right under one id: the first that a voice got which is mostly of that person and of nobody
  before. A second id for the same person is wrong, and so is an id that was somebody else's first.
- precision: of the seconds of turns that carry a name or an id, those in which its owner speaks;
- recall: of the seconds in which somebody speaks, those in which a turn carries the own name or id;
- F1: 2 precision recall / (precision + recall). Missed speech, false alarms and confusion of the diarization count
  against it. With a collar, the seconds so near a boundary of the truth are left out, as in scoring. Intervals draw
  meetings anew.

A *voice* is what the diarization takes for one speaker of one meeting; it is of whoever speaks most in its turns.

What this cannot show: enrolment and meetings are of one day and one microphone, but for simulated rooms and noise, and
everybody says the same few phrases in every meeting.

With `--keep DIR` a killed run goes on where it stopped; name a new folder after a change of the program.

Run: python -m benchmarks.diarization_identity --data DIR [--keep DIR] [--enrolled 6] [--minutes 5] [--small]
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import samevoice as sv
from benchmarks.conversations import Meeting, folder, results, seconds_of, span, truth_of
from benchmarks.corpus import Utterance, data_folder, librispeech
from samevoice.audio.waveform import Samples, Waveform
from samevoice.diarization.naming import remember
from samevoice.diarization.turns import Diarization
from samevoice.evaluation.bootstrap import DRAWS, Interval, bounds_of
from samevoice.gallery.crypto import MasterKey
from samevoice.lab import Scene, Studio, Take
from samevoice.lab.takes import take
from samevoice.speech.timeline import Timeline
from samevoice.speech.vad import RATE

SEED = 7
CAST, MEETINGS = 12, 20
LEAST = 12.0  # seconds of an utterance
FPIR = 0.01
COLLARS = (0.0, 0.25)
KEY = MasterKey(bytes(range(32)))  # of a gallery of public recordings


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """One of the cast: the half of an utterance that enrols, and the half that meetings are made of."""

    name: str
    first: Samples
    second: Samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--keep", type=Path, metavar="DIR")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--meetings", type=int, default=MEETINGS)
    parser.add_argument("--minutes", default="5")
    parser.add_argument("--enrolled", type=int, default=6)
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    count, minutes = (5, "2") if options.small else (options.meetings, options.minutes)
    people = cast(data_folder(options.data))
    scene = Scene(speakers=(2, 8), minutes=span(minutes), seed=SEED)
    voices = {one.name: [Take(one.name, partial(np.copy, one.second))] for one in people}
    studio = Studio(voices, scene, detector=sv.load_detector())
    diarizer = sv.load_diarizer(threads=options.threads)
    with folder(options.keep) as place, sv.Gallery(place / "people.db", model=diarizer.model, key=KEY) as gallery:
        enrolled = enrol(gallery, people, options.enrolled)

        def make(number: int) -> Meeting:
            conversation = studio.conversation(number)
            name = f"meeting-{number:02d}"
            began = time.perf_counter()
            found = sv.diarize(conversation.waveform(), diarizer=diarizer, name=name)
            took = time.perf_counter() - began
            digest = hashlib.sha256(name.encode()).hexdigest()  # so that a run that was killed here repeats nothing
            _, said = remember(found, gallery, fpir=FPIR, recording=name, digest=digest)
            told = {one.name: (its.name, its.known) for one, its in zip(found.speakers, said, strict=True)}
            return Meeting(truth_of(conversation, name), found.diarization, found.counts, took, told)

        kept = options.keep and place / "identity.jsonl"
        settings = {"scene": str(scene), "threads": options.threads, "enrolled": options.enrolled}
        meetings = list(results(kept, settings, count, make))
    print(f"{len(enrolled)} of {len(people)} enrolled, {count} meetings\n")
    report(meetings, enrolled, [one.name for one in people if one.name not in enrolled])


def cast(data: Path) -> list[Person]:
    """Twelve people with long utterances, in random order."""
    rng = np.random.default_rng(SEED)
    utterances = librispeech(data, "train")
    found: list[Person] = []
    for place in rng.permutation(len(utterances)):
        one: Utterance = utterances[place]
        samples = take(one.path, one.speaker).read()
        if len(samples) >= LEAST * RATE and len(found) < CAST:
            half = len(samples) // 2
            found.append(Person(f"p{one.speaker}", samples[:half], samples[half:]))
    return found


def enrol(gallery: sv.Gallery, people: Sequence[Person], count: int) -> list[str]:
    """The names of the first so many whom the enrolment coach lets in; who is in already is not enrolled again."""
    there = [one.name for one in gallery.people() if one.stranger is None]
    for one in people:
        if len(there) < count and one.name not in there:
            try:
                gallery.enrol(one.name, Waveform(one.first, RATE))
                there.append(one.name)
            except sv.EnrolmentRefused as error:
                print(f"{one.name} is not enrolled: {error}")
    return there


def report(meetings: Sequence[Meeting], enrolled: Sequence[str], unknown: Sequence[str]) -> None:
    """Print all tables."""
    owners = owners_of(meetings, enrolled)
    own: dict[str, str] = {}
    for name, person in owners.items():
        own.setdefault(person, name)
    print("| collar, s | F1 | precision | recall | recall, enrolled | recall, unknown |\n|---|---|---|---|---|---|")
    for collar in COLLARS:
        sums = [[sum_of(one, own, group, collar) for one in meetings] for group in ((*own,), enrolled, unknown)]
        right, told, said = np.array(sums[0]).T
        cells = [cell(shares(right, told + said, 2.0)), cell(shares(right, told)), cell(shares(right, said))]
        cells += [cell(shares(*np.array(group).T[[0, 2]])) for group in sums[1:]]
        print(f"| {collar:g} | {' | '.join(cells)} |")
    voices(meetings, own, enrolled)
    turns(meetings, enrolled)
    ids(meetings, own, unknown)


def whose(meeting: Meeting) -> dict[str, str]:
    """Who speaks most in the turns of each local voice; "" where nobody does."""
    _, _, both = seconds_of(meeting.truth, meeting.found)
    return {
        name: meeting.truth.speakers[int(both[:, place].argmax())] if both[:, place].any() else ""
        for place, name in enumerate(meeting.found.speakers)
    }


def owners_of(meetings: Sequence[Meeting], enrolled: Sequence[str]) -> dict[str, str]:
    """The person of each name and id, in the order in which they came to them."""
    owners = {name: name for name in enrolled}
    for one in meetings:
        people = whose(one)
        seconds = {local: one.found.of(local).duration for local in people}
        for local in sorted(people, key=seconds.__getitem__, reverse=True):
            name, _ = one.said[local]
            if name is not None and people[local]:
                owners.setdefault(name, people[local])
    return owners


def sum_of(meeting: Meeting, own: Mapping[str, str], group: Iterable[str], collar: float) -> tuple[float, float, float]:
    """Seconds that are right, that carry any name, and that are said, by people of a group."""
    names = {local: name for local, (name, _) in meeting.said.items() if name is not None}
    told = Diarization((one for one in meeting.found if one.speaker in names), meeting.found.extent).renamed(names)
    said, carried, both = seconds_of(meeting.truth, told, collar)
    places = [place for place, person in enumerate(meeting.truth.speakers) if person in group]
    right = sum(
        both[place, told.speakers.index(own[person])]
        for place in places
        if (person := meeting.truth.speakers[place]) in own and own[person] in told.speakers
    )
    return float(right), float(carried.sum()), float(said[places].sum())


def shares(above: NDArray[np.float64], below: NDArray[np.float64], factor: float = 1.0) -> Interval:
    """A ratio of sums over meetings, with bounds."""
    weights = np.random.default_rng(SEED).multinomial(len(above), np.full(len(above), 1 / len(above)), size=DRAWS)
    drawn = factor * (weights @ above) / np.maximum(weights @ below, 1e-9)
    return Interval(factor * float(above.sum()) / max(float(below.sum()), 1e-9), *bounds_of(drawn))


def cell(found: Interval) -> str:
    """A share with its bounds."""
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def voices(meetings: Sequence[Meeting], own: Mapping[str, str], enrolled: Sequence[str]) -> None:
    """Print what became of the voices."""
    found = {"enrolled": Counter[str](), "unknown": Counter[str](), "nobody": Counter[str]()}
    for one in meetings:
        for local, person in whose(one).items():
            name, known = one.said[local]
            kind = "enrolled" if person in enrolled else "unknown" if person else "nobody"
            is_own = name is not None and name == own.get(person)
            found[kind]["own" if is_own else known if name is None else "a name" if name in enrolled else "an id"] += 1
    heads = ("own", "a name", "an id", "unsure", "too short")
    print("\n| voice of somebody | voices | own name or id | another's name | another id | unsure | too short |")
    print(f"|{'---|' * 7}")
    for kind, counts in found.items():
        print(f"| {kind} | {counts.total()} | {' | '.join(str(counts[head]) for head in heads)} |")


def turns(meetings: Sequence[Meeting], enrolled: Sequence[str]) -> None:
    """Print how many turns carry the name of somebody enrolled while somebody unknown speaks most in them."""
    total, mistaken, strayed = 0, 0, 0
    for one in meetings:
        people, spoken = whose(one), {name: one.truth.of(name) for name in one.truth.speakers}
        for turn in one.found:
            if one.said[turn.speaker][0] not in enrolled:
                continue
            total += 1
            span_ = Timeline([turn.segment], one.truth.extent)
            seconds = {name: (its & span_).duration for name, its in spoken.items()}
            most = max(seconds, key=seconds.__getitem__)
            if seconds[most] > 0 and most not in enrolled:
                mistaken += people[turn.speaker] not in enrolled
                strayed += people[turn.speaker] in enrolled
    print(f"\nOf {total} turns under an enrolled name an unknown person speaks most in {mistaken + strayed}: ", end="")
    print(f"in {mistaken} because an unknown voice was given that name, ", end="")
    print(f"in {strayed} because the diarization gave the turn to the voice of somebody enrolled.")


def ids(meetings: Sequence[Meeting], own: Mapping[str, str], unknown: Sequence[str]) -> None:
    """Print how many ids each unknown person has."""
    given: dict[str, Counter[str]] = {person: Counter() for person in unknown}
    present = Counter(person for one in meetings for person in one.truth.speakers)
    for one in meetings:
        for local, person in whose(one).items():
            name = one.said[local][0]
            if person in given and name is not None:
                given[person][name] += 1
    print("\n| unknown person | meetings | ids | voices under the first | under others |\n|---|---|---|---|---|")
    for person, names in given.items():
        first = names[own.get(person, "")]
        print(f"| {person} | {present[person]} | {len(names)} | {first} | {names.total() - first} |")


if __name__ == "__main__":
    main()
