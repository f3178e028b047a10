"""What a stranger tries with an installed samevoice, in a folder that has nothing to do with it.

Knows: commands, exit codes, sentences. Does not know: how it was installed.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from releasing.places import Environment
from releasing.project import ROOT, ReleaseError, extras, version

SAME = ("philippe_1.flac", "philippe_2.flac")
OTHER = "librispeech_1255_a.flac"
CLEAN = "sample_1a.mp3"
SAMPLES = (*SAME, OTHER, CLEAN)


@dataclass(frozen=True, slots=True)
class Trial:
    """A command, and what must come of it.

    Args:
        command: name of a program and its arguments.
        code: exit code.
        says: must stand in what it prints.
    """

    command: tuple[str, ...]
    code: int
    says: str


CORE = (
    Trial(("samevoice", "--version"), 0, f"samevoice {version()}"),
    Trial(("samevoice", "--help"), 0, "diarize"),
    Trial(("samevoice", "verify", "--help"), 0, "--far"),
    Trial(("samevoice", "verify", "--model", "small", *SAME), 0, "Same person"),
    Trial(("samevoice", "verify", "--model", "small", SAME[0], OTHER, "--far", "0.01"), 1, "Different"),
    Trial(("samevoice", "enrol", "--model", "small", "--gallery", "g.db", "Ada", CLEAN), 0, "Ada: enrolled"),
    Trial(("samevoice", "people", "delete", "--gallery", "g.db", "--yes", "Ada"), 0, "Ada"),
    Trial(("samevoice", "models", "list"), 0, "part of samevoice"),
    Trial(("samevoice", "train", "--list"), 0, "fbanknet-20k"),
    Trial(("samevoice", "networks"), 0, "campplus"),
    Trial(
        ("python", "-c", "import samevoice; [getattr(samevoice, n) for n in samevoice.__all__]; print('all')"), 0, "all"
    ),
    Trial(
        ("python", "-c", "from importlib.metadata import metadata as m; print(m('samevoice')['License-Expression'])"),
        0,
        "Apache-2.0",
    ),
)

MISSING = {
    "media": Trial(("samevoice", "verify", "--model", "small", "film.m4a", CLEAN), 2, ""),
    "plots": Trial(("samevoice", "compare", "--model", "small", *SAME, "--heat-map", "map.png"), 2, ""),
    "scale": Trial(("samevoice", "embed", "--model", "small", SAME[0], "--output", "out.parquet"), 2, ""),
    "mic": Trial(("samevoice", "listen", "--model", "small"), 2, ""),
    "serve": Trial(("samevoice", "serve"), 2, ""),
    "client": Trial(("python", "-c", "import samevoice.client"), 1, "ConfigError"),
    "train": Trial(("samevoice", "train", "fbanknet-20k", "--small", "--data", ".", "--out", "run"), 2, ""),
}
"""What needs each extra."""

ALSO_MISSING = (
    ("scale", Trial(("samevoice", "people", "list", "--gallery", "postgresql://somebody@localhost/x"), 2, "")),
    ("scale", Trial(("samevoice", "batch", "embed", "--model", "small", ".", "--output", "data"), 2, "")),
    ("train", Trial(("samevoice", "export", "run", "-o", "mine.onnx"), 2, "")),
)


def core(environment: Environment) -> int:
    """Try what needs no extra.

    Returns:
        How many things were tried.

    Raises:
        ReleaseError: one went wrong.
    """
    _lay_samples(environment)
    for trial in CORE:
        _hold(environment, trial)
    return len(CORE)


def missing_extras(environment: Environment) -> int:
    """Try what needs an extra that is not there: one sentence that names the command which installs it.

    Raises:
        ReleaseError: something else was said, or an extra is not tried at all.
    """
    if untried := set(extras()) ^ set(MISSING):
        raise ReleaseError(f"nothing tries without {', '.join(sorted(untried))}; add it to MISSING")
    _lay_samples(environment)
    trials = [*MISSING.items(), *ALSO_MISSING]
    for extra, trial in trials:
        said = _hold(environment, trial)
        lines = said.strip().splitlines()
        if trial.command[0] == "samevoice" and len(lines) != 1:
            raise ReleaseError(f"{' '.join(trial.command)} without [{extra}] says more than a sentence: {said}")
        if f"pip install 'samevoice[{extra}]'" not in lines[-1]:
            raise ReleaseError(f"{' '.join(trial.command)} does not say how to install [{extra}]: {said}")
    return len(trials)


def _hold(environment: Environment, trial: Trial) -> str:
    """Run a trial; what it said on standard error.

    Raises:
        ReleaseError: it ended otherwise.
    """
    done = environment.run(*trial.command)
    words = " ".join(trial.command)
    if done.returncode != trial.code:
        raise ReleaseError(f"{words} ended with {done.returncode}, not {trial.code}: {done.stdout}{done.stderr}")
    if trial.says not in done.stdout + done.stderr:
        raise ReleaseError(f"{words} does not say {trial.says!r}: {done.stdout}{done.stderr}")
    return done.stderr


def _lay_samples(environment: Environment) -> None:
    """Give the folder some recordings, and the head of a film."""
    away = environment.folder / "away"
    for name in SAMPLES:
        shutil.copyfile(ROOT / "samples" / name, away / name)
    (away / "film.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(4096))
