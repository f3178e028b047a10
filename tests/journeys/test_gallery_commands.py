"""`samevoice enrol`, `identify`, `verify --as` and `people` as a person meets them, and as one who means harm does."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from commandline import samevoice

import samevoice as sv
from samevoice.gallery.crypto import MasterKey

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
ADA, ADA_AGAIN = SAMPLES / "sample_1a.mp3", SAMPLES / "sample_1b.mp3"
PHILIPPE, PHILIPPE_LONGER = SAMPLES / "philippe_2.flac", SAMPLES / "philippe_1.flac"
READER = SAMPLES / "librispeech_1255_a.flac"
KEY = bytes(range(32)).hex()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed gallery of Ada and Philippe."""
    path = tmp_path_factory.mktemp("two") / "voices.db"
    model = sv.load_model("campplus", threads=1)
    with sv.Gallery(path, model=model, key=MasterKey.from_bytes(bytes.fromhex(KEY))) as gallery:
        gallery.enrol("Ada", ADA, consent="asked \u202ereversed\u202c")
        gallery.enrol("Philippe", PHILIPPE)
    return path


@pytest.fixture(autouse=True)
def place(two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, which all commands use, with its key; and no trace of whoever runs the tests."""
    path = tmp_path / "voices.db"
    shutil.copy(two, path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("SAMEVOICE_GALLERY", str(path))
    monkeypatch.setenv("SAMEVOICE_GALLERY_KEY", KEY)
    monkeypatch.delenv("SAMEVOICE_GALLERY_KEY_FILE", raising=False)
    return path


def process(*arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    """The command in a process of its own; tracebacks are refused whatever happens."""
    command = [sys.executable, "-m", "samevoice", *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=300, check=False)
    result = subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in result.stderr, result.stderr
    return result


def told(result: subprocess.CompletedProcess[str]) -> Any:
    """The one JSON document on standard output."""
    return json.loads(result.stdout)


def people() -> dict[str, int]:
    """Who is enrolled, with how many voiceprints."""
    return {person["name"]: len(person["voiceprints"]) for person in told(samevoice("people", "list", "--json"))}


def documented(section: str) -> set[str]:
    """The names of fields in a table of docs/json.md."""
    text = (ROOT / "docs" / "json.md").read_text(encoding="utf-8").split(f"\n## `{section}")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {name.strip(" `") for cell in cells for name in cell.split(",")}


def refused(result: subprocess.CompletedProcess[str], *words: str, code: int = 2) -> None:
    """That a command ended with one sentence, which holds these words."""
    assert result.returncode == code, result.stdout + result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert len(result.stderr) < 700
    for word in words:
        assert word in result.stderr


# From nothing, in real processes: the key is made, and a person is enrolled, known and forgotten.


@pytest.mark.slow
def test_a_first_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = tmp_path / "new.db"
    monkeypatch.setenv("SAMEVOICE_GALLERY", str(new))
    monkeypatch.delenv("SAMEVOICE_GALLERY_KEY")
    refused(process("identify", ADA), str(new), "enrol")
    assert not new.exists()
    first = process("enrol", "Ada Lovelace", ADA, "--consent", "asked on 3 May", "--expires", "365")
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("Ada Lovelace: enrolled from ")
    assert "short-speech" not in first.stderr
    assert "5 s or more" in first.stderr
    piped = process("identify", "-", stdin=ADA_AGAIN.read_bytes())
    assert (piped.returncode, piped.stdout.split(":")[0]) == (0, "Ada Lovelace"), piped.stderr
    (key,) = (tmp_path / "config").rglob("*.key")
    assert key.stat().st_mode & 0o077 == 0
    for answer in (b"n\n", b""):
        refused_by_user = process("people", "delete", "ada lovelace", stdin=answer)
        assert refused_by_user.returncode == 2, "1 would say that it is another person"
        assert "is kept" in refused_by_user.stderr
    assert process("people", "delete", "ada lovelace", stdin=b"y\n").returncode == 0
    assert b"Lovelace" not in new.read_bytes()


# identify


@pytest.mark.parametrize(
    ("recording", "verdict", "code"), [(ADA_AGAIN, "known", 0), (READER, "unknown", 1), ("silence", "unsure", 3)]
)
@pytest.mark.parametrize("option", [[], ["--sequential"]])
def test_exit_codes_are_answers(
    recording: Path | str, verdict: str, code: int, option: list[str], tmp_path: Path
) -> None:
    if recording == "silence":
        recording = tmp_path / "silence.wav"
        soundfile.write(recording, np.zeros(48_000), 16_000)
    result = samevoice("identify", recording, "--json", *option)
    assert result.returncode == code, result.stderr
    found = told(result)
    assert found["verdict"] == verdict
    assert set(found) == documented("samevoice identify")
    assert found["file"] == str(recording)


@pytest.mark.slow
def test_of_several_files_a_broken_one_spoils_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "notes.wav"
    broken.write_text("these are no sounds\n")
    result = samevoice("identify", ADA_AGAIN, broken, PHILIPPE_LONGER, "--json")
    assert result.returncode == 2
    first, second, third = told(result)
    assert (first["name"], third["name"]) == ("Ada", "Philippe")
    assert set(second) == {"file", "error"}
    assert set(second["error"]) == {"name", "code", "message"}
    assert str(broken) in result.stderr
    refused(samevoice("identify", broken), str(broken))
    assert told(samevoice("identify", broken, "--json"))["error"]["code"] == "audio"
    assert samevoice("identify", ADA_AGAIN, READER).returncode == 0
    several = samevoice("identify", ADA_AGAIN, READER).stdout
    assert f"{ADA_AGAIN}: Ada" in several
    assert f"{READER}: Unknown" in several


@pytest.mark.parametrize(
    "options",
    [
        ["--fpir", "0"],
        ["--fpir", "2"],
        ["--fpir", "nan"],
        ["--fpir", "-inf"],
        ["--fpir", "many"],
        ["--top", "0"],
        ["--top", "1000000000000"],
        ["--model", "no-such-model"],
        ["--gallery", "mysql://host/db"],
        ["--gallery", ""],
    ],
)
def test_options_that_cannot_be_honoured(options: list[str]) -> None:
    result = samevoice("identify", ADA, *options)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.strip()


def test_another_model_is_refused() -> None:
    for command in (["identify", ADA], ["enrol", "New", READER], ["verify", "--as", "Ada", ADA]):
        refused(samevoice(*command, "--model", "ge2e"), "ge2e", "campplus", "samevoice gallery migrate")
    assert people() == {"Ada": 1, "Philippe": 1}


# enrol


def test_enrol_tells_what_it_did(tmp_path: Path) -> None:
    silence, broken = tmp_path / "silence.wav", tmp_path / "broken.wav"
    soundfile.write(silence, np.zeros(48_000), 16_000)
    broken.write_bytes(b"RIFF")
    result = samevoice("enrol", "Philippe", silence, broken, PHILIPPE_LONGER, READER, "--json", "--keep-audio")
    assert result.returncode == 2
    found = told(result)
    assert found["person"] == "Philippe"
    assert [one["name"] for one in found["enrolled"]] == [str(PHILIPPE_LONGER)]
    assert [set(one) for one in found["enrolled"]] == [{"name", "advice"}]
    assert [(one["name"], one["code"], one["codes"]) for one in found["refused"]] == [
        (str(silence), "refused", ["silence"]),
        (str(READER), "refused", ["update"]),
    ]
    assert set(found["refused"][0]) == {"name", "code", "message", "codes", "reasons"}
    assert [(one["name"], one["code"]) for one in found["errors"]] == [(str(broken), "audio")]
    assert people() == {"Ada": 1, "Philippe": 2}
    person = told(samevoice("people", "show", "Philippe", "--json"))
    assert [one["kept_audio"] for one in person["voiceprints"]] == [False, True]
    assert [event["action"] for event in person["events"]] == ["enrol", "enrol"]


@pytest.mark.slow
def test_asking_stores_nothing_and_tells_what_enrolling_would() -> None:
    before = samevoice("gallery", "info", "--json").stdout
    for name, recording, code in (("New", READER, 0), ("Ada", READER, 3), ("New", PHILIPPE, 3)):
        asked = samevoice("enrol", name, recording, "--check", "--json")
        assert asked.returncode == code, asked.stderr
        assert samevoice("gallery", "info", "--json").stdout == before
        tried = samevoice("enrol", name, recording, "--json")
        assert tried.returncode == code
        assert told(asked)["refused"] == told(tried)["refused"]
        assert told(asked)["usable"] == told(tried)["enrolled"]
        assert told(asked)["enrolled"] == []
        if not code:
            samevoice("people", "undo", name)
            before = samevoice("gallery", "info", "--json").stdout
    assert samevoice("enrol", "New", READER, "--check").stdout.startswith("New: would be enrolled from ")
    refused(samevoice("enrol", "New", PHILIPPE, "--check"), "enrolled already", code=3)


@pytest.mark.parametrize(
    "when",
    ["soon", "", "-1", "0", "2001-01-01", "1e400", "-1e400", "nan", "1e9", "2027-02-30", "9999-12-31T23:59:59-12:00"],
)
def test_no_time_to_come(when: str) -> None:
    refused(samevoice("enrol", "New", READER, f"--expires={when}"), repr(when))
    assert people() == {"Ada": 1, "Philippe": 1}


@pytest.mark.slow
def test_expiry_in_days_and_by_date() -> None:
    for name, recording, when in (("New", READER, "10"), ("Philippe", PHILIPPE_LONGER, "9999-12-31")):
        assert samevoice("enrol", name, recording, "--expires", when).returncode == 0
    (new,) = told(samevoice("people", "show", "new", "--json"))["voiceprints"]
    left = datetime.fromisoformat(new["expires"]) - datetime.now(UTC)
    assert timedelta(days=9, hours=23) < left <= timedelta(days=10)
    assert "until 9999-12-31" in samevoice("people", "show", "Philippe").stdout
    assert samevoice("people", "purge").stdout.startswith("0 ")
    assert samevoice("people", "purge", "--before", "11").stdout.startswith("1 ")
    assert people() == {"Ada": 1, "Philippe": 2}


@pytest.mark.parametrize("name", ["", "a" * 10_000, "a\nb", "\x1b]0;title\x07", "a\u202eb", "\udcff"])
def test_what_is_no_name(name: str) -> None:
    for command in (["enrol", name, READER], ["people", "show", name], ["verify", "--as", name, READER]):
        result = samevoice(*command)
        refused(result, "name")
        assert result.stderr.strip().isprintable()
    assert samevoice("people", "rename", "Ada", name).returncode == 2
    assert people() == {"Ada": 1, "Philippe": 1}


@pytest.mark.parametrize("name", ["../../etc", "Robert'); DROP TABLE people;--", "[red]😀[/red]", "שלום"])
def test_strange_names_are_shown_safely(name: str, tmp_path: Path) -> None:
    assert samevoice("people", "rename", "Ada", name).returncode == 0
    assert name in samevoice("people", "list").stdout
    assert people() == {name: 1, "Philippe": 1}
    assert name in samevoice("people", "show", name).stdout
    assert samevoice("verify", "--as", name, ADA_AGAIN).returncode == 0
    assert samevoice("people", "export", name, "-o", tmp_path / "all.json").returncode == 0
    assert samevoice("people", "delete", name, "--yes").returncode == 0
    assert people() == {"Philippe": 1}


# people


def test_verification_against_a_person() -> None:
    result = samevoice("verify", "--as", "ada", ADA_AGAIN, "--json")
    assert result.returncode == 0
    assert set(told(result)) == (documented("samevoice verify") - {"first", "second"}) | {"file", "person"}
    assert samevoice("verify", "--as", "Ada", READER).returncode == 1
    refused(samevoice("verify", "--as", "Ad", ADA), "Ada")
    refused(samevoice("verify", "--as", "Ada", ADA, ADA_AGAIN), "--as")
    refused(samevoice("verify", ADA), "--as")


def test_everything_of_a_person_is_exported_for_its_owner_alone(tmp_path: Path) -> None:
    target = tmp_path / "out" / "all.json"
    refused(samevoice("people", "export", "Ada", "-o", target), str(target.parent))
    target.parent.mkdir()
    refused(samevoice("people", "export", "Ada", "-o", target.parent), "folder")
    target.write_text("old")
    target.chmod(0o644)
    assert samevoice("people", "export", "ada", "-o", target).returncode == 0
    assert target.stat().st_mode & 0o777 == 0o600
    person = json.loads(target.read_text(encoding="utf-8"))
    assert person["name"] == "Ada"
    assert np.linalg.norm(person["voiceprints"][0]["vector"]) == pytest.approx(1, abs=1e-5)
    assert {path.name for path in target.parent.iterdir()} == {"all.json"}
    refused(samevoice("people", "export", "Nobody", "-o", target), "Nobody")


def test_what_people_wrote_does_not_disturb_the_terminal() -> None:
    shown = samevoice("people", "show", "Ada").stdout
    assert "asked" in shown
    assert "\u202e" not in shown
    assert told(samevoice("people", "show", "Ada", "--json"))["voiceprints"][0]["consent"].startswith("asked")


@pytest.mark.slow
def test_merge_and_undo() -> None:
    assert samevoice("enrol", "Twice", PHILIPPE_LONGER).returncode == 0
    assert samevoice("people", "merge", "Twice", "philippe").stdout.strip() == "Philippe has 2 voiceprints now."
    refused(samevoice("people", "merge", "Philippe", "PHILIPPE"), "one person already")
    refused(samevoice("people", "merge", "Twice", "Ada"), "Twice")
    assert samevoice("people", "undo", "Philippe").returncode == 0
    assert "nothing of this person is left" in samevoice("people", "undo", "Philippe").stdout
    assert people() == {"Ada": 1}
    refused(samevoice("people", "undo", "Philippe"), "Philippe")


def test_lists_take_patterns() -> None:
    assert [one["name"] for one in told(samevoice("people", "list", "phil*", "--json"))] == ["Philippe"]
    assert told(samevoice("people", "list", "%", "--json")) == []
    assert samevoice("people", "list", "x" * 5000).returncode == 2


# Harm


@pytest.mark.slow
def test_names_of_files_do_not_disturb_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31m\nb.flac"
    shutil.copy(READER, path)
    for command in (["enrol", "Reader", path], ["enrol", "Reader", path], ["identify", path, path]):
        result = samevoice(*command)
        assert "\\x1b[31m\\nb.flac" in result.stdout + result.stderr
        assert all(line.isprintable() for line in (result.stdout + result.stderr).split("\n"))


def tamper(path: Path, statement: str) -> None:
    """Change the database as one who has the file but not the key."""
    connection = sqlite3.connect(path)
    try:
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f'DROP TRIGGER "{trigger}"')
        assert connection.execute(statement).rowcount == 1
        connection.commit()
    finally:
        connection.close()


def test_a_changed_event_is_found(place: Path) -> None:
    whole = samevoice("people", "audit", "--last", "2", "--json")
    assert whole.returncode == 0
    report = told(whole)
    assert (set(report), report["broken"], len(report["newest"])) == ({"events", "broken", "newest"}, None, 2)
    assert set(report["newest"][0]) == {"seq", "at", "actor", "action", "person", "detail"}
    tamper(place, "UPDATE events SET actor = 'nobody' WHERE seq = (SELECT max(seq) FROM events)")
    found = samevoice("people", "audit", "--json")
    assert found.returncode == 2
    assert told(found)["broken"] == report["events"], "one document, also where something is broken"
    refused(samevoice("people", "audit"), str(report["events"]), "broken")


@pytest.mark.slow
def test_a_changed_voiceprint_is_never_compared(place: Path) -> None:
    tamper(place, "UPDATE templates SET sealed = zeroblob(length(sealed)) WHERE person_id = 1")
    for command in (["identify", ADA], ["verify", "--as", "Ada", ADA], ["identify", ADA, "--sequential"]):
        refused(samevoice(*command))


@pytest.mark.slow
def test_another_key_opens_nothing(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    before = place.read_bytes()
    for key, word in (("00" * 32, "another key"), ("short", "SAMEVOICE_GALLERY_KEY"), ("", "key")):
        monkeypatch.setenv("SAMEVOICE_GALLERY_KEY", key)
        for command in (["identify", ADA], ["enrol", "New", READER], ["people", "list"], ["gallery", "info"]):
            result = samevoice(*command)
            refused(result, word)
            assert key == "" or key not in result.stderr
    assert place.read_bytes() == before


def test_what_is_no_gallery_is_left_alone(tmp_path: Path) -> None:
    text, other, folder = tmp_path / "notes.txt", tmp_path / "other.db", tmp_path / "folder"
    text.write_text("no database\n" * 100)
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE songs (title TEXT)")
    connection.commit()
    connection.close()
    folder.mkdir()
    for path, word in ((text, "not a gallery"), (other, "another program"), (folder, "folder"), (text / "x.db", "")):
        before = path.read_bytes() if path.is_file() else b""
        for command in (["identify", ADA], ["enrol", "New", READER], ["people", "list"]):
            refused(samevoice(*command, "--gallery", path), str(path), word)
        assert not path.is_file() or path.read_bytes() == before


@pytest.mark.slow
def test_where_there_is_no_gallery_none_is_made_but_by_enrolling(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere.db"
    for command in (
        ["identify", ADA],
        ["verify", "--as", "Ada", ADA],
        ["gallery", "info"],
        ["gallery", "migrate", "--model", "ge2e"],
        ["people", "show", "Ada"],
        ["people", "undo", "Ada"],
        ["people", "delete", "Ada"],
        ["people", "list"],
        ["people", "purge"],
        ["people", "audit"],
    ):
        refused(samevoice(*command, "--gallery", nowhere), str(nowhere))
        assert told(samevoice("people", "list", "--gallery", nowhere, "--json"))["error"]["code"] == "gallery"
    assert not nowhere.exists()
    assert not (tmp_path / "config").exists(), "nor a key"


def test_what_is_written_about_a_voiceprint_is_bounded() -> None:
    for option in ("--consent", "--channel"):
        for text in ("x" * 100_000, "two\nlines", "\x1b[31m"):
            result = samevoice("enrol", "New", READER, option, text)
            refused(result, option.strip("-"))
    assert people() == {"Ada": 1, "Philippe": 1}


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="there are no such devices")
def test_an_export_goes_to_a_file_and_not_over_a_device() -> None:
    refused(samevoice("people", "export", "Ada", "-o", "/dev/null"), "is a device or the like; name a file")
    assert Path("/dev/null").is_char_device()
