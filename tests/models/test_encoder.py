from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import modelmakers as make
import numpy as np
import pytest

from samevoice.errors import ConfigError, ModelError
from samevoice.models.card import Window
from samevoice.models.encoder import Encoder, read_model, write_model


def test_a_batch_runs_and_equals_numpy() -> None:
    features = np.random.default_rng(0).standard_normal((2, 9, make.BANDS)).astype(np.float32)
    found = Encoder(make.card(), make.graph(), threads=1)(features)
    np.testing.assert_allclose(found, features.mean(axis=1) @ make.weights(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(9, 80), (1, 9, 79), (0, 9, 80), (1, 0, 80)])
def test_features_of_another_shape_are_a_mistake(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"takes features \(batch, frames, 80\)"):
        Encoder(make.card(), make.graph(), threads=1)(np.zeros(shape, dtype=np.float32))


def test_an_answer_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ModelError, match="not finite"):
        Encoder(make.card(), make.graph(), threads=1)(np.full((1, 9, 80), np.inf, dtype=np.float32))


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e30], ids=["zero", "square is zero", "square is infinite"])
def test_an_answer_without_direction_is_refused(scale: float) -> None:
    encoder = Encoder(make.card(), make.graph(scale=scale), threads=1)
    with pytest.raises(ModelError, match="zero or not finite for 9 frames"):
        encoder(np.ones((2, 9, 80), dtype=np.float32))


def test_one_answer_without_direction_spoils_the_batch() -> None:
    features = np.stack([np.ones((9, 80)), np.zeros((9, 80))]).astype(np.float32)
    with pytest.raises(ModelError, match="zero or not finite"):
        Encoder(make.card(), make.graph(), threads=1)(features)


def test_a_network_that_takes_more_than_features_is_refused() -> None:
    second = make.wire(7, make.wire(11, make.value("more", 1)))  # protocol buffers join messages that come in parts
    with pytest.raises(ModelError, match="takes 2 inputs"):
        Encoder(make.card(), make.graph() + second, threads=1)


@pytest.mark.parametrize("threads", [0, -1, 257, 1 << 40])
def test_threads_out_of_range_are_refused(threads: int) -> None:
    with pytest.raises(ConfigError, match="threads cannot be used; choose 1 to 256"):
        Encoder(make.card(), make.graph(), threads=threads)


def test_a_card_that_lies_about_the_dimension_is_refused() -> None:
    with pytest.raises(ModelError, match="not what its card says"):
        Encoder(make.card(dimension=4), make.graph(), threads=1)(np.zeros((1, 9, 80), dtype=np.float32))


def fixed(frames: int) -> bytes:
    """The tiny model's graph for one number of frames only, written as long as the name it replaces."""
    return make.graph().replace(make.wire(2, "frames"), make.wire(1, frames) + make.wire(3, "time"))


def test_the_only_number_of_frames_is_known() -> None:
    for window in (Window(9, 4), None):
        encoder = Encoder(make.card(window=window), fixed(9), threads=1)
        assert encoder.frames == 9
        assert encoder(np.ones((2, 9, 80), dtype=np.float32)).shape == (2, 3)
    assert Encoder(make.card(), make.graph(), threads=1).frames is None


@pytest.mark.parametrize("frames", [8, 10])
def test_another_number_of_frames_is_a_mistake(frames: int) -> None:
    encoder = Encoder(make.card(window=Window(9, 9)), fixed(9), threads=1)
    with pytest.raises(ValueError, match=rf"takes features \(batch, 9, 80\), got \(2, {frames}, 80\)"):
        encoder(np.ones((2, frames, 80), dtype=np.float32))


@pytest.mark.parametrize("frames", [8, 200])
def test_a_window_that_the_network_does_not_take_is_refused(frames: int) -> None:
    with pytest.raises(ModelError, match=f"takes 9 frames, its card cuts {frames}; export it again with a window of 9"):
        Encoder(make.card(window=Window(frames, 8)), fixed(9), threads=1)


def test_a_voice_activity_model_is_no_encoder() -> None:
    with pytest.raises(ModelError, match="makes no embeddings"):
        Encoder(make.card(kind="voice-activity", dimension=0, frontend=None), make.graph(), threads=1)


def test_a_model_survives_a_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "new" / "tiny.onnx"
    card = make.card(calibration={"slope": 1.5})
    write_model(path, make.graph(), card)
    assert read_model(path) == (card, make.graph())
    write_model(path, path.read_bytes(), make.card())  # metadata is replaced, not added
    assert read_model(path) == (make.card(), make.graph())


def test_onnxruntime_opens_the_written_file(tmp_path: Path) -> None:
    write_model(tmp_path / "tiny.onnx", make.graph(), make.card())
    Encoder(make.card(), (tmp_path / "tiny.onnx").read_bytes(), threads=1)


def test_one_changed_weight_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "tiny.onnx"
    write_model(path, make.graph(), make.card())
    old = make.weights()[5].tobytes()
    path.write_bytes(path.read_bytes().replace(old, b"\x01" + old[1:]))
    with pytest.raises(ModelError, match=r"wrong digest .* pull it again"):
        read_model(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "no graph"), (b"RIFF" * 9, "ONNX"), (make.graph(), "no samevoice card; pull")],
)
def test_other_files_are_refused_with_advice(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=message):
        read_model(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.onnx", tmp_path):
        with pytest.raises(ModelError, match="cannot be read"):
            read_model(path)


def test_a_card_of_another_graph_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not written"):
        write_model(tmp_path / "tiny.onnx", make.graph(), replace(make.card(), fingerprint="tiny@0"))
    assert not list(tmp_path.iterdir())


def test_a_write_that_fails_leaves_the_old_model_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tiny.onnx"
    write_model(path, make.graph(), make.card())
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ModelError, match="No space left"):
        write_model(path, make.graph(), make.card(calibration={"a": 1}))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("threads", "frames", "sizes"), [(1, 298, [2, 2, 1]), (2, 298, [5]), (1, 5_000, [1] * 5)])
def test_stretches_are_cut_into_calls_in_order(threads: int, frames: int, sizes: list[int]) -> None:
    """Short calls on one thread, longer ones where threads share them; none is empty, however long a stretch."""
    encoder = Encoder(make.card(), make.graph(), threads=threads)
    batches = list(encoder.batches("abcde", frames))
    assert [len(batch) for batch in batches] == sizes
    assert [one for batch in batches for one in batch] == list("abcde")
    assert encoder.batch_size(frames) >= max(sizes)
