from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from samevoice.models import store, zoo
from samevoice.runtime import open_session

EXPECTED = json.loads((Path(__file__).parent.parent / "data" / "silero_expected.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def windows(samples: Path) -> NDArray[np.float32]:
    """The sample as windows of 64 + 512 samples."""
    sound, _ = soundfile.read(samples / EXPECTED["sample"], dtype="float32")
    padded = np.concatenate([np.zeros(64, dtype=np.float32), sound])
    return np.stack([padded[start : start + 576] for start in range(0, len(sound) - 511, 512)])


@pytest.fixture(scope="module")
def session() -> Any:
    """Our network with the published weights."""
    return open_session(store.load("silero")[1], "silero", threads=1)


def run(session: Any, windows: NDArray[np.float32], state: NDArray[np.float32] | None = None) -> Any:
    start = np.zeros((2, 1, 128), dtype=np.float32) if state is None else state
    return session.run(None, {"windows": windows, "state": start})


def test_the_expected_values_are_those_of_the_pinned_graph() -> None:
    assert EXPECTED["graph_sha256"] == zoo.entry("silero").origin.sha256


def test_one_call_equals_the_published_graph_window_by_window(session: Any, windows: NDArray[np.float32]) -> None:
    probabilities, state = run(session, windows)
    np.testing.assert_allclose(probabilities, EXPECTED["probabilities"], atol=1e-5)
    np.testing.assert_allclose(state.ravel(), EXPECTED["last_state"], atol=1e-5)
    assert probabilities.min() < 0.1
    assert probabilities.max() > 0.9


@pytest.mark.parametrize("cut", [1, 77, 201])
def test_two_calls_equal_one(session: Any, windows: NDArray[np.float32], cut: int) -> None:
    first, state = run(session, windows[:cut])
    second, _ = run(session, windows[cut:], state)
    np.testing.assert_allclose(np.concatenate([first, second]), run(session, windows)[0], atol=1e-6)
