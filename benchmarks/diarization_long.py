"""Does a recording of eight hours fit, and does a killed diarization go on? `samevoice diarize`, as one would call it.

A conversation of eight hours between six people is made by `samevoice simulate` of LibriSpeech speakers (split `dev`,
one utterance each, so that everybody says the same again and again). Then, each in a process of its own: the whole
diarization, of which peak memory and time are told, and the time of telling apart alone, from what was heard; another,
killed without warning (SIGKILL) after half of the time that the first one took; and a third that goes on from there, of
which the RTTM must be that of the first, byte for byte. What was heard before a kill lies in samevoice's cache until
the recording is done.

Run: python -m benchmarks.diarization_long --data DIR [--hours 8] [--speakers 6] [--threads 2] [--keep DIR]
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.conversations import folder, rule_table
from benchmarks.corpus import data_folder, librispeech
from samevoice.diarization.clustering import tell
from samevoice.diarization.diarizer import told_apart
from samevoice.diarization.evidence import Evidence
from samevoice.diarization.formats import read_all
from samevoice.diarization.scorereport import compare

SEED = 7
NAME = "conversation-0001"  # as `samevoice simulate` calls the first


@dataclass(frozen=True, slots=True)
class Run:
    """A command that ended: seconds, those of processors, peak resident memory in MB, and whether it was well."""

    seconds: float
    worked: float
    peak: float
    well: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--speakers", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where the recording stays, to be used again")
    options = parser.parse_args()
    data = data_folder(options.data)
    with folder(options.keep) as place:
        sound = recording(data, place, options)
        found, again, evidence = place / "found.rttm", place / "again.rttm", place / "evidence.npz"
        again.unlink(missing_ok=True)  # of a run before, in a folder that was kept
        listen = ["diarize", str(sound), "--threads", str(options.threads)]
        whole = command([*listen, "-o", str(found), "--keep", str(evidence)])
        killed = command([*listen, "-o", str(again)], kill_after=whole.seconds / 2)
        if killed.well or again.exists():
            raise SystemExit("it was done before it could be killed; ask for more --hours")
        rest = command([*listen, "-o", str(again)])
        if not (whole.well and rest.well):
            raise SystemExit("samevoice diarize failed")
        equal = found.read_bytes() == again.read_bytes()
        heard = Evidence.load(evidence)
        began = time.perf_counter()
        told = tell(heard)
        telling = time.perf_counter() - began
        told_apart(heard, told)
        ending = time.perf_counter() - began
        report = compare(read_all(sound.with_suffix(".rttm")), {NAME: read_all(found)[NAME]})
        size = evidence.stat().st_size / 1e6
    print("| recording | threads | pieces | peak resident memory | s | real-time factor ", end="")
    print("| of that telling apart | telling apart and turns | evidence on disk |")
    print(f"|{'---|' * 9}")
    cells = [f"{options.hours:g} h", str(options.threads), f"{len(heard.windows):,}", f"{whole.peak:.0f} MB"]
    cells += [f"{whole.seconds:.0f}", f"{whole.seconds / heard.extent:.4f}", f"{telling:.1f} s", f"{ending:.1f} s"]
    print(f"| {' | '.join([*cells, f'{size:.0f} MB'])} |")
    print(
        f"\nWhole: {whole.seconds:.0f} s ({whole.worked:.0f} s of processors). Killed after {killed.seconds:.0f} s. ",
        end="",
    )
    print(f"Then {rest.seconds:.0f} s ({rest.worked:.0f} s), with a peak of {rest.peak:.0f} MB: ", end="")
    print(f"{1 - rest.worked / whole.worked:.0%} of the work was saved. ", end="")
    print(f"The RTTM is {'the same' if equal else 'ANOTHER ONE'}.\n")
    rule_table({f"{options.hours:g} h": report})
    score = report.total((0.0, True))
    print(f"\n{score.reference_speakers} speakers, {score.hypothesis_speakers} found")
    if not equal:
        raise SystemExit(1)


def recording(data: Path, place: Path, options: argparse.Namespace) -> Path:
    """The conversation, made if it is not there."""
    made = place / f"{options.hours:g}-hours-{options.speakers}-speakers"
    if not (sound := made / f"{NAME}.flac").exists():
        shutil.rmtree(made, ignore_errors=True)  # half of one, after a kill
        for one in librispeech(data, "dev"):
            own = place / "voices" / one.speaker
            own.mkdir(parents=True, exist_ok=True)
            shutil.copy(one.path, own)
        wanted = ["--speakers", str(options.speakers), "--minutes", f"{60 * options.hours:g}", "--seed", str(SEED)]
        if not command(["simulate", str(place / "voices"), "-o", str(made), *wanted]).well:
            raise SystemExit("samevoice simulate failed")
    return sound


def command(words: Sequence[str], kill_after: float | None = None) -> Run:
    """Run samevoice in a process of its own, or for so many seconds of it.

    The peak is what the kernel says of that process alone.
    """
    began = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-m", "samevoice", *words])
    if kill_after is not None:
        time.sleep(kill_after)
        child.send_signal(signal.SIGKILL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    worked = used.ru_utime + used.ru_stime
    return Run(time.perf_counter() - began, worked, used.ru_maxrss / 1024, child.returncode == 0)


if __name__ == "__main__":
    main()
