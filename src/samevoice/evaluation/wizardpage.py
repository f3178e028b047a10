"""What a calibration on known people is worth, as one page.

Knows: calibrations and what was measured, pages, pictures. Does not know: how it was measured.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from samevoice.evaluation.bootstrap import Interval
from samevoice.evaluation.calibrated import PRIOR, Calibrated
from samevoice.evaluation.clips import Clips
from samevoice.evaluation.page import Block, Fact, Facts, Heading, Picture, Table, Text, page
from samevoice.evaluation.pictures import det_picture, reliability_picture, score_picture
from samevoice.evaluation.report import NO_WIDTH
from samevoice.evaluation.wizard import RATES
from samevoice.scoring.bounds import people_needed

CROSS_VALIDATED = (
    "Every figure that is measured here is cross-validated: each pair of clips is judged by a calibration fitted "
    "without the people who speak in it, never by one that has heard them. The calibration in the model is fitted on "
    "everybody. Intervals hold 95 % and are drawn over people."
)
MEASURES = {  # name in the JSON -> what people read, and whether it is a share
    "eer": ("equal error rate", True),
    "cllr": ("Cllr, bits: 0 is perfect evidence, 1 none", False),
    "cllr_min": ("the least Cllr that calibration could reach", False),
    "act_dcf": (f"detection cost at prior {PRIOR:g}", False),
    "min_dcf": ("the least that a threshold could reach", False),
}


def report(found: Calibrated, clips: Clips, *, model: str, made: str) -> str:
    """The page, as HTML.

    Args:
        found: the calibration.
        clips: that it was fitted on.
        model: fingerprint of the model that made the embeddings.
        made: what to call its calibrated copy.

    Raises:
        ImportError: matplotlib is not installed; see `plots.check_picture`.
    """
    accepted, alarms = found.measured["accepted"], found.measured["false_accepts"]
    blocks: list[Block] = [
        Text(str(found), lead=True),
        Facts(
            (
                Fact("strangers who may pass, at most", f"{100 * found.rate:g} %", "as stated by the calibration"),
                Fact("strangers who passed", _share(alarms.value), _interval(alarms, _share)),
                Fact("true speakers accepted", _share(accepted.value), _interval(accepted, _share)),
            )
        ),
        Text(CROSS_VALIDATED),
        *([Text(NO_WIDTH)] if alarms.high == 0 or accepted.low == 1 else []),
        *_warnings(found),
        Heading("Thresholds"),
        _thresholds(found),
        Text(
            f"Each threshold is meant for other people like these: {found.calibration.speaker_pairs:,} pairs of them."
        ),
        _needed(),
        Heading("Evidence"),
        _measures(found),
        *_pictures(found),
        Heading("Clips"),
        _people(clips),
        *([_failures(clips)] if clips.failures else []),
        Text(f"Model {model}, calibrated as {made}. {found.calibration.source}"),
    ]
    return page(f"Calibration on {found.people} people", blocks)


def _warnings(found: Calibrated) -> list[Block]:
    """What looks wrong, if anything does."""
    return [Heading("What looks wrong"), *(Text(one) for one in found.warnings)] if found.warnings else []


def _thresholds(found: Calibrated) -> Table:
    """The table in the card, for people."""
    card = found.calibration
    rows = [
        [f"{100 * rate:g} %", *(f"{cosine:.3f}" for cosine in row)]
        for rate, row in zip(card.rates, card.thresholds, strict=True)
    ]
    columns = ["strangers who pass, at most", *(f"{seconds:.3g} s" for seconds in card.durations)]
    return Table(columns, rows, "Lowest cosine accepted, by seconds of speech in the shorter recording")


def _needed() -> Table:
    """How many people lower rates take."""
    rows = [[f"{100 * rate:g} %", f"{people_needed(rate):,}"] for rate in RATES]
    return Table(["false-accept rate", "people needed"], rows, "No error among n pairs bounds the rate by 3 / n")


def _measures(found: Calibrated) -> Table:
    """What was measured of the evidence."""
    rows = []
    for name, (said, is_share) in MEASURES.items():
        one, shown = found.measured[name], _share if is_share else _figure
        rows.append([said, shown(one.value), shown(one.low), shown(one.high)])
    return Table(["measure", "value", "from", "to"], rows)


def _people(clips: Clips) -> Table:
    """Who was heard."""
    names = np.array(clips.people)
    rows = []
    for name in sorted(set(clips.people)):
        seconds = clips.seconds[names == name]
        rows.append([name, f"{len(seconds)}", f"{seconds.min():.1f}", f"{seconds.max():.1f}"])
    return Table(["person", "clips", "least speech, s", "most speech, s"], rows)


def _failures(clips: Clips) -> Table:
    """What could not be used."""
    return Table(["left out", "why"], [[str(file), str(error)] for file, error in clips.failures])


def _pictures(found: Calibrated) -> list[Picture]:
    """Spread of the cosines, the errors that other thresholds would make, and how true the probabilities are."""
    cosines, llrs = found.trials, found.held_out
    return [
        Picture(
            score_picture(cosines.targets, cosines.non_targets, found.threshold),
            "Cosines of pairs of clips, and the threshold",
        ),
        Picture(det_picture(llrs.targets, llrs.non_targets), "False accepts against misses at every threshold"),
        Picture(
            reliability_picture(llrs.targets, llrs.non_targets),
            "Probabilities against the share of pairs that were one speaker's, at even odds",
        ),
    ]


def _interval(one: Interval, shown: Callable[[float], str]) -> str:
    """From ... to ..."""
    return f"{shown(one.low)} to {shown(one.high)}"


def _share(value: float) -> str:
    """Per cent."""
    return f"{100 * value:.1f} %"


def _figure(value: float) -> str:
    """Three digits."""
    return f"{value:.3f}"
