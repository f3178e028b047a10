"""The first walk through a recording: what it is, where somebody speaks, what could mislead.

What was heard is kept for a second walk when it is short, and decoded again when it is long, so that memory does
not grow with the length of a file.

Knows: how decoding, measuring, resampling and detection are chained. Does not know: models, embeddings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from samevoice.audio.decode import Recording, Source, open_recording
from samevoice.audio.quality import AudioReport, Meter
from samevoice.audio.resample import QUALITY, mix, waveforms
from samevoice.audio.waveform import Waveform
from samevoice.errors import AudioError
from samevoice.speech.timeline import Timeline
from samevoice.speech.vad import RATE, VoiceActivityDetector

KEPT_SECONDS = 300.0  # of sound that is kept instead of decoded again: 19 MB at 16 kHz

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What the first walk through a recording found.

    Args:
        recording: the source.
        speech: where somebody speaks.
        report: what the audio doctor says.
        level_dbfs: level of the whole recording.
        rate: the working rate, in Hz.
        samples: how many there are at the working rate.
        kept: the sound at the working rate, or None when it was too long to keep.
    """

    recording: Recording
    speech: Timeline
    report: AudioReport
    level_dbfs: float
    rate: int
    samples: int
    kept: tuple[Waveform, ...] | None

    def blocks(self, quality: str) -> Iterable[Waveform]:
        """The sound at the working rate once more.

        Args:
            quality: name of the resampling filter, where the sound was not kept.
        """
        if self.kept is not None:
            return self.kept
        mono = (mix(block) for block in self.recording.blocks())
        return waveforms(mono, self.recording.info.rate, self.rate, quality)

    def changed(self) -> AudioError:
        """What to raise where a later walk meets another recording than the first."""
        return AudioError(f"{self.recording.info.name}: changed while it was read; wait until it is complete")


def listen(
    audio: Source,
    detector: VoiceActivityDetector,
    *,
    name: str | None = None,
    rate: int = RATE,
    quality: str = QUALITY,
    progress: Progress | None = None,
) -> Heard:
    """Walk through a recording once: measure it and find the speech.

    Args:
        audio: anything `open_recording` takes.
        detector: finds the speech.
        name: what to call the recording in messages.
        rate: the working rate, in Hz, at which the sound is wanted in the second walk, by default 16,000; the detector
            has its own.
        quality: name of the resampling filter; by default "HQ".
        progress: is told the fraction done, in [0, 1], where the header gives a duration.

    Raises:
        AudioError: the recording cannot be read.
    """
    recording = open_recording(audio, name)
    meter = Meter(recording)
    kept: list[Waveform] | None = []
    samples = 0

    def passing() -> Iterator[Waveform]:
        nonlocal kept, samples
        for block in waveforms(meter.watch(recording.blocks()), recording.info.rate, rate, quality):
            samples += len(block.samples)
            if kept is not None:
                kept.append(block)
            if samples > KEPT_SECONDS * rate:
                kept = None
            yield block
            if progress and recording.info.declared:
                progress(min(samples / rate / recording.info.declared, 1.0))

    speech = detector(waveforms((block.samples for block in passing()), rate, RATE, quality))
    report = meter.report(speech.covers(meter.frame_times), speech.duration)
    return Heard(recording, speech, report, meter.level_dbfs, rate, samples, None if kept is None else tuple(kept))
