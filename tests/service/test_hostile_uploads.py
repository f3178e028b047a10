"""More than 300 hostile requests over the socket: each is refused, and the service lives on as if nothing had been."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
import time
from pathlib import Path

import pytest
import soundfile
from hostilemakers import (
    NAMES,
    NUMBERS,
    PEOPLE,
    ROUTES,
    contents,
    form,
    odd_forms,
    odd_json,
    part,
    service,
    upload,
)
from makers import write

MEMORY_MB = 150  # more than a good request takes
HEADS = ("wav with sizes of 4 GB", "truncated")  # of a meeting only the header is read: there the job fails


def everything(samples: Path) -> dict[str, bytes]:
    """Name -> request."""
    speech, rate = soundfile.read(samples / "librispeech_1255_a.flac", frames=16_000, dtype="float32")
    good = write(speech, rate)
    found = {
        f"{name} to {route}": upload(route, content, good)
        for name, content in contents(speech, rate).items()
        for route in ROUTES
    }
    found |= {f"file name {name}": upload("/v1/identify", b"no audio", good, text) for name, text in NAMES.items()}
    for number, name in enumerate(PEOPLE):
        text = name.encode("utf-8", "surrogatepass")
        found[f"person {number}"] = form("/v1/people", part("name", text), part("audio", b"no audio", b"a"))
    for route, fields in NUMBERS.items():
        for name, value in fields.items():
            body = upload(route, good, good)
            _, _, rest = body.partition(b"\r\n\r\n")
            found[f"{name}={value[:20]} to {route}"] = form(
                route, part(name, value.encode()), rest.removesuffix(b"--hostile--\r\n")
            )
    return found | odd_forms(good) | odd_json()


def listed(folder: Path) -> set[str]:
    """All files below a folder, but those of the gallery and of jobs."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith("voices.db") and "jobs" not in path.parts
    }


@pytest.mark.slow
def test_every_one_is_refused_and_the_service_lives_on(tmp_path: Path, samples: Path) -> None:
    hostile = everything(samples)
    assert len(hostile) >= 300
    with service(tmp_path) as served:
        good = (samples / "librispeech_19_a.flac").read_bytes()
        assert served.ask(upload("/v1/verify?second", good, good)) == 200
        files, before = listed(tmp_path), served.peak_mb()
        wrong = {}
        for name, raw in hostile.items():
            status = served.ask(raw)
            excused = status == 202 and name.endswith("/v1/diarize") and name.startswith(HEADS)
            if not (status is not None and 400 <= status < 500) and not excused:
                wrong[name] = status
            assert served.health() == 200, f"dead after {name}"
        assert wrong == {}
        assert served.peak_mb() - before < MEMORY_MB
        assert served.ask(upload("/v1/verify?second", good, good)) == 200
        assert listed(tmp_path) == files
        assert no_people(tmp_path / "voices.db")


@pytest.mark.slow
def test_slow_ones_are_sent_away_and_hold_nobody_up(tmp_path: Path, samples: Path) -> None:
    """Bodies that stop: each is answered with 408 after the time of silence, while others are served."""
    good = (samples / "librispeech_19_a.flac").read_bytes()
    whole = upload("/v1/verify?second", good, good)
    with service(tmp_path) as served:
        lines = [socket.create_connection(("127.0.0.1", served.port), 30) for _ in range(20)]
        try:
            for line in lines:
                line.sendall(whole[:1_000])
            began = time.monotonic()
            assert served.ask(whole) == 200
            answers = [line.recv(100) for line in lines]
            assert time.monotonic() - began < 15
        finally:
            for line in lines:
                line.close()
        assert all(answer.startswith(b"HTTP/1.1 408") for answer in answers)
        assert served.health() == 200
        assert not list((tmp_path / "data").glob("samevoice-uploads-*/*"))


def no_people(database: Path) -> bool:
    """Whether a gallery is empty."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        count: int = connection.execute("SELECT count(*) FROM people").fetchone()[0]
    return count == 0
