"""Where the measurements find recordings, and the pieces they cut them into.

The data folder holds `manifest.tsv` (columns source, split, speaker, path, ...) and the files it names. It is
given by `--data DIR` or the environment variable SAMEVOICE_DATA.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.resample import QUALITY
from samevoice.audio.waveform import Waveform
from samevoice.corpora.pieces import evenly
from samevoice.speech.listening import listen
from samevoice.speech.vad import RATE, VoiceActivityDetector

LENGTHS = (("halves", None), ("3 s", 3.0), ("2 s", 2.0), ("1 s", 1.0))  # of speech that is compared


@dataclass(frozen=True, slots=True)
class Utterance:
    """One row of the manifest."""

    path: Path
    speaker: str
    split: str


def data_folder(given: Path | None) -> Path:
    """The folder with the manifest, or an exit that says how to name it."""
    folder = given or Path(os.environ.get("SAMEVOICE_DATA", ""))
    if not (folder / "manifest.tsv").is_file():
        raise SystemExit("no manifest.tsv found: give --data DIR or set SAMEVOICE_DATA")
    return folder


def librispeech(folder: Path, split: str | None = None) -> list[Utterance]:
    """The LibriSpeech rows of the manifest, of one split or of all, by path."""
    with (folder / "manifest.tsv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["source"] == "librispeech"]
    chosen = [row for row in rows if split is None or row["split"] == split]
    utterances = [Utterance(folder / row["path"], row["speaker"], row["split"]) for row in chosen]
    return sorted(utterances, key=lambda utterance: utterance.path)


def pair_scores(
    first: NDArray[np.float32], second: NDArray[np.float32], speakers: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Cosines of row i of one matrix with row j of the other for all i < j, and whether one speaker spoke both."""
    rows, columns = np.triu_indices(len(first), k=1)
    names = np.array(speakers)
    return (first @ second.T)[rows, columns].astype(np.float64), names[rows] == names[columns]


def speech_pieces(
    utterances: list[Utterance], seconds: float | None, detector: VoiceActivityDetector, most: int | None = None
) -> tuple[list[Waveform], list[str]]:
    """Non-overlapping pieces of speech (pauses cut out), and their speakers.

    Args:
        utterances: of any speakers.
        seconds: of speech in a piece; None for both halves of all there is.
        detector: finds the speech.
        most: of one utterance, evenly chosen; None for all.
    """
    pieces: list[Waveform] = []
    speakers: list[str] = []
    for utterance in utterances:
        heard = listen(utterance.path, detector)
        whole = np.concatenate([block.samples for block in heard.blocks(QUALITY)])
        cuts = [(round(part.start * RATE), round(part.end * RATE)) for part in heard.speech]
        speech = np.concatenate([np.empty(0, np.float32), *(whole[first:last] for first, last in cuts)])
        size = len(speech) // 2 if seconds is None else round(seconds * RATE)
        starts = range(0, len(speech) - size + 1, size)
        chosen = evenly(starts, len(starts) if most is None else most)
        pieces += [Waveform(speech[start : start + size], RATE) for start in chosen]
        speakers += [utterance.speaker] * len(chosen)
    return pieces, speakers
