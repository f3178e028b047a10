from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

import netmakers as make  # noqa: E402 (torch first)

from samevoice.networks.rescnn import ResCnn, Residual, clipping_residual  # noqa: E402

# Trainable parameters of each stage, as the seeds' models count them.
STAGES = {
    "rescnn": [224_128, 1_092_224, 4_363_520, 17_443_328],
    "rescnn-simple": [138_688, 749_312, 2_989_568],
    "rescnn-clipped": [224_128, 1_092_224, 4_363_520, 17_443_328],
}
STATISTICS = {"rescnn": 13_440, "rescnn-simple": 8_960, "rescnn-clipped": 13_440}


@pytest.mark.parametrize(("name", "stages"), STAGES.items())
def test_seed_rescnn_has_the_parameters_of_every_stage(name: str, stages: list[int]) -> None:
    network = make.outline(name)
    assert isinstance(network, ResCnn)
    assert [make.trainable(stage) for stage in network.stages] == stages
    assert make.trainable(network.affine) == 1_049_088
    assert make.trainable(network) == sum(stages) + 1_049_088
    statistics = [item for key, item in network.named_buffers() if "running" in key]
    assert sum(item.numel() for item in statistics) == STATISTICS[name]


def test_seed_rescnn_24m_counts_and_shapes() -> None:
    network = make.embedder("rescnn")
    assert isinstance(network, ResCnn)
    assert make.trainable(network) == 24_172_288
    features = make.features(network, batch=2, frames=160)
    with torch.no_grad():
        steps, embeddings = network.steps(features), network(features)
        image = features.unsqueeze(1)
        for stage, shape in zip(network.stages, [(64, 80, 32), (128, 40, 16), (256, 20, 8), (512, 10, 4)], strict=True):
            image = stage(image)
            assert image.shape == (2, *shape)
    assert steps.shape == (2, 10, 2048)
    assert embeddings.shape == (2, 512)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))


def test_seed_rescnn_simple_counts_and_shapes() -> None:
    network = make.embedder("rescnn-simple")
    assert isinstance(network, ResCnn)
    assert make.trainable(network) == 4_926_656
    features = make.features(network, batch=2, frames=160)
    with torch.no_grad():
        assert network.steps(features).shape == (2, 20, 2048)
        torch.testing.assert_close(network(features).norm(dim=1), torch.ones(2))


def test_seed_rescnn_clipped_differs_with_the_same_weights() -> None:
    plain, clipped = make.embedder("rescnn"), make.embedder("rescnn-clipped", seed=5)
    clipped.load_state_dict(plain.state_dict())  # strictly: every name and shape is the same
    features = make.features(plain, frames=160)
    with torch.no_grad():
        assert not torch.allclose(plain(features), clipped(features), atol=1e-3)


def test_seed_rescnn_clipped_branch_only_adds() -> None:
    torch.manual_seed(0)
    plain, clipping = Residual(4), clipping_residual(4)
    clipping.load_state_dict(plain.state_dict())
    image = 20 * torch.rand(3, 4, 8, 8)
    with torch.no_grad():
        assert bool((clipping(image) >= image).all())
        assert not bool((plain(image) >= image).all())


@pytest.mark.parametrize("name", ["rescnn", "rescnn-simple"])
@pytest.mark.parametrize("frames", [1, 15, 16, 17, 60, 161])
def test_any_number_of_frames_fits(name: str, frames: int) -> None:
    network = make.outline(name).eval()
    assert isinstance(network, ResCnn)
    halvings = len(network.stages)
    steps = network.steps(torch.empty(1, frames, 64, device="meta"))
    assert steps.shape == (1, -(-frames // 2**halvings), 2048)


def test_the_memory_layout_changes_nothing() -> None:
    network = make.embedder("rescnn-simple")
    features = make.features(network)
    with torch.no_grad():
        found = network(features)
        plain = network.to(memory_format=torch.contiguous_format)(features)  # type: ignore[call-overload]
    torch.testing.assert_close(found, plain, atol=1e-5, rtol=1e-4)
