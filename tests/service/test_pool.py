"""The workers: bounded, first come first served, and nothing begun for those who left."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from servicemakers import serving

from samevoice.service.pool import Pool, departure
from samevoice.service.problems import Busy, Gone


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux only")
def test_workers_let_the_event_loop_go_first() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    pool = Pool(1, 1)
    assert asyncio.run(pool.run(priority)) > priority()
    pool.close(1.0)


class Gate:
    """Work that goes on until it is let."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.open = threading.Event()

    def __call__(self) -> str:
        self.began.set()
        assert self.open.wait(20)
        return "done"


async def until(told: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not told():
            await asyncio.sleep(0.001)


def test_as_many_wait_as_may_and_the_next_is_busy() -> None:
    async def main() -> None:
        pool, gate = Pool(1, 2), Gate()
        first = asyncio.ensure_future(pool.run(gate))
        await until(gate.began.is_set)
        others = [asyncio.ensure_future(pool.run(lambda: "next")) for _ in range(2)]
        await asyncio.sleep(0)
        assert (pool.running, pool.waiting) == (1, 2)
        with pytest.raises(Busy) as refused:
            await pool.run(lambda: "never")
        assert refused.value.problem.status == 503
        assert refused.value.problem.response().headers["retry-after"] == "1"
        gate.open.set()
        assert await asyncio.gather(first, *others) == ["done", "next", "next"]
        await until(lambda: pool.running == 0)
        assert await pool.run(lambda: "again") == "again"
        pool.close(5)

    asyncio.run(main())


def test_what_did_not_begin_is_dropped_with_its_request_and_what_began_is_finished() -> None:
    async def main() -> None:
        pool, gate, ran = Pool(1, 5), Gate(), []
        first = asyncio.ensure_future(pool.run(gate))
        await until(gate.began.is_set)
        second = asyncio.ensure_future(pool.run(lambda: ran.append(2)))
        await asyncio.sleep(0)
        second.cancel()
        first.cancel()
        await asyncio.sleep(0.01)
        assert second.cancelled()
        assert not first.done()  # its work uses files that must stay until it ends
        gate.open.set()
        with pytest.raises(asyncio.CancelledError):
            await first
        await pool.run(lambda: ran.append(3))
        assert ran == [3]
        pool.close(5)

    asyncio.run(main())


def test_nobody_works_for_a_client_who_left() -> None:
    async def main() -> None:
        pool, gate, left, ran = Pool(1, 5), Gate(), asyncio.Event(), []
        first = asyncio.ensure_future(pool.run(gate))
        await until(gate.began.is_set)

        async def gone() -> None:
            await left.wait()

        async def request() -> None:
            departure.set(gone)
            await pool.run(lambda: ran.append("for nobody"))

        waiting = asyncio.ensure_future(request())
        await asyncio.sleep(0.01)
        assert pool.waiting == 1
        left.set()
        with pytest.raises(Gone):
            await waiting
        await until(lambda: pool.waiting == 0)
        gate.open.set()
        assert await first == "done"
        assert ran == []
        pool.close(5)

    asyncio.run(main())


def test_an_error_of_the_work_reaches_who_asked() -> None:
    async def main() -> None:
        pool = Pool(1, 1)
        with pytest.raises(ZeroDivisionError):
            await pool.run(lambda: 1 // 0)
        pool.close(5)

    asyncio.run(main())


def test_closing_waits_for_what_runs_only_so_long() -> None:
    async def main() -> None:
        pool, gate = Pool(1, 1), Gate()
        running = asyncio.ensure_future(pool.run(gate))
        await until(gate.began.is_set)
        pool.close(0.05)
        assert not running.done()
        gate.open.set()
        assert await running == "done"

    asyncio.run(main())


def test_health_answers_while_all_workers_work_and_a_client_that_hangs_up_costs_nothing(
    tmp_path: Path, samples: Path
) -> None:
    clip = (samples / "philippe_2.flac").read_bytes()
    files = {"first": ("a", clip), "second": ("b", clip)}
    with serving(tmp_path, workers=1, waiting=2) as running, httpx.Client(base_url=running.url) as client:
        gate, pool = Gate(), running.service.pool
        blocker = pool._executor.submit(gate)
        assert gate.began.wait(20)
        try:
            for _ in range(2):
                with pytest.raises(httpx.ReadTimeout):
                    httpx.post(f"{running.url}/v1/verify", files=files, timeout=0.3)
            for path in ("/healthz", "/readyz", "/metrics", "/v1/me", "/"):
                assert client.get(path, timeout=2).status_code == 200
            waiting = _metric(client, "samevoice_waiting")
            assert waiting + _metric(client, "samevoice_running") == 0  # those who left were dropped
        finally:
            gate.open.set()
        blocker.result(20)
        assert client.post("/v1/verify", files=files, timeout=60).status_code == 200
        log = client.get("/metrics").text
        assert 'samevoice_requests_total{method="POST",route="/v1/verify",status="499"} 2.0' in log


def test_too_many_at_once_are_told_to_come_back(tmp_path: Path, samples: Path) -> None:
    clip = (samples / "philippe_2.flac").read_bytes()
    files = {"first": ("a", clip), "second": ("b", clip)}
    with serving(tmp_path, workers=1, waiting=1) as running:
        statuses: list[int] = []

        def ask() -> None:
            answer = httpx.post(f"{running.url}/v1/verify", files=files, timeout=60)
            statuses.append(answer.status_code)
            if answer.status_code == 503:
                assert answer.json()["code"] == "busy"
                assert int(answer.headers["retry-after"]) >= 1

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(statuses) == {200, 503}
        assert len(statuses) == 8


def _metric(client: httpx.Client, name: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))
