"""How well does a model tell voices apart? EER over all pieces of LibriSpeech utterances, all pairs.

Every utterance of every speaker is cut into non-overlapping pieces of one length; every pair of pieces is a trial.
Pieces of one utterance share room, microphone and day: such targets are easier than two recordings of life.

Run: python -m benchmarks.eer_librispeech --data DIR [--model campplus] [--split dev]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

import samevoice as sv
from benchmarks.corpus import data_folder, librispeech, pair_scores
from samevoice.audio.decode import open_recording
from samevoice.audio.resample import mix
from samevoice.evaluation.metrics import eer
from samevoice.speech.vad import everything


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", default="campplus")
    parser.add_argument("--split", choices=("train", "dev"), help="one split alone; small learnt from train")
    parser.add_argument("--seconds", type=float, nargs="+", default=[3.0, 1.5])
    options = parser.parse_args()
    utterances = librispeech(data_folder(options.data), options.split)
    models = {
        "whole piece": sv.load_model(options.model, detector=everything),
        "speech only": sv.load_model(options.model),
    }
    print(f"{models['whole piece'].card.fingerprint}, {len({u.speaker for u in utterances})} speakers")
    print("| piece | input | targets | non-targets | too little speech | EER % | seconds |")
    print("|---|---|---|---|---|---|---|")
    for seconds in options.seconds:
        pieces: list[sv.Waveform] = []
        speakers: list[str] = []
        for utterance in utterances:
            recording = open_recording(utterance.path)
            whole = np.concatenate([mix(block) for block in recording.blocks()])
            size = round(seconds * recording.info.rate)
            for start in range(0, len(whole) - size + 1, size):
                pieces.append(sv.Waveform(whole[start : start + size], recording.info.rate))
                speakers.append(utterance.speaker)
        for kind, model in models.items():
            began = time.perf_counter()
            outcomes = list(model.embed_each(pieces))
            good = [
                (one.vector, name)
                for one, name in zip(outcomes, speakers, strict=True)
                if isinstance(one, sv.Embedding)
            ]
            vectors = np.stack([vector for vector, _ in good])
            scores, is_target = pair_scores(vectors, vectors, [name for _, name in good])
            rate = 100 * eer(scores[is_target], scores[~is_target])
            print(
                f"| {seconds:g} s | {kind} | {is_target.sum():,} | {(~is_target).sum():,} | {len(pieces) - len(good)} "
                f"| {rate:.2f} | {time.perf_counter() - began:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
