"""The report on a list of trials as a page: what the figures mean first, then the figures, pictures and sounds.

Knows: reports, blocks of a page, where the recordings lie. Does not know: how anything was measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from itertools import groupby, islice
from math import ceil
from pathlib import Path

import numpy as np
import soundfile

from samevoice import __version__
from samevoice.audio.decode import open_recording
from samevoice.audio.resample import SPAN_SECONDS, mix, waveforms
from samevoice.evaluation.breakdown import FEW, Part
from samevoice.evaluation.metrics import eer
from samevoice.evaluation.page import Block, Fact, Facts, Heading, Picture, Player, Table, Text, page, save_page
from samevoice.evaluation.pictures import det_picture, reliability_picture, score_picture
from samevoice.evaluation.report import PRIORS
from samevoice.evaluation.trialreport import NAMES, Scored, TrialReport, figure, interval, share
from samevoice.evaluation.trialrun import Run, values
from samevoice.scoring.decision import SENTENCES, Verdict

CLIP_SECONDS, CLIP_RATE = 5.0, 16_000
SHOWN = ("eer", "min_dcf", "act_dcf", "cllr")
MEANINGS = {
    "eer": "errors where misses and false accepts are equally frequent; lower is better",
    "min_dcf": f"cost of the best threshold if {100 * PRIORS[0]:g} % of the trials are targets; 1 is no better than "
    "deciding without listening",
    "min_dcf_05": f"the same if {100 * PRIORS[1]:g} % are",
    "act_dcf": "cost of the threshold that the calibration names without having seen these trials",
    "act_dcf_05": f"the same at {100 * PRIORS[1]:g} %",
    "cllr": "bits lost per trial by the evidence as stated; 0 is perfect, 1 is none",
    "cllr_min": "bits that would be lost with a perfect calibration",
    "auc": "chance that a target scores above a non-target",
}


def write_page(report: TrialReport, paths: Mapping[str, Path], path: Path) -> None:
    """Write a report as one HTML file.

    Args:
        report: what to tell.
        paths: of the recordings, by name.
        path: where to write.

    Raises:
        ConfigError: the file cannot be written.
        AudioError: a recording can no longer be read.
    """
    save_page(path, page(f"{report.model.partition('@')[0]} on {report.name}", blocks_of(report, paths)))


def blocks_of(report: TrialReport, paths: Mapping[str, Path]) -> Iterator[Block]:
    """The page from top to bottom."""
    run, trials = report.run, report.run.trials
    yield Text(" ".join(report.summary()), lead=True)
    yield Facts([_fact(report, name) for name in SHOWN if report.measured[name]])
    yield Text(
        f"{len(trials.targets):,} trials with one speaker and {len(trials.non_targets):,} with two, of "
        f"{report.speakers:,} speakers. Intervals: 95 % confidence, by drawing speakers anew."
    )
    for note in report.notes():
        yield Text(f"{note[1].upper()}{note[2:-1]}.")
    yield Heading("Measures")
    rows = [
        [NAMES[name], figure(name, one.value), interval(name, one), MEANINGS[name]]
        for name, one in report.measured.items()
        if one
    ]
    yield Table(["measure", "value", "95 % interval", "what it says"], rows)
    yield from _answers(run)
    yield Heading("Scores and errors")
    cut = None if run.accepted_from is None else float(np.median(run.accepted_from))
    spread = score_picture(trials.targets, trials.non_targets, cut)
    yield Picture(spread, "How similar two recordings of one person and of two people are")
    errors = det_picture(run.evidence.targets, run.evidence.non_targets)
    yield Picture(errors, "Misses against false accepts at every threshold")
    yield Heading("Calibration")
    yield from _calibration(report)
    yield Heading("Where it errs")
    yield from _parts(report.parts)
    if report.stressed is not None:
        yield Heading("Under stress")
        yield from _stress(report)
    yield Heading("Worst trials")
    yield from _worst(report, paths)
    yield Heading("How it was measured")
    yield from _method(report)


def _fact(report: TrialReport, name: str) -> Fact:
    """One of the figures to be seen first."""
    one = report.measured[name]
    return Fact(NAMES[name], figure(name, None if one is None else one.value), interval(name, one))


def _answers(run: Run) -> Iterator[Block]:
    """What a user is told at the default settings."""
    if run.verdicts is None:
        return
    order: tuple[Verdict, ...] = ("same", "unsure", "different")
    rows = [
        [name, *(share(run.share(verdict, is_target=is_target)) for verdict in order)]
        for name, is_target in (("one speaker", True), ("two speakers", False))
    ]
    columns = ["trials with", *(SENTENCES[verdict] for verdict in order)]
    yield Table(columns, rows, "Answers at the default false-accept rate, which allows 'cannot tell'")


def _calibration(report: TrialReport) -> Iterator[Block]:
    """Whether stated probabilities are true."""
    run = report.run
    if run.llrs is None:
        yield Text("This model has no calibration, so there are no probabilities to check, and no actDCF and Cllr.")
        return
    is_target = run.trials.is_target
    yield Picture(
        reliability_picture(run.llrs[is_target], run.llrs[~is_target]),
        "Stated probability of one speaker against the share that came true, one and two speakers weighted equally; "
        "above the dashed line the model is too careful, below it too sure",
    )
    yield Text(
        f"The calibration was fitted on: {report.calibration} Where some of those people are here too, evidence looks "
        "better calibrated than it is."
    )


def _parts(parts: Sequence[Part]) -> Iterator[Block]:
    """The breakdown, a table for each way of sorting."""
    rates = ("EER", "wrongly accepted", "wrongly rejected", "cannot tell")
    columns = ["trials", "one speaker", "two speakers", *rates]
    for by, group in groupby(parts, key=lambda part: part.by):
        rows = [
            [
                f"{part.name}{' (few)' if part.few else ''}",
                f"{part.targets:,}",
                f"{part.non_targets:,}",
                *(share(one) for one in (part.eer, part.false_accepts, part.false_rejects, part.unsure)),
            ]
            for part in group
        ]
        yield Table(columns, rows, f"By {by}")
    yield Text(
        f"Rates are of the trials in the row: accepted of those with two speakers, the others of those with one. Rows "
        f"marked as few have fewer than {FEW} trials of a kind, too few to be compared."
    )
    missing = [name for name in ("gender", "language") if all(part.by != name for part in parts)]
    if missing:
        yield Text(f"By {' and '.join(missing)}: not known; a manifest of the recordings would tell (--manifest).")


def _stress(report: TrialReport) -> Iterator[Block]:
    """The same trials under other conditions."""
    runs = [("as recorded", report.run), *((one.name, one.run) for one in report.stressed or ())]
    answers = ("recognised", "cannot tell", "wrongly accepted")
    columns = ["second side", "left out", *(NAMES[name] for name in SHOWN), *answers]
    shares: tuple[tuple[Verdict, bool], ...] = (("same", True), ("unsure", True), ("same", False))
    rows = []
    for name, run in runs:
        if run is None:
            rows.append([name, "all", *["—"] * (len(columns) - 2)])
            continue
        found = values(run)
        rows.append(
            [
                name,
                f"{run.left_out:,}",
                *(figure(one, found[one]) for one in SHOWN),
                *(share(run.share(verdict, is_target=is_target)) for verdict, is_target in shares),
            ]
        )
    yield Table(columns, rows, "The first recording of each trial as it is, the second changed")
    yield Text(
        "Trials are left out where too little speech was found for an embedding; a user is then told 'cannot tell'. "
        "Changed recordings are cut to their first minute."
    )
    if report.not_run:
        yield Text("Not run here: " + "; ".join(f"{name}, since {why}" for name, why in report.not_run.items()) + ".")


def _worst(report: TrialReport, paths: Mapping[str, Path]) -> Iterator[Block]:
    """The trials furthest on the wrong side, to be listened to."""
    columns = ["", "first recording, 5 s", "second recording, 5 s", "cosine", "llr", "answer"]
    for is_target, caption in ((False, "Two speakers, most alike"), (True, "One speaker, least alike")):
        worst = report.worst(is_target=is_target)
        rows = [[f"{place}", *_heard(one, paths)] for place, one in enumerate(worst, 1)]
        yield Table(columns, rows, caption)
    yield Text(
        "The players hold the voices themselves: pass this page on only to people who may hear them. A worst trial may "
        "be a wrong label; listen before you blame the model."
    )


def _measured_on(run: Run) -> str:
    """What the measures are of."""
    equal = share(eer(run.trials.targets, run.trials.non_targets))
    if run.llrs is None:
        return "of the cosines of the embeddings"
    return f"of log-likelihood ratios, which the calibration makes of cosine and duration; EER of the cosines: {equal}"


def _heard(one: Scored, paths: Mapping[str, Path]) -> list[str | Player]:
    """One trial with its sounds."""
    return [
        *(Player(clip(paths[name]), name) for name in (one.first, one.second)),
        f"{one.score:.3f}",
        "—" if one.llr is None else f"{one.llr:+.2f}",
        "—" if one.verdict is None else SENTENCES[one.verdict],
    ]


def clip(path: Path) -> bytes:
    """The first seconds of a recording as a WAV file, 16 bits.

    Raises:
        AudioError: it cannot be read.
    """
    recording = open_recording(path)
    blocks = waveforms((mix(block) for block in recording.blocks()), recording.info.rate, CLIP_RATE)
    samples = np.concatenate([one.samples for one in islice(blocks, ceil(CLIP_SECONDS / SPAN_SECONDS))])
    file = BytesIO()
    soundfile.write(file, samples[: round(CLIP_SECONDS * CLIP_RATE)], CLIP_RATE, "PCM_16", format="WAV")
    return file.getvalue()


def _method(report: TrialReport) -> Iterator[Block]:
    """What somebody needs to measure it again."""
    run = report.run
    used = len(report.listed.names) - len(report.errors)
    rows = [
        ["model", report.model],
        ["list", f"{report.name}: {run.listed:,} trials of {len(report.listed.names):,} recordings"],
        ["scored", f"{len(run.trials):,} trials of {used:,} recordings; {run.left_out:,} trials left out"],
        ["speakers", f"{report.speakers:,}: recordings that no trial joins count as those of different people"],
        ["measures", _measured_on(run)],
        ["intervals", f"bootstrap over speakers, {report.draws:,} draws"],
        ["samevoice", __version__],
    ]
    yield Table(["what", "how"], rows)
    if report.errors:
        told = [[name, str(error)] for name, error in report.errors.items()]
        yield Table(["recording left out", "why"], told, "Recordings that could not be used, with all of their trials")
