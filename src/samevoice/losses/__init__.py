"""Losses in torch: one file per family, one line in `LOSSES` each.

Every loss is called as `loss(embeddings, labels)` and gives one float32 number to minimise. Embeddings are raw
outputs of a network, shape (N, d); labels are speaker numbers, int64, shape (N,). A batch of triplets has 3 B rows
(anchors, positives, negatives), a batch of pairs 2 B rows (first sides, second sides), any other needs no order. The
two distillation losses take the teacher's embeddings in place of the labels.

The value is never NaN: embeddings that hold NaN, infinity or absurd lengths are refused, and so are zero vectors
wherever a direction is needed (every loss on cosines); the losses on Euclidean distances take them as they are.

Knows: which losses there are. Does not know: networks, batches, optimisers.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from samevoice.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn

LOSSES: dict[str, str] = {
    "cosine-triplet": "samevoice.losses.triplet:CosineTriplet",
    "semi-hard-triplet": "samevoice.losses.triplet:SemiHardTriplet",
    "contrastive": "samevoice.losses.contrastive:Contrastive",
    "siamese": "samevoice.losses.contrastive:SiameseCrossEntropy",
    "softmax": "samevoice.losses.margin:Softmax",
    "am-softmax": "samevoice.losses.margin:AmSoftmax",
    "aam-softmax": "samevoice.losses.margin:AamSoftmax",
    "subcentre-aam": "samevoice.losses.margin:SubcentreAam",
    "ge2e": "samevoice.losses.prototypical:Ge2eLoss",
    "angular-prototypical": "samevoice.losses.prototypical:AngularPrototypical",
    "cosine-distillation": "samevoice.losses.distillation:CosineDistillation",
    "mse-distillation": "samevoice.losses.distillation:MseDistillation",
}


def build(name: str, options: Mapping[str, float | str | bool] | None = None) -> nn.Module:
    """A loss with its options; those that learn weights of their own start from random ones.

    Args:
        name: a key of `LOSSES`.
        options: arguments of the loss by name, as a recipe holds them; defaults where left out.

    Raises:
        ConfigError: no loss has that name, an option is unknown, missing or out of range, or torch is not installed.
    """
    if name not in LOSSES:
        raise ConfigError(f"loss {name!r} is unknown; use one of {', '.join(sorted(LOSSES))}")
    module, _, attribute = LOSSES[name].partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except ImportError as error:
        raise ConfigError(f"loss {name!r} needs torch; install it with: pip install 'samevoice[train]'") from error
    given = dict(options or {})
    signature = inspect.signature(found)
    try:
        signature.bind(**given)
    except TypeError as error:
        known = ", ".join(signature.parameters) or "no options"
        raise ConfigError(f"loss {name!r} takes {known}; {error}") from error
    loss: nn.Module = found(**given)
    return loss
