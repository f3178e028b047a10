"""The network sees the features of its front end, in slices where it takes so many frames only."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from trainmakers import FRONTENDS, frontend

from samevoice import networks
from samevoice.networks.embedding import EmbeddingNetwork
from samevoice.training.crops import samples_for
from samevoice.training.features import TWINS
from samevoice.training.trainee import Trainee


def network(name: str, **options: float | str | bool) -> EmbeddingNetwork:
    torch.manual_seed(0)
    found = networks.build(name, options)
    assert isinstance(found, EmbeddingNetwork)
    return found.eval()


def sound(trainee: Trainee, batch: int = 3) -> torch.Tensor:
    count = samples_for(trainee.frontend, trainee.frames)
    return 0.1 * torch.randn(batch, count, generator=torch.Generator().manual_seed(1))


NAMES = {
    "psf-64": "fbanknet-20k",
    "log-mel": "bilstm",
    "kaldi-fbank": "ecapa-512",
    "spectrogram": "spectrogramnet-pooled",
}


def test_every_front_end_that_a_network_can_be_trained_on_is_tried() -> None:
    assert set(FRONTENDS) - set(NAMES) == {"mel-power"}  # of published weights alone


@pytest.mark.parametrize(("kind", "twin"), [*((kind, True) for kind in sorted(NAMES)), ("spectrogram", False)])
def test_features_are_those_of_the_front_end(kind: str, twin: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where no twin in torch makes them, but the loading threads."""
    if not twin:
        monkeypatch.delitem(TWINS, kind)
    trainee = Trainee(network(NAMES[kind]), 227 if kind == "spectrogram" else 128)
    crops = sound(trainee)
    assert trainee.frontend.spec.kind == kind
    assert (trainee.prepare is None) == twin
    given = crops
    if trainee.prepare:
        given = torch.from_numpy(np.stack([trainee.prepare(one) for one in crops.numpy()]))
    features, counts = trainee.features(given, torch.full((3,), crops.shape[1]))
    expected = np.stack([frontend(kind)(one) for one in crops.numpy()])
    assert features.shape == (3, trainee.frames, trainee.frontend.spec.bands)
    assert counts.tolist() == [trainee.frames] * 3
    np.testing.assert_allclose(features.numpy(), expected, atol=1e-3)
    with torch.no_grad():
        assert trainee(features, counts).shape == (3, trainee.network.dimension)


def test_crops_that_end_early_have_fewer_frames_of_their_own() -> None:
    trainee = Trainee(network("bilstm"), 50)
    crops = sound(trainee)
    half = crops.shape[1] // 2
    for lengths in ([crops.shape[1], half, 4000], [half, half, 4000]):  # the second batch ends early as a whole
        features, counts = trainee.features(crops, torch.tensor(lengths))
        assert features.shape[:2] == (3, 50)
        assert counts.tolist() == [min(50, trainee.frontend.count(one)) for one in lengths]
        for row, own in enumerate(counts.tolist()):
            assert not features[row, own:].any()
            expected = trainee.frontend(crops[row, : lengths[row]].numpy())[:50]
            np.testing.assert_allclose(features[row, :own].numpy(), expected, atol=2e-4)


def test_a_network_of_so_many_frames_sees_slices() -> None:
    """The mean of the unit vectors of four slices, by a loop."""
    trainee = Trainee(network("fbanknet-20k"), 256)
    features, counts = trainee.features(sound(trainee), torch.full((3,), 10**5).clamp_max(sound(trainee).shape[1]))
    with torch.no_grad():
        found = trainee(features, counts)
        for row in range(3):
            slices = [trainee.network(features[row : row + 1, 64 * n : 64 * n + 64])[0] for n in range(4)]
            mean = torch.stack([one / one.norm() for one in slices]).mean(dim=0)
            torch.testing.assert_close(found[row], mean, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(trainee(features[:, :64], counts), trainee.network(features[:, :64]))
        torch.testing.assert_close(
            trainee(features[:, :100], counts), F.normalize(trainee.network(features[:, :64]), dim=1)
        )


def test_scores_of_slices_are_averaged_as_they_are() -> None:
    trainee = Trainee(network("fbanknet-20k", speakers=7), 128)
    features, counts = trainee.features(sound(trainee), torch.full((3,), sound(trainee).shape[1]))
    scores = cast("Callable[[torch.Tensor], torch.Tensor]", trainee.network.scores)
    with torch.no_grad():
        found = trainee(features, counts, scores=True)
        expected = (scores(features[:, :64]) + scores(features[:, 64:])) / 2
    assert found.shape == (3, 7)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_padding_changes_nothing_for_a_network_that_takes_lengths() -> None:
    short, long = Trainee(network("bilstm"), 30), Trainee(network("bilstm"), 90)
    crops = sound(short)
    count = crops.shape[1]
    wide = torch.nn.functional.pad(crops, (0, samples_for(long.frontend, 90) - count))
    lengths = torch.full((3,), count)
    with torch.no_grad():
        expected = short(*short.features(crops, lengths))
        found = long(*long.features(wide, lengths))
        told_otherwise = long(*long.features(wide, torch.full((3,), wide.shape[1])))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert (told_otherwise - expected).abs().max() > 1e-3
