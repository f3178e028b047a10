from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import modelmakers as make
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import samevoice as sv
from samevoice.audio.waveform import Waveform
from samevoice.features.frontend import Frontend, build_frontend
from samevoice.models import store
from samevoice.models.card import ModelCard, Window
from samevoice.models.describer import Cut, Describer, Pooled, describer_of
from samevoice.models.encoder import Encoder
from samevoice.models.frames import EPSILON, SEQUENCE, Pooling, split
from samevoice.models.onnxfile import read_tensors, with_output
from samevoice.runtime import open_session

Array = NDArray[np.float32]
SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="module")
def campplus() -> tuple[ModelCard, bytes]:
    """CAM++ as it was pulled."""
    return store.load("campplus")


@pytest.fixture(scope="module")
def encoder(campplus: tuple[ModelCard, bytes]) -> Encoder:
    """Its network."""
    return Encoder(*campplus, threads=1)


@pytest.fixture(scope="module")
def frontend(encoder: Encoder) -> Frontend:
    """Its front end."""
    assert encoder.card.frontend is not None
    return build_frontend(encoder.card.frontend)


@pytest.fixture(scope="module")
def features(frontend: Frontend) -> Array:
    """Features of 3 s of real speech, (1, frames, bands)."""
    sound, _ = soundfile.read(SAMPLES / "librispeech_1255_a.flac", frames=48_000, dtype="float32")
    return frontend(Waveform(sound, 16_000))[None]


@pytest.fixture(scope="module")
def pooling(encoder: Encoder) -> Pooling:
    """What pools its moments."""
    assert encoder.pooling is not None
    return encoder.pooling


def unit(rows: Array) -> Array:
    """Rows of length one."""
    found: Array = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found


@pytest.mark.parametrize("frames", [20, 77, 298])
def test_all_moments_make_the_networks_own_embedding(
    encoder: Encoder, pooling: Pooling, features: Array, frames: int
) -> None:
    part = features[:, :frames]
    (sequence,) = encoder.sequence(part)
    assert sequence.shape == (pooling.weight.shape[1] // 2, -(-frames // 2))
    found, own = pooling(sequence, np.ones((1, sequence.shape[1]), dtype=np.bool_)), encoder(part)
    np.testing.assert_allclose(unit(found), unit(own), atol=1e-5)
    np.testing.assert_allclose(found, own, atol=1e-5 * float(np.linalg.norm(own)))


def direct(graph: bytes, sequence: Array, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The embedding of one choice of moments, step by step and in double precision."""
    tensors = read_tensors(graph)
    weight = tensors["xvector.dense.linear.weight"][:, :, 0].astype(np.float64)
    mean, variance = (
        tensors[f"xvector.dense.nonlinear.batchnorm.running_{name}"].astype(np.float64) for name in ("mean", "var")
    )
    moments = sequence[:, chosen].astype(np.float64)
    pooled = np.concatenate([moments.mean(axis=1), moments.std(axis=1, ddof=1)])
    found: NDArray[np.float64] = (weight @ pooled - mean) / np.sqrt(variance + EPSILON)
    return found


def test_chosen_moments_make_what_they_make_by_themselves(
    campplus: tuple[ModelCard, bytes], encoder: Encoder, pooling: Pooling, features: Array
) -> None:
    (sequence,) = encoder.sequence(features)
    count, generator = sequence.shape[1], np.random.default_rng(0)
    chosen = np.stack([generator.random(count) < share for share in (0.1, 0.3, 0.7, 0.95)])
    chosen = np.concatenate([chosen, np.zeros((2, count), dtype=np.bool_)])
    chosen[4, [3, 90]] = chosen[5, 10:12] = True  # two are enough
    found = pooling(sequence, chosen)
    for row, mask in zip(found, chosen, strict=True):
        expected = direct(campplus[1], sequence, mask)
        np.testing.assert_allclose(row, expected, atol=2e-5 * float(np.linalg.norm(expected)))


def test_far_from_nought_no_digits_are_lost() -> None:
    generator = np.random.default_rng(1)
    sequence = (100 + generator.standard_normal((8, 500))).astype(np.float32)
    chosen = generator.random((3, 500)) < 0.4
    pooling = Pooling(np.eye(16, dtype=np.float32), np.zeros(16, np.float32), np.ones(16, np.float32))
    for row, mask in zip(pooling(sequence, chosen), chosen, strict=True):
        moments = sequence[:, mask].astype(np.float64)
        np.testing.assert_allclose(row[:8], moments.mean(axis=1), rtol=1e-6)
        np.testing.assert_allclose(row[8:], moments.std(axis=1, ddof=1), rtol=1e-4)


def test_moments_that_are_alike_have_a_deviation_of_about_nought() -> None:
    pooling = Pooling(np.eye(6, dtype=np.float32), np.zeros(6, np.float32), np.ones(6, np.float32))
    sequence = np.tile(np.array([[0.1], [7.7], [0.0]], dtype=np.float32), (1, 40))
    found = pooling(sequence, np.ones((1, 40), dtype=np.bool_))
    np.testing.assert_allclose(found[0], [0.1, 7.7, 0, 0, 0, 0], atol=3e-3)


def test_what_is_not_asked_for_changes_nothing(campplus: tuple[ModelCard, bytes], features: Array) -> None:
    card, graph = campplus
    plain, more = (open_session(each, card.name, threads=1) for each in (graph, with_output(graph, SEQUENCE)))
    assert [one.name for one in more.get_outputs()] == [plain.get_outputs()[0].name, SEQUENCE]
    name = plain.get_outputs()[0].name
    feed = {plain.get_inputs()[0].name: features}
    assert plain.run([name], feed)[0].tobytes() == more.run([name], feed)[0].tobytes()
    assert plain.run([name], feed)[0].tobytes() == Encoder(card, graph, threads=1)(features).tobytes()


def test_other_networks_are_not_split(campplus: tuple[ModelCard, bytes]) -> None:
    assert split(b"") is None
    assert split(make.graph()) is None
    assert split(store.load("ge2e")[1]) is None
    assert Encoder(make.card(), make.graph(), threads=1).pooling is None
    graph = campplus[1]
    assert split(graph) is not None
    for name in (SEQUENCE, "xvector.dense.linear.weight", "xvector.dense.nonlinear.batchnorm.running_var"):
        other = name[:-1] + "_"
        assert split(graph.replace(name.encode(), other.encode())) is None


def test_moments_that_are_not_finite_are_refused(encoder: Encoder, features: Array) -> None:
    with pytest.raises(sv.ModelError, match="not finite; check the recording"):
        encoder.sequence(np.full_like(features, np.inf))
    with pytest.raises(ValueError, match="takes features"):
        encoder.sequence(features[:, :, 1:])


@pytest.fixture(scope="module", params=["pooled", "cut"])
def describer(request: pytest.FixtureRequest, encoder: Encoder, frontend: Frontend, pooling: Pooling) -> Describer:
    """Both ways to describe moments, of one network."""
    level = encoder.card.level_dbfs
    return Pooled(encoder, frontend, pooling, level) if request.param == "pooled" else Cut(encoder, frontend, level)


def test_the_quicker_way_is_chosen_where_there_is_one(encoder: Encoder, frontend: Frontend) -> None:
    assert isinstance(describer_of(encoder, frontend, None), Pooled)
    assert isinstance(describer_of(Encoder(make.card(), make.graph(), threads=1), frontend, None), Cut)


def test_all_moments_of_a_window_make_the_embedding_of_the_front_end_and_the_network(
    describer: Describer, encoder: Encoder, features: Array, speech: Waveform
) -> None:
    window = encoder.card.window
    assert window is not None
    assert features.shape[1] <= window.frames
    sequence = describer.sequence(speech.samples)
    found = describer.embed(sequence, np.ones((1, sequence.shape[1]), dtype=np.bool_))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, unit(encoder(features)), atol=2e-5)


def test_moments_are_where_they_are_said_to_be(describer: Describer, speech: Waveform) -> None:
    """A click changes the moments around it, and those far away hardly."""
    samples = (1e-4 * np.sign(speech.samples)).astype(np.float32)
    loud = samples.copy()
    place = 24_000
    loud[place - 40 : place + 40] = 0.5
    before, after = describer.sequence(samples), describer.sequence(loud)
    assert before.shape == after.shape
    assert (before.shape[1] - 1) * describer.stride + describer.centre < len(samples)
    assert before.shape[1] * describer.stride > len(samples) - 1_600
    if isinstance(describer, Cut):  # features alone, each of which looks at its own samples
        changed = np.abs(after - before).max(axis=0)
        middle = float(np.mean(np.flatnonzero(changed > 1))) * describer.stride + describer.centre
        assert abs(middle - place) <= describer.stride


def test_too_few_moments_give_nothing(describer: Describer, speech: Waveform) -> None:
    sequence = describer.sequence(speech.samples)
    chosen = np.zeros((4, sequence.shape[1]), dtype=np.bool_)
    chosen[1, 5] = True
    chosen[2:, :120] = True
    found = describer.embed(sequence, chosen)
    np.testing.assert_array_equal(found[:2], 0)
    np.testing.assert_allclose(np.linalg.norm(found[2:], axis=1), 1, rtol=1e-5)
    chosen[1, 6] = True
    assert describer.embed(sequence, chosen).any(axis=1).tolist() == [False, isinstance(describer, Pooled), True, True]
    assert describer.embed(sequence, chosen[:0]).shape == (0, describer.dimension)


def test_a_stretch_that_holds_no_frame_has_no_moments(describer: Describer) -> None:
    for count in (0, 100):
        sequence = describer.sequence(np.zeros(count, dtype=np.float32))
        assert sequence.shape[1] == 0
        np.testing.assert_array_equal(describer.embed(sequence, np.zeros((2, 0), dtype=np.bool_)), 0)


def test_both_ways_hear_the_same_voice_in_a_half(
    encoder: Encoder, frontend: Frontend, pooling: Pooling, speech: Waveform
) -> None:
    halves = []
    for describer in (Pooled(encoder, frontend, pooling, None), Cut(encoder, frontend, None)):
        sequence = describer.sequence(speech.samples)
        chosen = np.zeros((2, sequence.shape[1]), dtype=np.bool_)
        chosen[0, : sequence.shape[1] // 2] = chosen[1, sequence.shape[1] // 2 :] = True
        halves.append(describer.embed(sequence, chosen))
    assert (np.sum(halves[0] * halves[1], axis=1) > 0.9).all()
    assert (halves[0] @ halves[1].T).min() > 0.5  # not the same moments, but the same voice


def test_quiet_sound_is_raised_to_the_level_of_the_model(
    encoder: Encoder, frontend: Frontend, speech: Waveform
) -> None:
    quiet = (speech.samples * 10**-2).astype(np.float32)
    for kind in (Cut(encoder, frontend, -30.0), describer_of(encoder, frontend, -30.0)):
        np.testing.assert_allclose(kind.sequence(quiet), kind.sequence(speech.samples * np.float32(1e-1)), atol=0.05)


def test_loud_sound_is_left_alone(encoder: Encoder, frontend: Frontend, speech: Waveform) -> None:
    plain, levelled = (Cut(encoder, frontend, level).sequence(speech.samples) for level in (None, -80.0))
    np.testing.assert_array_equal(plain, levelled)


def test_of_more_than_a_window_the_first_is_cut(
    campplus: tuple[ModelCard, bytes], frontend: Frontend, speech: Waveform
) -> None:
    most = 120
    encoder = Encoder(replace(campplus[0], window=Window(most, 60)), campplus[1], threads=1)
    describer = Cut(encoder, frontend, None)
    sequence = describer.sequence(speech.samples)
    count = sequence.shape[1]
    chosen = np.ones((4, count), dtype=np.bool_)
    chosen[1, most:] = chosen[2, :-100] = chosen[3, ::2] = False
    found = describer.embed(sequence, chosen)
    np.testing.assert_array_equal(found[0], found[1])
    for row in (1, 2, 3):
        part = frontend.normalise(sequence[:, chosen[row]][:, :most].T)
        np.testing.assert_allclose(found[row], unit(encoder(part[None]))[0], atol=1e-5)


def test_a_choice_needs_as_much_speech_as_the_model(encoder: Encoder, frontend: Frontend, speech: Waveform) -> None:
    describer = Cut(encoder, frontend, None)
    sequence = describer.sequence(speech.samples)
    least = round(encoder.card.min_speech * encoder.card.rate / frontend.hop)
    chosen = np.arange(sequence.shape[1]) < np.array([[least - 1], [least]])
    assert describer.embed(sequence, chosen).any(axis=1).tolist() == [False, True]
