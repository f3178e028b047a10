"""How often somebody may ask, by name and by address."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
import time_machine
from servicemakers import bearer, new_key, serving

from samevoice.service.problems import Refusal
from samevoice.service.traffic import Traffic


def test_the_window_moves(tmp_path: Path) -> None:
    del tmp_path
    with time_machine.travel(1_000_000.0, tick=False) as clock:
        traffic = Traffic(3)
        for _ in range(3):
            traffic.count("caller", "ada")
            clock.shift(10)
        with pytest.raises(Refusal) as refused:
            traffic.count("caller", "ada")
        problem = refused.value.problem
        assert (problem.status, problem.code) == (429, "rate")
        assert problem.extras["retry_after"] in (30, 31)  # the first was 30 s ago
        traffic.count("caller", "bob")
        traffic.count("login", "ada")
        clock.shift(31)
        traffic.count("caller", "ada")


def test_names_are_counted_apart_however_they_are_joined() -> None:
    traffic = Traffic(1)
    traffic.count("login", "a", "b/c")
    traffic.count("login", "a/b", "c")
    with pytest.raises(Refusal):
        traffic.count("login", "a", "b/c")


def test_a_limit_of_its_own_counts_by_itself() -> None:
    traffic = Traffic(100)
    traffic.count("login", "ada", per_minute=1)
    with pytest.raises(Refusal):
        traffic.count("login", "ada", per_minute=1)


def test_callers_have_limits_of_their_own_and_health_has_none(tmp_path: Path) -> None:
    one, other = new_key(tmp_path, "user", "one"), new_key(tmp_path, "user", "other")
    with serving(tmp_path, per_minute=5) as running, httpx.Client(base_url=running.url) as client:
        statuses = [client.get("/v1/me", headers=bearer(one)).status_code for _ in range(7)]
        assert statuses == [200] * 5 + [429] * 2
        refused = client.get("/v1/me", headers=bearer(one))
        assert refused.json()["code"] == "rate"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert int(refused.headers["retry-after"]) == refused.json()["retry_after"]
        assert client.get("/v1/me", headers=bearer(other)).status_code == 200
        assert [client.get("/healthz").status_code for _ in range(20)] == [200] * 20
        # Bad keys are counted by their address, and take nothing from those who have good ones.
        assert [client.get("/v1/me").status_code for _ in range(7)] == [401] * 5 + [429] * 2
        assert client.get("/v1/me", headers=bearer(other)).status_code == 200


def test_without_keys_an_address_is_a_caller(tmp_path: Path) -> None:
    with serving(tmp_path, per_minute=3) as running:
        forged = [{"X-Forwarded-For": f"10.0.0.{number}"} for number in range(5)]
        statuses = [httpx.get(f"{running.url}/v1/me", headers=headers).status_code for headers in forged]
        assert statuses == [200] * 3 + [429] * 2
