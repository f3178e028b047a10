"""What is killed goes on where it was, and leaves nothing running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from commandline import samevoice

from samevoice.models import store

pytest_plugins = ["batchfixtures"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
pytest.importorskip("pyarrow")

PATIENCE = 240.0  # seconds
Contents = Callable[[Path], dict[str, bytes]]


def below(parent: int) -> dict[int, str]:
    """Processes that a process started, and those that they started, with their command lines."""
    parents: dict[int, int] = {}
    names: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(fields[1])
                names[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    found: dict[int, str] = {}
    frontier = {parent}
    while frontier := {pid for pid, above in parents.items() if above in frontier}:
        found |= {pid: names[pid] for pid in frontier}
    return found


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that must happen."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process runs, and is not only waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def embedding(voices: Path, out: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The command, at work in a process of its own; ended with all that it started."""
    command = [sys.executable, "-m", "samevoice", "batch", "embed", str(voices), "-o", str(out), "--block", "4"]
    process = subprocess.Popen(
        [*command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which shells keep from what they put aside
    )
    try:
        yield process
    finally:
        for pid in [*below(process.pid), process.pid]:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        process.communicate()


def done(out: Path) -> list[Path]:
    """Finished blocks."""
    return sorted((out / "embeddings").glob("part-*")) if out.exists() else []


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(
    voices: Path, dataset: Path, contents: Contents, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with embedding(voices, out, "--workers", "2") as process:
        until(lambda: len(done(out)) >= 2, "no block was finished")
        workers = below(process.pid)
        process.kill()
        process.wait()
        assert len([name for name in workers.values() if "spawn_main" in name]) == 2
        until(lambda: not any(map(alive, workers)), "a worker outlives the run")
    kept = {path: path.stat().st_mtime_ns for path in done(out)}
    assert 2 <= len(kept) < len(done(dataset))
    again = samevoice("batch", "embed", voices, "-o", out, "--workers", 1, "--json")
    assert again.returncode == 0, again.stderr
    assert f'"done": {4 * (len(done(dataset)) - len(kept))}' in again.stdout
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert contents(out) == contents(dataset)


@pytest.mark.slow
def test_a_killed_worker_costs_no_block(voices: Path, dataset: Path, contents: Contents, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with embedding(voices, out, "--workers", "1") as process:
        until(lambda: len(done(out)) >= 2, "no block was finished")
        (victim,) = (pid for pid, name in below(process.pid).items() if "spawn_main" in name)
        os.kill(victim, signal.SIGKILL)
        said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, said
        assert not alive(victim)
    assert contents(out) == contents(dataset)


@pytest.mark.slow
def test_an_interrupted_run_stops_its_workers(voices: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with embedding(voices, out, "--workers", "2") as process:
        until(lambda: len(done(out)) >= 1, "no block was finished")
        workers = below(process.pid)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode != 0
        assert "Traceback" not in said
        until(lambda: not any(map(alive, workers)), "a worker outlives the run")
    assert not (out / ".lock").exists()


@pytest.mark.slow
def test_ray_survives_a_killed_actor_and_leaves_nothing_behind(
    voices: Path, dataset: Path, contents: Contents, tmp_path: Path
) -> None:
    pytest.importorskip("ray")
    home, out = tmp_path / "home", tmp_path / "out"
    before = set(Path(tempfile.gettempdir()).glob("sv-ray-*"))
    home.mkdir()
    cache = str(store.default_folder().parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("SAMEVOICE_CACHE", cache)
        with embedding(voices, out, "--ray", "local", "--workers", "2") as process:
            until(lambda: len(done(out)) >= 1, "no block was finished")
            started = below(process.pid)
            victim = next(pid for pid, name in started.items() if name.startswith("ray::Worker"))
            os.kill(victim, signal.SIGKILL)
            said = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, said
            started |= below(process.pid)
            until(lambda: not any(map(alive, started)), "a process of Ray outlives the run")
    assert contents(out) == contents(dataset)
    assert not list(home.iterdir())
    assert set(Path(tempfile.gettempdir()).glob("sv-ray-*")) <= before


@pytest.mark.slow
def test_no_cluster_is_one_sentence(voices: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    with embedding(voices, tmp_path / "out", "--ray", "127.0.0.1:1") as process:
        _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 2
        assert "--ray 127.0.0.1:1: no cluster can be used there" in said
        assert "Traceback" not in said
