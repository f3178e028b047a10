"""`samevoice evaluate --trials FILE --root DIR`: a model on a list of trials, as JSON, in words and as a page."""

from __future__ import annotations

from pathlib import Path

from samevoice.cli.console import out, print_json, progress_bar, warn
from samevoice.cli.outputs import require_page
from samevoice.corpora.storage import load_manifest
from samevoice.evaluation.breakdown import break_down, labels_of
from samevoice.evaluation.conditions import conditions
from samevoice.evaluation.stress import stress
from samevoice.evaluation.triallist import read_trials, speaker_of
from samevoice.evaluation.trialpage import write_page
from samevoice.evaluation.trialreport import TrialReport
from samevoice.evaluation.trialrun import embed_all, find_recordings, measure, noise_of, require_two_files, score
from samevoice.loading import load_model
from samevoice.verification import calibration_of

TOLD = 5  # of many errors


def evaluate_trials(
    trials: Path,
    root: Path,
    *,
    model: str,
    report: Path | None = None,
    manifest: Path | None = None,
    stressed: bool = False,
    threads: int | None = None,
    json: bool = False,
) -> None:
    """Score a list of trials and tell how well that went.

    Args:
        trials: the list.
        root: folder that its names start from.
        model: name or file.
        report: where to write a page.
        manifest: of the recordings, tells gender and language.
        stressed: repeat the trials under noise, in a room, over codecs and with less speech.
        threads: for inference.
        json: print JSON in place of words.

    Raises:
        ConfigError: the page cannot be written there.
        DataError: the list, a name in it or the manifest cannot be used.
        ModelError: the model is missing or damaged.
    """
    if report is not None:
        require_page(report)
    listed = read_trials(trials)
    speaker_of(listed)  # contradictions show before hours of work
    paths = find_recordings(listed.names, root)
    require_two_files(listed, paths)
    told = {} if manifest is None else labels_of(load_manifest(manifest), paths)
    changes, not_run = conditions() if stressed else ({}, {})
    opened = load_model(model, threads)
    with progress_bar("embedding", len(paths)) as tell:
        embedded = embed_all(opened, paths, tell)
    errors = {listed.names[row]: error for row, error in embedded.errors.items()}
    if errors:
        warn([f"{len(errors)} of {len(paths)} recordings left out", *map(str, list(errors.values())[:TOLD])])
    calibration = calibration_of(opened)
    run = score(listed, calibration, embedded)
    with progress_bar("listening for noise", len(paths)) as tell:
        snr = noise_of(opened, paths, embedded.usable, tell)
    results = None
    if stressed:
        with progress_bar("stress", 1.0) as tell:
            results = stress(listed, paths, opened, embedded, changes, progress=tell)
    measured, draws = measure(run)
    found = TrialReport(
        model=opened.card.fingerprint,
        name=trials.name,
        listed=listed,
        run=run,
        measured=measured,
        draws=draws,
        errors=errors,
        parts=list(break_down(run, snr, told)),
        stressed=results,
        not_run=not_run,
        calibration=None if calibration is None else calibration.source,
    )
    if report is not None:
        write_page(found, dict(zip(listed.names, paths, strict=True)), report)
    if json:
        print_json(found.to_json())
    else:
        out.print(str(found), markup=False)
