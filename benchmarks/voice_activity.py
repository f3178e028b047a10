"""Is the tiny voice activity detector in the package honest beside Silero and a level gate?

All detectors pass through the same hysteresis: the same least speech and pause, the same padding. Compared are moments
10 ms apart.

    agreement  with Silero on the recording as it is, while the detector hears it as it is, in noise, or faint;
               recordings and noises that the tiny network was not trained on. "precise" and "prompts" are of kinds
               that it never saw (in neither are speakers known to be others than in training)
    meetings   the twelve AMI excerpts against the labels: shares of labelled speech missed, and of labelled silence
               called speech; each detector hears the same files
    voiceless  noises kept away from training, silence, tones and music: share called speech
    speed      processor time of a 3 s clip on one thread, median: with features, and of both parts alone
    embeddings cosine of the embeddings of one recording after either detector

Run: python -m benchmarks.voice_activity --data DIR [--vad FILE] [--json FILE] [--only NAME ...]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import soundfile
from numpy.typing import NDArray

import samevoice as sv
from benchmarks import no_voices
from benchmarks.corpus import data_folder
from samevoice.audio.waveform import Samples, Waveform
from samevoice.corpora.pieces import evenly
from samevoice.diarization.formats import read_all
from samevoice.effects.channel import gain
from samevoice.effects.noise import add_noise, stretch
from samevoice.loading import load_detector
from samevoice.models import shipped
from samevoice.scoring.cosine import cosine
from samevoice.speech.energy import LevelGate
from samevoice.speech.timeline import Segment, Timeline
from samevoice.speech.tinyvad import TinyVad
from samevoice.speech.vad import RATE, Hysteresis, VoiceActivityDetector
from samevoice.training.voicing import NOISE, SOURCES, kept_away, listed, read

UNSEEN = ("precise", "prompts")
MOST = 50  # recordings of each source
GRID = 0.01
SEED = 9
EMBEDDED = 50
REPEATS = 51

Detectors = Mapping[str, VoiceActivityDetector]
Flags = NDArray[np.bool_]
Table = list[dict[str, Any]]


class SmoothGate:
    """A level gate with the same hysteresis as the networks."""

    def __init__(self, gate: LevelGate) -> None:
        self._gate = gate

    def __call__(self, blocks: Iterable[Waveform], /) -> Timeline:
        """The timeline of stretches that are loud enough."""
        found = self._gate(blocks)
        loud = found.covers(moments(found.extent, self._gate.chunk)).astype(np.float32)
        return Hysteresis().segments(loud, self._gate.chunk, found.extent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--vad", type=Path, default=shipped.path_of("vad"))
    parser.add_argument("--json", type=Path, help="where the tables are written as JSON")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    options = parser.parse_args()
    folder = data_folder(options.data)
    graph = options.vad.read_bytes()
    detectors: Detectors = {
        "Silero": load_detector(),
        "tiny": TinyVad(graph),
        "level gate": SmoothGate(LevelGate()),
        "level gate, levelled": SmoothGate(LevelGate(level_dbfs=-26.0)),
    }
    tables: dict[str, Table] = {}
    for name in options.only:
        tables[name] = PARTS[name](folder, detectors)
        show(name, tables[name])
    if options.json:
        options.json.write_text(json.dumps(tables, indent=1) + "\n", encoding="utf-8")


def agreement(folder: Path, detectors: Detectors) -> Table:
    """Against Silero on the recording as it is."""
    random, table = np.random.default_rng(SEED), []
    noises = [read(path) for path in kept(folder, NOISE)]
    for source in (*SOURCES, *UNSEEN):
        # Nothing of the sources it never saw was trained on, so any of their files will do.
        paths = kept(folder, source) if source in SOURCES else [folder / row["path"] for row in of(folder, source)]
        sounds = [read(path) for path in evenly(paths, min(MOST, len(paths)))]
        wanted = [flags(detectors["Silero"], sound) for sound in sounds]
        noisy = {
            level: [add_noise(sound, background(noises, sound, random), level) for sound in sounds] for level in (10, 0)
        }
        conditions = {
            "as recorded": sounds,
            **{f"noise at {level} dB": heard for level, heard in noisy.items()},
            "-30 dB": [as_pcm(gain(sound, -30)) for sound in sounds],
        }
        for condition, heard in conditions.items():
            for name, detector in detectors.items():
                found = [flags(detector, sound) for sound in heard]
                table.append({"source": source, "condition": condition, "detector": name, **scores(found, wanted)})
    return table


def meetings(folder: Path, detectors: Detectors) -> Table:
    """Against the labels of AMI."""
    wanted, sounds, names = [], [], []
    for name, labels in read_all(folder / "ami").items():
        sounds.append(read(folder / "ami" / f"{name}.flac"))
        spoken = Timeline((Segment(turn.start, turn.end) for turn in labels), len(sounds[-1]) / RATE)
        wanted.append(spoken.covers(moments(spoken.extent)))
        names.append(name)
    table = []
    for group in ("", "dev", "trn"):
        chosen = [place for place, name in enumerate(names) if name.startswith(group)]
        for name, detector in detectors.items():
            found = [flags(detector, sounds[place]) for place in chosen]
            figures = scores(found, [wanted[place] for place in chosen])
            table.append({"meetings": group or "all", "detector": name, **figures})
    return table


def voiceless(folder: Path, detectors: Detectors) -> Table:
    """Share of sound without a voice that is called speech."""
    noises = {f"kept-away noise, {path.stem}": [read(path)] for path in kept(folder, NOISE)}
    kinds: dict[str, Callable[[np.random.Generator], Samples]] = {
        "silence": no_voices.silence,
        "noise": no_voices.noise,
        "tones": no_voices.tones,
        "music": no_voices.music,
    }
    made = {
        kind: [no_voices.levelled(draw(np.random.default_rng([SEED, place])), place) for place in range(60)]
        for kind, draw in kinds.items()
    }
    table = []
    for kind, sounds in {**noises, **made}.items():
        for name, detector in detectors.items():
            found = np.concatenate([flags(detector, sound) for sound in sounds])
            clips = sum(bool(len(detector([Waveform(sound, RATE)]))) for sound in sounds)
            table.append({"sound": kind, "detector": name, "speech": float(found.mean()), "clips with any": clips})
    return table


def speed(folder: Path, detectors: Detectors) -> Table:
    """Milliseconds of processor time for 3 s, the detectors taking turns."""
    sound = soundfile.read(kept(folder, "librispeech")[0], frames=3 * RATE, dtype="float32")[0]
    clip = [Waveform(sound, RATE)]
    work: dict[str, Callable[[], object]] = {name: partial(one, clip) for name, one in detectors.items()}
    stream = cast("TinyVad", detectors["tiny"]).stream()
    frames = stream._frontend.frames(sound)  # noqa: SLF001 - the parts of the work, one by one
    work["tiny: features alone"] = lambda: stream._frontend.frames(sound)  # noqa: SLF001
    work["tiny: network alone"] = lambda: stream._session.run(None, {"features": frames[None]})  # noqa: SLF001
    took: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(REPEATS):
        for name, task in work.items():
            began = time.process_time()
            task()
            took[name].append(1000 * (time.process_time() - began))
    return [{"detector": name, "ms per 3 s": statistics.median(times)} for name, times in took.items()]


def embeddings(folder: Path, detectors: Detectors) -> Table:
    """Cosine of CAM++'s embeddings after each detector with those after Silero."""
    model = sv.load_model("campplus", threads=1)
    paths = kept(folder, "librispeech")[:EMBEDDED]
    wanted = [model.embed(path) for path in paths]
    table = []
    for name in ("tiny", "level gate"):
        detector = detectors[name]
        found = [model.with_detector(detector).embed(path) for path in paths]
        alike = [cosine(one, other) for one, other in zip(found, wanted, strict=True)]
        figures = {"least cosine": min(alike), "median cosine": statistics.median(alike)}
        speech = sum(one.seconds for one in found) / sum(one.seconds for one in wanted)
        table.append({"detector": name, **figures, "speech beside Silero's": speech})
    return table


PARTS: Mapping[str, Callable[[Path, Detectors], Table]] = {
    "agreement": agreement,
    "meetings": meetings,
    "voiceless": voiceless,
    "speed": speed,
    "embeddings": embeddings,
}


def of(folder: Path, source: str) -> list[Any]:
    """The manifest's rows of a source, by path."""
    return sorted((row for row in listed(folder) if row["source"] == source), key=lambda row: row["path"])


def kept(folder: Path, source: str) -> list[Path]:
    """Files that the network was not trained on: of LibriSpeech those of the 50 speakers for development."""
    rows = [row for row in of(folder, source) if kept_away(row)]
    return [folder / row["path"] for row in rows if source != "librispeech" or row["split"] == "dev"]


def background(noises: list[Samples], sound: Samples, random: np.random.Generator) -> Samples:
    """As long a stretch of a noise."""
    return stretch(noises[int(random.integers(len(noises)))], len(sound), random)


def as_pcm(sound: Samples) -> Samples:
    """In steps of 16 bits, as a file would hold it."""
    return (np.rint(sound * 32_768) / 32_768).astype(np.float32)


def moments(seconds: float, step: float = GRID) -> NDArray[np.float64]:
    """The middles of all steps of so many seconds."""
    return step * (np.arange(int(seconds / step), dtype=np.float64) + 0.5)


def flags(detector: VoiceActivityDetector, sound: Samples) -> Flags:
    """Which moments a detector calls speech."""
    return detector([Waveform(sound, RATE)]).covers(moments(len(sound) / RATE))


def scores(found: list[Flags], wanted: list[Flags]) -> dict[str, float]:
    """Shares over all recordings together."""
    mine, theirs = np.concatenate(found), np.concatenate(wanted)
    right = float((mine & theirs).sum())
    return {
        "F1": 2 * right / max(float(mine.sum() + theirs.sum()), 1.0),
        "miss": 1 - right / max(float(theirs.sum()), 1.0),
        "false alarm": float((mine & ~theirs).sum()) / max(float((~theirs).sum()), 1.0),
        "error / speech": float((mine ^ theirs).sum()) / max(float(theirs.sum()), 1.0),
    }


def show(name: str, table: Table) -> None:
    """A table in Markdown."""
    print(f"\n## {name}\n\n| {' | '.join(table[0])} |\n|{'---|' * len(table[0])}")
    for row in table:
        cells = (f"{value:.4g}" if isinstance(value, float) else str(value) for value in row.values())
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
