from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from corpusmakers import put
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from samevoice.corpora.manifest import Manifest, Utterance
from samevoice.corpora.storage import load_manifest, save_manifest
from samevoice.errors import DataError

FORMATS = ["jsonl", "parquet"]
ONE = Utterance(
    "a/1", "anna", "day", "a/1.flac", None, 0.0, 1.5, 16_000, "en", "f", "MIT", f"sha256:{'0f' * 32}", "folders", "dev"
)
TWO = replace(ONE, id="b", speaker=None, path="b.tar", member="b/ü\u2028.mp3", gender="", checksum="", split="")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
filled = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
names = st.lists(st.from_regex(r"[^./\\:\x00\ud800-\udfff]{1,5}", fullmatch=True), min_size=1, max_size=3).map("/".join)
utterances = st.builds(
    Utterance,
    id=filled,
    speaker=st.none() | filled,
    session=texts,
    path=names,
    member=st.none() | names,
    start=st.floats(0, 1e6),
    seconds=st.floats(1e-9, 1e6),
    rate=st.integers(1, 384_000),
    language=texts,
    gender=st.sampled_from(["f", "m", ""]),
    licence=texts,
    checksum=st.from_regex(r"(sha256:[0-9a-f]{64})?", fullmatch=True),
    corpus=texts,
    split=st.sampled_from(["train", "dev", "test", ""]),
)


@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(listed=st.lists(utterances, max_size=4, unique_by=lambda one: one.id))
def test_what_is_written_comes_back(tmp_path: Path, kind: str, listed: list[Utterance]) -> None:
    manifest = Manifest(tmp_path, tuple(listed))
    path = tmp_path / f"m.{kind}"
    save_manifest(manifest, path)
    assert load_manifest(path) == manifest


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(("root", "written"), [("", "."), ("corpus", "corpus"), ("../beside", "../beside")])
def test_a_near_root_moves_with_the_manifest(tmp_path: Path, kind: str, root: str, written: str) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    (old / "lists").mkdir(parents=True)
    path = old / f"lists/m.{kind}"
    save_manifest(Manifest(old / "lists" / root, (ONE,)), path)
    assert json.dumps(written) in header(path)
    old.rename(new)
    assert load_manifest(new / f"lists/m.{kind}").root == (new / "lists" / root).resolve()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_far_root_is_absolute(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    save_manifest(Manifest(tmp_path / "c/d", (ONE,)), tmp_path / f"a/b/m.{kind}")
    assert json.dumps((tmp_path / "c/d").as_posix()) in header(tmp_path / f"a/b/m.{kind}")


def header(path: Path) -> str:
    if path.suffix == ".jsonl":
        return path.read_text(encoding="utf-8").splitlines()[0]
    found: bytes = pyarrow.parquet.read_schema(path).metadata[b"samevoice"]
    return found.decode()


def test_the_lines_are_what_the_format_says(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    save_manifest(Manifest(tmp_path, (ONE,)), path)
    first, second = path.read_text(encoding="utf-8").splitlines()
    assert json.loads(first) == {"samevoice": "manifest", "version": 1, "root": "."}
    assert json.loads(second) == {
        "id": "a/1",
        "speaker": "anna",
        "session": "day",
        "path": "a/1.flac",
        "member": None,
        "start": 0.0,
        "seconds": 1.5,
        "rate": 16000,
        "language": "en",
        "gender": "f",
        "licence": "MIT",
        "checksum": f"sha256:{'0f' * 32}",
        "corpus": "folders",
        "split": "dev",
    }


BAD: list[tuple[dict[str, Any], str]] = [
    ({"extra": 1}, "field 'extra' is unknown"),
    ({"id": ""}, "id must not be empty"),
    ({"id": 3}, "id must be a string"),
    ({"speaker": ""}, "speaker must not be empty"),
    ({"session": None}, "session must be a string"),
    ({"seconds": float("nan")}, "not a JSON object|seconds must be above 0"),
    ({"seconds": float("inf")}, "seconds must be above 0"),
    ({"seconds": 10**400}, "seconds must be above 0"),
    ({"seconds": -1.0}, "seconds must be above 0"),
    ({"seconds": "1"}, "seconds must be a number"),
    ({"seconds": True}, "seconds must be a number"),
    ({"start": -0.1}, "start must be at least 0"),
    ({"rate": 16000.5}, "rate must be a whole number"),
    ({"rate": 0}, "rate must be a whole number above 0"),
    ({"gender": "x"}, "gender must be one of"),
    ({"split": "eval"}, "split must be one of"),
    ({"checksum": "sha256:12"}, "checksum must be"),
    ({"checksum": f"sha256:{'0' * 64}\n"}, "checksum must be"),
    ({"path": "/etc/passwd"}, "path must not be absolute"),
    ({"path": "a/../../b"}, "path must not be absolute or lead out"),
    ({"path": "C:/b"}, "path must not be absolute"),
    ({"path": ""}, "path must not be empty"),
    ({"member": "../b"}, "member must not be absolute"),
    ({"session": "\ud800"}, "session must be Unicode"),
]


@pytest.mark.parametrize(("changed", "message"), BAD)
def test_a_value_that_cannot_be_is_refused_with_its_line(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    path = tmp_path / "m.jsonl"
    save_manifest(Manifest(tmp_path, (ONE, TWO)), path)
    lines = path.read_text(encoding="utf-8").split("\n")
    lines[2] = json.dumps(json.loads(lines[2]) | changed)
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError, match=rf"m\.jsonl:3: .*({message})"):
        load_manifest(path)


@pytest.mark.parametrize(("changed", "message"), [case for case in BAD if "extra" not in case[0]])
@pytest.mark.parametrize("kind", FORMATS)
def test_such_a_value_is_not_written_either(tmp_path: Path, kind: str, changed: dict[str, Any], message: str) -> None:
    path = tmp_path / f"m.{kind}"
    save_manifest(Manifest(tmp_path, (ONE,)), path)
    before = path.read_bytes()
    with pytest.raises(DataError, match=message):
        save_manifest(Manifest(tmp_path, (TWO, replace(ONE, **changed))), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"id": "x"}', "field 'speaker' is missing"),
        (b"{", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b"", "not a JSON object"),
        (b"\xff", "not a JSON object"),
        (b"[" * 200_000, "not a JSON object"),
        (b'{"id": "x", "id": "y"}', "a key is there twice"),
        (b'"' + b"x" * (1 << 21), "longer than"),
    ],
)
def test_a_line_that_is_no_utterance_is_refused(tmp_path: Path, line: bytes, message: str) -> None:
    path = tmp_path / "m.jsonl"
    save_manifest(Manifest(tmp_path, (ONE,)), path)
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(DataError, match=rf"m\.jsonl:3: .*{message}"):
        load_manifest(path)


@pytest.mark.parametrize(
    ("first", "message"),
    [
        ("", "does not begin like a manifest"),
        ('{"samevoice": "manifest", "version": 1}', "does not begin like a manifest"),
        ('{"samevoice": "shard", "version": 1, "root": "."}', "does not begin like a manifest"),
        ('{"samevoice": "manifest", "version": 2, "root": "."}', "has version 2"),
        ('{"samevoice": "manifest", "version": true, "root": "."}', "has version True"),
        ('{"samevoice": "manifest", "version": 1, "root": 3}', "its root must be a folder"),
    ],
)
def test_another_header_is_refused(tmp_path: Path, first: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_manifest(put(tmp_path / "m.jsonl", first))


def test_an_id_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    save_manifest(Manifest(tmp_path, (ONE, TWO)), path)
    path.write_text(path.read_text(encoding="utf-8").replace('"id": "b"', '"id": "a/1"'), encoding="utf-8")
    with pytest.raises(DataError, match=r"m\.jsonl:3: the id 'a/1' is already that of .*m\.jsonl:2"):
        load_manifest(path)
    with pytest.raises(DataError, match=r"two utterances have the id 'a/1' \(a/1.flac and b.tar: b/x\)"):
        Manifest(tmp_path, (ONE, replace(TWO, id="a/1", member="b/x")))


def test_a_field_with_an_endless_name_is_told_in_short(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    save_manifest(Manifest(tmp_path, (ONE,)), path)
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[1] = json.dumps(json.loads(lines[1]) | {"x" * 5_000: 1})
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError, match=r"field 'xxx.*xxx' is unknown; known are id, ") as told:
        load_manifest(path)
    assert len(str(told.value)) < 500


def test_bad_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.parquet"
    save_manifest(Manifest(tmp_path, (ONE, TWO)), path)
    table = pyarrow.parquet.read_table(path)
    whole = path.read_bytes()

    def refused(changed: Any, message: str) -> None:
        pyarrow.parquet.write_table(changed, path)
        with pytest.raises(DataError, match=message):
            load_manifest(path)

    seconds = pyarrow.array([1.0, float("nan")])
    place = table.schema.get_field_index("seconds")
    refused(table.set_column(place, table.schema.field("seconds"), seconds), r"row 2: seconds must be above 0, got nan")
    refused(table.drop_columns(["rate"]), "columns rate")
    refused(table.replace_schema_metadata({}), "does not begin like a manifest")
    refused(pyarrow.concat_tables([table, table]), r"row 3: the id 'a/1' is already that of .*row 1")
    put(path, whole[: len(whole) // 2])
    with pytest.raises(DataError, match="is no Parquet file that can be read"):
        load_manifest(path)


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"pip install 'samevoice\[scale\]'"):
        save_manifest(Manifest(tmp_path, (ONE,)), tmp_path / "m.parquet")
    save_manifest(Manifest(tmp_path, (ONE,)), tmp_path / "m.jsonl")


@pytest.mark.parametrize("kind", FORMATS)
def test_files_that_are_not_there_are_named(tmp_path: Path, kind: str) -> None:
    with pytest.raises(DataError, match=f"missing.{kind}: No such file"):
        load_manifest(tmp_path / f"missing.{kind}")
    with pytest.raises(DataError, match=r"m\.\w+: No such file .* check the folder"):
        save_manifest(Manifest(tmp_path, (ONE,)), tmp_path / f"nowhere/m.{kind}")
    with pytest.raises(DataError, match=r"let it end in \.jsonl or \.parquet"):
        load_manifest(tmp_path / "m.csv")
