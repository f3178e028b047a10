"""What is packed sounds as before; interrupted or not, on one thread or many, the bytes are the same."""

from __future__ import annotations

import json
import re
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from listings import digest, flac, listed, small_corpus, sound

from samevoice.corpora import feed
from samevoice.corpora.archives import stream_members
from samevoice.corpora.manifest import Manifest
from samevoice.corpora.opening import open_corpus
from samevoice.corpora.shardfile import keys_of
from samevoice.corpora.shards import Packed, pack
from samevoice.corpora.sounds import Sounds
from samevoice.corpora.storage import load_manifest
from samevoice.errors import AudioError, ConfigError, DataError

SMALL = 60_000  # bytes: three or four of these utterances in a shard


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def check_sound(before: Manifest, packed: Packed, rate: int) -> None:
    """Every packed utterance sounds as the original does at this rate."""
    old, new = Sounds(before.root, rate), Sounds(packed.manifest.root, rate)
    originals = {one.id: one for one in before}
    for one in packed.manifest:
        assert (new.read(one) == old.read(originals[one.id])).all()
        assert (new.read(one, 0.1, 0.2) == old.read(originals[one.id], 0.1, 0.2)).all()


@pytest.mark.parametrize("rate", [16_000, 8_000])
def test_round_trip(tmp_path: Path, rate: int) -> None:
    manifest = small_corpus(tmp_path / "corpus")
    packed = pack(manifest, tmp_path / "packed", rate=rate, shard_bytes=SMALL)
    check_sound(manifest, packed, rate)
    assert packed.problems == ()
    assert packed.seconds == pytest.approx(manifest.seconds)
    assert [one.id for one in packed.manifest] == [one.id for one in manifest]
    for one, original in zip(packed.manifest, manifest, strict=True):
        assert (one.speaker, one.language, one.corpus) == (original.speaker, original.language, original.corpus)
        assert (one.rate, one.start) == (rate, 0.0)
    assert load_manifest(tmp_path / "packed" / "manifest.jsonl") == packed.manifest
    assert open_corpus(tmp_path / "packed").manifest == packed.manifest


def test_a_reader_of_tar_finds_pairs_in_order(tmp_path: Path) -> None:
    manifest = small_corpus(tmp_path / "corpus")
    packed = pack(manifest, tmp_path / "packed", shard_bytes=SMALL)
    shards = sorted((tmp_path / "packed").glob("*.tar"))
    assert [path.name for path in shards] == [f"shard-{number:06d}.tar" for number in range(len(shards))]
    assert len(shards) == packed.written == 4
    seen = []
    for path in shards:
        with tarfile.open(path) as tar:
            members = [(one.name, tar.extractfile(one)) for one in tar]
            assert all((one.mtime, one.uid, one.gid, one.uname, one.gname) == (0, 0, 0, "", "") for one in tar)
            data = {name: file.read() for name, file in members if file is not None}
        names = list(data)
        total = 0
        for first, second in zip(names[::2], names[1::2], strict=True):
            key, _, suffix = first.partition(".")  # as webdataset does
            assert (suffix, second) == ("flac", f"{key}.json")
            told = json.loads(data[second])
            assert digest(data[first]) == told["checksum"]
            (path.parent / "x.flac").write_bytes(data[first])
            total += 2 * soundfile.info(path.parent / "x.flac").frames
            seen.append(told["id"])
        assert total <= SMALL
    assert seen == [one.id for one in manifest]


def test_the_same_bytes_on_any_number_of_threads_and_in_any_order(tmp_path: Path) -> None:
    manifest = small_corpus(tmp_path / "corpus")
    backwards = manifest.only(reversed(manifest.utterances))
    pack(manifest, tmp_path / "a", shard_bytes=SMALL, jobs=1)
    pack(backwards, tmp_path / "b", shard_bytes=SMALL, jobs=7)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "last shards and the manifest are missing": lambda out: _remove(
        out, "manifest.jsonl", "shard-000003.tar", "shard-000003.json", "shard-000002.tar"
    ),
    "a shard is cut off": lambda out: _cut(out / "shard-000002.tar", 1000),
    "a shard lacks its last zeros": lambda out: _cut(out / "shard-000002.tar", -1),
    "a note is missing": lambda out: (out / "shard-000001.json").unlink(),
    "a note is damaged": lambda out: (out / "shard-000001.json").write_bytes(b"[]"),
    "a note tells of a problem that is none": lambda out: _accuse(out / "shard-000001.json"),
    "one bit is wrong": lambda out: _flip(out / "shard-000000.tar", 2000),
    "two shards are exchanged": lambda out: [
        (out / "shard-000000.tar").replace(out / "x"),
        (out / "shard-000001.tar").replace(out / "shard-000000.tar"),
        (out / "x").replace(out / "shard-000001.tar"),
    ],
}


def _remove(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).unlink()


def _accuse(note: Path) -> None:
    told = json.loads(note.read_text())
    told["problems"].append({"path": "x", "member": None, "message": "x"})
    note.write_text(json.dumps(told))


def _cut(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])


def _flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("corrupt", [False, True])
def test_going_on_gives_the_same_bytes(tmp_path: Path, damage: str, corrupt: bool) -> None:
    manifest = small_corpus(tmp_path / "corpus")
    if corrupt:
        (tmp_path / "corpus/s1/0.flac").write_bytes(b"fLaC" + bytes(300))
    first = pack(manifest, tmp_path / "packed", shard_bytes=SMALL)
    before = contents(tmp_path / "packed")
    again = pack(manifest, tmp_path / "packed", shard_bytes=SMALL)
    assert (again.written, again.skipped) == (0, 4)
    DAMAGE[damage](tmp_path / "packed")
    second = pack(manifest, tmp_path / "packed", shard_bytes=SMALL)
    assert contents(tmp_path / "packed") == before
    assert second.written == (2 if damage.startswith(("last", "two")) else 1)
    assert second.written + second.skipped == first.written
    assert (second.manifest, second.problems, second.seconds) == (first.manifest, first.problems, first.seconds)


def test_a_kill_in_the_middle_leaves_complete_shards_only(tmp_path: Path) -> None:
    manifest = small_corpus(tmp_path / "corpus")
    pack(manifest, tmp_path / "whole", shard_bytes=SMALL)

    class Killed(BaseException):
        pass

    def kill(seconds: float) -> None:
        if seconds > 4:
            raise Killed

    with pytest.raises(Killed):
        pack(manifest, tmp_path / "packed", shard_bytes=SMALL, progress=kill)
    left = contents(tmp_path / "packed")
    assert 2 <= len(left) < len(contents(tmp_path / "whole"))
    assert left.items() <= contents(tmp_path / "whole").items()
    assert pack(manifest, tmp_path / "packed", shard_bytes=SMALL).skipped > 0
    assert contents(tmp_path / "packed") == contents(tmp_path / "whole")


def test_corrupt_utterances_are_named_and_make_no_hole(tmp_path: Path) -> None:
    manifest = small_corpus(tmp_path / "corpus")
    (tmp_path / "corpus/s1/0.flac").write_bytes(b"fLaC" + bytes(300))
    data = (tmp_path / "corpus/s2/1.flac").read_bytes()
    (tmp_path / "corpus/s2/1.flac").write_bytes(data[: len(data) // 2])
    (tmp_path / "corpus/s3/2.flac").unlink()
    packed = pack(manifest, tmp_path / "packed", shard_bytes=SMALL)
    assert [one.path for one in packed.problems] == ["s1/0.flac", "s2/1.flac", "s3/2.flac"]
    for problem in packed.problems:
        assert problem.path in problem.message
    assert len(packed.manifest) == len(manifest) - 3
    check_sound(manifest, packed, 16_000)
    for path in (tmp_path / "packed").glob("*.tar"):
        with tarfile.open(path) as tar:
            names = tar.getnames()
        assert [name[:-4] for name in names[::2]] == [name[:-4] for name in names[1::2]]


def test_nothing_that_can_be_read_is_told(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path, (listed("a"),))
    with pytest.raises(DataError, match=r"none of 1 utterances can be read; .*a\.flac: no such file"):
        pack(manifest, tmp_path / "packed")
    with pytest.raises(DataError, match="holds no utterances"):
        pack(Manifest(tmp_path, ()), tmp_path / "other")


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_archives_are_packed_in_their_own_order(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = small_corpus(tmp_path / "corpus")
    order = np.random.default_rng(5).permutation(len(plain))
    names = [plain.utterances[place].path for place in order]
    archive = tmp_path / f"c{suffix}"
    with tarfile.open(archive, "w:gz" if suffix.endswith("gz") else "w") as tar:
        for name in names:
            tar.add(tmp_path / "corpus" / name, name)
    inside = tuple(replace(one, path=archive.name, member=one.path) for one in plain)
    halves = [  # two utterances of one member
        replace(inside[0], id="z1", start=0.25, seconds=0.25),
        replace(inside[0], id="z0", start=0.0, seconds=0.25),
    ]
    manifest = Manifest(tmp_path, (*inside[1:], *halves))
    opened: list[Path] = []

    def counted(path: Path) -> Iterator[tuple[str, bytes]]:
        opened.append(path)
        return stream_members(path)

    monkeypatch.setattr(feed, "stream_members", counted)
    packed = pack(manifest, tmp_path / "packed", shard_bytes=SMALL)
    assert len(opened) == suffix.endswith("gz")
    assert packed.problems == ()
    assert [one.id for one in packed.manifest] == sorted(one.id for one in manifest)
    read, old = Sounds(tmp_path / "packed", 16_000), Sounds(plain.root, 16_000)
    originals = {one.id: one for one in plain}
    for one in packed.manifest:
        if one.id in originals:
            assert (read.read(one) == old.read(originals[one.id])).all()
    whole = old.read(plain.utterances[0])
    both = {one.id: read.read(one) for one in packed.manifest if one.id.startswith("z")}
    assert (np.concatenate([both["z0"], both["z1"]]) == whole).all()
    shard_of = {one.id: one.path for one in packed.manifest} | {plain.utterances[0].id: ""}
    in_archive_order = [shard_of[name] for name in names if shard_of[name]]
    assert in_archive_order == sorted(in_archive_order)
    for path in sorted((tmp_path / "packed").glob("shard-00000[12].tar")):
        path.unlink()  # the stream must pass over what is there
    before = contents(tmp_path / "packed")
    assert pack(manifest, tmp_path / "packed", shard_bytes=SMALL).written == 2
    assert before.items() <= contents(tmp_path / "packed").items()


def test_a_member_that_is_gone_is_one_problem_not_the_end(tmp_path: Path) -> None:
    small_corpus(tmp_path / "corpus", speakers=1)
    for name, mode in (("c.tar.gz", "w:gz"), ("d.tar", "w")):
        with tarfile.open(tmp_path / name, mode) as tar:  # type: ignore[call-overload]
            for number in range(3):
                tar.add(tmp_path / f"corpus/s0/{number}.flac", f"{number}.flac")
    ones = [
        listed(f"{archive}-{name}", path=archive, member=f"{name}.flac", seconds=0.5)
        for archive in ("c.tar.gz", "d.tar")
        for name in (0, 1, 2, "gone")
    ]
    packed = pack(Manifest(tmp_path, tuple(ones)), tmp_path / "packed")
    assert [(one.path, one.member) for one in packed.problems] == [("c.tar.gz", "gone.flac"), ("d.tar", "gone.flac")]
    assert len(packed.manifest) == 6


def test_a_long_utterance_has_a_shard_of_its_own_and_memory_stays_flat(tmp_path: Path) -> None:
    with soundfile.SoundFile(tmp_path / "long.flac", "w", 16_000, 1) as file:
        for number in range(10):
            file.write(0.01 * sound(60, seed=number))
    (tmp_path / "a.flac").write_bytes(flac(sound(1)))
    (tmp_path / "z.flac").write_bytes(flac(sound(1)))
    manifest = Manifest(tmp_path, (listed("a"), listed("long", seconds=600.0), listed("z")))
    tracemalloc.start()
    packed = pack(manifest, tmp_path / "packed", shard_bytes=SMALL)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len({one.path for one in packed.manifest}) == 3
    compressed = (tmp_path / "long.flac").stat().st_size
    assert peak < 2.5 * compressed + (8 << 20)  # decoded it has 38 MB
    long = packed.manifest.utterances[1]
    check = Sounds(tmp_path / "packed", 16_000).read(long, 300.0, 1.0)
    assert (check == Sounds(tmp_path, 16_000).read(manifest.utterances[1], 300.0, 1.0)).all()


def test_other_settings_and_other_folders_are_refused(tmp_path: Path) -> None:
    manifest = small_corpus(tmp_path / "corpus")
    out = tmp_path / "packed"
    pack(manifest, out, shard_bytes=SMALL)
    before = contents(out)
    with pytest.raises(DataError, match="was begun with another rate; pack into a new folder"):
        pack(manifest, out, shard_bytes=SMALL, rate=8_000)
    with pytest.raises(DataError, match="another shard bytes"):
        pack(manifest, out)
    with pytest.raises(DataError, match="another manifest"):
        pack(manifest.only(manifest.utterances[1:]), out, shard_bytes=SMALL)
    assert contents(out) == before
    (out / "pack.json").write_text("{")
    with pytest.raises(DataError, match=r"pack\.json: is damaged"):
        pack(manifest, out, shard_bytes=SMALL)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("mine")
    with pytest.raises(DataError, match="holds other files; give a new folder"):
        pack(manifest, tmp_path / "full")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match="cannot be written"):
        pack(manifest, tmp_path / "file")
    with pytest.raises(ConfigError, match="bytes of a shard must be a whole number"):
        pack(manifest, tmp_path / "new", shard_bytes=0)
    with pytest.raises(ConfigError, match="jobs must be a whole number"):
        pack(manifest, tmp_path / "new", jobs=0)
    with pytest.raises(AudioError, match="sample rate of 10 Hz"):
        pack(manifest, tmp_path / "new", rate=10)


def test_a_full_disk_is_told_and_what_is_complete_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = small_corpus(tmp_path / "corpus")
    genuine, calls = tarfile.TarFile.addfile, []

    def full(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) > 9:
            raise OSError(28, "No space left on device")
        genuine(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(tarfile.TarFile, "addfile", full)
    with pytest.raises(ConfigError, match=r"shard-000001\.tar: cannot be written \(No space left on device\)"):
        pack(manifest, tmp_path / "packed", shard_bytes=SMALL)
    assert list(contents(tmp_path / "packed")) == ["pack.json", "shard-000000.json", "shard-000000.tar"]


def test_progress_ends_at_the_whole(tmp_path: Path) -> None:
    manifest = small_corpus(tmp_path / "corpus")
    (tmp_path / "corpus/s1/0.flac").unlink()
    for _ in range(2):  # written, then found
        told: list[float] = []
        pack(manifest, tmp_path / "packed", shard_bytes=SMALL, progress=told.append)
        assert told == sorted(told)
        assert told[-1] == pytest.approx(manifest.seconds)


@given(st.lists(st.text(max_size=120), unique=True, max_size=6))
def test_keys_are_safe_and_distinct(ids: list[str]) -> None:
    keys = keys_of([listed(name) for name in ids])
    assert len(set(keys)) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,80}", key) for key in keys)
    assert all(key == name for key, name in zip(keys, ids, strict=True) if re.fullmatch(r"[A-Za-z0-9_-]{1,80}", name))


def test_two_ids_never_share_a_key() -> None:
    stolen = keys_of([listed("../../x")])[0]
    with pytest.raises(DataError, match="would have one name in a shard"):
        keys_of([listed("../../x"), listed(stolen)])
