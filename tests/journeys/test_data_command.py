"""`samevoice data` as a person meets it: from a folder of voices to packed parts that share nobody."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
from commandline import samevoice

from samevoice.corpora.opening import is_manifest, open_corpus
from samevoice.corpora.splits import check_disjoint
from samevoice.corpora.storage import load_manifest, save_manifest
from samevoice.errors import DataError

SPEAKERS = ("anna", "bo", "carl", "dora", "emil")


def data(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    command = [sys.executable, "-m", "samevoice", "data", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def good(*arguments: str | Path) -> str:
    """What it prints when all is well."""
    done = samevoice("data", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path, samples: Path) -> Path:
    """A folder per speaker: two recordings each, but one of dora's, and one that is no sound."""
    speech, rate = soundfile.read(samples / "librispeech_1255_a.flac", dtype="int16")
    root = tmp_path / "voices"
    for place, speaker in enumerate(SPEAKERS):
        (root / speaker).mkdir(parents=True)
        for take in range(1 if speaker == "dora" else 2):
            begin = 4_000 * (2 * place + take)
            soundfile.write(root / speaker / f"{take}.flac", speech[begin : begin + 12_000], rate)
    (root / "bo" / "broken.wav").write_bytes(b"RIFF....WAVE")
    return root


@pytest.mark.slow
def test_scan_names_what_it_leaves_out_and_writes_the_rest(folder: Path, tmp_path: Path) -> None:
    for suffix in ("jsonl", "parquet"):
        done = data("scan", folder, "-o", tmp_path / f"m.{suffix}", "--licence", "CC0-1.0")
        assert done.returncode == 0
        assert "broken.wav" in done.stderr
        assert "1 left out" in done.stderr
        lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
        assert lines["speakers"] == "5 (1 with a single utterance)"
        assert (lines["utterances"], lines["hours"], lines["rates"]) == ("9", "0.00", "16000 Hz")
        manifest = load_manifest(tmp_path / f"m.{suffix}")
        assert len(manifest) == 9
        assert {one.licence for one in manifest} == {"CC0-1.0"}
        assert all(one.checksum for one in manifest)


def test_scan_as_json(folder: Path) -> None:
    told = json.loads(good("scan", folder, "--json", "--no-checksums"))
    assert (told["utterances"], told["speakers"], told["single"], told["unlabelled"]) == (9, 5, 1, 0)
    assert told["rates"] == {"16000": 9}
    assert told["hours"] == pytest.approx(9 * 0.75 / 3600, abs=1e-4)
    assert [one["path"] for one in told["problems"]] == ["bo/broken.wav"]
    assert told["manifest"] is None


def test_an_empty_corpus_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for command in (("scan",), ("show",), ("pack", "-o", tmp_path / "p"), ("split", "-o", tmp_path / "s")):
        done = samevoice("data", command[0], tmp_path / "empty", *command[1:])
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert "empty" in done.stderr
    assert not (tmp_path / "p").exists()
    assert not (tmp_path / "s").exists()


def test_what_cannot_be_written_is_told_before_the_work(folder: Path, tmp_path: Path) -> None:
    for name, word in (("no/m.jsonl", "no such folder"), ("m.csv", "let it end in .jsonl or .parquet")):
        done = samevoice("data", "scan", folder, "-o", tmp_path / name)
        assert done.returncode == 2
        assert word in done.stderr


def test_show_counts_groups_and_speakers(folder: Path, tmp_path: Path) -> None:
    manifest = open_corpus(folder).manifest
    shutil.rmtree(folder / "emil")  # a manifest is shown without the files
    save_manifest(manifest, tmp_path / "m.jsonl")
    lines = [line.split() for line in good("show", tmp_path / "m.jsonl", "--speakers").splitlines()]
    assert lines[0][:3] == ["corpus", "split", "language"]
    assert lines[1][3:] == ["5", "1", "0", "9", "0.00", "0.8", "s", "0.8", "s"]
    assert [line[0] for line in lines[4:9]] == list(manifest.speakers)
    told = json.loads(good("show", tmp_path / "m.jsonl", "--speakers", "--json"))
    assert {one["speaker"]: one["utterances"] for one in told["speakers"]} == {
        name: 1 if name.endswith("dora") else 2 for name in manifest.speakers
    }
    assert told["total"]["utterances"] == sum(one["utterances"] for one in told["groups"]) == 9


def test_split_writes_parts_that_share_nobody(folder: Path, tmp_path: Path) -> None:
    shown = good("split", folder, "-o", tmp_path / "parts", "--dev", "0.2", "--test", "0.2", "--seed", "3")
    parts = {name: load_manifest(tmp_path / "parts" / f"{name}.jsonl") for name in ("train", "dev", "test")}
    assert [len(part.speakers) for part in parts.values()] == [3, 1, 1]
    check_disjoint(parts)
    assert len(shown.splitlines()) == 3
    assert "3 speakers" in shown.splitlines()[0]
    again = good("split", folder, "-o", tmp_path / "again", "--dev", "0.2", "--test", "0.2", "--seed", "3")
    assert again.replace("again", "parts") == shown
    good("split", folder, "-o", tmp_path / "two", "--dev", "0")
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == ["test.jsonl", "train.jsonl"]
    done = samevoice("data", "split", folder, "-o", tmp_path / "parts", "--dev", "0")
    assert done.returncode == 2
    assert "holds dev.jsonl of another split" in done.stderr


def test_a_leak_stops_with_names(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "anna" / "0.flac", folder / "emil" / "copy.flac")
    done = samevoice("data", "split", folder, "-o", tmp_path / "parts")
    assert done.returncode == 2
    assert "anna" in done.stderr
    assert "emil" in done.stderr
    assert "remove one of each" in done.stderr
    assert not (tmp_path / "parts").exists()
    done = samevoice("data", "split", folder, "-o", tmp_path / "parts", "--published")
    assert done.returncode == 2
    assert "names no parts of its own" in done.stderr
    done = samevoice("data", "split", folder, "-o", tmp_path / "parts", "--dev", "0.7", "--test", "0.7")
    assert done.returncode == 2
    assert "together 1" in done.stderr


@pytest.mark.slow
def test_pack_goes_on_and_is_opened_like_any_corpus(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "packed"
    done = data("pack", folder, "-o", out, "--shard-mb", "1", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert "broken.wav" in done.stderr
    assert "9 utterances, 0.00 h; 1 shards written" in done.stdout
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    shown = good("pack", folder, "-o", out, "--shard-mb", "1")
    assert "0 shards written, 1 were there already" in shown
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert json.loads(good("show", out, "--json"))["total"]["utterances"] == 9
    done = data("pack", folder, "-o", out, "--rate", "8000")
    assert done.returncode == 2
    assert "pack into a new folder" in done.stderr


def test_help_teaches_with_an_example() -> None:
    for command in ("scan", "show", "split", "pack"):
        shown = " ".join(good(command, "--help").split())
        assert f"Example: samevoice data {command} " in shown


def test_a_manifest_of_another_toolkit_is_not_ours(tmp_path: Path) -> None:
    for name, text in (("a.jsonl", '{"id": "x"}\n'), ("b.jsonl", "[" * 5000), ("c.jsonl", "\0"), ("d.txt", "")):
        (tmp_path / name).write_text(text)
        assert not is_manifest(tmp_path / name)
    assert not is_manifest(tmp_path)
    with pytest.raises(DataError):
        open_corpus(tmp_path / "none.jsonl")
