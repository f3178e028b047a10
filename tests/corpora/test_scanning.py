from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import corpusmakers as make
import pytest
import soundfile

from samevoice.corpora.scanning import scan
from samevoice.corpora.storage import load_manifest, save_manifest
from samevoice.errors import DataError


def test_headers_tell_rate_length_and_digest(tmp_path: Path, samples: Path) -> None:
    scanned = scan(make.folders(tmp_path / "own", samples, speakers=2), licence="MIT")
    assert scanned.problems == ()
    assert scanned.manifest.root == (tmp_path / "own").resolve()
    assert scanned.manifest.speakers == ("speaker 0", "speaker 1")
    for one in scanned.manifest:
        content = (scanned.manifest.root / one.path).read_bytes()
        assert one.checksum == f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert (one.start, one.seconds, one.rate, one.licence) == (0.0, make.SECONDS, 16_000, "MIT")
    path = tmp_path / "own.jsonl"
    save_manifest(scanned.manifest, path)
    assert load_manifest(path) == scanned.manifest


@pytest.mark.parametrize("kind", ["wav-16", "mp3", "ogg-vorbis", "ogg-opus", "m4a", "aac", "webm"])
def test_lengths_of_other_formats_are_those_of_the_sound(tmp_path: Path, samples: Path, kind: str) -> None:
    suffix = kind.partition("-")[0]
    make.put(tmp_path / f"anna/1.{suffix}", make.sound(samples, 0, kind, seconds=2.0))
    (one,) = scan(tmp_path).manifest
    assert one.seconds == pytest.approx(2.0, abs=0.15)  # codecs add up to a few frames
    assert one.rate == (48_000 if kind == "webm" else 16_000)


def test_members_of_archives_are_probed_as_they_pass_by(tmp_path: Path, samples: Path) -> None:
    make.commonvoice_archive(tmp_path / "en.tar.gz", samples)
    scanned = scan(tmp_path)
    assert scanned.problems == ()
    assert [one.member for one in scanned.manifest] == [f"cv-corpus-17.0/en/clips/cv_en_{n}.mp3" for n in (1, 2, 3)]
    for number, one in enumerate(scanned.manifest, 1):
        content = make.sound(samples, number, "mp3")
        assert one.path == "en.tar.gz"
        assert one.checksum == f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert one.seconds == pytest.approx(make.SECONDS, abs=0.1)
    assert scan(tmp_path / "en.tar.gz") == scanned


def test_the_result_does_not_depend_on_threads(tmp_path: Path, samples: Path) -> None:
    root = make.folders(tmp_path, samples, speakers=5, files=4)
    make.put(root / "speaker 1/bad.wav", b"RIFF")
    make.put(root / "speaker 3/bad.wav", b"RIFF")
    one = scan(root, jobs=1)
    assert one == scan(root, jobs=4)
    assert [utterance.id for utterance in one.manifest] == sorted(utterance.id for utterance in one.manifest)
    assert len(one.manifest) == 20
    assert len(one.problems) == 2


def test_files_that_cannot_be_read_are_named_and_left_out(tmp_path: Path, samples: Path) -> None:
    root = make.folders(tmp_path, samples)
    make.put(root / "speaker 1/empty.wav", b"")
    make.put(root / "speaker 1/noise.wav", b"no sound at all" * 100)
    soundfile.write(root / "speaker 1/silent.wav", [], 16_000)
    (root / "speaker 1/gone.wav").symlink_to(root / "nowhere.wav")
    scanned = scan(root)
    assert len(scanned.manifest) == 6
    found = {problem.path: problem.message for problem in scanned.problems}
    assert set(found) == {f"speaker 1/{name}.wav" for name in ("empty", "noise", "silent", "gone")}
    assert "is empty (0 bytes)" in found["speaker 1/empty.wav"]
    assert "is not audio" in found["speaker 1/noise.wav"]
    assert "no audio could be decoded" in found["speaker 1/silent.wav"]
    assert "no such file" in found["speaker 1/gone.wav"]


def test_segments_lie_within_their_file(tmp_path: Path, samples: Path) -> None:
    root = make.kaldi(tmp_path, samples, segments=True)
    rows = ["r0-0 r0 0.1 -1", "r0-1 r0 0.2 0.7", "r1-0 r1 0.2 3.0", "r1-1 r1 0.5 0.6", "r1-2 r2 0 1"]
    make.put(root / "segments", "\n".join([*rows, ""]))
    scanned = scan(root)
    times = {one.id: (one.start, round(one.seconds, 9)) for one in scanned.manifest}
    assert times == {"r0-0": (0.1, 0.4), "r0-1": (0.2, 0.3)}  # the second ends a little after the file, as real ones do
    assert [(one.path, one.message) for one in scanned.problems] == [
        ("segments", "r1-2: recording 'r2' is not in wav.scp"),
        ("wav/r1.wav", "r1-0: reaches from 0.20 s to 3.00 s, but the file has 0.50 s"),
        ("wav/r1.wav", "r1-1: reaches from 0.50 s to 0.60 s, but the file has 0.50 s"),
    ]


def test_a_list_that_names_files_elsewhere_moves_the_root_up(tmp_path: Path, samples: Path) -> None:
    root = make.kaldi(tmp_path / "lists/data", samples)
    outside = make.put(tmp_path / "sounds/x.wav", make.sound(samples, 3, "wav-16"))
    make.put(root / "wav.scp", f"r0 wav/r0.wav\nr1 {outside}\n")
    manifest = scan(root).manifest
    assert manifest.root == tmp_path.resolve()
    assert [one.path for one in manifest] == ["lists/data/wav/r0.wav", "sounds/x.wav"]


def test_an_id_that_comes_twice_is_taken_once(tmp_path: Path, samples: Path) -> None:
    make.commonvoice(tmp_path, samples, ("en",))
    (tmp_path / "cv-corpus-17.0").rename(tmp_path / "cv-corpus-16.0")
    make.commonvoice(tmp_path, samples, ("en",))
    scanned = scan(tmp_path)
    assert {one.path.split("/")[0] for one in scanned.manifest} == {"cv-corpus-16.0"}
    assert len(scanned.manifest) == 3
    assert {problem.path for problem in scanned.problems} == {
        f"cv-corpus-17.0/en/clips/cv_en_{number}.mp3" for number in (1, 2, 3)
    }
    assert "has the id 'en-cv_en_1' of cv-corpus-16.0/" in scanned.problems[0].message


def test_names_that_are_no_unicode_are_problems(tmp_path: Path, samples: Path) -> None:
    root = make.folders(tmp_path, samples, speakers=1)
    try:
        make.put(root / "speaker 0/b\udcff.flac", make.sound(samples))
    except OSError:
        pytest.skip("this file system takes only Unicode names")
    scanned = scan(root)
    assert len(scanned.manifest) == 2
    assert [problem.message for problem in scanned.problems] == [
        "its name, or what a list says of it, is not Unicode; rename it"
    ]


@pytest.mark.parametrize("source", ["a\0b.wav", "\ud800.wav", "", ".", "/dev/zero", "x" * 5000])
def test_lists_may_name_files_that_cannot_be(tmp_path: Path, samples: Path, source: str) -> None:
    strange = make.cut("strange", source)
    odd = make.cut("odd", "audio/a.flac", supervisions=[{"speaker": "\ud800"}])
    scanned = scan(make.lhotse(tmp_path, samples, [strange, odd, make.cut("good", "audio/a.flac")]))
    assert [one.id for one in scanned.manifest] == ["good"]
    assert len(scanned.problems) == 2


def test_nothing_usable_is_an_error_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no recording found in .*; expected layouts: "):
        scan(tmp_path)
    make.put(tmp_path / "anna/1.wav", b"")
    with pytest.raises(
        DataError, match=r"that can be used, read as folders \(1 left out, the first: anna/1.wav: .*empty"
    ):
        scan(tmp_path)


def test_checksums_can_be_left_out(tmp_path: Path, samples: Path) -> None:
    assert {one.checksum for one in scan(make.folders(tmp_path, samples), checksums=False).manifest} == {""}


def test_progress_ends_at_the_total(tmp_path: Path, samples: Path) -> None:
    make.folders(tmp_path / "own", samples, speakers=20, files=3)
    told: list[tuple[float, float]] = []
    caller = threading.current_thread()

    def tell(done: float, total: float) -> None:
        assert threading.current_thread() is caller
        told.append((done, total))

    scan(tmp_path / "own", progress=tell)
    assert told == [(number, 60) for number in range(1, 61)]


def test_links_that_lead_back_are_nobody(tmp_path: Path, samples: Path) -> None:
    root = make.folders(tmp_path / "voices", samples)
    (root / "loop").symlink_to(root, target_is_directory=True)
    assert "loop" not in scan(root).manifest.speakers
