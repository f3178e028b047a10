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
    for second in range(3):
        clock.now = 1000.0 + second
        counted.begin("Ada", "desk")
    with pytest.raises(Refusal) as refused:
        counted.begin("\uff21da ", "desk")  # wide
    assert refused.value.problem.extras == {"retry_after": 58}
    counted.begin("Bob", "desk")
    counted.begin("Ada", "door")  # nobody closes the door for others
    clock.now = 1059.9
    with pytest.raises(Refusal):
        counted.begin("Ada", "desk")
    clock.now = 1060.0
    counted.begin("Ada", "desk")
    with pytest.raises(Refusal):
        counted.begin("Ada", "desk")


def test_all_callers_and_all_people_together_have_ten_times_as_many_and_refusals_do_not_count(clock: Clock) -> None:
    counted = Attempts(1, clock=clock)
    for number in range(10):
        counted.begin("Ada", f"caller {number}")
        counted.begin(f"person {number}", "desk")
    for _ in range(3):
        for name, caller in (("Ada", "door"), ("Eve", "desk")):
            with pytest.raises(Refusal):
                counted.begin(name, caller)
    counted.begin("Eve", "door")


def test_what_is_taken_back_is_no_attempt(clock: Clock) -> None:
    counted = Attempts(1, clock=clock)
    for _ in range(5):
        counted.take_back(counted.begin("Ada", "desk"))
    late = counted.begin("Ada", "desk")
    clock.now += 61
    counted.begin("Ada", "desk")
    counted.take_back(late)  # its minute is over; the one that counts now stays
    with pytest.raises(Refusal):
        counted.begin("Ada", "desk")


@pytest.mark.slow
def test_names_are_let_go_after_their_minute(clock: Clock) -> None:
    counted = Attempts(10**6, clock=clock)
    for number in range(3 * attempts.CROWD):
        clock.now += 0.1
        counted.begin(f"person {number}", "desk")
    assert len(counted) <= 3 * attempts.CROWD
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
    assert not kept.is_new("bob", [trace(1)])  # one voice may be enrolled by two names
    assert not kept.is_new("bob", [trace(7), trace(2)[20:]])
    assert kept.is_new("bob", [trace(3)])


def test_a_day_later_it_is_forgotten(clock: Clock) -> None:
    kept = Earlier(clock=clock)
    assert kept.is_new("ada", [trace(1)])
    clock.now += 24 * 3600 - 1
    assert not kept.is_new("ada", [trace(1)])
    clock.now += 1
    assert kept.is_new("ada", [trace(1)])


def test_one_recording_is_found_among_thousands(clock: Clock) -> None:
    kept = Earlier(clock=clock)
    others = [trace(seed) for seed in range(100, 140)]
    for number in range(1_000):
        shift = number // len(others)
        kept._book.append(earlier._Login(clock.now, f"person {number}", [others[number % len(others)][2 * shift :]]))
    assert kept.is_new("ada", [trace(1)])
    assert not kept.is_new("bob", [trace(1)])
    assert not kept.is_new("bob", [trace(1)[16:]])
    assert kept.is_new("bob", [trace(2)])


def test_what_is_kept_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(earlier, "LOGINS", 3)
    monkeypatch.setattr(earlier, "EACH", 2)
    kept = Earlier(clock=clock)
    for seed, person in enumerate("aaabb", 1):
        assert kept.is_new(person, [trace(seed)])
    assert len(kept) == 3
    assert not kept.is_new("c", [trace(3)])
    for seed in (1, 2):  # the oldest of three of one person, and the oldest of four of all
        assert kept.is_new("c", [trace(seed)])
    monkeypatch.setattr(earlier, "BYTES", 2 * len(trace(1)))
    assert kept.is_new("d", [trace(6)])
    assert len(kept) == 2
    kept.forget("d")
    assert kept.is_new("e", [trace(6)])


def test_a_merge_loses_nothing(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(earlier, "EACH", 2)
    kept = Earlier(clock=clock)
    for seed, person in enumerate("aabb"):
        assert kept.is_new(person, [trace(seed)])
    kept.merge("a", "b")
    assert len(kept) == 4
    assert not any(kept.is_new(person, [trace(seed)]) for seed in range(4) for person in "abc")
    kept.forget("b")
    assert len(kept) == 0
