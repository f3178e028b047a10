"""From a finished run to a model one can serve, and to figures that can be believed.

    model.onnx       the network with its card: front end, licences of the data, calibration
    result.json      error rates of speakers that were never heard, at thresholds that other speakers set
    distances.png    d(AP) and d(AN) of those speakers
    similarity.png   96 x 96 cosines of 32 triplets of them

Knows: cards, calibration, evaluation. Does not know: how the network was trained.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice import __version__
from samevoice.corpora.manifest import Manifest
from samevoice.corpora.pieces import evenly
from samevoice.embedder import Model
from samevoice.errors import ConfigError
from samevoice.evaluation import plots, thresholds
from samevoice.evaluation.embedded import MAX_PIECES, EmbeddedPieces, choose_pieces, embed_pieces
from samevoice.evaluation.report import evaluate_at
from samevoice.evaluation.thresholds import Rule
from samevoice.evaluation.trials import Trials, all_pairs
from samevoice.export import export_model
from samevoice.loading import load_model
from samevoice.models.encoder import read_model, write_model
from samevoice.scoring import calibration
from samevoice.speech.vad import everything
from samevoice.training.cards import card_of
from samevoice.training.checkpoint import last_path
from samevoice.training.index import UtteranceIndex
from samevoice.training.items import Parts, digest_of
from samevoice.training.journal import main_loss, read_journal, write_json
from samevoice.training.recipe import Recipe
from samevoice.training.runs import Finished
from samevoice.training.triplets import TripletSampler

logger = logging.getLogger(__name__)

MODEL, RESULT = "model.onnx", "result.json"
RULES = {  # name in the result -> rule, and the false-accept rate that it asks for
    "far": (Rule.far, 0.01),
    "far-1.5": (Rule.far, 0.015),
    "far-2.5": (Rule.far, 0.025),
    "eer": (Rule.eer, 0.0),
    "three-sigma": (Rule.three_sigma, 0.0),
    "median": (Rule.median, 0.0),
}
RATES = (0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.0025)
SHORTER = 0.5  # of a validation piece: the second duration that is calibrated
LONGEST_SHORTER = 0.8  # what hardly differs from the first duration tells nothing about the influence of length
ROUNDING = 0.01  # seconds that a piece is longer than the least, so that no rounding of samples makes it too short
TRIPLETS = 32
PIECES_EACH = 20  # of a speaker, at most

Say = Callable[[str], object]


def publish(run: Finished, *, say: Say = logger.info) -> dict[str, Any]:
    """Write model, result and pictures.

    Args:
        run: what was trained.
        say: gets sentences on what is being done.

    Returns:
        What `result.json` holds.

    Raises:
        ModelError: the network cannot be exported.
        DataError: validation or test hold too few pieces.
    """
    path = run.out / MODEL
    card = card_of(run)
    exported = export_model(run.network, card, path)
    say(f"{path}: {exported.card.fingerprint}, cosine to the network in torch {exported.cosine:.6f}")
    model = load_model(path, detector=everything)
    seconds = run.recipe.validation.seconds
    say("comparing validation speakers, to calibrate and to set thresholds")
    known = _embedded(model, run.parts.valid, run.recipe, seconds)
    fitted = _thresholds(known)
    calibrated = _calibrate(model, run, path, known, say)
    options = [] if calibrated else ["--threshold", f"{fitted['eer'].value:.3f}"]
    tested = run.parts.test if len(run.parts.test) else None
    unseen = _embedded(model, tested, run.recipe, seconds) if tested else known
    say(
        "comparing test speakers"
        if tested
        else "no test speakers: the figures are those of the validation speakers, "
        "who chose weights and thresholds; expect worse"
    )
    content = {
        "recipe": run.recipe.name,
        "samevoice": __version__,
        "model": exported.card.fingerprint,
        "parameters": sum(one.numel() for one in run.network.parameters()),
        "piece_seconds": seconds,
        "speakers": "test" if tested else "validation",
        "validation_eer": run.outcome.eer,
        "rules": _evaluated(unseen, fitted),
        "verify_options": options,
        "training": _training(run),
        "skipped": run.bad,
        "speakers_of_one_item": list(run.excluded),
        "test_digest": digest_of([run.parts.test]),
    }
    _draw(run, unseen, fitted["far"].value, say)
    write_json(run.out / RESULT, content)  # last: where it is, all is there
    return content


def published(folder: Path, taken: Parts) -> dict[str, Any] | None:
    """The result of a run that needs nothing more.

    Args:
        folder: of the run.
        taken: who is heard now.

    Returns:
        None where something is missing, older than the weights, or measured on other test speakers.
    """
    model, result = folder / MODEL, folder / RESULT
    try:
        if not model.is_file() or result.stat().st_mtime_ns < last_path(folder).stat().st_mtime_ns:
            return None
        content: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if content.get("test_digest") == digest_of([taken.test]) else None


def _embedded(model: Model, side: Manifest, recipe: Recipe, seconds: float) -> EmbeddedPieces:
    """The pieces of one side through the served model: of all speakers that can be compared, or evenly of many."""
    chosen = set(evenly(side.speakers, recipe.validation.speakers_at_most))
    if len(chosen) < len(side.speakers):
        logger.warning("%d of %d speakers are compared (validation.speakers_at_most)", len(chosen), len(side.speakers))
    some = side.only(one for one in side if one.speaker in chosen)
    each = max(2, min(PIECES_EACH, MAX_PIECES // len(chosen)))
    return embed_pieces(model, side, choose_pieces(some, seconds=seconds, per_speaker=each))


def _calibrate(model: Model, run: Finished, path: Path, known: EmbeddedPieces, say: Say) -> bool:
    """Fit the card's calibration on validation speakers; whether that could be done."""
    seconds = run.recipe.validation.seconds
    found = {seconds: known}
    least = max(model.card.min_speech + ROUNDING, SHORTER * seconds)
    if least <= LONGEST_SHORTER * seconds:
        found[least] = _embedded(model, run.parts.valid, run.recipe, least)
    trials = {length: all_pairs(one.vectors, one.speakers) for length, one in found.items()}
    scores = np.concatenate([one.scores for one in trials.values()])
    durations = np.concatenate([np.full(len(one.scores), length) for length, one in trials.items()])
    is_target = np.concatenate([one.is_target for one in trials.values()])
    speakers = len(set(known.speakers))
    lengths = " and ".join(f"{length:g}" for length in sorted(found))
    source = (
        f"{speakers} validation speakers of the training, pieces of {lengths} s, all pairs; "
        "pieces of one session are easy positives, and these speakers chose the weights: evidence may be overstated. "
        "Calibrate on recordings of your own."
    )
    try:
        fitted = calibration.fit(scores, durations, is_target, _sides(trials.values()), rates=RATES, source=source)
    except ValueError as error:
        say(f"the model has no calibration ({error}); give verify a --threshold")
        return False
    card, graph = read_model(path)
    write_model(path, graph, replace(card, calibration=json.loads(json.dumps(fitted.to_json()))))
    return True


def _sides(several: Iterable[Trials]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Who speaks on either side of several sets of trials, numbered alike in all of them."""
    named = [(np.array(one.names)[one.voices], one) for one in several]
    first = np.concatenate([rows[one.first] for rows, one in named])
    second = np.concatenate([rows[one.second] for rows, one in named])
    _, numbers = np.unique(np.concatenate([first, second]), return_inverse=True)
    return numbers[: len(first)], numbers[len(first) :]


def _thresholds(known: EmbeddedPieces) -> dict[str, thresholds.Threshold]:
    """Every rule, applied to validation speakers."""
    trials = all_pairs(known.vectors, known.speakers)
    return {
        name: thresholds.fit(rule, trials.targets, trials.non_targets, *([far] if rule is Rule.far else []))
        for name, (rule, far) in RULES.items()
    }


def _evaluated(unseen: EmbeddedPieces, fitted: Mapping[str, thresholds.Threshold]) -> dict[str, Any]:
    """All measures at each threshold."""
    found = evaluate_at(
        unseen.vectors,
        unseen.speakers,
        fitted,
        sessions=unseen.sessions,
        utterances=unseen.utterances,
    )
    return {name: found[name].to_json() for name in fitted}


def _training(run: Finished) -> dict[str, Any]:
    """What the journal says of the stages, in short."""
    stages: dict[str, Any] = {}
    for row in read_journal(run.out):
        stage = stages.setdefault(row["stage"], {"steps": 0, "seconds": 0.0, "wait": 0.0, "losses": []})
        stage["steps"] = max(stage["steps"], row["step"])
        stage["seconds"] += row["seconds"] + row.get("wait", 0.0)
        stage["wait"] += row.get("wait", 0.0)
        if (loss := main_loss(row, run.recipe.stage[row["stage"]].objectives[0].loss)) is not None:
            stage["losses"].append(loss)
    return {name: _short(run.recipe, name, stage) for name, stage in stages.items()}


def _short(recipe: Recipe, name: str, stage: dict[str, Any]) -> dict[str, Any]:
    """One stage: how its loss fell, and what it took."""
    losses = stage["losses"]
    tenth = max(1, len(losses) // 10)
    return {
        "steps": stage["steps"],
        "seconds": round(stage["seconds"], 1),
        "waited": round(stage["wait"] / max(1e-9, stage["seconds"]), 4),
        "first_loss": float(np.mean(losses[:tenth])) if losses else None,
        "last_loss": float(np.mean(losses[-tenth:])) if losses else None,
        "collapse": recipe.stage[name].collapse,
    }


def _draw(run: Finished, unseen: EmbeddedPieces, threshold: float, say: Say) -> None:
    """The pictures, where they can be drawn."""
    try:
        plots.check_picture(run.out / "distances.png")
    except ConfigError as error:
        say(f"no pictures: {error}")
        return
    trials = all_pairs(unseen.vectors, unseen.speakers)
    plots.draw_histograms(trials.targets, trials.non_targets, run.out / "distances.png", threshold)
    rows = _triplets(unseen.speakers)
    matrix = (unseen.vectors @ unseen.vectors.T)[np.ix_(rows, rows)]
    plots.draw_similarity(matrix, [unseen.speakers[row] for row in rows], run.out / "similarity.png")


def _triplets(speakers: Sequence[str]) -> list[int]:
    """Rows of 32 triplets, or of as many as there are pieces for."""
    numbers = np.unique(np.array(speakers), return_inverse=True)[1]
    index = UtteranceIndex(numbers)
    possible = int(index.counts[index.with_partner].sum())
    found: list[int] = next(TripletSampler(index, min(TRIPLETS, possible))).tolist()
    return found
