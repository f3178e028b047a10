"""Broken, lying and malicious sources end in a sentence, never in a crash, a hang or much memory."""

from __future__ import annotations

import io
import json
import os
import resource
import socket
import subprocess
import sys
import tracemalloc
from pathlib import Path

import mutants
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import write

from samevoice.audio import media
from samevoice.audio.decode import AUDIO_SUFFIXES, open_recording
from samevoice.audio.quality import Meter
from samevoice.audio.resample import waveforms
from samevoice.errors import AudioError


def test_missing_directory_empty_and_text(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"gone\.wav: no such file; check the path"):
        open_recording(tmp_path / "gone.wav")
    with pytest.raises(AudioError, match="is a directory"):
        open_recording(tmp_path)
    empty = tmp_path / "empty.flac"
    empty.touch()
    with pytest.raises(AudioError, match="is empty"):
        open_recording(empty)
    text = tmp_path / "text.wav"
    text.write_text("dear diary\n" * 50)
    with pytest.raises(AudioError, match=r"text\.wav: is not audio.*convert it"):
        open_recording(text)
    with pytest.raises(AudioError, match="no such file"):
        open_recording(tmp_path / "no" / "below.wav")
    with pytest.raises(AudioError, match="Not a directory"):
        open_recording(empty / "below.wav")


def test_unreadable_names(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="check the path"):
        open_recording("nul\0byte.wav")
    with pytest.raises(AudioError, match="too long"):
        open_recording("x" * 5_000)
    odd = os.fsdecode(bytes(tmp_path) + b"/caf\xe9.wav")
    with pytest.raises(AudioError, match="no such file"):
        open_recording(odd)
    Path(odd).write_bytes(write(np.zeros(4_000, dtype=np.int16), 16_000))
    assert sum(map(len, open_recording(odd).blocks())) == 4_000


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "secret.wav"
    path.write_bytes(write(np.zeros(4_000, dtype=np.int16), 16_000))
    path.chmod(0)
    with pytest.raises(AudioError, match="check its permissions"):
        open_recording(path)


def test_pipes_and_devices_are_not_opened(tmp_path: Path) -> None:
    """Opening a FIFO would wait for a writer for ever, /dev/zero never ends."""
    fifo = tmp_path / "fifo.wav"
    os.mkfifo(fifo)
    for path in (fifo, Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(AudioError, match="is not a regular file"):
            open_recording(path)


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04" + bytes(200),
        b"\x7fELF\x02\x01\x01" + bytes(200),
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(200),
        b"%PDF-1.7\n" + bytes(200),
        b"<html><body>404</body></html>",
        b"RIFF",
        b"RIFF\0\0\0\0WAVE",
        b"OggS",
        b"fLaC",
        b"ID3",
        b"\xff\xfb",
        b"\x1a\x45\xdf\xa3",
        b"\0\0\0\x18ftypM4A ",
        bytes(1_000),
        b"\xff" * 5_000,
    ],
)
def test_other_files(data: bytes) -> None:
    with pytest.raises(AudioError, match=r"damaged|convert it"):
        list(open_recording(data).blocks())


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{}'\n",
        "[playlist]\nFile1={}\nNumberOfEntries=1\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{}</BaseURL></MPD>',
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\na=control:{}\n",
    ],
)
def test_play_lists_open_nothing(text: str, tmp_path: Path, samples: Path) -> None:
    """Not a neighbouring file, not a server: the listener below is never called."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        for target in (f"http://127.0.0.1:{listener.getsockname()[1]}/a.ts", str(samples / "philippe_1.flac")):
            path = tmp_path / "list.m3u8"
            path.write_text(text.format(target))
            with pytest.raises(AudioError, match="is not audio"):
                open_recording(path)
            with pytest.raises(AudioError, match="is not audio"):
                open_recording(path.read_bytes())
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_the_demuxers_cannot_refer_elsewhere() -> None:
    """Only containers of samples are ever handed to FFmpeg."""
    heads = [b"\0\0\0\x18ftypM4A ", b"\x1a\x45\xdf\xa3", b"RIFF\0\0\0\0AVI ", b"\xff\xf1", b"#!AMR", b"FLV\x01"]
    heads.append(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11")
    known = {"mov", "matroska", "avi", "aac", "amr", "flv", "asf"}
    assert {media.sniff(head.ljust(64, b"\0")) for head in heads} == known
    draw = np.random.default_rng(0)
    for _ in range(2_000):
        assert media.sniff(draw.bytes(64)) in known | {None}
    assert {".wav", ".m4a"} <= AUDIO_SUFFIXES
    assert not {".m3u8", ".m3u", ".pls", ".mpd", ".sdp"} & AUDIO_SUFFIXES


def test_a_small_file_that_expands_a_thousandfold() -> None:
    """Half an hour of silence in a few dozen kB: walked through in little memory."""
    data = write(np.zeros(1_800 * 16_000, dtype=np.int16), 16_000, "FLAC")
    expanded = 1_800 * 16_000 * 4
    assert expanded > 1_000 * len(data)
    tracemalloc.start()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    recording = open_recording(data)
    meter = Meter(recording)
    seconds = sum(block.duration for block in waveforms(meter.watch(recording.blocks()), 16_000, 16_000))
    meter.report()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds == 1_800
    assert peak < 8e6
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


@pytest.mark.slow
def test_four_hours_take_no_more_memory_than_minutes(tmp_path: Path, samples: Path) -> None:
    """The whole command, in a process that reports the largest memory of its child; the samples alone are 460 MB."""
    path = tmp_path / "four_hours.flac"
    minutes = np.zeros(600 * 16_000, dtype=np.int16)
    with soundfile.SoundFile(path, "w", 16_000, 1) as file:
        for _ in range(24):
            file.write(minutes)
    code = (
        "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL); "
        "print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-m", "samevoice", "verify", str(samples / "sample_1a.mp3"), str(path)]
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True)
    exit_code, kilobytes = map(int, done.stdout.split())
    assert exit_code == 3  # silence cannot tell
    assert kilobytes < 500_000


def test_a_header_alone_costs_no_memory() -> None:
    """64 channels at 768 kHz would be 200 MB per second."""
    data = write(np.zeros((100, 64), dtype=np.int16), 768_000)
    tracemalloc.start()
    assert sum(map(len, open_recording(data).blocks())) == 100
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6


def test_an_endless_stream_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return bytes(size)

    monkeypatch.setattr("samevoice.audio.decode.MAX_STREAM_BYTES", 32 << 20)
    with pytest.raises(AudioError, match="save it to a file first"):
        open_recording(Endless())  # type: ignore[arg-type]


@pytest.mark.slow
def test_3300_mutants_break_no_promise() -> None:
    """Bit flips, truncation, swaps and lying lengths over eleven formats, in a process of their own."""
    command = [sys.executable, str(Path(mutants.__file__)), "20250101", "3300"]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (lines[-1], done.stderr[-2_000:])
    assert [line for line in lines if "broken" in line] == []
    outcomes = lines[-1]["outcomes"]
    assert set(outcomes) == {"refused", "damaged", "whole"}
    assert min(outcomes.values()) > 300  # the corpus reaches all three


ORIGINALS = mutants.originals()


@settings(max_examples=300)
@given(
    kind=st.sampled_from(["wav-16", "flac", "ogg-vorbis", "m4a", "webm"]),
    edits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8)), max_size=8),
    keep=st.floats(0.001, 1),
)
def test_any_edit_is_read_or_refused(kind: str, edits: list[tuple[float, bytes]], keep: float) -> None:
    mutant = bytearray(ORIGINALS[kind])
    for place, value in edits:
        at = int(place**3 * len(mutant))  # more often near the header
        mutant[at : at + len(value)] = value
    outcome, broken = mutants.judge(bytes(mutant[: max(1, int(keep * len(mutant)))]))
    assert broken is None, outcome


@settings(max_examples=200)
@given(
    st.binary(min_size=1, max_size=300),
    st.sampled_from([b"", b"RIFF", b"OggS", b"fLaC", b"\x1a\x45\xdf\xa3", b"\0\0\0\x18ftyp"]),
)
def test_any_bytes_are_read_or_refused(tail: bytes, head: bytes) -> None:
    assert mutants.judge(head + tail)[1] is None
