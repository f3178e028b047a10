"""Losses in torch: one file per family, one line in `LOSSES` each.

Every loss is called as `loss(embeddings, labels)` and gives one float32 number to minimise, computed in float32 also
under autocast. Embeddings are raw outputs of a network, shape (N, d); labels are speaker numbers, int64, shape (N,).
The `layout` of a loss says how a batch must be arranged: "triplets" has 3 B rows (anchors, positives, negatives),
"pairs" 2 B rows (first sides, second sides), "any" needs no order. "cross-entropy" takes a network's own class scores
for embeddings; distillation losses take what a teacher says in place of the labels, "similarity-distillation" what it
says of other clips besides, and two of them what both know of each moment in place of embeddings.

The value is never NaN: embeddings that hold NaN, infinity or absurd lengths are refused, and so are zero vectors
wherever a direction is needed (every loss on cosines); the losses on Euclidean distances take them as they are.

Knows: which losses there are. Does not know: networks, batches, optimisers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from samevoice.options import registered, with_options

if TYPE_CHECKING:
    from torch import nn

    from samevoice.losses.base import Loss

__all__ = ["LOSSES", "Layout", "build"]

Layout = Literal["triplets", "pairs", "any"]
"""How the rows of a batch are arranged: what a loss needs, or what a sampler yields."""

LOSSES: dict[str, str] = {
    "cosine-triplet": "samevoice.losses.triplet:CosineTriplet",
    "semi-hard-triplet": "samevoice.losses.triplet:SemiHardTriplet",
    "contrastive": "samevoice.losses.contrastive:Contrastive",
    "siamese": "samevoice.losses.contrastive:SiameseCrossEntropy",
    "cross-entropy": "samevoice.losses.softmax:CrossEntropy",
    "softmax": "samevoice.losses.softmax:Softmax",
    "am-softmax": "samevoice.losses.margin:AmSoftmax",
    "aam-softmax": "samevoice.losses.margin:AamSoftmax",
    "subcentre-aam": "samevoice.losses.margin:SubcentreAam",
    "ge2e": "samevoice.losses.prototypical:Ge2eLoss",
    "angular-prototypical": "samevoice.losses.prototypical:AngularPrototypical",
    "cosine-distillation": "samevoice.losses.distillation:CosineDistillation",
    "mse-distillation": "samevoice.losses.distillation:MseDistillation",
    "similarity-distillation": "samevoice.losses.distillation:SimilarityDistillation",
    "moment-distillation": "samevoice.losses.distillation:MomentDistillation",
    "statistics-distillation": "samevoice.losses.distillation:StatisticsDistillation",
}


def build(name: str, options: Mapping[str, float | str | bool] | None = None, network: nn.Module | None = None) -> Loss:
    """A loss with its options; those that learn weights of their own start from random ones.

    Args:
        name: a key of `LOSSES`.
        options: arguments of the loss by name, as a recipe holds them; defaults where left out.
        network: the network to train; it answers for what the options leave out, such as the `dimension`, and where
            it has a head that compares two embeddings, "siamese" trains that one. Such a head stays the network's:
            it is not among the loss's parameters.

    Raises:
        ConfigError: no loss has that name, an option is unknown, missing, of another kind or out of range, or torch
            is not installed.
    """
    found: type[Loss] = registered("loss", name, LOSSES)
    brought: dict[str, Any] = {} if network is None else found.brought_by(network)
    return with_options(f"loss {name!r}", found, {**brought, **(options or {})})
