"""A service that the tests of one module share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from servicemakers import Running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Without keys, and without limits of traffic that a test could meet by chance."""
    from servicemakers import serving  # all tests load this file, and few need what serves

    with serving(tmp_path_factory.mktemp("service"), per_minute=1_000_000) as running:
        yield running
