"""The card of a trained model: front end, window, least speech, where its weights come from.

Knows: finished runs, cards. Does not know: graphs, calibration.
"""

from __future__ import annotations

from bisect import bisect_left

from samevoice import __version__
from samevoice.features.frontend import Frontend, build_frontend
from samevoice.features.kinds import default_spec
from samevoice.models.card import Licences, ModelCard, Window
from samevoice.training.runs import Finished

LEAST_SPEECH = 0.5  # seconds, of a network that takes any length


def card_of(run: Finished) -> ModelCard:
    """What the model of a run says of itself; without calibration and fingerprint.

    Args:
        run: what was trained.
    """
    spec = default_spec(run.network.frontend)
    frontend = build_frontend(spec)
    window, least = _window(run, frontend)
    listed = _plain("; ".join(run.licences))
    return ModelCard(
        name=run.recipe.name,
        kind="speaker-embedding",
        summary=_plain(run.recipe.summary),
        rate=spec.rate,
        dimension=run.network.dimension,
        frontend=spec,
        window=window,
        level_dbfs=None,
        min_speech=least,
        resampler="HQ",
        licences=Licences(code="Apache-2.0", weights=f"trained by you on data under: {listed}", data=listed),
        source=f"trained with the recipe {run.recipe.name} of samevoice {__version__}",
        training_data=_plain(_described(run)),
        calibration=None,
        fingerprint="",
    )


def _plain(text: str) -> str:
    """A text on one line; a card takes no control characters."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _window(run: Finished, frontend: Frontend) -> tuple[Window, float]:
    """How long speech is cut, and how much of it is needed: as it was in training and validation."""
    network, rate = run.network, frontend.spec.rate
    if network.frames is not None:
        return Window(network.frames, network.frames), least_seconds(frontend, network.frames)
    heard = frontend.count(round(run.recipe.validation.seconds * rate))
    frames = max(run.recipe.crop.frames, heard, network.least_frames)
    return Window(frames, max(1, frames // 2)), max(LEAST_SPEECH, least_seconds(frontend, network.least_frames))


def least_seconds(frontend: Frontend, frames: int) -> float:
    """The least speech that gives so many frames, rounded up to a thousandth; front ends differ in how they pad."""
    enough = frames * frontend.hop + frontend.width
    samples = bisect_left(range(enough), frames, key=frontend.count)
    return -(-1000 * samples // frontend.spec.rate) / 1000


def _described(run: Finished) -> str:
    """The training data in a sentence."""
    train, others = run.parts.train, run.parts.unlabelled
    corpora = ", ".join(sorted({one.corpus for one in (*train, *others)}))
    text = f"{corpora}: {train.seconds / 3600:.2f} h of {len(train.speakers)} speakers"
    if run.recipe.distils:
        text += f", {others.seconds / 3600:.2f} h without speakers; distilled from {run.recipe.teacher}"
    return text
