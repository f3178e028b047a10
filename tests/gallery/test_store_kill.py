"""Processes that are killed in the middle of writing: nothing acknowledged is lost."""

from __future__ import annotations

import os
import random
import signal
import time

import numpy as np
import pytest
from gallerymakers import KEY, MODEL, assert_whole, start, unit_vector

from samevoice.gallery.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")]

KILLS = 20
ENROLMENTS = 1000


# The parent imports once and forks a writer for each line it reads; a writer says each number after its commit.
WRITER = """
    import os, sys
    from gallerymakers import KEY, voiceprint
    from samevoice.gallery.store import Store
    for line in sys.stdin:
        first = int(line)
        child = os.fork()
        if not child:
            print("pid", os.getpid(), flush=True)
            with Store.open(sys.argv[1], key=KEY) as store:
                for number in range(first, first + int(sys.argv[2])):
                    store.add(f"person {number // 2}", voiceprint(number, audio=b"fLaC" * 500))
                    print(number, flush=True)
            print("end", flush=True)
            os._exit(0)
        print("gone", os.waitpid(child, 0)[1], flush=True)
"""


@pytest.mark.parametrize("place", ["path", "postgres_url"])
def test_kill_9_loses_nothing_that_was_acknowledged(place: str, request: pytest.FixtureRequest) -> None:
    where = str(request.getfixturevalue(place))
    draw = random.Random(0)  # noqa: S311 nothing secret
    acknowledged: set[int] = set()
    first = 0
    with start(WRITER, where, ENROLMENTS) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        for attempt in range(KILLS):
            print(first, file=writer.stdin, flush=True)
            pid = int(writer.stdout.readline().removeprefix("pid "))
            if attempt:  # the first is killed while it makes the gallery, or soon after
                acknowledged.add(int(writer.stdout.readline()))
            time.sleep(draw.uniform(0.0, 0.15))
            os.kill(pid, signal.SIGKILL)
            while not (line := writer.stdout.readline()).startswith("gone"):
                acknowledged.add(int(line))
            assert line == f"gone {int(signal.SIGKILL)}\n"  # it was killed, not done
            with Store.open(where, key=KEY) as store:
                enrolled = check_enrolments(store, first, acknowledged)
            unsaid = {max(acknowledged, default=-1) + 1}  # committed, but killed before it could say so
            assert enrolled - acknowledged <= unsaid
            acknowledged |= enrolled
            first = len(acknowledged)
        assert first > KILLS
    assert writer.returncode == 0
    with Store.open(where, key=KEY) as store:
        assert check_enrolments(store, 0, acknowledged) == set(range(first))
        assert_whole(store)
        assert store.audit().events == first + 1
        assert store.counters() == (first, first // 2)


def check_enrolments(store: Store, first: int, acknowledged: set[int]) -> set[int]:
    """The enrolments that are there, after checking those from `first` on, of which all acknowledged must be there."""
    people = store.people()
    enrolled = {2 * int(person.name.split()[1]) + one for person in people for one in range(len(person.voiceprints))}
    assert acknowledged <= enrolled
    some = [person.name for person in people if int(person.name.split()[1]) >= first // 2]
    assert_whole(store, some)
    for name in some:
        for one, embedding in enumerate(store.embeddings(name, MODEL)):
            np.testing.assert_array_equal(embedding.vector, unit_vector(2 * int(name.split()[1]) + one))
    assert sum(len(batch) for batch in store.templates(MODEL)) == len(people)
    return enrolled
