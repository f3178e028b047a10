"""A PostgreSQL server for all tests of a run, and a database on it for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gallerymakers import KEY, Server, running_server

from samevoice.gallery.store import Store


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A running server."""
    with running_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Server) -> str:
    """The URL of a new, empty database."""
    return postgres.new_database()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the gallery of `store` lies."""
    return tmp_path / "voices.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """An empty gallery in a file."""
    with Store.open(path, key=KEY) as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgresql"])
def either_store(request: pytest.FixtureRequest, path: Path) -> Iterator[Store]:
    """An empty gallery, once in a file and once on a server: both must do the same."""
    place = path if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with Store.open(place, key=KEY) as opened:
        yield opened
