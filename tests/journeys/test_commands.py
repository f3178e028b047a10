"""The command line as a person meets it: real recordings, real models, and real processes where these matter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from commandline import samevoice

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
SAME = (SAMPLES / "sample_1a.mp3", SAMPLES / "sample_1b.mp3")
OTHER = SAMPLES / "sample_2.mp3"


def run(*arguments: object, stdin: bytes | None = None, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command and refuse tracebacks whatever happens."""
    command = [sys.executable, "-m", "samevoice", *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, cwd=cwd, timeout=300, check=False)
    result = subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in result.stderr, result.stderr
    return result


def test_one_person_is_the_same() -> None:
    result = run("verify", *SAME)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("Same person: ")
    assert result.stdout.count("\n") == 1


@pytest.mark.parametrize("first", SAME)
def test_two_people_are_different(first: Path) -> None:
    result = samevoice("verify", first, OTHER, "--json")
    assert result.returncode == 1, result.stderr
    decision = json.loads(result.stdout)
    assert decision["verdict"] == "different"
    assert decision["llr"] < 0
    assert decision["probability"] <= 0.2


def test_json_has_the_documented_fields() -> None:
    decision = json.loads(samevoice("verify", *SAME, "--json").stdout)
    documented = {
        line.split("|")[1].strip()
        for line in (ROOT / "docs" / "json.md").read_text(encoding="utf-8").split("\n## ")[1].splitlines()
        if line.startswith("| `")
    }
    names = {name.strip(" `") for cell in documented for name in cell.split(",")}
    assert set(decision) == names


def test_order_of_the_recordings_does_not_matter() -> None:
    forth, back = (json.loads(samevoice("verify", *pair, "--json").stdout) for pair in (SAME, SAME[::-1]))
    assert forth["score"] == back["score"]
    assert forth["verdict"] == back["verdict"]


def test_standard_input() -> None:
    piped = run("verify", "-", SAME[1], "--json", stdin=SAME[0].read_bytes())
    named = samevoice("verify", *SAME, "--json")
    assert json.loads(piped.stdout)["score"] == pytest.approx(json.loads(named.stdout)["score"], abs=1e-6)


def test_standard_input_twice_is_refused() -> None:
    result = run("verify", "-", "-", stdin=b"")
    assert result.returncode == 2
    assert "only once" in result.stderr


def test_silence_cannot_tell(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(48_000), 16_000)
    result = samevoice("verify", SAME[0], tmp_path / "silence.wav", "--json")
    assert result.returncode == 3
    decision = json.loads(result.stdout)
    assert (decision["verdict"], decision["score"], decision["llr"]) == ("unsure", None, 0.0)
    assert "0.0 s of speech" in decision["reason"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--far", "0.000001"), "speaker pairs"),
        (("--far", "0.01", "--threshold", "0.5"), "contradict"),
        (("--threshold", "7"), "from -1 to 1"),
        (("--model", "nobody"), "nobody"),
        (("--model", "nowhere.onnx"), "nowhere.onnx"),
    ],
)
def test_options_that_cannot_be_honoured(options: tuple[str, ...], words: str) -> None:
    result = samevoice("verify", *SAME, *options)
    assert result.returncode == 2
    assert words in result.stderr
    assert result.stdout == ""


def test_own_threshold_decides() -> None:
    assert samevoice("verify", *SAME, "--threshold", "-1").returncode == 0
    assert samevoice("verify", *SAME, "--threshold", "1").returncode == 1


def test_error_in_json() -> None:
    result = run("verify", "nowhere.wav", SAME[0], "--json")
    assert result.returncode == 2
    assert json.loads(result.stdout)["error"]["code"] == "audio"
    assert result.stderr.count("\n") == 1
    assert "no such file" in result.stderr


def test_missing_model_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMEVOICE_CACHE", str(tmp_path))
    result = run("verify", *SAME)
    assert result.returncode == 2
    assert "samevoice models pull" in result.stderr


def test_compare_in_the_line_format_of_speechidentity() -> None:
    result = samevoice("compare", *SAME, OTHER, "--format", "pairs")
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "Comparing ['sample_1a.mp3', 'sample_1b.mp3', 'sample_2.mp3']"
    assert lines[1] == "Processing sample_1a.mp3 with sample rate of 48000"
    verdicts = lines[-3:]
    assert verdicts[0].startswith("sample_1a.mp3 and sample_1b.mp3: Same person: ")
    assert verdicts[1].startswith("sample_1a.mp3 and sample_2.mp3: Different people: ")
    assert verdicts[2].startswith("sample_1b.mp3 and sample_2.mp3: Different people: ")
    assert 0 < float(verdicts[0].split()[-1]) < float(verdicts[1].split()[-1]) <= 2


@pytest.mark.slow
def test_compare_draws_and_leaves_out_what_is_broken(tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_text("not a recording")
    picture = tmp_path / "map.png"
    result = run("compare", *SAME, tmp_path, "--heat-map", picture, "--json")
    assert result.returncode == 2
    answer = json.loads(result.stdout)
    assert len(answer["files"]) == 2
    assert "broken.wav" in result.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_what_somebody_named_is_told_as_it_is(tmp_path: Path) -> None:
    """A name or a digest may hold what rich reads as an emoji (":AB:") or as markup."""
    gallery = tmp_path / "voices.db"
    name = "1B:AB:[bold]5E"
    made = samevoice("enrol", name, SAME[0], "--gallery", gallery)
    assert made.returncode == 0, made.stderr
    assert name in samevoice("people", "list", "--gallery", gallery).stdout


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_embed_writes_one_row_per_recording(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "broken.mp3").write_bytes(b"")
    output = tmp_path / f"out{suffix}"
    result = samevoice("embed", SAMPLES, tmp_path / "broken.mp3", "-o", output)
    assert result.returncode == 2
    assert "is empty" in result.stderr
    if suffix == ".npz":
        with np.load(output, allow_pickle=False) as data:
            paths, vectors = data["path"].tolist(), data["vector"]
    else:
        import pyarrow.parquet as pq

        table = pq.read_table(output).to_pydict()
        paths, vectors = table["path"], np.array(table["vector"], dtype=np.float32)
    assert paths == sorted(paths)
    assert len(paths) == 7
    assert vectors.shape == (7, 192)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_embed_keeps_the_old_file_when_nothing_can_be_embedded(tmp_path: Path) -> None:
    output = tmp_path / "out.npz"
    output.write_bytes(b"precious")
    (tmp_path / "empty.wav").write_bytes(b"")
    assert samevoice("embed", tmp_path / "empty.wav", "-o", output).returncode == 2
    assert output.read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["out.csv", "nowhere/out.npz"])
def test_embed_refuses_an_output_before_it_works(tmp_path: Path, name: str) -> None:
    result = samevoice("embed", SAMPLES, "-o", tmp_path / name)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1


def test_check_tells_telephone_speech(tmp_path: Path) -> None:
    samples, rate = soundfile.read(SAMPLES / "librispeech_1255_a.flac", dtype="float32")
    import soxr

    narrow = soxr.resample(soxr.resample(samples, rate, 8_000), 8_000, rate)
    soundfile.write(tmp_path / "phone.wav", narrow, rate)
    result = samevoice("check", tmp_path / "phone.wav", "--json")
    assert result.returncode == 0
    (report,) = json.loads(result.stdout)["reports"]
    assert 3_000 < report["bandwidth_hz"] < 4_200
    assert any("telephone" in warning for warning in report["warnings"])
    words = samevoice("check", SAMPLES / "librispeech_1255_a.flac").stdout
    assert "nothing to complain about" in words


def test_models_list_and_info_name_licences() -> None:
    listed = samevoice("models", "list")
    assert listed.returncode == 0
    for name in ("campplus", "silero", "segmentation", "ge2e"):
        assert name in listed.stdout
    info = json.loads(samevoice("models", "info", "campplus", "--json").stdout)
    assert info["licences"]["weights"].startswith("Apache-2.0")
    assert info["installed"] is True
    assert info["fingerprint"].startswith("campplus@")


def test_help_teaches() -> None:
    assert "samevoice models pull" in samevoice("--help").stdout
    for command in ("verify", "compare", "embed", "check"):
        shown = samevoice(command, "--help")
        assert shown.returncode == 0
        assert "Example: samevoice" in shown.stdout


def test_same_answer_from_any_container(tmp_path: Path) -> None:
    """The same sound as WAV, FLAC and stereo gives the same decision; at 8 kHz it is still one person."""
    samples, rate = soundfile.read(SAMPLES / "philippe_1.flac", dtype="float32")
    soundfile.write(tmp_path / "mono.wav", samples, rate)
    soundfile.write(tmp_path / "stereo.flac", np.stack([samples, samples], axis=1), rate)
    answers = [
        json.loads(samevoice("verify", tmp_path / name, SAMPLES / "philippe_2.flac", "--json").stdout)
        for name in ("mono.wav", "stereo.flac")
    ]
    assert answers[0]["score"] == pytest.approx(answers[1]["score"], abs=1e-3)
    assert {answer["verdict"] for answer in answers} == {"same"}


def test_output_survives_a_closed_pipe() -> None:
    code = f"{sys.executable} -m samevoice --help | head -1"
    done = subprocess.run(code, shell=True, capture_output=True, check=False)  # noqa: S602 - a pipe is the point
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("verify {0} {1} 2>&-", 0),
        ("verify {0} {2} 2>&-", 1),
        ("verify nowhere.wav {1} 2>&-", 2),
        ("verify {0} {2} >/dev/full", 2),
        ("verify {0} {2} --json >/dev/full", 2),
    ],
)
def test_exit_codes_hold_where_nothing_can_be_written(line: str, code: int) -> None:
    """Python would end with 1 here, which says "different people"."""
    command = f"{sys.executable} -m samevoice {line.format(*SAME, OTHER)}"
    done = subprocess.run(command, shell=True, capture_output=True, check=False)  # noqa: S602
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr


def test_libraries_stay_quiet_about_a_cut_mp3(tmp_path: Path) -> None:
    """The MP3 decoder would write remarks of its own."""
    (tmp_path / "cut.mp3").write_bytes(SAME[0].read_bytes()[:20_000])
    result = run("check", tmp_path / "cut.mp3")
    assert "promises" in result.stdout
    assert result.stderr == ""


def test_a_reader_that_goes_away_is_no_answer() -> None:
    """A shell sees 141 and never the 1 of "different people"."""
    line = f"{sys.executable} -m samevoice verify {SAME[0]} {OTHER} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "141", done.stderr


def test_cannot_tell_says_what_is_wrong_with_the_recording(tmp_path: Path) -> None:
    samples, rate = soundfile.read(SAMPLES / "librispeech_1255_a.flac", dtype="float32")
    soundfile.write(tmp_path / "whole.wav", samples[: 2 * rate] * 0, rate)
    content = (tmp_path / "whole.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(content[: len(content) // 2])
    result = samevoice("verify", SAME[0], tmp_path / "cut.wav", "--json")
    assert result.returncode == 3
    assert any("promises 2.0 s" in warning for warning in json.loads(result.stdout)["warnings"])
    assert "promises 2.0 s" in samevoice("compare", *SAME, tmp_path / "cut.wav").stderr


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A folder of 25 copies whose names are traps: markup, formulas, non-ASCII."""
    folder = tmp_path / "q["
    (folder / "foo]").mkdir(parents=True)
    for name in [*(f"{index:02}.mp3" for index in range(22)), "[red]x[b].mp3", "$\\frac{$.mp3", "ü語.mp3"]:
        (folder / name).write_bytes(OTHER.read_bytes())
    return folder


@pytest.mark.slow
def test_compare_shows_every_figure_and_name(many: Path, tmp_path: Path) -> None:
    result = run("compare", many, "--heat-map", tmp_path / "map.png")
    assert result.returncode == 0, result.stderr
    head, *rows = result.stdout.splitlines()
    assert head.split() == [str(index + 1) for index in range(25)]
    assert [row.count("1.00") for row in rows] == [25] * 25
    assert {Path(row.split("1.00")[-1].strip()).name for row in rows} == {path.name for path in many.glob("*.mp3")}
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")


def test_compare_pairs_says_when_it_cannot_tell() -> None:
    """Unless a threshold decides, as it does in SpeechIdentity."""
    weak = (SAME[0], SAMPLES / "philippe_1.flac")
    assert samevoice("verify", *weak).returncode == 3
    assert ": Cannot tell: " in samevoice("compare", *weak, "--format", "pairs").stdout.splitlines()[-1]
    assert ": Different people: " in samevoice("compare", *weak, "--format", "pairs", "--threshold", "0.5").stdout


def test_compare_json_is_one_document_with_warnings_and_errors(tmp_path: Path) -> None:
    (tmp_path / "cut.mp3").write_bytes(SAME[1].read_bytes()[:20_000])
    answer = json.loads(samevoice("compare", SAME[0], tmp_path / "cut.mp3", "nowhere.wav", "--json").stdout)
    assert [(error["name"], error["code"]) for error in answer["errors"]] == [("nowhere.wav", "audio")]
    (pair,) = answer["pairs"]
    assert pair["warnings"][0].startswith(f"{tmp_path / 'cut.mp3'}: promises")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--heat-map", "nowhere/map.png"), "no such folder"),
        (("--heat-map", "map.docx"), "suffix"),
        (("--threshold", "0.5"), "--format pairs"),
        (("--threshold", "7", "--json"), "from -1 to 1"),
        (("-", "-"), "only once"),
    ],
)
def test_compare_refuses_before_it_works(options: tuple[str, ...], words: str) -> None:
    result = samevoice("compare", *SAME, *options)
    assert result.returncode == 2
    assert words in result.stderr
    assert "embedding" not in result.stderr
    assert result.stdout.count("{") <= 2  # at most the error, as one document


def test_compare_reads_standard_input() -> None:
    result = run("compare", "--format", "pairs", "-", SAME[1], stdin=SAME[0].read_bytes())
    assert result.returncode == 0, result.stderr
    assert "Same person" in result.stdout.splitlines()[-1]


@pytest.mark.slow
def test_names_that_are_no_text(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff\xfe.mp3"
    Path(os.fsdecode(name)).write_bytes(OTHER.read_bytes())
    answer = json.loads(run("check", tmp_path, "--json").stdout)
    assert "\udcff" in answer["reports"][0]["name"]
    for suffix in ("npz", "parquet"):
        result = run("embed", tmp_path, "-o", tmp_path / f"out.{suffix}")
        assert result.returncode == 0, result.stderr


def test_long_names_are_told_in_a_sentence() -> None:
    result = samevoice("check", "a" * 300 + ".wav")
    assert result.returncode == 2
    assert "unexpected" not in result.stderr


def test_names_of_files_give_no_commands_to_a_terminal(tmp_path: Path) -> None:
    evil = tmp_path / "\x1b[31mred\nsamevoice: all is well.wav"
    evil.write_bytes(b"no sound")
    result = run("check", str(evil))
    assert result.returncode == 2
    assert "\x1b" not in result.stderr
    assert result.stderr.count("\n") == 1
