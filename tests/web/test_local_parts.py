"""The modules that work on this device give what those of the library give: features, speech, windows, decisions."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from localmakers import SAMPLES, shipped_detector, shipped_model
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page
from webmakers import opened

from samevoice.audio.resample import resample
from samevoice.audio.waveform import Waveform
from samevoice.features.frontend import FrontendSpec, build_frontend
from samevoice.models import zoo
from samevoice.scoring.calibration import Calibration
from samevoice.scoring.decision import decide
from samevoice.speech.vad import Hysteresis
from samevoice.verification import calibration_of

if TYPE_CHECKING:
    from servicemakers import Running

pytest_plugins = ["webfixtures"]

RATE = 16_000
UNPACK = "const unpack = (text) => new Float32Array(Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0)).buffer);"


@pytest.fixture(scope="module")
def lab(browser: Browser, site: Running) -> Iterator[Page]:
    """A page whose modules tests may call; it may compile WebAssembly itself."""
    with opened(browser, site.url, bypass_csp=True) as page:
        yield page


def sound_of(path: Path) -> Waveform:
    """A sample at 16 kHz."""
    samples, rate = soundfile.read(path, dtype="float32")
    return resample(Waveform(samples, rate), RATE)


def packed(numbers: NDArray[np.float32]) -> str:
    """Numbers for `unpack`."""
    return base64.b64encode(numbers.astype("<f4").tobytes()).decode()


def called(page: Page, module: str, body: str, given: Any = None) -> Any:
    """What a script returns that has everything of a module of `js/local/` at hand, and `given`."""
    script = f"async (given) => {{ {UNPACK} const it = await import('/js/local/{module}.js'); {body} }}"
    return page.evaluate(script, given)


RATES = [("wav", 8_000), ("wav", 16_000), ("wav", 44_100), ("flac", 22_050), ("flac", 96_000), ("ogg", 44_100)]
RATES += [("mp3", 48_000), ("mp3", 22_050), ("mp3", 11_025), ("mp3", 16_000)]


@pytest.mark.parametrize(("kind", "rate"), RATES)
def test_a_file_has_the_rate_that_its_head_tells(lab: Page, tmp_path: Path, kind: str, rate: int) -> None:
    path = tmp_path / f"tone.{kind}"
    soundfile.write(path, 0.1 * np.sin(np.arange(rate) / 9), rate)
    plain = path.read_bytes()
    tag = b"ID3\x04\x00\x00\x00\x00\x02\x05" + bytes(2 * 128 + 5)
    for content in (plain, tag + plain) if kind == "mp3" else (plain,):
        assert called(lab, "resample", "return it.rateOf(Uint8Array.from(given));", [*content]) == rate


@pytest.mark.parametrize(
    "head",
    [b"", b"RIFF", b"RIFF\x04\0\0\0WAVEjunk" + bytes(40), b"fLaC", b"OggS" + bytes(90), b"\xff\xf1\x50\x80", bytes(50)],
)
def test_a_head_that_tells_nothing_does_no_harm(lab: Page, head: bytes) -> None:
    assert called(lab, "resample", "return it.rateOf(Uint8Array.from(given));", [*head]) == 48_000


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_sound_of_any_rate_becomes_that_of_the_library(lab: Page, rate: int) -> None:
    draw = np.random.default_rng(3)
    smooth = np.convolve(draw.normal(0, 0.1, rate // 2), [0.25, 0.5, 0.25], mode="same").astype(np.float32)
    found = np.array(called(lab, "resample", f"return [...it.resampled(unpack(given), {rate})];", packed(smooth)))
    wanted = resample(Waveform(smooth, rate), RATE).samples
    assert len(found) == len(wanted)
    difference = np.sqrt(np.mean((found - wanted)[400:-400] ** 2)) / np.sqrt(np.mean(wanted**2))
    assert difference < 0.003


@pytest.mark.parametrize("sample", SAMPLES)
def test_features_are_those_of_the_library(lab: Page, samples: Path, sample: str) -> None:
    sound = sound_of(samples / sample).samples
    found = np.array(called(lab, "fbank", "return [...it.fbank(unpack(given))];", packed(sound))).reshape(-1, 80)
    wanted = build_frontend(FrontendSpec("kaldi-fbank", RATE, 80)).frames(sound)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() < 1e-3


def test_features_of_silence_and_of_nothing(lab: Page) -> None:
    script = "return [...it.fbank(new Float32Array(given))];"
    assert called(lab, "fbank", script, 399) == []
    found = called(lab, "fbank", script, 560)
    assert len(found) == 160
    assert found == pytest.approx([np.log(np.finfo(np.float32).eps)] * 160, abs=1e-6)


@pytest.mark.parametrize("sample", SAMPLES)
def test_speech_is_found_where_the_library_finds_it(lab: Page, samples: Path, sample: str) -> None:
    script = """
        const ort = await import("/vendor/onnxruntime/ort.wasm.min.mjs");
        const {fbank, count} = await import("/js/local/fbank.js");
        const place = location.origin + "/vendor/onnxruntime/ort-wasm-simd-threaded";
        const {body} = await fetch(place + ".wasm.gz");
        Object.assign(ort.env.wasm, {numThreads: 1, wasmPaths: {mjs: place + ".mjs"}});
        ort.env.wasm.wasmBinary = await new Response(body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
        const session = await ort.InferenceSession.create("/models/vad.onnx", {executionProviders: ["wasm"]});
        const samples = unpack(given);
        const frames = count(samples.length);
        const {speech} = await session.run({features: new ort.Tensor("float32", fbank(samples), [1, frames, 80])});
        const found = it.segments(speech.data, samples.length / 16000);
        return {probabilities: [...speech.data], found, seconds: it.duration(found), frames: it.spoken(found, frames)};
    """
    sound = sound_of(samples / sample)
    told = called(lab, "vad", script, packed(sound.samples))
    detector = shipped_detector()
    probabilities, _ = detector.probabilities([sound])
    assert len(told["probabilities"]) == len(probabilities)
    assert np.abs(np.array(told["probabilities"]) - probabilities).max() < 1e-3
    speech = detector([sound])
    assert [(one["start"], one["end"]) for one in told["found"]] == [(one.start, one.end) for one in speech]
    assert told["seconds"] == pytest.approx(speech.duration)
    covered = speech.covers((np.arange(1 + (len(sound.samples) - 400) // 160) * 160 + 200) / RATE)
    assert told["frames"] == np.flatnonzero(covered).tolist()
    assert told["frames"]


def test_probabilities_become_segments_as_in_the_library(lab: Page) -> None:
    script = "return given.map((track) => it.segments(Float32Array.from(track), 2.41));"
    draw = np.random.default_rng(5)
    walks = np.clip(0.4 + np.cumsum(draw.normal(0, 0.12, (300, 120)), axis=1), 0, 1).astype(np.float32)
    walks[0], walks[1] = 0, 1
    wanted = [[(one.start, one.end) for one in Hysteresis().segments(track, 0.02, 2.41)] for track in walks]
    found = called(lab, "vad", script, walks.tolist())
    assert [[(one["start"], one["end"]) for one in track] for track in found] == wanted
    assert len({len(track) for track in wanted}) > 3  # the tracks are of many kinds


def test_long_speech_is_cut_as_in_the_library(lab: Page) -> None:
    script = "return given.map((total) => it.windows(total, {frames: 300, hop: 150}).map(([start]) => start));"
    totals = [1, 299, 300, 301, 302, 449, 450, 451, 599, 1000, 1501, 9999]
    found = called(lab, "embed", script, totals)
    for total, starts in zip(totals, found, strict=True):
        spans = max(-(-(total - 300) // 150), 0) + 1
        assert starts == np.round(np.linspace(0, max(total - 300, 0), spans)).astype(int).tolist()


@pytest.mark.parametrize("source", ["small", "campplus", "coarse"])
def test_decisions_are_those_of_the_library(lab: Page, source: str) -> None:
    calibration = calibration_of(shipped_model())
    if source != "small" or calibration is None:
        plain = zoo.entry("campplus").card.calibration
        assert plain is not None
        calibration = Calibration.from_json(plain)
    if source == "coarse":  # too few people for "same", and nobody knows how long is enough
        calibration = Calibration.from_json(
            {
                **calibration.to_json(),
                "max_llr": 2.5,
                "reached": (),
                "rates": (0.3, 0.2),
                "thresholds": calibration.thresholds[:2],
            }
        )
    trials = [
        (score, (first, second))
        for score in np.linspace(-1, 1, 81).tolist()
        for first, second in [(0.1, 9.0), (0.61, 0.6), (1.7, 2.2), (3.0, 4.5), (30.0, 11.3)]
    ]
    script = "return given[0].map(([score, speech]) => it.decide(score, speech, given[1], 'it'));"
    found = called(lab, "decide", script, [trials, calibration.to_json()])
    for (score, speech), told in zip(trials, found, strict=True):
        wanted = decide(score, speech, calibration, model="it").to_json()
        del wanted["calibration"]
        numbers = ("llr", "probability", "threshold", "more_speech")
        assert {key: told.pop(key) for key in numbers} == pytest.approx(
            {key: wanted.pop(key) for key in numbers}, abs=1e-9
        )
        assert told == wanted | {"speech": list(speech), "warnings": []}
    assert {told["verdict"] for told in found} == (
        {"unsure", "different"} if source == "coarse" else {"same", "unsure", "different"}
    )


def test_speech_of_many_windows(lab: Page, samples: Path) -> None:
    """Longer than the card's window: the frames that the library would choose, window by window."""
    sound = np.concatenate(
        [sound_of(samples / name).samples for name in ("librispeech_1255_a.flac", "philippe_1.flac")] * 3
    )
    card = json.loads(shipped_model().card.to_json())
    card["window"] = {"frames": 400, "hop": 200}
    script = """
        const [text, card] = given;
        const lengths = [];
        const speaker = async (features, frames) => {
            lengths.push(frames);
            return features.slice(0, card.dimension);
        };
        const vad = async (features, frames) => new Float32Array(Math.ceil(frames / 2)).fill(1);
        const {vector} = await it.embed(unpack(text), card, {vad, speaker});
        return {lengths, vector: [...vector]};
    """
    told = called(lab, "embed", script, [packed(sound), card])
    features = build_frontend(FrontendSpec("kaldi-fbank", RATE, 80)).frames(sound)
    total = len(features)
    spans = -(-(total - 400) // 200) + 1
    assert told["lengths"] == [400] * spans
    vectors = []
    for start in np.round(np.linspace(0, total - 400, spans)).astype(int):
        window = features[start : start + 400]
        first = (window - window.mean(axis=0)).ravel()[: card["dimension"]]
        vectors.append(first / np.linalg.norm(first))
    mean = np.mean(vectors, axis=0)
    assert np.array(told["vector"]) == pytest.approx(mean / np.linalg.norm(mean), abs=1e-4)
