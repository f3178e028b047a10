"""Who speaks when in real meetings? The AMI excerpts of the data folder, beside the package `senko` on the same files.

Twelve excerpts of 30 s from the AMI corpus, with up to four people, overlap and distance. Both get the same WAV files;
both are scored by samevoice's scorer (which equals pyannote.metrics) under the four rules of the field. They take
turns at each file, three times over, and of each file's times the median counts, so that whatever else the machine does
hits both; models are loaded, and one file is done, before any time is taken.

Not of the same worth: the segmentation network that samevoice uses has, by its authors' word, AMI's training meetings
among its training data, and the excerpts `trn*` are of these; `dev*` are of meetings for development. So both groups
are given apart. On a CPU senko finds speech by Silero. Both use the same weights of CAM++.

senko runs in an environment of its own, since its wheel and its versions are its own affair: beside torch and what else
it needs, `pip install --no-deps --no-binary senko senko==0.2.2` builds one that runs on any processor.

Run: python -m benchmarks.diarization_ami --data DIR [--senko PYTHON] [--threads 2] [--repeats 3]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

import numpy as np
import soundfile

import samevoice as sv
from benchmarks.conversations import rates, rule_table
from benchmarks.corpus import data_folder
from samevoice.diarization.formats import read_all
from samevoice.diarization.scorereport import RULES, ScoreReport, compare
from samevoice.diarization.turns import Diarization, Turn

GROUPS = {"all": "", "development meetings": "dev", "training meetings": "trn"}
TERMS = {"miss": "missed speech", "false_alarm": "false alarms", "confusion": "confused speakers"}

# Runs in the other environment: a path comes in, a line of JSON goes out. Whatever senko prints goes elsewhere.
DRIVER = """
import json, os, sys, time
answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)
began = time.perf_counter()
import senko
diarizer = senko.Diarizer(device="cpu")
print(json.dumps(time.perf_counter() - began), file=answers)
for path in sys.stdin:
    began = time.perf_counter()
    found = diarizer.diarize(path.rstrip("\\n"))
    took = time.perf_counter() - began
    turns = [[one["start"], one["end"], str(one["speaker"])] for one in (found or {}).get("merged_segments", [])]
    print(json.dumps([took, turns]), file=answers)
"""

Heard = tuple[float, Diarization]  # seconds it took, turns


@dataclass(slots=True)
class System:
    """One of those compared.

    Args:
        run: diarizes a file.
        loading: seconds until it was ready.
        found: turns of each recording, of the first time.
        took: seconds each time.
    """

    run: Callable[[Path], Heard]
    loading: float
    found: dict[str, Diarization] = field(default_factory=dict)
    took: dict[str, list[float]] = field(default_factory=dict)
    varied: set[str] = field(default_factory=set)

    def hear(self, path: Path) -> None:
        """Do one file once more."""
        took, found = self.run(path)
        if self.found.setdefault(path.stem, found) != found:
            self.varied.add(path.stem)
        self.took.setdefault(path.stem, []).append(took)

    @property
    def seconds(self) -> float:
        """For all files: the sum of their medians."""
        return float(sum(np.median(times) for times in self.took.values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--senko", type=Path, metavar="PYTHON", help="the interpreter that senko is installed for")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    folder = data_folder(options.data) / "ami"
    truth = read_all(folder)
    with tempfile.TemporaryDirectory() as made:
        paths = [as_wav(folder / f"{name}.flac", Path(made)) for name in truth]
        systems = {"samevoice": ours(options.threads)}
        if options.senko is not None:
            systems["senko 0.2.2"] = senko(options.senko)
        for system in systems.values():
            system.run(paths[0])
        for _ in range(options.repeats):
            for path in paths:
                for system in systems.values():
                    system.hear(path)
        audio = sum(soundfile.info(path).duration for path in paths)
    report(truth, systems, audio, options)


def as_wav(path: Path, folder: Path) -> Path:
    """The recording as the WAV that senko takes: 16 kHz, mono, 16 bits."""
    samples, rate = soundfile.read(path, dtype="int16")
    wav = folder / f"{path.stem}.wav"
    soundfile.write(wav, samples, rate, "PCM_16")
    return wav


def ours(threads: int) -> System:
    """This package: from the file to the turns, hearing and clustering."""
    began = time.perf_counter()
    diarizer = sv.load_diarizer(threads=threads)
    loading = time.perf_counter() - began

    def run(path: Path) -> Heard:
        start = time.perf_counter()
        found = sv.diarize(path, diarizer=diarizer)
        return time.perf_counter() - start, found.diarization

    return System(run, loading)


def senko(python: Path) -> System:
    """The peer, in a process of its own that waits while it is not asked."""
    child = subprocess.Popen(
        [python, "-c", DRIVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    wanted, answers = cast("IO[str]", child.stdin), cast("IO[str]", child.stdout)
    if not (ready := answers.readline()):
        raise SystemExit(f"{python}: senko cannot be used there; build it as the head of this file says")

    def run(path: Path) -> Heard:
        print(path, file=wanted, flush=True)
        took, turns = json.loads(answers.readline())
        extent = soundfile.info(path).duration
        return took, Diarization((Turn(*turn) for turn in turns if turn[0] < turn[1]), extent, path.stem)

    return System(run, float(ready))


def report(
    truth: Mapping[str, Diarization], systems: Mapping[str, System], audio: float, options: argparse.Namespace
) -> None:
    """Print all tables."""
    for group, prefix in GROUPS.items():
        names = [name for name in truth if name.startswith(prefix)]
        own = {name: truth[name] for name in names}
        reports = {who: compare(own, {name: system.found[name] for name in names}) for who, system in systems.items()}
        print(f"\n{group}: {len(names)} excerpts\n")
        rule_table(reports)
        if not prefix:
            whole = reports
    for who, found in whole.items():
        print(f"\n{who}: {what_is_left(found)}; {counts(found)}")
    per_file(whole)
    print("\n| who | threads | model loading, s | s per minute of audio | real-time factor |\n|---|---|---|---|---|")
    for who, system in systems.items():
        factor = system.seconds / audio
        threads = options.threads if who == "samevoice" else "its own choice: all cores"
        print(f"| {who} | {threads} | {system.loading:.1f} | {60 * factor:.2f} | {factor:.4f} |")
    for who, system in systems.items():
        if system.varied:
            print(f"\n{who}: other turns another time in {', '.join(sorted(system.varied))}")


def what_is_left(found: ScoreReport) -> str:
    """The error of the strictest rule by its terms, the largest first."""
    whole = found.total(RULES[0])
    wrong = whole.miss + whole.false_alarm + whole.confusion
    parts = sorted(((getattr(whole, name), told) for name, told in TERMS.items()), reverse=True)
    told = ", ".join(f"{100 * seconds / max(wrong, 1e-9):.0f} % {what}" for seconds, what in parts)
    return f"of {wrong:.0f} s of errors in {whole.reference:.0f} s of speech {told}"


def counts(found: ScoreReport) -> str:
    """How often the number of speakers is right."""
    whole = found.total(RULES[0])
    return f"{whole.exact_counts} of {whole.recordings} numbers of speakers right, {whole.count_error} off in all"


def per_file(reports: Mapping[str, ScoreReport]) -> None:
    """Print a row for each excerpt, under the strictest rule."""
    names = next(iter(reports.values())).recordings
    heads = "".join(f" {who}: DER | miss | false alarm | confusion | speakers |" for who in reports)
    print(f"\n| excerpt | speakers |{heads}\n|{'---|' * (2 + 5 * len(reports))}")
    for row, name in enumerate(names):
        cells = []
        for found in reports.values():
            one = found.scores[RULES[0]][row]
            cells += [f"{100 * value:.1f}" for key, value in rates(one).items() if key != "jer"]
            cells.append(str(one.hypothesis_speakers))
        print(f"| {name} | {one.reference_speakers} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
