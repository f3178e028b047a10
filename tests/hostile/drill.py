"""The failure drill: every entry of the product is given damaged and lying input for as long as you like.

    python tests/hostile/drill.py SECONDS [--only ENTRY ...] [--seed N] [--keep FOLDER]

Each entry runs in a process of its own, so that a crash or a hang is seen as such. What may come of an input is an
answer, or one of samevoice's own errors with one sentence; a service may answer nothing from 500 on. Every input that
breaks this promise is written to the folder, with the reason beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.extend(str(Path(__file__).parent.parent / one) for one in ("", "gallery", "service"))

import mutants
import numpy as np
from drillers import ENTRIES, Entry

from samevoice.errors import SamevoiceError

STDERR = 2  # the stream itself: a test may have put something else in its place
LONGEST = 60.0  # seconds that one input may take
LONGEST_MESSAGE = 1_000
WORDS = (
    b"nan", b"inf", b"-1", b"1e400", b"0", b"99999999999999999999", b"", b"\0", b"\xff\xfe", b"\xed\xa0\x80", b'"',
    b"[", b"{", b"\n", b"\r", b"\t", b"null", b"true", b"../../x", b"\xe2\x80\xae", b"\xe2\x80\xa8", b"1" * 5_000,
    b"[" * 3_000,
)  # fmt: skip


def changed(data: bytes, text: bool, draw: np.random.Generator) -> bytes:
    """A mutant: of texts lines and words change as well as bytes."""
    if not data or not text or draw.random() < 0.3:
        return mutants.mutate(data, draw) if len(data) > 1 else data
    lines = data.split(b"\n")
    place = int(draw.integers(len(lines)))
    match draw.integers(5):
        case 0:
            lines[place:place] = [lines[int(draw.integers(len(lines)))]] * int(draw.integers(1, 50))
        case 1:
            del lines[place]
        case _:
            words = lines[place].split(b" ") if draw.random() < 0.5 else lines[place].split(b",")
            words[int(draw.integers(len(words)))] = WORDS[int(draw.integers(len(WORDS)))]
            lines[place] = (b" " if draw.random() < 0.8 else b",").join(words)
    return b"\n".join(lines)


def reason_of(use: Callable[[Path], object], path: Path) -> tuple[str, str | None]:
    """What came of an input, and which promise it broke, if any."""
    try:
        use(path)
    except SamevoiceError as error:
        words = str(error)
        fine = words.strip() and len(words) < LONGEST_MESSAGE and "Traceback" not in words and "\n" not in words
        return "refused", None if fine else f"no sentence: {words[:LONGEST_MESSAGE]!r}"
    except Exception as error:
        return "failed", f"{type(error).__name__}: {error}"[:LONGEST_MESSAGE]
    return "answered", None


def drill(entry: Entry, seconds: float, seed: int, keep: Path) -> None:
    """One entry, in this process; the last line counts what came of the inputs."""
    faulthandler.enable(STDERR)
    draw, outcomes, number = np.random.default_rng([seed, *entry.name.encode()]), Counter[str](), 0
    with tempfile.TemporaryDirectory() as root, entry.made(Path(root)) as (originals, use):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            number += 1
            name = list(originals)[number % len(originals)]
            data = originals[name]
            for _ in range(int(draw.integers(1, 4))):
                data = changed(data, entry.text, draw)
            path = Path(root) / name
            path.write_bytes(data)
            (keep / f"{entry.name}-now").write_bytes(data)  # what a crash is about
            faulthandler.dump_traceback_later(LONGEST, exit=True, file=STDERR)
            outcome, broken = reason_of(use, path)
            faulthandler.cancel_dump_traceback_later()
            outcomes[outcome] += 1
            if broken and outcomes["kept"] < 20:
                outcomes["kept"] += 1
                (keep / f"{entry.name}-{number}{path.suffix}").write_bytes(data)
                (keep / f"{entry.name}-{number}.reason").write_text(broken)
    (keep / f"{entry.name}-now").unlink()
    print(json.dumps(outcomes))  # noqa: T201


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seconds", type=float, help="for all entries together")
    parser.add_argument("--only", nargs="*", default=list(ENTRIES), choices=list(ENTRIES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("drill"))
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.keep.mkdir(exist_ok=True)
    if options.here:
        drill(ENTRIES[options.only[0]], options.seconds, options.seed, options.keep)
        return
    failed = False
    for name in options.only:
        share = options.seconds / len(options.only)
        line = [sys.executable, __file__, str(share), "--only", name, "--seed", str(options.seed), "--here"]
        done = subprocess.run([*line, "--keep", str(options.keep)], capture_output=True, text=True, check=False)
        told = done.stdout.strip().splitlines()[-1:] or ["{}"]
        counts = {}
        with contextlib.suppress(ValueError):
            counts = json.loads(told[0])
        failed |= bool(done.returncode or counts.get("kept") or counts.get("failed"))
        print(f"{name}: {told[0]}" + (f" exit {done.returncode}" if done.returncode else ""), flush=True)  # noqa: T201
        if done.returncode:
            (options.keep / f"{name}-crash.txt").write_text(done.stderr[-20_000:])
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
