"""Utterances without the silence before and after the speech in them, as a manifest of the same files.

Clips that were recorded by a button hold more silence than speech, and what a network learns of silence it does not
learn of voices.

Knows: utterances, a detector. Does not know: how speech is found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from samevoice.audio.waveform import Waveform
from samevoice.corpora.found import Problem
from samevoice.corpora.manifest import Manifest, Utterance
from samevoice.corpora.sounds import Sounds
from samevoice.errors import SamevoiceError
from samevoice.options import checked_number
from samevoice.speech.timeline import Seconds
from samevoice.speech.vad import RATE, VoiceActivityDetector

MARGIN = 0.1  # seconds kept on both sides: consonants begin before their voice does


@dataclass(frozen=True, slots=True)
class Trimmed:
    """What trimming left.

    Args:
        manifest: utterances from their first to their last speech.
        problems: those that could not be read.
        silent: how many held too little speech and were left out.
    """

    manifest: Manifest
    problems: tuple[Problem, ...]
    silent: int


def trim(
    manifest: Manifest,
    detector: VoiceActivityDetector,
    *,
    least: Seconds = 0.5,
    progress: Callable[[float], object] | None = None,
) -> Trimmed:
    """Shorten every utterance to its speech.

    Pauses inside stay. The files are not touched: an utterance that begins later in its file says so.

    Args:
        manifest: what to trim.
        detector: finds speech at 16 kHz.
        least: of speech, in seconds, above 0; utterances with less are left out.
        progress: is told how many seconds of sound are done.

    Raises:
        ConfigError: `least` is not above 0.
    """
    least = checked_number("least seconds of speech", least, above=0)
    sounds = Sounds(manifest.root, RATE, cache_bytes=0)
    kept: list[Utterance] = []
    problems: list[Problem] = []
    silent, done = 0, 0.0
    for one in manifest:
        try:
            speech = detector([Waveform(sounds.read(one), RATE)])
        except SamevoiceError as error:
            problems.append(Problem(one.path, one.member, str(error)))
        else:
            if speech.duration < least:
                silent += 1
            else:
                spoken = list(speech)
                start = max(0.0, spoken[0].start - MARGIN)
                end = min(one.seconds, spoken[-1].end + MARGIN)
                kept.append(replace(one, start=one.start + start, seconds=end - start))
        done += one.seconds
        if progress:
            progress(done)
    return Trimmed(manifest.only(kept), tuple(problems), silent)
