"""One voice of a window that sounds like two people: parted.

The segmentation sometimes takes two people for one voice, where they sound alike or one says little. Their embeddings
tell. A window has three voices and seldom needs them all, so the second person is given one that nobody uses.

Knows: one window. Does not know: the recording, speakers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from samevoice.diarization.agglomerate import agglomerate
from samevoice.diarization.evidence import ACTIVE
from samevoice.models.describer import Describer
from samevoice.speech.segmentation import RATE, VOICES
from samevoice.speech.timeline import Seconds

LENGTH: Seconds = 1.5  # of speech that is compared
STEP: Seconds = 0.5
LEAST: Seconds = 3.0  # of a voice that may be two people's
FEW = 2  # compared parts that a person needs
TWO = 0.2  # mean cosine of two people's parts, at most

Frames = NDArray[np.float32]
Rows = NDArray[np.int64]


def part(
    active: Frames, alone: NDArray[np.bool_], rows: Rows, place: Rows, sequence: Frames, describer: Describer
) -> None:
    """Part the voices of a window, in place.

    Args:
        active: probability that each voice speaks in each frame, float32 (frames, 3); changed.
        alone: whether each voice speaks alone at each moment of the window, bool (n, 3).
        rows: which moments of the sequence these are, int (n,).
        place: the frame of each of these moments, int (n,).
        sequence: what is known of each moment of the stretch.
        describer: embeds moments of it.
    """
    for voice in range(VOICES):
        free = np.flatnonzero(active.max(axis=0) < ACTIVE)
        mine = np.flatnonzero(alone[:, voice])
        if not len(free) or len(mine) < 2:
            continue
        other = _other(mine, rows, sequence, describer)
        if other is None:
            continue
        frames = np.arange(len(active))
        nearest = np.abs(place[mine][None, :] - frames[:, None]).argmin(axis=1)
        theirs = other[nearest]
        active[theirs, free[0]] = active[theirs, voice]
        active[theirs, voice] = 0.0


def _other(mine: Rows, rows: Rows, sequence: Frames, describer: Describer) -> NDArray[np.bool_] | None:
    """Which of a voice's moments are those of a second person; None where there is one."""
    moment = describer.stride / RATE
    length, step = round(LENGTH / moment), round(STEP / moment)
    if len(mine) * moment < LEAST:
        return None
    starts = np.arange(0, len(mine) - length + 1, step)
    chosen = np.zeros((len(starts), sequence.shape[1]), dtype=np.bool_)
    for row, start in enumerate(starts.tolist()):
        chosen[row, rows[mine[start : start + length]]] = True
    tree = agglomerate(describer.embed(sequence, chosen))
    labels = tree.cut_to(2)
    if tree.likeness[-1] > TWO or np.bincount(labels).min() < FEW:
        return None
    middle = starts + length / 2
    nearest = np.abs(np.arange(len(mine))[:, None] - middle[None, :]).argmin(axis=1)
    minor = np.bincount(labels).argmin()
    found: NDArray[np.bool_] = labels[nearest] == minor
    return found
