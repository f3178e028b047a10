"""Networks in torch: one file each, one line in `NETWORKS` each; the only floor, with `export`, that imports torch.

Knows: which networks there are. Does not know: weights, features, how a network is trained or exported.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from samevoice.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

NETWORKS: dict[str, str] = {
    "campplus": "samevoice.networks.campplus:CamPlusPlus",
    "silero": "samevoice.networks.silero:Silero",
    "ge2e": "samevoice.networks.ge2e:Ge2e",
}


def build(name: str) -> nn.Module:
    """A network with fresh random weights, in training mode.

    Args:
        name: a key of `NETWORKS`.

    Raises:
        ModelError: no network has that name, or torch is not installed.
    """
    if name not in NETWORKS:
        raise ModelError(f"network {name!r} is unknown; use one of {', '.join(sorted(NETWORKS))}")
    module, _, attribute = NETWORKS[name].partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except ImportError as error:
        raise ModelError(f"network {name!r} needs torch; install it with: pip install 'samevoice[train]'") from error
    network: nn.Module = found()
    return network
