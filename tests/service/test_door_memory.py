"""What the door remembers, by a clock that the test turns: attempts, challenges, earlier logins."""

from __future__ import annotations

import numpy as np
import pytest

from samevoice.audio.waveform import Waveform
from samevoice.gallery.replay import RATE, trace_of
from samevoice.service import attempts, challenge, earlier
from samevoice.service.attempts import Attempts
from samevoice.service.challenge import Challenges
from samevoice.service.earlier import Earlier
from samevoice.service.problems import Refusal


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def trace(seed: int, seconds: float = 4.0) -> bytes:
    """Of a sound whose bands come and go, unlike that of any other seed."""
    draw = np.random.default_rng(seed)
    loud = np.repeat(draw.uniform(0.01, 0.3, round(8 * seconds)), RATE // 8)
    return trace_of(Waveform((loud * draw.standard_normal(len(loud))).astype(np.float32).clip(-1, 1), RATE))


# Attempts


def test_a_minute_has_so_many_attempts_at_a_person(clock: Clock) -> None:
    counted = Attempts(3, clock=clock)
    for second, caller in enumerate("abc"):
        clock.now = 1000.0 + second
        counted.begin("Ada", caller)
    with pytest.raises(Refusal) as refused:
        counted.begin("\uff21da ", "d")  # wide
    assert refused.value.problem.extras == {"retry_after": 58}
    counted.begin("Bob", "d")
    clock.now = 1059.9
    with pytest.raises(Refusal):
        counted.begin("Ada", "d")
    clock.now = 1060.0
    counted.begin("Ada", "d")
    with pytest.raises(Refusal):
        counted.begin("Ada", "e")


def test_a_caller_has_so_many_attempts_at_anybody_and_refusals_do_not_count(clock: Clock) -> None:
    counted = Attempts(2, clock=clock)
    counted.begin("Ada", "desk")
    counted.begin("Bob", "desk")
    for name in ("Ada", "Eve", "Eve", "Eve"):
        with pytest.raises(Refusal):
            counted.begin(name, "desk")
    counted.begin("Eve", "door")
    counted.begin("Eve", "gate")


def test_a_welcome_is_no_attempt(clock: Clock) -> None:
    counted = Attempts(1, clock=clock)
    for _ in range(5):
        counted.welcome(counted.begin("Ada", "desk"))
    late = counted.begin("Ada", "desk")
    clock.now += 61
    counted.begin("Ada", "desk")
    counted.welcome(late)  # its minute is over; the one that counts now stays
    with pytest.raises(Refusal):
        counted.begin("Ada", "desk")


def test_names_are_let_go_after_their_minute(clock: Clock) -> None:
    counted = Attempts(10**6, clock=clock)
    for number in range(3 * attempts.CROWD):
        clock.now += 0.1
        counted.begin(f"person {number}", "desk")
    assert len(counted) <= 2 * attempts.CROWD
    assert "person" not in repr(counted.begin("person 1", "desk"))


# Challenges


def test_a_challenge_lasts_two_minutes(clock: Clock) -> None:
    kept = Challenges(clock=clock)
    soon, late = kept.issue("Ada", "desk").id, kept.issue("Ada", "desk").id
    clock.now += 119.9
    kept.redeem(soon, "ADA", "desk")
    clock.now += 0.1
    with pytest.raises(Refusal):
        kept.redeem(late, "Ada", "desk")


def test_a_caller_who_asks_for_very_many_loses_the_oldest_of_its_own(clock: Clock) -> None:
    kept = Challenges(clock=clock)
    other = kept.issue("Ada", "door").id
    first, second = kept.issue("Ada", "desk").id, kept.issue("Ada", "desk").id
    made = [kept.issue("Ada", "desk") for _ in range(challenge.MOST - 1)]
    assert len(kept) == challenge.MOST + 1
    with pytest.raises(Refusal):
        kept.redeem(first, "Ada", "desk")
    kept.redeem(second, "Ada", "desk")
    kept.redeem(other, "Ada", "door")
    assert len({one.id for one in made}) == len(made)
    assert len({one.digits for one in made}) > 0.9 * len(made)
    assert made[0].id not in repr(made[0])
    clock.now += 121
    kept.issue("Ada", "desk")
    assert len(kept) == 1  # those that are too old are gone


# Earlier logins


def test_one_sound_is_new_once(clock: Clock) -> None:
    kept = Earlier(clock=clock)
    assert kept.is_new("ada", [trace(1)])
    assert not kept.is_new("ada", [trace(1)])
    assert not kept.is_new("ada", [trace(7), trace(1)])
    assert not kept.is_new("ada", [trace(1)[20:]])
    assert kept.is_new("ada", [trace(2)])
    assert kept.is_new("bob", [trace(1)])


def test_a_day_later_it_is_forgotten(clock: Clock) -> None:
    kept = Earlier(clock=clock)
    assert kept.is_new("ada", [trace(1)])
    clock.now += 24 * 3600 - 1
    assert not kept.is_new("ada", [trace(1)])
    clock.now += 1
    assert kept.is_new("ada", [trace(1)])


def test_what_is_kept_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(earlier, "PEOPLE", 3)
    monkeypatch.setattr(earlier, "EACH", 2)
    kept = Earlier(clock=clock)
    for person in "abcd":
        assert kept.is_new(person, [trace(1)])
    assert len(kept) == 3
    assert not kept.is_new("b", [trace(1)])
    assert kept.is_new("a", [trace(1)])  # who was forgotten, and now takes the place of whoever came longest ago: c
    assert not kept.is_new("b", [trace(1)])
    assert kept.is_new("c", [trace(1)])
    for seed in (2, 3):
        assert kept.is_new("c", [trace(seed)])
    assert kept.is_new("c", [trace(1)])  # the oldest of three went
    kept.forget("c")
    assert kept.is_new("c", [trace(3)])
