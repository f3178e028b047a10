from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import corpusmakers as make
import pytest

from samevoice.corpora import archives, commonvoice
from samevoice.corpora.found import Found, Problem
from samevoice.corpora.readers import READERS, find_reader
from samevoice.corpora.tree import is_audio
from samevoice.errors import DataError

LAYOUTS: list[tuple[str, Callable[[Path, Path], Path]]] = [
    ("folders", make.folders),
    ("librispeech", make.librispeech),
    ("voxceleb", make.voxceleb1),
    ("voxceleb", make.voxceleb2),
    ("commonvoice", make.commonvoice),
    ("kaldi", make.kaldi),
    ("lhotse", make.lhotse),
    ("table", make.table),
]


def read(root: Path, name: str | None = None) -> tuple[dict[str, Found], list[Problem]]:
    """By id, and problems; every path that is told must be there."""
    found: dict[str, Found] = {}
    problems = []
    home = root if root.is_dir() else root.parent
    for one in find_reader(root, name)[1].read(root):
        if isinstance(one, Problem):
            problems.append(one)
        else:
            assert one.id not in found
            assert (home / one.path).is_file()
            found[one.id] = one
    return found, problems


@pytest.mark.parametrize(("name", "maker"), LAYOUTS)
def test_each_layout_is_recognised_and_read(
    tmp_path: Path, samples: Path, name: str, maker: Callable[[Path, Path], Path]
) -> None:
    root = maker(tmp_path / "corpus", samples)
    assert find_reader(root)[0] == name
    found, problems = read(root, name)
    assert found
    assert not problems
    assert {one.corpus for one in found.values()} <= {name, "one", "two"}


@pytest.mark.parametrize(
    ("name", "audio"), [("a.WAV", True), ("a/b.mp3", True), ("a/._b.mp3", False), (".wav", False), ("a.txt", False)]
)
def test_recordings_are_known_by_their_names(name: str, audio: bool) -> None:
    assert is_audio(name) is audio


def test_librispeech(tmp_path: Path, samples: Path) -> None:
    root = make.librispeech(tmp_path, samples)
    make.put(root / "LibriSpeech/dev-clean/84/121123/other.flac", b"")
    found, problems = read(root)
    assert found["60-121082-0001"] == Found(
        id="60-121082-0001",
        speaker="60",
        path="LibriSpeech/train-clean-100/60/121082/60-121082-0001.flac",
        session="121082",
        language="en",
        gender="m",  # in the real table, too, this speaker's name has a bar
        licence="CC BY 4.0",
        corpus="librispeech",
        split="train",
    )
    assert {(one.speaker, one.gender, one.split) for one in found.values()} == {
        *{("19", "f", "train"), ("60", "m", "train"), ("84", "f", "dev")}
    }
    assert [(one.path, one.message[:12]) for one in problems] == [
        ("LibriSpeech/dev-clean/84/121123/other.flac", "is not named")
    ]


@pytest.mark.parametrize(("inner", "count"), [("LibriSpeech", 6), ("LibriSpeech/train-clean-100", 4)])
def test_librispeech_from_inner_folders(tmp_path: Path, samples: Path, inner: str, count: int) -> None:
    found, problems = read(make.librispeech(tmp_path, samples) / inner)
    assert (len(found), problems) == (count, [])
    assert found["19-198-0000"].gender == "f"
    assert found["19-198-0000"].split == "train"


def test_librispeech_with_numbers_as_folders_only_by_its_names(tmp_path: Path, samples: Path) -> None:
    make.put(tmp_path / "12/34/hello.flac", make.sound(samples))
    assert find_reader(tmp_path)[0] == "folders"


def test_voxceleb(tmp_path: Path, samples: Path) -> None:
    found, _ = read(make.voxceleb1(tmp_path / "1", samples))
    assert found["id10270/vid-1/00002"] == Found(
        id="id10270/vid-1/00002",
        speaker="id10270",
        path="test/wav/id10270/vid-1/00002.wav",
        session="vid-1",
        gender="f",
        corpus="voxceleb",
        split="test",
    )
    assert {(one.speaker, one.gender, one.split) for one in found.values()} == {
        *{("id10001", "m", "train"), ("id10002", "", "train"), ("id10270", "f", "test")}
    }
    found, _ = read(make.voxceleb2(tmp_path / "2", samples))
    assert {(one.id, one.gender, one.split) for one in found.values()} == {
        *{("id00012/21Uxsk56VDQ/00001", "m", "train"), ("id00015/21Uxsk56VDQ/00001", "", "train")}
    }


def test_voxceleb_without_split_folders_takes_the_split_from_the_table(tmp_path: Path, samples: Path) -> None:
    root = make.voxceleb1(tmp_path, samples)
    (root / "test/wav").rename(root / "wav")
    (root / "dev/wav/id10001").rename(root / "wav/id10001")
    found, _ = read(root)
    assert found["id10270/vid-0/00001"].split == "test"
    assert found["id10001/vid-0/00001"].split == "train"


def check_commonvoice(found: dict[str, Found]) -> None:
    """Who is who, each clip once, in the right split; the fourth is in no table."""
    told = {name: (one.speaker, one.gender, one.split) for name, one in found.items()}
    assert told == {
        f"{language}-cv_{language}_{number}": (f"{language}-{who * 8}", gender, split)
        for language in ("de", "en")
        for number, who, gender, split in ((1, "a", "m", "train"), (2, "b", "f", "dev"), (3, "a", "", ""))
    }
    assert {one.licence for one in found.values()} == {"CC0-1.0"}
    assert {name: one.language for name, one in found.items()} == {name: name[:2] for name in told}


def test_commonvoice_folders(tmp_path: Path, samples: Path) -> None:
    found, _ = read(make.commonvoice(tmp_path, samples))
    check_commonvoice(found)
    assert found["de-cv_de_1"].path == "cv-corpus-17.0/de/clips/cv_de_1.mp3"
    inner, _ = read(tmp_path / "cv-corpus-17.0/de")
    assert inner["de-cv_de_1"] == replace(found["de-cv_de_1"], path="clips/cv_de_1.mp3")


@pytest.mark.parametrize("tables_first", [True, False])
@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_commonvoice_archives(tmp_path: Path, samples: Path, suffix: str, tables_first: bool) -> None:
    for language in ("en", "de"):
        make.commonvoice_archive(tmp_path / f"{language}.{suffix}", samples, language, tables_first)
    found, problems = read(tmp_path)
    assert problems == []
    check_commonvoice(found)
    for language in ("en", "de"):
        for number in (1, 2, 3):
            one = found[f"{language}-cv_{language}_{number}"]
            name = f"{language}/clips/cv_{language}_{number}.mp3"
            assert (one.path, one.member) == (f"{language}.{suffix}", f"cv-corpus-17.0/{name}")
            assert one.content == make.sound(samples, number, "mp3")


@pytest.mark.parametrize(("tables_first", "passes"), [(True, 1), (False, 2)])
def test_commonvoice_archives_are_read_once_if_they_can(
    tmp_path: Path, samples: Path, monkeypatch: pytest.MonkeyPatch, tables_first: bool, passes: int
) -> None:
    path = make.commonvoice_archive(tmp_path / "en.tar", samples, tables_first=tables_first)
    opened = []

    def counted(archive: Path) -> Iterator[archives.Member]:
        opened.append(archive)
        return archives.open_members(archive)

    monkeypatch.setattr(commonvoice, "open_members", counted)
    assert len(list(commonvoice.read(path))) == 3
    assert len(opened) == passes


@pytest.mark.parametrize("tables_first", [True, False])
def test_commonvoice_archive_that_breaks_off_gives_what_came_before(
    tmp_path: Path, samples: Path, tables_first: bool
) -> None:
    files = make.commonvoice_files(samples, "en")
    names = sorted(files, key=lambda name: ("cv_en_3" in name, name.endswith(".tsv") != tables_first))
    path = make.archive(tmp_path / "en.tar", ((f"cv-corpus-17.0/{name}", files[name]) for name in names))
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b"clips/cv_en_3") + 900])
    found, problems = read(tmp_path)
    assert sorted(found) == ["en-cv_en_1", "en-cv_en_2"]
    assert [(one.path, one.member) for one in problems] == [("en.tar", None)] * 2
    assert "damaged or cut off after 7 members" in problems[0].message
    assert problems[1].message == "lacks 1 of the clips in its tables, the first cv-corpus-17.0/en/clips/cv_en_3.mp3"


def test_commonvoice_names_rows_that_cannot_be_used(tmp_path: Path, samples: Path) -> None:
    root = make.commonvoice(tmp_path, samples, ("en",))
    rows = ["c\t../../secret.mp3" + "\t" * 8, "too\tfew", "d\tcv_en_4" + "\t" * 8, "e\tsub/cv_en_4.mp3" + "\t" * 8]
    make.put(root / "cv-corpus-17.0/en/test.tsv", "\r\n".join(["\ufeff" + make.COLUMNS, *rows, ""]))
    found, problems = read(root)
    assert found["en-cv_en_4"].speaker == "en-d"  # in spite of the mark, of CRLF and without a suffix
    assert [one.message for one in problems] == [
        "test.tsv: '../../secret.mp3' is no clip's name",
        "test.tsv: line 3 has 2 fields, not 10",
        "test.tsv: 'sub/cv_en_4.mp3' is no clip's name",
    ]


def test_folders(tmp_path: Path, samples: Path) -> None:
    root = make.folders(tmp_path / "own", samples)
    make.put(root / "stray.wav", make.sound(samples, 1, "wav-16"))
    (root / "speaker 0/day 0/loop").symlink_to(root)
    found, problems = read(root)
    assert {(name, one.speaker, one.session) for name, one in found.items()} == {
        ("speaker 0/day 0/0.flac", "speaker 0", "day 0"),
        ("speaker 0/day 1/1.flac", "speaker 0", "day 1"),
        *((f"speaker {speaker}/{number}.flac", f"speaker {speaker}", "") for speaker in (1, 2) for number in (0, 1)),
    }
    assert [(one.path, one.message[:12]) for one in problems] == [("stray.wav", "lies outside")]


def test_kaldi(tmp_path: Path, samples: Path) -> None:
    found, _ = read(make.kaldi(tmp_path / "whole", samples))
    assert found["r1"] == Found("r1", "spk1", "wav/r1.wav", language="fr", gender="m", corpus="kaldi")
    found, _ = read(make.kaldi(tmp_path / "cut", samples, segments=True))
    assert set(found) == {"r0-0", "r0-1", "r1-0", "r1-1"}
    one = found["r0-1"]
    assert (one.session, one.path, one.start, one.gender) == ("r0", "wav/r0.wav", 0.10, "f")
    assert one.seconds == pytest.approx(0.05)


def test_kaldi_names_what_it_leaves_out(tmp_path: Path, samples: Path) -> None:
    root = make.kaldi(tmp_path / "data", samples)
    outside = make.put(tmp_path / "elsewhere/x.wav", make.sound(samples, 0, "wav-16"))
    (tmp_path / "ran").mkdir()
    lines = [f"r2 touch {tmp_path}/ran/it |", f"r3 {outside}", "r4 ../elsewhere/x.wav", "r5 wav/r0.wav"]
    make.put(root / "wav.scp", "\n".join(["r0 wav/r0.wav", *lines, ""]))
    make.put(root / "utt2spk", "".join(f"r{number} s\n" for number in range(5)))
    found, problems = read(root)
    assert {name: one.path for name, one in found.items()} == {
        "r0": "wav/r0.wav",
        "r3": outside.as_posix(),
        "r4": outside.as_posix(),
    }
    assert [(one.path, one.message) for one in problems] == [
        ("wav.scp", "r2: is a command, which is not run; write its output to a file"),
        ("utt2spk", "r5: has no speaker; add a line for it"),
    ]
    assert not list((tmp_path / "ran").iterdir())


def test_kaldi_paths_from_the_working_directory(tmp_path: Path, samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make.kaldi(tmp_path / "data/train", samples)
    make.put(root / "wav.scp", "r0 data/train/wav/r0.wav\nr1 wav/r1.wav\n")
    monkeypatch.chdir(tmp_path)
    found, _ = read(Path("data/train"))
    assert {one.path for one in found.values()} == {"wav/r0.wav", "wav/r1.wav"}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("wav.scp", "r0\n", r"wav.scp:1: 'r0' has no value"),
        ("utt2spk", "r0 a\n\nr0 b\n", r"utt2spk:3: 'r0' is there twice"),
        ("utt2spk", b"r0 a\nr\xff b\n", r"utt2spk:2: is not UTF-8"),
        ("segments", "r0-0 r0 0.1\n", r"segments: 'r0-0' needs a recording, a start and an end"),
        ("segments", "r0-0 r0 0.3 0.2\n", r"begins at 0.3 s and ends at 0.2 s"),
        ("segments", "r0-0 r0 nan 0.2\n", r"begins at nan s"),
    ],
)
def test_kaldi_lists_that_are_broken(tmp_path: Path, samples: Path, name: str, text: str | bytes, message: str) -> None:
    root = make.kaldi(tmp_path, samples)
    make.put(root / name, text)
    with pytest.raises(DataError, match=message):
        read(root)


def test_lhotse(tmp_path: Path, samples: Path) -> None:
    silent = make.cut("c3", "audio/a.flac", supervisions=[])
    found, problems = read(make.lhotse(tmp_path, samples, [make.cut("c1", "audio/a.flac"), silent]))
    assert problems == []
    assert found["c1"] == Found(
        id="c1",
        speaker="anna",
        path="audio/a.flac",
        session="rec",
        start=0.125,
        seconds=0.25,
        language="English",
        gender="f",
        corpus="lhotse",
    )
    assert (found["c3"].speaker, found["c3"].gender) == (None, "")


def bad_cuts() -> list[tuple[dict[str, Any], str]]:
    good = make.cut("c", "audio/a.flac")
    two = [*good["supervisions"], good["supervisions"][0] | {"speaker": "bert"}]
    command = {"type": "command", "channels": [0], "source": "rm -rf x"}
    return [
        (good | {"type": "MixedCut"}, "is a MixedCut"),
        (good | {"channel": 1}, "is of channel 1"),
        (good | {"recording": good["recording"] | {"sources": [command]}}, r"not in one file \(command\)"),
        (good | {"id": ""}, "has no id"),
        (good | {"start": -1.0}, "start of -1.0 s cannot be"),
        (good | {"duration": 0}, "duration of 0 s cannot be"),
        (good | {"duration": "long"}, "lacks what a MonoCut has"),
        (good | {"supervisions": two}, "has 2 speakers"),
        ({"id": "c"}, "lacks what a MonoCut has"),
        (good | {"recording": None}, "lacks what a MonoCut has"),
    ]


@pytest.mark.parametrize(("bad", "message"), bad_cuts())
def test_lhotse_cuts_that_cannot_be_used_are_named(
    tmp_path: Path, samples: Path, bad: dict[str, Any], message: str
) -> None:
    found, problems = read(make.lhotse(tmp_path, samples, [bad, make.cut("good", "audio/a.flac")]))
    assert list(found) == ["good"]
    assert len(problems) == 1
    assert problems[0].message.startswith("line 1: ")
    assert re.search(message, problems[0].message)


def test_lhotse_manifests_that_are_broken(tmp_path: Path) -> None:
    line = json.dumps(make.cut("c", "a.flac")).encode()
    make.put(tmp_path / "cuts.jsonl", line + b"\n{\n")
    with pytest.raises(DataError, match=r"cuts\.jsonl:2: is not JSON"):
        list(READERS["lhotse"].read(tmp_path))
    (tmp_path / "cuts.jsonl").unlink()
    make.put(tmp_path / "cuts.jsonl.gz", gzip.compress(line * 50)[:-20])
    with pytest.raises(DataError, match=r"cuts\.jsonl\.gz: cannot be read"):
        list(READERS["lhotse"].read(tmp_path))


def test_table(tmp_path: Path, samples: Path) -> None:
    found, _ = read(make.table(tmp_path, samples))
    assert found == {
        "one-u1": Found("one-u1", "one-7", "one/a.flac", language="en", licence="MIT", corpus="one", split="train"),
        "two-u1": Found(
            "two-u1", "two-7", "two/b.flac", session="room", language="de", licence="MIT", corpus="two", split="dev"
        ),
        "two-u2": Found("two-u2", None, "two/c.flac", licence="MIT", corpus="two"),
    }


def test_table_of_paths_alone_with_commas_and_quotes(tmp_path: Path, samples: Path) -> None:
    make.put(tmp_path / "a, b.flac", make.sound(samples))
    make.put(tmp_path / "manifest.csv", '\ufeffpath,speaker\r\n"a, b.flac",anna\r\n')
    found, _ = read(tmp_path)
    assert found == {"a, b.flac": Found("a, b.flac", "anna", "a, b.flac", corpus="table")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column path"),
        ("speaker\nx\n", "no column path"),
        ("path\tpath\na\tb\n", "has a column twice"),
        (b"path\nM\xfcller.wav\n", r"manifest.tsv:2: is not UTF-8"),
        (b"path\n" + b"x" * (1 << 21), "longer than"),
    ],
)
def test_tables_that_are_broken(tmp_path: Path, samples: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(make.table(tmp_path, samples, text))


def test_a_quote_that_does_not_close_is_an_error(tmp_path: Path) -> None:
    make.put(tmp_path / "manifest.csv", 'path,speaker\n"a.wav,anna\nb.wav,bert\n')
    with pytest.raises(DataError, match=r"manifest\.csv:3: is not a table"):
        read(tmp_path)


def test_table_names_rows_that_cannot_be_used(tmp_path: Path, samples: Path) -> None:
    text = "path\tspeaker\none/a.flac\tx\n/etc/passwd\tx\n../a.flac\tx\ntwo/b.flac\n"
    found, problems = read(make.table(tmp_path, samples, text))
    assert list(found) == ["one/a.flac"]
    assert [one.message for one in problems] == [
        "path '/etc/passwd' leads out of the folder; give it from there",
        "path '../a.flac' leads out of the folder; give it from there",
        "line 5 has 1 fields, not 2",
    ]


def test_what_no_reader_knows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no recording found in .*; expected layouts: table: .* folders: <speaker>"):
        find_reader(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        find_reader(tmp_path / "missing")
    with pytest.raises(DataError, match="corpus 'timit' is unknown; use one of table, kaldi"):
        find_reader(tmp_path, "timit")
