"""Any front end feeds any network, where shapes allow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samevoice.audio.decode import open_recording
from samevoice.audio.resample import mix, resample
from samevoice.audio.waveform import Waveform
from samevoice.errors import ConfigError
from samevoice.features.frontend import FrontendSpec, build_frontend

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from samevoice.networks import build  # noqa: E402 (torch first)
from samevoice.networks.embedding import EmbeddingNetwork  # noqa: E402

SPECS = [
    FrontendSpec("psf-64", 16_000, 64),
    FrontendSpec("log-mel", 48_000, 80),
    FrontendSpec("spectrogram", 22_050, 227),
    FrontendSpec("kaldi-fbank", 16_000, 80),
    FrontendSpec("kaldi-fbank", 8_000, 23),
    FrontendSpec("mel-power", 16_000, 40),
]
ANY_BANDS = ["rescnn", "rescnn-simple", "rescnn-clipped", "gru", "bilstm", "ecapa-512", "ecapa-1024", "resnet34"]
FIXED = ["fbanknet", "fbanknet-20k", "spectrogramnet-pooled"]


@pytest.fixture(scope="module")
def sound() -> Waveform:
    recording = open_recording(Path(__file__).parents[2] / "samples" / "librispeech_19_a.flac")
    whole = np.concatenate([mix(block) for block in recording.blocks()])
    return Waveform(whole[:16_000], recording.info.rate)


@pytest.mark.parametrize("name", [*ANY_BANDS, "campplus"])
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.kind}-{spec.bands}")
def test_real_speech_goes_through(name: str, spec: FrontendSpec, sound: Waveform) -> None:
    torch.manual_seed(0)
    network = build(name, {"bands": spec.bands}).eval()
    assert isinstance(network, EmbeddingNetwork)
    features = torch.from_numpy(build_frontend(spec)(resample(sound, spec.rate).samples)[:24])
    with torch.no_grad():
        embeddings = network(torch.stack([features, 0.5 * features]))
    assert embeddings.shape == (2, network.dimension)
    assert bool(embeddings.isfinite().all())
    assert float(embeddings.abs().max()) > 0


@pytest.mark.parametrize("name", FIXED)
def test_networks_of_one_image_size_refuse_other_bands(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"network '{name}' takes [a-z, ]+; got 'bands'"):
        build(name, {"bands": 80})


@pytest.mark.parametrize("name", [*ANY_BANDS, "campplus"])
@pytest.mark.parametrize("bands", [0, -1, 1025, "80", 80.0, True, float("nan")])
def test_absurd_bands_are_refused(name: str, bands: float | str | bool) -> None:
    with pytest.raises(ConfigError, match=rf"bands must be a whole number from 1 to 1024, got {bands!r}"):
        build(name, {"bands": bands})
