"""Many processes that write and read at once: no update is lost, and nobody is told that something is locked."""

from __future__ import annotations

import os

import numpy as np
import pytest
from gallerymakers import KEY, MODEL, assert_whole, start, unit_vector

from samevoice.gallery.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")]

WRITERS, EACH = 8, 6

CROWD = """
    import os, sys
    from gallerymakers import KEY, MODEL, voiceprint
    from samevoice.gallery.store import Store
    where, writers, each = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    children = []
    for writer in range(writers):
        children.append(os.fork())
        if not children[-1]:
            with Store.open(where, key=KEY) as store:  # which all of them would make
                for turn in range(each):
                    number = writer * each + turn
                    store.add("Everybody", voiceprint(number, seconds=1.0))
                    store.add(f"person {writer}", voiceprint(number))
                    store.add(f"passing {number}", voiceprint(number))
                    template = store.template("Everybody", MODEL)
                    assert template.voiceprints == template.seconds > turn
                    assert sum(len(batch) for batch in store.templates(MODEL)) >= 2
                    if turn % 4 == 0:
                        store.delete(f"passing {number}")
            os._exit(0)
    sys.exit(max(os.waitpid(child, 0)[1] for child in children) > 0)
"""


@pytest.mark.parametrize("place", ["path", "postgres_url"])
def test_many_processes_write_and_read_at_once(place: str, request: pytest.FixtureRequest) -> None:
    where = str(request.getfixturevalue(place))
    crowd = start(CROWD, where, WRITERS, EACH)
    out, err = crowd.communicate(timeout=120)
    assert (out, err, crowd.returncode) == ("", "", 0)
    with Store.open(where, key=KEY) as store:
        everybody = store.template("Everybody", MODEL)
        assert everybody is not None
        assert everybody.voiceprints == everybody.seconds == WRITERS * EACH
        total = np.sum([unit_vector(number).astype(np.float64) for number in range(WRITERS * EACH)], axis=0)
        np.testing.assert_allclose(everybody.vector, total / np.linalg.norm(total), atol=1e-6)
        assert [len(store.person(f"person {writer}").voiceprints) for writer in range(WRITERS)] == [EACH] * WRITERS
        deleted = WRITERS * len(range(0, EACH, 4))
        assert len(store.people("passing*")) == WRITERS * EACH - deleted
        assert_whole(store)
        changes = 3 * WRITERS * EACH + deleted
        assert store.audit().events == changes + 1
        assert store.counters()[0] == changes
