from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samevoice.errors import ModelError
from samevoice.models import store, zoo
from samevoice.models.onnxfile import fill, read_tensors

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
torch.set_num_threads(1)  # two pools of threads on few cores only wait for each other

from samevoice.export.parity import FRAMES, parity  # noqa: E402
from samevoice.export.skeleton import SKELETONS, arrays, distinct, filled, main, write_skeleton  # noqa: E402
from samevoice.networks import build  # noqa: E402
from samevoice.networks.embedding import EmbeddingNetwork  # noqa: E402


@pytest.mark.slow
def test_campplus_is_the_same_in_torch_and_onnx_at_every_kind_of_length() -> None:
    graph = store.load("campplus")[1]
    network = build("campplus")
    assert isinstance(network, EmbeddingNetwork)
    state = network.state_dict()
    weights = {name: torch.tensor(array) for name, array in read_tensors(graph).items() if name in state}
    network.load_state_dict(weights, strict=False)
    halved = {(frames + 1) // 2 for frames in FRAMES}
    assert min(halved) < 100
    assert {100, 101} <= halved
    assert parity(network.eval(), graph) >= 0.9999
    assert parity(network, graph, [(966, 1), (2000, 1)]) >= 0.9999


def test_ge2e_is_the_same_in_torch_and_onnx() -> None:
    network, graph = filled("ge2e", read_tensors(store.load("ge2e")[1]))
    assert isinstance(network, EmbeddingNetwork)
    assert parity(network, graph, [(1, 1), (80, 3), (160, 1)]) >= 0.9999


def test_a_difference_is_noticed() -> None:
    network, graph = filled("ge2e", arrays(distinct(build("ge2e"))))
    assert isinstance(network, EmbeddingNetwork)
    with torch.no_grad():
        weight = network.get_parameter("linear.weight")
        weight.copy_(weight.flip(0) + 5 * torch.eye(256))
    with pytest.raises(ModelError, match="torch and ONNX differ at 80 frames, batch 3"):
        parity(network, graph, [(80, 3)])


@pytest.mark.parametrize("name", SKELETONS)
def test_the_same_torch_gives_the_committed_bytes(tmp_path: Path, name: str) -> None:
    assert write_skeleton(name, tmp_path).read_bytes() == zoo.entry(name).skeleton


@pytest.mark.parametrize("name", zoo.names())
def test_the_committed_skeletons_are_empty_and_name_every_weight(name: str) -> None:
    skeleton = zoo.entry(name).skeleton
    model = onnx.load_from_string(skeleton)
    shapes = {item.name: tuple(item.dims) for item in model.graph.initializer}
    state = arrays(build(name))
    assert shapes == {key: item.shape for key, item in state.items() if not key.endswith("num_batches_tracked")}
    assert not any(item.raw_data or item.float_data for item in model.graph.initializer)
    assert [item.version for item in model.opset_import] == [17]
    onnx.checker.check_model(onnx.load_from_string(fill(skeleton, state)))


def test_a_folder_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "python -m samevoice.export FOLDER" in capsys.readouterr().err


def test_arrays_are_the_networks_own() -> None:
    network = build("ge2e")
    np.testing.assert_array_equal(arrays(network)["linear.bias"], network.get_parameter("linear.bias").detach().numpy())
