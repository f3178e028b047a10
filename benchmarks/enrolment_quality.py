"""Does the enrolment coach catch bad recordings and let good ones pass?

100 bad recordings of eight kinds are made of speech of LibriSpeech speakers, and 100 good ones of others: half as they
were recorded, half in a light room with noise at 20 to 25 dB. Every limit of the coach was chosen on the development
speakers (split dev), the noises noise1 to noise5 and the rooms rir1 and rir2; here speak others (split train), in the
other noises and rooms. The data folder holds no music: unless `--music` names a folder of it, music is synthesised.
A replayed recording is one that another person is enrolled with, through a codec, at another level, with cut ends;
every recording is compared with the five of those enrolled so far who sound most alike.

Run: python -m benchmarks.enrolment_quality --data DIR [--music DIR] [--model campplus]
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

import samevoice as sv
from benchmarks.bad_recordings import KINDS, Make, Stage, as_recorded, mild, read, replayed, songs
from benchmarks.corpus import data_folder, librispeech
from samevoice.audio.waveform import Waveform
from samevoice.gallery.coach import Coached, Known, Lookup, coach
from samevoice.models.embedding import Embedding
from samevoice.speech.vad import RATE

SEED = 11
NOISES = ("kitchen", "doing_the_dishes", "pink_noise", "exercise_bike", "dude_miaowing")  # not those of the choice
ROOMS = ("rir3", "rir4")
LEAST_SECONDS = 5.0  # shorter utterances are left out
BAD, GOOD = 100, 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--music", type=Path, help="folder of recordings of music without song")
    parser.add_argument("--model", default="campplus")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    folder = data_folder(options.data)
    model = sv.load_model(options.model, options.threads)
    rng = np.random.default_rng(SEED)
    paths = [one.path for one in librispeech(folder, "train")]
    paths = [path for path in paths if soundfile.info(path).duration >= LEAST_SECONDS]
    print(f"{model.card.fingerprint}, {len(paths)} speakers\n")
    stage = Stage(
        model,
        [read(paths[place]) for place in rng.permutation(len(paths))],
        [read(folder / "noise" / f"{name}.flac") for name in NOISES],
        [read(folder / "rir" / f"{name}.flac") for name in ROOMS],
        [read(path) for path in sorted(options.music.iterdir())] if options.music else songs(rng),
        rng,
    )
    enrolments(stage)


def enrolments(stage: Stage) -> None:
    """Print how many recordings of each kind are refused, and why."""
    bad = len(stage.sounds) - GOOD  # speakers; the last ones are good
    good = range(bad, len(stage.sounds))
    enrolled: list[tuple[str, Coached]] = []
    print("| recordings | how many | refused | refused for |")
    print("|---|---|---|---|")
    fair: tuple[tuple[str, Make, range], ...] = (
        ("good, as recorded", as_recorded, good[::2]),
        ("good, light room and noise", mild, good[1::2]),
    )
    for name, make, places in fair:
        found = []
        for place in places:
            coached = coach(make(stage, place), stage.model, others=among(enrolled), people=max(len(enrolled), 1))
            found.append(coached)
            enrolled.append((f"person {place}", coached))
        line(name, found)
    every: list[Coached] = []
    for number, (name, make) in enumerate(KINDS.items()):
        found = []
        for count in range(number * BAD // len(KINDS), (number + 1) * BAD // len(KINDS)):
            place = count % bad
            sound = make(stage, place)
            if make is replayed:  # enrolled once before, as it was
                first = coach(Waveform(stage.sounds[place], RATE), stage.model)
                enrolled.append((f"person {place}", first))
            found.append(coach(sound, stage.model, others=among(enrolled), people=len(enrolled)))
        line(name, found)
        every += found
    line("bad, all", every)
    print()


def among(enrolled: Sequence[tuple[str, Coached]]) -> Lookup:
    """The five of those enrolled so far who sound most alike."""

    def find(embedding: Embedding) -> Iterator[Known]:
        scored = [
            Known(name, float(one.embedding.vector @ embedding.vector), one.embedding.seconds, (one.trace,))
            for name, one in enrolled
            if one.embedding is not None
        ]
        yield from sorted(scored, key=lambda known: -known.score)[:5]

    return find


def line(name: str, found: Sequence[Coached]) -> None:
    """Print what came of recordings of one kind."""
    refused = [one for one in found if not one.usable]
    reasons = Counter(advice.code for one in refused for advice in one.advice if advice.refuses)
    why = ", ".join(f"{code} {count}" for code, count in reasons.most_common())
    print(f"| {name} | {len(found)} | {len(refused)} | {why} |", flush=True)


if __name__ == "__main__":
    main()
