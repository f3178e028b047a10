"""Who is in a corpus twice: against all pairs computed at once, and on real voices."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
from commandline import samevoice
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from samevoice.batch import strangers
from samevoice.batch.dataset import Dataset, Description, at_work
from samevoice.batch.duplicates import find_duplicates
from samevoice.batch.groups import group
from samevoice.batch.listing import Item, list_recordings
from samevoice.batch.pairs import Pairs, count, sample, similar
from samevoice.batch.parts import Bad, Outcome
from samevoice.batch.running import embed_corpus
from samevoice.batch.voices import gather
from samevoice.errors import ConfigError, DataError, FingerprintMismatch, ModelError
from samevoice.models import store, zoo
from samevoice.models.embedding import Embedding
from samevoice.scoring.calibration import Calibration

pytest_plugins = ["batchfixtures"]

DIMENSION = 192
Matrix = NDArray[np.float32]


def unit(rows: NDArray[np.floating]) -> Matrix:
    """Rows of unit norm."""
    table: Matrix = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return table


def made(folder: Path, vectors: Matrix, speakers: list[str | None], *, block: int = 50, model: str = "") -> Path:
    """A dataset of given vectors, with 4 s of speech in each recording."""
    card = zoo.entry("campplus").card
    name, _, digest = (model or card.fingerprint).partition("@")
    description = Description(name, f"{name}@{digest}", vectors.shape[1], "0", len(vectors), block)
    items = [Item(f"{number:05d}", who, f"{number}.wav") for number, who in enumerate(speakers)]
    outcomes: list[Outcome] = [Embedding(row, description.fingerprint, 4.0) for row in vectors]
    with at_work(folder, description) as dataset:
        for number, start in enumerate(range(0, len(items), block)):
            dataset.write(number, items[start : start + block], outcomes[start : start + block])
    return folder


def strange(size: int, dimension: int = DIMENSION, seed: int = 3) -> Matrix:
    """Random voices."""
    return unit(np.random.default_rng(seed).standard_normal((size, dimension)))


@given(
    size=st.integers(0, 40),
    dimension=st.integers(1, 6),
    rows=st.integers(1, 50),
    threshold=st.floats(-1, 1, width=32),
    seed=st.integers(0, 1_000),
)
def test_blocks_find_what_all_pairs_at_once_find(
    size: int, dimension: int, rows: int, threshold: float, seed: int
) -> None:
    vectors = strange(size, dimension, seed) if size else np.empty((0, dimension), np.float32)
    told: list[tuple[int, int]] = []
    found = similar(vectors, threshold, rows=rows, progress=lambda done, total: told.append((done, total)))
    listed = dict(zip(zip(found.first.tolist(), found.second.tolist(), strict=True), found.cosines, strict=True))
    exact = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    assert len(listed) == len(found)
    for i in range(size):
        for j in range(i + 1, size):
            if abs(exact[i, j] - threshold) > 1e-6:
                assert ((i, j) in listed) == (exact[i, j] > threshold)
            if (i, j) in listed:
                assert listed[i, j] == pytest.approx(exact[i, j], abs=1e-6)
    assert all(i < j for i, j in listed)
    assert (np.diff(found.cosines) <= 0).all()
    assert not told or told[-1] == (count(size), count(size))


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)).filter(lambda one: one[0] < one[1]), unique=True))
def test_groups_are_the_connected_components(edges: list[tuple[int, int]]) -> None:
    first, second = (np.array([one[side] for one in edges], dtype=np.int64) for side in (0, 1))
    cosines = np.linspace(0.9, 0.5, len(edges), dtype=np.float32)
    groups = group(Pairs(first, second, cosines))
    _, labels = connected_components(coo_array((np.ones(len(edges)), (first, second)), shape=(21, 21)), directed=False)
    inside = {row for edge in edges for row in edge}
    expected = {frozenset(row for row in inside if labels[row] == label) for label in {labels[row] for row in inside}}
    assert {frozenset(one.rows) for one in groups} == expected
    assert sorted(place for one in groups for place in one.pairs) == list(range(len(edges)))
    for one in groups:
        size = len(one.rows)
        assert one.complete == (len(one.pairs) == size * (size - 1) / 2)
        assert one.weakest == min(cosines[list(one.pairs)])
    assert [len(one.rows) for one in groups] == sorted((len(one.rows) for one in groups), reverse=True)


def test_the_tail_of_normal_cosines_is_found() -> None:
    cosines = np.random.default_rng(5).normal(0.02, 0.12, count(2_000)).astype(np.float32)
    tail = strangers.fit(cosines)
    assert tail is not None
    for rate in (1e-5, 1e-7, 1e-9, 1e-12):
        assert tail.threshold(rate) == pytest.approx(stats.norm.isf(rate, 0.02, 0.12), abs=0.01)
        assert tail.rates(np.array([tail.threshold(rate)], np.float32))[0] == pytest.approx(rate, rel=1e-3)
    cosines[:1_000] = 0.95  # everybody is there twice
    doubled = strangers.fit(cosines)
    assert doubled is not None
    assert 0 < doubled.threshold(1e-7) - tail.threshold(1e-7) < 0.06
    assert strangers.fit(cosines[:999]) is None
    flat = strangers.fit(np.full(5_000, 0.3, np.float32))
    assert flat is not None
    assert flat.threshold(1e-9) == pytest.approx(0.3, abs=0.01)


@settings(max_examples=25)
@given(expected=st.sampled_from([0.1, 1.0, 10.0]), seed=st.integers(0, 10_000))
def test_false_pairs_stay_near_the_number_tolerated(expected: float, seed: int) -> None:
    vectors = strange(500, 64, seed)
    tail = strangers.fit(sample(vectors))
    assert tail is not None
    false = len(similar(vectors, tail.threshold(expected / count(500))))
    assert false <= 12 * expected + 6  # a defect in counting the trials would give hundreds


@pytest.mark.parametrize("threshold", [-1.0, -0.1, 0.0, 0.05, 0.1])
def test_false_pairs_at_a_threshold_of_ones_own_are_about_those_listed(threshold: float, tmp_path: Path) -> None:
    """All of these voices are different, so that every pair is false."""
    folder = made(tmp_path / "data", strange(100), [str(number) for number in range(100)])
    found = find_duplicates(folder, threshold=threshold)
    assert found.expected == pytest.approx(len(found.pairs), rel=0.02)
    assert found.expected_at is not None
    assert found.expected_at == pytest.approx(np.arange(1, len(found.pairs) + 1), rel=0.25, abs=12)


def test_the_model_in_the_package_is_known_by_its_name(tmp_path: Path) -> None:
    card = store.card_of("small")
    voices = strange(20, card.dimension)
    folder = made(tmp_path / "data", voices, [str(number) for number in range(20)], model=card.fingerprint)
    assert "calibration" in find_duplicates(folder).basis
    assert find_duplicates(folder, model="small").llr is not None


def test_a_sample_is_of_different_rows() -> None:
    vectors = strange(50)
    assert np.sort(sample(vectors)) == pytest.approx(np.sort((vectors @ vectors.T)[np.triu_indices(50, 1)]), abs=1e-6)
    some = sample(vectors, 20)
    assert len(some) == count(20)
    assert some.max() < 0.9


def test_speakers_planted_twice_are_found(tmp_path: Path) -> None:
    generator = np.random.default_rng(8)
    people = strange(300)
    of = [*range(300), 7, 100, 7]  # three voices under another name
    names = [f"anna {number}" for number in range(300)] + ["bo", "cy", "di"]
    rows = np.repeat(people[of], 3, axis=0)
    noisy = unit(rows + 0.6 * unit(generator.standard_normal(rows.shape)))
    folder = made(tmp_path / "data", noisy, [name for name in names for _ in range(3)])
    found = find_duplicates(folder)
    assert (found.by, len(found.names), found.compared) == ("speaker", 303, count(303))
    assert [{found.names[row] for row in one.rows} for one in found.groups] == [
        {"anna 7", "bo", "di"},
        {"anna 100", "cy"},
    ]
    assert found.expected is not None
    assert found.expected <= 1.0
    centres = unit(noisy.reshape(303, 3, DIMENSION).astype(np.float64).mean(axis=1))
    for place, cosine in enumerate(found.pairs.cosines):
        i, j = found.pairs.first[place], found.pairs.second[place]
        assert cosine == pytest.approx(float(centres[i] @ centres[j]), abs=1e-5)
    card = zoo.entry("campplus").card
    assert card.calibration is not None
    llr = Calibration.from_json(card.calibration).llr(float(found.pairs.cosines[0]), 12.0)
    assert found.llr is not None
    assert found.probability is not None
    assert found.llr[0] == pytest.approx(llr)
    assert found.probability[0] == pytest.approx(1 / (1 + np.exp(-llr)))
    assert set(found.recordings) == {3}
    assert found.speech == pytest.approx(np.full(303, 12.0))


def test_recordings_without_speakers_are_compared_alone(tmp_path: Path) -> None:
    people = strange(60)
    folder = made(tmp_path / "data", np.concatenate([people, people[:1]]), [None] * 61)
    found = find_duplicates(folder)
    assert (found.by, found.unnamed) == ("recording", 0)
    assert [[found.names[row] for row in one.rows] for one in found.groups] == [["00000", "00060"]]
    with pytest.raises(DataError, match="holds 0 speakers"):
        find_duplicates(folder, by="speaker")


def test_recordings_of_nobody_are_left_out_among_speakers(tmp_path: Path) -> None:
    folder = made(tmp_path / "data", strange(10), ["anna"] * 4 + [None] * 3 + ["bo"] * 3, block=3)
    found = find_duplicates(folder, threshold=-1.0)
    assert (found.names, found.unnamed, found.recordings.tolist()) == (("anna", "bo"), 3, [4, 3])
    assert len(find_duplicates(folder, by="recording", threshold=-1.0).pairs) == count(10)


def test_a_speaker_whose_voices_cancel_out_is_like_nobody(tmp_path: Path) -> None:
    vectors = strange(3)
    folder = made(tmp_path / "data", np.stack([vectors[0], -vectors[0], vectors[1], vectors[2]]), ["a", "a", "b", "c"])
    found = find_duplicates(folder, threshold=-1.0)
    assert len(found.pairs) == 3
    assert np.isfinite(found.pairs.cosines).all()


def test_few_pairs_are_judged_by_the_calibration(tmp_path: Path) -> None:
    folder = made(tmp_path / "data", strange(12), [f"{number}" for number in range(12)])
    found = find_duplicates(folder)
    card = zoo.entry("campplus").card
    assert card.calibration is not None
    calibration = Calibration.from_json(card.calibration)
    assert found.threshold >= calibration.threshold(1 / count(12), 4.0)
    assert found.expected == pytest.approx(1.0)
    assert "calibration" in found.basis
    assert len(found.pairs) == 0


def test_more_comparisons_or_fewer_false_pairs_ask_for_more(tmp_path: Path) -> None:
    small = made(tmp_path / "small", strange(300, 32), [str(number) for number in range(300)])
    large = made(tmp_path / "large", strange(1_200, 32), [str(number) for number in range(1_200)])
    few, one, many = (find_duplicates(small, false_pairs=wanted).threshold for wanted in (0.1, 1, 10))
    assert few > one > many
    assert find_duplicates(large).threshold > one


def test_what_cannot_be_compared_is_refused(tmp_path: Path, dataset: Path) -> None:
    alike = np.repeat(strange(1), 60, axis=0)
    with pytest.raises(DataError, match="holds 1 speakers"):
        find_duplicates(made(tmp_path / "one", alike, ["anna"] * 60))
    unknown = made(tmp_path / "unknown", strange(3), ["a", "b", "c"], model="mine@0123")
    with pytest.raises(ModelError, match=r"'mine' is unknown here"):
        find_duplicates(unknown)
    other = made(tmp_path / "other", strange(3), ["a", "b", "c"], model="campplus@0123")
    with pytest.raises(FingerprintMismatch):
        find_duplicates(other)
    with pytest.raises(ConfigError, match="no cosine"):
        find_duplicates(dataset, threshold=2.0)
    for wanted in (0.0, 1e-320):
        with pytest.raises(ConfigError, match="false-pairs"):
            find_duplicates(dataset, false_pairs=wanted)
    with pytest.raises(ConfigError, match="no folder can be made"):
        find_duplicates(dataset, scratch=tmp_path / "missing")
    with pytest.raises(DataError, match="holds no dataset"):
        find_duplicates(tmp_path)
    near = made(tmp_path / "near", strange(100, 3), [str(number) for number in range(100)])
    with pytest.raises(ConfigError, match="no cosine keeps false pairs"):
        find_duplicates(near)


def test_an_unfinished_or_damaged_dataset_is_refused(dataset: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(dataset, copy)
    part = copy / "embeddings" / "part-0000001.parquet"
    part.write_bytes(part.read_bytes()[:100])
    done = samevoice("batch", "duplicates", copy)
    assert done.returncode == 2
    assert f"{part}: is damaged" in done.stderr
    part.unlink()
    done = samevoice("batch", "duplicates", copy)
    assert done.returncode == 2
    assert "1 of 7 blocks are missing" in done.stderr


def test_bad_recordings_are_no_voices(tmp_path: Path) -> None:
    card = zoo.entry("campplus").card
    vectors = strange(2)
    outcomes: list[Outcome] = [Embedding(row, card.fingerprint, 4.0) for row in vectors]
    outcomes.insert(1, Bad("audio", "1.wav: no"))
    items = [Item(str(number), str(number), f"{number}.wav") for number in range(3)]
    description = Description("campplus", card.fingerprint, DIMENSION, "0", 4, 3)
    with at_work(tmp_path / "data", description) as data:
        data.write(0, items, outcomes)
        data.write(1, [Item("3", "3", "3.wav")], [Bad("audio", "3.wav: no")])
    voices = gather(Dataset(tmp_path / "data", description), tmp_path, by_speaker=True)
    assert voices.names == ("0", "2")
    assert np.array_equal(voices.vectors, vectors)


def test_real_voices_under_two_names_are_told(voices: Path, tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    for number, file in enumerate(sorted(voices.rglob("*.wav"))):
        name = file.parent.name + ("-again" if number % 2 else "")
        (root / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, root / name / file.name)
    embed_corpus(list_recordings(root), tmp_path / "data", model="campplus", workers=1)
    done = samevoice("batch", "duplicates", tmp_path / "data", "-o", tmp_path / "twice.csv")
    assert done.returncode == 0, done.stderr
    assert "2 pairs in 2 groups" in done.stdout
    listed = list(csv.DictReader((tmp_path / "twice.csv").read_text().splitlines()))
    pairs = {frozenset((row["first"], row["second"])) for row in listed}
    assert pairs == {frozenset(("reader", "reader-again")), frozenset(("philippe", "philippe-again"))}
    assert all(float(row["probability"]) > 0.99 for row in listed)
    for suffix in ("json", "parquet"):
        out = tmp_path / f"twice.{suffix}"
        assert samevoice("batch", "duplicates", tmp_path / "data", "-o", out).returncode == 0
        same = json.loads(out.read_text())["pairs"] if suffix == "json" else parquet.read_table(out).to_pylist()
        assert [{name: "" if value is None else str(value) for name, value in row.items()} for row in same] == listed
    told = json.loads(samevoice("batch", "duplicates", tmp_path / "data", "--json").stdout)
    assert (told["voices"], told["pairs_compared"], len(told["groups"])) == (4, 6, 2)
    wrong = samevoice("batch", "duplicates", tmp_path / "data", "-o", tmp_path / "twice.txt")
    assert (wrong.returncode, ".csv, .json, .parquet" in wrong.stderr) == (2, True)
