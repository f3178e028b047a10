"""How soon does live listening know who speaks, and what does it cost?

Of each LibriSpeech speaker the first half of an utterance is enrolled, and the second half is listened to as a stream;
as many other speakers, who are not enrolled, are listened to as well. Reported are the seconds of speech until the
first name, how many names are wrong, the CPU time per second of sound (both hearings, one thread), and with `--speed 1`
how long after its last sample each event comes.

Run: python -m benchmarks.live_first_label --data DIR [--people 20] [--speed 0]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

import samevoice as sv
from benchmarks.corpus import data_folder, librispeech
from samevoice.audio.waveform import Waveform
from samevoice.diarization.diarizer import Diarizer, load_diarizer
from samevoice.errors import EnrolmentRefused
from samevoice.gallery.crypto import MasterKey
from samevoice.live.events import End, Identity, Label
from samevoice.live.feed import replay
from samevoice.live.session import Session

LEAST_SECONDS = 8.0  # of an utterance: half of it is enrolled
SOON = 3.0


@dataclass(frozen=True, slots=True)
class Heard:
    """One listening: the first certain label, after how much speech; seconds of sound, of CPU; delays of events."""

    label: Label | None
    speech: float
    extent: float
    cpu: float
    delays: tuple[float, ...]
    final: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--speed", type=float, default=0.0)
    options = parser.parse_args()
    diarizer = load_diarizer("campplus", 1)
    halves = read_halves(data_folder(options.data))
    with (
        tempfile.TemporaryDirectory() as folder,
        sv.Gallery(Path(folder) / "people.db", model=diarizer.model, key=MasterKey.generate()) as gallery,
    ):
        enrolled: list[tuple[str, Waveform]] = []
        strangers: list[Waveform] = []
        for name, first, second in halves:
            if len(enrolled) < options.people:
                try:
                    gallery.enrol(name, first)
                except EnrolmentRefused:
                    continue
                enrolled.append((name, second))
            elif len(strangers) < options.people:
                strangers.append(second)
        known = [(name, hear(second, diarizer, gallery, options.speed)) for name, second in enrolled]
        unknown = [hear(second, diarizer, gallery, options.speed) for second in strangers]
    report(known, unknown)


def read_halves(folder: Path) -> Iterator[tuple[str, Waveform, Waveform]]:
    """Both halves of each utterance that is long enough."""
    for one in librispeech(folder):
        sound, rate = soundfile.read(one.path, dtype="float32")
        if len(sound) >= LEAST_SECONDS * rate:
            middle = len(sound) // 2
            yield one.speaker, Waveform(sound[:middle], rate), Waveform(sound[middle:], rate)


def hear(sound: Waveform, diarizer: Diarizer, gallery: sv.Gallery, speed: float) -> Heard:
    """Listen to one sound."""
    began, cpu = time.monotonic(), time.process_time()
    label, speech = None, np.inf
    delays: list[float] = []
    session = Session(replay(sound, speed), diarizer, gallery=gallery)
    for event in session:
        if isinstance(event, Identity):
            if speed:
                delays.append(time.monotonic() - began - event.time / speed)
            if label is None and event.label.certain:
                label, speech = event.label, session.ring.total / session.ring.rate
        if isinstance(event, End):
            final = event.diarized.diarization.speakers
    spent = time.process_time() - cpu
    return Heard(label, speech, sound.duration, spent, tuple(delays), final)


def report(known: list[tuple[str, Heard]], unknown: list[Heard]) -> None:
    """The figures."""
    right = [one for name, one in known if one.label and one.label.name == name]
    wrong = [one for name, one in known if one.label and one.label.known != "here" and one.label.name != name]
    lengths = np.array([one.speech for one in right])
    soon = np.array([one.speech <= SOON for one in right])
    print(f"{len(known)} people enrolled, {np.mean([one.extent for _, one in known]):.1f} s of each are listened to")
    print(f"first certain label is the right name: {len(right)}, another name: {len(wrong)}")
    print(f"   a local name: {sum(one.label is not None and one.label.known == 'here' for _, one in known)}")
    print(f"   none: {sum(one.label is None for _, one in known)}")
    print(f"right within {SOON:g} s of speech: {soon.sum()} of {len(known)}; median {np.median(lengths):.1f} s, ")
    print(f"   after 1 s: {(lengths <= 1).sum()}, 1.5 s: {(lengths <= 1.5).sum()}, 2 s: {(lengths <= 2).sum()}")
    print(f"the final answer has the right name alone: {sum(one.final == (name,) for name, one in known)}")
    named = sum(one.label is not None and one.label.known != "here" for one in unknown)
    print(f"{len(unknown)} strangers; given a name of somebody enrolled: {named}")
    everything = [*unknown, *(one for _, one in known)]
    print(f"CPU per second of sound: {sum(one.cpu for one in everything) / sum(one.extent for one in everything):.3f}")
    if delays := [delay for one in everything for delay in one.delays]:
        print(f"delay of events: median {np.median(delays):.2f} s, 95 % {np.percentile(delays, 95):.2f} s")


if __name__ == "__main__":
    main()
