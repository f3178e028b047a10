"""Lists of trials: what is read is what was written, and what cannot be right is named with its line."""

from __future__ import annotations

import itertools
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samevoice.errors import DataError
from samevoice.evaluation.triallist import Form, ListedTrial, TrialList, read_trials, speaker_of, write_trials

VOXCELEB = "1 a/1.wav a/2.wav\n0 a/1.wav ../b/1.wav\n"
KALDI = "a-1 a-2 target\na-1 b-1 nontarget\n"


def listed(path: Path, text: str | bytes) -> Path:
    """A file with that content."""
    file = path / "trials.txt"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def made(*trials: tuple[str, str, bool]) -> TrialList:
    """A list in memory."""
    names = tuple(dict.fromkeys(name for first, second, _ in trials for name in (first, second)))
    first, second = (np.array([names.index(trial[side]) for trial in trials], dtype=np.intp) for side in (0, 1))
    return TrialList(names, first, second, np.array([trial[2] for trial in trials], dtype=bool))


def test_both_forms_are_read(tmp_path: Path) -> None:
    voxceleb = read_trials(listed(tmp_path, VOXCELEB))
    assert voxceleb.names == ("a/1.wav", "a/2.wav", "../b/1.wav")
    assert list(voxceleb) == [
        ListedTrial("a/1.wav", "a/2.wav", is_target=True),
        ListedTrial("a/1.wav", "../b/1.wav", is_target=False),
    ]
    kaldi = read_trials(listed(tmp_path, KALDI))
    assert list(kaldi) == [ListedTrial("a-1", "a-2", is_target=True), ListedTrial("a-1", "b-1", is_target=False)]


@pytest.mark.parametrize(("yes", "no"), [("target", "nontarget"), ("target", "non-target"), ("1", "0"), ("1", "imp")])
def test_labels_at_the_end(tmp_path: Path, yes: str, no: str) -> None:
    trials = read_trials(listed(tmp_path, f"a b {yes}\na c {no}\n"))
    assert trials.is_target.tolist() == [True, False]
    assert trials.names == ("a", "b", "c")


def test_blanks_comments_tabs_and_marks_are_no_trials(tmp_path: Path) -> None:
    text = "\ufeff# VoxCeleb1-O 1 2\r\n\r\n1\ta  b \r\n   \n  # more\n0 a\tc".encode()
    trials = read_trials(listed(tmp_path, text))
    assert list(trials) == [ListedTrial("a", "b", is_target=True), ListedTrial("a", "c", is_target=False)]


def test_a_name_that_looks_like_a_label_is_decided_by_the_others(tmp_path: Path) -> None:
    assert list(read_trials(listed(tmp_path, "1 a target\n0 a b\n"))) == [
        ListedTrial("a", "target", is_target=True),
        ListedTrial("a", "b", is_target=False),
    ]
    assert read_trials(listed(tmp_path, "1 a 0\nb a 1\n"))[0] == ListedTrial("1", "a", is_target=False)


def test_a_pair_with_one_label_counts_as_often_as_it_is_listed(tmp_path: Path) -> None:
    trials = read_trials(listed(tmp_path, "1 a b\n0 a c\n1 b a\n1 a b\n"))
    assert (len(trials), trials.repeats()) == (4, 2)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("1 a b\n0 a\n", 2, "2 fields"),
        ("# x\n\n1 a b\n0 my voice.wav c\n", 4, "without blanks"),
        ("1 a b\n0 a c\na c nontarget\n", 3, "line 1.*line 3"),
        ("a c nontarget\n\n1 a b\n", 3, "line 3.*line 1"),
        ("1 a b\n2 a c\n", 2, "no label"),
        ("a b target\na c perhaps\n", 2, "no label"),
        ("1 a 1\n0 b 0\n", 1, "both ends"),
        ("1 a b\n0 a c\n1 c c\n", 3, "itself"),
        ("1 a b\n0 a c\n#\n0 b a\n", 4, "line 1"),
        ("0 a c\n0 a b\n1 a d\n0 b a\n1 a b\n", 5, "line 4"),
        (b"1 a b\n0 a \xff\n", 2, "UTF-8"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str | bytes, line: int, words: str) -> None:
    with pytest.raises(DataError, match=rf"trials\.txt:{line}: .*{words}"):
        read_trials(listed(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no trials"),
        ("# nothing\n\n", "no trials"),
        ("1 a b\n", "no non-target"),
        ("a b nontarget\n", "no target"),
    ],
)
def test_a_list_needs_both_kinds(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=rf"trials\.txt: .*{words}"):
        read_trials(listed(tmp_path, text))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(DataError, match=str(path)):
            read_trials(path)


word = st.one_of(
    st.sampled_from(["1", "0", "target", "imp", "a/../b.wav", "ü#"]),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5).filter(
        lambda text: text.split() == [text] and not text.startswith(("#", "\ufeff"))
    ),
)
pair = st.tuples(word, word).filter(lambda names: names[0] != names[1])
lists = st.lists(st.tuples(pair, st.booleans()), min_size=2, max_size=8, unique_by=lambda one: frozenset(one[0]))


@given(lists.filter(lambda trials: len({truth for _, truth in trials}) == 2), st.sampled_from(list(Form)))
def test_what_is_written_is_read_back(trials: list[tuple[tuple[str, str], bool]], form: Form) -> None:
    before = made(*((first, second, truth) for (first, second), truth in trials))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trials"
        side = {second if form is Form.voxceleb else first for (first, second), _ in trials}
        if side <= ({"1", "0", "target", "imp"} if form is Form.voxceleb else {"1", "0"}):  # no line tells the form
            with pytest.raises(DataError, match="look like labels"):
                write_trials(path, before, form)
            return
        write_trials(path, before, form)
        after = read_trials(path)
    assert after.names == before.names
    assert list(after) == list(before)


@pytest.mark.parametrize("name", ["", "my voice.wav", "a\u2028b", "#1", "\ufeffa", "\udcff"])
def test_a_name_that_would_not_come_back_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="name"):
        write_trials(tmp_path / "trials", made((name, "b", True), ("b", "c", False)), Form.kaldi)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written"):
        write_trials(tmp_path / "none" / "trials", made(("a", "b", True)), Form.kaldi)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=14), st.data())
def test_speakers_are_what_target_trials_join(voices: list[int], data: st.DataObject) -> None:
    rows = [f"r{row}" for row in range(len(voices))]
    every = list(itertools.combinations(range(len(voices)), 2))
    chosen = data.draw(st.lists(st.sampled_from(every), min_size=1, unique=True))
    trials = made(*((rows[i], rows[j], voices[i] == voices[j]) for i, j in chosen))
    groups = [{name} for name in trials.names]
    for i, j in chosen:
        if voices[i] == voices[j]:
            one, other = (next(group for group in groups if rows[end] in group) for end in (i, j))
            if one is not other:
                groups.remove(other)
                one |= other
    found = speaker_of(trials)
    for i, j in itertools.combinations(range(len(trials.names)), 2):
        together = any({trials.names[i], trials.names[j]} <= group for group in groups)
        assert (found[i] == found[j]) == together
    scored = trials.scored(np.zeros(len(trials)))
    assert scored.is_target.tolist() == trials.is_target.tolist()
    assert len(scored.names) == len(groups)


def test_a_non_target_within_a_speaker_is_named() -> None:
    trials = made(("a", "b", True), ("c", "b", True), ("a", "d", False), ("c", "a", False))
    with pytest.raises(DataError, match="c and a are a non-target trial"):
        speaker_of(trials)


def test_columns_have_one_length() -> None:
    one, two = np.zeros(1, dtype=np.intp), np.zeros(2, dtype=np.intp)
    with pytest.raises(ValueError, match="one shape"):
        TrialList(("a",), one, two, np.zeros(1, dtype=bool))


@pytest.mark.slow
def test_a_million_lines_take_seconds(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    names = tuple(f"id{row // 20:05}/video{row % 20:02}/00001.wav" for row in range(5000))
    first = draw.integers(0, 5000, 1_000_000)
    second = (first + draw.integers(1, 40, 1_000_000)) % 5000
    trials = TrialList(names, first, second, first // 20 == second // 20)
    write_trials(tmp_path / "list", trials, Form.voxceleb)
    began = time.process_time()
    found = read_trials(tmp_path / "list")
    speakers = speaker_of(found)
    assert time.process_time() - began < 8
    assert len(found) == 1_000_000
    assert len(np.unique(speakers)) == 250


@pytest.mark.parametrize(("name", "form"), [("target", Form.voxceleb), ("0", Form.voxceleb), ("1", Form.kaldi)])
def test_names_that_hide_where_the_label_stands_are_refused(tmp_path: Path, name: str, form: Form) -> None:
    pairs = [(name, "b"), (name, "c")] if form is Form.kaldi else [("b", name), ("c", name)]
    trials = made(*((*pair, truth) for pair, truth in zip(pairs, (True, False), strict=True)))
    with pytest.raises(DataError, match=f"'{name}' look like labels"):
        write_trials(tmp_path / "trials", trials, form)
    assert not list(tmp_path.iterdir())
