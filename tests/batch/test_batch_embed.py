"""A corpus becomes a dataset: the same bytes however many workers, and nothing lost on the way."""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

import numpy as np
import pyarrow.parquet as parquet
import pytest
import soundfile
from commandline import samevoice
from hypothesis import given
from hypothesis import strategies as st

import samevoice as sv
from samevoice.batch import running
from samevoice.batch.dataset import Dataset, Description, at_work, read_description
from samevoice.batch.listing import Item, Listing, list_recordings
from samevoice.batch.parts import Bad, Outcome
from samevoice.batch.pool import Answer, Lost, Task
from samevoice.batch.running import embed_corpus
from samevoice.batch.worker import Job, Worker
from samevoice.corpora.manifest import Manifest, Utterance
from samevoice.corpora.opening import open_corpus
from samevoice.corpora.shards import pack
from samevoice.corpora.storage import save_manifest
from samevoice.errors import ConfigError, DataError, ModelError

pytest_plugins = ["batchfixtures"]

RATE = 16_000
Contents = Callable[[Path], dict[str, bytes]]


@pytest.fixture(scope="module")
def model() -> sv.Model:
    """The real one, on one thread like the workers'."""
    return sv.load_model("campplus", threads=1)


def rows(folder: Path) -> dict[str, dict[str, object]]:
    """All rows of a dataset's embeddings, by id."""
    parts = sorted((folder / "embeddings").iterdir())
    return {row["id"]: row for part in parts for row in parquet.read_table(part).to_pylist()}


def bad(folder: Path) -> dict[str, str]:
    """Path and reason of all bad recordings."""
    parts = sorted((folder / "bad").iterdir())
    return {row["path"]: row["reason"] for part in parts for row in parquet.read_table(part).to_pylist()}


def test_two_workers_make_the_bytes_of_one(
    voices: Path, dataset: Path, contents: Contents, tmp_path: Path, model: sv.Model
) -> None:
    done = samevoice("batch", "embed", voices, "-o", tmp_path / "two", "--workers", 2, "--block", 4)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "two") == contents(dataset)
    found = rows(dataset)
    assert sorted(found) == sorted(file.relative_to(voices).as_posix() for file in voices.rglob("*.wav"))
    for name in list(found)[::9]:
        alone = model.embed(voices / name)
        assert np.array_equal(np.array(found[name]["embedding"], dtype=np.float32), alone.vector)
        assert found[name]["speech_seconds"] == alone.seconds
        assert found[name]["warnings"] == list(alone.warnings)
        assert found[name]["speaker"] == name.split("/")[0]
        assert found[name]["path"] == name


def test_a_finished_dataset_is_left_alone(voices: Path, dataset: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in dataset.rglob("*.*")}
    done = samevoice("batch", "embed", voices, "-o", dataset, "--workers", 2)
    assert (done.returncode, "was there before" in done.stdout) == (0, True)
    assert {path: path.stat().st_mtime_ns for path in dataset.rglob("*.*")} == before


def test_a_lost_block_is_made_again_alone(voices: Path, dataset: Path, contents: Contents, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(dataset, copy)
    lost = copy / "embeddings" / "part-0000002.parquet"
    lost.unlink()
    (copy / "embeddings" / ".samevoice-0123456789abcdef").write_bytes(b"half")
    result = embed_corpus(list_recordings(voices), copy, model="campplus")
    assert result.done == 4
    assert contents(copy) == contents(dataset)


def test_another_model_list_or_block_is_refused(voices: Path, dataset: Path, tmp_path: Path) -> None:
    other = samevoice("batch", "embed", voices, "-o", dataset, "--model", "ge2e")
    assert other.returncode == 2
    assert "ge2e" in other.stderr
    shutil.copytree(voices, tmp_path / "more")
    shutil.copy(next(voices.rglob("*.wav")), tmp_path / "more" / "new.wav")
    with pytest.raises(DataError, match=r"another list of recordings \(\d+ of them, here are \d+\)"):
        embed_corpus(list_recordings(tmp_path / "more"), dataset, model="campplus")
    with pytest.raises(DataError, match=r"blocks of 4, not of 8"):
        embed_corpus(list_recordings(voices), dataset, model="campplus", block=8)
    silero = samevoice("batch", "embed", voices, "-o", tmp_path / "out", "--model", "silero")
    assert silero.returncode == 2
    assert "choose another" in silero.stderr


def test_a_fingerprint_of_another_model_is_refused(voices: Path, dataset: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(dataset, copy)
    text = (copy / "dataset.json").read_text()
    (copy / "dataset.json").write_text(text.replace("campplus@", "campplus@0"))
    with pytest.raises(DataError, match=r"holds embeddings by campplus@0\w+, not by campplus@"):
        embed_corpus(list_recordings(voices), copy, model="campplus")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[:20], "cannot be read"),
        (lambda text: text.replace('"version": 1', '"version": 2'), "version 2"),
        (lambda text: text.replace('"embeddings"', '"voices"'), "describes no dataset"),
        (lambda text: text.replace('"block": 4', '"block": 0'), "impossible values"),
        (lambda text: text.replace('"block"', '"blocks"'), "impossible values"),
        (lambda _: "[]", "describes no dataset"),
    ],
)
def test_a_damaged_description_is_refused(
    voices: Path, dataset: Path, tmp_path: Path, change: Callable[[str], str], said: str
) -> None:
    (tmp_path / "dataset.json").write_text(change((dataset / "dataset.json").read_text()))
    with pytest.raises(DataError, match=said):
        embed_corpus(list_recordings(voices), tmp_path, model="campplus")


def test_bad_recordings_are_listed_and_odd_names_kept(tmp_path: Path, samples: Path) -> None:
    root = tmp_path / "odd"
    odd = ["köln/ß ü.wav", "new\nline/a.wav", "C:x.wav", "back\\slash.wav", "'; DROP TABLE.wav", "日本/語.wav"]
    if sys.platform == "linux":
        odd.append(os.fsdecode(b"bytes-\xff.wav"))
    for name in odd:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        cut(samples / "librispeech_1255_a.flac", root / name)
    (root / "text.wav").write_text("no sound")
    (root / "empty.flac").touch()
    soundfile.write(root / "silent.wav", np.zeros(RATE, dtype=np.int16), RATE)
    (root / "gone.wav").symlink_to("nowhere")
    done = samevoice("batch", "embed", root, "-o", tmp_path / "out", "--workers", 1)
    assert done.returncode == 3, done.stderr
    found = rows(tmp_path / "out")
    assert set(found) == {name.encode(errors="backslashreplace").decode() for name in odd}
    assert {name: row["speaker"] for name, row in found.items()}["köln/ß ü.wav"] == "köln"
    assert found["C:x.wav"]["speaker"] is None
    reasons = bad(tmp_path / "out")
    assert set(reasons) == {"text.wav", "empty.flac", "silent.wav", "gone.wav"}
    assert "0.0 s of speech found" in reasons["silent.wav"]
    assert not any(str(tmp_path) in reason for reason in reasons.values())
    assert "4 that could not be used are listed in" in done.stderr


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for source in (tmp_path / "empty", tmp_path / "missing"):
        done = samevoice("batch", "embed", source, "-o", tmp_path / "out")
        assert done.returncode == 2
        assert str(source) in done.stderr
    assert not (tmp_path / "out").exists()


def test_parts_of_files_are_embedded_as_the_manifest_means_them(tmp_path: Path, samples: Path, model: sv.Model) -> None:
    shutil.copy(samples / "philippe_1.flac", tmp_path / "long.flac")
    sound, rate = soundfile.read(tmp_path / "long.flac", dtype="int16")
    seconds = len(sound) / rate
    whole = utterance("whole", "long.flac", seconds)
    manifest = Manifest(tmp_path, (utterance("part", "long.flac", 3.0, start=1.5), whole))
    save_manifest(manifest, tmp_path / "list.jsonl")
    done = samevoice("batch", "embed", tmp_path / "list.jsonl", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    found = rows(tmp_path / "out")
    piece = model.embed(sv.Waveform(sound[round(1.5 * rate) : round(4.5 * rate)], rate))
    for name, expected in {"part": piece, "whole": model.embed(tmp_path / "long.flac")}.items():
        assert np.array_equal(np.array(found[name]["embedding"], dtype=np.float32), expected.vector), name


def test_a_packed_corpus_is_read_from_its_archives(voices: Path, dataset: Path, tmp_path: Path) -> None:
    corpus = open_corpus(voices).manifest
    pack(corpus.only(list(corpus)[:3]), tmp_path / "packed")
    result = embed_corpus(list_recordings(tmp_path / "packed"), tmp_path / "out", model="campplus", workers=1)
    assert (result.embedded, result.bad) == (3, 0)
    plain = rows(dataset)
    for name, row in rows(tmp_path / "out").items():
        assert np.dot(row["embedding"], plain[name]["embedding"]) > 0.9999  # type: ignore[call-overload]


def test_one_id_for_two_utterances_is_refused(tmp_path: Path, voices: Path) -> None:
    manifest = open_corpus(voices).manifest
    save_manifest(manifest, tmp_path / "list.jsonl")
    lines = (tmp_path / "list.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "list.jsonl").write_text("".join([*lines, lines[1]]))
    done = samevoice("batch", "embed", tmp_path / "list.jsonl", "-o", tmp_path / "out")
    assert done.returncode == 2
    assert "is already that of" in done.stderr


def test_what_cannot_be_written_is_said_in_a_sentence(voices: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = samevoice("batch", "embed", voices, "-o", tmp_path / "file" / "out")
    assert (done.returncode, "cannot be written (Not a directory)" in done.stderr) == (2, True)
    done = samevoice("batch", "embed", voices, "-o", tmp_path)
    assert (done.returncode, "holds other files" in done.stderr) == (2, True)


@pytest.mark.slow
def test_a_full_disk_stops_the_run_and_keeps_what_is_done(
    voices: Path, dataset: Path, contents: Contents, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = ["batch", "embed", str(voices), "-o", str(out), "--workers", "1", "--block", "4"]
    full = subprocess.run(
        [sys.executable, "-m", "samevoice", *command],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000)),
    )
    assert full.returncode == 2
    assert "make room" in full.stderr
    assert "Traceback" not in full.stderr
    assert not list(out.rglob("*.parquet"))
    assert not list(out.rglob(".samevoice-*"))
    assert samevoice(*command).returncode == 0
    assert contents(out) == contents(dataset)


def test_options_out_of_range_are_refused(voices: Path, tmp_path: Path) -> None:
    listing = list_recordings(voices)
    for options in ({"workers": 0}, {"block": 0}, {"block": 1 << 20}):
        with pytest.raises(ConfigError, match="whole number from 1"):
            embed_corpus(listing, tmp_path / "out", model="campplus", **options)  # type: ignore[arg-type]
    with pytest.raises(ModelError):
        embed_corpus(listing, tmp_path / "out", model="nobody")


def test_two_runs_at_once_are_refused(voices: Path, dataset: Path) -> None:
    description = read_description(dataset)
    with at_work(dataset, description), pytest.raises(ConfigError, match="another run is at work"):
        embed_corpus(list_recordings(voices), dataset, model="campplus")


def test_a_run_that_begins_while_another_ends_is_alone_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, description = tmp_path / "out", Description("campplus", "campplus@1", 192, "digest", recordings=4, block=4)
    ending, lock = ExitStack(), fcntl.flock
    ending.enter_context(at_work(out, description))

    def late(file: TextIO, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        ending.close()  # between opening the file and locking it
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with at_work(out, description), pytest.raises(ConfigError, match="another run is at work"):
        ending.enter_context(at_work(out, description))
    assert not (out / ".lock").exists()


class Fragile:
    """A pool in this process whose only worker does not survive some recordings."""

    def __init__(self, worker: Worker, deadly: set[str], limit: int = 1_000) -> None:
        self.worker, self.deadly, self.limit = worker, deadly, limit
        self.task: Task | None = None
        self.seen: list[Task] = []

    def __enter__(self) -> Fragile:
        return self

    def __exit__(self, *_: object) -> None:
        return

    @property
    def idle(self) -> int:
        return int(self.task is None)

    @property
    def busy(self) -> bool:
        return self.task is not None

    def submit(self, task: Task) -> None:
        self.task = task
        self.seen.append(task)

    def wait(self) -> tuple[Task, Answer]:
        assert self.task is not None
        task, self.task = self.task, None
        if any(item.id in self.deadly for item in task.items):
            return task, Lost("signal 11")
        answer = self.worker.answer(task.items)
        assert isinstance(answer, list)
        return task, answer


class Stub(Worker):
    """Says which recording it was given."""

    def answer(self, items: object) -> list[Outcome]:
        assert isinstance(items, tuple)
        return [Bad("ok", item.id) for item in items]


@given(
    size=st.integers(1, 40),
    block=st.integers(1, 9),
    deadly=st.sets(st.integers(0, 39), max_size=4),
)
def test_only_deadly_recordings_are_given_up(size: int, block: int, deadly: set[int]) -> None:
    items = tuple(Item(str(number), None, f"{number}.wav") for number in range(size))
    tasks = [Task(n, 0, items[start : start + block]) for n, start in enumerate(range(0, size, block))]
    pool = Fragile(Stub(Job(Path("/"), "", "")), {str(one) for one in deadly})
    found = dict(running._finished(pool, tasks))
    assert [task.block for task in sorted(found, key=lambda one: one.block)] == [task.block for task in tasks]
    for task, outcomes in found.items():
        for item, out in zip(task.items, outcomes, strict=True):
            assert isinstance(out, Bad)
            assert out.code == ("lost" if int(item.id) in deadly else "ok")
            assert item.id in out.reason
    given_to = [item.id for task in pool.seen for item in task.items]
    assert max(map(given_to.count, given_to)) <= 4


def test_workers_that_never_survive_end_the_run() -> None:
    items = tuple(Item(str(number), None, f"{number}.wav") for number in range(100))
    pool = Fragile(Stub(Job(Path("/"), "", "")), {item.id for item in items})
    with pytest.raises(ConfigError, match=r"20 workers in a row .*signal 11"):
        list(running._finished(pool, [Task(0, 0, items)]))


def test_a_worker_refuses_another_model_under_the_name(voices: Path) -> None:
    answer = Worker(Job(voices, "campplus", "campplus@0")).answer(())
    assert isinstance(answer, sv.SamevoiceError)
    assert "campplus@0" in str(answer)


def test_a_list_is_another_if_anything_in_it_changes() -> None:
    one = utterance("a", "a.wav", 2.0)
    base = Listing(Path("/x"), (Item("a", None, "a.wav", one), Item("b", "bo", "b.wav")))
    others = [
        Listing(Path("/x"), base.items[::-1]),
        Listing(Path("/x"), base.items[:1]),
        Listing(Path("/x"), (base.items[0], Item("b", None, "b.wav"))),
        Listing(Path("/x"), (Item("a", None, "a.wav", utterance("a", "a.wav", 3.0)), base.items[1])),
    ]
    assert len({base.digest, *(one.digest for one in others)}) == 5
    assert Listing(Path("/elsewhere"), base.items).digest == base.digest


def test_a_block_tried_again_takes_back_what_was_bad(tmp_path: Path, model: sv.Model, samples: Path) -> None:
    (tmp_path / "embeddings").mkdir()
    (tmp_path / "bad").mkdir()
    data = Dataset(tmp_path, Description("m", "m@0", 192, "0", 1, 16))
    item = Item("a", None, "a.wav")
    data.write(0, [item], [Bad("audio", "a.wav: gone")])
    assert data.counts() == (0, 1)
    data.write(0, [item], [model.embed(samples / "philippe_2.flac")])
    assert data.counts() == (1, 0)


def cut(source: Path, target: Path, seconds: float = 2.0) -> None:
    """The first seconds of a recording, as a WAV."""
    sound, rate = soundfile.read(source, frames=round(seconds * RATE), dtype="int16")
    with target.open("wb") as file:
        soundfile.write(file, sound, rate, format="WAV")


def utterance(name: str, path: str, seconds: float, start: float = 0.0) -> Utterance:
    """A row of a manifest."""
    return Utterance(name, "anna", "", path, None, start, seconds, RATE, "", "", "", "", "test", "")
