"""The enrolment coach: may this recording become a voiceprint, and what should be done if it may not?

One utterance is all that an enrolment has, so a bad one spoils every later decision about a person. The coach refuses
what would, advises where more would help, and says what to do.

The limits were chosen on development speakers (benchmarks/enrolment_quality.py measures them on others).

Knows: models, reports on recordings, what counts as good enough. Does not know: where people are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import NoReturn

import numpy as np

from samevoice.audio.decode import Source
from samevoice.audio.quality import NARROW_BAND_HZ, AudioReport
from samevoice.audio.resample import SPAN_SECONDS, resample
from samevoice.audio.waveform import Waveform
from samevoice.embedder import Model
from samevoice.errors import EnrolmentRefused, NotEnoughSpeech
from samevoice.gallery.checks import part_voices, pause_snr
from samevoice.gallery.names import shown
from samevoice.gallery.replay import RATE, SAME_SOUND, likeness, trace_of
from samevoice.models.embedding import Embedding
from samevoice.scoring.calibration import Calibration
from samevoice.scoring.decision import DEFAULT_FAR, SAME_LLR, odds
from samevoice.speech.listening import Heard
from samevoice.verification import calibration_of

MOST_SECONDS = 300.0  # of a recording; a voiceprint is made of what comes first
# Probes of 3 s in other conditions, recognised at 1 % false accepts: 84 % of those enrolled with 1 s of speech, 93 %
# from 1.5 s on, 98 % from 5 s on.
LEAST_SPEECH = 1.5
GOOD_SPEECH = 5.0
LEAST_SNR_DB = 11.0  # dev: nine of ten with noise added at -3 to 5 dB are below, none as recorded
GOOD_SNR_DB = 15.0  # dev: one in a hundred as recorded or with noise added at 20 to 25 dB is below
MOST_CLIPPED = 0.003  # of the samples; dev: at most 0.001 as recorded, at least 0.008 when ten times too loud
AUDIBLE_DBFS = -60.0
# Cosine by which two groups of slices of one voice agree beyond the strictest threshold; dev: one voice at least 0.06,
# two in turn below 0, half of the recordings of two at once below 0.05. With another network (ge2e) one voice has 0.07.
ONE_VOICE = 0.05
OTHER_SHARE = 0.2  # of the speech; less of another voice hardly moves the mean
AROUND = 0.5  # seconds before and after the speech that leave a trace with it
TELEPHONE = "telephone"


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to say about a recording.

    Args:
        code: short stable name for machines.
        refuses: whether the recording must not be enrolled.
        sentence: what is wrong and what to do, without the recording's name.
    """

    code: str
    refuses: bool
    sentence: str

    def to_json(self) -> dict[str, object]:
        """Plain data with the field names of this class."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody who is enrolled already, as the coach needs to know.

    Args:
        name: of the person.
        score: cosine of the new embedding with the person's template.
        seconds: of speech behind the template.
        traces: of the sounds that the person was enrolled with, by `trace_of`.
        heard: in recordings only, and not enrolled.
    """

    name: str
    score: float
    seconds: float
    traces: Sequence[bytes] = ()
    heard: bool = False


Lookup = Callable[[Embedding], Iterable[Known]]


@dataclass(frozen=True, slots=True, eq=False)
class Coached:
    """What the coach found.

    Args:
        embedding: of the speech; None where there is too little of it.
        report: of the whole recording.
        advice: refusals first; empty for a good recording.
        trace: what knows the same sound again, to be kept sealed.
        sound: that became the embedding, at the model's rate.
    """

    embedding: Embedding | None
    report: AudioReport
    advice: tuple[Advice, ...]
    trace: bytes
    sound: Waveform

    @property
    def usable(self) -> bool:
        """Whether the recording may be enrolled."""
        return self.embedding is not None and not any(one.refuses for one in self.advice)

    def refuse(self) -> NoReturn:
        """Say why the recording may not be enrolled.

        Raises:
            EnrolmentRefused: always.
        """
        refuse(self.report.name, [one for one in self.advice if one.refuses])

    def __repr__(self) -> str:
        """The recording and the codes; never the trace, which is personal data."""
        return f"Coached({self.report.name!r}, {[one.code for one in self.advice]}, usable={self.usable})"


def refuse(recording: str, reasons: Sequence[Advice]) -> NoReturn:
    """Refuse a recording for some reasons.

    Raises:
        EnrolmentRefused: always.
    """
    raise EnrolmentRefused(recording, tuple(one.sentence for one in reasons), tuple(one.code for one in reasons))


def coach(
    audio: Source,
    model: Model,
    *,
    name: str | None = None,
    channel: str | None = None,
    person: str | None = None,
    others: Lookup | None = None,
    people: int = 1,
) -> Coached:
    """Judge a recording that somebody is to be enrolled with.

    Args:
        audio: a path, "-", bytes of a file, a binary file object, or a `Waveform`; of a long recording the first five
            minutes are judged and become the voiceprint.
        model: a loaded model.
        name: what to call the recording in messages.
        channel: "telephone" where narrow-band recordings are meant.
        person: who is to be enrolled; others of that name are the same person.
        others: finds, for an embedding, those who are enrolled and sound most like it.
        people: how many are enrolled: the more, the likelier two of them sound alike by chance.

    Raises:
        AudioError: the recording cannot be read.
        ModelError: the model fails.
    """
    heard, sound = _beginning(model.listen(audio, name=name), model)
    report = heard.report
    advice = [*_speech(report, heard.speech.duration), *_sound(heard, sound, telephone=channel == TELEPHONE)]
    embedding, trace = None, b""
    if len(heard.speech):
        first, last = heard.speech.segments[0].start, heard.speech.segments[-1].end
        trace = trace_of(resample(sound.cut(first - AROUND, last + AROUND), RATE))
        try:
            embedding = replace(model.embed(sound, name=report.name), warnings=report.warnings)
        except NotEnoughSpeech as error:
            if heard.speech.duration >= LEAST_SPEECH:  # this model needs more than others
                advice.append(Advice("short-speech", True, _short(error.have, error.need)))
    if embedding is not None:
        advice += _voices(heard, model)
        known = [] if others is None else list(others(embedding))
        advice += _known_sound(trace, known)
        advice += _known_voice(embedding, calibration_of(model), [one for one in known if one.name != person], people)
    return Coached(embedding, report, tuple(sorted(advice, key=lambda one: not one.refuses)), trace, sound)


def _beginning(heard: Heard, model: Model) -> tuple[Heard, Waveform]:
    """The part of a recording that becomes the voiceprint, with its sound at the model's rate."""
    spans = math.ceil(MOST_SECONDS / SPAN_SECONDS)
    blocks = islice(heard.blocks(model.card.resampler), spans)
    sound = Waveform(np.concatenate([block.samples for block in blocks]), heard.rate)
    if heard.kept is not None and len(sound.samples) == heard.samples:
        return heard, sound
    return replace(model.listen(sound, name=heard.report.name), report=heard.report), sound


def _speech(report: AudioReport, seconds: float) -> Iterator[Advice]:
    """Whether somebody speaks, for long enough; `seconds` of speech were found."""
    if report.peak_dbfs < AUDIBLE_DBFS:
        yield Advice("silence", True, "the recording is silent; check the microphone and record again")
    elif seconds <= 0:
        yield Advice("no-speech", True, "nobody is heard to speak, only music or noise; record the voice alone")
    elif seconds < LEAST_SPEECH:
        yield Advice("short-speech", True, _short(seconds, LEAST_SPEECH))
    elif seconds < GOOD_SPEECH:
        found = f"{whole_tenths(seconds)} s of speech will do"
        yield Advice("short-speech", False, f"{found}, but {GOOD_SPEECH:g} s or more are recognised more surely")


def _short(have: float, need: float) -> str:
    """What to say of too little speech."""
    return f"{whole_tenths(have)} s of speech are too little; speak for {max(need, GOOD_SPEECH):g} s or more"


def whole_tenths(seconds: float) -> str:
    """Seconds to the tenth, never more than there are."""
    return f"{math.floor(10 * seconds) / 10:.1f}"


def _sound(heard: Heard, sound: Waveform, *, telephone: bool) -> Iterator[Advice]:
    """Noise, clipping and bandwidth."""
    report = heard.report
    snr = pause_snr(sound, heard.speech)
    if snr is not None and snr < GOOD_SNR_DB:
        facts = f"the voice is only {max(snr, 0):.0f} dB above the noise or music behind it"
        yield Advice("noise", snr < LEAST_SNR_DB, f"{facts}; record in a quieter place, closer to the microphone")
    if report.clipped > MOST_CLIPPED:
        share = f"{100 * report.clipped:.1f} % of the samples are clipped"
        yield Advice("clipped", True, f"{share}; lower the recording level and record again")
    if report.bandwidth_hz is not None and report.bandwidth_hz < NARROW_BAND_HZ:
        facts = f"nothing is heard above {report.bandwidth_hz / 1000:.1f} kHz, like on a telephone"
        remedy = (
            "recognition on other channels is less sure"
            if telephone
            else (f'record with a microphone at 16 kHz or more, or say that the channel is "{TELEPHONE}"')
        )
        yield Advice("narrow-band", not telephone, f"{facts}; {remedy}")


def _voices(heard: Heard, model: Model) -> Iterator[Advice]:
    """Whether all of the speech is of one voice."""
    calibration = calibration_of(model)
    parted = part_voices(heard, model) if calibration else None
    if calibration is None or parted is None:
        return
    spoils = parted.share >= OTHER_SHARE
    if parted.above(calibration) < 0:
        what = f"two voices seem to speak, one of them for about {parted.seconds:.0f} s"
        yield Advice("two-voices", spoils, f"{what}; record one person alone")
    elif parted.above(calibration) < ONE_VOICE:
        what = "the voice does not sound like itself throughout"
        yield Advice("inconsistent", spoils, f"{what}; record one person alone, without other voices or music behind")


def _known_sound(trace: bytes, known: Iterable[Known]) -> Iterator[Advice]:
    """Whether this very recording is enrolled already."""
    for one in known:
        if any(likeness(trace, other) >= SAME_SOUND for other in one.traces):
            what = f"this very recording is enrolled already, for {shown(one.name)}"
            yield Advice("replayed", True, f"{what}; a new recording is needed")
            return


def _known_voice(
    embedding: Embedding, calibration: Calibration | None, known: Sequence[Known], people: int
) -> Iterator[Advice]:
    """Whether somebody else who is enrolled sounds like this."""
    if calibration is None or not known:
        return
    nearest = max(known, key=lambda one: one.score)
    seconds = min(embedding.seconds, nearest.seconds)
    strict = calibration.threshold(max(DEFAULT_FAR, calibration.rates[-1]), seconds)
    # Each of many strangers is another chance to sound alike, so the evidence must outweigh their number.
    if nearest.score >= max(strict, calibration.crossing(SAME_LLR + math.log(people), seconds)):
        evidence = odds(calibration.llr(nearest.score, seconds))
        what = f"it sounds like {shown(nearest.name)}, who "
        what += f"{'was heard in recordings' if nearest.heard else 'is enrolled already'} (evidence {evidence})"
        then = "merge the two" if nearest.heard else "add the recording there instead"
        yield Advice("alike", False, f"{what}; if it is the same person, {then}")
