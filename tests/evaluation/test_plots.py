"""Pictures: drawn without a screen, whole or not at all, and telling the truth in their words."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trialmakers import voices

from samevoice.errors import ConfigError
from samevoice.evaluation.plots import (
    draw_curves,
    draw_det,
    draw_histograms,
    draw_matrix,
    draw_similarity,
    same_and_different,
)

DRAW = np.random.default_rng(0)
SIDES = DRAW.normal(0.6, 0.1, 50), DRAW.normal(0.1, 0.1, 400)
ROWS: list[dict[str, Any]] = [
    {"step": 0, "loss": 2.5, "eer": 0.4, "lr": 1e-3, "stage": "softmax"},
    {"step": 10, "loss": float("nan"), "eer": None, "lr": 1e-3, "stage": "softmax"},
    {"step": 20, "loss": 0.4, "lr": 1e-4, "stage": "triplet", "collapse": 0.3},
    {"step": 30, "loss": 0.2, "eer": 0.1, "lr": 1e-4, "stage": "triplet", "collapse": 0.3},
]


def triplets() -> tuple[np.ndarray, list[str]]:
    """The 96 x 96 cosines of 32 triplets, where one negative is by chance an anchor's speaker."""
    vectors, _ = voices(40, 2, spread=0.5)
    rows = [*range(0, 64, 2), *range(1, 64, 2), *[64 + number % 16 for number in range(31)], 0]
    return vectors[rows] @ vectors[rows].T, [f"p{row // 2}" for row in rows]


PICTURES: dict[str, Callable[[Path], None]] = {
    "histograms": lambda path: draw_histograms(*SIDES, path, 0.35),
    "det": lambda path: draw_det(*SIDES, path),
    "det-perfect": lambda path: draw_det(np.array([1.0]), np.array([0.0]), path),
    "similarity": lambda path: draw_similarity(*triplets(), path),
    "curves": lambda path: draw_curves(ROWS, path),
    "curves-empty": lambda path: draw_curves([], path),
}


def words(draw: Callable[[Path], None], folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The text of a picture; SVG keeps it as text where it is told to."""
    import matplotlib as mpl

    monkeypatch.setitem(mpl.rcParams, "svg.fonttype", "none")
    draw(folder / "picture.svg")
    return (folder / "picture.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PICTURES)
def test_each_is_a_picture(name: str, tmp_path: Path) -> None:
    from matplotlib.image import imread

    PICTURES[name](tmp_path / "picture.png")
    pixels = imread(tmp_path / "picture.png")
    assert pixels.ndim == 3
    assert pixels.std() > 0.01
    assert [one.name for one in tmp_path.iterdir()] == ["picture.png"]


def test_histograms_say_what_they_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = words(PICTURES["histograms"], tmp_path, monkeypatch)
    targets, non_targets = SIDES
    assert f"d(AP), same speaker: {1 - targets.mean():.3f} ± {targets.std():.3f}, 50 pairs" in text
    assert f"d(AN), two speakers: {1 - non_targets.mean():.3f} ± {non_targets.std():.3f}, 400 pairs" in text
    assert "threshold: cosine 0.350" in text


def test_det_names_the_equal_error_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "EER 0.00 %" in words(PICTURES["det-perfect"], tmp_path, monkeypatch)


def test_similarity_names_its_groups_and_counts_by_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, labels = triplets()
    text = words(PICTURES["similarity"], tmp_path, monkeypatch)
    for group in ("anchors", "0 to 31", "positives", "32 to 63", "negatives", "64 to 95"):
        assert group in text
    same = [float(matrix[i, j]) for i in range(96) for j in range(i) if labels[i] == labels[j]]
    different = [float(matrix[i, j]) for i in range(96) for j in range(i) if labels[i] != labels[j]]
    assert f"same speaker: {np.mean(same):.3f} ({len(same)} pairs)" in text
    assert f"two speakers: {np.mean(different):.3f} ({len(different):,} pairs)" in text
    assert len(same) > 32 + 2  # more than the diagonal of anchors and positives


def test_a_matrix_draws_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["\udcff.flac", "$\\frac{$.flac", "a\x1b\n.flac"]
    told = words(lambda path: draw_matrix(np.eye(3, dtype=np.float32), names, path), tmp_path, monkeypatch)
    for name in ("\\udcff.flac", "$\\frac{$.flac", "a??.flac"):
        assert told.count(f">{name}<") == 2, name


def test_pairs_are_told_apart_by_label() -> None:
    matrix = np.array([[1, 0.5, 0.1], [0.5, 1, 0.2], [0.1, 0.2, 1]], dtype=np.float32)
    same, different = same_and_different(matrix, ["a", "b", "a"])
    np.testing.assert_allclose(same, [0.1])
    np.testing.assert_allclose(different, [0.5, 0.2])


@pytest.mark.parametrize(("size", "labels"), [(3, 2), (4, 4), (0, 0)])
def test_what_is_no_set_of_triplets_is_refused(size: int, labels: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"triplets|labels"):
        draw_similarity(np.eye(size, dtype=np.float32), ["a"] * labels, tmp_path / "picture.png")


def test_curves_mark_stages_and_collapse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = words(PICTURES["curves"], tmp_path, monkeypatch)
    for name in ("loss", "EER, %", "learning rate", "step", "collapse"):
        assert name in text
    assert "collapse" not in words(PICTURES["curves-empty"], tmp_path, monkeypatch)


@pytest.mark.parametrize("name", PICTURES)
def test_without_matplotlib_it_says_what_to_install(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r"samevoice\[plots\]"):
        PICTURES[name](tmp_path / "picture.png")


def test_a_picture_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    old = tmp_path / "picture.png"
    old.write_bytes(b"old")

    def full(_figure: Figure, file: Any, **_options: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    with pytest.raises(ConfigError, match="cannot be written"):
        draw_det(*SIDES, old)
    assert old.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [old]
