"""The segmentation network: its filters against their definition, its shape, and the exported graph."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
torch.set_num_threads(1)

from samevoice.export.skeleton import distinct  # noqa: E402 (torch first)
from samevoice.models import store  # noqa: E402
from samevoice.models.onnxfile import read_tensors  # noqa: E402
from samevoice.networks import build  # noqa: E402
from samevoice.networks.pyannet import PyanNet, SincFilters  # noqa: E402
from samevoice.runtime import open_session  # noqa: E402


def averaged(low: float, high: float) -> NDArray[np.float64]:
    """An even and an odd filter: cosines and sines of all frequencies of a band, averaged, under a Hamming window."""
    phases = np.linspace(low, high, 2_001)[:, None] * 2 * np.pi * np.arange(-125, 126) / 16_000
    parts = np.stack([np.cos(phases), np.sin(phases)])
    mean = (parts[:, :-1] + parts[:, 1:]).mean(axis=1) / 2  # the trapezium rule
    return np.asarray(np.hamming(251) * mean)


@pytest.mark.parametrize("spread", [0.0, 300.0])
def test_filters_are_windowed_averages_over_their_bands(spread: float) -> None:
    """Weights of either sign; edges at least 50 Hz, bands at least as wide, none beyond 8 kHz."""
    filters = SincFilters()
    with torch.no_grad():
        for weight in (filters.low_hz_, filters.band_hz_):
            weight.add_(spread * torch.randn(weight.shape))
        bank = filters()[:, 0].numpy()
    low = 50 + np.abs(filters.low_hz_.detach().numpy()[:, 0])
    high = np.minimum(low + 50 + np.abs(filters.band_hz_.detach().numpy()[:, 0]), 8_000)
    assert bank.shape == (80, 251)
    for band in range(40):
        np.testing.assert_allclose(bank[[band, 40 + band]], averaged(low[band], high[band]), atol=2e-4)


def test_fresh_bands_touch_on_the_mel_scale() -> None:
    filters = SincFilters()
    low, width = filters.low_hz_.detach().squeeze(), filters.band_hz_.detach().squeeze()
    assert low[0].item() == pytest.approx(30, abs=0.01)
    assert (low + width)[-1].item() == pytest.approx(7_900, abs=0.5)
    torch.testing.assert_close(low[:-1] + width[:-1], low[1:])
    mel = 2595 * torch.log10(1 + low / 700)
    torch.testing.assert_close(mel.diff(), mel.diff().mean().expand(39), atol=0.01, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("samples", "frames"), [(1_261, 2), (1_530, 2), (1_531, 3), (16_000, 56), (159_750, 588), (160_000, 589)]
)
def test_a_frame_per_270_samples_each_seeing_991(samples: int, frames: int) -> None:
    with torch.device("meta"):
        network = build("segmentation").eval()
        assert network(torch.empty(2, samples)).shape == (2, frames, 7)


@pytest.mark.parametrize(("batch", "samples"), [(1, 1_261), (3, 16_123), (1, 160_000)])
def test_torch_and_the_model_that_ships_agree(batch: int, samples: int) -> None:
    graph = store.load("segmentation")[1]
    network = PyanNet().eval()
    network.load_state_dict({name: torch.tensor(array) for name, array in read_tensors(graph).items()}, strict=False)
    sound = 0.1 * torch.randn(batch, samples)
    with torch.no_grad():
        wanted = network(sound).numpy()
    (found,) = open_session(graph, "segmentation", threads=1).run(None, {"samples": sound.numpy()})
    assert found.shape == wanted.shape
    np.testing.assert_allclose(np.exp(found), np.exp(wanted), atol=1e-5)


def test_answers_are_distributions_and_windows_do_not_mix() -> None:
    network = distinct(PyanNet())
    sound = 0.1 * torch.randn(3, 8_000)
    with torch.no_grad():
        found = network(sound)
        alone = torch.cat([network(one[None]) for one in sound])
    torch.testing.assert_close(found.exp().sum(dim=2), torch.ones(found.shape[:2]))
    torch.testing.assert_close(found, alone, rtol=1e-4, atol=1e-4)  # batches are summed up in another order
