"""Networks in torch: one file each, one line in `NETWORKS` each; with losses, training and export the torch floors.

Knows: which networks there are. Does not know: weights, features, how a network is trained or exported.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING

from samevoice.errors import ConfigError, ModelError

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
    "spectrogramnet-pooled": "samevoice.networks.spectrogramnet:pooled",
    "bilstm": "samevoice.networks.bilstm:BiLstm",
    "ecapa-512": "samevoice.networks.ecapa:ecapa_512",
    "ecapa-1024": "samevoice.networks.ecapa:ecapa_1024",
    "resnet34": "samevoice.networks.resnet:ResNet34",
    "campplus": "samevoice.networks.campplus:CamPlusPlus",
}
"""Networks to train, by name: a class, or a function that makes one of its sizes; keyword-only arguments: options."""

ZOO: dict[str, str] = {"silero": "samevoice.networks.silero:Silero", "ge2e": "samevoice.networks.ge2e:Ge2e"}
"""Networks that are here only to run published weights."""


def build(name: str, options: Mapping[str, float | str | bool] | None = None) -> nn.Module:
    """A network with fresh random weights, in training mode.

    Args:
        name: a key of `NETWORKS` or `ZOO`.
        options: arguments of the network by name, as a recipe holds them; defaults where left out. Most take `bands`,
            the numbers per frame of another front end than their own; those that look at images of one size do not.

    Raises:
        ModelError: no network has that name, or torch is not installed.
        ConfigError: an option is unknown, of another kind or out of range.
    """
    homes = NETWORKS | ZOO
    if name not in homes:
        raise ModelError(f"network {name!r} is unknown; use one of {', '.join(sorted(homes))}")
    module, _, attribute = homes[name].partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except ImportError as error:
        raise ModelError(f"network {name!r} needs torch; install it with: pip install 'samevoice[train]'") from error
    given = dict(options or {})
    known = [key for key, one in signature(found).parameters.items() if one.kind is one.KEYWORD_ONLY]
    if unknown := [key for key in given if key not in known]:
        raise ConfigError(f"network {name!r} takes {', '.join(known) or 'no options'}; got {unknown[0]!r}")
    network: nn.Module = found(**given)
    return network
