"""No model is written that its readers would refuse or that could not run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samevoice.errors import ConfigError, ModelError
from samevoice.features.frontend import FrontendSpec
from samevoice.models.card import Window
from samevoice.models.encoder import Encoder, read_model

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
torch.set_num_threads(1)

import netmakers as make  # noqa: E402 (torch first)
from exportmakers import card_of  # noqa: E402

from samevoice.export import export_model, model  # noqa: E402
from samevoice.export.agreement import check_card  # noqa: E402
from samevoice.networks import NETWORKS  # noqa: E402

NINE_FRAMES = 0.025 + 8 * 0.01  # of kaldi-fbank: one of 25 ms and eight steps of 10 ms


def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str, **changes: Any) -> None:
    """A card is refused before the exporter is even asked, and leaves nothing behind."""
    monkeypatch.setattr(model, "trace", lambda *_, **__: pytest.fail("was exported"))
    network, path = make.embedder(name), tmp_path / "new" / "model.onnx"
    with pytest.raises(ModelError, match=f"model.onnx: not written, {message}"):
        export_model(network, card_of(network, **changes), path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_with_its_own_front_end_fits(name: str) -> None:
    network = make.outline(name)
    check_card(network, card_of(network))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"dimension": 192},
            "the card describes 64 bands and 192 dimensions, the network has 64 and 250; mend the card",
        ),
        ({"frontend": FrontendSpec("kaldi-fbank", 16_000, 80)}, "the card describes 80 bands and 250 dimensions"),
        ({"frontend": None}, "the card describes no bands and 250 dimensions"),
        ({"frontend": FrontendSpec("nonsense", 16_000, 64)}, "front end 'nonsense' is unknown here"),
        ({"frontend": FrontendSpec("psf-64", 8_000, 64)}, "front end psf-64 works at 16000 Hz, not at 8000 Hz"),
        ({"frontend": FrontendSpec("psf-64", 16_000, 64, {"a": 1})}, "front end psf-64 takes no options"),
        ({"rate": 8_000}, "the card's rate is 8000 Hz, its front end's 16000 Hz; set both alike"),
        ({"kind": "voice-activity"}, "the card is of kind 'voice-activity', .* set it to 'speaker-embedding'"),
        ({"window": None}, "the card gives no windows, the network takes 64; set the window"),
        ({"window": Window(200, 100)}, "the card gives windows of 200 frames, the network takes 64; set the window"),
        ({"window": Window(63, 32)}, "the card gives windows of 63 frames, the network takes 64; set the window"),
        ({"window": Window(64, 65)}, r"the card would not be read back \(.* impossible window"),
        ({"resampler": "best"}, "the card would not be read back .*'best'"),
        ({"level_dbfs": float("nan")}, "the card would not be read back"),
        ({"min_speech": float("nan")}, "the card would not be read back .* not a finite number"),
        ({"calibration": {"slope": np.float32(1)}}, "the card would not be read back"),
    ],
)
def test_a_card_of_another_network_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], message: str
) -> None:
    refused(tmp_path, monkeypatch, "fbanknet-20k", message, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window": None}, "the card gives no windows, the network takes 9 or more; set the window"),
        ({"window": Window(8, 8)}, "the card gives windows of 8 frames, the network takes 9 or more; set the window"),
        (
            {"min_speech": 0.0999},
            r"the card's min_speech of 0.0999 s may hold fewer frames than the network's 9; set it to .* 0\.105 s",
        ),
    ],
)
def test_a_card_that_lets_too_few_frames_through_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], message: str
) -> None:
    refused(tmp_path, monkeypatch, "resnet34", message, **changes)


def test_the_least_that_a_network_takes_is_enough() -> None:
    network = make.outline("resnet34")
    check_card(network, card_of(network, window=Window(9, 9), min_speech=NINE_FRAMES))
    with pytest.raises(ModelError, match="min_speech"):
        check_card(network, card_of(network, min_speech=NINE_FRAMES - 0.001))
    single = make.outline("rescnn-simple")
    check_card(single, card_of(single, window=Window(1, 1), min_speech=0.0))


def test_weights_of_another_kind_are_refused(tmp_path: Path) -> None:
    network = make.embedder("fbanknet-20k")
    with pytest.raises(ConfigError, match="weights 'int4' cannot be written; choose one of float32, int8"):
        export_model(network, card_of(network), tmp_path / "model.onnx", weights="int4")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_network_of_one_length_says_so_in_its_file(tmp_path: Path) -> None:
    """And one of any length does not."""
    for name, frames in (("fbanknet-20k", 64), ("bilstm", None)):
        network = make.embedder(name)
        export_model(network, card_of(network), tmp_path / "model.onnx")
        assert Encoder(*read_model(tmp_path / "model.onnx"), threads=1).frames == frames
