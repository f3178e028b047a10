"""The oracle here is written from the papers alone, with a full matrix of transitions and logarithms throughout."""

from __future__ import annotations

import numpy as np
import pytest
from clustermakers import Array, Labels
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from samevoice.diarization.vbx import Posterior, VbxOptions, vbx

SEEDS = st.integers(0, 2**31)
STAY = st.sampled_from([0.0, 0.3, 0.9, 0.99])


def conversation(
    seed: int, windows: int = 40, speakers: int = 3, dimension: int = 6, apart: float = 3.0
) -> tuple[Array, Array, Labels]:
    """Windows of speakers who take turns, the variances between them, and who speaks."""
    generator = np.random.default_rng(seed)
    between = np.sort(generator.uniform(0.2, apart, dimension))[::-1] ** 2
    centres = generator.standard_normal((speakers, dimension)) * np.sqrt(between)
    who = np.repeat(generator.integers(0, speakers, windows), generator.integers(1, 6, windows))[:windows]
    return centres[who] + generator.standard_normal((windows, dimension)), between, who


def start(seed: int, windows: int, speakers: int) -> Array:
    """Shares to begin with."""
    return np.random.default_rng(seed).dirichlet(np.ones(speakers), windows)


def one_round(x: Array, phi: Array, gamma: Array, priors: Array, rules: VbxOptions) -> tuple[Array, Array, float]:
    """One round of VBx by the equations of the papers: new shares, new priors, the bound."""
    windows, dimension = x.shape
    speakers = gamma.shape[1]
    ratio = rules.evidence / rules.regularisation
    scaled = x * np.sqrt(phi)
    log = np.zeros((windows, speakers))
    prior_term = 0.0
    for speaker in range(speakers):
        covariance = np.linalg.inv(np.eye(dimension) + ratio * gamma[:, speaker].sum() * np.diag(phi))
        mean = ratio * covariance @ sum(gamma[t, speaker] * scaled[t] for t in range(windows))
        for t in range(windows):
            normal = -0.5 * (x[t] @ x[t]) - dimension / 2 * np.log(2 * np.pi)
            expected = np.trace(np.diag(phi) @ (covariance + np.outer(mean, mean)))
            log[t, speaker] = rules.evidence * (mean @ scaled[t] - 0.5 * expected + normal)
        # Minus the divergence of the speaker's posterior from a standard normal distribution.
        _, determinant = np.linalg.slogdet(covariance)
        prior_term += 0.5 * (dimension + determinant - np.trace(covariance) - mean @ mean)
    with np.errstate(divide="ignore"):
        moves = np.log(rules.stay * np.eye(speakers) + (1 - rules.stay) * priors[None, :])
        fresh = np.log((1 - rules.stay) * priors)
        first = np.log(priors)
    forward, backward = np.full((windows, speakers), -np.inf), np.zeros((windows, speakers))
    forward[0] = first + log[0]
    for t in range(1, windows):
        forward[t] = log[t] + logsumexp(forward[t - 1][:, None] + moves, axis=0)
    for t in range(windows - 2, -1, -1):
        backward[t] = logsumexp(moves + log[t + 1] + backward[t + 1], axis=1)
    total = float(logsumexp(forward[-1]))
    shares = np.exp(forward + backward - total)
    draws = shares[0].copy()
    for t in range(1, windows):
        for speaker in range(speakers):
            draws[speaker] += np.exp(
                logsumexp(forward[t - 1]) + fresh[speaker] + log[t, speaker] + backward[t, speaker] - total
            )
    return shares, draws / draws.sum(), total + rules.regularisation * prior_term


@settings(max_examples=25)
@given(SEEDS, st.integers(1, 12), st.integers(1, 4), st.floats(0.05, 1.0), st.floats(0.5, 20.0), STAY)
def test_every_round_is_what_the_papers_say(
    seed: int, windows: int, speakers: int, evidence: float, regularisation: float, stay: float
) -> None:
    x, phi, _ = conversation(seed, windows)
    gamma, priors, bounds = start(seed, windows, speakers), np.full(speakers, 1 / speakers), []
    for rounds in range(1, 5):
        rules = VbxOptions(evidence, regularisation, stay, rounds, -np.inf)
        found = vbx(x, phi, start(seed, windows, speakers), rules)
        gamma, priors, bound = one_round(x, phi, gamma, priors, rules)
        bounds.append(bound)
        np.testing.assert_allclose(found.bound, bounds, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(found.shares, gamma, atol=1e-8)
        np.testing.assert_allclose(found.priors, priors, atol=1e-8)


@settings(max_examples=80)
@given(SEEDS, st.integers(1, 40), st.integers(1, 6), st.floats(0.03, 3.0), st.floats(0.1, 30.0), STAY, st.floats(-1, 2))
def test_the_bound_never_falls_and_shares_are_shares(
    seed: int, windows: int, speakers: int, evidence: float, regularisation: float, stay: float, size: float
) -> None:
    x, phi, _ = conversation(seed, windows)
    outliers = np.random.default_rng(seed).standard_t(1, x.shape) * 10**size
    found = vbx(x + outliers, phi, start(seed, windows, speakers), VbxOptions(evidence, regularisation, stay))
    bound = np.array(found.bound)
    assert np.isfinite(bound).all()
    assert (np.diff(bound) >= -1e-11 * np.abs(bound[1:])).all()
    assert (found.shares >= 0).all()
    np.testing.assert_allclose(found.shares.sum(axis=1), 1)
    np.testing.assert_allclose(found.priors.sum(), 1)


def test_windows_that_only_a_lost_speaker_explains_do_no_harm() -> None:
    x = np.concatenate([np.zeros((30, 1)), [[4e3]], np.zeros((30, 1))])
    shares = np.zeros((61, 2))
    shares[:, 0] = 1.0
    for stay in (0.0, 0.9):
        found = vbx(x, [100.0], shares, VbxOptions(3.0, 0.1, stay))
        assert np.isfinite(found.shares).all()
        assert np.isfinite(found.bound).all()


def test_without_staying_the_order_of_windows_means_nothing() -> None:
    x, phi, _ = conversation(1)
    gamma, order = start(1, len(x), 4), np.random.default_rng(2).permutation(len(x))
    for stay, alike in ((0.0, True), (0.9, False)):
        rules = VbxOptions(0.2, 5.0, stay, 4, -np.inf)
        plain, moved = vbx(x, phi, gamma, rules), vbx(x[order], phi, gamma[order], rules)
        assert np.allclose(plain.shares[order], moved.shares, atol=1e-9) is alike


def test_without_staying_it_is_a_mixture() -> None:
    x, phi, _ = conversation(3, windows=15)
    gamma, rules = start(3, 15, 3), VbxOptions(0.5, 2.0, 0.0, 1)
    found = vbx(x, phi, gamma, rules)
    precision = 1 / (1 + 0.25 * gamma.sum(axis=0)[:, None] * phi)
    mean = 0.25 * precision * (gamma.T @ (x * np.sqrt(phi)))
    log = 0.5 * (
        x * np.sqrt(phi) @ mean.T - 0.5 * (precision + mean**2) @ phi
    )  # equal priors, and what all share, cancel
    expected = np.exp(log - logsumexp(log, axis=1, keepdims=True))
    np.testing.assert_allclose(found.shares, expected, atol=1e-10)
    np.testing.assert_allclose(found.priors, expected.mean(axis=0), atol=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_speakers_too_many_vanish_and_those_who_speak_are_found(seed: int) -> None:
    x, phi, who = conversation(seed, 200, 3, 12, apart=8.0)
    # Everybody twice, and somebody who is nobody.
    halves = np.eye(7)[2 * who + np.random.default_rng(seed).integers(0, 2, len(who))] * 0.9 + 0.1 / 7
    found = vbx(x, phi, halves, VbxOptions(0.3, 3.0, 0.5, 200))
    assert len(found.present) == len(np.unique(who)) < 7
    best = found.shares.argmax(axis=1)
    for speaker in np.unique(who):
        assert len(np.unique(best[who == speaker])) == 1
    assert set(best) == set(found.present)
    shares = np.bincount(best, minlength=7) / len(who)
    np.testing.assert_allclose(found.priors, shares, atol=0.1)


def test_one_speaker_has_everything() -> None:
    x, phi, _ = conversation(4)
    found = vbx(x, phi, np.ones((len(x), 1)))
    np.testing.assert_array_equal(found.shares, 1)
    assert found.priors.tolist() == [1.0]
    assert found.present.tolist() == [0]


@settings(max_examples=20)
@given(SEEDS, STAY, st.permutations(range(4)))
def test_other_names_change_nothing_else(seed: int, stay: float, order: list[int]) -> None:
    x, phi, _ = conversation(seed, 25)
    gamma, rules = start(seed, 25, 4), VbxOptions(0.3, 4.0, stay, 6, -np.inf)
    plain, renamed = vbx(x, phi, gamma, rules), vbx(x, phi, gamma[:, order], rules)
    np.testing.assert_allclose(renamed.shares, plain.shares[:, order], atol=1e-7)
    np.testing.assert_allclose(renamed.priors, plain.priors[order], atol=1e-7)
    np.testing.assert_allclose(renamed.bound, plain.bound, rtol=1e-9)


def test_it_stops_when_nothing_is_gained_and_at_the_last_round() -> None:
    x, phi, _ = conversation(5)
    gamma = start(5, len(x), 3)
    assert len(vbx(x, phi, gamma, VbxOptions(rounds=3, tolerance=-np.inf)).bound) == 3
    bound = vbx(x, phi, gamma, VbxOptions(rounds=500, tolerance=1e-3)).bound
    gains = np.diff(bound) / len(x)
    assert len(bound) < 500
    assert gains[-1] < 1e-3
    assert (gains[:-1] >= 1e-3).all()


def test_who_is_present_is_read_from_the_priors() -> None:
    assert Posterior(np.ones((1, 3)) / 3, np.array([0.5, 1e-8, 0.5]), ()).present.tolist() == [0, 2]
