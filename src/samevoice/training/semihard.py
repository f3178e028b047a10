"""Semi-hard triplets of a batch that has been embedded already, for any triplet loss.

Knows: the layout of the chosen rows. Does not know: the rule itself, which `losses.triplet` holds.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from torch import Tensor

from samevoice.errors import ConfigError
from samevoice.losses.checks import checked_embeddings, checked_labels
from samevoice.losses.triplet import semi_hard_negatives


def semi_hard_triplets(embeddings: Tensor, labels: Tensor) -> Tensor:
    """Every ordered pair of one speaker in the batch, with the nearest negative that is farther than the positive.

    Where none is farther, the farthest negative is taken. Compared are directions; lengths do not matter.

    Args:
        embeddings: shape (N, d), no row a zero vector.
        labels: speaker numbers, shape (N,).

    Returns:
        Row numbers, int64, shape (3 B,): anchors, positives, negatives; `embeddings[rows]` is what a
            triplet loss takes.

    Raises:
        ModelError: wrong shape, NaN, or a zero vector.
        ConfigError: the batch holds no triplet.

    Source: Schroff et al., "FaceNet", CVPR 2015, section 3.2, with SpeechIdentity's way out.
    """
    unit = F.normalize(checked_embeddings(embeddings.detach()), dim=1)
    anchors, positives, negatives = semi_hard_negatives(unit, checked_labels(labels, unit))
    complete = negatives != anchors
    if not bool(complete.any()):
        raise ConfigError(
            f"a batch of {len(unit)} rows holds no triplet, that is two rows of one speaker and one of another; draw "
            f"it with a P x K sampler"
        )
    return torch.cat([anchors[complete], positives[complete], negatives[complete]])
