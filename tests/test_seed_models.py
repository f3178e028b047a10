"""Networks of the seeds as models: exported, loaded by path, fed with files at rates that are not theirs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import modelmakers
import numpy as np
import pytest

import samevoice as sv
from samevoice.audio.decode import open_recording
from samevoice.audio.resample import mix, resample
from samevoice.features.frontend import FrontendSpec, build_frontend
from samevoice.models.card import Window
from samevoice.speech.timeline import Segment, Timeline

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from samevoice.export import export_model  # noqa: E402 (torch first)
from samevoice.networks import build  # noqa: E402
from samevoice.networks.embedding import EmbeddingNetwork  # noqa: E402

SAMPLE = Path(__file__).parents[1] / "samples" / "sample_1a.mp3"  # 48 kHz


def everything(blocks: Iterable[sv.Waveform], /) -> Timeline:
    """A detector to which all is speech."""
    seconds = sum(block.duration for block in blocks)
    return Timeline((Segment(0.0, seconds),), seconds)


def exported(folder: Path, name: str, spec: FrontendSpec, window: Window) -> sv.Model:
    """A model with random weights, opened."""
    torch.manual_seed(3)
    network = build(name).eval()
    assert isinstance(network, EmbeddingNetwork)
    card = modelmakers.card(name=name, rate=spec.rate, dimension=network.dimension, frontend=spec, window=window)
    path = folder / f"{name}.onnx"
    export_model(network, card, path)
    return sv.load_model(path, detector=everything)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("bilstm", FrontendSpec("log-mel", 48_000, 80)),
        ("rescnn-simple", FrontendSpec("psf-64", 16_000, 64)),
    ],
)
def test_the_model_hears_what_the_network_was_trained_on(tmp_path: Path, name: str, spec: FrontendSpec) -> None:
    """From file to vector equals features of the sound at the recipe's rate through torch.

    Frames of padding, whose middle lies behind the end, are no speech.
    """
    model = exported(tmp_path, name, spec, Window(frames=2_000, hop=2_000))
    got = model.embed(SAMPLE)
    recording = open_recording(SAMPLE)
    whole = np.concatenate([mix(block) for block in recording.blocks()])
    samples = resample(sv.Waveform(whole, recording.info.rate), spec.rate).samples
    frontend = build_frontend(spec)
    frames = np.concatenate(list(frontend.walk([samples])))
    middles = np.arange(len(frames)) * frontend.hop + (frontend.width - frontend.lead) / 2
    features = frontend.normalise(frames[middles < len(samples)])
    torch.manual_seed(3)
    with torch.no_grad():
        expected = build(name).eval()(torch.from_numpy(features)[None])[0].numpy()
    assert float(got.vector @ expected / np.linalg.norm(expected)) > 0.9999
    assert got.seconds == pytest.approx(recording.info.declared, abs=0.1)


def test_a_network_of_one_image_size_refuses_less(tmp_path: Path) -> None:
    model = exported(tmp_path, "fbanknet-20k", FrontendSpec("psf-64", 16_000, 64), Window(frames=64, hop=32))
    assert model.embed(SAMPLE).vector.shape == (250,)
    short = sv.Waveform(np.random.default_rng(0).uniform(-0.1, 0.1, 16 * 600).astype(np.float32), 16_000)
    with pytest.raises(sv.NotEnoughSpeech, match=r"0\.6 s of speech found, at least 0\.7 s needed"):
        model.embed(short)
