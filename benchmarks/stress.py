"""The default model against Resemblyzer on the same trials, clean and stressed, long and short; and what back-ends add.

Pieces of speech of LibriSpeech speakers who served neither calibration nor back-ends are compared, all pairs; one is
changed: noise, a room, a telephone band, codecs. Scored by the default model's cosine, the same with AS-norm (cohort:
the unlabelled clips) and with PLDA (trained on other LibriSpeech speakers, clean and in simulated other conditions),
and by Resemblyzer, which trims and levels each piece in its own way.

Run: python -m benchmarks.stress --data DIR   (install `resemblyzer` in the environment to see it measured)
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

import samevoice as sv
from benchmarks.conditions import Conditions
from benchmarks.corpus import LENGTHS, data_folder, librispeech, speech_pieces
from samevoice.audio.waveform import Samples
from samevoice.effects.codecs import round_trip
from samevoice.effects.noise import add_noise, stretch
from samevoice.effects.rooms import reverberate
from samevoice.evaluation.bootstrap import by_speaker, compare_systems
from samevoice.evaluation.curves import Curve
from samevoice.evaluation.trials import Trials
from samevoice.models.embedding import Embedding
from samevoice.scoring.asnorm import Cohort, as_norm, statistics
from samevoice.scoring.plda import fit_plda
from samevoice.speech.vad import RATE, everything

PIECES = 3  # of a speaker
TAUGHT = 100  # speakers of the train split, beside the development split, for PLDA
COHORT = 2_000
DRAWS = 300
SEED = 5

Vectors = NDArray[np.float32]
Change = Callable[[Samples, np.random.Generator], Samples]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    folder = data_folder(options.data)
    model = sv.load_model(threads=options.threads, detector=everything)
    detector = sv.load_detector()
    peer = resemblyzer()
    train = librispeech(folder, "train")
    taught = librispeech(folder, "dev") + train[:TAUGHT]
    tested = train[TAUGHT:]

    pieces, names = speech_pieces(taught, 3.0, detector, PIECES)
    elsewhere = map(Conditions(folder, np.random.default_rng(SEED)), pieces)
    known = np.concatenate([ours(model, pieces), ours(model, elsewhere)])
    fingerprint = model.card.fingerprint
    plda = fit_plda(known, names * 2, model=fingerprint, source=f"{len(taught)} speakers")
    clips = [path for name in ("intents", "wakewords") for path in sorted((folder / name).rglob("*.ogg"))]
    chosen = np.random.default_rng(SEED).permutation(len(clips))[:COHORT]
    heard = sv.load_model(threads=options.threads).embed_each(clips[place] for place in chosen)
    vectors = np.stack([one.vector for one in heard if isinstance(one, Embedding)])
    cohort = Cohort(vectors, fingerprint, "unlabelled clips")
    print(
        f"{fingerprint}; {len(tested)} speakers, at most {PIECES} pieces of each; PLDA of {len(taught)} other speakers,"
    )
    print(f"AS-norm with {len(vectors):,} clips; EER in % with 95 % intervals over speakers; p: cosine - Resemblyzer\n")
    systems = ["cosine", "AS-norm", "PLDA", *(["Resemblyzer", "p"] if peer else [])]
    print(f"| speech | one side | {' | '.join(systems)} |\n|{'---|' * (2 + len(systems))}")
    for label, seconds in LENGTHS:
        pieces, names = speech_pieces(tested, seconds, detector, PIECES)
        clean, other = ours(model, pieces), peer(pieces) if peer else None
        for condition, change in changes(folder).items():
            random = np.random.default_rng(SEED)
            changed = [sv.Waveform(change(one.samples, random).astype(np.float32), RATE) for one in pieces]
            second = ours(model, changed)
            rows, columns = np.triu_indices(len(pieces), k=1)
            scores = {"cosine": (clean @ second.T)[rows, columns].astype(np.float64)}
            sides = statistics(clean, cohort), statistics(second, cohort)
            scores["AS-norm"] = as_norm(scores["cosine"], sides[0].of(rows), sides[1].of(columns))
            scores["PLDA"] = plda.llr_matrix(clean, second)[rows, columns]
            if peer and other is not None:
                scores["Resemblyzer"] = (other @ peer(changed).T)[rows, columns].astype(np.float64)
            print(f"| {label} | {condition} | {' | '.join(cells(scores, names))} |", flush=True)


def cells(scores: dict[str, NDArray[np.float64]], names: list[str]) -> list[str]:
    """EERs with intervals, and the paired test against the peer."""
    people, voices = np.unique(names, return_inverse=True)
    rows, columns = np.triu_indices(len(names), k=1)
    trials = {name: Trials(one, rows, columns, voices, tuple(people.tolist())) for name, one in scores.items()}
    eer = {"eer": Curve.eer}
    found = []
    for one in trials.values():
        interval = by_speaker(one, eer, DRAWS)["eer"]
        found.append(f"{100 * interval.value:.2f} ({100 * interval.low:.2f} to {100 * interval.high:.2f})")
    if "Resemblyzer" in trials:
        found.append(f"{compare_systems(trials['cosine'], trials['Resemblyzer'], eer, DRAWS)['eer'].p:.3f}")
    return found


def ours(model: sv.Model, pieces: Iterable[sv.Waveform]) -> Vectors:
    """Unit vectors of the default model."""
    return np.stack([one.vector for one in model.embed_many(pieces)])


def resemblyzer() -> Callable[[Iterable[sv.Waveform]], Vectors] | None:
    """Unit vectors of the peer; None where it is not installed."""
    try:
        from resemblyzer import VoiceEncoder, preprocess_wav
    except ImportError:
        return None
    encoder = VoiceEncoder("cpu", verbose=False)

    def embed(pieces: Iterable[sv.Waveform]) -> Vectors:
        found = []
        for piece in pieces:
            prepared = preprocess_wav(piece.samples.copy(), RATE)
            # Where its detector leaves nothing, the piece is taken whole.
            found.append(encoder.embed_utterance(prepared if len(prepared) >= RATE // 10 else piece.samples))
        return np.stack(found)

    return embed


def changes(folder: Path) -> dict[str, Change]:
    """What is done to one side."""
    noises = [soundfile.read(path, dtype="float32")[0] for path in sorted((folder / "noise").glob("*.flac"))]
    rooms = [soundfile.read(path, dtype="float32")[0] for path in sorted((folder / "rir").glob("*.flac"))]

    def noisy(snr_db: float) -> Change:
        def change(samples: Samples, random: np.random.Generator) -> Samples:
            return add_noise(samples, stretch(noises[random.integers(len(noises))], len(samples), random), snr_db)

        return change

    def telephone(samples: Samples, _: np.random.Generator) -> Samples:
        narrow: Samples = soxr.resample(soxr.resample(samples, RATE, 8_000), 8_000, RATE)
        return narrow[: len(samples)]

    return {
        "as recorded": lambda samples, _: samples,
        **{f"noise, {snr} dB": noisy(snr) for snr in (20, 10, 0)},
        "room": lambda samples, random: reverberate(samples, rooms[random.integers(len(rooms))]),
        "8 kHz": telephone,
        "mp3": lambda samples, _: round_trip(samples, RATE, "mp3"),
        "opus": lambda samples, _: round_trip(samples, RATE, "opus"),
    }


if __name__ == "__main__":
    main()
