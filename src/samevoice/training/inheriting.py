"""Weights that a student takes over from its teacher before it learns anything.

Knows: names of tensors in a served model. Does not know: what becomes of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from samevoice.errors import ConfigError
from samevoice.models import store
from samevoice.models.onnxfile import read_tensors


def inherit(network: nn.Module, teacher: str, beginnings: Sequence[str]) -> list[str]:
    """Copy tensors of a served model into a network that calls them the same.

    Args:
        network: changed in place.
        teacher: a model of the zoo, or the path of its file.
        beginnings: of the names of the tensors to copy.

    Returns:
        Their names.

    Raises:
        ConfigError: a beginning fits no tensor of the network, or the teacher has none of that name and shape.
        ModelError: the teacher cannot be read.
    """
    _, graph = store.load_file(Path(teacher)) if store.is_path(teacher) else store.load(teacher)
    theirs, own = read_tensors(graph), network.state_dict()
    taken: dict[str, torch.Tensor] = {}
    for beginning in beginnings:
        names = [name for name in own if name.startswith(beginning) and not name.endswith("num_batches_tracked")]
        if not names:
            raise ConfigError(f"network.inherit: the network has no tensor that begins with {beginning!r}")
        for name in names:
            if name not in theirs or theirs[name].shape != tuple(own[name].shape):
                raise ConfigError(
                    f"network.inherit: {teacher} has no tensor {name!r} of shape {tuple(own[name].shape)}; "
                    f"leave it out or choose another teacher"
                )
            taken[name] = torch.from_numpy(np.array(theirs[name], dtype=np.float32))
    network.load_state_dict(taken, strict=False)
    return list(taken)
