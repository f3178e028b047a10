"""The card of a model: everything about it that its weights do not say, carried inside its file.

Knows: the card's fields, their JSON, and the fingerprint. Does not know: where files lie, how graphs run.
"""

from __future__ import annotations

import hashlib
import json
import math
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, cast

from samevoice.audio.waveform import MAX_RATE, MIN_RATE
from samevoice.errors import ModelError
from samevoice.features.frontend import FrontendSpec

METADATA_KEY = "samevoice.card"
KINDS = ("speaker-embedding", "voice-activity", "speaker-segmentation")
# Everything that shapes an embedding, beside the graph; texts and calibration do not.
SHAPING = ("kind", "rate", "dimension", "frontend", "window", "level_dbfs", "resampler")
FINGERPRINT_DIGITS = 16
RESAMPLERS = ("QQ", "LQ", "MQ", "HQ", "VHQ")  # by soxr's names, worst first
MAX_BANDS = 1_024
MAX_WINDOW = 60_000  # frames: ten minutes
MAX_MIN_SPEECH = 60.0
LOWEST_LEVEL = -100.0


@dataclass(frozen=True, slots=True)
class Window:
    """How long speech is cut for the network.

    Args:
        frames: longest stretch of feature frames that the network sees at once.
        hop: frames from one window to the next.
    """

    frames: int
    hop: int


@dataclass(frozen=True, slots=True)
class Licences:
    """Under which terms the three parts of a model may be used."""

    code: str
    weights: str
    data: str


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model is.

    Args:
        name: short name, also that of its file.
        kind: one of `KINDS`.
        summary: one sentence for a list of models.
        rate: sample rate it works at, in Hz.
        dimension: length of its embeddings; 0 if it makes none.
        frontend: recipe of its features; None if it takes samples.
        window: how longer speech is cut; None if it is not.
        level_dbfs: recordings quieter than this level are raised to it first; None to leave them.
        min_speech: least speech for a meaningful answer, in seconds.
        resampler: quality by soxr's name, which it was calibrated with.
        licences: of code, weights and training data.
        source: where the weights were published.
        training_data: what it was trained on, as far as it is known.
        calibration: parameters that turn its scores into likelihood ratios; None if it has none.
        fingerprint: digest of graph and recipe; see `fingerprint_of`.
    """

    name: str
    kind: str
    summary: str
    rate: int
    dimension: int
    frontend: FrontendSpec | None
    window: Window | None
    level_dbfs: float | None
    min_speech: float
    resampler: str
    licences: Licences
    source: str
    training_data: str
    calibration: Mapping[str, object] | None
    fingerprint: str

    def __str__(self) -> str:
        """One line for a list."""
        size = f"{self.dimension}-d, " if self.dimension else ""
        return f"{self.name}: {self.kind}, {size}{self.rate / 1000:g} kHz, weights {self.licences.weights}"

    def to_json(self) -> str:
        """The card as JSON with sorted keys."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read a card.

        Args:
            text: what `to_json` gives.

        Raises:
            ModelError: the text is not JSON, or as for `card_from`.
        """
        try:
            content = _decoded(text)
        except (ValueError, RecursionError) as error:
            raise ModelError(f"the model's card is no JSON of a card ({error}); pull the model again") from error
        return card_from(content)


# What JSON may hold under each key; bool is an int to Python, so kinds are compared exactly.
_CARD: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "kind": (str,),
    "summary": (str,),
    "rate": (int,),
    "dimension": (int,),
    "frontend": (dict, type(None)),
    "window": (dict, type(None)),
    "level_dbfs": (float, int, type(None)),
    "min_speech": (float, int),
    "resampler": (str,),
    "licences": (dict,),
    "source": (str,),
    "training_data": (str,),
    "calibration": (dict, type(None)),
    "fingerprint": (str,),
}
_FRONTEND: dict[str, tuple[type, ...]] = {"kind": (str,), "rate": (int,), "bands": (int,), "options": (dict,)}
_WINDOW: dict[str, tuple[type, ...]] = {field.name: (int,) for field in fields(Window)}
_LICENCES: dict[str, tuple[type, ...]] = {field.name: (str,) for field in fields(Licences)}


def card_from(content: object) -> ModelCard:
    """A card from decoded JSON.

    Args:
        content: a dictionary with exactly the card's keys.

    Raises:
        ModelError: a key is unknown, missing or of the wrong kind, or a number is out of range.
    """
    values = _checked(content, _CARD, "card")
    values["licences"] = Licences(**_checked(values["licences"], _LICENCES, "licences"))
    if values["frontend"] is not None:
        values["frontend"] = FrontendSpec(**_checked(values["frontend"], _FRONTEND, "frontend"))
    if values["window"] is not None:
        values["window"] = Window(**_checked(values["window"], _WINDOW, "window"))
    card = ModelCard(**values)
    _check_ranges(card)
    return card


def _check_ranges(card: ModelCard) -> None:
    """Refuse what no stage could honour, here rather than in the midst of a recording."""
    if card.kind not in KINDS:
        raise ModelError(f"the model's card names kind {card.kind!r}, unknown here; update samevoice")
    if card.resampler not in RESAMPLERS:
        raise ModelError(f"the model's card names resampler {card.resampler!r}, unknown here; update samevoice")
    frontend, window, level = card.frontend, card.window, card.level_dbfs
    possible = {  # NaN, which a card made in Python may hold, fails every comparison
        "rate": MIN_RATE <= card.rate <= MAX_RATE and (frontend is None or frontend.rate == card.rate),
        "dimension": card.dimension >= 0,
        "number of bands": frontend is None or 1 <= frontend.bands <= MAX_BANDS,
        "window": window is None or 1 <= window.hop <= window.frames <= MAX_WINDOW,
        "level_dbfs": level is None or LOWEST_LEVEL <= level <= 0.0,
        "min_speech": 0.0 <= card.min_speech <= MAX_MIN_SPEECH,
    }
    for what, is_possible in possible.items():
        if not is_possible:
            raise ModelError(f"the model's card gives an impossible {what}; pull the model again")


def _decoded(text: str) -> object:
    """JSON without what the standard has not (NaN) or a terminal would obey (escape sequences), else ValueError."""
    content = json.loads(text, parse_constant=_number, parse_float=_number)
    if any(unicodedata.category(sign) in {"Cc", "Cs"} for found in _texts(content) for sign in found):
        raise ValueError("a text holds control characters")
    return content


def _number(text: str) -> float:
    """A finite number; Python's JSON would also take NaN, Infinity and 1e999."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not a finite number")
    return value


def _texts(content: object) -> Iterator[str]:
    """Every text in decoded JSON, keys included."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict | list):
        for item in content:
            yield from _texts(item)
        if isinstance(content, dict):
            yield from _texts(list(content.values()))


def _checked(content: object, kinds: Mapping[str, tuple[type, ...]], where: str) -> dict[str, Any]:
    """A dictionary that has exactly the given keys, each of a permitted kind."""
    if not isinstance(content, dict):
        raise ModelError(f"the model's {where} is not a table; pull the model again")
    if unknown := sorted(str(key) for key in content.keys() - kinds.keys()):
        raise ModelError(f"the model's {where} has an unknown key {unknown[0]!r}; update samevoice")
    if missing := sorted(kinds.keys() - content.keys()):
        raise ModelError(f"the model's {where} lacks the key {missing[0]!r}; pull the model again")
    for key, value in content.items():
        if type(value) not in kinds[key]:
            raise ModelError(f"the model's {where} holds the wrong kind of value under {key!r}; pull the model again")
    return cast("dict[str, Any]", dict(content))


def fingerprint_of(graph: bytes, card: ModelCard) -> str:
    """What names a model in every embedding it makes.

    Args:
        graph: the ONNX model without metadata.
        card: only the fields that shape an embedding enter; calibration and texts may change freely.

    Returns:
        "NAME@" and 16 hexadecimal digits of a SHA-256.
    """
    recipe = asdict(card)
    shaping = json.dumps({key: recipe[key] for key in SHAPING}, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(hashlib.sha256(graph).digest() + shaping.encode()).hexdigest()
    return f"{card.name}@{digest[:FINGERPRINT_DIGITS]}"


def recalibrated(card: ModelCard, graph: bytes, name: str, calibration: Mapping[str, object]) -> ModelCard:
    """The card of a copy: another calibration, and another name, so that no verdict is mistaken for the model's own.

    Args:
        card: of the model.
        graph: of the model.
        name: of the copy.
        calibration: plain data, as `Calibration.to_json` gives it.
    """
    plain = json.loads(json.dumps(calibration))
    changed = replace(card, name=name, calibration=plain)
    return replace(changed, fingerprint=fingerprint_of(graph, changed))
