"""Feed mutated files to the decoder: `python mutants.py SEED COUNT` prints one JSON line per broken promise.

It runs in a process of its own, so that a crash or a hang inside a decoder is seen as such: before each file its
number is printed, and faulthandler ends the process when one file takes more than 20 s.
"""

from __future__ import annotations

import faulthandler
import json
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import soundfile
from makers import encode

from samevoice.audio.decode import open_recording
from samevoice.errors import SamevoiceError

KINDS = ("wav-16", "wav-float", "flac", "mp3", "ogg-vorbis", "ogg-opus", "m4a", "aac", "webm", "avi-video", "mkv-video")
EDGES = (
    b"\xff\xff\xff\xff",
    bytes(4),
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\1",
    b"\1\0\0\0",
    b"\x80\0\0\0",
)
SAMPLE = Path(__file__).parent.parent.parent / "samples" / "librispeech_1255_a.flac"


def originals() -> dict[str, bytes]:
    """One second of speech in every format."""
    sound, rate = soundfile.read(SAMPLE, frames=16_000, dtype="float32")
    return {kind: encode(kind, sound, rate) for kind in KINDS}


def mutate(data: bytes, draw: np.random.Generator) -> bytes:
    """Flip bits, cut off, swap blocks, put extremes into length fields, or scramble the header."""
    mutant = bytearray(data)
    match draw.integers(5):
        case 0:
            for place in draw.integers(len(mutant), size=draw.integers(1, 20)):
                mutant[place] ^= 1 << int(draw.integers(8))
        case 1:
            del mutant[draw.integers(1, len(mutant)) :]
        case 2:
            first, second = sorted(draw.integers(len(mutant), size=2))
            size = min(int(draw.integers(1, 400)), second - first)
            mutant[first : first + size], mutant[second : second + size] = (
                mutant[second : second + size],
                mutant[first : first + size],
            )
        case 3:
            for place in draw.integers(min(len(mutant), 300), size=draw.integers(1, 4)):
                mutant[place : place + 4] = EDGES[draw.integers(len(EDGES))]
        case _:
            for place in draw.integers(min(len(mutant), 400), size=draw.integers(1, 6)):
                mutant[place] = draw.integers(256)
    return bytes(mutant)


def judge(data: bytes) -> tuple[str, str | None]:
    """What came of a file, and which promise it broke, if any."""
    frames = 0
    try:
        recording = open_recording(data, "mutant")
        info = recording.info
        if not (4_000 <= info.rate <= 768_000 and 1 <= info.channels <= 64 and info.format):
            return "read", f"absurd header: {info}"
        if info.declared is not None and not 0 < info.declared < float("inf"):
            return "read", f"absurd duration: {info}"
        for block in recording.blocks():
            frames += len(block)
            if block.dtype != np.float32 or block.ndim != 2 or block.shape[1] != info.channels:
                return "read", f"block of {block.dtype} {block.shape} for {info}"
            if not np.isfinite(block).all():
                return "read", "a block holds NaN or infinity"
            if frames > 3_600 * info.rate:
                return "read", f"more than an hour from {len(data)} bytes"
    except SamevoiceError as error:
        return "refused", None if str(error).startswith("mutant: ") and len(str(error)) < 400 else f"message: {error}"
    except Exception as error:
        return "failed", repr(error)[:300]
    return ("damaged" if recording.damage else "whole"), None


def main(seed: int, count: int) -> None:
    """Judge `count` mutants; the last line counts the outcomes."""
    faulthandler.enable()
    base, draw, outcomes = originals(), np.random.default_rng(seed), Counter[str]()
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        data = mutate(base[kind], draw)
        faulthandler.dump_traceback_later(20, exit=True)
        print(json.dumps({"at": number, "kind": kind}), flush=True)  # noqa: T201
        outcome, broken = judge(data)
        outcomes[outcome] += 1
        if broken:
            print(json.dumps({"broken": broken, "number": number, "kind": kind}), flush=True)  # noqa: T201
    faulthandler.cancel_dump_traceback_later()
    print(json.dumps({"outcomes": outcomes}))  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
