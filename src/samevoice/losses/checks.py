"""What every loss asks of its input before it computes: shapes, types, lengths.

Knows: the layout of a batch. Does not know: any loss.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from samevoice.errors import ModelError

SHORTEST = 1e-6  # the length below which the seeds' normalisation no longer divides: sqrt(1e-12)
LONGEST = 1e12  # squares and sums over a batch still fit float32


def checked_tensor(name: str, value: object, wanted: str) -> Tensor:
    """A torch tensor.

    Raises:
        ModelError: it is something else.
    """
    if not isinstance(value, Tensor):
        raise ModelError(f"{name} must be a torch tensor {wanted}, got {type(value).__name__}")
    return value


def holds_whole_numbers(values: Tensor) -> bool:
    """Whether its numbers are integers; truth values are not."""
    return not (values.is_floating_point() or values.is_complex() or values.dtype == torch.bool)


def checked_embeddings(embeddings: Tensor, *, dimension: int | None = None, directed: bool = True) -> Tensor:
    """Embeddings that a loss can work on, as float32; while a model is compiled, their values are not looked at.

    Args:
        embeddings: any floating-point type, shape (N, d), N and d >= 1.
        dimension: the d that is needed; any when left out.
        directed: the loss looks at directions, so a zero vector has no answer.

    Returns:
        The same values as float32, shape (N, d), with the gradient path kept.

    Raises:
        ModelError: no tensor; wrong shape or type; a row that is NaN, infinite or as long as 1e12; a zero vector
            (shorter than 1e-6) where a direction is needed.
    """
    expected = f"(N, {dimension or 'd'})"
    shape = tuple(checked_tensor("embeddings", embeddings, f"of shape {expected}").shape)
    fits = embeddings.ndim == 2 and 0 not in shape and dimension in {None, shape[-1]}
    if not fits or not embeddings.is_floating_point():
        raise ModelError(
            f"embeddings must be floating-point of shape {expected} with one row per clip, got {embeddings.dtype} "
            f"of shape {shape}"
        )
    single = embeddings.float()
    if torch.compiler.is_compiling():  # a look at the values would break the graph
        return single
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
    """Labels that fit the embeddings, on their device; while a model is compiled, their values are not looked at.

    Args:
        labels: speaker numbers, any integer type, shape (N,).
        embeddings: the embeddings they belong to, shape (N, d).
        speakers: labels must lie in 0 <= label < speakers; any when left out.

    Returns:
        The labels as int64, shape (N,).

    Raises:
        ModelError: no tensor; wrong shape, type or range.
    """
    rows = len(embeddings)
    checked_tensor("labels", labels, f"of integers, shape ({rows},)")
    if tuple(labels.shape) != (rows,) or not holds_whole_numbers(labels):
        raise ModelError(
            f"labels must be integers of shape ({rows},), one per row of the embeddings, got {labels.dtype} of shape "
            f"{tuple(labels.shape)}"
        )
    numbers = labels.to(embeddings.device, torch.int64)
    if speakers is None or torch.compiler.is_compiling():
        return numbers
    if bool(((numbers < 0) | (numbers >= speakers)).any()):
        low, high = int(numbers.min()), int(numbers.max())
        raise ModelError(
            f"labels of shape ({rows},) must lie in 0..{speakers - 1}, got {low}..{high}; build what makes the "
            f"scores for as many speakers as the training set holds"
        )
    return numbers


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
