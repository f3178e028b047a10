"""AS-norm against a plain loop, its files, and what is refused."""

from __future__ import annotations

import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from samevoice.errors import ConfigError, DataError, FingerprintMismatch, ModelError
from samevoice.scoring import arrays, asnorm
from samevoice.scoring.asnorm import MIN_SD, Cohort, Statistics, Vectors, as_norm, centred, statistics
from samevoice.scoring.calibration import Array


def unit(rows: NDArray[np.float64]) -> Vectors:
    vectors: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return vectors


def cosines(vectors: Vectors, first: NDArray[Any], second: NDArray[Any]) -> Array:
    scores: Array = np.einsum("nd,nd->n", vectors[first], vectors[second], dtype=np.float64)
    return scores


def drawn(count: int, dimension: int, seed: int) -> Vectors:
    return unit(np.random.default_rng(seed).normal(0.2, 1, (count, dimension)))


def looped(score: float, one: Vectors, two: Vectors, cohort: Vectors, top: int) -> float:
    """The equation of Matejka et al. (2017) for one trial."""
    total = 0.0
    for side in (one, two):
        scores = sorted((float(np.dot(side.astype(float), other.astype(float))) for other in cohort), reverse=True)
        near = scores[:top]
        mean = sum(near) / len(near)
        sd = max((sum((value - mean) ** 2 for value in near) / len(near)) ** 0.5, MIN_SD)
        total += (score - mean) / sd
    return total / 2


@settings(max_examples=30)
@given(st.integers(2, 40), st.integers(2, 50), st.integers(1, 12), st.integers(0, 10**6))
def test_equals_the_equation(size: int, top: int, rows: int, seed: int) -> None:
    vectors, cohort = drawn(rows, 8, seed), Cohort(drawn(size, 8, seed + 1), "m", "drawn")
    found = statistics(vectors, cohort, top)
    first, second = np.random.default_rng(seed).integers(0, rows, (2, 20))
    scores = cosines(vectors, first, second)
    got = as_norm(scores, found.of(first), found.of(second))
    for place, value in enumerate(got):
        sides = vectors[first[place]], vectors[second[place]]
        assert value == pytest.approx(looped(scores[place], *sides, cohort.vectors, top), rel=1e-3, abs=1e-3)


def test_equals_the_equation_to_six_digits() -> None:
    vectors, cohort = drawn(3, 16, 1), Cohort(drawn(50, 16, 2), "m", "drawn")
    got = as_norm(np.array([0.3]), *(statistics(vectors, cohort, 20).of(np.array([row])) for row in (0, 2)))
    assert got[0] == pytest.approx(looped(0.3, vectors[0], vectors[2], cohort.vectors, 20), abs=1e-5)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, cohort = drawn(11, 8, 1), Cohort(drawn(30, 8, 2), "m", "drawn")
    whole = statistics(vectors, cohort, 10)
    for scores in (1, 60, 90):  # one row at a time, two, and three
        monkeypatch.setattr(asnorm, "BLOCK_SCORES", scores)
        for one, other in zip(statistics(vectors, cohort, 10), whole, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-7)


def test_brings_crowded_and_lonely_voices_on_one_scale() -> None:
    """Impostors that all resemble each other score much higher before, in standard deviations, than after."""
    draw = np.random.default_rng(3)
    crowd = unit(draw.normal(0, 1, (120, 32)) + 4 * np.eye(32)[0])
    lone = unit(draw.normal(0, 1, (120, 32)) - 0.5 * np.eye(32)[0])
    cohort = Cohort(np.concatenate([crowd[:60], lone[:60]]), "m", "drawn")
    i, j = np.triu_indices(60, 1)
    raw, normed = [], []
    for group in (crowd[60:], lone[60:]):
        found = statistics(group, cohort, 60)
        raw.append(cosines(group, i, j))
        normed.append(as_norm(raw[-1], found.of(i), found.of(j)))

    def apart(pair: list[Array]) -> float:
        return float((pair[0].mean() - pair[1].mean()) / np.std(pair[0]))

    assert apart(raw) > 2
    assert abs(apart(normed)) < apart(raw) / 2


def test_a_cohort_that_repeats_one_recording_gives_finite_scores() -> None:
    vectors = drawn(4, 8, 1)
    found = statistics(vectors, Cohort(np.repeat(vectors[:1], 5, axis=0), "m", "one"), 5)
    assert (found.sds == MIN_SD).all()
    assert np.isfinite(as_norm(np.ones(4), found, found)).all()


def test_a_million_trials_take_seconds() -> None:
    vectors, cohort = drawn(4_000, 192, 1), Cohort(drawn(2_000, 192, 2), "m", "drawn")
    first, second = np.random.default_rng(3).integers(0, 4_000, (2, 1_000_000))
    started = time.process_time()
    found = statistics(vectors, cohort)
    normed = as_norm((vectors @ vectors.T)[first, second].astype(np.float64), found.of(first), found.of(second))
    assert time.process_time() - started < 10  # about half a second; ten on the slowest machines
    assert np.isfinite(normed).all()


def test_statistics_refuse() -> None:
    cohort = Cohort(drawn(5, 8, 1), "m", "drawn")
    with pytest.raises(ConfigError, match="take at least 2"):
        statistics(drawn(3, 8, 2), cohort, 1)
    with pytest.raises(ValueError, match="9 dimensions do not fit a cohort of 8"):
        statistics(drawn(3, 9, 2), cohort)
    with pytest.raises(ValueError, match="unit vectors"):
        statistics(2 * drawn(3, 8, 2), cohort)
    with pytest.raises(ValueError, match="as many sides"):
        as_norm(np.zeros(3), Statistics(np.zeros(3), np.ones(3)), Statistics(np.zeros(2), np.ones(2)))


def test_cohorts_that_cannot_be() -> None:
    with pytest.raises(DataError, match="1 recordings"):
        Cohort(drawn(1, 8, 1), "m", "")
    for bad in (np.zeros((3, 8)), np.full((3, 8), np.nan), 2 * drawn(3, 8, 1)):
        with pytest.raises(ValueError, match="unit vectors"):
            Cohort(bad.astype(np.float32), "m", "")
    with pytest.raises(ValueError, match="shape"):
        Cohort(drawn(3, 8, 1)[0], "m", "")


def test_a_cohort_does_not_follow_the_array_it_was_made_of() -> None:
    vectors = drawn(3, 8, 1)
    cohort = Cohort(vectors, "m", "")
    vectors[:] = 0
    assert np.linalg.norm(cohort.vectors) == pytest.approx(3**0.5)
    with pytest.raises(ValueError, match="read-only"):
        cohort.vectors[0] = 0


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    Cohort(drawn(6, 8, 1), "a" * 12, "sechs Stimmen, ü").save(tmp_path / "cohort.npz")
    return tmp_path / "cohort.npz"


def test_round_trip(saved: Path) -> None:
    cohort = Cohort.load(saved, "a" * 12)
    np.testing.assert_array_equal(cohort.vectors, drawn(6, 8, 1))
    assert (cohort.model, cohort.source) == ("a" * 12, "sechs Stimmen, ü")


def test_another_model_is_refused(saved: Path) -> None:
    with pytest.raises(FingerprintMismatch):
        Cohort.load(saved, "b" * 12)


def rewrite(path: Path, **change: Any) -> None:
    with np.load(path) as opened:
        content = {name: opened[name] for name in opened.files}
    content |= change
    np.savez(path, **{name: value for name, value in content.items() if value is not None})


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "PLDA"},
        {"kind": 3},
        {"vectors": None},
        {"source": None},
        {"more": np.zeros(1)},
        {"vectors": np.zeros((6, 8), dtype=np.float32)},
        {"vectors": np.full((6, 8), np.nan, dtype=np.float32)},
        {"vectors": np.eye(8, dtype=np.float32)[:1]},
        {"vectors": np.eye(8, dtype=np.int64)},
        {"vectors": np.ones(8, dtype=np.float32)},
        {"vectors": np.array([[None]])},
        {"model": np.array(["a", "b"])},
        {"model": 7},
    ],
    ids=lambda change: next(iter(change)),
)
def test_damaged_cohorts_are_refused(saved: Path, change: dict[str, Any]) -> None:
    rewrite(saved, **change)
    with pytest.raises(ModelError, match=r"cohort\.npz: no usable cohort .*make it again") as caught:
        Cohort.load(saved, "a" * 12)
    assert not isinstance(caught.value, FingerprintMismatch)


@pytest.mark.slow
@settings(max_examples=150)
@given(st.data())
def test_any_damage_to_the_bytes_is_harmless(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Either the cohort comes back as it was, or a ModelError says so."""
    path = tmp_path_factory.mktemp("cohort") / "cohort.npz"
    Cohort(drawn(6, 8, 1), "a" * 12, "six").save(path)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        for _ in range(data.draw(st.integers(1, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        found = Cohort.load(path, "a" * 12)
    except ModelError:
        return
    np.testing.assert_array_equal(found.vectors, drawn(6, 8, 1))


def test_a_name_that_is_not_the_same_twice_is_not_quoted_at_length(saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    content[26:28] = (5_000).to_bytes(2, "little")  # how long the first member's name is
    saved.write_bytes(content)
    with pytest.raises(ModelError, match="no usable cohort") as caught:
        Cohort.load(saved, "a" * 12)
    assert len(str(caught.value)) < len(str(saved)) + 200


def test_a_header_with_an_open_bracket_is_refused(saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["vectors.npy"] = members["vectors.npy"].replace(b"(6, 8)", b"(6, 8 ")
    with zipfile.ZipFile(saved, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ModelError, match="no usable cohort"):
        Cohort.load(saved, "a" * 12)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        Cohort.load(tmp_path / "none.npz", "m")
    with pytest.raises(ModelError, match="cannot be written"):
        Cohort(drawn(3, 8, 1), "m", "").save(tmp_path / "no" / "folder.npz")


def test_a_file_that_unpacks_to_too_much(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "MAX_BYTES", 300)
    with pytest.raises(ModelError, match="more than 300 bytes"):
        Cohort.load(saved, "a" * 12)


def test_centring() -> None:
    vectors = drawn(50, 8, 1)
    mean = vectors.mean(axis=0)
    got = centred(vectors, mean)
    assert got.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1, atol=1e-6)
    for row, vector in zip(got, vectors, strict=True):
        moved = vector.astype(float) - mean.astype(float)
        np.testing.assert_allclose(row, moved / np.linalg.norm(moved), atol=1e-6)


def test_centring_refuses() -> None:
    vectors = drawn(5, 8, 1)
    with pytest.raises(DataError, match="recording 3 equals the mean"):
        centred(vectors, vectors[3])
    with pytest.raises(ValueError, match="finite"):
        centred(vectors, np.full(8, np.nan))
    with pytest.raises(ValueError, match="shape"):
        centred(vectors, np.zeros(7))
