"""Fit the calibration that a model of samevoice ships with, on the development split of LibriSpeech.

The speech of every development utterance is cut into pieces of several durations. Since each speaker was recorded
once, another session is simulated (`conditions`); all pairs of pieces of one duration of which at least one comes from
the other session are trials. The result is printed, and put into the package with --write.

Run: python -m benchmarks.fit_calibration --data DIR --model campplus --write
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np

import samevoice as sv
from benchmarks.conditions import Conditions, here_and_elsewhere
from benchmarks.corpus import data_folder, librispeech, pair_scores, speech_pieces
from samevoice.evaluation.metrics import cllr, eer
from samevoice.models import shipped, store, zoo
from samevoice.models.encoder import write_model
from samevoice.scoring.calibration import fit
from samevoice.speech.vad import everything

DURATIONS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
SEED = 1
RATES = (0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.0025)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", default="campplus")
    parser.add_argument("--write", action="store_true", help="put the result into the package")
    options = parser.parse_args()
    folder = data_folder(options.data)
    utterances = librispeech(folder, "dev")
    elsewhere = Conditions(folder, np.random.default_rng(SEED))
    speakers = sorted({utterance.speaker for utterance in utterances})
    detector = sv.load_model(options.model).detector  # what this model's users have
    model = sv.load_model(options.model, detector=everything)
    scores, seconds, is_target, sides = [], [], [], []
    for duration in DURATIONS:
        pieces, names = speech_pieces(utterances, duration, detector)
        clean, other = here_and_elsewhere(model, pieces, elsewhere)
        trials = [pair_scores(*both, names) for both in ((clean, other), (other, clean), (other, other))]
        numbers = np.searchsorted(speakers, names)[np.stack(np.triu_indices(len(names), k=1))]
        sides.append(np.tile(numbers, len(trials)))
        scores.append(np.concatenate([found for found, _ in trials]))
        is_target.append(np.concatenate([same for _, same in trials]))
        seconds.append(np.full(len(scores[-1]), duration))
    columns = np.concatenate(scores), np.concatenate(seconds), np.concatenate(is_target)
    first, second = np.concatenate(sides, axis=1)
    source = (
        f"LibriSpeech train-clean-100, {len(speakers)} development speakers, one utterance each (read English), pieces "
        f"of {DURATIONS[0]:g} to {DURATIONS[-1]:g} s of speech, all pairs of equal duration; at least one side with a "
        "simulated microphone, room, noise, telephone band or codec. What time and mood change in a voice is not "
        "covered, so evidence across real sessions may be overstated."
    )
    calibration = fit(*columns, (first, second), rates=RATES, source=source)
    print("| seconds | targets | non-targets | EER % | Cllr | cosine at llr 0 | cosine at 1 % false accepts |")
    print("|---|---|---|---|---|---|---|")
    for duration, found, same in zip(DURATIONS, scores, is_target, strict=True):
        llrs = calibration.llrs(found, duration)
        print(
            f"| {duration:g} | {same.sum():,} | {(~same).sum():,} | {100 * eer(found[same], found[~same]):.2f} "
            f"| {cllr(llrs[same], llrs[~same]):.3f} | {calibration.crossing(0.0, duration):.3f} "
            f"| {calibration.threshold(0.01, duration):.3f} |"
        )
    if options.write:
        written = cast("dict[str, object]", rounded(calibration.to_json()))
        print(f"written into {_put(options.model, written).name}")


def _put(name: str, calibration: dict[str, object]) -> Path:
    """Write a calibration into the card of a model of the package or of the zoo."""
    if name in shipped.NAMES:
        card, graph = store.load(name)
        write_model(shipped.path_of(name), graph, replace(card, calibration=calibration))
        return shipped.path_of(name)
    path = Path(zoo.__file__).parent / f"{name}.json"
    entry = json.loads(path.read_text(encoding="utf-8"))
    entry["card"]["calibration"] = calibration
    path.write_text(json.dumps(entry, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def rounded(value: object) -> object:
    """Numbers to six digits, so that the committed file can be read."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list | tuple) else value


if __name__ == "__main__":
    main()
