"""Whose voice is it, by what has been said of a turn so far?

The people of the gallery are asked at a few lengths of speech, and the tolerated share of strangers is split over these
looks as `gallery.sequential` does. Whoever is nobody there is compared with the voices heard since listening began.

Knows: embeddings, galleries. Does not know: sound, time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samevoice.diarization.diarizer import local
from samevoice.embedder import Model
from samevoice.gallery.identification import CERTAIN
from samevoice.gallery.recognition import Recognised
from samevoice.gallery.rules import required
from samevoice.gallery.sequential import LAST_SHARE, LOOKS
from samevoice.live.events import Known, Label
from samevoice.models.embedding import Embedding
from samevoice.scoring.decision import DEFAULT_PRIOR, SAME_LLR, posterior
from samevoice.verification import calibration_of

ENOUGH = 2.0  # seconds of speech from which on somebody can be new
MOST = 60.0  # seconds: a voice counts no more, however long it was heard
CHANGED = 2.0  # log-likelihood ratio that two windows in a row of one voice have in 99 of 100 cases, of two in none

Recognise = Callable[[Embedding, float], Recognised]
"""Asks a gallery about a voice, with this share of the tolerated rate."""
Array = NDArray[np.float64]


@dataclass(slots=True, eq=False)
class _Voice:
    """Somebody heard since listening began; `total` is a sum of unit vectors, each times its seconds."""

    name: str
    known: Known
    total: Array
    seconds: float


class Voices:
    """The voices of one listening.

    Args:
        model: made the embeddings; needs a calibration.
        recognise: asks the gallery; None without one.

    Raises:
        ConfigError: the model has no calibration.
    """

    def __init__(self, model: Model, recognise: Recognise | None = None) -> None:
        """Nobody was heard yet."""
        self._calibration = required(calibration_of(model), model.card.name)
        self._recognise = recognise
        self._voices: list[_Voice] = []
        self._strangers = 0

    def look(self, voice: Embedding, *, last: bool = False) -> Label:
        """Who it is; "?" while that is not certain and more speech may come.

        Args:
            voice: of a turn so far; at most as many looks at one turn as `LOOKS` has.
            last: that an answer is wanted now.
        """
        nobody = True
        if self._recognise:
            share = LAST_SHARE if last else (1 - LAST_SHARE) / (len(LOOKS) - 1)
            found = self._recognise(voice, share)
            if found.name is not None:
                known: Known = "stranger" if found.known == "stranger" else "enrolled"
                likely = [one.probability for one in found.identification.candidates if one.name == found.name]
                return Label(found.name, known, max(likely, default=CERTAIN))
            nobody = found.identification.nobody >= CERTAIN
        llr, nearest = self._nearest(voice)
        if nearest and llr >= (0.0 if last else SAME_LLR):
            return Label(nearest.name, nearest.known, posterior(llr, DEFAULT_PRIOR))
        if voice.seconds >= ENOUGH and (last or (nobody and llr <= -SAME_LLR)):
            self._strangers += 1
            return Label(local(self._strangers - 1), "here", posterior(-llr, DEFAULT_PRIOR))
        return Label()

    def learn(self, label: Label, voice: Embedding) -> None:
        """Remember a turn of somebody, for as long as listening goes on."""
        total = voice.vector.astype(np.float64) * voice.seconds
        for one in self._voices:
            if (one.name, one.known) == (label.name, label.known):
                one.total = one.total * min(1.0, MOST / one.seconds) + total
                one.seconds = min(one.seconds, MOST) + voice.seconds
                return
        self._voices.append(_Voice(label.name, label.known, total, voice.seconds))

    def changed(self, cosine: float, seconds: float) -> bool:
        """Whether speech is by somebody else than the speech before it.

        Args:
            cosine: between the two.
            seconds: of the shorter.
        """
        return self._calibration.llr(cosine, seconds) < CHANGED

    def _nearest(self, voice: Embedding) -> tuple[float, _Voice | None]:
        """The most likely of the voices heard, and the log-likelihood ratio."""
        found = [
            (self._calibration.llr(float(one.total @ voice.vector / np.linalg.norm(one.total)), length), one)
            for one in self._voices
            for length in [min(one.seconds, voice.seconds)]
        ]
        return max(found, key=lambda pair: pair[0]) if found else (-np.inf, None)
