"""The network in the package, with the weights that users get: torch, ONNX Runtime and 8 bits place a voice alike.

(The page in the browser is compared with ONNX Runtime by `tests/web/test_local_mode.py`.)
"""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402
import soundfile  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from samevoice.export.int8 import with_int8_weights  # noqa: E402
from samevoice.loading import load_model  # noqa: E402
from samevoice.models import store  # noqa: E402
from samevoice.models.encoder import Encoder  # noqa: E402
from samevoice.networks.small import Small  # noqa: E402
from samevoice.speech.vad import everything  # noqa: E402
from samevoice.training.inheriting import inherit  # noqa: E402

SAMPLES = ("philippe_1.flac", "philippe_2.flac", "librispeech_1255_a.flac", "librispeech_19_a.flac")
MIDDLE = 12_000  # samples on either side of it


@pytest.fixture(scope="module")
def features(samples: Path) -> NDArray[np.float32]:
    """Of a second and a half from the middle of each recording, (4, 148, 80)."""
    model, found = load_model("small", threads=1, detector=everything), []
    for name in SAMPLES:
        sound, rate = soundfile.read(samples / name, dtype="float32")
        assert rate == model.card.rate
        found.append(model.frontend(sound[len(sound) // 2 - MIDDLE : len(sound) // 2 + MIDDLE]))
    return np.stack(found)


@pytest.fixture(scope="module")
def served(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """What ONNX Runtime answers, (4, 192)."""
    return Encoder(*store.load("small"), 1)(features)


def cosines(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    found: NDArray[np.float64] = np.sum(first.astype(np.float64) * second, axis=1) / lengths
    return found


def test_torch_answers_like_onnx_runtime(features: NDArray[np.float32], served: NDArray[np.float32]) -> None:
    network = Small().eval()
    assert set(inherit(network, "small", [""])) >= set(dict(network.named_parameters()))
    with torch.inference_mode():
        found = network(torch.from_numpy(features)).numpy()
    assert cosines(found, served).min() > 1 - 1e-6
    np.testing.assert_allclose(found, served, atol=1e-3 * float(np.abs(served).max()))
    assert cosines(served[:1], served[2:3])[0] < 0.5  # two people: not everything is alike


def test_weights_in_8_bits_keep_a_voice_in_its_place(
    features: NDArray[np.float32], served: NDArray[np.float32]
) -> None:
    card, graph = store.load("small")
    smaller = with_int8_weights(graph)
    assert len(smaller) < 0.35 * len(graph)
    found = Encoder(card, smaller, 1)(features)
    assert cosines(found, served).min() > 0.985
    np.testing.assert_array_less(np.abs(cosines(found[:2], found[2:]) - cosines(served[:2], served[2:])), 0.05)
