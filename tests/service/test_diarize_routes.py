"""Jobs over a real socket: a recording goes in, who spoke when comes out, is put right, and is taken away."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import httpx
import numpy as np
import pytest
import soundfile
from jobmakers import PHILIPPE_ENROLS, RATE, conversation, finished, long_wav, sent, wav
from servicemakers import Running, bearer, new_key, serving

from samevoice.diarization import formats
from samevoice.diarization.diarizer import diarize, load_diarizer


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("service"), per_minute=100_000) as found:
        found.gallery.enrol("Philippe", PHILIPPE_ENROLS)
        yield found


@pytest.fixture(scope="module")
def client(running: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, timeout=60) as found:
        yield found


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wav(tmp_path_factory.mktemp("sound") / "talk.wav", conversation())


@pytest.fixture(scope="module")
def done(client: httpx.Client, talk: Path) -> str:
    """A job that is done."""
    answer = sent(client, talk)
    assert answer.status_code == 202
    found = finished(client, answer.json()["id"])
    assert found["state"] == "done", found["problem"]
    return str(found["id"])


@pytest.fixture
def job(client: httpx.Client, done: str) -> str:
    """The same with all edits undone."""
    while client.get(f"/v1/diarize/{done}/result").json()["undo"]:
        edited(client, done, edit="undo")
    return done


def edited(client: httpx.Client, job: str, **edit: Any) -> httpx.Response:
    return client.post(f"/v1/diarize/{job}/edits", json=edit)


def names(result: dict[str, Any]) -> list[str]:
    return [one["name"] for one in result["speakers"]]


def test_the_answer_is_that_of_the_library(running: Running, client: httpx.Client, job: str, talk: Path) -> None:
    found = client.get(f"/v1/diarize/{job}").json()
    assert found["name"] == "talk.wav"
    assert found["seconds"] == pytest.approx(len(conversation()) / RATE)
    assert (found["progress"], found["problem"], found["state"]) == (1.0, None, "done")
    offline = diarize(talk, diarizer=load_diarizer(running.gallery.model, 1))
    result = client.get(f"/v1/diarize/{job}/result").json()
    told = [(turn["start"], turn["end"], turn["speaker"], turn["confidence"]) for turn in result["turns"]]
    assert told == [(one.start, one.end, one.speaker, one.confidence) for one in offline]
    assert names(result) == ["speaker-1", "speaker-2"]
    assert [one["known"] for one in result["speakers"]] == [False, False]
    assert result["extent"] == offline.diarization.extent
    assert result["counts"][0]["speakers"] == 2
    assert not result["undo"]


def test_names_of_the_gallery_when_asked_for_at_once(client: httpx.Client, talk: Path) -> None:
    found = finished(client, sent(client, talk, names="true").json()["id"])
    result = client.get(f"/v1/diarize/{found['id']}/result").json()
    assert names(result) == ["speaker-1", "Philippe"]
    assert [one["known"] for one in result["speakers"]] == [False, True]


def test_a_number_of_speakers_is_kept_to(client: httpx.Client, talk: Path) -> None:
    found = finished(client, sent(client, talk, speakers="1").json()["id"])
    assert names(client.get(f"/v1/diarize/{found['id']}/result").json()) == ["speaker-1"]


@pytest.mark.parametrize("form", [{"speakers": "0"}, {"least": "3", "most": "2"}, {"speakers": "many"}])
def test_a_number_of_speakers_that_cannot_be_is_refused(client: httpx.Client, talk: Path, form: dict[str, str]) -> None:
    assert sent(client, talk, **form).status_code in (400, 422)


def test_names_of_the_gallery_as_an_edit_that_can_be_undone(client: httpx.Client, job: str) -> None:
    assert names(edited(client, job, edit="names").json()) == ["speaker-1", "Philippe"]
    assert names(edited(client, job, edit="undo").json()) == ["speaker-1", "speaker-2"]


def test_a_name_that_somebody_chose_is_not_taken_back_by_the_gallery(client: httpx.Client, job: str) -> None:
    edited(client, job, edit="rename", speaker="speaker-2", name="Guest")
    assert names(edited(client, job, edit="names").json()) == ["speaker-1", "Guest"]


def test_two_voices_that_the_gallery_knows_as_one_become_one(client: httpx.Client, job: str) -> None:
    edited(client, job, edit="rename", speaker="speaker-1", name="Philippe")
    assert names(edited(client, job, edit="names").json()) == ["Philippe"]


def test_edits_and_the_way_back(client: httpx.Client, job: str) -> None:
    first = edited(client, job, edit="rename", speaker="speaker-1", name="Ann").json()
    assert names(first) == ["Ann", "speaker-2"]
    assert first["undo"]
    assert names(edited(client, job, edit="merge", one="Ann", other="speaker-2").json()) == ["Ann"]
    back = edited(client, job, edit="undo").json()
    assert names(back) == ["Ann", "speaker-2"]
    assert back["redo"]
    assert names(edited(client, job, edit="redo").json()) == ["Ann"]
    edited(client, job, edit="undo")
    assigned = edited(client, job, edit="assign", start=2.0, end=4.0, speaker="Bob").json()
    assert {key: round(value, 1) for key, value in _turns(assigned, "Bob")[0].items() if key in ("start", "end")} == {
        "start": 2.0,
        "end": 4.0,
    }
    one = edited(client, job, edit="speakers", number=1).json()
    assert names(one)[0] == "Ann"
    assert one == client.get(f"/v1/diarize/{job}/result").json()


def test_moments_that_are_one_voice_or_two(client: httpx.Client, job: str) -> None:
    assert len(names(edited(client, job, edit="together", one=3.0, other=10.0).json())) == 1
    assert len(names(edited(client, job, edit="apart", one=3.0, other=10.0).json())) == 2
    merged = names(edited(client, job, edit="merge", one="speaker-1", other="speaker-2").json())
    assert len(merged) == 1
    assert len(names(edited(client, job, edit="split", speaker=merged[0], moments=[3.0, 10.0]).json())) == 2


def _turns(result: dict[str, Any], speaker: str) -> list[dict[str, Any]]:
    return [turn for turn in result["turns"] if turn["speaker"] == speaker]


@pytest.mark.parametrize(
    ("edit", "status"),
    [
        ({"edit": "rename", "speaker": "nobody", "name": "Ann"}, 400),
        ({"edit": "rename", "speaker": "speaker-1", "name": "speaker-2"}, 400),
        ({"edit": "rename", "speaker": "speaker-1", "name": "a\u0000b"}, 400),
        ({"edit": "merge", "one": "speaker-1", "other": "speaker-1"}, 400),
        ({"edit": "assign", "start": 5, "end": 4, "speaker": "Ann"}, 400),
        ({"edit": "assign", "start": 5, "end": 1e300, "speaker": "Ann"}, 400),
        ({"edit": "together", "one": 1e9, "other": 2}, 400),
        ({"edit": "apart", "one": -1, "other": 2}, 422),
        ({"edit": "speakers", "number": 0}, 422),
        ({"edit": "speakers", "number": 1.5}, 422),
        ({"edit": "speakers"}, 422),
        ({"edit": "split", "speaker": "speaker-1", "moments": [1]}, 422),
        ({"edit": "undo", "more": 1}, 422),
        ({"edit": "erase"}, 422),
        ([], 422),
    ],
)
def test_what_is_no_edit_changes_nothing(client: httpx.Client, job: str, edit: Any, status: int) -> None:
    before = client.get(f"/v1/diarize/{job}/result").json()
    answer = client.post(f"/v1/diarize/{job}/edits", json=edit)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert client.get(f"/v1/diarize/{job}/result").json() == before


def test_numbers_that_are_none_are_refused(client: httpx.Client, job: str) -> None:
    for number in ("NaN", "Infinity", "1e999"):
        content = f'{{"edit": "together", "one": {number}, "other": 2}}'
        headers = {"Content-Type": "application/json"}
        answer = client.post(f"/v1/diarize/{job}/edits", content=content, headers=headers)
        assert answer.status_code == 422


@pytest.mark.parametrize("form", list(formats.FORMATS))
def test_every_format_gives_the_turns_back(client: httpx.Client, job: str, form: str) -> None:
    edited(client, job, edit="rename", speaker="speaker-1", name="Änn O'Hara")
    answer = client.get(f"/v1/diarize/{job}/export/{form}")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith('attachment; filename="talk.')
    (found,) = formats.read(answer.content, form)
    result = client.get(f"/v1/diarize/{job}/result").json()
    assert {one.speaker for one in found} == {"Änn O'Hara", "speaker-2"}
    assert [one.start for one in found] == pytest.approx([turn["start"] for turn in result["turns"]], abs=0.01)


def test_a_format_that_is_none(client: httpx.Client, job: str) -> None:
    answer = client.get(f"/v1/diarize/{job}/export/mp3")
    assert answer.status_code == 400
    assert "rttm" in answer.json()["detail"]


def test_names_of_files_are_safe_in_a_header(client: httpx.Client, talk: Path) -> None:
    """Quotes, letters of other scripts and line breaks: RFC 8187 keeps them apart from the header."""
    name = '../Sitzung "Müller"\r\nX-Evil: 1.wav'
    content = talk.read_bytes()
    answer = client.post("/v1/diarize", files={"audio": (name, content)})
    found = finished(client, answer.json()["id"])
    told = client.get(f"/v1/diarize/{found['id']}/export/csv")
    assert "x-evil" not in told.headers
    disposition = told.headers["content-disposition"]
    assert disposition.isascii()
    assert disposition.count('"') == 2
    assert "M%C3%BCller" in disposition.split("filename*=UTF-8''")[1]


def test_sound_is_ours_and_comes_in_parts(client: httpx.Client, job: str) -> None:
    whole = client.get(f"/v1/diarize/{job}/audio")
    assert whole.headers["content-type"] == "audio/flac"
    sound, rate = soundfile.read(io.BytesIO(whole.content), dtype="float32")
    assert rate == RATE
    np.testing.assert_allclose(sound, conversation(), atol=1 / 32_768)
    part = client.get(f"/v1/diarize/{job}/audio", headers={"Range": "bytes=100-299"})
    assert part.status_code == 206
    assert part.content == whole.content[100:300]
    beyond = client.get(f"/v1/diarize/{job}/audio", headers={"Range": f"bytes={len(whole.content)}-"})
    assert beyond.status_code == 416


def test_outline(client: httpx.Client, job: str) -> None:
    found = client.get(f"/v1/diarize/{job}/peaks", params={"points": 7}).json()
    sound = np.abs(conversation())
    assert found["seconds"] == pytest.approx(len(sound) / RATE)
    assert len(found["peaks"]) == 7
    assert max(found["peaks"]) == pytest.approx(float(sound.max()), abs=1e-3)
    assert found["peaks"] == pytest.approx([float(part.max()) for part in np.array_split(sound, 7)], abs=0.15)
    for points in ("0", "1e9", "many"):
        assert client.get(f"/v1/diarize/{job}/peaks", params={"points": points}).status_code == 422


def test_a_job_that_is_deleted_leaves_nothing(running: Running, client: httpx.Client, talk: Path) -> None:
    found = finished(client, sent(client, talk).json()["id"])
    folder = running.service.options.folder / "jobs"
    assert (folder / found["id"]).is_dir()
    assert client.delete(f"/v1/diarize/{found['id']}").status_code == 204
    assert not [path for path in folder.iterdir() if path.name == found["id"] or path.name.startswith(".")]
    for path in ("", "/result", "/audio", "/peaks", "/export/rttm"):
        assert client.get(f"/v1/diarize/{found['id']}{path}").status_code == 404
    assert edited(client, found["id"], edit="undo").status_code == 404
    assert client.delete(f"/v1/diarize/{found['id']}").status_code == 404


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=10-19"}, {"Range": "bytes=1-2,20-30"}])
def test_sound_that_is_not_there_is_no_defect(
    running: Running, client: httpx.Client, talk: Path, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    job = finished(client, sent(client, talk).json()["id"])["id"]
    folder = running.service.options.folder / "jobs" / job
    address = f"/v1/diarize/{job}/audio"

    def vanish(path: Any, **how: Any) -> Any:
        for one in folder.iterdir():
            one.unlink()
        return opened(path, **how)

    opened = anyio.open_file
    with monkeypatch.context() as race:  # between the look at the file and its opening
        race.setattr(anyio, "open_file", vanish)
        answer = client.get(address, headers=headers)
    for found in (answer, client.get(address, headers=headers), client.get(f"/v1/diarize/{job}/peaks")):
        assert (found.status_code, found.json()["code"]) == (404, "gone")
        assert found.headers["content-type"] == "application/problem+json"
    assert client.delete(f"/v1/diarize/{job}").status_code == 204


def test_a_running_job_is_stopped_and_those_behind_it_go_on(
    running: Running, client: httpx.Client, talk: Path, tmp_path: Path
) -> None:
    slow = sent(client, long_wav(tmp_path / "slow.wav", 900)).json()["id"]
    end = time.monotonic() + 20
    while client.get(f"/v1/diarize/{slow}").json()["state"] != "running":
        assert time.monotonic() < end
    waiting = sent(client, talk).json()
    assert client.get(f"/v1/diarize/{waiting['id']}/result").json()["code"] == "not-done"
    began = time.monotonic()
    assert client.delete(f"/v1/diarize/{slow}").status_code == 204
    assert not (running.service.options.folder / "jobs" / slow).exists()
    assert finished(client, waiting["id"])["state"] == "done"
    assert time.monotonic() - began < 15


HOSTILE = {
    "empty.wav": b"",
    "text.wav": b"this is no sound at all, but a text of some length" * 10,
    "zeros.flac": bytes(5000),
    "riff.wav": b"RIFF\xff\xff\xff\xffWAVEfmt \x10\x00\x00\x00",
    "picture.png": b"\x89PNG\r\n\x1a\n" + bytes(200),
    "list.m3u8": b"#EXTM3U\nfile:///etc/passwd\n",
    "archive.zip": b"PK\x03\x04" + bytes(100),
    "half.flac": PHILIPPE_ENROLS.read_bytes()[:60],
    "container.mp4": b"\x00\x00\x00\x18ftypmp42" + bytes(64),
    "pickle.npz": b"\x80\x04\x95\x1a\x00\x00\x00\x00",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_sound_is_refused_or_fails(running: Running, client: httpx.Client, name: str) -> None:
    answer = client.post("/v1/diarize", files={"audio": (f"../../{name}", HOSTILE[name])})
    if answer.status_code == 202:
        found = finished(client, answer.json()["id"])
        assert found["state"] == "failed"
        problem = found["problem"]
        folder = running.service.options.folder / "jobs" / found["id"]
        assert [path.name for path in folder.iterdir()] == ["job.json"]
        assert client.get(f"/v1/diarize/{found['id']}/result").status_code == 409
    else:
        assert answer.status_code in (400, 413, 422)
        problem = answer.json()
    assert problem["detail"].startswith(name)
    assert str(running.service.options.folder) not in json.dumps(problem)


def test_silence_is_nobody_and_no_failure(client: httpx.Client, tmp_path: Path) -> None:
    found = finished(client, sent(client, wav(tmp_path / "quiet.wav", np.zeros(RATE, dtype=np.float32))).json()["id"])
    assert found["state"] == "done"
    result = client.get(f"/v1/diarize/{found['id']}/result").json()
    assert (result["turns"], result["speakers"]) == ([], [])
    assert edited(client, found["id"], edit="names").status_code == 200
    for form in formats.FORMATS:
        assert client.get(f"/v1/diarize/{found['id']}/export/{form}").status_code == 200


@pytest.mark.slow
def test_timeline_of_a_reference_and_of_the_gallery(client: httpx.Client, talk: Path) -> None:
    content, reference = talk.read_bytes(), PHILIPPE_ENROLS.read_bytes()
    files = {"audio": ("talk.wav", content), "reference": ("him.flac", reference)}
    found = client.post("/v1/timeline", files=files, data={"length": "2", "step": "1"}).json()
    assert found["recording"] == "talk.wav"
    assert found["grid"] == {"length": 2.0, "step": 1.0}
    assert [one["start"] for one in found["slices"][:3]] == [0.0, 1.0, 2.0]
    his = [one["cosine"] for one in found["slices"] if one["start"] >= 9 and one["cosine"] is not None]
    other = [one["cosine"] for one in found["slices"] if one["end"] <= 7 and one["cosine"] is not None]
    assert min(his) > max(other)
    named = client.post("/v1/timeline", files={"audio": ("talk.wav", content)}, data={"names": "true"}).json()
    assert {one["nearest"] for one in named["slices"]} == {"Philippe", None}
    plain = client.post("/v1/timeline", files={"audio": ("talk.wav", content)}).json()
    assert {one["llr"] for one in plain["slices"]} == {None}
    both = client.post("/v1/timeline", files=files, data={"names": "true"})
    assert (both.status_code, both.json()["code"]) == (400, "config")


def test_a_step_so_small_that_it_would_keep_a_worker_busy(client: httpx.Client, talk: Path) -> None:
    files = {"audio": ("talk.wav", talk.read_bytes())}
    answer = client.post("/v1/timeline", files=files, data={"length": "1", "step": "0.24"})
    assert (answer.status_code, answer.json()["code"]) == (400, "config")
    assert "0.25" in answer.json()["detail"]
    assert client.post("/v1/timeline", files=files, data={"length": "1", "step": "0.25"}).status_code == 200


@pytest.mark.slow
def test_one_key_has_one_timeline_at_a_time(tmp_path: Path, talk: Path) -> None:
    keys = {name: new_key(tmp_path, "user", name) for name in ("ann", "bob")}
    free = threading.Event()
    with serving(tmp_path, workers=1, per_minute=100_000) as running, ThreadPoolExecutor(4) as together:
        pool = running.service.pool

        def asked(name: str) -> httpx.Response:
            files = {"audio": ("talk.wav", talk.read_bytes())}
            return httpx.post(f"{running.url}/v1/timeline", files=files, headers=bearer(keys[name]), timeout=60)

        async def occupied() -> None:
            await pool.run(lambda: free.wait(30))

        taken = together.submit(asyncio.run, occupied())  # the only worker
        first, other = together.submit(asked, "ann"), together.submit(asked, "bob")
        try:
            end = time.monotonic() + 10
            while pool.waiting < 2:
                assert time.monotonic() < end
                time.sleep(0.01)
            second = asked("ann")
        finally:
            free.set()
        assert (second.status_code, second.json()["code"]) == (429, "busy")
        assert int(second.headers["retry-after"]) > 0
        assert (first.result().status_code, other.result().status_code) == (200, 200)
        taken.result()
        assert asked("ann").status_code == 200


@pytest.mark.parametrize("form", [{"length": "nan"}, {"length": "0.01"}, {"step": "-1"}, {"length": "inf"}])
def test_a_grid_that_cannot_be(client: httpx.Client, talk: Path, form: dict[str, str]) -> None:
    answer = client.post("/v1/timeline", files={"audio": ("talk.wav", talk.read_bytes())}, data=form)
    assert answer.status_code in (400, 422)


@pytest.mark.slow
def test_jobs_are_seen_by_their_owner_and_by_admins_alone(tmp_path: Path, talk: Path) -> None:
    keys = {
        "ann": new_key(tmp_path, "user", "ann"),
        "bob": new_key(tmp_path, "enroller", "bob"),
        "root": new_key(tmp_path, "admin", "root"),
    }
    with serving(tmp_path, per_minute=100_000) as running:
        clients = {
            name: httpx.Client(base_url=running.url, headers=bearer(key), timeout=60) for name, key in keys.items()
        }
        found = finished(clients["ann"], sent(clients["ann"], talk).json()["id"])
        path = f"/v1/diarize/{found['id']}"
        for foreign in (path, f"{path}/result", f"{path}/audio", f"{path}/peaks", f"{path}/export/rttm"):
            answer = clients["bob"].get(foreign)
            assert (answer.status_code, answer.json()["code"]) == (404, "unknown-job")
            assert clients["root"].get(foreign).status_code == 200
            assert httpx.get(f"{running.url}{foreign}").status_code == 401
        assert edited(clients["bob"], found["id"], edit="undo").status_code == 404
        assert clients["bob"].delete(path).status_code == 404
        assert clients["bob"].get("/v1/diarize").json() == []
        assert [one["id"] for one in clients["ann"].get("/v1/diarize").json()] == [found["id"]]
        assert [one["id"] for one in clients["root"].get("/v1/diarize").json()] == [found["id"]]
        assert clients["root"].delete(path).status_code == 204
        assert clients["ann"].get(path).status_code == 404
        for client in clients.values():
            client.close()


@pytest.mark.parametrize("job", ["0" * 32, "..", "%2e%2e", "x", "../../etc/passwd", "0" * 31 + "g", "A" * 32])
def test_an_id_that_nobody_has(client: httpx.Client, job: str) -> None:
    assert client.get(f"/v1/diarize/{job}/result").status_code in (404, 422)
    assert client.delete(f"/v1/diarize/{job}").status_code in (404, 405, 422)
