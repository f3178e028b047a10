"""Networks in torch: one file each, one line in `NETWORKS` each; with losses, training and export the torch floors.

Knows: which networks there are. Does not know: weights, features, how a network is trained or exported.
"""

from __future__ import annotations

from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING

from samevoice.errors import ConfigError, ModelError
from samevoice.features.frontend import MAX_BANDS

if TYPE_CHECKING:
    from torch import nn

NETWORKS: dict[str, str] = {
    "rescnn": "samevoice.networks.rescnn:ResCnn",
    "rescnn-simple": "samevoice.networks.rescnn:simple",
    "rescnn-clipped": "samevoice.networks.rescnn:clipped",
    "gru": "samevoice.networks.gru:GruNet",
    "fbanknet": "samevoice.networks.fbanknet:FBankNet",
    "fbanknet-20k": "samevoice.networks.fbanknet:small",
    "spectrogramnet": "samevoice.networks.spectrogramnet:faithful",
    "spectrogramnet-pooled": "samevoice.networks.spectrogramnet:SpectrogramNet",
    "bilstm": "samevoice.networks.bilstm:BiLstm",
    "ecapa-512": "samevoice.networks.ecapa:ecapa_512",
    "ecapa-1024": "samevoice.networks.ecapa:ecapa_1024",
    "resnet34": "samevoice.networks.resnet:ResNet34",
    "campplus": "samevoice.networks.campplus:CamPlusPlus",
}
"""Networks to train, by name: a class, or a function without arguments that makes one of its sizes."""

ZOO: dict[str, str] = {"silero": "samevoice.networks.silero:Silero", "ge2e": "samevoice.networks.ge2e:Ge2e"}
"""Networks that are here only to run published weights."""


def build(name: str, *, bands: int | None = None) -> nn.Module:
    """A network with fresh random weights, in training mode.

    Args:
        name: a key of `NETWORKS` or `ZOO`.
        bands: numbers per frame, for another front end than the network's own; those that look at images of one size
            take no other.

    Raises:
        ModelError: no network has that name, or torch is not installed.
        ConfigError: the network takes no other bands, or there cannot be so many.
    """
    homes = NETWORKS | ZOO
    if name not in homes:
        raise ModelError(f"network {name!r} is unknown; use one of {', '.join(sorted(homes))}")
    module, _, attribute = homes[name].partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except ImportError as error:
        raise ModelError(f"network {name!r} needs torch; install it with: pip install 'samevoice[train]'") from error
    if bands is not None and "bands" not in signature(found).parameters:
        raise ConfigError(f"network {name!r} takes the features of its own front end only; leave out the bands")
    if bands is not None and not 1 <= bands <= MAX_BANDS:
        raise ConfigError(f"network {name!r} takes 1 to {MAX_BANDS} bands, not {bands}; set those of the front end")
    network: nn.Module = found() if bands is None else found(bands=bands)
    return network
