"""Can strangers change a voiceprint, and do they spoil the recognition of its owner?

50 people of the LibriSpeech speakers outside the development split enrol with one half of their utterance. Others try
1,000 times to be added to them: each person is attacked by the 20 recordings that sound most alike, and, in a second
run, by 20 drawn at random; what is let in changes the template that the next attempt meets. The other half of the
utterance, in pieces of 1.5 s, tells whether the person is recognised as before at the default false-accept rate: as it
was recorded, and in simulated other conditions. It is of the same recording as the first half, so acceptance is higher
than across days; what matters is the difference.

Run: python -m benchmarks.update_attempts --data DIR [--model campplus]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import samevoice as sv
from benchmarks.conditions import Conditions
from benchmarks.corpus import Utterance, data_folder, librispeech, speech_pieces
from samevoice.audio.waveform import Samples, Waveform
from samevoice.embedder import Model
from samevoice.gallery.coach import GOOD_SPEECH
from samevoice.gallery.updating import may_update
from samevoice.models.embedding import Embedding
from samevoice.scoring.calibration import Calibration
from samevoice.scoring.decision import DEFAULT_FAR, SAME_LLR
from samevoice.speech.vad import RATE, everything
from samevoice.verification import calibration_of

SEED = 12
PEOPLE, ATTEMPTS = 50, 20
PROBE_SECONDS = 1.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", default="campplus")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    folder = data_folder(options.data)
    model = sv.load_model(options.model, options.threads, detector=everything)
    calibration = calibration_of(model)
    if calibration is None:
        raise SystemExit(f"{options.model} has no calibration")
    print(model.card.fingerprint)
    updates(folder, librispeech(folder, "train"), model, calibration)


def updates(folder: Path, utterances: list[Utterance], model: Model, calibration: Calibration) -> None:
    """Print how many strangers change a voiceprint, and whether people are recognised as before."""
    halves, _ = speech_pieces(utterances, None, sv.load_detector())
    pairs = [(one, two) for one, two in zip(halves[::2], halves[1::2], strict=True) if two.duration > GOOD_SPEECH]
    elsewhere = Conditions(folder, np.random.default_rng(SEED))
    lasts = [last for _, last in pairs[:PEOPLE]]
    firsts = model.embed_many([first for first, _ in pairs[:PEOPLE]])
    for label, own in (("as recorded", lasts), ("elsewhere", [elsewhere(last) for last in lasts])):
        rows = zip(firsts, model.embed_many(own), strict=True)
        able = sum(admitted(first.vector[None], first.seconds, last, calibration) for first, last in rows)
        print(f"{len(firsts)} people, their own update {label}: {able} let in")
    probes = [pieces(last) for last in lasts]
    probed = [
        ("as recorded", [model.embed_many(some) for some in probes]),
        ("elsewhere", [model.embed_many(map(elsewhere, some)) for some in probes]),
    ]
    others = model.embed_many([half for pair in pairs[PEOPLE:] for half in pair])
    scores = np.stack([one.vector for one in firsts]) @ np.stack([one.vector for one in others]).T
    rng = np.random.default_rng(SEED)
    print("\n| strangers | attempts | let in | probes | how many | accepted before | after |")
    print("|---|---|---|---|---|---|---|")
    orders = (("most alike", np.argsort(-scores)), ("at random", rng.permuted(np.argsort(scores), axis=1)))
    for strangers, order in orders:
        tried = [[others[place] for place in row[:ATTEMPTS]] for row in order]
        after = [attacked(*one, calibration) for one in zip(firsts, tried, strict=True)]
        passed = sum(len(vectors) - 1 for vectors, _ in after)
        for label, asked in probed:
            count = sum(map(len, asked))
            known = [[(first.vector[None], first.seconds) for first in firsts], after]
            shares = [
                sum(accepted(*person, some, calibration) for person, some in zip(people, asked, strict=True)) / count
                for people in known
            ]
            cells = f"{count} | {100 * shares[0]:.2f} % | {100 * shares[1]:.2f} %"
            print(f"| {strangers} | {ATTEMPTS * len(firsts):,} | {passed} | {label} | {cells} |", flush=True)


def attacked(first: Embedding, strangers: Sequence[Embedding], calibration: Calibration) -> tuple[Samples, float]:
    """The vectors and seconds of a person after strangers tried one by one to be added."""
    vectors, seconds = first.vector[None], first.seconds
    for new in strangers:
        if admitted(vectors, seconds, new, calibration):
            vectors, seconds = np.concatenate([vectors, new.vector[None]]), seconds + new.seconds
    return vectors, seconds


def pieces(sound: Waveform) -> list[Waveform]:
    """A sound in pieces of 1.5 s; what is left over is dropped."""
    size = int(RATE * PROBE_SECONDS)
    return [Waveform(sound.samples[at : at + size], RATE) for at in range(0, len(sound.samples) - size + 1, size)]


def template(vectors: Samples) -> Samples:
    """The unit mean of vectors (n, d)."""
    mean = vectors.mean(axis=0)
    unit: Samples = mean / np.linalg.norm(mean)
    return unit


def admitted(vectors: Samples, seconds: float, new: Embedding, calibration: Calibration) -> bool:
    """Whether a recording may be added to a person of so many seconds of speech."""
    return may_update(float(template(vectors) @ new.vector), (new.seconds, seconds), calibration) is None


def accepted(vectors: Samples, seconds: float, probes: Sequence[Embedding], calibration: Calibration) -> int:
    """How many probes are recognised, by the rule of `decide`."""
    known, count = template(vectors), 0
    for probe in probes:
        spoken = min(probe.seconds, seconds)
        cut = max(calibration.threshold(DEFAULT_FAR, spoken), calibration.crossing(SAME_LLR, spoken))
        count += bool(known @ probe.vector >= cut)
    return count


if __name__ == "__main__":
    main()
