"""Lists of trials in text files: which pairs of recordings to compare, and the truth about them.

Two forms are read, told apart by where the label stands in every line: VoxCeleb `1 a.wav b.wav` (first, 1 or 0) and
Kaldi `a b target` (last: target, nontarget, non-target, imp, 1 or 0). Fields are separated by blanks or tabs, so names
hold none; empty lines and lines that start with # are comments. A pair that is listed twice with one label counts
twice, as published results count it; a pair with two labels is an error.

Knows: names as text. Does not know: files behind the names, speakers (see `speaker_of`), scores.
Source: Nagrani et al., "VoxCeleb: a large-scale speaker identification dataset", arXiv 1706.08612 (the lists that go
with it); Kaldi, egs/sre08 (`trials`).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samevoice.corpora.text import read_lines
from samevoice.errors import DataError
from samevoice.evaluation.trials import Indices, Trials
from samevoice.files import write_atomically

__all__ = ["Form", "ListedTrial", "TrialList", "read_trials", "speaker_of", "write_trials"]

FIRST = {"1": True, "0": False}
LAST = {"target": True, "nontarget": False, "non-target": False, "imp": False, **FIRST}


class Form(StrEnum):
    """How a line is written."""

    voxceleb = "voxceleb"
    kaldi = "kaldi"


@dataclass(frozen=True, slots=True)
class ListedTrial:
    """One trial.

    Args:
        first: name of the recording on one side.
        second: of that on the other.
        is_target: whether one speaker spoke both.
    """

    first: str
    second: str
    is_target: bool


@dataclass(frozen=True, slots=True, eq=False)
class TrialList:
    """Trials without scores, in columns.

    Args:
        names: distinct recordings in order of first appearance.
        first: index of the recording on one side, shape (n,).
        second: on the other side, shape (n,).
        is_target: whether one speaker spoke both, shape (n,).

    Raises:
        ValueError: the shapes do not agree.
    """

    names: tuple[str, ...]
    first: Indices
    second: Indices
    is_target: NDArray[np.bool_]

    def __post_init__(self) -> None:
        """Refuse columns of different lengths."""
        if not self.first.shape == self.second.shape == self.is_target.shape == (len(self.first),):
            shapes = self.first.shape, self.second.shape, self.is_target.shape
            raise ValueError(f"both sides and the labels of trials need one shape (n,), got {shapes}")

    def __len__(self) -> int:
        """Number of trials."""
        return len(self.first)

    def __getitem__(self, row: int) -> ListedTrial:
        """One trial with the names of its recordings."""
        return ListedTrial(self.names[self.first[row]], self.names[self.second[row]], bool(self.is_target[row]))

    def __iter__(self) -> Iterator[ListedTrial]:
        """Each trial in turn."""
        return (self[row] for row in range(len(self)))

    def repeats(self) -> int:
        """How many trials compare a pair that was compared before, in either order."""
        return len(self) - len(np.unique(_pairs(self.first, self.second)))

    def scored(self, scores: NDArray[np.float64]) -> Trials:
        """The trials with their scores; each recording is one row, its speaker that of `speaker_of`.

        Args:
            scores: higher means more alike, shape (n,).

        Raises:
            DataError: the labels contradict each other.
            ValueError: there is not one score for each trial.
        """
        roots, voices = np.unique(speaker_of(self), return_inverse=True)
        return Trials(scores, self.first, self.second, voices, tuple(self.names[root] for root in roots))


def speaker_of(trials: TrialList) -> Indices:
    """Whose voice each recording holds, as far as target trials tell: those they join, also by way of others, are one.

    A list has no names of speakers. One whom it splits into recordings that no target trial joins counts as several.

    Args:
        trials: with the truth known.

    Returns:
        For each recording the lowest index among those of its speaker, shape (recordings,).

    Raises:
        DataError: a non-target trial lies within one speaker.
    """
    one, other = trials.first[trials.is_target], trials.second[trials.is_target]
    root = np.arange(len(trials.names))
    while (apart := root[one] != root[other]).any():  # union-find, for all trials at once
        ends = root[one[apart]], root[other[apart]]
        np.minimum.at(root, np.maximum(*ends), np.minimum(*ends))
        while ((above := root[root]) != root).any():
            root = above
    wrong = np.flatnonzero(~trials.is_target & (root[trials.first] == root[trials.second]))
    if len(wrong):
        trial = trials[int(wrong[0])]
        raise DataError(
            f"{trial.first} and {trial.second} are a non-target trial, but target trials make them one speaker; "
            "correct the label that is wrong"
        )
    return root


def read_trials(path: Path) -> TrialList:
    """Read a list in either form; the lines decide which it is.

    Args:
        path: of the list.

    Raises:
        DataError: the file cannot be read, is not UTF-8 or lists nothing; a line has not three fields or no label;
            labels stand first in some lines and last in others, or in all both; a recording is compared with itself;
            a pair has two labels; or there are no targets or no non-targets.
    """
    lines, words = array("q"), array("q")  # a million lines must not become a million objects
    numbers: dict[str, int] = {}
    for number, line in read_lines(path):
        fields = line.split()
        if fields[0].startswith("#"):
            continue
        if len(fields) != 3:
            raise DataError(
                f"{path}:{number}: {len(fields)} fields in place of a label and two names; write '1 a.wav b.wav' or "
                "'a b target', names without blanks"
            )
        lines.append(number)
        words.extend(numbers.setdefault(field, len(numbers)) for field in fields)
    if not lines:
        raise DataError(f"{path}: lists no trials; write one a line, '1 a.wav b.wav' or 'a b target'")
    table = np.array(words, dtype=np.intp).reshape(-1, 3)
    at, known = np.array(lines), tuple(numbers)
    if _form(path, at, table, known) is Form.voxceleb:
        labels, sides, meaning = table[:, 0], table[:, 1:], FIRST
    else:
        labels, sides, meaning = table[:, 2], table[:, :2], LAST
    is_target = np.array([meaning.get(word, False) for word in known])[labels]
    found, places, inverse = np.unique(sides, return_index=True, return_inverse=True)
    order = np.argsort(places)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    first, second = rank[inverse.reshape(-1, 2)].T
    trials = TrialList(tuple(known[word] for word in found[order]), first, second, is_target)
    _check(path, at, trials)
    return trials


def write_trials(path: Path, trials: TrialList, form: Form) -> None:
    """Write a list that `read_trials` reads back as it is.

    Args:
        path: where to write.
        trials: the list.
        form: how a line is written.

    Raises:
        DataError: a name cannot be a field of a line, every name on one side looks like a label, or the file cannot
            be written.
    """
    for name in trials.names:
        if name.split() != [name] or name.startswith(("#", "\ufeff")):
            raise DataError(f"{name!r} cannot stand in a list of trials; use names without blanks or a # in front")
    voxceleb = form is Form.voxceleb
    confused, side = (LAST, trials.second) if voxceleb else (FIRST, trials.first)
    if len(trials) and all(trials.names[row] in confused for row in np.unique(side)):
        raise DataError(f"{path}: names like {trials.names[side[0]]!r} look like labels in every line; rename one")
    label = ("0 ", "1 ") if voxceleb else (" nontarget", " target")
    columns = trials.first.tolist(), trials.second.tolist(), trials.is_target.tolist()
    pairs = ((f"{trials.names[i]} {trials.names[j]}", label[truth]) for i, j, truth in zip(*columns, strict=True))
    try:
        text = "".join(f"{said}{pair}\n" if voxceleb else f"{pair}{said}\n" for pair, said in pairs).encode()
        write_atomically(path, lambda file: file.write(text))
    except UnicodeEncodeError as error:
        raise DataError(f"{path}: a name is not Unicode text ({error.reason}); rename the recording") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); check the folder") from error


def _form(path: Path, lines: NDArray[np.int64], table: Indices, words: tuple[str, ...]) -> Form:
    """Where the label stands.

    Raises:
        DataError: nowhere in some line, not in one place, or in two.
    """
    first = np.array([word in FIRST for word in words])[table[:, 0]]
    last = np.array([word in LAST for word in words])[table[:, 2]]
    if len(neither := np.flatnonzero(~first & ~last)):
        raise DataError(
            f"{path}:{lines[neither[0]]}: no label, neither 1 or 0 in front nor {', '.join(LAST)} at the end; add one"
        )
    if first.all() and last.all():
        raise DataError(f"{path}:{lines[0]}: a label at both ends of every line; write 'target' or 'nontarget' last")
    if first.all():
        return Form.voxceleb
    if last.all():
        return Form.kaldi
    front, end = lines[np.flatnonzero(~last)[0]], lines[np.flatnonzero(~first)[0]]
    raise DataError(
        f"{path}:{max(front, end)}: labels in front in line {front}, at the end in line {end}; use one form"
    )


def _check(path: Path, lines: NDArray[np.int64], trials: TrialList) -> None:
    """Refuse trials that cannot be right.

    Raises:
        DataError: one compares a recording with itself, a pair has two labels, or a kind of trial is missing.
    """
    if len(same := np.flatnonzero(trials.first == trials.second)):
        name = trials[int(same[0])].first
        raise DataError(f"{path}:{lines[same[0]]}: {name} is compared with itself; remove the line")
    pairs = _pairs(trials.first, trials.second)
    order = np.argsort(pairs, kind="stable")
    turned = (np.diff(pairs[order]) == 0) & (np.diff(trials.is_target[order].astype(np.int8)) != 0)
    if turned.any():
        one, other = order[np.flatnonzero(turned)[0] :][:2]
        trial = trials[int(other)]
        raise DataError(
            f"{path}:{lines[other]}: {trial.first} and {trial.second} have the other label in line {lines[one]}; "
            "remove the wrong one"
        )
    for kind, there in (("target", trials.is_target.any()), ("non-target", not trials.is_target.all())):
        if not there:
            raise DataError(f"{path}: no {kind} trials; both kinds are needed")


def _pairs(first: Indices, second: Indices) -> NDArray[np.int64]:
    """A number for each pair, the same in either order."""
    numbers: NDArray[np.int64] = np.minimum(first, second) * np.int64(1 << 32) + np.maximum(first, second)
    return numbers
