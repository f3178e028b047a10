"""Any stretch of an utterance is that part of the whole, from every kind of file, cached or not."""

from __future__ import annotations

import tarfile
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from listings import flac, listed, sound
from makers import encode

from samevoice.audio.resample import resample
from samevoice.audio.waveform import Waveform
from samevoice.corpora import decoding, sounds
from samevoice.corpora.manifest import Utterance
from samevoice.corpora.sounds import Sounds
from samevoice.errors import AudioError, DataError

SECONDS = 3.0
STEP = 1 / 32768
KINDS = ["wav-16", "wav-float", "flac", "mp3", "ogg-vorbis", "m4a"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("corpus")
    for kind in KINDS:
        for rate in (16_000, 44_100):
            (root / f"{kind}-{rate}").write_bytes(encode(kind, sound(SECONDS + 1, rate), rate))
    return root


def whole_file(kind: str, rate: int, **known: Any) -> Utterance:
    return replace(listed(kind, path=f"{kind}-{rate}", rate=rate, seconds=SECONDS), **known)


@pytest.mark.parametrize("long", [False, True], ids=["cached", "sought"])
@pytest.mark.parametrize("native", [16_000, 44_100])
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8)
@given(data=st.data())
def test_a_stretch_is_a_slice_of_the_whole(
    corpus: Path, kind: str, native: int, long: bool, data: st.DataObject
) -> None:
    begins = data.draw(st.sampled_from([0.0, 0.25, 0.5001]))
    start = data.draw(st.floats(0, 2.9))
    seconds = data.draw(st.none() | st.floats(0.01, 3.5))
    one = whole_file(kind, native, start=begins)
    whole = Sounds(corpus, 16_000).read(one)
    with pytest.MonkeyPatch.context() as patch:
        if long:
            patch.setattr(sounds, "LONG_SECONDS", 0.0)
        part = Sounds(corpus, 16_000).read(one, start, seconds)
    first = round(start * 16_000)
    expected = whole[first:] if seconds is None else whole[first : first + round(seconds * 16_000)]
    assert part.dtype == np.float32
    assert part.shape == expected.shape
    allowed = 0 if native == 16_000 or not long else 1e-3
    assert np.abs(part - expected).max() <= allowed


@pytest.mark.parametrize("kind", ["wav-float", "flac"])
def test_the_whole_is_the_file_mixed_resampled_and_rounded(corpus: Path, kind: str) -> None:
    raw, rate = soundfile.read(corpus / f"{kind}-44100", dtype="float32")
    cut = Waveform(raw[11_025 : 11_025 + 3 * rate], rate)
    expected = resample(cut, 16_000).samples
    read = Sounds(corpus, 16_000).read(whole_file(kind, 44_100, start=0.25))
    assert len(read) == 48_000
    assert np.abs(read - expected[:48_000]).max() <= STEP / 2 + 1e-7


def test_channels_are_averaged_and_clipped_to_full_scale(tmp_path: Path) -> None:
    stereo = np.stack([sound(1, seed=1), sound(1, seed=2)], axis=1)
    stereo[100], stereo[200] = 1.5, -1.5
    (tmp_path / "a.wav").write_bytes(encode("wav-float", stereo, 16_000))
    read = Sounds(tmp_path, 16_000).read(listed("a", path="a.wav"))
    expected = np.clip(stereo.mean(axis=1), -1, 1 - STEP)
    assert np.abs(read - expected).max() <= STEP / 2 + 1e-7


def test_sixteen_bits_come_back_as_they_are(tmp_path: Path) -> None:
    pcm = np.random.default_rng(3).integers(-32768, 32768, 16_000).astype(np.int16)
    soundfile.write(tmp_path / "a.flac", pcm, 16_000)
    assert (Sounds(tmp_path, 16_000).read(listed("a")) * 32768 == pcm).all()


def test_members_of_archives_sound_like_files(corpus: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(corpus / "flac-44100", "clips/x.flac")
    inside = whole_file("flac", 44_100, path="a.tar", member="clips/x.flac")
    packed, plain = Sounds(tmp_path, 16_000), Sounds(corpus, 16_000)
    assert (packed.read(inside, 0.5, 1) == plain.read(whole_file("flac", 44_100), 0.5, 1)).all()


def test_the_cache_holds_what_it_may_and_changes_nothing(tmp_path: Path) -> None:
    utterances = [listed(f"u{number}") for number in range(10)]
    for number, one in enumerate(utterances):
        (tmp_path / one.path).write_bytes(flac(sound(1, seed=number)))
    kept, none = Sounds(tmp_path, 16_000, cache_bytes=100_000), Sounds(tmp_path, 16_000, cache_bytes=0)
    for one in utterances * 2:
        assert (kept.read(one, 0.25, 0.5) == none.read(one, 0.25, 0.5)).all()
        assert sum(pcm.nbytes for pcm in kept._cache._kept.values()) == kept._cache._bytes <= 100_000
    assert len(kept._cache._kept) == 3  # of 32,000 bytes
    assert not none._cache._kept
    for one in utterances:  # what was kept needs no file any more; the last three were
        (tmp_path / one.path).unlink()
    assert len(kept.read(utterances[-3])) == 16_000
    with pytest.raises(AudioError, match="no such file"):
        kept.read(utterances[0])


def test_what_was_used_last_is_kept(tmp_path: Path) -> None:
    reader = Sounds(tmp_path, 16_000, cache_bytes=64_000)
    ones = [listed(f"u{number}") for number in range(3)]
    for one in (ones[0], ones[1], ones[0], ones[2]):
        (tmp_path / one.path).write_bytes(flac(sound(1)))
        reader.read(one)
    assert [key[0] for key in reader._cache._kept] == ["u0.flac", "u2.flac"]


def test_what_was_handed_out_is_not_the_cache(tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_bytes(flac(sound(1)))
    reader = Sounds(tmp_path, 16_000)
    first = reader.read(listed("a"))
    before = first.copy()
    first[:] = 0
    assert (reader.read(listed("a")) == before).all()


def test_threads_read_the_same(corpus: Path) -> None:
    ones = [whole_file(kind, rate) for kind in KINDS for rate in (16_000, 44_100)]
    alone = [Sounds(corpus, 16_000).read(one) for one in ones]
    shared = Sounds(corpus, 16_000, cache_bytes=200_000)
    with ThreadPoolExecutor(8) as pool:
        for expected, read in zip(alone * 4, pool.map(shared.read, ones * 4), strict=True):
            assert (read == expected).all()


def test_a_long_file_is_not_loaded_whole(tmp_path: Path) -> None:
    minutes = 10
    with soundfile.SoundFile(tmp_path / "a.flac", "w", 16_000, 1) as file:
        for number in range(minutes):
            file.write(sound(60, seed=number))
    one = listed("a", seconds=60.0 * minutes)
    reader = Sounds(tmp_path, 16_000)
    tracemalloc.start()
    part = reader.read(one, 425.0, 2.0)
    short = reader.read(replace(one, start=425.0, seconds=2.0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (part == short).all()
    assert np.abs(part - sound(60, seed=7)[5 * 16_000 : 7 * 16_000]).max() <= STEP
    assert peak < 2 << 20  # the whole file has 19 MB
    assert len(reader._cache._kept) == 1  # the short one only


def test_exact_places_are_reached_without_decoding_what_lies_before(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("decoded from the beginning")

    monkeypatch.setattr(decoding, "_from_start", never)
    assert len(Sounds(corpus, 16_000).read(whole_file("flac", 16_000, start=0.5, seconds=1.0))) == 16_000
    with pytest.raises(AssertionError, match="beginning"):
        Sounds(corpus, 16_000).read(whole_file("mp3", 16_000, start=0.5, seconds=1.0))


@pytest.mark.parametrize("start", [0.0, 1.0])
@pytest.mark.parametrize("native", [16_000, 44_100])
def test_a_file_shorter_than_promised_is_named(corpus: Path, native: int, start: float) -> None:
    reader = Sounds(corpus, 16_000)
    with pytest.raises(AudioError, match=rf"flac-{native}: .* s of it are in the manifest, but it ends after 4\.0 s"):
        reader.read(whole_file("flac", native, start=start, seconds=4.2 - start))
    with pytest.raises(AudioError, match="it ends before 7"):
        reader.read(whole_file("flac", native, start=7.0, seconds=1.0))
    almost = reader.read(whole_file("flac", native, start=start, seconds=4.05 - start))
    assert len(almost) == round((4.05 - start) * 16_000)
    assert not almost[-700:].any()
    assert almost[-1600:-900].any()


@pytest.mark.parametrize("start", [0.0, 0.5])
@pytest.mark.parametrize("kind", ["flac", "mp3", "ogg-vorbis"])
def test_a_file_cut_off_in_the_middle_is_named_with_its_member(
    corpus: Path, tmp_path: Path, kind: str, start: float
) -> None:
    data = (corpus / f"{kind}-16000").read_bytes()
    (tmp_path / "x").write_bytes(data[: len(data) // 2])
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(tmp_path / "x", "in/x")
    one = listed("u", path="a.tar", member="in/x", start=start, seconds=SECONDS)
    with pytest.raises(AudioError, match=r"a\.tar \(in/x\)"):
        Sounds(tmp_path, 16_000).read(one)


@pytest.mark.parametrize("start", [0.0, 0.5])
def test_damage_in_the_middle_is_named(corpus: Path, tmp_path: Path, start: float) -> None:
    data = bytearray((corpus / "flac-16000").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 6000] = bytes(6000)
    (tmp_path / "a.flac").write_bytes(data)
    with pytest.raises(AudioError, match=r"a\.flac"):
        Sounds(tmp_path, 16_000).read(listed("a", start=start, seconds=SECONDS))


@pytest.mark.parametrize("path", ["../a.flac", "x/../../a.flac", "/etc/passwd", "", "a\0.flac"])
def test_a_manifest_cannot_reach_outside(tmp_path: Path, path: str) -> None:
    (tmp_path / "a.flac").write_bytes(flac(sound(1)))
    (tmp_path / "root").mkdir()
    with pytest.raises(DataError, match="does not lie below"):
        Sounds(tmp_path / "root", 16_000).read(listed("a", path=path))


def test_a_link_inside_may_lead_out(tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_bytes(flac(sound(1)))
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "b.flac").symlink_to(tmp_path / "a.flac")
    assert len(Sounds(tmp_path / "root", 16_000).read(listed("b"))) == 16_000


@pytest.mark.parametrize(
    ("start", "seconds"), [(-0.1, 1.0), (0.0, 0.0), (0.0, -1.0), (1.0, None), (np.nan, 1.0), (0, np.inf)]
)
def test_what_is_no_stretch_is_refused(tmp_path: Path, start: float, seconds: float | None) -> None:
    with pytest.raises(ValueError, match="a: "):
        Sounds(tmp_path, 16_000).read(listed("a"), start, seconds)


@given(
    total=st.integers(20_000, 200_000), rate=st.sampled_from([8_000, 16_000, 22_050]), want=st.sampled_from([0.5, 1.0])
)
def test_a_crop_at_the_very_end_has_its_full_length(total: int, rate: int, want: float) -> None:
    one = listed("a", seconds=total / 44_100)
    reader = Sounds(Path(), rate)
    reader._cache.put((one.path, None, 0.0, one.seconds), np.zeros(decoding.frames_of(one, rate), np.int16))
    if one.seconds >= want:
        assert len(reader.read(one, one.seconds - want, want)) == round(want * rate)
