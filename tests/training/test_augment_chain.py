"""The chain of steps: its options, its chances, and that nothing but the generator decides."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samevoice.audio.waveform import Samples, Waveform
from samevoice.effects.codecs import CODECS, available
from samevoice.errors import ConfigError
from samevoice.training.augment import Augmenter, augment_options
from samevoice.training.augment.options import CODEC_NAMES

RATE = 16_000
STEPS: dict[str, dict[str, Any]] = {
    "room": {"chance": 1},
    "noise": {"chance": 1, "sounds": [1, 3]},
    "colour": {"chance": 1},
    "band": {"chance": 1},
    "codec": {"chance": 1, "names": ["ulaw", "mp3", "gsm"]},
    "gain": {"chance": 1, "db": [6, 6]},
}
SOUNDS = [np.random.default_rng(seed).standard_normal(9_000).astype(np.float32) for seed in (1, 2)]
RESPONSES = [np.array([0.1, -1, 0.5, 0.2], dtype=np.float32)]
AUGMENTERS = [
    Augmenter(augment_options(STEPS), RATE),
    Augmenter(augment_options(STEPS), RATE, noises=SOUNDS, responses=RESPONSES),
]


def heard(table: dict[str, Any], samples: Samples, seed: int = 0, **given: Any) -> Samples:
    return Augmenter(augment_options(table), RATE, **given)(samples, np.random.default_rng(seed))


@settings(max_examples=80)
@given(
    st.sampled_from(AUGMENTERS),
    st.one_of(st.integers(1, 50), st.integers(1, 3 * RATE)),
    st.sampled_from(["noise", "silence", "constant", "click", "square"]),
    st.sampled_from([1e-44, 1e-30, 1e-9, 1e-3, 1.0, 100.0]),
    st.integers(0, 2**32),
)
def test_any_sound_comes_back_finite_and_as_long(
    augmenter: Augmenter, size: int, kind: str, level: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    shapes = {
        "noise": random.standard_normal(size),
        "silence": np.zeros(size),
        "constant": np.ones(size),
        "click": np.arange(size) == size // 2,
        "square": np.sign(np.sin(np.arange(size) / 7)),
    }
    samples = (level * shapes[kind]).astype(np.float32)
    samples.flags.writeable = False
    result = augmenter(samples, random)
    assert result.shape == (size,)
    assert result.dtype == np.float32
    assert np.isfinite(result).all()
    if kind == "silence":
        assert not result.any()


def test_equal_seeds_give_equal_bits_in_two_threads_at_once(speech: Waveform) -> None:
    augmenter = AUGMENTERS[1]

    def run(seeds: list[int]) -> dict[int, bytes]:
        clip = speech.samples[:RATE]
        return {seed: augmenter(clip, np.random.default_rng(seed)).tobytes() for seed in seeds}

    seeds = list(range(25))
    with ThreadPoolExecutor(2) as pool:
        forwards, backwards = pool.map(run, (seeds, seeds[::-1]))
    assert forwards == backwards == run(seeds)
    assert len(set(forwards.values())) == len(seeds)


@pytest.mark.parametrize("name", STEPS)
def test_each_step_happens_as_often_as_asked(name: str, speech: Waveform) -> None:
    clip = speech.samples[:400]
    count = {}
    for chance in (0, 0.25, 1):
        augmenter = Augmenter(augment_options({name: STEPS[name] | {"chance": chance}}), RATE)
        random = np.random.default_rng(5)
        count[chance] = sum(not np.array_equal(augmenter(clip, random), clip) for _ in range(200))
    assert count[0] == 0
    assert count[1] == 200
    assert 30 < count[0.25] < 70  # 50 +- 3 sigma


def test_without_steps_the_sound_stays(speech: Waveform) -> None:
    assert heard({}, speech.samples) is speech.samples


def test_noise_is_at_the_ratio_of_the_recipe_and_of_the_given_sounds(speech: Waveform) -> None:
    hum = np.sin(2 * np.pi * 1_000 * np.arange(RATE) / RATE).astype(np.float32)
    for snr in (0, 15):
        noise = heard({"noise": {"chance": 1, "snr": [snr, snr]}}, speech.samples, noises=[hum]) - speech.samples
        assert 10 * np.log10(np.var(speech.samples) / np.var(noise)) == pytest.approx(snr, abs=0.02)
        assert np.abs(np.fft.rfft(noise)).argmax() == 3_000


def test_the_given_responses_are_used(speech: Waveform) -> None:
    echo = np.zeros(4_000, dtype=np.float32)
    echo[0], echo[3_999] = 1, 0.5
    wet = heard({"room": {"chance": 1}}, speech.samples, responses=[echo])
    expected = speech.samples.copy()
    expected[3_999:] += 0.5 * speech.samples[:-3_999]
    expected *= np.linalg.norm(speech.samples) / np.linalg.norm(expected)
    np.testing.assert_allclose(wet, expected, atol=1e-5)


def test_noise_comes_before_the_telephone_and_gain_last(speech: Waveform) -> None:
    table: dict[str, Any] = {"noise": {"chance": 1, "snr": [0, 0], "tilt": [0, 0]}, "gain": {"chance": 1, "db": [6, 6]}}
    plain = heard(table, speech.samples)
    narrow = heard(table | {"band": {"chance": 1, "telephone": 1}}, speech.samples)
    above = np.fft.rfftfreq(len(plain), 1 / RATE) > 3_600
    power_before, power_after = (np.sum(np.abs(np.fft.rfft(one)[above]) ** 2) for one in (plain, narrow))
    assert power_after < 1e-4 * power_before
    loud = heard({"codec": {"chance": 1, "names": ["ulaw"]}, "gain": {"chance": 1, "db": [40, 40]}}, speech.samples)
    assert np.abs(loud).max() > 10  # not clipped by the codec


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"nose": {}}, "augment has an unknown key 'nose'; it takes room, noise, colour, band, codec, gain"),
        ({"noise": {"snrs": [0, 1]}}, r"augment\.noise has an unknown key 'snrs'; it takes chance, snr"),
        ({"noise": 0.5}, r"augment\.noise must be a table"),
        ({"noise": {"chance": 1.5}}, r"augment\.noise\.chance must be a number at least 0 and at most 1, got 1\.5"),
        ({"noise": {"chance": float("nan")}}, r"augment\.noise\.chance"),
        ({"noise": {"snr": [20, 0]}}, r"augment\.noise\.snr must be a lowest and a highest value"),
        ({"noise": {"snr": [20]}}, r"augment\.noise\.snr must be a lowest and a highest value"),
        ({"noise": {"snr": 20}}, r"augment\.noise\.snr must be a list"),
        ({"noise": {"sounds": [0, 2]}}, r"augment\.noise\.sounds must be a whole number from 1 to 20"),
        ({"noise": {"tilt": [0, 3]}}, r"augment\.noise\.tilt"),
        ({"room": {"chance": -1}}, r"augment\.room\.chance"),
        ({"room": {"rt60": [0, 1]}}, r"augment\.room\.rt60 must be a number at least 0\.02"),
        ({"room": {"direct": [0, 999]}}, r"augment\.room\.direct"),
        ({"colour": {"db": -1}}, r"augment\.colour\.db"),
        ({"colour": {"knots": 1}}, r"augment\.colour\.knots"),
        ({"colour": {"chance": 2}}, r"augment\.colour\.chance"),
        ({"band": {"top": [1, 2]}}, r"augment\.band\.top"),
        ({"band": {"telephone": 2}}, r"augment\.band\.telephone"),
        ({"band": {"chance": 2}}, r"augment\.band\.chance"),
        ({"gain": {"db": [-100, 0]}}, r"augment\.gain\.db"),
        ({"gain": {"chance": 2}}, r"augment\.gain\.chance"),
        ({"codec": {"chance": 2}}, r"augment\.codec\.chance"),
        ({"codec": {"names": []}}, r"augment\.codec\.names is empty; name some of mp3, opus"),
        ({"codec": {"names": ["mp4"]}}, r"augment\.codec\.names: 'mp4' is unknown; use some of mp3, opus"),
    ],
)
def test_options_that_cannot_be_honoured_are_named(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        augment_options(table)


def test_the_options_name_the_codecs_that_there_are() -> None:
    assert tuple(CODECS) == CODEC_NAMES


def test_a_codec_that_is_not_there_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)  # as if PyAV were not installed
    available.cache_clear()
    try:
        assert not {"amr", "aac"} & set(available())
        assert "mp3" in available()
        with pytest.raises(ConfigError, match=r"names: 'amr' does not work here: .*PyAV.*leave it out"):
            Augmenter(augment_options({"codec": {"names": ["mp3", "amr"]}}), 16_000)
        monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
        with pytest.raises(ConfigError, match=r"needs PyAV; pip install 'samevoice\[media\]', or leave it out"):
            Augmenter(augment_options({"codec": {"names": ["amr"]}}), 16_000)
    finally:
        available.cache_clear()
