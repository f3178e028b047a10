"""From moments of a recording to pieces of its evidence.

Knows: windows, voices within them. Does not know: who they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from samevoice.diarization.assembly import OFFSET
from samevoice.diarization.evidence import ACTIVE, HOP, SCALE, Evidence
from samevoice.speech.segmentation import FRAMES
from samevoice.speech.timeline import Seconds

SPEAKS = ACTIVE * SCALE
ALIKE = 0.5  # share of the frames of either voice of two windows in which both speak, if they are one
INSIDE = 0.9  # share of a piece's frames that lie in some seconds, if the piece does

Masks = NDArray[np.bool_]


def frame_at(evidence: Evidence, moment: Seconds) -> int:
    """The frame in which a moment lies, within the recording."""
    return int(np.clip((moment - OFFSET) // HOP, 0, evidence.frames - 1))


def frame_edge(evidence: Evidence, moment: Seconds) -> int:
    """The frame whose beginning is nearest to a moment; one beyond the last at the end."""
    return int(np.clip(np.rint((moment - OFFSET) / HOP), 0, evidence.frames))


def pieces_at(evidence: Evidence, moment: Seconds) -> tuple[int, ...]:
    """The pieces of whoever speaks loudest at a moment: the best heard first; none where nobody speaks.

    A moment lies in two windows or more. The voice is taken from the window in whose middle it lies, if somebody speaks
    there, and from others where they have a voice that speaks when that one does.
    """
    frame = frame_at(evidence, moment)
    around = np.flatnonzero((evidence.firsts <= frame) & (frame < evidence.firsts + FRAMES))
    around = around[np.argsort(np.abs(evidence.firsts[around] + FRAMES / 2 - frame), kind="stable")]
    chosen: list[int] = []
    for window in around.tolist():
        pieces = np.flatnonzero(evidence.windows == window)
        if not len(pieces):
            continue
        if chosen:
            shares = [_shared(evidence, chosen[0], piece) for piece in pieces.tolist()]
            if max(shares) >= ALIKE:
                chosen.append(int(pieces[int(np.argmax(shares))]))
        else:
            heard = evidence.tracks[window, frame - evidence.firsts[window], evidence.voices[pieces]]
            if heard.max() >= SPEAKS:
                chosen.append(int(pieces[heard.argmax()]))
    return tuple(chosen)


def pieces_inside(evidence: Evidence, start: Seconds, end: Seconds) -> tuple[int, ...]:
    """The pieces that speak within some seconds, and hardly anywhere else."""
    first, last = frame_edge(evidence, start), frame_edge(evidence, end)
    found = []
    for piece, window in enumerate(evidence.windows.tolist()):
        begin = int(evidence.firsts[window])
        if begin < last and first < begin + FRAMES:
            speaks = _speaks(evidence, piece)
            within = speaks[max(first - begin, 0) : last - begin]
            if within.sum() >= max(INSIDE * speaks.sum(), 1):
                found.append(piece)
    return tuple(found)


def _speaks(evidence: Evidence, piece: int) -> Masks:
    """The frames of its window in which a piece speaks."""
    speaks: Masks = evidence.tracks[evidence.windows[piece], :, evidence.voices[piece]] >= SPEAKS
    return speaks


def _shared(evidence: Evidence, one: int, other: int) -> float:
    """Of the frames of two windows in which one of two pieces speaks, the share in which both do."""
    begins = [int(evidence.firsts[evidence.windows[piece]]) for piece in (one, other)]
    first, last = max(begins), min(begins) + FRAMES
    mine, its = (
        _speaks(evidence, piece)[first - begin : last - begin]
        for piece, begin in zip((one, other), begins, strict=True)
    )
    return float((mine & its).sum() / max((mine | its).sum(), 1))
