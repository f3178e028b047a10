"""A Kaldi data folder: `wav.scp` and `utt2spk`, with `segments`, `spk2gender` and `utt2lang` where they are.

Commands in `wav.scp` ("sox ... |") are never run. Source: Kaldi, "Data preparation".
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from samevoice.corpora.found import Found, Problem, gender_of
from samevoice.corpora.text import read_pairs
from samevoice.corpora.tree import locate
from samevoice.errors import DataError

LAYOUT = "kaldi: wav.scp and utt2spk, with segments, spk2gender and utt2lang where they are"

TO_THE_END = -1.0


def recognises(root: Path) -> bool:
    """Whether the two lists are there that every Kaldi folder has."""
    return (root / "wav.scp").is_file() and (root / "utt2spk").is_file()


def read(root: Path) -> Iterator[Found | Problem]:
    """Utterances of `segments`, or else one per recording; the recording is the session of its segments."""
    recordings, speakers = read_pairs(root / "wav.scp"), read_pairs(root / "utt2spk")
    genders, languages = _optional(root / "spk2gender"), _optional(root / "utt2lang")
    segments = _segments(root / "segments")
    stretches = segments if segments is not None else {name: (name, 0.0, None) for name in recordings}
    for name, (recording, start, seconds) in stretches.items():
        place = recordings.get(recording)
        if place is None:
            yield Problem("segments", None, f"{name}: recording {recording!r} is not in wav.scp")
        elif place.endswith("|") or place.startswith("|"):
            yield Problem("wav.scp", None, f"{name}: is a command, which is not run; write its output to a file")
        elif name not in speakers:
            yield Problem("utt2spk", None, f"{name}: has no speaker; add a line for it")
        else:
            yield Found(
                id=name,
                speaker=speakers[name],
                path=locate(place, root),
                session="" if segments is None else recording,
                start=start,
                seconds=seconds,
                language=languages.get(name, ""),
                gender=gender_of(genders.get(speakers[name], "")),
                corpus="kaldi",
            )


def _optional(path: Path) -> dict[str, str]:
    """A list that need not be there."""
    return read_pairs(path) if path.is_file() else {}


def _segments(path: Path) -> dict[str, tuple[str, float, float | None]] | None:
    """Utterance -> recording, start and length in seconds; None if there is no such list."""
    if not path.is_file():
        return None
    found: dict[str, tuple[str, float, float | None]] = {}
    for name, value in read_pairs(path).items():
        fields = value.split()
        try:
            recording, start, end = fields[0], *map(float, fields[1:3])
        except ValueError as error:
            raise DataError(
                f"{path}: {name!r} needs a recording, a start and an end in seconds, got {value!r}"
            ) from error
        if not (math.isfinite(start) and math.isfinite(end) and start >= 0 and (end > start or end == TO_THE_END)):
            raise DataError(f"{path}: {name!r} begins at {start} s and ends at {end} s; mend the line")
        found[name] = recording, start, None if end == TO_THE_END else end - start
    return found
