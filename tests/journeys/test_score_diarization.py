"""`samevoice score-diarization` as a person meets it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commandline import samevoice

from samevoice.diarization import formats
from samevoice.diarization.scorereport import MEASURES, RULES, compare
from samevoice.diarization.scoring import score, total
from samevoice.diarization.turns import Diarization, Turn


def talk(name: str, shift: float = 0.0, people: str = "ab") -> Diarization:
    """Two minutes in which people take turns, somewhat in each other's."""
    turns = [Turn(4 * n + shift, 4 * n + 4.5 + shift, people[n % len(people)]) for n in range(30)]
    return Diarization(turns, 130, name)


PAIRS = [(talk(f"talk {n}"), talk(f"talk {n}", shift=0.3 * n, people="xyz"[: 2 + (n > 3)])) for n in range(6)]


def rttm(path: Path, *recordings: Diarization) -> Path:
    path.write_text("".join(formats.write(one, "rttm") for one in recordings), encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Six recordings in one file each."""
    return rttm(tmp_path / "ref.rttm", *(one for one, _ in PAIRS)), rttm(
        tmp_path / "hyp.rttm", *(two for _, two in PAIRS)
    )


def test_one_table_of_four_rules(files: tuple[Path, Path]) -> None:
    done = samevoice("score-diarization", *files)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "6 recordings, 13.5 min of reference speech; rates in %, 95 % interval"
    assert lines[1].split() == ["collar", "overlap", "DER", "miss", "false", "alarm", "confusion", "JER"]
    rules = [("0", "scored"), ("0", "skipped"), ("0.25", "scored"), ("0.25", "skipped")]
    for line, rule, (collar, overlap) in zip(lines[2:6], rules, RULES, strict=True):
        words = line.split()
        assert (words[0], words[2]) == rule
        whole = total(score(*pair, collar=collar, overlap=overlap) for pair in PAIRS)
        low, high = (float(word.strip("[],")) for word in words[4:6])
        assert float(words[3]) == pytest.approx(100 * whole.der, abs=0.051)
        assert 0 <= low <= float(words[3]) <= high
        assert low < high
    assert lines[6] == "number of speakers: 4 of 6 right (67%), 0.33 off on average"
    assert len(lines) == 7


def test_json_says_the_same_and_more(files: tuple[Path, Path]) -> None:
    done = samevoice("score-diarization", *files, "--json", "--per-file")
    told = json.loads(done.stdout)
    assert set(told) == {
        *("reference", "hypothesis", "recordings", "rules", "speakers", "missing", "extra", "unmapped", "files"),
    }
    assert told["recordings"] == 6
    assert told["speakers"] == {"exact": 4 / 6, "mean_error": 2 / 6, "reference": 12, "hypothesis": 14}
    for rule, (collar, overlap) in zip(told["rules"], RULES, strict=True):
        assert (rule["collar"], rule["overlap"]) == (collar, overlap)
        whole = total(score(*pair, collar=collar, overlap=overlap) for pair in PAIRS)
        assert rule["der"] == pytest.approx(whole.der)
        assert rule["miss_s"] == pytest.approx(whole.miss, abs=1e-6)
        assert set(rule["intervals"]) == set(MEASURES)
    assert [one["recording"] for one in told["files"]] == [f"talk {n}" for n in range(6)]
    for one, pair in zip(told["files"], PAIRS, strict=True):
        assert one["rules"][0]["der"] == pytest.approx(score(*pair).der)
    assert "files" not in json.loads(samevoice("score-diarization", *files, "--json").stdout)


def test_recordings_one_by_one(files: tuple[Path, Path]) -> None:
    lines = samevoice("score-diarization", *files, "--per-file").stdout.splitlines()
    assert lines[1].split() == [*("DER", "miss", "false", "alarm", "confusion", "JER", "speakers", "recording")]
    assert lines[2].split() == ["0.0", "0.0", "0.0", "0.0", "0.0", "2/2", "talk", "0"]
    assert lines[7].split()[-3:] == ["2/3", "talk", "5"]


@pytest.mark.parametrize(("collar", "overlap"), RULES)
def test_intervals_are_those_of_a_bootstrap_by_hand(collar: float, overlap: bool) -> None:
    brief = Turn(126, 126.3, "brief")  # whom a collar hides
    pairs = [
        (Diarization([*one, brief] if n % 2 else one, 130, one.recording), two) for n, (one, two) in enumerate(PAIRS)
    ]
    report = compare({one.recording: one for one, _ in pairs}, {two.recording: two for _, two in pairs})
    found = report.intervals((collar, overlap))
    assert found is not None
    weights = np.random.default_rng(0).multinomial(6, np.full(6, 1 / 6), size=1000)
    scores = [score(*pair, collar=collar, overlap=overlap) for pair in pairs]
    drawn = [total(one for one, times in zip(scores, counts, strict=True) for _ in range(times)) for counts in weights]
    for name, values in (("der", [one.der for one in drawn]), ("jer", [one.jer for one in drawn])):
        assert (found[name].low, found[name].high) == pytest.approx(tuple(np.quantile(values, (0.025, 0.975))))


def test_few_recordings_make_no_interval(tmp_path: Path) -> None:
    sides = [
        rttm(tmp_path / name, *(pair[side] for pair in PAIRS[1:3])) for side, name in enumerate(("a.rttm", "b.rttm"))
    ]
    text = samevoice("score-diarization", *sides).stdout
    assert "fewer than 5 recordings make no interval" in text
    assert "[" not in text
    assert [
        rule["intervals"] for rule in json.loads(samevoice("score-diarization", *sides, "--json").stdout)["rules"]
    ] == ([None] * 4)


def test_folders_are_matched_by_the_name_of_the_recording(tmp_path: Path, files: tuple[Path, Path]) -> None:
    for side in range(2):
        for number, pair in enumerate(PAIRS):
            folder = tmp_path / str(side) / "deep"
            folder.mkdir(parents=True, exist_ok=True)
            rttm(folder / f"{number + side}.RTTM", pair[side])
    (tmp_path / "0" / "notes.txt").write_text("no labels")
    done = samevoice("score-diarization", tmp_path / "0", tmp_path / "1")
    assert done.stdout == samevoice("score-diarization", *files).stdout
    (tmp_path / "0" / "silent.rttm").write_text("")
    told = json.loads(samevoice("score-diarization", tmp_path / "0", tmp_path / "1", "--json").stdout)
    assert (told["recordings"], told["missing"]) == (7, ["silent"])


def test_what_is_missing_counts_and_is_told(tmp_path: Path) -> None:
    reference = rttm(tmp_path / "ref.rttm", PAIRS[0][0], PAIRS[1][0])
    hypothesis = rttm(tmp_path / "hyp.rttm", PAIRS[0][0], PAIRS[2][0])
    done = samevoice("score-diarization", reference, hypothesis, "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert (told["missing"], told["extra"]) == (["talk 1"], ["talk 2"])
    assert told["rules"][0]["miss"] == pytest.approx(0.5)
    assert done.stderr.splitlines() == [
        "warning: talk 1: no hypothesis, so that all its speech counts as missed",
        "warning: talk 2: in the hypothesis only, so not scored",
    ]
    nothing = rttm(tmp_path / "none.rttm")
    assert json.loads(samevoice("score-diarization", reference, nothing, "--json").stdout)["rules"][0]["der"] == 1


def test_an_evaluation_map_says_what_is_scored(tmp_path: Path) -> None:
    reference = rttm(tmp_path / "ref.rttm", PAIRS[0][0], PAIRS[1][0])
    hypothesis = rttm(tmp_path / "hyp.rttm", PAIRS[0][0], PAIRS[1][0], talk("quiet"))
    uem = tmp_path / "all.uem"
    uem.write_text("talk%200 1 0 10\ntalk%200 1 20 30\nquiet 1 0 4\nvoid 1 0 1\n")
    done = samevoice("score-diarization", reference, hypothesis, "--uem", uem, "--json")
    told = json.loads(done.stdout)
    assert (told["recordings"], told["missing"]) == (3, [])
    assert (told["extra"], told["unmapped"]) == (["talk 1"], ["talk 1"])
    assert told["rules"][0]["reference_s"] == pytest.approx(20 + 6 * 0.5 - 0.5)
    assert told["rules"][0]["false_alarm_s"] == pytest.approx(4)
    assert "talk 1: not in the evaluation map" in done.stderr


def test_other_formats_are_scored_too(tmp_path: Path) -> None:
    reference, hypothesis = tmp_path / "talk 1.TextGrid", tmp_path / "hyp.json"
    reference.write_text(formats.write(PAIRS[1][0], "textgrid"))
    hypothesis.write_text(formats.write(PAIRS[1][1], "json"))
    told = json.loads(samevoice("score-diarization", reference, hypothesis, "--json").stdout)
    assert told["rules"][0]["der"] == pytest.approx(score(*PAIRS[1]).der)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "uem", "what"),
    [
        ("none.rttm", "good.rttm", "", "none.rttm: cannot be read (No such file or directory)"),
        ("good.rttm", "empty", "", "empty: no .rttm files in this folder"),
        ("bad.rttm", "good.rttm", "", "bad.rttm:2: is no line of RTTM"),
        (
            "good.rttm",
            "other.rttm",
            "",
            "no recording is in both; the reference names 'talk 0', the hypothesis 'talk 1'",
        ),
        ("blank.rttm", "good.rttm", "", "no recording to score"),
        ("good.rttm", "good.rttm", "bad.uem", "bad.uem:1: a line is a recording"),
        ("good.rttm", "good.rttm", "other.uem", "no recording to score"),
        ("good.rttm", "good.rttm", "none.uem", "none.uem: cannot be read"),
        ("good.rttm", "a.wav", "", "a.wav: no format of diarizations has this suffix; use one of .rttm"),
        ("twice", "good.rttm", "", "b.rttm: recording 'talk 0' is there twice; remove one"),
    ],
)
def test_mistakes_end_in_a_sentence(tmp_path: Path, reference: str, hypothesis: str, uem: str, what: str) -> None:
    rttm(tmp_path / "good.rttm", PAIRS[0][0])
    rttm(tmp_path / "other.rttm", PAIRS[1][0])
    rttm(tmp_path / "blank.rttm")
    (tmp_path / "bad.rttm").write_text("\nnonsense\n")
    (tmp_path / "bad.uem").write_text("talk%200 1 0\n")
    (tmp_path / "other.uem").write_text("x 1 0 1\n")
    for folder in ("empty", "twice"):
        (tmp_path / folder).mkdir()
    for name in "ab":
        rttm(tmp_path / "twice" / f"{name}.rttm", PAIRS[0][0])
    options = ["--uem", tmp_path / uem] if uem else []
    done = samevoice("score-diarization", tmp_path / reference, tmp_path / hypothesis, *options, "--json")
    assert done.returncode == 2
    assert what in json.loads(done.stdout)["error"]["message"]
    assert done.stderr.startswith("samevoice: ")
    assert done.stderr.count("\n") == 1
