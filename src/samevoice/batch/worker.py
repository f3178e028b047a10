"""The work on one block: decode and embed its recordings, one after another, on one thread.

Recordings are embedded each on its own, so that a vector depends on its recording and the model alone: not on the
block, the number of workers, or which attempt it was.

Knows: one model, where utterances lie. Does not know: processes, clusters, datasets.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from samevoice.audio.decode import Source, open_recording
from samevoice.audio.waveform import Waveform
from samevoice.batch.listing import Item
from samevoice.batch.parts import Bad, Outcome
from samevoice.corpora.decoding import TOLERANCE
from samevoice.corpora.manifest import Utterance
from samevoice.corpora.members import read_member
from samevoice.corpora.places import place_below
from samevoice.corpora.sounds import Sounds, name_of
from samevoice.embedder import Model
from samevoice.errors import FingerprintMismatch, SamevoiceError
from samevoice.loading import load_model


@dataclass(frozen=True, slots=True)
class Job:
    """What every worker must know.

    Args:
        root: absolute folder of the recordings, which every worker must be able to read.
        model: a name of the zoo, or the absolute path of an .onnx file.
        fingerprint: of that model; a worker that has another one under its name refuses.
    """

    root: Path
    model: str
    fingerprint: str


class Worker:
    """Embeds blocks; its model is loaded once, with the first."""

    def __init__(self, job: Job) -> None:
        """Remember the job."""
        self._job = job
        self._model: Model | None = None

    def answer(self, items: Sequence[Item]) -> list[Outcome] | SamevoiceError:
        """What became of each recording, or why this worker cannot work at all."""
        try:
            model = self._model = self._model or self._load()
        except SamevoiceError as error:
            return error
        return [self._embed(model, item) for item in items]

    def _load(self) -> Model:
        """Open the model on one thread: the workers share the cores among them."""
        model = load_model(self._job.model, threads=1)
        if (found := model.card.fingerprint) != self._job.fingerprint:
            raise FingerprintMismatch(self._job.fingerprint, found, "have one model and one samevoice on all machines")
        return model

    def _embed(self, model: Model, item: Item) -> Outcome:
        """One recording, whatever is wrong with it."""
        try:
            return model.embed(self._source(item, model.card.rate), name=item.path)
        except SamevoiceError as error:
            return Bad(error.code, str(error).replace(f"{self._job.root}{os.sep}", ""))
        except Exception as error:  # one recording of a million must not end the run
            what = f"unexpected {type(error).__name__}: {error}"
            return Bad("internal", f"{item.path}: {what}; if it stays, please report it")

    def _source(self, item: Item, rate: int) -> Source:
        """A file as it is, wherever the utterance is all of it; else the part that the manifest means."""
        part = item.part
        if part is None:  # found there by walking
            return self._job.root / item.path
        place = place_below(self._job.root, item.path)
        content: Path | bytes = place if part.member is None else read_member(place, part.member)
        recording = open_recording(content, name_of(self._job.root, part))
        if _is_whole(part, recording.info.declared):
            return recording
        return Waveform(Sounds(self._job.root, rate, cache_bytes=0).read(part), rate)


def _is_whole(part: Utterance, declared: float | None) -> bool:
    """Whether an utterance is all that its file says to hold."""
    return part.start == 0 and declared is not None and abs(declared - part.seconds) <= TOLERANCE / 10
