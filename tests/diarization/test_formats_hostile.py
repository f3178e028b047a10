"""Files that no honest program writes end in one sentence with the place; none fetches, hangs or fills the memory."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from turnmakers import diarizations

from samevoice.diarization import formats
from samevoice.diarization.formats import FORMATS, registry, uem
from samevoice.diarization.turns import Diarization, Turn
from samevoice.errors import DataError

TALK = Diarization([Turn(1.5, 2.25, "Ann")], 3.0, "a")
BAD_TIMES = ["nan", "inf", "-1", "1e300", "1e9", "x", "", "1_0", "\uff19"]
CUE = "00:00:01.500 --> 00:00:02.250"


def outcome(text: str | bytes, name: str) -> str:
    """What a format says against a text; nothing where it takes it."""
    try:
        found = formats.read(text, name)
    except DataError as error:
        return str(error)
    assert all(isinstance(one, Diarization) for one in found)
    return ""


def refused(text: str | bytes, name: str, place: str, what: str) -> None:
    """One sentence with the place and the reason."""
    with pytest.raises(DataError) as error:
        formats.read(text, name, "file")
    said = str(error.value)
    assert said.startswith(f"file{place}: "), said
    assert what in said
    assert len(said) < 250
    assert said.isprintable()


@pytest.mark.parametrize("name", FORMATS)
@given(st.text(max_size=80))
@example("\x00")
@example('"' * 50)
@example("WEBVTT\n\n-->")
def test_any_text_is_read_or_refused(name: str, text: str) -> None:
    assert not (said := outcome(text, name)) or said.isprintable()


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=40)
@given(diarizations(), st.data())
def test_damaged_files_are_read_or_refused(name: str, diarization: Diarization, data: st.DataObject) -> None:
    content = bytearray(formats.write(diarization, name).encode())
    if not content:
        return
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    whole = bytes(content[: data.draw(st.integers(0, len(content)))])
    assert not (said := outcome(whole, name)) or said.isprintable()


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_no_unicode_is_refused_with_its_line(name: str) -> None:
    refused(b"ab\ncd\n\xff\xfeq", name, ":3", "is not UTF-8; save the file as UTF-8 text")
    refused(b"\xff\xfea", name, ":1", "is not UTF-8")


@pytest.mark.parametrize("bad", BAD_TIMES)
def test_times_that_are_none(bad: str) -> None:
    refused(f"SPEAKER a 1 {bad or 'x'} 1 <NA> <NA> b <NA> <NA>", "rttm", ":1", "a time is a number of seconds")
    refused(f"\nSPEAKER a 1 1 {bad or 'x'} <NA> <NA> b <NA> <NA>", "rttm", ":2", "a time is a number of seconds")
    refused(f"start,end,speaker\n1,2,a\n{bad},2,a", "csv", ":3", "a time is a number of seconds")
    refused(f"1\t2\ta\n1\t{bad}\tb", "audacity", ":2", "a time is a number of seconds")
    refused(f"1\n{bad} --> 00:00:02,250\n[a]", "srt", ":2", "a time is written 00:00:01.500")
    refused(f"WEBVTT\n\n00:01.000 --> {bad or 'x'}\n<v a>", "vtt", ":3", "a time is written 00:00:01.500")
    eaf = formats.write(TALK, "elan").replace('TIME_VALUE="2250"', f'TIME_VALUE="{bad}"')
    refused(eaf, "elan", ":9", "a whole number of milliseconds")
    grid = formats.write(TALK, "textgrid").replace("xmax = 2.250", f"xmax = {bad}")
    with pytest.raises(DataError, match=r"text:\d+: "):
        formats.read(grid, "textgrid")


def test_turns_that_run_backwards() -> None:
    what = "a turn ends after its start, got 3 to 2 s"
    refused("start,end,speaker\n3,2,a", "csv", ":2", what)
    refused("3\t2\ta", "audacity", ":1", what)
    refused("1\n00:00:03,0 --> 00:00:02,0\n[a]", "srt", ":2", what)
    refused("WEBVTT\n\n00:03.0 --> 00:02.0\n<v a>", "vtt", ":3", what)
    refused(formats.write(TALK, "elan").replace('"1500"', '"3000"'), "elan", ":12", "ends after its start")
    grid = '"ooTextFile" "TextGrid"\n0 4 <exists> 1\n"IntervalTier" "a" 0 4 1\n3 2 "x"'
    refused(grid, "textgrid", ":4", what)
    refused("SPEAKER a 1 99999999 2 <NA> <NA> b <NA> <NA>", "rttm", ":1", "beyond 1e+08 s")


@pytest.mark.parametrize("name", ["", "a\x00", "a\x1b[31m", "a\u2028"])
def test_names_that_nobody_has(name: str) -> None:
    what = "a speaker needs a name without control characters"
    refused(f"start,end,speaker\n1,2,{name}", "csv", ":2", what)
    refused(f"1\t2\t{name}", "audacity", ":1", what)
    refused(f"WEBVTT\n\n{CUE}\n<v {name or '&#7;'}>", "vtt", ":3", what)
    if name:
        word = "".join(f"%{byte:02x}" for byte in name.encode())
        refused(f"SPEAKER a 1 1 1 <NA> <NA> {word} <NA> <NA>", "rttm", ":1", what)
        refused(f"SPEAKER {word} 1 1 1 <NA> <NA> a <NA> <NA>", "rttm", "", "a recording needs a name")


BOMB = "".join(f'<!ENTITY l{level} "{f"&l{level - 1};" * 10}">' for level in range(1, 10))
DOCTYPES = [
    f'<!DOCTYPE a [<!ENTITY l0 "lol">{BOMB}]>',
    '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    '<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd">',
    '<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>',
]


@pytest.mark.parametrize("doctype", DOCTYPES)
def test_document_types_are_refused_before_they_are_read(doctype: str) -> None:
    text = formats.write(TALK, "elan")
    head, rest = text.split("\n", 1)
    content = rest.replace("speech", "&l9;&x;")
    began = time.perf_counter()
    refused(f"{head}\n{doctype}\n{content}", "elan", ":2", "has a document type, which can do harm")
    refused(f"{head}\n{doctype}\n{content}".encode("utf-16"), "elan", ":2", "has a document type")
    assert time.perf_counter() - began < 1


def test_xml_that_is_no_eaf() -> None:
    refused("<html></html>", "elan", ":1", "is no EAF but 'html'")
    refused("<ANNOTATION_DOCUMENT>\n<TIER>", "elan", ":2", "is no XML (no element found)")
    refused("", "elan", ":1", "is no XML")
    text = formats.write(TALK, "elan")
    refused(text.replace('TIME_SLOT_REF2="ts2"', 'TIME_SLOT_REF2="ts9"'), "elan", ":12", "'ts9' has no time")
    refused(text.replace(' TIME_VALUE="2250"', ""), "elan", ":12", "'ts2' has no time; align the annotation in ELAN")
    refused(text.replace("samevoice", "&undefined;"), "elan", ":4", "is no XML (undefined entity)")
    refused(text.replace("3.000", "NaN"), "elan", ":5", "a time is a number")


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("{", ":1", "is no JSON"),
        ('[\n{"a": 1,}]', ":2", "is no JSON"),
        ("[" * 100_000, "", "is no JSON of a diarization"),
        ("9" * 10_000, "", "is no JSON of a diarization"),
        ('{"a": NaN}', "", "NaN is no number"),
        ("3", "", 'it has no "format": "samevoice-diarization"'),
        ('{"format": "samevoice-diarization", "version": 2}', "", "a version other than 1; use a newer samevoice"),
        ('{"format": "samevoice-diarization", "version": 1}', "", '"turns" a list'),
    ],
)
def test_json_that_is_no_diarization(text: str, place: str, what: str) -> None:
    refused(text, "json", place, what)


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("start", "-1", '"start" must be a number from 0'),
        ("start", "1e999", '"start" must be a number from 0'),
        ("start", "true", '"start" must be a number from 0'),
        ("end", '"2"', '"end" must be a number from 0'),
        ("end", "0.5", "0 <= start < end"),
        ("speaker", "7", 'has no "speaker"'),
        ("speaker", '""', "a speaker needs a name"),
        ("speaker", r'"\ud800"', "a speaker needs a name"),
        ("confidence", "1.5", "a confidence lies between 0 and 1"),
        ("confidence", '"high"', '"confidence" must be a number'),
    ],
)
def test_turns_in_json_that_cannot_be(key: str, value: str, what: str) -> None:
    turn = {"start": "1", "end": "2", "speaker": '"a"', "confidence": "null"} | {key: value}
    inside = ",".join(f'"{name}": {one}' for name, one in turn.items())
    good = '{"start": 0, "end": 1, "speaker": "b"}'
    text = f'{{"format": "samevoice-diarization", "version": 1, "extent": 5, "turns": [{good}, {{{inside}}}]}}'
    refused(text, "json", ": turn 2", what)


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("", ":1", "must name the columns start, end, speaker; look at 'start'"),
        ("start,end\n1,2", ":1", "look at 'speaker'"),
        ("start,end,speaker,end\n", ":1", "look at 'end'"),
        ("start,end,speaker\n1,2,a\n1,2,a,b", ":3", "4 fields under 3 columns"),
        ('start,end,speaker\n1,2,"a', ":2", "is not a table"),
        ("start,end,speaker\n1,2," + "a" * 200_000, ":2", "is not a table"),
        ("start,end,speaker,confidence\n1,2,a,high", ":2", "a confidence is a number"),
        ("start,end,speaker,confidence\n1,2,a,nan", ":2", "a confidence lies between 0 and 1"),
        ('start,end,speaker\n1,2,"a\nb"', ":3", "a speaker needs a name"),
    ],
)
def test_tables_that_are_none(text: str, place: str, what: str) -> None:
    refused(text, "csv", place, what)


@pytest.mark.parametrize(
    ("name", "text", "place", "what"),
    [
        ("rttm", "\nAnn speaks\n", ":2", "is no line of RTTM"),
        ("rttm", "SPEAKER a 1 1 1 <NA> <NA> Ann Lee <NA> <NA>", ":1", "without blanks in names"),
        ("srt", "1\nAnn\n", ":1", "is no cue of SRT"),
        ("srt", "1\n00:00:01,000 --> 00:00:02,000\nwords\n", ":3", "names no speaker; write '[Ann]' or 'Ann: words'"),
        ("srt", "1\n00:00:01,000 --> 00:00:02,000\n\n", ":2", "names no speaker"),
        ("srt", "1\n00:00:01,000 -->\n[a]\n", ":2", "the cue has no end"),
        ("vtt", "\nWEBVTT\n", ":1", "is no WebVTT"),
        ("vtt", "WEBVTTX\n", ":1", "is no WebVTT"),
        ("vtt", f"WEBVTT\n\n{CUE}\nwords", ":3", "the cue has no voice tag; write '<v Ann>'"),
        ("audacity", "1 2 a", ":1", "with tabs between them"),
        ("textgrid", '"ooTextFile"\n"Pitch"', ":2", "is no TextGrid"),
        ("textgrid", '"ooTextFile"\n"TextGrid" 0 1 <exists> 99999', ":2", "ends too early"),
        ("textgrid", '"ooTextFile"\n"TextGrid" 0 1 <exists> 1.5', ":2", "is whole, got 1.5"),
        ("textgrid", '"ooTextFile"\n"TextGrid" 0 1 1', ":2", "<exists> is missing"),
        ("textgrid", '"ooTextFile"\n"TextGrid" 0 1 <exists> 1\n"Tier" "a"', ":3", "not 'Tier'"),
        ("textgrid", '"ooTextFile"\n"TextGrid" 0 1 <exists> 1 "IntervalTier\n', ":2", "a quote is not closed"),
        ("textgrid", '"ooTextFile"\n"TextGrid" 0 1 <exists> 1 1', ":2", "a text in quotes is missing before '1'"),
    ],
)
def test_lines_that_are_of_another_format(name: str, text: str, place: str, what: str) -> None:
    refused(text, name, place, what)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("unit", ['"', "<v ", " ", ":", "[", "\n\n", "%", "1:", "-->", '""', "(", "\t", "<", "a\n"])
def test_long_files_of_one_thing_are_done_soon(name: str, unit: str) -> None:
    heads = {"vtt": f"WEBVTT\n\n{CUE}\n", "srt": f"1\n{CUE}\n", "textgrid": '"ooTextFile" "TextGrid" 0 1 <exists> 1 '}
    began = time.perf_counter()
    assert len(outcome(heads.get(name, "") + unit * 100_000, name)) < 300
    assert time.perf_counter() - began < 2


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"none\.rttm: cannot be read"):
        formats.read_file(tmp_path / "none.rttm")
    with pytest.raises(DataError, match="cannot be read"):
        formats.read_file(tmp_path, "rttm")
    monkeypatch.setattr(registry, "MAX_BYTES", 10)
    (tmp_path / "long.rttm").write_text(";" * 11)
    with pytest.raises(DataError, match="is this a list of turns"):
        formats.read_file(tmp_path / "long.rttm")


def test_evaluation_maps() -> None:
    found = uem.read(";; comment\na 1 0.5 2\n\na%20b 1 1 2\r\na 1 3 4\n", "file")
    assert {name: [str(part) for part in one] for name, one in found.items()} == {
        "a": ["[0.50, 2.00]", "[3.00, 4.00]"],
        "a b": ["[1.00, 2.00]"],
    }
    for text, what in (("a 1 2", "a line is a recording"), ("a 1 2 1", "got 2 to 1 s"), ("a 1 x 1", "number of sec")):
        with pytest.raises(DataError, match=what) as error:
            uem.read(f"\n{text}", "file")
        assert str(error.value).startswith("file:2: ")
