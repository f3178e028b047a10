"""Jobs that outlive what happens to a service: a restart, a kill, a full disk, damaged files, time."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from jobmakers import ME, conversation, ended, finished, long_wav, room_for, sent, wav
from servicemakers import serving

import samevoice as sv
from samevoice.diarization.evidence import Evidence
from samevoice.diarization.hearing import Stretch
from samevoice.errors import DataError
from samevoice.gallery.crypto import MasterKey
from samevoice.service.access import Caller
from samevoice.service.edits import Rename, Undo
from samevoice.service.jobfiles import JOB, Record
from samevoice.service.jobs import Job, Jobs, Wanted
from samevoice.service.options import Options
from samevoice.service.problems import Refusal

ADMIN = Caller("root", "admin")
SERVE = """
import sys
from samevoice.service.options import Options
from samevoice.service.server import serve
serve(Options(port=0, model="campplus", gallery=sys.argv[1], data=sys.argv[2], per_minute=100000),
      say=lambda line: print(line, flush=True))
"""


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sv.Gallery]:
    place = tmp_path_factory.mktemp("gallery") / "voices.db"
    with sv.Gallery(place, model="campplus", threads=1, key=MasterKey.generate()) as opened:
        yield opened


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wav(tmp_path_factory.mktemp("sound") / "talk.wav", conversation())


Start = Callable[..., Jobs]


@pytest.fixture
def start(gallery: sv.Gallery, tmp_path: Path) -> Iterator[Start]:
    """Makes the jobs of a service that is started, again and again on one folder."""
    made: list[Jobs] = []

    def begin(**options: float) -> Jobs:
        for one in made:
            one.close()
        made.append(Jobs(Options(data=str(tmp_path), **options), gallery))  # type: ignore[arg-type]
        made[-1].start()
        return made[-1]

    yield begin
    for one in made:
        one.close()


def add(jobs: Jobs, audio: Path) -> str:
    return jobs.add(audio, "talk.wav", Wanted(), ME).record.id


def folder(tmp_path: Path, job: str) -> Path:
    return tmp_path / "jobs" / job


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_edits_and_the_way_back_outlive_a_restart(start: Start, talk: Path) -> None:
    jobs = start()
    job = add(jobs, talk)
    assert ended(jobs, job).record.state == "done"
    jobs.edit(job, ME, Rename(edit="rename", speaker="speaker-1", name="Ann"))
    jobs.edit(job, ME, Rename(edit="rename", speaker="Ann", name="Anna"))
    jobs.edit(job, ME, Undo(edit="undo"))
    jobs = start()
    draft = jobs.draft(job, ME)
    assert draft.names == ("Ann", "speaker-2")
    assert draft.redo().names == ("Anna", "speaker-2")
    assert draft.undo().names == ("speaker-1", "speaker-2")


@pytest.mark.slow
def test_a_job_goes_on_after_a_restart_with_what_was_heard(start: Start, tmp_path: Path) -> None:
    audio = long_wav(tmp_path / "long.wav", 260)
    jobs = start()
    job = add(jobs, audio)
    first = folder(tmp_path, job) / "stretches" / "00000.npz"
    until(first.exists)
    jobs.close()
    assert jobs.find(job, ME).record.state == "running"
    heard = first.stat().st_mtime_ns
    seen: list[Job] = []
    jobs = start()
    while (now := jobs.find(job, ME)).record.state != "done":
        seen.append(now)
        assert now.record.state != "failed", now.record.problem
        if first.exists():
            assert first.stat().st_mtime_ns == heard
        time.sleep(0.005)
    assert sorted(path.name for path in folder(tmp_path, job).iterdir()) == [
        "edits.json",
        "evidence.npz",
        "job.json",
        "peaks.npy",
        "sound.flac",
    ]
    running = [one.progress for one in seen if one.record.state == "running" and one.progress > 0]
    assert running == sorted(running)
    assert running[0] >= 0.05 + 0.9 * 120 / 260
    estimates = [one.eta for one in seen if one.eta is not None]
    assert estimates
    assert 0 <= estimates[-1] < 60
    whole = sv.diarize(audio, diarizer=jobs.diarizer())
    assert list(jobs.draft(job, ME).diarized) == list(whole)


@pytest.mark.slow
def test_kill_9_keeps_what_was_acknowledged(tmp_path: Path, talk: Path) -> None:
    audio = long_wav(tmp_path / "long.wav", 130)
    with killed(tmp_path) as client:
        done = finished(client, sent(client, talk).json()["id"])["id"]
        edit = {"edit": "rename", "speaker": "speaker-1", "name": "Ann"}
        acknowledged = client.post(f"/v1/diarize/{done}/edits", json=edit).json()
        accepted = sent(client, audio, speakers="2").json()["id"]
        until(lambda: client.get(f"/v1/diarize/{accepted}").json()["progress"] > 0)
        waiting = sent(client, talk).json()["id"]
    left = tmp_path / "data" / "jobs" / ".new-0123"
    left.mkdir()
    with serving(tmp_path, per_minute=100_000) as running, httpx.Client(base_url=running.url, timeout=60) as client:
        assert client.get(f"/v1/diarize/{done}/result").json() == acknowledged
        assert {one["id"] for one in client.get("/v1/diarize").json()} == {done, accepted, waiting}
        for job in (accepted, waiting):
            found = finished(client, job)
            assert found["state"] == "done", found
        assert client.get(f"/v1/diarize/{accepted}/result").json()["extent"] == pytest.approx(130)
        assert not left.exists()


@contextmanager
def killed(tmp_path: Path) -> Iterator[httpx.Client]:
    """A service in a process that is killed at the end, without a chance to put anything away."""
    command = [sys.executable, "-c", SERVE, str(tmp_path / "voices.db"), str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = re.search(r"http://[\d.]+:\d+", process.stdout.readline())
            assert url
            with httpx.Client(base_url=url[0], timeout=60) as client:
                until(lambda: _answers(client))
                yield client
        finally:
            os.kill(process.pid, signal.SIGKILL)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def test_a_job_that_expired_leaves_nothing(start: Start, tmp_path: Path, talk: Path) -> None:
    jobs = start(keep_hours=1.5 / 3600)
    job = add(jobs, talk)
    ended(jobs, job)
    until(lambda: not jobs.of(ME))
    assert not list((tmp_path / "jobs").iterdir())
    with pytest.raises(Refusal):
        jobs.draft(job, ME)


def test_one_that_expired_while_the_service_was_off_is_removed(start: Start, tmp_path: Path, talk: Path) -> None:
    jobs = start()
    job = add(jobs, talk)
    record = ended(jobs, job).record
    jobs.close()
    past = replace(record, expires=record.created)
    (folder(tmp_path, job) / "job.json").write_text(json.dumps(past.to_json()))
    assert start().of(ADMIN) == []
    assert not folder(tmp_path, job).exists()


def test_a_full_disk_fails_the_job_and_not_the_service(start: Start, tmp_path: Path, talk: Path) -> None:
    jobs = start()
    with room_for(60_000):  # fewer than the FLAC has
        job = add(jobs, talk)
        record = ended(jobs, job).record
    assert (record.state, record.code) == ("failed", "disk")
    assert record.problem is not None
    assert record.problem.startswith("talk.wav: ")
    assert [path.name for path in folder(tmp_path, job).iterdir()] == ["job.json"]
    assert ended(jobs, add(jobs, talk)).record.state == "done"


def test_without_room_a_job_is_not_accepted_and_an_edit_not_made(start: Start, tmp_path: Path, talk: Path) -> None:
    jobs = start()
    job = add(jobs, talk)
    ended(jobs, job)
    rename = Rename(edit="rename", speaker="speaker-1", name="Ann")
    with room_for(10):
        with pytest.raises(Refusal, match="no room") as refused:
            add(jobs, talk)
        with pytest.raises(Refusal, match="no room"):
            jobs.edit(job, ME, rename)
    assert refused.value.problem.status == 507
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == [job]
    assert jobs.draft(job, ME).names == ("speaker-1", "speaker-2")
    assert jobs.edit(job, ME, rename).names == ("Ann", "speaker-2")


@pytest.mark.parametrize("name", ["evidence.npz", "edits.json"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\x00 no"])
def test_damaged_files_are_a_failed_job(
    start: Start, tmp_path: Path, done: Path, name: str, content: bytes | None
) -> None:
    jobs = place(start, tmp_path, done)
    if content is None:
        (folder(tmp_path, done.name) / name).unlink()
    else:
        (folder(tmp_path, done.name) / name).write_bytes(content)
    for _ in range(2):
        with pytest.raises(Refusal, match="damaged on the disk") as refused:
            jobs.draft(done.name, ME)
        assert refused.value.problem.status == 409
    assert jobs.find(done.name, ME).record.state == "failed"
    jobs = start()
    assert jobs.find(done.name, ME).record.state == "failed"


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"version": 1}', b"[" * 100_000, b"null"])
def test_a_damaged_record_is_a_failed_job_that_admins_see(
    start: Start, tmp_path: Path, done: Path, content: bytes
) -> None:
    place(start, tmp_path, done)
    (folder(tmp_path, done.name) / "job.json").write_bytes(content)
    jobs = start()
    found = jobs.find(done.name, ADMIN).record
    assert (found.state, found.code) == ("failed", "data")
    with pytest.raises(Refusal):
        jobs.find(done.name, ME)
    jobs.remove(done.name, ADMIN)
    assert not folder(tmp_path, done.name).exists()


@pytest.fixture(scope="module")
def done(gallery: sv.Gallery, talk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a job that is done, to be copied."""
    place = tmp_path_factory.mktemp("done")
    jobs = Jobs(Options(data=str(place)), gallery)
    jobs.start()
    job = add(jobs, talk)
    assert ended(jobs, job).record.state == "done"
    jobs.close()
    return place / "jobs" / job


def place(start: Start, tmp_path: Path, done: Path) -> Jobs:
    """A service with such a job."""
    target = folder(tmp_path, done.name)
    target.mkdir(parents=True)
    for path in done.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return start()


def test_a_recording_that_vanished_is_a_failed_job(start: Start, tmp_path: Path, done: Path) -> None:
    jobs = place(start, tmp_path, done)
    record = jobs.find(done.name, ME).record
    jobs.close()
    (folder(tmp_path, done.name) / "job.json").write_text(json.dumps(replace(record, state="waiting").to_json()))
    found = ended(start(), done.name).record
    assert found.state == "failed"
    assert found.problem == "talk.wav: is gone from the disk of the service; give the recording again"


def test_what_is_no_job_is_let_alone(start: Start, tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "notes.txt").write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "job.json").write_text("{}")
    (tmp_path / "jobs" / ("a" * 32)).symlink_to(tmp_path / "elsewhere")
    jobs = start()
    assert jobs.of(ADMIN) == []
    assert (tmp_path / "jobs" / "notes.txt").exists()
    assert (tmp_path / "elsewhere" / "job.json").exists()


def test_too_long_a_meeting_is_a_failed_job(start: Start, talk: Path) -> None:
    jobs = start(meeting_seconds=10)
    record = ended(jobs, add(jobs, talk)).record
    assert record.state == "failed"
    assert record.problem is not None
    assert "longer than" in record.problem


def test_a_line_of_bounded_length(start: Start, tmp_path: Path, talk: Path) -> None:
    jobs = start(waiting=2)
    slow = add(jobs, long_wav(tmp_path / "slow.wav", 900))
    second = add(jobs, talk)
    with pytest.raises(Refusal) as refused:
        add(jobs, talk)
    assert refused.value.problem.code == "busy"
    assert jobs.counts()["waiting"] + jobs.counts()["running"] == 2
    jobs.remove(slow, ME)
    assert ended(jobs, second).record.state == "done"


def test_one_key_cannot_fill_the_line(start: Start, tmp_path: Path, talk: Path) -> None:
    jobs = start()
    ann, bob = Caller("ann", "user", "0123abcd"), Caller("bob", "user", "89abcdef")
    made = [jobs.add(long_wav(tmp_path / "slow.wav", 900), "slow.wav", Wanted(), ann).record.id]
    answers: list[tuple[int, str, bool]] = []

    def give() -> None:
        try:
            made.append(jobs.add(talk, "talk.wav", Wanted(), ann).record.id)
        except Refusal as refused:
            answers.append((refused.problem.status, refused.problem.code, refused.problem.extras["retry_after"] > 0))

    threads = [threading.Thread(target=give) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while len(made) < 16:  # a job that was just put on disk counts twice for a moment
        give()
    give()
    assert len(made) == len(jobs.of(ann)) == 16
    assert set(answers) == {(429, "busy", True)}
    made.append(jobs.add(talk, "talk.wav", Wanted(), bob).record.id)
    for job in reversed(made):
        jobs.remove(job, ADMIN)


class Usage(NamedTuple):
    """As shutil tells it."""

    total: int
    used: int
    free: int


def test_jobs_leave_room_on_the_disk(start: Start, talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = start()
    large = long_wav(tmp_path / "slow.wav", 900)
    first, second = large.stat().st_size, talk.stat().st_size
    free = (256 << 20) + 2 * first - 1
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(1 << 40, 0, free))
    with pytest.raises(Refusal, match="no room") as refused:
        add(jobs, large)
    assert (refused.value.problem.status, refused.value.problem.code) == (507, "disk")
    assert jobs.of(ME) == []
    free += 1
    slow = add(jobs, large)
    free += 2 * second - 1
    with pytest.raises(Refusal, match="no room"):  # the first one still needs its own
        add(jobs, talk)
    free += 1
    jobs.remove(add(jobs, talk), ME)
    jobs.remove(slow, ME)


def test_counting_jobs_removes_nothing(start: Start, tmp_path: Path, done: Path) -> None:
    jobs = place(start, tmp_path, done)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=2), tick=False):
        assert jobs.counts()["done"] == 1
        assert folder(tmp_path, done.name).exists()
        assert jobs.of(ME) == []
        assert not folder(tmp_path, done.name).exists()


def test_a_later_key_of_the_same_name_sees_no_earlier_job(start: Start, tmp_path: Path, done: Path) -> None:
    jobs = place(start, tmp_path, done)
    assert len(jobs.of(ME)) == 1
    assert jobs.of(Caller(ME.name, "user", "0123abcd")) == []
    assert jobs.of(Caller("local", "user", "0123abcd")) == []


def test_a_disk_that_does_not_remove_a_job_is_told_of(
    start: Start, tmp_path: Path, done: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = place(start, tmp_path, done)
    unlink = os.unlink

    def refuse(path: str, **options: int) -> None:
        if str(path).endswith("sound.flac"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        unlink(path, **options)

    with monkeypatch.context() as broken:
        broken.setattr(os, "unlink", refuse)
        with pytest.raises(Refusal, match="refuses to remove") as refused:
            jobs.remove(done.name, ME)
    assert (refused.value.problem.status, refused.value.problem.code) == (500, "disk")
    assert "refuses to remove a job" in caplog.text
    assert jobs.of(ADMIN) == []
    (left,) = (tmp_path / "jobs").iterdir()
    assert [path.name for path in left.iterdir()] == ["sound.flac"]
    start()
    assert not left.exists()


@pytest.mark.slow
def test_a_stretch_that_is_being_heard_is_the_last_of_a_deleted_job(
    start: Start, tmp_path: Path, talk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = start()
    diarizer, begun = jobs.diarizer(), []
    hear = diarizer.hear

    def counted(stretch: Stretch, recording: str) -> Evidence:
        begun.append(stretch.number)
        return hear(stretch, recording)

    monkeypatch.setattr(diarizer, "hear", counted)
    slow = add(jobs, long_wav(tmp_path / "slow.wav", 500))
    until(lambda: bool(begun))
    before = len(begun)
    jobs.remove(slow, ME)
    assert ended(jobs, add(jobs, talk)).record.state == "done"
    assert len(begun) <= before + 2  # one that began meanwhile, and the short recording
    assert not folder(tmp_path, slow).exists()


def test_many_edits_at_once_are_all_made(start: Start, tmp_path: Path, done: Path) -> None:
    jobs = place(start, tmp_path, done)
    count = len(jobs.draft(done.name, ME).past)
    names = ("Ann", "Bob")

    def rename(turn: int) -> None:
        for one, other in (names, names[::-1]):
            speaker = jobs.draft(done.name, ME).names[turn % 2]
            try:
                jobs.edit(done.name, ME, Rename(edit="rename", speaker=speaker, name=f"{speaker}{turn}{one}{other}"))
            except sv.ConfigError:  # somebody else was faster
                continue
            made.append(turn)

    made: list[int] = []
    threads = [threading.Thread(target=rename, args=(turn,)) for turn in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made
    assert len(jobs.draft(done.name, ME).past) == count + len(made)
    assert len(start().draft(done.name, ME).past) == count + len(made)


def test_ids_are_random_and_of_one_pattern(start: Start, talk: Path) -> None:
    jobs = start()
    found = {add(jobs, talk) for _ in range(3)}
    assert len(found) == 3
    assert all(JOB.fullmatch(one) for one in found)
    for one in found:
        jobs.remove(one, ME)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(change=st.dictionaries(st.sampled_from([*Record.__dataclass_fields__, "version", "other"]), JSON))
def test_a_record_reads_back_or_is_refused(change: dict[str, object], done: Path) -> None:
    whole = json.loads((done / "job.json").read_text())
    assert Record.from_json(whole).to_json() == whole
    try:
        found = Record.from_json({**whole, **change})
    except DataError:
        return
    assert found.valid
    assert JOB.fullmatch(found.id)
    assert Record.from_json(found.to_json()) == found
