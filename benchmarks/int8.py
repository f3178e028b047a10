"""Do 8 bits pay? Error rates and time of a model in floats, with weights in 8 bits, and wholly in 8 bits.

"weights" is what `samevoice export` writes: weights rounded, everything computed in floats. "products" rounds the other
side of each product too, with ranges found on clips of other speakers, and computes in whole numbers.
Error rates are those of all pairs of pieces of speech of the 50 dev speakers.

Run: python -m benchmarks.int8 --data DIR [--model campplus | PATH.onnx] [--json OUT]
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import samevoice as sv
from benchmarks.corpus import data_folder, librispeech, pair_scores, speech_pieces
from samevoice.corpora.pieces import evenly
from samevoice.evaluation.metrics import eer
from samevoice.export.int8 import with_int8_products, with_int8_weights
from samevoice.measuring.stages import medians
from samevoice.models import store
from samevoice.models.encoder import Encoder

SCHEMES = ("float32", "weights", "products")
FLOAT = SCHEMES[0]
CLIPS = 24  # of other speakers, that ranges are found on
BATCH = 4

Vectors = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", default="campplus")
    parser.add_argument("--seconds", type=float, nargs="+", default=[3.0, 1.5])
    parser.add_argument("--most", type=int, help="pieces of one utterance; default: all")
    parser.add_argument("--budget", type=float, default=20.0, help="seconds for the times")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    model, detector = sv.load_model(options.model, threads=1), sv.load_detector()
    _, graph = store.load_file(Path(options.model)) if store.is_path(options.model) else store.load(options.model)
    folder = data_folder(options.data)
    utterances = librispeech(folder, "dev")
    features: dict[float, Vectors] = {}
    speakers: dict[float, list[str]] = {}
    for seconds in options.seconds:
        pieces, speakers[seconds] = speech_pieces(utterances, seconds, detector, options.most)
        features[seconds] = np.stack([model.frontend(piece) for piece in pieces])
    clips = features[options.seconds[0]]
    taught, _ = speech_pieces(evenly(librispeech(folder, "train"), CLIPS), options.seconds[0], detector, 1)
    chosen = np.stack([model.frontend(piece) for piece in taught])
    graphs = dict(zip(SCHEMES, (graph, with_int8_weights(graph), with_int8_products(graph, chosen)), strict=True))
    encoders = {scheme: Encoder(model.card, made, 1) for scheme, made in graphs.items()}
    took = medians({scheme: partial(encoder, clips[:1]) for scheme, encoder in encoders.items()}, options.budget)
    rows = {scheme: {"megabytes": len(made) / 1e6, "ms": took[scheme]} for scheme, made in graphs.items()}
    for seconds in options.seconds:
        plain = embedded(encoders[FLOAT], features[seconds])
        for scheme, encoder in encoders.items():
            vectors = plain if scheme == FLOAT else embedded(encoder, features[seconds])
            scores, targets = pair_scores(vectors, vectors, speakers[seconds])
            rows[scheme][f"eer_{seconds:g}s"] = 100 * eer(scores[targets], scores[~targets])
            rows[scheme][f"cosine_{seconds:g}s"] = float(np.sum(plain * vectors, axis=1).min())
    print(f"{model.card.fingerprint}, 50 dev speakers, clips of {options.seconds[0]:g} s, one thread")
    columns = list(rows[FLOAT])
    print(f"| scheme | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for scheme, row in rows.items():
        print(f"| {scheme} | {' | '.join(f'{row[column]:.4g}' for column in columns)} |")
    if options.json:
        options.json.write_text(json.dumps({"model": model.card.fingerprint, "schemes": rows}, indent=2) + "\n")


def embedded(encoder: Encoder, features: Vectors) -> Vectors:
    """Unit vectors of features (n, frames, bands), shape (n, d)."""
    raw = np.concatenate([encoder(features[start : start + BATCH]) for start in range(0, len(features), BATCH)])
    unit: Vectors = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    return unit


if __name__ == "__main__":
    main()
