"""Every format gives back what it says it keeps, and other programs read what we write."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from turnmakers import NASTY, diarizations

from samevoice.diarization import formats
from samevoice.diarization.formats import FORMATS
from samevoice.diarization.turns import Diarization, Turn
from samevoice.errors import ConfigError

KEEP_CONFIDENCE = {"rttm", "json", "csv"}
KEEP_RECORDING = {"rttm", "json", "csv", "elan"}
KEEP_EXTENT = {"json", "textgrid", "elan"}
HOLD_NOTHING = {"rttm", "csv"}  # without turns there is no line, so no recording

TALK = Diarization(
    [Turn(0.5, 2.25, "Ann Lee", 0.875), Turn(2, 3.5, "Bob"), Turn(3723.004, 3724, "Ann Lee", 1)], 3730.0, "a meeting"
)


def kept(diarization: Diarization, name: str) -> Diarization:
    """What should come back."""
    last = max((one.end for one in diarization), default=0.0)
    return Diarization(
        (one if name in KEEP_CONFIDENCE else replace(one, confidence=None) for one in diarization),
        diarization.extent if name in KEEP_EXTENT else last,
        diarization.recording if name in KEEP_RECORDING else "",
    )


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60)
@given(diarizations())
def test_round_trip(name: str, diarization: Diarization) -> None:
    text = formats.write(diarization, name)
    found = formats.read(text, name)
    if name in HOLD_NOTHING and not len(diarization):
        assert found == []
        return
    (back,) = found
    wanted = kept(diarization, name)
    assert back == wanted
    # Joining turns may leave more digits than are written.
    assert [one.confidence for one in back] == pytest.approx([one.confidence for one in wanted], abs=6e-4)
    assert formats.read(("\ufeff" + text.replace("\n", "\r\n")).encode(), name)[0] == wanted


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(1e-9, 50)), max_size=8), st.floats(1e-9, 1e4))
def test_any_times_come_back_to_the_millisecond(name: str, spans: list[tuple[float, float]], extent: float) -> None:
    diarization = Diarization([Turn(start, start + long, "a") for start, long in spans if start < start + long], extent)
    found = formats.read(formats.write(diarization, name), name)
    if name in KEEP_EXTENT:  # what the recording has is never beyond its end
        assert extent - 1e-6 <= found[0].extent <= extent + 1e-3
    if not len(diarization):
        return
    exact = json.loads(formats.write(diarization, "json"))["turns"]
    assert [(one["start"], one["end"]) for one in exact] == [(one.start, one.end) for one in diarization]
    for one in diarization:  # turns that round into each other are one
        assert any(back.start <= one.start + 6e-4 and one.end <= back.end + 6e-4 for back in found[0])
    assert found[0].speech.duration == pytest.approx(diarization.speech.duration, abs=1.1e-3 * len(diarization))


@pytest.mark.parametrize("name", FORMATS)
def test_long_and_overlapping_times(name: str) -> None:
    assert formats.read(formats.write(TALK, name), name) == [kept(TALK, name)]


@pytest.mark.parametrize("name", FORMATS)
def test_every_odd_name_comes_back(name: str) -> None:
    turns = [Turn(number, number + 0.5, speaker) for number, speaker in enumerate(NASTY)]
    for recording in NASTY:
        diarization = Diarization(turns, 60, recording)
        assert formats.read(formats.write(diarization, name), name) == [kept(diarization, name)]


def test_losses_are_told_as_they_are() -> None:
    for name, known in FORMATS.items():
        assert ("confidence" in known.loses) == (name not in KEEP_CONFIDENCE)
        assert ("length" in known.loses) == (name not in KEEP_EXTENT)
        assert ("name" in known.loses) == (name not in KEEP_RECORDING)


@pytest.mark.parametrize("name", ["rttm", "csv", "json"])
def test_many_recordings_in_one_file(name: str) -> None:
    others = [TALK, Diarization([Turn(1, 2, "Bob")], 2.0, "b")]
    if name == "json":
        text = f"[{','.join(formats.write(one, name) for one in others)}]"
    else:
        parts = [formats.write(one, name) for one in others]
        text = parts[0] + (parts[1].split("\n", 1)[1] if name == "csv" else parts[1])
    assert [one.recording for one in formats.read(text, name)] == ["a meeting", "b"]
    assert formats.read(text, name) == [kept(one, name) for one in others]


@settings(max_examples=25)  # pandas takes its time
@given(diarizations().filter(len))
def test_pyannote_reads_our_rttm(diarization: Diarization) -> None:
    """Each name is one word, another for each speaker, and the times are ours."""
    load = import_module("pyannote.database.util").load_rttm
    named = Diarization(diarization, diarization.extent, diarization.recording or "x")  # it passes over <NA>
    text = formats.write(named, "rttm")
    assert all(len(line.split()) == 10 for line in text.splitlines())
    (annotation,) = load(io.StringIO(text)).values()
    assert len(annotation.labels()) == len(diarization.speakers)
    theirs = [(segment.start, segment.end) for segment, _ in annotation.itertracks()]
    assert theirs == [pytest.approx((one.start, one.end)) for one in diarization]


def test_names_in_rttm() -> None:
    line = formats.write(Diarization([Turn(1.44, 13.312, 'Ann "50%" Lee', 0.5)], 20, "<NA>"), "rttm")
    assert line == "SPEAKER %3CNA> 1 1.440 11.872 <NA> <NA> Ann%20%2250%25%22%20Lee 0.500 <NA>\n"


def test_rttm_of_others() -> None:
    text = (
        ";; a comment\nSPKR-INFO x 1 <NA> <NA> <NA> unknown MEE009 <NA>\n"
        "SPEAKER x 1 1.440 11.872 <NA> <NA> MEE009 <NA> <NA>\nSPEAKER x 1 3 0.000 <NA> <NA> MEE010 <NA> <NA>\n"
        "\nSPEAKER\ty\t1\t.5\t1\t<NA>\t<NA>\t100%\t17\t<NA>\nSPEAKER <NA> 1 1 2 <NA> <NA> %C3 0.25\n"
    )
    found = formats.read(text, "rttm")
    assert [(one.recording, one.turns) for one in found] == [
        ("x", (Turn(1.44, 13.312, "MEE009"),)),
        ("y", (Turn(0.5, 1.5, "100%"),)),
        ("", (Turn(1, 3, "%C3"),)),
    ]
    assert [one.turns[0].confidence for one in found] == [None, None, 0.25]


@given(diarizations().filter(len))
def test_praatio_reads_our_textgrid(diarization: Diarization) -> None:
    parse = import_module("praatio.utilities.textgrid_io").parseTextgridStr
    grid = parse(formats.write(diarization, "textgrid"), includeEmptyIntervals=False)
    found = [
        Turn(float(start), float(end), tier["name"]) for tier in grid["tiers"] for start, end, _ in tier["entries"]
    ]
    assert Diarization(found, float(grid["xmax"])) == kept(diarization, "textgrid")


def test_praatio_writes_a_textgrid_that_we_read(tmp_path: Path) -> None:
    textgrid = import_module("praatio.textgrid")
    grid = textgrid.Textgrid()
    entries = [(0.5, 1.25, 'so-called "speech"'), (2, 3, "1.5")]
    grid.addTier(textgrid.IntervalTier('Ann "A" Lee', entries, 0, 4))
    grid.addTier(textgrid.PointTier("clicks", [(1, "x")], 0, 4))
    for form in ("short_textgrid", "long_textgrid"):
        path = tmp_path / f"{form}.TextGrid"
        grid.save(str(path), form, includeBlankSpaces=True)
        (found,) = formats.read_file(path)
        assert found == Diarization([Turn(0.5, 1.25, 'Ann "A" Lee'), Turn(2, 3, 'Ann "A" Lee')], 4, form)
        wide = path.read_text(encoding="utf-8").encode("utf-16")
        assert formats.read(wide, "textgrid")[0].turns == found.turns


@settings(max_examples=40)
@given(diarizations())
def test_pympi_reads_our_eaf(tmp_path_factory: pytest.TempPathFactory, diarization: Diarization) -> None:
    path = tmp_path_factory.getbasetemp() / "talk.eaf"
    path.write_text(formats.write(diarization, "elan"), encoding="utf-8")
    eaf = import_module("pympi.Elan").Eaf(path)
    found = [
        Turn(start / 1000, end / 1000, tier)
        for tier in eaf.get_tier_names()
        for start, end, *_ in eaf.get_annotation_data_for_tier(tier)
    ]
    assert Diarization(found, diarization.extent) == Diarization(diarization, diarization.extent)
    times = [eaf.timeslots[f"ts{number + 1}"] for number in range(len(eaf.timeslots))]
    assert times == sorted(times)


def test_participants_speak_in_eaf() -> None:
    text = formats.write(TALK, "elan").replace('PARTICIPANT="Bob"', 'PARTICIPANT="Robert"')
    assert formats.read(text, "elan")[0].speakers == ("Ann Lee", "Robert")


@given(st.sampled_from(NASTY), st.sampled_from(NASTY))
def test_no_cell_of_a_table_is_a_formula(speaker: str, recording: str) -> None:
    text = formats.write(Diarization([Turn(1, 2, speaker)], 2, recording), "csv")
    for row in csv.reader(io.StringIO(text)):
        assert not any(cell.strip().startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


def test_tables_of_others() -> None:
    text = "Speaker,END,Start,note\nAnn,2,1,=1+1\n\n\"Lee, Bob\",4.5,3,'x\n'Ann,6,5,\n"
    assert formats.read(text, "csv")[0].turns == (Turn(1, 2, "Ann"), Turn(3, 4.5, "Lee, Bob"), Turn(5, 6, "'Ann"))


def test_subtitles() -> None:
    assert formats.write(TALK, "srt").startswith("1\n00:00:00,500 --> 00:00:02,250\n[Ann Lee]\n\n2\n")
    assert formats.write(TALK, "vtt").startswith("WEBVTT\n\n00:00:00.500 --> 00:00:02.250\n<v Ann Lee>Ann Lee</v>\n")
    assert "01:02:03.004 --> 01:02:04.000" in formats.write(TALK, "vtt")


def test_subtitles_of_others() -> None:
    srt = "1\n00:00:01,5 --> 00:00:02,250\nAnn: it is 10:30\nnow\n \n00:00:03,000 --> 00:00:04,000\n[Bob]\n"
    assert formats.read(srt, "srt")[0].turns == (Turn(1.5, 2.25, "Ann"), Turn(3, 4, "Bob"))
    vtt = (
        "WEBVTT - a title\nKind: captions\n\nNOTE\nno cue\n\nSTYLE\n::cue(v) {}\n\n"
        "7\n00:01.500 --> 00:02.250 align:start\n"
        "<v.loud Ann>Yes.</v> <v\tTom &amp; Bob>No.</v>\n"
    )
    assert formats.read(vtt, "vtt")[0].turns == (Turn(1.5, 2.25, "Ann"), Turn(1.5, 2.25, "Tom & Bob"))


def test_labels_of_others() -> None:
    text = "1.000000\t2.500000\tAnn\n\\\t100.0\t2000.0\n3.0\t3.0\ta mark\n"
    assert formats.read(text, "audacity")[0].turns == (Turn(1, 2.5, "Ann"),)


def test_suffixes(tmp_path: Path) -> None:
    for name, known in FORMATS.items():
        path = tmp_path / f"talk{known.suffix.upper()}"
        path.write_text(formats.write(TALK, name), encoding="utf-8", newline="")
        assert formats.by_suffix(path) == name
        (found,) = formats.read_file(path)
        assert found.turns == TALK.turns
        assert found.recording == ("a meeting" if name in KEEP_RECORDING else "talk")
    with pytest.raises(ConfigError, match=r"use one of \.rttm"):
        formats.by_suffix(Path("talk.doc"))
    with pytest.raises(ConfigError, match="'doc' is unknown; use one of rttm"):
        formats.write(TALK, "doc")
