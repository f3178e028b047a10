"""What every loss asks of its input before it computes: shapes, types, lengths, options.

Knows: the layout of a batch. Does not know: any loss.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from samevoice.errors import ConfigError, ModelError

SHORTEST = 1e-6  # the length below which the seeds' normalisation no longer divides: sqrt(1e-12), spec 1.5
LONGEST = 1e12  # squares and sums over a batch still fit float32


def checked_embeddings(embeddings: Tensor, *, dimension: int | None = None, directed: bool = True) -> Tensor:
    """Embeddings that a loss can work on, as float32.

    Args:
        embeddings: any floating-point type, shape (N, d), N and d >= 1.
        dimension: the d that is needed; any when left out.
        directed: the loss looks at directions, so a zero vector has no answer.

    Returns:
        The same values as float32, shape (N, d), with the gradient path kept.

    Raises:
        ModelError: wrong shape or type; a row that is NaN, infinite or as long as 1e12; a zero vector (shorter than
            1e-6) where a direction is needed.
    """
    shape = tuple(embeddings.shape)
    expected = f"(N, {dimension or 'd'})"
    fits = embeddings.ndim == 2 and 0 not in shape and dimension in {None, shape[-1]}
    if not fits or not embeddings.is_floating_point():
        raise ModelError(
            f"embeddings must be floating-point of shape {expected} with one row per clip, got {embeddings.dtype} "
            f"of shape {shape}"
        )
    single = embeddings.float()
    lengths = torch.linalg.vector_norm(single.detach(), dim=1)
    if not bool((lengths < LONGEST).all()):  # NaN compares false
        row = int((~(lengths < LONGEST)).nonzero()[0])
        raise ModelError(
            f"embeddings of shape {expected} must be finite, but row {row} is NaN, infinite or longer than "
            f"{LONGEST:.0e}; look for NaN in the features, then lower the learning rate"
        )
    if directed and bool((lengths < SHORTEST).any()):
        row = int((lengths < SHORTEST).nonzero()[0])
        raise ModelError(
            f"embeddings of shape {expected} need a direction, but row {row} is a zero vector; leave out silent clips "
            f"and check that the network's last layer can be negative"
        )
    return single


def checked_labels(labels: Tensor, embeddings: Tensor, *, speakers: int | None = None) -> Tensor:
    """Labels that fit the embeddings, on their device.

    Args:
        labels: speaker numbers, any integer type, shape (N,).
        embeddings: the embeddings they belong to, shape (N, d).
        speakers: labels must lie in 0 <= label < speakers; any when left out.

    Returns:
        The labels as int64, shape (N,).

    Raises:
        ModelError: wrong shape, type or range.
    """
    rows = len(embeddings)
    whole = not (labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool)
    if tuple(labels.shape) != (rows,) or not whole:
        raise ModelError(
            f"labels must be integers of shape ({rows},), one per row of the embeddings, got {labels.dtype} of shape "
            f"{tuple(labels.shape)}"
        )
    if speakers is not None and bool(((labels < 0) | (labels >= speakers)).any()):
        low, high = int(labels.min()), int(labels.max())
        raise ModelError(
            f"labels of shape ({rows},) must lie in 0..{speakers - 1}, got {low}..{high}; build the loss for as many "
            f"speakers as the training set holds"
        )
    return labels.to(embeddings.device, torch.int64)


def split(rows: Tensor, parts: Sequence[str]) -> tuple[Tensor, ...]:
    """Cut a batch into equal blocks of rows.

    Args:
        rows: shape (k B, ...), B blocks' rows one block after the other.
        parts: what the k blocks hold, in order; only for the message.

    Returns:
        k tensors of shape (B, ...).

    Raises:
        ModelError: the rows do not divide by k.
    """
    count = len(parts)
    if len(rows) % count:
        raise ModelError(
            f"a batch of {', '.join(parts)} must have shape ({count} B, ...), got {tuple(rows.shape)}; give it a "
            f"number of rows that divides by {count}"
        )
    return rows.chunk(count)


def checked_number(name: str, value: float, *, above: float | None = None, low: float = 0, high: float = 1e6) -> float:
    """A setting that lies in low <= value <= high and, where `above` is given, value > above.

    Raises:
        ConfigError: it does not, or it is no number.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high or (above is not None and value <= above):
        least = f"above {above:g}" if above is not None else f"at least {low:g}"
        raise ConfigError(f"{name} must be a number {least} and at most {high:g}, got {value!r}")
    return float(value)


def checked_size(name: str, value: int, least: int = 1) -> int:
    """A whole number of at least `least`.

    Raises:
        ConfigError: it is none.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return value
