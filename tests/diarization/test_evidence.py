from __future__ import annotations

import contextlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clustermakers import directions
from hypothesis import given, settings
from hypothesis import strategies as st

from samevoice.diarization import evidence as module
from samevoice.diarization.evidence import ARRAYS, HOP, TRACKS, Evidence, joined
from samevoice.errors import DataError
from samevoice.speech.segmentation import FRAMES, STEP, VOICES


def made(
    seed: int = 0,
    windows: int = 3,
    pieces: int = 4,
    spans: int = 5,
    dimension: int = 6,
    *,
    recording: str = "meeting",
    extent: float | None = None,
) -> Evidence:
    """Evidence that holds together and means nothing."""
    generator = np.random.default_rng(seed)
    length = max(windows * STEP * HOP, spans * 0.5) if extent is None else extent
    return Evidence(
        recording=recording,
        extent=length,
        model="tiny@0123",
        firsts=np.arange(windows, dtype=np.int64) * STEP,
        tracks=generator.integers(0, 256, (windows, FRAMES, TRACKS), dtype=np.uint8),
        windows=np.sort(generator.integers(0, max(windows, 1), pieces)),
        voices=generator.integers(0, VOICES, pieces),
        seconds=generator.uniform(0.2, 8.0, pieces).astype(np.float32),
        vectors=directions(seed, pieces, dimension).astype(np.float32),
        starts=(np.arange(spans) * 0.5).astype(np.float32),
        span_vectors=directions(seed + 1, spans, dimension).astype(np.float16),
    )


def alike(one: Evidence, other: Evidence) -> bool:
    """Whether two are the same to the bit."""
    assert [name.name for name in fields(one)][3:] == [*ARRAYS, "warnings"]
    heads = [(each.recording, each.extent, each.model, each.warnings) for each in (one, other)]
    arrays = [(getattr(one, name), getattr(other, name)) for name in ARRAYS]
    return heads[0] == heads[1] and all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in arrays)


@settings(max_examples=40)
@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(0, 9), st.integers(0, 9), st.integers(1, 200), st.text())
def test_what_was_kept_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    windows: int,
    pieces: int,
    spans: int,
    dimension: int,
    recording: str,
) -> None:
    path = tmp_path_factory.getbasetemp() / "kept.npz"
    before = made(seed, windows, pieces, spans, dimension, recording=recording)
    before.save(path)
    assert alike(Evidence.load(path), before)


def test_a_recording_in_which_nobody_speaks_comes_back(tmp_path: Path) -> None:
    before = made(windows=0, pieces=0, spans=0)
    before.save(tmp_path / "empty")
    assert alike(Evidence.load(tmp_path / "empty"), before)


def refused(path: Path, message: str) -> None:
    """The file is refused in one sentence that names it."""
    with pytest.raises(DataError, match=message) as caught:
        Evidence.load(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    assert len(text) < len(str(path)) + 160


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    refused(tmp_path / "absent.npz", "cannot be read")
    refused(tmp_path, "cannot be read")


@pytest.mark.parametrize("content", [b"", b"RIFF" * 99, b"PK\x03\x04", b"\x93NUMPY\x01\x00", pickle.dumps({"head": 1})])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other").write_bytes(content)
    refused(tmp_path / "other", "holds no diarization evidence")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A good file."""
    path = tmp_path_factory.mktemp("evidence") / "good"
    made().save(path)
    return path.read_bytes()


@settings(max_examples=60)
@given(st.floats(0, 1, exclude_max=True))
def test_a_file_that_is_cut_off_is_refused(tmp_path_factory: pytest.TempPathFactory, whole: bytes, part: float) -> None:
    path = tmp_path_factory.getbasetemp() / "cut"
    path.write_bytes(whole[: int(part * len(whole))])
    refused(path, "holds no diarization evidence")


@settings(max_examples=200)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_damaged_file_is_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, changes: list[tuple[float, int]]
) -> None:
    content = bytearray(whole)
    for place, value in changes:
        content[int(place * len(whole))] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        Evidence.load(path).check("here")


@pytest.mark.parametrize("seed", range(3))
def test_no_byte_of_the_directory_does_harm(tmp_path: Path, whole: bytes, seed: int) -> None:
    """Names, sizes, methods, flags: all that zip files say of their members, one byte after the other."""
    generator, start = np.random.default_rng(seed), whole.index(b"PK\x01\x02")
    for place in range(start, len(whole)):
        content = bytearray(whole)
        content[place] = generator.integers(256)
        (tmp_path / "damaged").write_bytes(content)
        with contextlib.suppress(DataError):
            Evidence.load(tmp_path / "damaged").check("here")


def written(path: Path, **changes: Any) -> None:
    """A file in which some arrays, or entries of the head, are others."""
    before = made()
    head = {"version": module.VERSION, "recording": "x", "extent": before.extent, "model": "tiny@0", "warnings": []}
    arrays: dict[str, Any] = {name: getattr(before, name) for name in ARRAYS}
    arrays["head"] = np.frombuffer(json.dumps(head | changes.pop("head", {})).encode(), dtype=np.uint8)
    arrays |= {name: change(before) if callable(change) else change for name, change in changes.items()}
    with path.open("wb") as stream:
        np.savez(stream, **arrays)


def test_the_files_written_here_are_good_but_for_what_is_changed(tmp_path: Path) -> None:
    written(tmp_path / "good")
    assert Evidence.load(tmp_path / "good").recording == "x"


@pytest.mark.parametrize("name", ["head", *ARRAYS])
def test_a_file_that_lacks_something_is_refused(tmp_path: Path, name: str) -> None:
    written(tmp_path / "whole")
    with np.load(tmp_path / "whole") as whole:
        np.savez(tmp_path / "less.npz", **{key: whole[key] for key in whole if key != name})
    refused(tmp_path / "less.npz", "holds no diarization evidence")


@pytest.mark.parametrize(
    "head", [b"", b"{", b"[]", b"3", b"null", b'"x"', b"{}", b"\xff", b'{"version": 1}', b"[" * 9999]
)
def test_a_head_that_says_nothing_is_refused(tmp_path: Path, head: bytes) -> None:
    arrays = {name: getattr(made(), name) for name in ARRAYS}
    np.savez(tmp_path / "head.npz", head=np.frombuffer(head, dtype=np.uint8), **arrays)
    refused(tmp_path / "head.npz", "holds no diarization evidence")


@pytest.mark.parametrize("head", [np.array(3.0), np.array([1.5]), np.array("text"), np.zeros((2, 2), dtype=np.uint8)])
def test_a_head_of_another_kind_is_refused(tmp_path: Path, head: np.ndarray[Any, Any]) -> None:
    arrays = {name: getattr(made(), name) for name in ARRAYS}
    np.savez(tmp_path / "head.npz", head=head, **arrays)
    refused(tmp_path / "head.npz", "holds no diarization evidence")


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "new", head={"version": 99})
    refused(tmp_path / "new", "another version of samevoice; diarize the recording again")


@pytest.mark.parametrize("extent", [-1.0, 1e300, float("nan"), float("inf"), 2.0])
def test_an_extent_that_cannot_be_is_refused(tmp_path: Path, extent: float) -> None:
    written(tmp_path / "long", head={"extent": extent})
    refused(tmp_path / "long", "damaged")


def test_an_extent_without_end_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "long", head={"extent": 10**400})
    refused(tmp_path / "long", "holds no diarization evidence")


def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
            return (Path(tmp_path / "sprung").mkdir, ())  # type: ignore[return-value]

    written(tmp_path / "trap", vectors=np.array([Trap()], dtype=object))
    refused(tmp_path / "trap", "holds no diarization evidence")
    assert not (tmp_path / "sprung").exists()


def put(name: str, row: Any, value: Any) -> Callable[[Evidence], Any]:
    """An array with one element changed."""

    def change(before: Evidence) -> Any:
        array = getattr(before, name).copy()
        array[row] = value
        return array

    return change


@pytest.mark.parametrize(
    ("name", "change"),
    [
        *(
            (name, put(name, 0, bad))
            for name in ("vectors", "span_vectors", "starts", "seconds")
            for bad in (np.nan, np.inf)
        ),
        *((name, lambda before, name=name: getattr(before, name)[:-1]) for name in ARRAYS),
        *((name, lambda before, name=name: getattr(before, name)[None]) for name in ARRAYS),
        *((name, lambda before, name=name: getattr(before, name).astype(np.complex64)) for name in ARRAYS),
        *((name, np.array(1, dtype=kind)) for name, (kind, _) in ARRAYS.items()),
        ("tracks", lambda before: before.tracks[:, :-1]),
        ("vectors", lambda before: before.vectors[:, :-1]),
        ("span_vectors", lambda before: before.span_vectors[:, :-1]),
        ("windows", put("windows", 0, -1)),
        ("windows", put("windows", -1, 3)),
        ("voices", put("voices", 0, -1)),
        ("voices", put("voices", 0, VOICES)),
        ("firsts", put("firsts", 0, -1)),
        ("firsts", put("firsts", 0, STEP)),
        ("firsts", put("firsts", -1, 1 << 40)),
        ("starts", put("starts", 0, -0.5)),
        ("starts", put("starts", 1, 0.0)),
        ("starts", put("starts", -1, 1e6)),
        ("firsts", np.zeros((0,), dtype=np.int64)),
        ("firsts", np.arange(6, dtype=np.int64).reshape(3, 2)),
        ("starts", np.arange(10, dtype=np.float32).reshape(5, 2)),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path: Path, name: str, change: Any) -> None:
    written(tmp_path / "bad", **{name: change})
    refused(tmp_path / "bad", "damaged; diarize the recording again")


def test_a_file_that_unpacks_to_very_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 1 << 20)
    with zipfile.ZipFile(tmp_path / "bomb", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tracks.npy", bytes(5 << 20))
    assert (tmp_path / "bomb").stat().st_size < 1 << 20
    refused(tmp_path / "bomb", "unpacks to more")
    (tmp_path / "large").write_bytes(bytes((1 << 20) + 1))
    refused(tmp_path / "large", "too large")


def test_a_member_that_says_it_is_larger_than_it_is_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "good")
    with zipfile.ZipFile(tmp_path / "good") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": (1 << 50, 1 << 10)})
    members["vectors.npy"] = stream.getvalue()
    with zipfile.ZipFile(tmp_path / "liar", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    refused(tmp_path / "liar", "holds no diarization evidence")


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    made().save(tmp_path / "kept")
    before = (tmp_path / "kept").read_bytes()
    broken = replace(made(1), recording=b"no text")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        broken.save(tmp_path / "kept")
    assert (tmp_path / "kept").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_what_is_shown_holds_no_voices() -> None:
    found = made(pieces=4)
    assert repr(found) == f"Evidence({found.extent:.1f} s, 4 pieces, tiny@0123)"
    assert str(found) == repr(found)


def test_parts_are_joined_in_order(tmp_path: Path) -> None:
    first, second = made(0, 2, 3, 4), made(1, 3, 5, 6)
    later = replace(second, firsts=second.firsts + 2 * STEP, starts=second.starts + np.float32(4))
    both = joined([first, later], 40.0, ("cut off",))
    both.check("here")
    assert (both.extent, both.warnings) == (40.0, ("cut off",))
    assert both.windows.tolist() == [*first.windows.tolist(), *(second.windows + 2).tolist()]
    np.testing.assert_array_equal(both.tracks[both.windows[3:]], second.tracks[second.windows])
    for name in set(ARRAYS) - {"windows"}:
        np.testing.assert_array_equal(getattr(both, name), np.concatenate([getattr(first, name), getattr(later, name)]))
    both.save(tmp_path / "both")
    assert alike(Evidence.load(tmp_path / "both"), both)


def test_one_part_stays_as_it_is() -> None:
    part = made()
    assert alike(joined([part], part.extent), part)


def test_frames_reach_the_end() -> None:
    assert made(extent=10.0).frames == int(10.0 / HOP) + 1
    assert made(windows=0, pieces=0, spans=0, extent=0.0).frames == 1
