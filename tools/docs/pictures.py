"""What the commands draw, from the recordings in `samples/`: `python -m tools.docs.pictures docs/screenshots`.

    explained.png   verify --explain: which seconds of two recordings fit
    scores.png      evaluate --plots: distances within one speaker and between two
    det.png         evaluate --plots: misses against false accepts
    diarized.png    diarize --picture: who speaks when in a simulated conversation
    slices.png      timeline --picture: speech, and how much each slice is like a voice

Knows: commands and samples. Does not know: how anything is drawn.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
NAMES = ("explained.png", "slices.png", "scores.png", "det.png", "diarized.png")
SAMPLES = Path("samples")  # from the root, so that no picture shows where the project lies
PEOPLE = {
    "one": ("sample_1a.mp3", "sample_1b.mp3"),
    "two": ("sample_2.mp3",),
    "reader-1255": ("librispeech_1255_a.flac",),
    "reader-19": ("librispeech_19_a.flac",),
    "philippe": ("philippe_1.flac", "philippe_2.flac"),
}
"""Whose recordings the samples are."""
TALKERS = ("one", "reader-1255", "philippe")  # who say enough for a conversation of a minute
PIECE_SECONDS = "1"  # of the evaluation: with longer ones the samples are too few for a curve
FIRST, SECOND = SAMPLES / "philippe_1.flac", SAMPLES / "philippe_2.flac"


def draw(folder: Path, work: Path) -> None:
    """Make all pictures.

    Args:
        folder: where they go; files of their names are replaced.
        work: an empty folder for what is made on the way.
    """
    voices, talkers = work / "voices", work / "talkers"
    for person, files in PEOPLE.items():
        for place in (voices, talkers) if person in TALKERS else (voices,):
            (place / person).mkdir(parents=True)
            for name in files:
                shutil.copy(ROOT / SAMPLES / name, place / person)
    samevoice("verify", FIRST, SECOND, "--explain", folder / "explained.png")
    samevoice("timeline", FIRST, "--reference", SECOND, "--picture", folder / "slices.png")
    samevoice("evaluate", "campplus", "--data", voices, "--seconds", PIECE_SECONDS, "--plots", work)
    (work / "distances.png").replace(folder / "scores.png")
    (work / "det.png").replace(folder / "det.png")
    samevoice("simulate", talkers, "-o", work / "talk", "--speakers", "3", "--minutes", "1", "--seed", "1")
    (talk,) = (work / "talk").glob("*.flac")
    samevoice("diarize", talk, "-o", work / "talk.rttm", "--picture", folder / "diarized.png")
    samevoice("score-diarization", talk.with_suffix(".rttm"), work / "talk.rttm")


def samevoice(*words: str | Path) -> None:
    """Run a command, and show what it prints.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    subprocess.run([sys.executable, "-m", "samevoice", *map(str, words)], cwd=ROOT, check=True)


if __name__ == "__main__":
    target = Path(sys.argv[1]).resolve()
    target.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        draw(target, Path(scratch))
