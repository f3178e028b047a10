"""Identification as the speech comes: stop as soon as the evidence is enough.

The probe is judged at 1, 1.5, 2, 3 ... seconds of speech. A stranger gets as many chances to pass as there are looks,
so the tolerated rate is split over all of them (union bound: it holds for the whole sequence, wherever it stops): half
for the last look, so that waiting costs little against a single look at everything, half evenly for those before it.
The probabilities need no such care: a posterior is right whenever one looks. But a "no" after one second would come too
soon for people whose voice is only half there, so until the last look "unknown" needs nineteen to one as "known" does.

Verification as it comes is the same with one person enrolled.

Knows: when to look, when to stop. Does not know: galleries, microphones.
Source: Wald, "Sequential analysis", 1947; Pocock, "Group sequential methods in the design and analysis of clinical
trials", Biometrika 64, 1977 (looks at fixed places; here with the plain union bound).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from numpy.typing import ArrayLike

from samevoice.audio.decode import Source
from samevoice.embedder import Model
from samevoice.errors import NotEnoughSpeech
from samevoice.gallery.identification import CERTAIN, TOP, Identification, identify
from samevoice.gallery.rules import DEFAULT_FPIR, Rules, required
from samevoice.models.embedding import Embedding
from samevoice.scoring.decision import DEFAULT_PRIOR
from samevoice.speech.slices import cut_slices, place_slices
from samevoice.speech.vad import everything
from samevoice.verification import calibration_of

LOOKS = (1.0, 1.5, 2.0, 3.0, 4.5, 6.0, 9.0)  # seconds of net speech
LAST_SHARE = 0.5  # of the tolerated rate


@dataclass(frozen=True, slots=True)
class Matches:
    """The people enrolled who are most like a probe; as `identify` takes them.

    Args:
        scores: cosines, shape (n,).
        names: of the people, n.
        lengths: seconds of speech behind each template, shape (n,).
        people: how many are enrolled.
    """

    scores: ArrayLike
    names: Sequence[str]
    lengths: ArrayLike
    people: int


class Sequential:
    """Judges one probe again and again, as more of its speech is there.

    Attributes:
        result: of the last look; None before the first.
        done: whether the evidence is enough, or all looks are used up.

    Args:
        rules: for the whole sequence; their share is replaced.
        schedule: seconds of speech at which to look, ascending.

    Raises:
        ValueError: the schedule is empty or does not ascend.
    """

    def __init__(self, rules: Rules, schedule: Sequence[float] = LOOKS) -> None:
        """Begin before the first look."""
        if not schedule or sorted(set(schedule)) != list(schedule) or schedule[0] <= 0:
            raise ValueError(f"a schedule of ascending seconds is needed, got {schedule}")
        before = len(schedule) - 1
        last = LAST_SHARE if before else 1.0
        self._rules = replace(rules, share=(1 - last) / before if before else 1.0)
        self._last_rules = replace(rules, share=last)
        self.result: Identification | None = None
        self.done = False
        self._left = list(schedule)

    @property
    def next_look(self) -> float | None:
        """Seconds of speech at which to look next; None when done."""
        return None if self.done else self._left[0]

    def look(
        self,
        matches: Matches,
        seconds: float,
        *,
        last: bool = False,
        top: int = TOP,
        warnings: tuple[str, ...] = (),
    ) -> Identification:
        """Judge what has been said so far.

        Args:
            matches: of all speech so far with the people enrolled.
            seconds: of speech so far, more than at the look before; best as `next_look` says, but at any time no more
                looks are granted than the schedule has, which is what keeps the rate.
            last: that no more speech will come, whatever the scores.
            top: how many candidates to name, at least 1.
            warnings: to put on record.

        Raises:
            ConfigError: as in `identify`.
            ValueError: it is done, there is no more speech than before, or as in `identify`.
        """
        if self.done:
            raise ValueError("the sequence is over; begin another one")
        if self.result and seconds <= self.result.speech:
            raise ValueError(f"{seconds:g} s of speech are no more than before")
        final = last or len(self._left) == 1
        found = identify(
            matches.scores,
            matches.names,
            matches.lengths,
            seconds,
            self._last_rules if final else self._rules,
            people=matches.people,
            top=top,
            warnings=warnings,
        )
        self._left.pop(0)
        certain = found.verdict == "known" or (found.verdict == "unknown" and found.nobody >= CERTAIN)
        self.result, self.done = found, certain or final
        return found


def identify_early(
    audio: Source,
    match: Callable[[Embedding], Matches],
    *,
    model: Model,
    fpir: float = DEFAULT_FPIR,
    prior: float = DEFAULT_PRIOR,
    schedule: Sequence[float] = LOOKS,
    top: int = TOP,
    name: str | None = None,
) -> Identification:
    """Who speaks in a recording, from as little of its speech as is enough.

    Args:
        audio: a path, "-", bytes of a file, a binary file object, or a `Waveform`.
        match: finds the people enrolled who are most like an embedding.
        model: a loaded model.
        fpir: share of strangers tolerated to pass for anybody enrolled, over all looks.
        prior: probability of being enrolled before listening.
        schedule: seconds of speech at which to look.
        top: how many candidates to name, at least 1.
        name: what to call the recording in messages.

    Returns:
        The result of the last look; its `speech` is how many seconds were used.

    Raises:
        AudioError: the recording cannot be read.
        NotEnoughSpeech: it holds less speech than the model needs.
        ConfigError: an option cannot be honoured, or the model has no calibration.
    """
    rules = Rules(required(calibration_of(model), model.card.name), model.card.fingerprint, fpir, prior)
    heard = model.listen(audio, name=name)
    name, have, warnings = heard.recording.info.name, heard.speech.duration, heard.report.warnings
    if have < model.card.min_speech:
        raise NotEnoughSpeech(name, have, model.card.min_speech, warnings)
    lengths = [*(seconds for seconds in schedule if seconds < have), have][: len(schedule)]
    sequence = Sequential(rules, lengths)
    places = [place_slices(heard.speech, seconds, 1)[0] for seconds in lengths]
    deaf = model.with_detector(everything)
    for seconds, sound in zip(lengths, cut_slices(heard, places, model.card.resampler), strict=True):
        last = seconds == lengths[-1]
        try:
            voice = deaf.embed(sound, name=name)
        except NotEnoughSpeech:
            if last:
                raise
            continue  # the model takes nothing so short
        found = sequence.look(match(voice), seconds, last=last, top=top, warnings=warnings)
        if sequence.done:
            break
    return found
