"""A crop has its length whatever the piece, begins anywhere with equal chance, and is that part of the recording."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trainmakers import FRONTENDS, RATE, crops_of, flac, frontend, listed, ramp, voices

from samevoice.corpora.manifest import Manifest
from samevoice.corpora.pieces import Piece
from samevoice.corpora.sounds import Sounds
from samevoice.effects.speed import change_speed
from samevoice.errors import AudioError
from samevoice.training.crops import Crops, samples_for
from samevoice.training.items import Item, items_of
from samevoice.training.recipe import Crop, Data

RANDOM = np.random.default_rng


@pytest.mark.parametrize("kind", FRONTENDS)
@pytest.mark.parametrize("frames", [1, 2, 17, 160])
def test_a_crop_gives_exactly_its_frames(kind: str, frames: int) -> None:
    front = frontend(kind)
    count = samples_for(front, frames)
    noise = (0.1 * RANDOM(0).standard_normal(count + front.hop)).astype(np.float32)
    assert front(noise[:count]).shape == (frames, front.spec.bands)
    assert front.count(count) == frames
    whole = count == (frames - 1) * front.hop + front.width  # each frame looks at recorded sound alone
    assert whole or front.count(count + 1) == frames + 1


@pytest.mark.parametrize("kind", FRONTENDS)
@pytest.mark.parametrize("fill", ["repeat", "silence"])
@pytest.mark.parametrize("speed", [0.5, 0.9, 1.0, 1.1, 2.0])
@settings(max_examples=6)
@given(data=st.data())
def test_every_crop_is_as_long_as_asked(
    tmp_path_factory: pytest.TempPathFactory, kind: str, fill: str, speed: float, data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("one")
    seconds = data.draw(st.sampled_from([0.03, 0.5, 0.77777, 1.6]) | st.floats(0.001, 1.6))
    manifest = voices(root, (1,), seconds=max(1, round(seconds * RATE)) / RATE)
    crops = crops_of(manifest, kind, frames=40, fill=fill)
    pieces = data.draw(st.sampled_from([0.0, 0.3]))
    for item in items_of(manifest, Data(pieces=pieces, speeds=(speed,))).items:
        samples, own, *_ = crops.take(item, RANDOM(1))
        assert samples.shape == (crops.length,)
        assert samples.dtype == np.float32
        assert crops.frontend(samples).shape[0] == 40
        heard = min(crops.length, item.piece.seconds * crops.frontend.spec.rate / speed)
        if fill == "silence":
            assert own == pytest.approx(heard, abs=2)
        else:
            assert own == crops.length
        assert not samples[own:].any()


def starts(crops: Crops, item: Item, count: int) -> np.ndarray:
    """The first sample of many crops of a ramp, which is its number."""
    random = RANDOM(3)
    found = []
    for _ in range(count):
        samples, *_ = crops.take(item, random)
        first = round(float(samples[0]) * 32768)
        np.testing.assert_array_equal(np.rint(samples * 32768), first + np.arange(len(samples)))
        found.append(first)
    return np.array(found)


@pytest.mark.parametrize("begin", [0.0, 0.25])
def test_every_start_is_equally_likely_the_first_and_the_last_too(tmp_path: Path, begin: float) -> None:
    length = samples_for(frontend(), 10)
    manifest = ramp(tmp_path, 1.5)
    crops = crops_of(manifest, cache=1 << 20)
    piece = Piece(manifest.utterances[0], begin, (length + 7) / RATE)
    found = starts(crops, Item(piece, 1.0), 4000) - round(begin * RATE)
    counts = np.bincount(found, minlength=8)
    assert len(counts) == 8
    chi = float(((counts - 500) ** 2 / 500).sum())
    assert chi < 24.3  # 7 degrees of freedom: one seed in a thousand would be above


def test_a_piece_as_long_as_the_crop_has_one_start(tmp_path: Path) -> None:
    length = samples_for(frontend(), 10)
    manifest = ramp(tmp_path, length / RATE)
    (item,) = items_of(manifest, Data()).items
    for fill in ("repeat", "silence"):
        crops = crops_of(manifest, fill=fill)
        assert set(starts(crops, item, 5)) == {0}
        assert crops.take(item, RANDOM(0))[1] == length


def test_a_piece_of_one_sample_more_has_two(tmp_path: Path) -> None:
    manifest = ramp(tmp_path, (samples_for(frontend(), 10) + 1) / RATE)
    (item,) = items_of(manifest, Data()).items
    assert set(starts(crops_of(manifest, cache=1 << 20), item, 40)) == {0, 1}


@given(seconds=st.floats(0.5, 2.0), pieces=st.floats(0.1, 0.7))
@settings(max_examples=25)
def test_crops_stay_in_their_piece(tmp_path_factory: pytest.TempPathFactory, seconds: float, pieces: float) -> None:
    manifest = ramp(tmp_path_factory.mktemp("ramp"), seconds)
    crops = crops_of(manifest, frames=5, fill="silence", cache=1 << 20)
    for item in items_of(manifest, Data(pieces=pieces)).items:
        for seed in range(4):
            samples, own, *_ = crops.take(item, RANDOM(seed))
            numbers = np.rint(samples[:own] * 32768)
            assert numbers[0] >= np.floor(item.piece.start * RATE) - 1
            assert numbers[-1] <= np.ceil((item.piece.start + item.piece.seconds) * RATE)


def test_short_pieces_are_repeated_or_followed_by_silence(tmp_path: Path) -> None:
    manifest = ramp(tmp_path, 0.05)
    (item,) = items_of(manifest, Data(least=0.0)).items
    held = np.arange(800)
    again, own, *_ = crops_of(manifest).take(item, RANDOM(0))
    np.testing.assert_array_equal(np.rint(again * 32768), np.arange(len(again)) % 800)
    assert own == len(again) > 1600
    once, own, *_ = crops_of(manifest, fill="silence").take(item, RANDOM(0))
    np.testing.assert_array_equal(np.rint(once * 32768), np.pad(held, (0, len(once) - 800)))
    assert own == 800


@pytest.mark.parametrize("speed", [0.9, 1.1])
def test_speed_is_that_of_the_stretch_it_takes(tmp_path: Path, speed: float) -> None:
    manifest = voices(tmp_path, (1,), seconds=0.8)
    crops = crops_of(manifest, frames=10)
    wanted = round(crops.length * speed)
    piece = Piece(manifest.utterances[0], 0.1, wanted / RATE)
    stretch = Sounds(tmp_path, RATE).read(piece.utterance, 0.1, wanted / RATE)
    samples, own, *_ = crops.take(Item(piece, speed), RANDOM(0))
    assert own == crops.length
    np.testing.assert_array_equal(samples, np.resize(change_speed(stretch, RATE, speed), crops.length))


def test_crops_follow_from_item_and_numbers_alone(tmp_path: Path) -> None:
    manifest = voices(tmp_path, (3,), seconds=0.8)
    items = items_of(manifest, Data(speeds=(1.0, 1.1))).items
    forth = [crops_of(manifest, cache=1 << 20).take(item, RANDOM(5))[0] for item in items]
    back = [crops_of(manifest).take(item, RANDOM(5))[0] for item in items[::-1]][::-1]
    np.testing.assert_array_equal(forth, back)
    assert len(np.unique(forth, axis=0)) == len(items)


def test_augmentation_hears_the_recording_and_not_the_silence_behind_it(tmp_path: Path) -> None:
    manifest = voices(tmp_path, (1,), seconds=0.05)
    seen = []

    def louder(samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
        seen.append(len(samples))
        return samples + np.float32(random.uniform(0.1, 0.2))

    (item,) = items_of(manifest, Data(least=0.0)).items
    crops = replace(crops_of(manifest, fill="silence"), augment=louder)
    samples, own, *_ = crops.take(item, RANDOM(0))
    plain, *_ = replace(crops, augment=None).take(item, RANDOM(0))
    assert seen == [own] == [800]
    assert np.ptp(samples[:own] - plain[:own]) < 1e-6
    assert samples[0] - plain[0] >= 0.1
    assert not samples[own:].any()


@pytest.mark.parametrize("seconds", [0.0, 1e-6])
@pytest.mark.parametrize("speed", [1.0, 1.1])
def test_an_utterance_of_no_sample_is_a_bad_recording(tmp_path: Path, seconds: float, speed: float) -> None:
    (tmp_path / "u.flac").write_bytes(flac(np.zeros(100, dtype=np.float32)))
    one = listed("u", "s", seconds=seconds)
    crops = Crops(Sounds(tmp_path, RATE), frontend(), Crop(10))
    with pytest.raises(AudioError, match="holds no sample"):
        crops.take(Item(Piece(one, 0.0, seconds), speed), RANDOM(0))


@pytest.mark.parametrize("speed", [0.5, 1.1, 2.0])
def test_an_utterance_of_one_sample_can_be_heard(tmp_path: Path, speed: float) -> None:
    (tmp_path / "u.flac").write_bytes(flac(np.full(1, 0.5, dtype=np.float32)))
    manifest = Manifest(tmp_path, (listed("u", "s", seconds=1 / RATE),))
    (item,) = items_of(manifest, Data(speeds=(speed,))).items
    for fill in ("repeat", "silence"):
        samples, own, *_ = crops_of(manifest, fill=fill).take(item, RANDOM(0))
        assert np.isfinite(samples).all()
        assert own >= 1
