"""VBx: which speaker each window belongs to, by variational Bayes over a hidden Markov model of speakers.

Every window is a vector whose within-speaker covariance is the identity and whose between-speaker covariance is
diagonal (a PLDA model in its own coordinates). The posterior alternates between the speakers, given who speaks when,
and who speaks when, given the speakers; speakers that explain nothing lose their prior and vanish.

Knows: vectors, posteriors. Does not know: audio, how windows were cut, how the vectors were made.
Source: Landini, Profant, Diez and Burget, "Bayesian HMM clustering of x-vector sequences (VBx) in speaker diarization",
Computer Speech and Language 71, 2022; equation numbers below are those of Diez, Burget, Landini and Cernocky,
"Analysis of speaker diarization based on Bayesian HMM with eigenvoice priors", IEEE/ACM TASLP 28, 2020.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

VANISHED = 1e-7  # a speaker's prior below which nobody speaks with that voice
RAREST = 1e-100  # a prior is no lower, so that no window is impossible for everybody


@dataclass(frozen=True, slots=True)
class VbxOptions:
    """How VBx weighs evidence.

    Args:
        evidence: weight of the windows (the paper's F_A), > 0; below 1, because neighbours are not independent.
        regularisation: weight of the prior over speakers (F_B), > 0; higher leaves fewer speakers.
        stay: probability that the next window has the same speaker without a draw, in [0, 1); 0 makes the order of
            windows meaningless, and the model a mixture.
        rounds: at most.
        tolerance: smallest gain of the bound, per window, that is worth another round.
    """

    evidence: float = 0.3
    regularisation: float = 17.0
    stay: float = 0.9
    rounds: int = 40
    tolerance: float = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """What VBx found.

    Args:
        shares: probability of each speaker in each window, float64 (n, k); rows sum to 1.
        priors: how much of the recording each speaker is expected to have, float64 (k,); sums to 1.
        bound: the evidence lower bound after each round.
    """

    shares: Array
    priors: Array
    bound: tuple[float, ...]

    @property
    def present(self) -> NDArray[np.intp]:
        """The speakers that did not vanish."""
        return np.flatnonzero(self.priors > VANISHED)


def vbx(vectors: ArrayLike, between: ArrayLike, shares: ArrayLike, options: VbxOptions | None = None) -> Posterior:
    """Refine who speaks in which window.

    Args:
        vectors: windows in order of time, float (n, d), n >= 1, with unit covariance within a speaker and mean 0 over
            all speakers.
        between: variances between speakers, float (d,), >= 0.
        shares: where to start, float (n, k): rows sum to 1.
        options: weights.

    Returns:
        The posterior, over the same k speakers in the same order.
    """
    rules = options or VbxOptions()
    x, phi = np.asarray(vectors, dtype=np.float64), np.asarray(between, dtype=np.float64)
    gamma = np.asarray(shares, dtype=np.float64)
    priors = np.full(gamma.shape[1], 1.0 / gamma.shape[1])
    constant = -0.5 * (np.square(x).sum(axis=1) + x.shape[1] * np.log(2 * np.pi))[:, None]
    rho = x * np.sqrt(phi)
    ratio = rules.evidence / rules.regularisation
    bounds: list[float] = []
    for _ in range(rules.rounds):
        precision = 1.0 / (1.0 + ratio * gamma.sum(axis=0)[:, None] * phi)  # (17), inverted; diagonal
        mean = ratio * precision * (gamma.T @ rho)  # (16)
        likelihood = rules.evidence * (rho @ mean.T - 0.5 * (precision + np.square(mean)) @ phi + constant)  # (23)
        gamma, total, priors = _posterior(likelihood, priors, rules.stay)
        speakers = 0.5 * rules.regularisation * (np.log(precision) - precision - np.square(mean) + 1.0).sum()
        bounds.append(float(total + speakers))  # (25)
        if len(bounds) > 1 and bounds[-1] - bounds[-2] < rules.tolerance * len(x):
            break
    return Posterior(gamma, priors, tuple(bounds))


def _posterior(likelihood: Array, priors: Array, stay: float) -> tuple[Array, float, Array]:
    """Shares of speakers in each window, log of the evidence, and new priors, by forward and backward recursion.

    The windows are cut into about as many blocks as each has windows. What a block makes of any message is found for
    all blocks at once, then the message into each block from one to the next, then all within: the same numbers but
    for rounding, in three times sqrt(n) steps of Python and not n.

    Args:
        likelihood: logarithms, float (n, k).
        priors: float (k,).
        stay: probability of no draw.
    """
    count, speakers = likelihood.shape
    length = int(np.ceil(np.sqrt(count)))
    blocks = -(-count // length)
    highest = likelihood.max(axis=1, keepdims=True)
    evidence = np.ones((blocks * length, speakers))  # windows that are only there to fill the last block change nothing
    evidence[:count] = np.exp(likelihood - highest)  # of each window, up to a factor that cancels
    evidence = evidence.reshape(blocks, length, speakers).swapaxes(0, 1)  # by place in the block
    priors = np.maximum(priors, RAREST)
    first = np.broadcast_to(priors, (blocks, speakers)).copy()
    after = np.ones((blocks, speakers))  # up to factors
    if blocks > 1:
        across = _transfers(evidence, priors, stay)
        for block in range(blocks - 1):
            first[block + 1] = _scaled(first[block] @ across[block])
        for block in range(blocks - 1, 0, -1):
            after[block - 1] = _scaled(across[block] @ after[block])
        after = stay * after + (1 - stay) * (after @ priors)[:, None]
    forward, backward = np.empty(evidence.shape), np.empty(evidence.shape)
    scales = np.empty((length, blocks, 1))
    message = first
    for step in range(length):
        joint = message * evidence[step]
        scales[step] = joint.sum(axis=1, keepdims=True)
        forward[step] = joint / scales[step]
        message = stay * forward[step] + (1 - stay) * priors
    # The message back into a block is known up to a factor: with the one forward it makes a probability.
    backward[-1] = after / (forward[-1] * after).sum(axis=1, keepdims=True)
    for step in range(length - 1, 0, -1):
        arriving = evidence[step] * backward[step] / scales[step]
        backward[step - 1] = stay * arriving + (1 - stay) * (arriving @ priors)[:, None]
    in_time = (array.swapaxes(0, 1).reshape(blocks * length, -1)[:count] for array in (forward * backward, scales))
    shares, scale = in_time
    shares = shares / shares.sum(axis=1, keepdims=True)
    # Draws of each speaker: the first window's, and those that entered through the prior (22).
    entered = (evidence * backward / scales).swapaxes(0, 1).reshape(blocks * length, -1)[1:count]
    draws = shares[0] + (1 - stay) * priors * entered.sum(axis=0)
    return shares, float(np.log(scale).sum() + highest.sum()), draws / draws.sum()


def _transfers(evidence: Array, priors: Array, stay: float) -> Array:
    """What each block makes of a message, (blocks, k, k), up to a factor: from any speaker before it to any after it.

    Args:
        evidence: by place in the block, (length, blocks, k).
        priors: (k,).
        stay: probability of no draw.
    """
    _, blocks, speakers = evidence.shape
    found = np.broadcast_to(np.eye(speakers), (blocks, speakers, speakers))
    for at in evidence:
        joint = found * at[:, None]
        total = joint.sum(axis=2, keepdims=True)
        found = stay * joint + (1 - stay) * priors * total
        found /= total.max(axis=1, keepdims=True)
    return found


def _scaled(message: Array) -> Array:
    """The message with sum 1."""
    scaled: Array = message / message.sum()
    return scaled
