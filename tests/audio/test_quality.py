"""The audio doctor: each figure against a sound made so that its true value is known."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import encode, write

from samevoice.audio.blocks import Block
from samevoice.audio.decode import Source, open_recording
from samevoice.audio.quality import AudioReport, Meter, decibels
from samevoice.audio.waveform import Samples, Waveform


def examine(source: Source, voiced: tuple[float, float] | None = None) -> AudioReport:
    """A report; speech is what lies between two moments."""
    recording = open_recording(source, "x")
    meter = Meter(recording)
    mono = np.concatenate(list(meter.watch(recording.blocks())))
    times = meter.frame_times
    assert len(times) == len(mono) // (recording.info.rate // 100)
    if voiced is None:
        return meter.report()
    return meter.report((times >= voiced[0]) & (times < voiced[1]), voiced[1] - voiced[0])


def channels(*columns: Samples) -> bytes:
    return write(np.stack(columns, axis=1), 16_000, "WAV", "FLOAT")


def about(report: AudioReport, word: str) -> list[str]:
    return [warning for warning in report.warnings if word in warning]


def test_clean_speech_has_no_warnings(speech: Waveform) -> None:
    report = examine(speech)
    assert report.warnings == ()
    assert (report.name, report.rate, report.channels, report.seconds) == ("x", 16_000, 1, 3.0)
    assert report.snr_db is None
    assert report.clipped == 0


def test_levels_of_a_sine() -> None:
    tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000)
    report = examine(Waveform(tone, 16_000))
    assert report.peak_dbfs == pytest.approx(-20.0, abs=0.01)
    assert report.level_dbfs == pytest.approx(-23.01, abs=0.01)
    assert decibels(0.0) == -200.0


@pytest.mark.parametrize(
    ("gain", "ceiling", "least"), [(3, 1.0, 0.99), (10, 1.0, 0.99), (3, 0.5, 0.25), (10, 0.5, 0.75)]
)
def test_clipping_is_counted(gain: float, ceiling: float, least: float, speech: Waveform) -> None:
    """All of it at full scale; at a lower ceiling (recorded too loud, then turned down) flat tops of 3 or more."""
    loud = speech.samples * gain / np.abs(speech.samples).max()
    cut = np.clip(loud, -1, 1) * np.float32(ceiling)
    true = float((np.abs(loud) >= 1).mean())
    report = examine(write(cut, 16_000))
    assert true > 0.001
    assert least * true <= report.clipped <= 1.02 * true
    assert about(report, "clipped")


@pytest.mark.parametrize("gain", [0.02, 0.5, 1.0])
def test_unclipped_speech_is_not_called_clipped(gain: float, speech: Waveform) -> None:
    peak_at_full_scale = speech.samples / np.abs(speech.samples).max()
    assert not about(examine(write(peak_at_full_scale * np.float32(gain), 16_000)), "clipped")


@pytest.mark.parametrize("snr", [0.0, 10.0, 20.0, 30.0])
def test_snr_of_known_mixtures(snr: float, speech: Waveform) -> None:
    """Speech between a second of pause on both sides, in white noise: within 0.5 dB (the room's own noise is there)."""
    generator = np.random.default_rng(int(snr))
    power = float(np.square(speech.samples).mean())
    quiet = np.zeros(16_000, dtype=np.float32)
    sound = np.concatenate([quiet, speech.samples, quiet])
    noisy = sound + generator.standard_normal(len(sound)) * np.sqrt(power / 10 ** (snr / 10))
    report = examine(Waveform(0.3 * noisy / np.abs(noisy).max(), 16_000), (1.0, 4.0))
    assert report.snr_db == pytest.approx(snr, abs=0.5)
    assert bool(about(report, "noisy")) == (snr < 5) or snr == 10


def test_snr_without_pauses_is_never_flattering(speech: Waveform) -> None:
    """When every frame is called speech, the quietest tenth stands for the noise: within 3 dB up to 20 dB."""
    generator = np.random.default_rng(5)
    power = float(np.square(speech.samples).mean())
    for snr in (0.0, 10.0, 20.0):
        noisy = speech.samples + generator.standard_normal(48_000) * np.sqrt(power / 10 ** (snr / 10))
        estimate = examine(Waveform(0.3 * noisy / np.abs(noisy).max(), 16_000), (0.0, 9.0)).snr_db
        assert estimate == pytest.approx(snr, abs=3.0)


def test_snr_is_independent_of_gain_and_limited(speech: Waveform, noise: Waveform) -> None:
    mixture = speech.samples + 0.1 * noise.samples
    first = examine(Waveform(mixture, 16_000), (0.5, 2.5)).snr_db
    second = examine(Waveform(0.25 * mixture, 16_000), (0.5, 2.5)).snr_db
    assert first is not None
    assert second == pytest.approx(first, abs=0.01)
    clean = np.concatenate([2e-5 * np.cos(np.arange(16_000)), 0.5 * np.sin(np.arange(16_000))])
    assert examine(Waveform(clean, 16_000), (1.0, 2.0)).snr_db == 60.0
    assert examine(speech, (9.0, 9.5)).snr_db is None  # no voiced frame
    text = examine(Waveform(np.random.default_rng(0).normal(0, 0.1, 48_000), 16_000), (1.0, 2.0)).warnings
    assert all("-0 dB" not in warning for warning in text)


def test_bandwidth_of_telephone_and_of_genuine_speech(speech: Waveform) -> None:
    narrow = soxr.resample(soxr.resample(speech.samples, 16_000, 8_000), 8_000, 16_000)
    report = examine(Waveform(narrow, 16_000))
    assert report.bandwidth_hz == pytest.approx(3_700, abs=300)
    assert about(report, "narrow band (nothing above 3.")
    wide = examine(speech)
    assert wide.bandwidth_hz is not None
    assert wide.bandwidth_hz > 7_000
    native = examine(Waveform(soxr.resample(speech.samples, 16_000, 8_000), 8_000))
    assert native.bandwidth_hz is not None
    assert native.bandwidth_hz <= 4_000
    assert about(native, "narrow band")
    up = examine(Waveform(soxr.resample(speech.samples, 16_000, 48_000), 48_000))
    assert up.bandwidth_hz == pytest.approx(7_700, abs=400)
    assert not about(up, "narrow band")


def test_bandwidth_of_filtered_noise(noise: Waveform) -> None:
    """A brick wall at a known frequency is found within 300 Hz."""
    spectrum = np.fft.rfft(noise.samples)
    hertz = np.fft.rfftfreq(len(noise.samples), 1 / 16_000)
    for edge in (2_500.0, 4_000.0, 6_000.0):
        limited = np.fft.irfft(np.where(hertz < edge, spectrum, 0))
        assert examine(Waveform(limited, 16_000)).bandwidth_hz == pytest.approx(edge, abs=300)
    assert examine(noise).bandwidth_hz == 8_000


def test_silence_and_quiet(silence: Waveform, speech: Waveform) -> None:
    report = examine(silence, (0.0, 1.0))
    assert report.warnings == ("silent (peak -200 dBFS); check the microphone",)
    assert (report.snr_db, report.bandwidth_hz) == (None, None)
    assert not about(examine(Waveform(speech.samples * 0.2, 16_000)), "quiet")
    faint = Waveform(speech.samples * np.float32(10 ** (-50 / 20) / np.sqrt(np.square(speech.samples).mean())), 16_000)
    assert about(examine(faint), "very quiet (-50 dBFS)")


def test_dead_channel(speech: Waveform, silence: Waveform) -> None:
    assert examine(channels(speech.samples, silence.samples)).warnings == ("1 of 2 channels are silent",)
    three = examine(channels(speech.samples, silence.samples, silence.samples))
    assert about(three, "2 of 3 channels are silent")


def test_opposite_phase(speech: Waveform) -> None:
    assert about(examine(channels(speech.samples, -speech.samples)), "cancel each other")
    assert about(examine(channels(speech.samples, -0.9 * speech.samples)), "cancel each other")


def test_two_voices_on_two_channels(speech: Waveform, noise: Waveform) -> None:
    other = np.roll(speech.samples, 20_000)
    report = examine(channels(speech.samples, other))
    assert about(report, "2 different channels were mixed")
    assert not about(examine(channels(speech.samples, 0.7 * speech.samples)), "channels")
    assert examine(channels(speech.samples, speech.samples)).warnings == ()
    assert not about(examine(channels(speech.samples, speech.samples + 0.01 * noise.samples)), "channels")


@settings(max_examples=40)
@given(
    points=st.lists(st.integers(0, 150_000), max_size=9),
    step=st.sampled_from([None, 160, 960, 1_024, 7_777, 48_000]),
    gain=st.sampled_from([0.1, 1.0, 8.0]),
)
def test_the_report_does_not_depend_on_the_blocks(points: list[int], step: int | None, gain: float) -> None:
    """Noise in bursts, clipped or not, at 48 kHz in two channels: every figure is the same, whatever the blocks."""
    draw = np.random.default_rng(3)
    envelope = np.repeat(draw.uniform(0.001, 0.3, 10), 15_000)[:, None]
    sound = np.clip(gain * envelope * draw.standard_normal((150_000, 2)), -0.8, 0.8).astype(np.float32)
    recording = open_recording(write(sound, 48_000, "WAV", "FLOAT"), "x")

    def report(blocks: Iterable[Block]) -> AudioReport:
        meter = Meter(recording)
        assert sum(map(len, meter.watch(blocks))) == 150_000
        times = meter.frame_times
        return meter.report((times >= 0.5) & (times < 2.5), 2.0)

    cuts = sorted(points) if step is None else list(range(step, 150_000, step))
    whole = report([sound])
    assert whole.bandwidth_hz is not None
    assert report(np.split(sound, cuts)) == whole


@pytest.mark.parametrize("kind", ["m4a", "webm"])
def test_bandwidth_where_the_frames_of_a_codec_are_short(kind: str, speech: Waveform) -> None:
    """AAC and Opus come in 20 ms, which is less than the doctor's window at 48 kHz."""
    narrow = soxr.resample(soxr.resample(speech.samples, 16_000, 8_000), 8_000, 48_000)
    report = examine(encode(kind, 0.3 * narrow, 48_000))
    assert report.bandwidth_hz == pytest.approx(3_700, abs=400)
    assert about(report, "narrow band")


@pytest.mark.parametrize("offset", [0.02, -0.1])
def test_a_constant_offset_is_no_noise(offset: float, speech: Waveform) -> None:
    """Cheap sound cards add one."""
    draw = np.random.default_rng(1)
    quiet = np.zeros(16_000, dtype=np.float32)
    sound = np.concatenate([quiet, speech.samples, quiet]) + 1e-3 * draw.standard_normal(80_000).astype(np.float32)
    plain = examine(Waveform(sound, 16_000), (1.0, 4.0))
    moved = examine(Waveform(sound + np.float32(offset), 16_000), (1.0, 4.0))
    assert moved.snr_db == pytest.approx(plain.snr_db, abs=0.1)
    assert not about(moved, "noisy")


def test_little_speech_or_none(noise: Waveform, speech: Waveform) -> None:
    assert about(examine(noise, (9.0, 9.0)), "no speech found")
    assert about(examine(noise.cut(0.0, 0.001), (9.0, 9.0)), "no speech found")
    assert about(examine(speech, (1.0, 1.3)), "only 0.3 s of speech")
    for report in (examine(speech, (1.0, 1.5)), examine(speech)):  # enough; nobody looked
        assert not about(report, "speech")


def test_damage_comes_first(speech: Waveform) -> None:
    data = write(speech.samples, 16_000)
    report = examine(data[: len(data) // 2])
    assert report.warnings[0].startswith("promises 3.0 s but holds 1.5 s")
    assert report.declared == pytest.approx(3.0)
    assert report.seconds == pytest.approx(1.5, abs=0.01)
