"""Training: which recordings make up a batch; runs, recipes and checkpoints are to join.

Knows: corpora as numbered utterances and speakers, and which samplers there are. Does not know: how a trained model is
used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from samevoice.errors import ConfigError
from samevoice.options import registered, with_options

if TYPE_CHECKING:
    from samevoice.losses.base import Loss
    from samevoice.training.index import UtteranceIndex
    from samevoice.training.sampler import Sampler

SAMPLERS: dict[str, str] = {
    "random-triplets": "samevoice.training.triplets:TripletSampler",
    "mined-triplets": "samevoice.training.mining:MinedTripletSampler",
    "pxk": "samevoice.training.pk:PkSampler",
    "pairs": "samevoice.training.pairs:PairSampler",
    "buffer": "samevoice.training.buffer:BufferSampler",
}


def build_sampler(
    name: str, index: UtteranceIndex, options: Mapping[str, int | bool] | None = None, seed: int = 0
) -> Sampler:
    """A sampler with its options, at its first batch.

    Args:
        name: a key of `SAMPLERS`.
        index: the corpus.
        options: arguments of the sampler by name, as a recipe holds them; defaults where left out.
        seed: whole number >= 0.

    Raises:
        ConfigError: no sampler has that name, an option is unknown, of another kind or out of range, or the data do
            not hold what it needs.
    """
    found: type[Sampler] = registered("sampler", name, SAMPLERS)
    return with_options(f"sampler {name!r}", found, options or {}, {"index": index, "seed": seed})


def check_layouts(sampler: Sampler, loss: Loss) -> None:
    """Refuse a loss that would misread the batches of a sampler, before the first of them is drawn.

    Not for triplets chosen within a batch (`semihard.semi_hard_triplets`): those have the layout "triplets" whatever
    the sampler yields.

    Args:
        sampler: what yields the batches.
        loss: what gets their embeddings.

    Raises:
        ConfigError: the loss needs its rows in an order that the sampler does not give them.
    """
    if loss.layout not in ("any", sampler.layout):
        raise ConfigError(
            f"{type(loss).__name__} needs batches of {loss.layout}, but sampler {sampler.kind!r} yields rows of layout "
            f"{sampler.layout!r}; use a sampler of {loss.layout} or a loss that needs no order"
        )
