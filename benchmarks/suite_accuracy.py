"""How well do the systems of the suite tell voices apart? One set of clips for all, all pairs, clean and changed.

Recordings are cut into pieces without overlap, pauses and all; every pair is a trial, of which one side may be changed.
A piece that one system refuses is left out for all.

Knows: clips, trials, intervals. Does not know: how embeddings are made, pages.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

import samevoice as sv
from benchmarks.corpus import Utterance, librispeech, speech_pieces
from benchmarks.stress import changes
from benchmarks.suite_systems import ALONE, Missing, Team, Vectors
from samevoice.audio.decode import open_recording
from samevoice.diarization.formats import read_all
from samevoice.diarization.turns import Diarization
from samevoice.evaluation.bootstrap import by_speaker
from samevoice.evaluation.curves import Curve
from samevoice.evaluation.trials import Trials
from samevoice.speech.vad import RATE, everything

LENGTHS: tuple[float | None, ...] = (None, 3.0, 2.0, 1.5, 1.0)  # None: both halves of a recording
SHORT = LENGTHS[1:]
CLEAN = "as recorded"
CONDITIONS = (CLEAN, "noise, 10 dB", "8 kHz", "room")
PIECES = 2  # of one telephone prompt, or of one utterance in a quick run
QUICK_PROMPTS = 8  # of so many prompts one is heard in a quick run
FEWEST_SPEAKERS = 10  # for an interval
SEED = 5
TWO_NAMES = ("allison", "allison-es")  # probably one person who speaks two languages

Clips = tuple[list[sv.Waveform], list[str]]
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Recordings and how they are cut.

    Args:
        cut: pieces of so many seconds, and who speaks in each.
        lengths: in seconds.
        conditions: of one side, of `stress.changes`.
        together: speakers who may be one person; trials between them are left out.
    """

    cut: Callable[[float | None], Clips]
    lengths: Sequence[float | None]
    conditions: Sequence[str] = (CLEAN,)
    together: tuple[str, ...] = ()


def read_speech(folder: Path, *, quick: bool) -> Corpus:
    """The development speakers of LibriSpeech."""
    most = PIECES if quick else None
    utterances = librispeech(folder, "dev")
    return Corpus(lambda seconds: speech_pieces(utterances, seconds, everything, most), LENGTHS, CONDITIONS)


def prompts(folder: Path, *, quick: bool) -> Corpus:
    """Telephone prompts of six voices in five languages."""
    with (folder / "manifest.tsv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["source"] == "prompts"]
    if not rows:
        raise Missing("no telephone prompts in the manifest")
    utterances = [Utterance(folder / row["path"], row["speaker"], row["split"]) for row in rows]
    utterances = utterances[:: QUICK_PROMPTS if quick else 1]
    return Corpus(lambda seconds: speech_pieces(utterances, seconds, everything, PIECES), SHORT, together=TWO_NAMES)


def meetings(folder: Path, *, quick: bool) -> Corpus:
    """What one person says alone in the AMI excerpts, by their labels; a distant microphone."""
    truth = read_all(folder / "ami") if (folder / "ami").is_dir() else {}
    if not truth:
        raise Missing("no AMI excerpts in the data folder")

    most = PIECES if quick else None

    def cut(seconds: float | None) -> Clips:
        pieces: list[sv.Waveform] = []
        names: list[str] = []
        size = round((seconds or 0) * RATE)
        for name, turns in truth.items():
            sound = np.concatenate([block[:, 0] for block in open_recording(folder / "ami" / f"{name}.flac").blocks()])
            for speaker, start, end in alone(turns):
                starts = range(round(start * RATE), round(end * RATE) - size + 1, size)
                pieces += [sv.Waveform(sound[at : at + size], RATE) for at in starts[:most]]
                names += [speaker] * len(starts[:most])
        return pieces, names

    return Corpus(cut, SHORT)


def alone(turns: Diarization) -> list[tuple[str, float, float]]:
    """Stretches in which exactly one person speaks: who, from, to, in seconds."""
    edges = sorted({edge for turn in turns for edge in (turn.start, turn.end)})
    found: list[tuple[str, float, float]] = []
    for start, end in pairwise(edges):
        active = {turn.speaker for turn in turns if turn.start < (start + end) / 2 < turn.end}
        if len(active) == 1:
            (speaker,) = active
            if found and found[-1][0] == speaker and found[-1][2] == start:
                start = found.pop()[1]
            found.append((speaker, start, end))
    return found


def accuracy(
    corpus: Corpus,
    systems: Sequence[Team],
    folder: Path,
    scratch: Path,
    tell: Tell,
    *,
    draws: int,
    quick: bool,
) -> list[dict[str, Any]]:
    """Error rates of all systems.

    Args:
        corpus: what is heard.
        systems: who hear it; those of kind "bare" hear clean clips alone.
        folder: with noises and rooms.
        scratch: an empty folder for clips.
        tell: is told what comes next.
        draws: of speakers for the intervals.
        quick: two lengths and two conditions.

    Returns:
        For each length, condition and system: trials, EER and its interval in percent, the least cosine with the
        embeddings of the system before it if that is the same network.
    """
    rows: list[dict[str, Any]] = []
    lengths = [one for one in corpus.lengths if one in (3.0, 1.5)] if quick else corpus.lengths
    every = changes(folder) if len(corpus.conditions) > 1 else {CLEAN: lambda samples, _: samples}
    for seconds in lengths:
        pieces, names = corpus.cut(seconds)
        if len(set(names)) < 2 or len(set(names)) == len(names):
            continue  # no target or no non-target trials
        clean: dict[str, Vectors] = {}
        for condition in corpus.conditions[: 2 if quick else None]:
            random = np.random.default_rng(SEED)
            tell(f"{piece_name(seconds)}, {condition}: {len(pieces)} pieces")
            paths = written([every[condition](one.samples, random) for one in pieces], scratch)
            hearing = [one for one in systems if condition == CLEAN or one.system.kind != "bare"]
            found = {one.system.name: one.embed(paths) for one in hearing}
            clean = clean or found
            heard = np.all([np.isfinite(one).all(axis=1) for one in (*clean.values(), *found.values())], axis=0)
            kept = [name for name, good in zip(names, heard, strict=True) if good]
            for name, second in found.items():
                trials = all_pairs(clean[name][heard], second[heard], kept, corpus.together)
                rows.append(
                    {
                        "piece": piece_name(seconds),
                        "condition": condition,
                        "system": name,
                        "speakers": len(set(kept)),
                        "left_out": int((~heard).sum()),
                        **figures(trials, draws),
                        "least_cosine": agreement(name, found),
                    }
                )
    return rows


def all_pairs(first: Vectors, second: Vectors, names: Sequence[str], together: Sequence[str]) -> Trials:
    """A trial for each two rows, without those between speakers who may be one."""
    people, voices = np.unique(names, return_inverse=True)
    rows, columns = np.triu_indices(len(names), k=1)
    doubtful = np.isin(people, together)[voices]
    used = ~(doubtful[rows] & doubtful[columns] & (voices[rows] != voices[columns]))
    rows, columns = rows[used], columns[used]
    scores = (first @ second.T)[rows, columns].astype(np.float64)
    return Trials(scores, rows, columns, voices, tuple(people.tolist()))


def figures(trials: Trials, draws: int) -> dict[str, Any]:
    """Numbers of trials, EER in percent, its 95 % interval over speakers where there are enough of them."""
    targets = int(trials.is_target.sum())
    found = by_speaker(trials, {"eer": Curve.eer}, draws)["eer"]
    enough = len(trials.names) >= FEWEST_SPEAKERS
    return {
        "targets": targets,
        "non_targets": len(trials) - targets,
        "eer": 100 * found.value,
        "low": 100 * found.low if enough else None,
        "high": 100 * found.high if enough else None,
    }


def agreement(name: str, found: Mapping[str, Vectors]) -> float | None:
    """The least cosine of a system that is the same network without this package, with this package's vectors."""
    own = name.removesuffix(ALONE)
    if own == name or own not in found:
        return None
    return float(np.nanmin(np.sum(found[name] * found[own], axis=1)))


def written(sounds: Sequence[NDArray[np.float32]], folder: Path) -> list[Path]:
    """Clips as WAV of 16 bits, quieter where they would clip; the last ones are replaced."""
    paths = [folder / f"{number:05d}.wav" for number in range(len(sounds))]
    for sound, path in zip(sounds, paths, strict=True):
        soundfile.write(path, sound / max(1.0, float(np.abs(sound).max()) * 1.001), RATE, "PCM_16")
    return paths


def piece_name(seconds: float | None) -> str:
    """How tables call a length."""
    return "halves" if seconds is None else f"{seconds:g} s"
