"""Who is in a corpus twice: pairs of voices too much alike for strangers, and the groups that they form.

Of N voices, N (N - 1) / 2 pairs are compared, so that even a small false-accept rate makes many false pairs. What is
tolerated here is therefore their number in the whole comparison. The threshold that keeps it is taken from the model's
calibration as far as that reaches, and beyond it from how alike the voices of this corpus are (`strangers`).

Knows: datasets, calibration, thresholds. Does not know: how results are shown.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samevoice.batch import pairs as comparing
from samevoice.batch import strangers
from samevoice.batch.dataset import Dataset, read_description
from samevoice.batch.groups import Group, group
from samevoice.batch.pairs import Pairs
from samevoice.batch.parts import require_parquet
from samevoice.batch.voices import gather, has_speakers
from samevoice.errors import ConfigError, DataError, FingerprintMismatch, ModelError
from samevoice.models import store
from samevoice.options import checked_number
from samevoice.scoring.calibration import Calibration, sigmoid
from samevoice.scoring.decision import SAME_LLR

FALSE_PAIRS = 1.0
LEAST_FALSE_PAIRS = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Duplicates:
    """Voices that are suspected to be one person.

    Args:
        by: "speaker" or "recording": what a voice is.
        names: of the voices.
        speech: seconds of it behind each voice, float64 (n,).
        recordings: behind each voice, int64 (n,).
        unnamed: recordings of nobody named, which were left out.
        compared: pairs.
        threshold: lowest cosine that was listed.
        expected: estimate of the false pairs among those listed; None where nothing tells.
        basis: where the threshold and that number come from, in words.
        pairs: places in `names`, most alike first.
        llr: evidence of each pair for one person, natural logarithm; None for a model without calibration.
        probability: of one person for each pair, had it alone been asked about, at even odds; None likewise.
        expected_at: for each pair, false pairs to be expected that are at least as alike; None where nothing tells.
        groups: of voices that the pairs link, largest first.
        seconds: that the comparison took.
    """

    by: str
    names: tuple[str, ...]
    speech: NDArray[np.float64]
    recordings: NDArray[np.int64]
    unnamed: int
    compared: int
    threshold: float
    expected: float | None
    basis: str
    pairs: Pairs
    llr: NDArray[np.float64] | None
    probability: NDArray[np.float64] | None
    expected_at: NDArray[np.float64] | None
    groups: tuple[Group, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class _Cut:
    """A threshold, and how it came about."""

    threshold: float
    expected: float | None
    basis: str


def find_duplicates(
    folder: Path,
    *,
    by: str | None = None,
    false_pairs: float = FALSE_PAIRS,
    threshold: float | None = None,
    model: str | None = None,
    scratch: Path | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Duplicates:
    """Compare all voices of a dataset with each other.

    Args:
        folder: of a finished dataset.
        by: "speaker" or "recording"; None for speakers if any are named.
        false_pairs: how many false pairs the whole comparison may give, on average.
        threshold: a cosine that alone decides, in place of that number.
        model: that made the dataset, for its calibration; None to take that of its name.
        scratch: folder for the matrix of voices (4 bytes by dimension and voice); None for the system's.
        progress: told (pairs compared, pairs in all).

    Raises:
        ConfigError: an option is out of range, no threshold can keep the number, too many pairs are alike, or there is
            no room for the matrix.
        DataError: there is no finished dataset, it is damaged, or it holds fewer than two voices.
        FingerprintMismatch: the model is not the one that made it.
    """
    require_parquet()
    checked_number("--false-pairs", false_pairs, low=LEAST_FALSE_PAIRS, high=comparing.MOST)
    if threshold is not None and not -1 <= threshold <= 1:
        raise ConfigError(f"a threshold of {threshold:g} is no cosine; give a value from -1 to 1")
    if by not in (None, "speaker", "recording"):
        raise ConfigError(f"--by is speaker or recording, got {by!r}")
    dataset = Dataset(folder, read_description(folder))
    calibration = _calibration(dataset, model)
    chosen = by or ("speaker" if has_speakers(dataset) else "recording")
    with _scratch(scratch) as place:
        voices = gather(dataset, Path(place), by_speaker=chosen == "speaker")
        if len(voices.names) < 2:
            raise DataError(f"{folder}: holds {len(voices.names)} {chosen}s with an embedding; two are needed")
        compared = comparing.count(len(voices.names))
        tail = strangers.fit(comparing.sample(voices.vectors))
        cut = _cut(compared, false_pairs, threshold, tail, calibration, float(voices.seconds.max()))
        began = time.perf_counter()
        found = comparing.similar(voices.vectors, cut.threshold, progress=progress)
        took = time.perf_counter() - began
    shorter = np.minimum(voices.seconds[found.first], voices.seconds[found.second])
    llr = None if calibration is None else calibration.llrs(found.cosines.astype(np.float64), shorter)
    return Duplicates(
        by=chosen,
        names=voices.names,
        speech=voices.seconds,
        recordings=voices.recordings,
        unnamed=voices.unnamed,
        compared=compared,
        threshold=cut.threshold,
        expected=cut.expected,
        basis=cut.basis,
        pairs=found,
        llr=llr,
        probability=None if llr is None else sigmoid(llr),
        expected_at=None if tail is None else compared * tail.rates(found.cosines),
        groups=group(found),
        seconds=took,
    )


def _cut(
    compared: int,
    false_pairs: float,
    threshold: float | None,
    tail: strangers.Tail | None,
    calibration: Calibration | None,
    seconds: float,
) -> _Cut:
    """The threshold for so many comparisons."""
    if threshold is not None:
        expected = None if tail is None else compared * float(tail.rates(np.array([threshold], np.float32))[0])
        return _Cut(threshold, expected, "your threshold")
    wanted = min(false_pairs / compared, 1.0)
    floor = -1.0
    if calibration is not None:
        rate = min(max(wanted, calibration.rates[-1]), calibration.rates[0])
        # As for a single pair: at least nineteen to one must speak for one person.
        floor = max(calibration.threshold(rate, seconds), calibration.crossing(SAME_LLR, seconds))
        if tail is None or wanted >= rate:
            basis = f"the model's calibration, at a false-accept rate of {100 * rate:g} % for each pair"
            return _Cut(floor, compared * rate, basis)
    if tail is None:
        raise ConfigError(
            f"{compared:,} pairs are too few to tell how alike strangers are, and this model has no calibration; "
            "give a --threshold"
        )
    lowest = max(tail.threshold(wanted), floor)
    if lowest > 1:
        raise ConfigError(
            f"among {compared:,} pairs of voices this much alike, no cosine keeps false pairs to {false_pairs:g}; "
            "give more --false-pairs, or a --threshold"
        )
    expected = compared * float(tail.rates(np.array([lowest], np.float32))[0])
    basis = f"the most alike of this corpus itself, extrapolated to a false-accept rate of {wanted:.2g} for each pair"
    return _Cut(lowest, expected, basis)


def _calibration(dataset: Dataset, model: str | None) -> Calibration | None:
    """The calibration of the model that made a dataset, which need not be pulled for that."""
    wanted = dataset.description
    if model is not None and store.is_path(model):
        card, _ = store.load_file(Path(model))
    elif (name := model or wanted.model) in store.names():
        card = store.card_of(name)
    else:
        raise ModelError(f"model {name!r} is unknown here; give the path of its .onnx file with --model")
    if card.fingerprint != wanted.fingerprint:
        raise FingerprintMismatch(card.fingerprint, wanted.fingerprint, "give the model that made the dataset")
    return None if card.calibration is None else Calibration.from_json(card.calibration)


def _scratch(folder: Path | None) -> tempfile.TemporaryDirectory[str]:
    """A folder that is gone afterwards."""
    try:
        return tempfile.TemporaryDirectory(prefix="samevoice-", dir=folder, ignore_cleanup_errors=True)
    except OSError as error:
        raise ConfigError(f"{folder}: no folder can be made here ({error.strerror}); choose another") from error
