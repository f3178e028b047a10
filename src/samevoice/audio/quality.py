"""The audio doctor: what about a recording could mislead a judgement of voices.

A `Meter` listens to the untouched blocks on their way to the resampler and keeps a few numbers; together with
the timeline of speech they become an `AudioReport` with warnings in plain words.

Knows: levels, clipping, noise, bandwidth, channels. Does not know: models, decisions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.blocks import Block, block_frames, regroup
from samevoice.audio.decode import Recording
from samevoice.audio.resample import mix
from samevoice.audio.waveform import Samples

FRAME_SECONDS = 0.01
CLIP_LEVEL = 0.999
SILENCE_DBFS = -60.0
QUIET_DBFS = -45.0
LOW_SNR_DB = 10.0
NARROW_BAND_HZ = 5_000.0
MAX_CLIPPED = 0.001
FLOOR = 1e-10  # power of -100 dBFS: below the steps of 16-bit samples
MAX_SNR_DB = 60.0
LITTLE_SPEECH_SECONDS = 0.5
EDGE_DB = 24.0  # how far the spectrum must fall within EDGE_WIDTH_HZ, and stay down, to count as a cut
EDGE_WIDTH_HZ = 500.0
MIN_EDGE_HZ = 1_500.0


@dataclass(frozen=True, slots=True)
class AudioReport:
    """Facts about one recording, and warnings drawn from them.

    Args:
        name: what to call the recording.
        format: container and codec.
        rate: sample rate in Hz.
        channels: how many.
        declared: seconds promised by the header, or None.
        seconds: seconds decoded.
        speech: seconds of speech.
        peak_dbfs: highest sample of any channel, 0 = full scale; -200 for digital silence.
        level_dbfs: root mean square of the mono mix, same scale.
        clipped: fraction of samples that sit on a flat top.
        snr_db: speech level over noise level, at most 60; None without speech.
        bandwidth_hz: highest frequency the sound really uses; None without sound.
        warnings: sentences a person can act on, without the recording's name.
    """

    name: str
    format: str
    rate: int
    channels: int
    declared: float | None
    seconds: float
    speech: float
    peak_dbfs: float
    level_dbfs: float
    clipped: float
    snr_db: float | None
    bandwidth_hz: float | None
    warnings: tuple[str, ...]


class Meter:
    """Running measurements over the blocks of one recording."""

    def __init__(self, recording: Recording) -> None:
        """Start with nothing measured."""
        self._recording = recording
        self._rate = recording.info.rate
        self._frame = max(1, round(FRAME_SECONDS * self._rate))
        self._window = max(16, 1 << round(np.log2(0.032 * self._rate)))
        self._hann = np.hanning(self._window).astype(np.float32)
        self._powers: list[NDArray[np.float32]] = []
        self._spectrum = np.zeros(self._window // 2 + 1)
        self._rest: Samples = np.empty(0, dtype=np.float32)
        self._samples = self._clipped = 0
        self._peak = self._energy = self._side_energy = 0.0
        self._channel_energy = np.zeros(recording.info.channels)

    @property
    def level_dbfs(self) -> float:
        """Root mean square of the mono mix so far."""
        return decibels(self._energy / max(self._samples, 1))

    def watch(self, blocks: Iterable[Block]) -> Iterator[Samples]:
        """Measure blocks of shape (frames, channels) in passing and hand on their mono mix in blocks of a second.

        The result does not depend on how the sound was cut into blocks.
        """
        for block in regroup(blocks, block_frames(self._rate, self._recording.info.channels)):
            mono = mix(block)
            self._measure(block, mono)
            yield mono

    def _measure(self, block: Block, mono: Samples) -> None:
        """Add one block to all sums."""
        size = np.abs(block)
        peak = float(size.max(initial=0.0))
        self._peak = max(self._peak, peak)
        self._clipped += int(_flat_tops(block, size, peak).sum()) // block.shape[1]
        self._samples += len(mono)
        self._energy += float(np.dot(mono, mono))
        if block.shape[1] > 1:
            self._channel_energy += np.einsum("nc,nc->c", block, block)
            self._side_energy += float(np.square(block - mono[:, None]).mean(axis=1).sum())
        joined = np.concatenate([self._rest, mono])
        count = len(joined) // self._frame
        self._rest = joined[count * self._frame :]
        # The variance, since a constant offset is no noise.
        self._powers.append(joined[: count * self._frame].reshape(count, self._frame).var(axis=1))
        windows = len(mono) // self._window  # the few samples between blocks do not matter to an average
        self._add_spectrum(mono[: windows * self._window].reshape(windows, self._window))

    def _add_spectrum(self, windows: NDArray[np.float32]) -> None:
        """Add the power spectra of the louder windows."""
        power = np.square(windows).mean(axis=1)
        loud = windows[power > 1e-6]
        if len(loud):
            spectra = np.fft.rfft(loud * self._hann, axis=1)
            self._spectrum += (np.square(spectra.real) + np.square(spectra.imag)).sum(axis=0)

    def report(self, speech: NDArray[np.bool_] | None = None, speech_seconds: float = 0.0) -> AudioReport:
        """What was measured, once the blocks are through.

        Args:
            speech: for each 10 ms frame (`frame_times`) whether it is speech; None when nobody looked.
            speech_seconds: seconds of speech in the recording.
        """
        info = self._recording.info
        seconds = self._samples / info.rate
        snr = None if speech is None else self._snr(speech)
        report = AudioReport(
            name=info.name,
            format=info.format,
            rate=info.rate,
            channels=info.channels,
            declared=info.declared,
            seconds=seconds,
            speech=speech_seconds,
            peak_dbfs=decibels(self._peak**2),
            level_dbfs=self.level_dbfs,
            clipped=self._clipped / max(self._samples, 1),
            snr_db=snr,
            bandwidth_hz=self._bandwidth(),
            warnings=(),
        )
        return replace(report, warnings=tuple(self._warnings(report, speech is not None)))

    @property
    def frame_times(self) -> NDArray[np.float64]:
        """The middle of each measured 10 ms frame, in seconds of the recording."""
        count = sum(len(powers) for powers in self._powers)
        times: NDArray[np.float64] = (np.arange(count) + 0.5) * self._frame / self._rate
        return times

    def _snr(self, speech: NDArray[np.bool_]) -> float | None:
        """Speech level over noise level in dB.

        Noise is what the pauses hold; where there are hardly any, the quietest tenth of all frames.
        """
        power = np.concatenate([np.empty(0, dtype=np.float32), *self._powers]).astype(np.float64)
        audible = power > FLOOR  # digital silence between pieces says nothing about the room
        voiced, pauses = power[speech & audible], power[~speech & audible]
        if not len(voiced):
            return None
        quiet = float(np.percentile(power[audible], 10))
        noise = max(quiet, float(pauses.mean()) if len(pauses) * FRAME_SECONDS >= 0.3 else 0.0, FLOOR)
        return min(10.0 * float(np.log10(max(float(voiced.mean()) - noise, FLOOR) / noise)), MAX_SNR_DB)

    def _bandwidth(self) -> float | None:
        """The lowest frequency above which the average spectrum drops like a wall and stays down."""
        if not self._spectrum.any():
            return None
        level = 10 * np.log10(self._spectrum + 1e-12)
        level = np.convolve(np.pad(level, 2, mode="edge"), np.ones(5) / 5, mode="valid")
        step = self._rate / self._window
        width = max(1, round(EDGE_WIDTH_HZ / step))
        above = np.maximum.accumulate(level[::-1])[::-1]  # the highest level from each frequency upwards
        walls = level[:-width] - above[width:] >= EDGE_DB
        walls[: round(MIN_EDGE_HZ / step)] = False
        first = int(np.argmax(walls))
        return (first + width / 2) * step if walls[first] else self._rate / 2

    def _warnings(self, report: AudioReport, listened: bool) -> Iterator[str]:
        """What to tell a person; `listened`: whether somebody looked for speech."""
        if self._recording.damage:
            yield self._recording.damage
        if report.peak_dbfs < SILENCE_DBFS:
            yield f"silent (peak {report.peak_dbfs:.0f} dBFS); check the microphone"
            return
        if listened and report.speech <= 0:
            yield "no speech found; is it the right recording?"
        elif listened and report.speech < LITTLE_SPEECH_SECONDS:
            yield f"only {report.speech:.1f} s of speech; record a longer piece"
        if report.level_dbfs < QUIET_DBFS:
            yield f"very quiet ({report.level_dbfs:.0f} dBFS); raise the recording level"
        if report.clipped > MAX_CLIPPED:
            yield f"clipped ({100 * report.clipped:.1f} % of samples); lower the recording level"
        if report.snr_db is not None and report.snr_db < LOW_SNR_DB:
            yield f"noisy (about {round(report.snr_db)} dB above the noise); record in a quieter place"
        if report.bandwidth_hz is not None and report.bandwidth_hz < NARROW_BAND_HZ:
            yield f"narrow band (nothing above {report.bandwidth_hz / 1000:.1f} kHz, like a telephone)"
        yield from self._channel_warnings()

    def _channel_warnings(self) -> Iterator[str]:
        """What mixing the channels may have done."""
        energy = self._channel_energy / max(self._samples, 1)
        if len(energy) < 2 or energy.max() <= FLOOR:
            return
        if energy.min() < 1e-4 * energy.max():
            yield f"{int((energy < 1e-4 * energy.max()).sum())} of {len(energy)} channels are silent"
        elif self._energy < 0.05 * float(self._channel_energy.mean()):
            yield "the channels cancel each other when mixed; extract one of them"
        elif self._side_energy > 0.3 * float(self._channel_energy.mean()):
            yield f"{len(energy)} different channels were mixed into one; if each holds another voice, split them"


def decibels(power: float) -> float:
    """Power in dB over full scale, -200 for none."""
    return max(10.0 * float(np.log10(max(power, 1e-20))), -200.0)


def _flat_tops(block: Block, size: NDArray[np.float32], peak: float) -> NDArray[np.bool_]:
    """Samples at full scale, or on a plateau of three equal samples near the highest level of the block."""
    flat: NDArray[np.bool_] = size >= CLIP_LEVEL
    if peak > 0.1 and len(block) > 2:
        plateau = (block[1:-1] == block[:-2]) & (block[1:-1] == block[2:]) & (size[1:-1] > 0.98 * peak)
        for shift in range(3):  # all three of them
            flat[shift : len(flat) - 2 + shift] |= plateau
    return flat
