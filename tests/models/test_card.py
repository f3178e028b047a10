from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import modelmakers as make
import pytest

from samevoice.errors import ModelError
from samevoice.features.frontend import FrontendSpec
from samevoice.models.card import ModelCard, Window, card_from, fingerprint_of

CARD = make.card()


def test_a_card_survives_a_round_trip() -> None:
    for card in (CARD, make.card(frontend=None, window=None, calibration={"a": [1.0, {"b": None}]}, level_dbfs=-30.0)):
        assert ModelCard.from_json(card.to_json()) == card


def changed(**changes: Any) -> str:
    """The card's JSON with some keys changed, or taken away by `...`."""
    content = json.loads(CARD.to_json()) | changes
    return json.dumps({key: value for key, value in content.items() if value is not ...})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "not a table"),
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        (changed(colour="red"), "unknown key 'colour'"),
        (changed(rate=...), "lacks the key 'rate'"),
        (changed(rate="16000"), "under 'rate'"),
        (changed(rate=True), "under 'rate'"),
        (changed(rate=0), "impossible rate"),
        (changed(kind="poem"), "'poem'"),
        (changed(window={"frames": 1}), "window lacks the key 'hop'"),
        (changed(window={"frames": 0, "hop": 1}), "impossible window"),
        (changed(window={"frames": 10, "hop": 11}), "impossible window"),
        (changed(window={"frames": 10**9, "hop": 1}), "impossible window"),
        (changed(rate=8_000), "impossible rate"),
        (changed(rate=10**400), "impossible rate"),
        (changed(frontend={"kind": "kaldi-fbank", "rate": 16_000, "bands": 0, "options": {}}), "impossible number of"),
        (changed(frontend={"kind": "kaldi-fbank", "rate": 16_000, "bands": -1, "options": {}}), "impossible number of"),
        (changed(frontend={"kind": "kaldi-fbank", "rate": 16_000, "bands": 1 << 40, "options": {}}), "number of bands"),
        (changed(resampler="XX"), "resampler 'XX'"),
        (changed(level_dbfs=1e9), "impossible level_dbfs"),
        (changed(level_dbfs=-101), "impossible level_dbfs"),
        (changed(min_speech=-0.1), "impossible min_speech"),
        (changed(min_speech=61), "impossible min_speech"),
        (changed(min_speech=float("nan")), "NaN is not a finite number"),
        (changed(level_dbfs=float("-inf")), "-Infinity is not a finite number"),
        (changed(calibration={"weights": [float("nan")]}), "NaN is not a finite number"),
        (changed(min_speech="?").replace('"?"', "1e999"), "1e999 is not a finite number"),
        (changed(summary="\x1b]0;title\x07"), "control characters"),
        (changed(calibration={"source": ["\ud800"]}), "control characters"),
        (changed(calibration={"\x9b1m": 1}), "control characters"),
        (
            changed(frontend={"kind": "x", "rate": 1, "bands": 1, "options": {}, "b": 1}),
            "frontend has an unknown key 'b'",
        ),
        (changed(licences={"code": "MIT", "weights": "MIT"}), "licences lacks the key 'data'"),
    ],
)
def test_keys_are_strict_and_named(text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        ModelCard.from_json(text)


@pytest.mark.parametrize("changes", [{"min_speech": float("nan")}, {"level_dbfs": float("inf")}])
def test_a_card_made_in_python_is_held_to_the_same_numbers(changes: dict[str, float]) -> None:
    with pytest.raises(ModelError, match="impossible"):
        card_from(asdict(CARD) | changes)


def test_the_edges_of_what_is_possible_are_read() -> None:
    for changes in (
        {"level_dbfs": 0, "min_speech": 0},
        {"level_dbfs": -100.0, "min_speech": 60.0},
        {"window": {"frames": 7, "hop": 7}},
        {"rate": 8_000, "frontend": {"kind": "mel-power", "rate": 8_000, "bands": 1, "options": {}}},
        {"resampler": "QQ", "summary": "Prüfmodell 模型"},
    ):
        assert ModelCard.from_json(changed(**changes)).name == "tiny"


@pytest.mark.parametrize(
    "changes",
    [
        {"rate": 8_000},
        {"frontend": FrontendSpec("kaldi-fbank", 16_000, 64)},
        {"window": Window(200, 50)},
        {"level_dbfs": -30.0},
        {"resampler": "VHQ"},
        {"kind": "voice-activity"},
        {"dimension": 4},
    ],
)
def test_whatever_shapes_an_embedding_changes_the_fingerprint(changes: dict[str, Any]) -> None:
    assert fingerprint_of(make.graph(), replace(CARD, **changes)) != CARD.fingerprint


def test_the_graph_changes_the_fingerprint_and_calibration_does_not() -> None:
    assert fingerprint_of(make.graph() + make.wire(6, "doc"), CARD) != CARD.fingerprint
    later = replace(CARD, calibration={"slope": 2.0}, summary="new words", min_speech=1.0, fingerprint="")
    assert fingerprint_of(make.graph(), later) == CARD.fingerprint
    assert CARD.fingerprint.startswith("tiny@")
    assert len(CARD.fingerprint) == len("tiny@") + 16
