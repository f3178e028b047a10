"""The losses word by word: loops over rows in float64, and slopes by central differences. No torch, no samevoice."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def gradient(function: Callable[[Matrix], float], at: Matrix, step: float = 1e-6) -> Matrix:
    """Central differences of a function of a matrix."""
    slopes = np.zeros_like(at)
    for place in np.ndindex(at.shape):
        up, down = at.copy(), at.copy()
        up[place] += step
        down[place] -= step
        slopes[place] = (function(up) - function(down)) / (2 * step)
    return slopes


def cosine(a: Matrix, b: Matrix) -> float:
    return float(a @ b / math.sqrt(float(a @ a) * float(b @ b)))


def cosine_triplet(rows: Matrix, margin: float) -> float:
    """The sum over triplets, in the distance form."""
    count = len(rows) // 3
    total = 0.0
    for i in range(count):
        near, far = 1 - cosine(rows[i], rows[count + i]), 1 - cosine(rows[i], rows[2 * count + i])
        total += max(0.0, near - far + margin)
    return total


def semi_hard(rows: Matrix, labels: Sequence[int], margin: float) -> float:
    """Mean over ordered positive pairs; without a negative, its distance is taken as 0."""
    terms = []
    for a, p in itertools.permutations(range(len(rows)), 2):
        if labels[a] != labels[p]:
            continue
        reach = math.dist(rows[a], rows[p])
        negatives = [math.dist(rows[a], rows[n]) for n in range(len(rows)) if labels[n] != labels[a]]
        farther = [far for far in negatives if far > reach]
        chosen = min(farther) if farther else max(negatives, default=0.0)
        terms.append(max(0.0, margin + reach - chosen))
    return sum(terms) / len(terms) if terms else 0.0


def contrastive(rows: Matrix, labels: Sequence[int], margin: float) -> float:
    count = len(rows) // 2
    total = 0.0
    for i in range(count):
        apart = math.dist(rows[i], rows[count + i])
        total += apart**2 if labels[i] == labels[count + i] else max(0.0, margin - apart) ** 2
    return total / count


def cross_entropy(logits: Sequence[Sequence[float]], truth: Sequence[int]) -> float:
    """Mean of log sum exp minus the true logit."""
    total = 0.0
    for row, own in zip(logits, truth, strict=True):
        top = max(row)
        total += top + math.log(sum(math.exp(value - top) for value in row)) - row[own]
    return total / len(truth)


def linear(rows: Matrix, weight: Matrix, bias: Matrix) -> list[list[float]]:
    return [[float(row @ w + b) for w, b in zip(weight, bias, strict=True)] for row in rows]


def ge2e(rows: Matrix, labels: Sequence[int], w: float, b: float) -> float:
    """Softmax form, own utterance left out of its own centroid."""
    unit = [row / math.sqrt(float(row @ row)) for row in rows]
    speakers = sorted(set(labels))
    logits = []
    for i, row in enumerate(unit):
        line = []
        for speaker in speakers:
            members = [unit[j] for j in range(len(unit)) if labels[j] == speaker and j != i]
            line.append(w * cosine(row, np.mean(members, axis=0)) + b)
        logits.append(line)
    return cross_entropy(logits, [speakers.index(label) for label in labels])


def angular_prototypical(rows: Matrix, labels: Sequence[int], w: float, b: float) -> float:
    """The last row of each speaker against the mean of the rows before it."""
    speakers = sorted(set(labels))
    of = {speaker: [rows[i] for i in range(len(rows)) if labels[i] == speaker] for speaker in speakers}
    logits = [
        [w * cosine(of[query][-1], np.mean(of[speaker][:-1], axis=0)) + b for speaker in speakers] for query in speakers
    ]
    return cross_entropy(logits, list(range(len(speakers))))
