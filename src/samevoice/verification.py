"""Verify: do two recordings come from the same person? And the same for all pairs of many.

Knows: how embedding, scoring and decision are put together. Does not know: files' formats, networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.decode import Recording, Source
from samevoice.embedder import Model
from samevoice.errors import NotEnoughSpeech
from samevoice.loading import DEFAULT_MODEL, load_model
from samevoice.models.embedding import Embedding
from samevoice.scoring.calibration import Calibration
from samevoice.scoring.cosine import cosine, cosine_matrix
from samevoice.scoring.decision import DEFAULT_PRIOR, Decision, check_options, decide, undecided


def verify(
    first: Source,
    second: Source,
    *,
    model: Model | str | Path = DEFAULT_MODEL,
    far: float | None = None,
    threshold: float | None = None,
    prior: float = DEFAULT_PRIOR,
) -> Decision:
    """Decide whether two recordings come from the same person.

    Too little speech is no error here: the verdict is then "unsure", with no evidence either way.

    Args:
        first: a path, "-", bytes of a file, a binary file object, or a `Waveform`.
        second: the same.
        model: a loaded model, or the name or file of one, which is opened once per process; by default "campplus".
        far: tolerated false-accept rate as a fraction; by default 0.01.
        threshold: a cosine that alone decides, in place of `far`.
        prior: probability of one speaker before listening, in (0, 1); by default 0.5.

    Raises:
        AudioError: a recording cannot be read.
        ModelError: the model is missing or damaged.
        ConfigError: an option cannot be honoured.
    """
    model = _opened(model)
    calibration = calibration_of(model)
    check_options(calibration, far=far, threshold=threshold, prior=prior, model=model.card.name)
    found: list[Embedding | NotEnoughSpeech] = []
    warnings: list[str] = []
    for audio, position in ((first, "first recording"), (second, "second recording")):
        name = label(audio, position)
        try:
            found.append(model.embed(audio, name=name))
        except NotEnoughSpeech as error:
            found.append(error)
        warnings += [f"{name}: {warning}" for warning in found[-1].warnings]
    return judge(found[0], found[1], model=model, far=far, threshold=threshold, prior=prior, warnings=tuple(warnings))


def judge(
    first: Embedding | NotEnoughSpeech,
    second: Embedding | NotEnoughSpeech,
    *,
    model: Model,
    far: float | None = None,
    threshold: float | None = None,
    prior: float = DEFAULT_PRIOR,
    warnings: tuple[str, ...] = (),
) -> Decision:
    """Decide between two voices that were embedded before; "unsure" where one of them said too little.

    Args:
        first: of one side, or the error in place of an embedding.
        second: of the other.
        model: which made the embeddings.
        far: as in `verify`.
        threshold: as in `verify`.
        prior: as in `verify`; by default 0.5.
        warnings: to put on record.

    Raises:
        FingerprintMismatch: another model made one of the embeddings.
        ConfigError: an option cannot be honoured.
    """
    calibration = calibration_of(model)
    if isinstance(first, NotEnoughSpeech) or isinstance(second, NotEnoughSpeech):
        check_options(calibration, far=far, threshold=threshold, prior=prior, model=model.card.name)
        sides = (first, second)
        have = [part.have if isinstance(part, NotEnoughSpeech) else part.seconds for part in sides]
        return undecided(
            "; ".join(str(part) for part in sides if isinstance(part, NotEnoughSpeech)),
            (have[0], have[1]),
            calibration,
            model=model.card.fingerprint,
            prior=prior,
            warnings=warnings,
        )
    return decide(
        cosine(first, second),
        (first.seconds, second.seconds),
        calibration,
        model=model.card.fingerprint,
        far=far,
        threshold=threshold,
        prior=prior,
        warnings=warnings,
    )


def compare(audios: Sequence[Source], *, model: Model | str | Path = DEFAULT_MODEL) -> NDArray[np.float32]:
    """Cosine similarity of all pairs of recordings.

    Args:
        audios: n >= 1 recordings, each as in `verify`.
        model: a loaded model, or the name or file of one; by default "campplus".

    Returns:
        float32 (n, n), symmetric, ones on the diagonal.

    Raises:
        AudioError: a recording cannot be read.
        NotEnoughSpeech: a recording holds less speech than the model needs.
        ModelError: the model is missing or damaged.
    """
    return cosine_matrix(_opened(model).embed_many(audios))


def decide_pairs(
    named: Sequence[tuple[str, Embedding]],
    cosines: NDArray[np.float32],
    *,
    model: Model,
    threshold: float | None = None,
) -> dict[tuple[int, int], Decision]:
    """A decision for every pair of many recordings, as `verify` would give it.

    Args:
        named: what to call each of n recordings in a warning, and its embedding.
        cosines: of all pairs, shape (n, n).
        model: which made the embeddings.
        threshold: a cosine that alone decides, in place of the default false-accept rate.

    Returns:
        Decisions by (i, j), i < j.

    Raises:
        ConfigError: the threshold is no cosine, or the model has no calibration and there is none.
    """
    calibration = calibration_of(model)
    warnings = [tuple(f"{name}: {text}" for text in embedding.warnings) for name, embedding in named]
    return {
        (i, j): decide(
            float(cosines[i, j]),
            (named[i][1].seconds, named[j][1].seconds),
            calibration,
            model=model.card.fingerprint,
            threshold=threshold,
            warnings=warnings[i] + warnings[j],
        )
        for i, j in combinations(range(len(named)), 2)
    }


def calibration_of(model: Model) -> Calibration | None:
    """The calibration in a model's card, if it has one."""
    data = model.card.calibration
    return None if data is None else Calibration.from_json(data)


def label(audio: Source, position: str) -> str:
    """What to call a recording in a message: its path where it has one."""
    if audio == "-":
        return "standard input"
    if isinstance(audio, Recording):
        return audio.info.name
    return str(audio) if isinstance(audio, str) or hasattr(audio, "__fspath__") else position


def _opened(model: Model | str | Path) -> Model:
    """A model given by name or file, opened once per process."""
    return model if isinstance(model, Model) else _named(model)


@lru_cache(maxsize=4)
def _named(name: str | Path) -> Model:
    """Open a model by name or file."""
    return load_model(name)
