"""The main job's spine: recording -> speech -> features -> embedding. Nothing else decides this order.

A recording is walked through twice: once to find out what it is and where somebody speaks (`speech.listening`),
once to describe that speech.

Knows: the order of the stages, batches. Does not know: how two embeddings are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from itertools import count, islice

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.decode import Source
from samevoice.errors import ModelError, NotEnoughSpeech, SamevoiceError
from samevoice.features.frontend import Features, Frontend, build_frontend
from samevoice.models.card import ModelCard, Window
from samevoice.models.describer import Describer, describer_of
from samevoice.models.embedding import Embedding
from samevoice.models.encoder import Encoder
from samevoice.speech.listening import Heard, Progress, listen
from samevoice.speech.timeline import Segment
from samevoice.speech.vad import VoiceActivityDetector
from samevoice.windows import EDGE, Plan, cut_spans, cut_windows, plan_windows, speech_seconds

CHUNK = 32  # recordings, or stretches of one, that wait for partners of the same length
FIRST_WALK = 0.25  # share of the whole work, for progress

Outcome = Embedding | SamevoiceError


class Model:
    """A speaker embedding model, ready for use.

    Attributes:
        card: what the model is.
        window: how long speech is cut.
        frontend: makes its features.
        encoder: its network.
        detector: finds the speech.

    Args:
        card: read from the model's file.
        graph: the network.
        detector: finds the speech.
        threads: how many threads inference may use.

    Raises:
        ModelError: the card is not that of a speaker embedding model, or the graph cannot be opened.
    """

    def __init__(self, card: ModelCard, graph: bytes, *, detector: VoiceActivityDetector, threads: int = 1) -> None:
        """Open the network and build the front end that its card prescribes."""
        if card.frontend is None or card.window is None:
            raise ModelError(f"{card.name}: is a {card.kind} model, not one for speaker embeddings; choose another")
        self.card = card
        self.window: Window = card.window
        self.frontend: Frontend = build_frontend(card.frontend)
        self.encoder = Encoder(card, graph, threads)
        self.detector = detector

    @property
    def describer(self) -> Describer:
        """What embeds chosen moments of a stretch of sound; recordings are brought to `card.rate` before."""
        return describer_of(self.encoder, self.frontend, self.card.level_dbfs)

    def with_detector(self, detector: VoiceActivityDetector) -> Model:
        """The same model, network included, with another way to find the speech.

        Args:
            detector: finds the speech.
        """
        twin = copy(self)
        twin.detector = detector
        return twin

    def listen(self, audio: Source, *, name: str | None = None, progress: Progress | None = None) -> Heard:
        """Measure a recording and find its speech, without embedding it.

        Args:
            audio: as in `embed`.
            name: what to call the recording in messages.
            progress: is told the fraction done, in [0, 1].

        Raises:
            AudioError: the recording cannot be read.
        """
        rate, quality = self.frontend.spec.rate, self.card.resampler
        return listen(audio, self.detector, name=name, rate=rate, quality=quality, progress=progress)

    def embed(self, audio: Source, *, name: str | None = None, progress: Progress | None = None) -> Embedding:
        """The embedding of all speech in a recording, taken to be of one person.

        Speech longer than the card's window is embedded window by window, evenly spread, and averaged.

        Args:
            audio: a path, "-", bytes of a file, a binary file object, or a `Waveform`.
            name: what to call the recording in messages.
            progress: is told the fraction done, in [0, 1].

        Raises:
            AudioError: the recording cannot be read.
            NotEnoughSpeech: it holds less speech than the model needs.
        """
        (outcome,) = self._embed_chunk([(audio, name)], progress)
        if isinstance(outcome, SamevoiceError):
            raise outcome
        return outcome

    def embed_many(self, audios: Iterable[Source]) -> list[Embedding]:
        """Embeddings of many recordings, in order, with recordings of equal length batched.

        The vectors are those of `embed`, whatever the company.

        Args:
            audios: recordings, each as in `embed`.

        Raises:
            AudioError: a recording cannot be read.
            NotEnoughSpeech: a recording holds less speech than the model needs.
        """
        embeddings: list[Embedding] = []
        for outcome in self.embed_each(audios):
            if isinstance(outcome, SamevoiceError):
                raise outcome
            embeddings.append(outcome)
        return embeddings

    def embed_each(self, audios: Iterable[Source], *, progress: Progress | None = None) -> Iterator[Outcome]:
        """Like `embed_many`, but one by one, with the error in place of an embedding that cannot be made.

        Args:
            audios: recordings.
            progress: is told how many recordings are done; a long one counts in fractions.
        """
        sources = iter(audios)
        done = 0
        while chunk := list(islice(sources, CHUNK)):
            yield from self._embed_chunk([(audio, None) for audio in chunk], progress, done)
            done += len(chunk)

    @property
    def span_seconds(self) -> tuple[float, float]:
        """The shortest and the longest stretch that `embed_spans` embeds whole, in seconds of speech."""
        frontend, fixed, most = self.frontend, self.encoder.frames, self.window.frames
        least = next(n for n in count((fixed - 1) * frontend.hop) if frontend.count(n) >= fixed) if fixed else 0
        longest = most * frontend.hop + frontend.width
        return max(self.card.min_speech, least / self.card.rate), longest / self.card.rate

    def embed_spans(
        self, heard: Heard, spans: Sequence[Segment], *, progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """Unit vectors of the speech in stretches of one recording, in one walk, whatever their lengths.

        A stretch is embedded like a recording of its own that was cut out, but at the level of the whole. Of a stretch
        with more speech than the card's window the first is taken.

        Args:
            heard: the recording, by `listen`.
            spans: in the order of their starts; they may overlap.
            progress: is told the fraction done, in [0, 1].

        Returns:
            float32 (n, d), with zeros for stretches that hold less speech than the model needs.

        Raises:
            AudioError: the recording is no longer what was heard.
            ModelError: the network fails.
        """
        bounds = np.array([(span.start, span.end) for span in spans], dtype=np.float64).reshape(-1, 2)
        enough = speech_seconds(heard.speech, bounds[:, 0], bounds[:, 1]) >= self.card.min_speech - EDGE
        rows: list[int] = np.flatnonzero(enough).tolist()
        least, most = self.encoder.frames or 1, self.encoder.frames or self.window.frames
        windows = zip(
            rows,
            cut_spans(
                heard,
                [spans[row] for row in rows],
                self.frontend,
                quality=self.card.resampler,
                gain=self._gain(heard),
                most=most,
            ),
            strict=True,
        )
        vectors = np.zeros((len(spans), self.card.dimension), dtype=np.float32)
        while pool := list(islice(windows, CHUNK)):
            lengths: dict[int, list[tuple[int, Features]]] = {}
            for row, features in pool:
                if len(features) >= least:
                    lengths.setdefault(len(features), []).append((row, features))
            for length, group in lengths.items():
                for batch in self.encoder.batches(group, length):
                    vectors[[row for row, _ in batch]] = self._encode([features for _, features in batch])
            if progress:
                progress((pool[-1][0] + 1) / len(spans))
        return vectors

    def _embed_chunk(
        self, audios: Sequence[tuple[Source, str | None]], progress: Progress | None, done: int = 0
    ) -> list[Outcome]:
        """Embed a few recordings; those whose speech fits one window of the same length share network calls."""
        outcomes: dict[int, Outcome] = {}
        waiting: dict[int, list[_Waiting]] = {}
        steps = _Steps(progress, done, len(audios))
        for index, (audio, name) in enumerate(audios):
            try:
                heard = self.listen(audio, name=name, progress=partial(steps.listened, index))
                plan = self._plan(heard)
                seconds, warnings = heard.speech.duration, heard.report.warnings
                if len(plan.starts) == 1:
                    # Only the features wait: the sound of many recordings would fill the memory.
                    one = _Waiting(index, seconds, warnings, next(self._windows(heard, plan)))
                    waiting.setdefault(plan.length, []).append(one)
                else:
                    vectors = self._embed_long(heard, plan, partial(steps.embedded, index))
                    outcomes[index] = self._finish(seconds, warnings, vectors)
            except SamevoiceError as error:
                outcomes[index] = error
                steps.embedded(index, 1.0)
        for length, group in waiting.items():
            for batch in self.encoder.batches(group, length):
                outcomes.update(self._embed_batch(batch))
                for one in batch:
                    steps.embedded(one.index, 1.0)
        return [outcomes[index] for index in range(len(audios))]

    def _embed_batch(self, batch: Sequence[_Waiting]) -> dict[int, Outcome]:
        """One network call for recordings of one length, and what came of each."""
        try:
            vectors = self._encode([one.features for one in batch])
        except SamevoiceError as error:
            return {one.index: error for one in batch}
        return {
            one.index: self._finish(one.seconds, one.warnings, vector[None])
            for one, vector in zip(batch, vectors, strict=True)
        }

    def _embed_long(self, heard: Heard, plan: Plan, tell: Progress) -> NDArray[np.float32]:
        """Unit vectors of all windows of one recording, in bounded memory."""
        vectors: list[NDArray[np.float32]] = []
        windows = self._windows(heard, plan)
        while batch := list(islice(windows, self.encoder.batch_size(plan.length))):
            vectors.extend(self._encode(batch))
            tell(len(vectors) / len(plan.starts))
        return np.stack(vectors)

    def _plan(self, heard: Heard) -> Plan:
        """The windows of a recording, if it holds enough speech."""
        plan = plan_windows(heard, self.frontend, self.window)
        have = min(heard.speech.duration, heard.samples / heard.rate)
        frames, hop = self.encoder.frames or 1, self.frontend.hop / heard.rate
        need = max(self.card.min_speech, frames * hop)
        if plan.length < frames or have < self.card.min_speech:
            raise NotEnoughSpeech(heard.recording.info.name, have, need, heard.report.warnings)
        return plan

    def _windows(self, heard: Heard, plan: Plan) -> Iterator[Features]:
        """The features of each window, at the level that the model expects."""
        return cut_windows(heard, plan, self.frontend, quality=self.card.resampler, gain=self._gain(heard))

    def _gain(self, heard: Heard) -> float:
        """The factor on the samples of a recording that is quieter than the model expects."""
        if self.card.level_dbfs is None:
            return 1.0
        return float(max(1.0, 10 ** ((self.card.level_dbfs - heard.level_dbfs) / 20)))

    def _encode(self, windows: Sequence[Features]) -> NDArray[np.float32]:
        """Unit vectors of windows of one length, float32 (n, d)."""
        raw = self.encoder(np.stack(windows))
        unit: NDArray[np.float32] = raw / np.linalg.norm(raw, axis=1, keepdims=True)
        return unit

    def _finish(self, seconds: float, warnings: tuple[str, ...], vectors: NDArray[np.float32]) -> Embedding:
        """Average the windows of a recording and put the result on the unit sphere."""
        mean = vectors.mean(axis=0, dtype=np.float64)
        if not mean.any():
            raise ModelError(f"{self.card.name}: the embeddings of the windows cancel out; choose another model")
        vector = (mean / np.linalg.norm(mean)).astype(np.float32)
        return Embedding(vector, self.card.fingerprint, seconds, warnings)


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A recording of one window that waits for others of its length."""

    index: int
    seconds: float
    warnings: tuple[str, ...]
    features: Features


class _Steps:
    """Tells how far a chunk of recordings is, counted in recordings."""

    def __init__(self, tell: Progress | None, done: int, count: int) -> None:
        """Start after `done` recordings with `count` more."""
        self._tell, self._done, self._shares = tell, done, [0.0] * count

    def listened(self, index: int, share: float) -> None:
        """A fraction of the first walk through a recording is over."""
        self._reach(index, FIRST_WALK * share)

    def embedded(self, index: int, share: float) -> None:
        """A fraction of the second is over."""
        self._reach(index, FIRST_WALK + (1 - FIRST_WALK) * share)

    def _reach(self, index: int, share: float) -> None:
        """Note and tell."""
        self._shares[index] = share
        if self._tell:
            self._tell(self._done + sum(self._shares))
