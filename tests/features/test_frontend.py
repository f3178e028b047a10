"""What every front end promises, whatever its recipe."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samevoice.audio.waveform import Waveform
from samevoice.errors import AudioError, ModelError
from samevoice.features.frontend import FrontendSpec, build_frontend
from samevoice.features.kinds import KINDS, default_spec

SPECS = {
    "kaldi-fbank": FrontendSpec("kaldi-fbank", 16_000, 80),
    "log-mel": FrontendSpec("log-mel", 48_000, 80),
    "mel-power": FrontendSpec("mel-power", 16_000, 40),
    "psf-64": FrontendSpec("psf-64", 16_000, 64),
    "spectrogram": FrontendSpec("spectrogram", 22_050, 227),
}
PADDED = ("log-mel", "psf-64", "spectrogram")
every_kind = pytest.mark.parametrize("kind", SPECS)


def sound(count: int, seed: int = 3) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(0, 0.1, count).astype(np.float32)


@every_kind
def test_a_spec_survives_json(kind: str) -> None:
    frontend = build_frontend(FrontendSpec(**json.loads(json.dumps(asdict(SPECS[kind])))))
    assert frontend.spec == SPECS[kind]


@every_kind
@settings(max_examples=20)
@given(length=st.integers(1, 12_000), points=st.lists(st.integers(0, 12_000), max_size=6))
def test_a_walk_in_blocks_equals_the_whole(kind: str, length: int, points: list[int]) -> None:
    frontend = build_frontend(SPECS[kind])
    samples = sound(length)
    walked = np.concatenate(list(frontend.walk(np.split(samples, sorted(min(point, length) for point in points)))))
    assert walked.shape == (frontend.count(length), frontend.spec.bands)
    if len(walked):
        np.testing.assert_allclose(frontend.normalise(walked), frontend(samples), atol=1e-5)


@every_kind
def test_a_walk_through_nothing_gives_no_frames(kind: str) -> None:
    frontend = build_frontend(SPECS[kind])
    assert frontend.count(0) == 0
    (nothing,) = frontend.walk([])
    assert nothing.shape == (0, frontend.spec.bands)


@every_kind
def test_a_frame_depends_on_nothing_beyond_its_samples(kind: str) -> None:
    """Frame i of the inside looks at samples i x hop - lead to i x hop + width, and at all of them."""
    frontend = build_frontend(SPECS[kind])
    samples, start = sound(12_000), 5 * frontend.hop
    frame = frontend.frames(samples)[5]
    part = samples[start : start + frontend.lead + frontend.width]
    np.testing.assert_allclose(frontend.frames(part), frame[None], atol=1e-5)
    other = samples.copy()
    other[:start] = other[start + frontend.lead + frontend.width :] = 0.5
    np.testing.assert_allclose(frontend.frames(other)[5], frame, atol=1e-5)


@every_kind
def test_features_are_finite_single_and_leave_the_sound_alone(kind: str) -> None:
    frontend = build_frontend(SPECS[kind])
    for samples in (sound(9_000), np.zeros(9_000, dtype=np.float32), np.ones(9_000, dtype=np.float32)):
        before = samples.copy()
        features = frontend(samples)
        assert features.dtype == np.float32
        assert np.isfinite(features).all()
        np.testing.assert_array_equal(frontend(samples), features)
        np.testing.assert_array_equal(samples, before)


@every_kind
def test_integers_and_doubles_are_the_same_sound(kind: str) -> None:
    frontend = build_frontend(SPECS[kind])
    integers = (32_768 * sound(9_000)).astype(np.int16)
    expected = frontend(integers / 32_768.0)
    np.testing.assert_array_equal(frontend(integers), expected)


@every_kind
def test_a_waveform_is_checked_for_its_rate(kind: str) -> None:
    frontend, samples = build_frontend(SPECS[kind]), sound(9_000)
    rate = frontend.spec.rate
    np.testing.assert_array_equal(frontend(Waveform(samples, rate)), frontend(samples))
    for other in (rate - 1, 44_100):
        message = f"{kind} works at {rate} Hz, the sound has {other} Hz; resample it to {rate} Hz first"
        with pytest.raises(AudioError, match=message):
            frontend(Waveform(samples, other))


@every_kind
@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((2, 9_000), dtype=np.float32), r"samples have shape \(2, 9000\); give one channel of shape \(n,\)"),
        (np.zeros(0, dtype=np.float32), "0 samples hold no frame; give at least"),
        (np.array([0.0, np.nan] * 2_000), "NaN or infinite samples"),
        (np.array([0.0, np.inf] * 2_000), "NaN or infinite samples"),
        (np.full(9_000, 3e4), "divide 16-bit values by 32768"),
        (np.array(["a"] * 9_000), "are not sound"),
    ],
)
def test_what_is_no_sound_is_refused(
    kind: str, samples: np.ndarray[tuple[int], np.dtype[np.generic]], message: str
) -> None:
    with pytest.raises(AudioError, match=message):
        build_frontend(SPECS[kind])(samples)


def test_too_few_samples_name_the_least() -> None:
    for kind in ("kaldi-fbank", "mel-power"):
        frontend = build_frontend(SPECS[kind])
        with pytest.raises(AudioError, match="399 samples hold no frame; give at least 400"):
            frontend(sound(399))
        assert frontend(sound(400)).shape[0] == 1
    for kind in PADDED:
        assert build_frontend(SPECS[kind])(sound(1)).shape[0] == 1


def test_every_kind_is_listed_with_its_usual_recipe() -> None:
    assert list(KINDS) == sorted(SPECS)
    assert {kind: default_spec(kind) for kind in KINDS} == SPECS


def test_an_unknown_kind_is_refused_with_those_that_are_known() -> None:
    message = r"front end 'mfcc' is unknown here; update samevoice \(known: kaldi-fbank, .*, spectrogram\)"
    for make in (default_spec, lambda kind: build_frontend(FrontendSpec(kind, 16_000, 64))):
        with pytest.raises(ModelError, match=message):
            make("mfcc")


def test_the_kinds_are_listed_without_torch() -> None:
    code = "import sys, samevoice.features.kinds; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@every_kind
def test_options_are_refused(kind: str) -> None:
    with pytest.raises(ModelError, match=f"{kind} takes no options, got dither"):
        build_frontend(replace(SPECS[kind], options={"dither": 1.0}))


@pytest.mark.parametrize("kind", PADDED)
def test_a_rate_or_size_it_cannot_do_is_refused(kind: str) -> None:
    spec = SPECS[kind]
    with pytest.raises(
        ModelError, match=f"{kind} works at {spec.rate} Hz, not at 8000 Hz; set the rate to {spec.rate}"
    ):
        build_frontend(replace(spec, rate=8_000))
    with pytest.raises(ModelError, match=f"{kind} gives {spec.bands} bands, not 13; set the bands to {spec.bands}"):
        build_frontend(replace(spec, bands=13))


@pytest.mark.parametrize("kind", ["kaldi-fbank", "mel-power"])
@pytest.mark.parametrize(("rate", "bands"), [(0, 80), (40, 80), (10**9, 80), (16_000, 0), (16_000, 10**9)])
def test_the_impossible_is_refused(kind: str, rate: int, bands: int) -> None:
    with pytest.raises(ModelError, match=f"{kind} cannot do {bands} bands at {rate} Hz; set a rate of 4000"):
        build_frontend(FrontendSpec(kind, rate, bands))
