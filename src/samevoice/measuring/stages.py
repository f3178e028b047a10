"""Where the time goes between a file and a decision, in one process.

The recording is made here: a buzz with noise, of which the detector is made to say that all of it is speech, after it
did its work. The cost of each stage depends on the length of a recording and not on what is said.

Knows: the stages of `Model.embed`, and medians. Does not know: other processes, the machine's limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import median

import numpy as np
import soundfile

from samevoice.audio.decode import open_recording
from samevoice.audio.quality import AudioReport, Meter
from samevoice.audio.resample import resample
from samevoice.audio.waveform import Samples, Waveform
from samevoice.embedder import Model
from samevoice.features.frontend import Features
from samevoice.speech.timeline import Segment, Timeline
from samevoice.speech.vad import RATE, VoiceActivityDetector
from samevoice.verification import calibration_of, judge
from samevoice.windows import cut_windows, plan_windows

PITCH_HZ = 120.0
LEVEL = 0.1
THRESHOLD = 0.5  # decides where a model has no calibration; it costs the same

Actions = Mapping[str, Callable[[], object]]


class Everywhere:
    """A detector that does its work and then says that all is speech.

    Args:
        detector: does the work.
    """

    def __init__(self, detector: VoiceActivityDetector) -> None:
        """Keep the detector."""
        self._detector = detector

    def __call__(self, blocks: Iterable[Waveform], /) -> Timeline:
        """The whole recording as one segment."""
        extent = self._detector(blocks).extent
        return Timeline([Segment(0.0, extent)], extent)


def buzz(seconds: float, rate: int = RATE) -> Samples:
    """A harmonic tone in noise, float32, the same every time.

    Args:
        seconds: how long.
        rate: samples per second in Hz.
    """
    time_ = np.arange(round(seconds * rate)) / rate
    pitch = PITCH_HZ * (1 + 0.1 * np.sin(2 * np.pi * 3 * time_))
    tone = np.sign(np.sin(2 * np.pi * np.cumsum(pitch) / rate))
    noise = np.random.default_rng(0).standard_normal(len(time_))
    sound: Samples = (LEVEL * (tone + 0.1 * noise)).astype(np.float32)
    return sound


def write_buzz(path: Path, seconds: float) -> None:
    """The buzz as a file of 16 kHz in 16 bits; the suffix decides the format."""
    soundfile.write(path, buzz(seconds), RATE)


class Way:
    """The whole way of one recording through a model, and its parts.

    Args:
        model: what embeds.
        path: a recording of one voice.

    Attributes:
        features: what the network is given.

    Raises:
        AudioError: the recording cannot be read.
        NotEnoughSpeech: it is too short for the model.
    """

    def __init__(self, model: Model, path: Path) -> None:
        """Go the way once, and keep what each part starts from."""
        self._model, self._path = model, path
        self._whole = model.with_detector(Everywhere(model.detector))
        self._known = self._whole.embed(path)
        self._threshold = None if calibration_of(model) else THRESHOLD
        self._recording, self._heard = open_recording(path), self._whole.listen(path)
        self._blocks = list(self._recording.blocks())
        self._sound = resample(Waveform(np.concatenate(self._blocks), self._recording.info.rate), RATE)
        self.features = self._cut()

    def actions(self) -> Actions:
        """What is to be timed, by name: "end to end" goes from the file to a decision against a known voice."""
        return {
            "end to end": lambda: judge(
                self._known, self._whole.embed(self._path), model=self._model, threshold=self._threshold
            ),
            "network": lambda: self._model.encoder(self.features),
            "decode": lambda: list(open_recording(self._path).blocks()),
            "audio doctor": self._measure,
            "speech detection": lambda: self._model.detector([self._sound]),
            "features": self._cut,
        }

    def _measure(self) -> AudioReport:
        """What the audio doctor does."""
        meter = Meter(self._recording)
        for _ in meter.watch(self._blocks):
            pass
        return meter.report(self._heard.speech.covers(meter.frame_times), self._heard.speech.duration)

    def _cut(self) -> Features:
        """The windows of features, shape (windows, frames, bands)."""
        frontend, quality = self._model.frontend, self._model.card.resampler
        plan = plan_windows(self._heard, frontend, self._model.window)
        return np.stack(list(cut_windows(self._heard, plan, frontend, quality=quality, gain=1.0)))


def medians(actions: Actions, budget: float, *, least: int = 5) -> dict[str, float]:
    """The median time of each action in milliseconds; they take turns, so that a busy moment meets all of them.

    Args:
        actions: by name.
        budget: seconds for all of them, after one run to warm up.
        least: rounds, however long they take.
    """
    for action in actions.values():
        action()
    times: dict[str, list[float]] = {name: [] for name in actions}
    until, rounds = time.perf_counter() + budget, 0
    while rounds < least or time.perf_counter() < until:
        for name, action in actions.items():
            began = time.perf_counter()
            action()
            times[name].append(1000 * (time.perf_counter() - began))
        rounds += 1
    return {name: median(taken) for name, taken in times.items()}
