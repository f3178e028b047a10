"""`samevoice gallery` as a person meets it: what is in it, another key, an index on a server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commandline import samevoice
from gallerymakers import MODEL, voiceprint
from sqlalchemy import text

from samevoice.gallery.store import Store


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where keys lie by default."""
    for kind in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind.lower()))
    for variable in ("GALLERY", "GALLERY_KEY", "GALLERY_KEY_FILE", "GALLERY_NEW_KEY", "GALLERY_NEW_KEY_FILE"):
        monkeypatch.delenv(f"SAMEVOICE_{variable}", raising=False)
    return tmp_path / "config"


def filled(place: str | Path, count: int = 3) -> None:
    with Store.open(place) as store:
        store.require_model(MODEL)
        for seed in range(count):
            store.add(f"person {seed}", voiceprint(seed))


def test_info_counts_and_says_where_the_key_is(path: Path, config: Path) -> None:
    filled(path)
    [key] = config.rglob("*.key")
    told = json.loads(samevoice("gallery", "info", "--gallery", path, "--json").stdout)
    assert told == {
        "place": str(path),
        "key": str(key),
        "id": key.stem.removeprefix("gallery-"),
        "model": MODEL,
        "people": 3,
        "voiceprints": 3,
        "to_be_enrolled_again": 0,
        "events": 4,
    }
    words = samevoice("gallery", "info", "--gallery", path).stdout.splitlines()
    assert words[1].split() == ["key", str(key)]
    assert words[6].split() == ["to", "be", "enrolled", "again", "0"]


def test_rekey_says_where_the_new_key_is(path: Path, config: Path) -> None:
    filled(path)
    [key] = config.rglob("*.key")
    old = key.read_text()
    done = samevoice("gallery", "rekey", "--gallery", path)
    assert done.returncode == 0
    assert "3 people has a new master key" in done.stdout
    assert f"It is in {key}; the old one is destroyed" in done.stdout
    assert key.read_text() != old
    told = json.loads(samevoice("gallery", "rekey", "--gallery", path, "--json").stdout)
    assert told == {"people": 3, "key": str(key), "put_in_place": False, "kept": 0}
    assert samevoice("people", "audit", "--gallery", path).stdout.startswith("6 events, all as they were written")


def test_rekey_leaves_what_others_need_in_a_named_file(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "keys"
    monkeypatch.setenv("SAMEVOICE_GALLERY_KEY_FILE", str(file))
    filled(path)
    old = file.read_text()
    done = samevoice("gallery", "rekey", "--gallery", path)
    assert f"It is the first in {file}. 1 more are still there" in done.stdout
    assert "--forget-old" in done.stdout
    assert old in file.read_text()
    done = samevoice("gallery", "rekey", "--gallery", path, "--forget-old")
    assert "the old one is destroyed" in done.stdout
    assert old not in file.read_text()
    assert samevoice("people", "list", "--gallery", path).returncode == 0


def test_rekey_with_a_key_in_the_environment(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMEVOICE_GALLERY_KEY", "0" * 64)
    filled(path)
    refused = samevoice("gallery", "rekey", "--gallery", path)
    assert refused.returncode == 2
    assert "set SAMEVOICE_GALLERY_NEW_KEY to 32 random bytes" in refused.stderr
    monkeypatch.setenv("SAMEVOICE_GALLERY_NEW_KEY", "1" * 64)
    done = samevoice("gallery", "rekey", "--gallery", path)
    assert "Put it into SAMEVOICE_GALLERY_KEY now, and destroy the old one" in done.stdout
    assert samevoice("people", "list", "--gallery", path).returncode == 2
    monkeypatch.setenv("SAMEVOICE_GALLERY_KEY", "1" * 64)
    assert samevoice("people", "list", "--gallery", path).returncode == 0


def test_nothing_is_made_where_no_gallery_is(path: Path, config: Path) -> None:
    for command in ("info", "rekey", "index"):
        refused = samevoice("gallery", command, "--gallery", path)
        assert refused.returncode == 2
        assert "there is no gallery here yet" in refused.stderr
    assert not path.exists()
    assert not config.exists()


def test_a_gallery_in_a_file_needs_no_index(path: Path) -> None:
    filled(path)
    for option in ([], ["--on"], ["--off"]):
        done = samevoice("gallery", "index", "--gallery", path, *option)
        assert (done.returncode, done.stdout) == (
            0,
            "A gallery in a file is searched exactly; it needs no such index.\n",
        )


@pytest.mark.slow
def test_an_index_on_a_server_is_turned_on_measured_and_turned_off(postgres_url: str) -> None:
    refused = samevoice("gallery", "index", "--gallery", postgres_url, "--on")
    assert "there is no gallery here yet" in refused.stderr
    with Store.open(postgres_url):
        pass
    refused = samevoice("gallery", "index", "--gallery", postgres_url, "--on")
    assert (refused.returncode, "enrol somebody first" in refused.stderr) == (2, True)
    filled(postgres_url, 40)
    assert samevoice("gallery", "index", "--gallery", postgres_url).stdout == "Off: searched exactly.\n"
    done = samevoice("gallery", "index", "--gallery", postgres_url, "--on")
    assert done.stdout == "On: 40 templates; 100.0% of the true ten nearest are found.\n"
    told = json.loads(samevoice("gallery", "index", "--gallery", postgres_url, "--json").stdout)
    with Store.open(postgres_url) as store:
        assert told == {"place": store.database.where, "on": True, "templates": 40, "recall_at_10": 1.0}
        [name] = store.database.read(
            lambda connection: (
                connection.execute(
                    text("SELECT tablename FROM pg_tables WHERE tablename LIKE 'neighbours!_%' ESCAPE '!'")
                )
                .scalars()
                .all()
            )
        )
        store.database.write(lambda connection: connection.execute(text(f"DELETE FROM {name} WHERE id % 2 = 0")))  # noqa: S608
    told = json.loads(samevoice("gallery", "index", "--gallery", postgres_url, "--json").stdout)
    assert 0.3 < told["recall_at_10"] < 0.7  # it is measured indeed
    assert samevoice("gallery", "index", "--gallery", postgres_url, "--off").stdout == "Off: searched exactly.\n"
    with Store.open(postgres_url) as store:
        left = "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'neighbours!_%' ESCAPE '!'"
        assert store.database.read(lambda connection: connection.execute(text(left)).scalar()) == 0
