"""Our network with the published weights against the published code (`data/make_segmentation_expected.py`)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from samevoice.models import store, zoo
from samevoice.models.onnxfile import read_tensors
from samevoice.runtime import open_session
from samevoice.speech import segmentation

EXPECTED = json.loads(
    (Path(__file__).parent.parent / "data" / "segmentation_expected.json").read_text(encoding="utf-8")
)


@pytest.fixture(scope="module")
def scene(samples: Path) -> NDArray[np.float32]:
    """10 s: one voice, both, the other."""
    sound = np.zeros(160_000, dtype=np.float32)
    for name, start, end in EXPECTED["scene"]:
        part, _ = soundfile.read(samples / name, dtype="float32")
        first, length = int(start * 16_000), min(int((end - start) * 16_000), len(part))
        sound[first : first + length] += part[:length]
    return sound


def test_the_expected_values_are_those_of_the_pinned_weights() -> None:
    assert EXPECTED["weights_sha256"] == zoo.entry("segmentation").origin.sha256


def test_the_answers_are_those_of_the_published_code(scene: NDArray[np.float32]) -> None:
    session = open_session(store.load("segmentation")[1], "segmentation", threads=1)
    (found,) = session.run(None, {"samples": scene[None]})
    assert found.shape == (1, EXPECTED["frames"], 7)
    wanted = np.array(EXPECTED["log_probabilities"])
    np.testing.assert_allclose(np.exp(found[0, :: EXPECTED["every"]]), np.exp(wanted), atol=2e-5)
    np.testing.assert_allclose(found[0, :: EXPECTED["every"]], wanted, atol=2e-3)
    assert {1, 2, 3} & set(wanted.argmax(axis=1)), "somebody speaks alone"
    assert {4, 5, 6} & set(wanted.argmax(axis=1)), "two speak at once"


def test_frames_lie_where_the_published_code_says() -> None:
    field, two, centre = EXPECTED["field"]
    assert (field, two - field) == (segmentation.FIELD, segmentation.FRAME)
    assert segmentation.frame_times(2, first=3).tolist() == pytest.approx(
        [(centre + 3 * 270) / 16_000, (centre + 4 * 270) / 16_000]
    )


def test_the_filters_are_those_of_the_published_code() -> None:
    torch = pytest.importorskip("torch")
    from samevoice.networks.pyannet import SincFilters

    prefix = "sincnet.conv1d.0.filterbank."
    tensors = read_tensors(store.load("segmentation")[1])
    filters = SincFilters()
    filters.load_state_dict({key: torch.tensor(tensors[prefix + key]) for key in filters.state_dict()})
    with torch.no_grad():
        bank = filters()[:, 0].numpy()
    for row, wanted in EXPECTED["filters"].items():
        np.testing.assert_allclose(bank[int(row)], wanted, atol=2e-6)
