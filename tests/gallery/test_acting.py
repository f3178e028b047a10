"""One open gallery that acts for several callers: the record of events names each, and nothing is loaded twice."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from gallerymakers import KEY, voiceprint

from samevoice.errors import ConfigError
from samevoice.gallery.people import People


@pytest.fixture
def people(path: Path) -> People:
    opened = People(path, key=KEY, actor="opener")
    for number in range(8):
        opened.store.add(f"person {number}", voiceprint(number), actor="setup")
    return opened


def actors(people: People) -> list[str]:
    return [event.actor for event in people.events() if event.action == "delete"]


def test_the_record_names_whoever_acts(people: People) -> None:
    people.delete("person 0")
    with people.acting("front desk") as acting:
        assert acting is people
        people.delete("person 1")
        with people.acting("back door"):
            people.delete("person 2")
        people.delete("person 3")
    people.delete("person 4")
    assert actors(people) == ["opener", "front desk", "back door", "front desk", "opener"]
    assert people.audit().broken is None
    people.close()


def test_an_error_ends_it_too(people: People) -> None:
    with pytest.raises(ConfigError), people.acting("front desk"):
        raise ConfigError("no")
    people.delete("person 0")
    for wrong in ("x" * 1001, "a\nb"):
        with pytest.raises(ConfigError), people.acting(wrong):
            people.delete("person 1")
    assert actors(people) == ["opener"]
    people.close()


def test_threads_do_not_act_for_each_other(people: People) -> None:
    inside = threading.Barrier(4)

    def act(number: int) -> None:
        with people.acting(f"caller {number}"):
            inside.wait()
            people.delete(f"person {number}")
            inside.wait()
            people.delete(f"person {number + 4}")

    threads = [threading.Thread(target=act, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(actors(people)) == sorted(2 * [f"caller {number}" for number in range(4)])
    people.close()
