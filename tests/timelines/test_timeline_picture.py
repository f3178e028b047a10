"""A timeline as a picture: what is on it, for seconds and for hours."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from slicemakers import made

import samevoice as sv
from samevoice.timelines import picture
from samevoice.timelines.picture import draw_timeline
from samevoice.timelines.table import SliceTable
from samevoice.timelines.voices import Voices


@pytest.fixture(autouse=True)
def words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words stay words in a drawing."""
    monkeypatch.setitem(mpl.rcParams, "svg.fonttype", "none")


def one_voice(table: SliceTable, name: str) -> SliceTable:
    """Compared with a single voice."""
    assert table.voices is not None
    assert table.nearest is not None
    alone = Voices((name,), table.voices.vectors[:1], np.array([3.0]), table.model)
    return replace(table, voices=alone, nearest=np.minimum(table.nearest, 0))


def drawn(table: SliceTable, path: Path) -> str:
    draw_timeline(table, path)
    return path.read_text(encoding="utf-8")


def test_people_have_lanes_and_names_are_no_formulas(tmp_path: Path) -> None:
    table = made(recording="/some/where/$a^$.wav")
    text = drawn(table, tmp_path / "out.svg")
    for said in ("$a^$.wav, toy@1", "waveform", "speech", "cosine", "Ada", "ob?", "0:00.0", "0:04.5"):
        assert said in text, said


def test_a_reference_has_a_curve_and_the_line_of_even_odds(tmp_path: Path) -> None:
    text = drawn(one_voice(made(), "voices/ada.wav"), tmp_path / "out.svg")
    assert "like ada.wav" in text
    assert "even" in text
    assert "even" not in drawn(one_voice(made(calibrated=False), "ada.wav"), tmp_path / "plain.svg")


def test_without_voices_there_is_no_likeness(tmp_path: Path) -> None:
    text = drawn(made(voices=False), tmp_path / "out.svg")
    assert "waveform" in text
    assert "cosine" not in text


@pytest.mark.parametrize("alone", [True, False])
def test_hours_are_told_in_hours_and_drawn_in_few_cells(tmp_path: Path, alone: bool) -> None:
    table = made(9_600)
    table = one_voice(table, "ada.wav") if alone else table
    text = drawn(table, tmp_path / "out.svg")
    assert "1:30:00" in text
    assert "2:00:00" in text
    assert len(text) < 250_000
    draw_timeline(table, tmp_path / "out.png")
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_cells_are_means_of_neighbours_with_gaps_where_nothing_is_said() -> None:
    table = made(9)
    embedded = table.embedded
    edges, values = picture._binned(table, np.arange(9.0), embedded)
    assert edges[0] == 0.0
    assert edges[-1] == table.extent
    assert (np.diff(edges) > 0).all()
    assert values.mask.tolist() == (~embedded).tolist()
    assert values.compressed().tolist() == [0.0, 2.0, 4.0, 6.0, 8.0]
    many = made(2_100)
    edges, values = picture._binned(many, np.arange(2_100.0), np.arange(2_100) < 1_500)
    assert len(values) == picture.BINS
    assert values[10] == pytest.approx(31.0)
    assert values.mask.sum() == 200


def test_the_lanes_are_of_those_who_are_nearest_most_often() -> None:
    table = made(9)
    names = tuple(f"person {row}" for row in range(20))
    everybody = Voices(names, np.tile(table.vectors[:1], (20, 1)), np.full(20, 3.0), table.model)
    nearest = np.array([7, -1, 7, -1, 19, -1, 7, -1, 19], dtype=np.int32)
    lanes = picture._lanes(replace(table, voices=everybody, nearest=nearest))
    assert [name for name, _ in lanes[:2]] == ["person 7", "person 19"]
    assert len(lanes) == picture.LANES
    assert lanes[0][1] == pytest.approx(table.vectors @ table.vectors[0], abs=1e-6)


def test_silence_and_nothing_embedded_can_be_drawn(tmp_path: Path) -> None:
    table = made()
    assert table.nearest is not None
    silent = replace(
        table,
        vectors=np.zeros_like(table.vectors),
        nearest=np.full_like(table.nearest, -1),
        envelope=np.zeros((2, 1), dtype=np.float32),
        speech=sv.Timeline([], table.extent),
    )
    for number, one in enumerate((silent, one_voice(silent, "ada.wav"))):
        assert "0:04.5" in drawn(one, tmp_path / f"{number}.svg")


def test_drawing_needs_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(sv.ConfigError, match=r"pip install 'samevoice\[plots\]'"):
        draw_timeline(made(), tmp_path / "out.png")
