"""Every format and every kind of source gives the same sound."""

from __future__ import annotations

import codecs
import io
import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pytest
from makers import FORMATS, encode, mux, write
from numpy.typing import NDArray

from samevoice.audio import decode, tail
from samevoice.audio.blocks import BLOCK_VALUES
from samevoice.audio.decode import Recording, Source, open_recording
from samevoice.audio.waveform import Waveform
from samevoice.errors import AudioError
from samevoice.verification import label

LOSSLESS = {"wav-16": 4e-5, "wav-24": 1e-7, "wav-32": 1e-7, "wav-float": 0.0, "wav-u8": 0.008, "flac": 4e-5}
LOSSLESS["avi-video"] = 4e-5
DELAY = {"m4a": 0.08, "aac": 0.14}  # AAC: one frame of priming, and the last one filled up
LOSSY = {"mp3": 0.95, "ogg-vorbis": 0.95, "ogg-opus": 0.9, "m4a": 0.9, "aac": 0.9, "webm": 0.9, "mkv-video": 0.9}


def walk(source: Source, name: str | None = None) -> tuple[Recording, NDArray[np.float32]]:
    recording = open_recording(source, name)
    return recording, np.concatenate(list(recording.blocks()))


def stereo(speech: Waveform) -> NDArray[np.float32]:
    return np.stack([speech.samples, 0.25 * speech.samples], axis=1)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kind", FORMATS)
def test_round_trip(kind: str, channels: int, speech: Waveform) -> None:
    sent = stereo(speech)[:, :channels]
    recording, got = walk(encode(kind, sent, speech.rate), kind)
    info = recording.info
    assert info.rate == (48_000 if kind in {"webm", "mkv-video"} else 16_000)
    assert info.channels == channels == got.shape[1]
    assert got.dtype == np.float32
    assert recording.damage is None
    assert len(got) / info.rate == pytest.approx(3.0, abs=DELAY.get(kind, 0.021))
    if kind == "aac":
        assert info.declared is None
    else:
        assert info.declared == pytest.approx(3.0, abs=0.08)
    if kind in LOSSLESS:
        np.testing.assert_allclose(got, sent, atol=LOSSLESS[kind])
    else:
        assert likeness(sent[:, 0], got[:: info.rate // 16_000, 0]) > LOSSY[kind]
    if channels == 2:
        energies = np.square(got).mean(axis=0)
        assert energies[1] / energies[0] == pytest.approx(1 / 16, rel=0.25)  # left stayed left


def likeness(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """The highest correlation over all shifts."""
    size = 1 << 18
    products = np.fft.irfft(np.fft.rfft(first, size) * np.conj(np.fft.rfft(second, size)))
    return float(products.max() / (np.linalg.norm(first) * np.linalg.norm(second)))


def test_all_kinds_of_source_agree(speech: Waveform, tmp_path: Path) -> None:
    data = write(speech.samples, 16_000)
    path = tmp_path / "ä b's.wav"
    path.write_bytes(data)
    expected = walk(data)[1]
    ints = np.round(speech.samples * 32_768).astype(np.int16)
    sources: list[Source] = [path, str(path), bytearray(data), memoryview(data), io.BytesIO(data)]  # type: ignore[list-item]
    for source in (*sources, Waveform(ints, 16_000)):
        np.testing.assert_array_equal(walk(source)[1], expected)
    with path.open("rb") as file:
        recording, got = walk(file)
    np.testing.assert_array_equal(got, expected)
    assert recording.info.name == str(path)


def test_a_recording_is_a_source_too(speech: Waveform) -> None:
    opened = open_recording(encode("flac", speech.samples, speech.rate), "spoken.flac")
    again, samples = walk(opened, "another name")
    assert again is opened
    np.testing.assert_array_equal(samples, walk(encode("flac", speech.samples, speech.rate))[1])
    assert label(opened, "first recording") == "spoken.flac"


def test_a_pipe_and_standard_input(speech: Waveform, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write(speech.samples, 16_000)
    for use_dash in (False, True):
        reading, writing = os.pipe()

        def feed(end: int = writing) -> None:
            with os.fdopen(end, "wb") as pipe:
                pipe.write(data)

        sender = threading.Thread(target=feed)
        sender.start()
        with os.fdopen(reading, "rb") as stream:
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(stream))
            recording = open_recording("-" if use_dash else stream)
        sender.join()
        first, second = (np.concatenate(list(recording.blocks())) for _ in range(2))
        np.testing.assert_array_equal(first, second)
        assert len(first) == 48_000


def test_a_file_object_is_read_from_where_it_stands(speech: Waveform) -> None:
    file = io.BytesIO(b"preface" + write(speech.samples, 16_000))
    file.seek(7)
    assert len(walk(file)[1]) == 48_000


@pytest.mark.parametrize("kind", ["wav-16", "mp3", "ogg-opus", "m4a", "mkv-video"])
def test_walking_twice_gives_the_same(kind: str, speech: Waveform) -> None:
    recording = open_recording(encode(kind, speech.samples, 16_000))
    half = recording.blocks()
    next(half)  # an abandoned walk does not disturb the next
    first, second = (np.concatenate(list(recording.blocks())) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_blocks_are_about_a_second(speech: Waveform) -> None:
    for source in (speech, write(speech.samples, 16_000)):
        assert [len(block) for block in open_recording(source).blocks()] == [16_000] * 3
    for kind in ("m4a", "webm", "avi-video"):  # whose codecs have frames of 20 to 64 ms
        recording = open_recording(encode(kind, speech.samples, 16_000))
        *full, _ = (len(block) for block in recording.blocks())
        assert set(full) == {recording.info.rate}


def test_many_channels_at_a_high_rate_come_in_smaller_blocks() -> None:
    data = write(np.zeros((200_000, 64), dtype=np.int16), 192_000)
    sizes = [block.size for block in open_recording(data).blocks()]
    assert max(sizes) <= BLOCK_VALUES
    assert sum(sizes) == 200_000 * 64


@pytest.mark.parametrize("rate", [4_000, 7_999, 11_025, 44_101, 192_000])
def test_odd_rates(rate: int) -> None:
    recording, got = walk(write(np.zeros(rate, dtype=np.int16), rate))
    assert (recording.info.rate, len(got)) == (rate, rate)


@pytest.mark.parametrize("rate", [1, 3_999, 768_001])
def test_impossible_rates_are_refused(rate: int) -> None:
    with pytest.raises(AudioError, match=f"{rate} Hz"):
        open_recording(write(np.zeros(10, dtype=np.int16), rate))


def test_too_many_channels_are_refused() -> None:
    assert walk(write(np.zeros((10, 64), dtype=np.int16), 16_000))[1].shape == (10, 64)
    for channels in (65, 1_024):
        with pytest.raises(AudioError, match=rf"{channels} channels.*extract the one"):
            open_recording(write(np.zeros((10, channels), dtype=np.int16), 16_000))


def test_nan_is_refused_with_its_place(speech: Waveform) -> None:
    broken = speech.samples.copy()
    broken[33_000] = np.nan
    with pytest.raises(AudioError, match=r"nan\.wav: NaN or infinite samples after 2 s"):
        walk(write(broken, 16_000, "WAV", "FLOAT"), "nan.wav")


def test_floats_in_16_bit_steps_are_refused(speech: Waveform) -> None:
    with pytest.raises(AudioError, match="divide 16-bit values by 32768"):
        walk(write(speech.samples * 32_768, 16_000, "WAV", "FLOAT"))


def test_no_samples_and_no_audio_track() -> None:
    with pytest.raises(AudioError, match="no audio could be decoded"):
        walk(write(np.zeros(0, dtype=np.int16), 16_000))
    with pytest.raises(AudioError, match="is empty"):
        open_recording(b"")


def test_what_is_no_source_is_refused() -> None:
    for thing in (None, 3, ["a.wav"]):
        with pytest.raises(AudioError, match="give a path, bytes"):
            open_recording(cast("Source", thing))


def test_file_objects_that_cannot_be_used(speech: Waveform, tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(write(speech.samples, 16_000))
    with path.open() as text, pytest.raises(AudioError, match=r"x\.wav: is a text file.*binary mode"):
        open_recording(cast("BinaryIO", text))
    with codecs.getreader("latin-1")(path.open("rb")) as odd, pytest.raises(AudioError, match="binary mode"):
        open_recording(cast("BinaryIO", odd))
    with path.open("rb") as closed:
        pass
    with pytest.raises(AudioError, match=r"x\.wav: cannot be read \(read of closed file\); give a file that is open"):
        open_recording(closed)
    with path.open("ab") as appending, pytest.raises(AudioError, match="open for reading"):
        open_recording(appending)


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_readers_of_other_bytes(kind: Callable[[bytes], bytes], speech: Waveform) -> None:
    class Reader(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return kind(super().read(size))

    assert len(walk(Reader(write(speech.samples, 16_000)))[1]) == 48_000


def test_a_day_is_the_limit(monkeypatch: pytest.MonkeyPatch, speech: Waveform) -> None:
    monkeypatch.setattr(decode, "MAX_SECONDS", 1.5)
    with pytest.raises(AudioError, match="cut it into parts"):
        walk(speech)


def test_a_stream_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "MAX_STREAM_BYTES", 100_000)
    with pytest.raises(AudioError, match="save it to a file"):
        open_recording(io.BytesIO(bytes(2_000_000)))


def test_without_pyav_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch, speech: Waveform) -> None:
    data = encode("m4a", speech.samples[:4_000], 16_000)
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(AudioError, match=r"pip install 'samevoice\[media\]'"):
        open_recording(data)


# Damage -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.11, 0.53, 0.87])
@pytest.mark.parametrize("kind", ["wav-16", "wav-24", "flac", "mp3", "ogg-vorbis", "ogg-opus", "m4a", "aac", "webm"])
def test_cut_off_files_say_so(kind: str, share: float, speech: Waveform) -> None:
    data = encode(kind, speech.samples, 16_000)
    try:
        recording, got = walk(data[: int(len(data) * share)], kind)
    except AudioError as error:
        assert "damaged" in str(error) or "convert" in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert recording.damage
        assert len(got) / recording.info.rate == pytest.approx(3 * share, abs=1.0)  # an Ogg page holds up to a second


def test_everything_before_the_damage_is_used(speech: Waveform) -> None:
    data = encode("flac", speech.samples, 16_000)
    recording, got = walk(data[: len(data) // 2])
    seconds = len(got) / 16_000
    assert seconds > 1.2  # not only the full seconds
    np.testing.assert_allclose(got[:, 0], speech.samples[: len(got)], atol=2e-5)
    assert recording.damage == f"damaged after {seconds:.1f} s (flac decoder lost sync); only what lies before was used"


@pytest.mark.parametrize("container", ["AIFF", "AU"])
def test_other_cut_off_headers(container: str, speech: Waveform) -> None:
    data = write(speech.samples, 16_000, container)
    assert walk(data)[0].damage is None
    assert "promises 3.0 s but holds 1.5 s" in str(walk(data[: len(data) // 2])[0].damage)


def wav_with_length(speech: Waveform, length: int) -> bytes:
    data = write(speech.samples, 16_000)
    place = data.index(b"data") + 4
    return data[:place] + struct.pack("<I", length) + data[place + 4 :]


def test_a_header_that_promises_hours(speech: Waveform) -> None:
    recording, got = walk(wav_with_length(speech, 5 * 3600 * 32_000))
    assert len(got) == 48_000
    assert recording.damage == "promises 18000.0 s but holds 3.0 s; the file may be cut off"


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0x80000000])
def test_a_streamed_wav_is_not_damaged(length: int, speech: Waveform) -> None:
    recording, got = walk(wav_with_length(speech, length))
    assert recording.damage is None
    assert len(got) == 48_000
    assert recording.info.declared == 3.0


def test_ogg_without_its_last_page(speech: Waveform) -> None:
    """libsndfile plays the rest and says nothing."""
    data = encode("ogg-vorbis", speech.samples, 16_000)
    assert "end of the Ogg stream is missing" in str(walk(data[: data.rindex(b"OggS")])[0].damage)
    assert "end of the Ogg stream is missing" in str(walk(data[:-1])[0].damage)


@pytest.mark.parametrize("kind", ["ogg-vorbis", "ogg-opus"])
def test_ogg_streams_one_after_the_other(kind: str, speech: Waveform) -> None:
    """As `cat` makes them, and recorders that start a new stream after each pause; libsndfile stops at the first."""
    first, second = encode(kind, speech.samples, 16_000), encode(kind, speech.samples[:16_000], 16_000)
    assert len(walk(first + second)[1]) == 48_000
    for chain in (first + second, first + first, first + b"between" * 999 + second, first + second[:-1]):
        assert walk(chain)[0].damage == "a further Ogg stream follows; only the first was used"
    for whole in (first, first + b"TAG" + bytes(125)):
        assert walk(whole)[0].damage is None
    cut = walk(first[: first.rindex(b"OggS")] + second)[0].damage
    assert cut == "a further Ogg stream follows; only the first was used"


def test_the_walk_over_ogg_pages_is_bounded(monkeypatch: pytest.MonkeyPatch, speech: Waveform) -> None:
    data = encode("ogg-opus", speech.samples, 16_000)
    monkeypatch.setattr(tail, "_MAX_STEPS", 1_000)
    assert walk(data + b"OggS".ljust(27, b"\0") * 50_000 + data)[0].damage is None
    assert "further Ogg stream" in str(walk(data + bytes(1_000_000) + data)[0].damage)


def test_flac_followed_by_another() -> None:
    """libsndfile fills up a block with zeros beyond the length in the header; they are no sound."""
    tone = (0.3 * np.sin(np.arange(40_000) / 20)).astype(np.float32)
    data = write(tone, 16_000, "FLAC")
    for follows in (data, bytes(500), b"TAG" + bytes(125)):
        recording, got = walk(data + follows)
        assert "flac decoder lost sync" in str(recording.damage)
        np.testing.assert_allclose(got[:, 0], tone, atol=4e-5)


def test_mp3_longer_than_libsndfile_thinks(speech: Waveform) -> None:
    """Without the length that an encoder writes first, libsndfile guesses from the first bit rate, and stops there."""
    data = encode("mp3", speech.samples, 16_000)
    first = data.index(data[:2], data.index(b"Xing"))  # the frame after the one that holds the length
    recording, got = walk(data[first:])
    assert len(got) < 45_000
    assert "more follows" in str(recording.damage)


def test_aac_that_begins_quietly_is_not_damaged(speech: Waveform) -> None:
    """FFmpeg guesses a bare stream's duration from its first bit rate; that is no promise."""
    quiet_first = np.concatenate([np.zeros(160_000, dtype=np.float32), speech.samples])
    recording, got = walk(encode("aac", quiet_first, 16_000))
    assert recording.damage is None
    assert len(got) / 16_000 == pytest.approx(13.0, abs=0.15)


def test_fragmented_mp4(speech: Waveform) -> None:
    """What browsers record; it can be read when cut off."""
    data = mux(speech.samples, 16_000, "mp4", "aac", False, movflags="frag_keyframe+empty_moov", frag_duration="500000")
    assert walk(data)[0].damage is None
    recording, got = walk(data[: len(data) // 2])
    assert recording.damage
    assert len(got) / 16_000 == pytest.approx(1.5, abs=0.3)
