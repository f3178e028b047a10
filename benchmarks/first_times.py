"""How long from a fresh clone to a first verdict, to green tests, to a trained model? As a stranger would do it.

A new clone of this repository is made for each, with nothing left from before: no environment, no models (pip's own
cache stays; `--no-pip-cache` empties that too). Measured is the wall time of these commands, the clone included:

    verdict   make demo
    tests     make test
    model     make demo, torch and the extra [train], then data split, train and export as in
              docs/tutorials/training.md, on the recordings of samples/, cut into pieces of three seconds, and
              played slower as other people

Run: python -m benchmarks.first_times [verdict tests model] [--from URL] [--python PYTHON] [--json OUT]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SMALL = "--set stage.cross-entropy.sampler_options.batch=8 --set stage.triplet.sampler_options.triplets=8"
OWN_MODEL = f"""
set -e
bin=.venv/bin
$bin/python -m pip install --quiet torch==2.13.0
$bin/python -m pip install --quiet --editable '.[train,media]'
PYTHONPATH=tests $bin/python -c 'import pathlib, pagefiles; pagefiles.voices(pathlib.Path("../voices"))'
$bin/samevoice data split ../voices/ -o parts/ --dev 0.25 --test 0.25
$bin/samevoice train fbanknet-20k --small --data parts/train.jsonl --valid parts/dev.jsonl --out runs/mine {SMALL}
$bin/samevoice export runs/mine -o mine.onnx
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder for one clone, and the environment of its commands.

    Args:
        folder: new and empty.
        origin: what is cloned.
        python: an interpreter, for the environments that `make` builds.
        pip_cache: whether what pip fetched before may be used.
    """

    folder: Path
    origin: str
    python: str
    pip_cache: bool

    @property
    def clone(self) -> Path:
        """The checkout."""
        return self.folder / "samevoice"

    def run(self, line: str, cwd: Path | None = None) -> None:
        """A command, as a stranger's shell would run it; its output goes to a file.

        Raises:
            RuntimeError: it failed; with the end of what it said.
        """
        left = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
        own = {"SAMEVOICE_CACHE": "models", "XDG_CONFIG_HOME": "config", "XDG_DATA_HOME": "data"}
        environment = {**left, **{name: str(self.folder / value) for name, value in own.items()}}
        if not self.pip_cache:
            environment["PIP_NO_CACHE_DIR"] = "1"
        log = self.folder / "log.txt"
        with log.open("ab") as output:
            command = ["/bin/sh", "-c", line]
            done = subprocess.run(
                command, cwd=cwd or self.clone, env=environment, stdout=output, stderr=output, check=False
            )
        if done.returncode:
            raise RuntimeError(f"{line}: exit code {done.returncode}\n{log.read_text(errors='replace')[-2_000:]}")

    def make(self, target: str) -> None:
        """`make TARGET` with this interpreter."""
        self.run(f"make {target} PYTHON={self.python}")


def verdict(place: Place) -> None:
    """From nothing to the answer about two recordings."""
    place.make("demo")


def tests(place: Place) -> None:
    """From nothing to a suite that is green."""
    place.make("test")


def model(place: Place) -> None:
    """From nothing to a model of one's own."""
    place.make("demo")
    place.run(OWN_MODEL)


MEASURED: Mapping[str, Callable[[Place], None]] = {"verdict": verdict, "tests": tests, "model": model}


def seconds(name: str, origin: str, python: str, *, pip_cache: bool) -> float:
    """Wall time from before the clone until it is done."""
    with tempfile.TemporaryDirectory(prefix="samevoice-first-") as folder:
        place = Place(Path(folder), origin, python, pip_cache)
        began = time.perf_counter()
        place.run(f"git clone --quiet {origin} samevoice", cwd=place.folder)
        MEASURED[name](place)
        return time.perf_counter() - began


def machine(python: str) -> dict[str, str | int]:
    """What the times were measured on."""
    asked = "import platform; print(platform.python_version())"
    version = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True).stdout.strip()
    command = [shutil.which("git") or "git", "rev-parse", "HEAD"]
    commit = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {
        "cores": os.cpu_count() or 1,
        "machine": platform.machine(),
        "system": platform.platform(terse=True),
        "python": version,
        "commit": commit.stdout.strip()[:12],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help=f"of {', '.join(MEASURED)}; default: all three")
    parser.add_argument("--from", dest="origin", default=str(ROOT), help="what is cloned; default: this checkout")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--no-pip-cache", dest="pip_cache", action="store_false")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if unknown := set(options.what) - set(MEASURED):
        parser.error(f"{unknown.pop()} is not one of {', '.join(MEASURED)}")
    about = machine(options.python)
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    times: dict[str, float] = {}
    for name in options.what or MEASURED:
        times[name] = seconds(name, options.origin, options.python, pip_cache=options.pip_cache)
        print(f"{name:8} {times[name]:8.0f} s", flush=True)
    if options.json:
        options.json.write_text(json.dumps({"machine": about, "seconds": times}, indent=2) + "\n")


if __name__ == "__main__":
    main()
