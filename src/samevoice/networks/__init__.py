"""Networks in torch: one file each, one line in `NETWORKS` each; with losses, training and export the torch floors.

Knows: which networks there are. Does not know: weights, features, how a network is trained or exported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from samevoice.options import registered, with_options

if TYPE_CHECKING:
    from torch import nn

__all__ = ["NETWORKS", "ZOO", "build"]

NETWORKS: dict[str, str] = {
    "rescnn": "samevoice.networks.rescnn:ResCnn",
    "rescnn-simple": "samevoice.networks.rescnn:simple",
    "rescnn-clipped": "samevoice.networks.rescnn:clipped",
    "gru": "samevoice.networks.gru:GruNet",
    "fbanknet": "samevoice.networks.fbanknet:FBankNet",
    "fbanknet-20k": "samevoice.networks.fbanknet:small",
    "spectrogramnet": "samevoice.networks.spectrogramnet:faithful",
    "spectrogramnet-pooled": "samevoice.networks.spectrogramnet:pooled",
    "bilstm": "samevoice.networks.bilstm:BiLstm",
    "ecapa-512": "samevoice.networks.ecapa:ecapa_512",
    "ecapa-1024": "samevoice.networks.ecapa:ecapa_1024",
    "resnet34": "samevoice.networks.resnet:ResNet34",
    "campplus": "samevoice.networks.campplus:CamPlusPlus",
    "small": "samevoice.networks.small:Small",
}
"""Networks to train, by name: a class, or a function that makes one of its sizes; keyword-only arguments: options."""

ZOO: dict[str, str] = {
    "silero": "samevoice.networks.silero:Silero",
    "segmentation": "samevoice.networks.pyannet:PyanNet",
    "ge2e": "samevoice.networks.ge2e:Ge2e",
}
"""Networks that are here only to run published weights."""


def build(name: str, options: Mapping[str, float | str | bool] | None = None) -> nn.Module:
    """A network with fresh random weights, in training mode.

    Args:
        name: a key of `NETWORKS` or `ZOO`.
        options: arguments of the network by name, as a recipe holds them; defaults where left out. Most take `bands`,
            the numbers per frame of another front end than their own; those that look at images of one size do not.

    Raises:
        ConfigError: no network has that name, an option is unknown, of another kind or out of range, or torch is not
            installed.
    """
    found = registered("network", name, NETWORKS | ZOO)
    network: nn.Module = with_options(f"network {name!r}", found, options or {}, keyword_only=True)
    return network
