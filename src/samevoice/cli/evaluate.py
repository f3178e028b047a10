"""`samevoice evaluate`: how well a model tells apart speakers it never heard, in a corpus or on a list of trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from samevoice.cli.console import MODEL, JsonOption, ThreadsOption, error_entry, out, print_json, progress_bar, warn
from samevoice.cli.evaluate_trials import evaluate_trials
from samevoice.corpora.manifest import Manifest
from samevoice.corpora.opening import open_corpus
from samevoice.corpora.pieces import Piece
from samevoice.embedder import Model
from samevoice.errors import ConfigError, DataError
from samevoice.evaluation.embedded import EmbeddedPieces, choose_pieces, embed_pieces, require_two, speakers_of
from samevoice.evaluation.plots import check_picture, draw_det, draw_histograms
from samevoice.evaluation.report import Evaluation
from samevoice.evaluation.report import evaluate as measure
from samevoice.evaluation.thresholds import RARE_PRIOR, Rule, Threshold, fit, fixed
from samevoice.evaluation.trials import all_pairs
from samevoice.loading import load_model
from samevoice.options import checked_number
from samevoice.scoring.decision import DEFAULT_FAR
from samevoice.speech.vad import everything

HISTOGRAMS, DET = "distances.png", "det.png"
TOLD = 5  # of many names, as many as fit a sentence
OF_LISTS = ("root", "report", "stress", "manifest")
OF_CORPORA = (
    *("data", "split", "seconds", "per_speaker", "calibrate_on", "calibrate_split"),
    *("rule", "far", "prior", "threshold", "speech_only", "plots"),
)


def evaluate(
    context: typer.Context,
    named: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help=f"A model of the zoo, or the path of an .onnx file with its card inside; default: {MODEL}.",
        ),
    ] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="The same as an option.")] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR|MANIFEST", help="A corpus with named speakers, all compared.")
    ] = None,
    trials: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A list of trials in place of a corpus: VoxCeleb `1 a b`, Kaldi `a b target`."
        ),
    ] = None,
    root: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the names in the list start from.")] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="HTML", help="Write the result of the list as a page (extra \\[plots]).")
    ] = None,
    stress: Annotated[
        bool, typer.Option("--stress", help="The list once more under noise, in a room, over codecs, cut short.")
    ] = False,
    manifest: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Tells gender and language of the recordings in the list.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Only utterances of this split.")] = None,
    seconds: Annotated[float, typer.Option(help="Length of the pieces compared; 0 for whole utterances.")] = 3.0,
    per_speaker: Annotated[
        int | None, typer.Option(min=2, help="Most pieces of one speaker, evenly chosen; default: all.")
    ] = None,
    calibrate_on: Annotated[
        Path | None, typer.Option(metavar="DIR|MANIFEST", help="Other speakers, on whom the threshold is fitted.")
    ] = None,
    calibrate_split: Annotated[str | None, typer.Option(help="Only utterances of this split of theirs.")] = None,
    rule: Annotated[Rule | None, typer.Option(help="How it is fitted there; default: eer.")] = None,
    far: Annotated[
        float | None, typer.Option(help=f"False accepts allowed by --rule far; default: {DEFAULT_FAR:g}.")
    ] = None,
    prior: Annotated[
        float | None, typer.Option(help=f"Share of targets that --rule min-dcf reckons with; default: {RARE_PRIOR:g}.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="A cosine, in place of a fitted threshold.")] = None,
    speech_only: Annotated[bool, typer.Option("--speech-only", help="Cut pauses out of the pieces first.")] = False,
    plots: Annotated[
        Path | None, typer.Option(metavar="DIR", help=f"Draw {HISTOGRAMS} and {DET} there (extra \\[plots]).")
    ] = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Measure how well a model tells speakers apart: EER, minDCF, accuracies, with 95 % intervals over speakers.

    With --data every utterance is cut into pieces of one length and every piece compared with every other. A threshold
    is never fitted on the speakers it is judged by: without --calibrate-on or --threshold the accuracies are left out.

    With --trials the trials of a list are scored as verify would, and measured with actDCF and Cllr, by duration and
    noise, with the worst of them to listen to in --report.

    Example: samevoice evaluate campplus --data voices/ --split dev

    Example: samevoice evaluate --trials veri_test.txt --root wav/ --report veri.html
    """
    if named is not None and model is not None:
        raise ConfigError("the model was given twice; leave out --model")
    chosen = model or named or MODEL
    if trials is not None:
        _refuse(context, OF_CORPORA, "--trials")
        if root is None:
            raise ConfigError("--trials needs --root, the folder that the names in the list start from")
        evaluate_trials(
            trials, root, model=chosen, report=report, manifest=manifest, stressed=stress, threads=threads, json=json
        )
        return
    _refuse(context, OF_LISTS, "--data")
    if data is None:
        raise ConfigError("nothing to evaluate; give --data DIR, or --trials FILE and --root DIR")
    asked = _asked(threshold, calibrate_on, calibrate_split, rule, far, prior)
    length = checked_number("seconds", seconds, high=3600) or None
    if plots is not None:
        for name in (HISTOGRAMS, DET):
            check_picture(plots / name)
    corpus = _opened(data)
    pieces = choose_pieces(corpus, split=split, seconds=length, per_speaker=per_speaker)
    other: tuple[Manifest, list[Piece]] | None = None
    if calibrate_on is not None:
        calibration = _opened(calibrate_on)
        others = choose_pieces(calibration, split=calibrate_split, seconds=length, per_speaker=per_speaker)
        require_apart(pieces, others)
        other = calibration, others
    opened = load_model(chosen, threads, detector=None if speech_only else everything)
    at = asked.given
    fitted: EmbeddedPieces | None = None
    if other is not None:
        fitted = _embedded(opened, *other, "calibration")
        pairs = all_pairs(fitted.vectors, fitted.speakers)
        at = fit(asked.rule, pairs.targets, pairs.non_targets, asked.far, asked.prior)
    tested = _embedded(opened, corpus, pieces, "embedding")
    found = measure(
        tested.vectors, tested.speakers, threshold=at, sessions=tested.sessions, utterances=tested.utterances
    )
    absent = sorted(speakers_of(corpus, split) - set(tested.speakers))
    if plots is not None:
        _draw(tested, at, plots)
    if json:
        print_json(_document(opened, found, tested, fitted, length, absent))
        return
    out.print(f"{opened.card.fingerprint} on {data}{f', split {split}' if split else ''}", markup=False)
    out.print(_input(length, speech_only), markup=False)
    if absent:
        out.print(f"{len(absent)} speakers without a piece: {_few(absent)}", markup=False)
    out.print(str(found), markup=False)
    out.print(_said_of(at, fitted), markup=False)


def _refuse(context: typer.Context, options: Sequence[str], mode: str) -> None:
    """Refuse options that mean nothing beside another.

    Raises:
        ConfigError: one was given.
    """
    for name in options:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise ConfigError(f"--{name.replace('_', '-')} does not go with {mode}; leave it out")


@dataclass(frozen=True, slots=True)
class _Asked:
    """How the threshold is to be found."""

    given: Threshold | None
    rule: Rule
    far: float
    prior: float


def _asked(
    threshold: float | None,
    calibrate_on: Path | None,
    calibrate_split: str | None,
    rule: Rule | None,
    far: float | None,
    prior: float | None,
) -> _Asked:
    """Check options that exclude or need each other, before hours of work.

    Raises:
        ConfigError: they contradict each other.
    """
    if threshold is not None and (calibrate_on is not None or rule is not None):
        raise ConfigError("--threshold is already a threshold; leave out --calibrate-on and --rule")
    if calibrate_on is None and (rule is not None or calibrate_split or far is not None or prior is not None):
        raise ConfigError(
            "--rule, --far, --prior and --calibrate-split need --calibrate-on with recordings of other speakers"
        )
    if rule is Rule.fixed:
        raise ConfigError("the rule fixed is not fitted; give --threshold")
    if far is not None and rule is not Rule.far:
        raise ConfigError("--far belongs to --rule far; give both")
    if prior is not None and rule is not Rule.min_dcf:
        raise ConfigError("--prior belongs to --rule min-dcf; give both")
    given = None if threshold is None else fixed(threshold)
    return _Asked(given, rule or Rule.eer, DEFAULT_FAR if far is None else far, RARE_PRIOR if prior is None else prior)


def _opened(path: Path) -> Manifest:
    """The corpus, scanned with progress if it has no manifest; recordings that cannot be used are told."""
    with progress_bar("scanning", 1.0) as tell:
        found = open_corpus(path, checksums=False, progress=lambda done, known: tell(done / known))
    _tell([f"{one.path}: {one.message}" for one in found.problems], f"recordings of {path} left out")
    return found.manifest


def require_apart(tested: Sequence[Piece], calibration: Sequence[Piece]) -> None:
    """Refuse to fit a threshold on the speakers it is judged by.

    Raises:
        DataError: somebody is on both sides.
    """
    first, second = ({str(piece.utterance.speaker) for piece in side} for side in (tested, calibration))
    if both := sorted(first & second):
        raise DataError(
            f"{_few(both)}: on both sides, in --data and in --calibrate-on; a threshold is fitted on other speakers, "
            "chosen with --split and --calibrate-split"
        )


def _embedded(model: Model, corpus: Manifest, pieces: Sequence[Piece], label: str) -> EmbeddedPieces:
    """Embed with progress and tell what was left out.

    Raises:
        DataError: too little is left.
    """
    with progress_bar(label, len(pieces)) as tell:
        done = embed_pieces(model, corpus, pieces, tell)
    reasons = [f"{piece.utterance.id} at {piece.start:g} s: {error}" for piece, error in done.failures]
    _tell(reasons, f"of {len(pieces)} pieces left out; --json lists all")
    require_two(done.speakers, f"{corpus.root}, what could be embedded")
    return done


def _draw(tested: EmbeddedPieces, threshold: Threshold | None, folder: Path) -> None:
    """Both pictures."""
    trials = all_pairs(tested.vectors, tested.speakers)
    sides = trials.targets, trials.non_targets
    draw_histograms(*sides, folder / HISTOGRAMS, threshold.value if threshold else None)
    draw_det(*sides, folder / DET)


def _document(
    model: Model,
    found: Evaluation,
    tested: EmbeddedPieces,
    fitted: EmbeddedPieces | None,
    seconds: float | None,
    absent: list[str],
) -> dict[str, Any]:
    """What --json prints."""
    return {
        "model": model.card.fingerprint,
        "seconds": seconds,
        **found.to_json(),
        "calibration": fitted and {"speakers": len(set(fitted.speakers)), "pieces": len(fitted.pieces)},
        "speakers_without_pieces": absent,
        "left_out": [
            {**error_entry(piece.utterance.id, error), "start": piece.start} for piece, error in tested.failures
        ],
    }


def _input(seconds: float | None, speech_only: bool) -> str:
    """What was compared."""
    length = "whole utterances" if seconds is None else f"pieces of {seconds:g} s"
    return f"{length}, {'speech only' if speech_only else 'pauses included'}"


def _said_of(threshold: Threshold | None, fitted: EmbeddedPieces | None) -> str:
    """Where the threshold comes from."""
    if threshold is None:
        return "no threshold: positives and negatives are left out; fit one with --calibrate-on or give --threshold"
    if fitted is None:
        return f"threshold {threshold.value:.3f}, given"
    people = len(set(fitted.speakers))
    return f"threshold {threshold.value:.3f} by rule {threshold.rule}, fitted on {people} other speakers"


def _tell(reasons: Sequence[str], what: str) -> None:
    """Some of many reasons, on stderr."""
    if reasons:
        warn([f"{len(reasons)} {what}", *reasons[:TOLD]])


def _few(names: Sequence[str]) -> str:
    """Some of many names."""
    rest = len(names) - TOLD
    return ", ".join(names[:TOLD]) + (f" and {rest} more" if rest > 0 else "")
