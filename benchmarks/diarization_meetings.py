"""Who speaks when in meetings whose truth is known to the sample? And does what diarization says of itself hold?

Twenty simulated meetings (`samevoice simulate`, its default levels, rooms, noise and overlap) of 2 to 8 people and 10
to 30 minutes, of the 50 LibriSpeech speakers of the split `dev`. What decides in clustering was chosen on 58 meetings
of other people and on 16 that drew from all, these included.

Printed: the error under the four rules of the field with intervals over meetings; how often the number of speakers is
right, and whether its probability is worth the name; whether a turn's confidence is (beside the share of the turn in
which that speaker speaks, after the best pairing; each turn counts by its seconds); the time from file to turns.

What this cannot show: of each speaker there is one utterance of 2 to 17 s, so that everybody says the same few phrases
again and again, in one mood, and reads. Rooms are made up, and turns are drawn, not meant.

With `--keep DIR` a killed run goes on where it stopped; the folder is of one state of the program, so name a new one
after a change. `--small` is a quick look.

Run: python -m benchmarks.diarization_meetings --data DIR [--keep DIR] [--threads 2] [--small]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

import samevoice as sv
from benchmarks.conversations import (
    Meeting,
    calibration_error,
    folder,
    paired,
    rates,
    results,
    rule_table,
    span,
    truth_of,
    wilson,
)
from benchmarks.corpus import data_folder, librispeech
from samevoice.diarization.diarizer import Diarizer
from samevoice.diarization.scorereport import RULES, ScoreReport, compare
from samevoice.lab import Scene, Studio
from samevoice.lab.writing import write_sound

SEED = 7
SMALL = (4, "2-3")  # meetings, minutes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--keep", type=Path, metavar="DIR")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--meetings", type=int, default=20)
    parser.add_argument("--minutes", default="10-30")
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    count, minutes = SMALL if options.small else (options.meetings, options.minutes)
    data = data_folder(options.data)
    scene = Scene(speakers=(2, 8), minutes=span(minutes), seed=SEED)
    began = time.perf_counter()
    diarizer = sv.load_diarizer(threads=options.threads)
    loading = time.perf_counter() - began
    with folder(options.keep) as place:
        make = maker(Studio(sources(data), scene, detector=sv.load_detector()), diarizer, place)
        settings = {"scene": str(scene), "threads": options.threads}
        kept = options.keep and place / "meetings.jsonl"
        meetings = list(results(kept, settings, count, make))
    scores = compare(
        {one.truth.recording: one.truth for one in meetings}, {one.truth.recording: one.found for one in meetings}
    )
    table(meetings, scores)
    print()
    rule_table({f"{count} meetings": scores})
    numbers(meetings)
    confidence(meetings)
    took, audio = sum(one.took for one in meetings), sum(one.truth.extent for one in meetings)
    print(f"\n{took:.0f} s for {audio / 60:.0f} min of audio with {options.threads} threads: ", end="")
    print(f"real-time factor {took / audio:.4f}; loading the models took {loading:.1f} s more")


def sources(data: Path) -> dict[str, list[Path]]:
    """The recordings of each speaker."""
    found: dict[str, list[Path]] = {}
    for one in librispeech(data, "dev"):
        found.setdefault(one.speaker, []).append(one.path)
    return found


def maker(studio: Studio, diarizer: Diarizer, place: Path) -> Callable[[int], Meeting]:
    """Makes a meeting, writes its sound, diarizes that and removes it."""

    def make(number: int) -> Meeting:
        conversation = studio.conversation(number)
        name = f"meeting-{number:02d}"
        sound = place / f"{name}.flac"
        write_sound(conversation, sound)
        began = time.perf_counter()
        found = sv.diarize(sound, diarizer=diarizer)
        took = time.perf_counter() - began
        sound.unlink()
        return Meeting(truth_of(conversation, name), found.diarization, found.counts, took)

    return make


def table(meetings: Sequence[Meeting], scores: ScoreReport) -> None:
    """Print a row for each meeting, under the strictest rule."""
    print("| meeting | minutes | speakers | found | likeliest | probability of the true number ", end="")
    print(f"| DER % | miss % | false alarm % | confusion % | real-time factor |\n|{'---|' * 11}")
    for one, score in zip(meetings, scores.scores[RULES[0]], strict=True):
        likeliest, share = one.counts[0]
        cells = [
            one.truth.recording,
            f"{one.truth.extent / 60:.1f}",
            str(score.reference_speakers),
            str(score.hypothesis_speakers),
            f"{likeliest} ({100 * share:.0f} %)",
            f"{dict(one.counts).get(score.reference_speakers, 0.0):.2f}",
            *(f"{100 * value:.1f}" for name, value in rates(score).items() if name != "jer"),
            f"{one.took / one.truth.extent:.4f}",
        ]
        print(f"| {' | '.join(cells)} |")


def numbers(meetings: Sequence[Meeting]) -> None:
    """Print how often the number of speakers is right, and what its probability is worth."""
    true = [len(one.truth.speakers) for one in meetings]
    wrong = [abs(len(one.found.speakers) - count) for one, count in zip(meetings, true, strict=True)]
    given = [dict(one.counts).get(count, 0.0) for one, count in zip(meetings, true, strict=True)]
    right = [float(one.counts[0][0] == count) for one, count in zip(meetings, true, strict=True)]
    said = [one.counts[0][1] for one in meetings]
    error, _ = calibration_error(said, right, np.ones(len(said)).tolist())
    print("\n| number of speakers | |\n|---|---|")
    print(f"| exact | {wilson(sum(one == 0 for one in wrong), len(wrong))} |")
    print(f"| within one | {wilson(sum(one <= 1 for one in wrong), len(wrong))} |")
    print(f"| likeliest number is the true one | {wilson(int(sum(right)), len(right))} |")
    print(f"| probability given to the true number, mean | {np.mean(given):.3f} |")
    print(f"| probability given to the likeliest, mean | {np.mean(said):.3f} |")
    print(f"| expected calibration error of the likeliest | {error:.3f} |")


def confidence(meetings: Sequence[Meeting]) -> None:
    """Print what the confidence of turns is worth."""
    said, true, seconds = [], [], []
    for one in meetings:
        whose = paired(one.truth, one.found)
        spoken = {name: one.truth.of(name) for name in one.truth.speakers}
        for turn in one.found:
            own = [turn.segment & part for part in spoken.get(whose.get(turn.speaker, ""), ())]
            shared = sum(part.duration for part in own if part is not None)
            said.append(turn.confidence or 0.0)
            true.append(shared / turn.duration)
            seconds.append(turn.duration)
    error, bins = calibration_error(said, true, seconds)
    print(f"\nConfidence of {len(said)} turns: expected calibration error {error:.3f}.\n")
    print("| said | minutes | said, mean | true share, mean |\n|---|---|---|---|")
    for mass, low, mean, share in bins:
        print(f"| {low:.1f} to {low + 0.1:.1f} | {mass / 60:.1f} | {mean:.3f} | {share:.3f} |")


if __name__ == "__main__":
    main()
