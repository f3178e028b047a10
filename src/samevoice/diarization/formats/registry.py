"""Formats by name and by suffix.

Knows: which formats there are, what each loses. Does not know: how any is written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from samevoice.diarization.formats import audacity, document, elan, rttm, spreadsheet, subtitles, textgrid
from samevoice.diarization.formats.lines import decoded, recording_of, shown
from samevoice.diarization.turns import Diarization
from samevoice.errors import ConfigError, DataError

FOLDER = ".rttm"  # of a folder these are read
MAX_BYTES = 1 << 28  # a day of turns is a thousandth of it


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write turns.

    Args:
        suffix: of its files, in lower case.
        write: one recording as text.
        read: text, and what to call it in messages, as recordings.
        loses: what does not come back when it is read, in words.
    """

    suffix: str
    write: Callable[[Diarization], str]
    read: Callable[[str, str], list[Diarization]]
    loses: str


FORMATS = {
    "rttm": Format(".rttm", rttm.write, rttm.read, "the recording's length"),
    "json": Format(".json", document.write, document.read, "nothing"),
    "csv": Format(".csv", spreadsheet.write, spreadsheet.read, "the recording's length"),
    "srt": Format(".srt", subtitles.write_srt, subtitles.read_srt, "confidence, the recording's name and length"),
    "vtt": Format(".vtt", subtitles.write_vtt, subtitles.read_vtt, "confidence, the recording's name and length"),
    "textgrid": Format(".textgrid", textgrid.write, textgrid.read, "confidence, the recording's name"),
    "audacity": Format(".txt", audacity.write, audacity.read, "confidence, the recording's name and length"),
    "elan": Format(".eaf", elan.write, elan.read, "confidence"),
}


def write(diarization: Diarization, name: str) -> str:
    """A diarization in a format.

    Args:
        diarization: to be written.
        name: of the format, a key of `FORMATS`.

    Raises:
        ConfigError: there is no such format.
    """
    return _named(name).write(diarization)


def read(text: str | bytes, name: str, source: str = "text") -> list[Diarization]:
    """The recordings of a text in order of first appearance.

    Args:
        text: what a file holds; bytes are UTF-8, or UTF-16 with a byte order mark.
        name: of the format.
        source: what to call it in messages.

    Raises:
        ConfigError: there is no such format.
        DataError: the text is not of it; the message has the line.
    """
    known = _named(name)
    return known.read(decoded(text, source) if isinstance(text, bytes) else text.removeprefix("\ufeff"), source)


def by_suffix(path: Path) -> str:
    """The name of the format that a file's suffix stands for.

    Args:
        path: of a file, which need not be there.

    Raises:
        ConfigError: it stands for none.
    """
    for name, known in FORMATS.items():
        if known.suffix == path.suffix.lower():
            return name
    suffixes = ", ".join(known.suffix for known in FORMATS.values())
    raise ConfigError(f"{path}: no format of diarizations has this suffix; use one of {suffixes}")


def read_file(path: Path, name: str | None = None) -> list[Diarization]:
    """The recordings of a file; where the format has no place for their name, it is that of the file.

    Args:
        path: the file.
        name: of the format; default: that of the suffix.

    Raises:
        ConfigError: there is no such format.
        DataError: the file cannot be read, is too large, or not of the format.
    """
    name = name or by_suffix(path)
    found = read(read_bytes(path), name, str(path))
    stem = path.stem
    return [one if one.recording else recording_of(one.turns, stem, str(path), one.extent) for one in found]


def read_all(path: Path) -> dict[str, Diarization]:
    """The recordings of a file, or of all RTTM files below a folder, by name.

    An RTTM file of a folder that holds no turns is a recording in which nobody speaks, named as the file is.

    Args:
        path: of a file, or of a folder.

    Raises:
        ConfigError: the suffix of the file stands for no format.
        DataError: a file cannot be read, a recording is there twice, or the folder holds none.
    """
    if not path.is_dir():
        paths = [path]
    elif not (paths := sorted(one for one in path.rglob("*") if one.suffix.lower() == FOLDER and one.is_file())):
        raise DataError(f"{path}: no {FOLDER} files in this folder; name a file if yours end otherwise")
    found: dict[str, Diarization] = {}
    for one in paths:
        held = read_file(one)
        if path.is_dir() and not held:
            held = [recording_of((), one.stem, str(one))]
        for recording in held:
            if recording.recording in found:
                raise DataError(f"{one}: recording {shown(recording.recording)} is there twice; remove one")
            found[recording.recording] = recording
    return found


def read_bytes(path: Path) -> bytes:
    """What a file holds.

    Args:
        path: of the file.

    Raises:
        DataError: it cannot be read, or is larger than any list of turns.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    if len(content) > MAX_BYTES:
        raise DataError(f"{path}: is larger than {MAX_BYTES >> 20} MiB; is this a list of turns?")
    return content


def _named(name: str) -> Format:
    """A format of the registry."""
    if name not in FORMATS:
        raise ConfigError(f"format {name!r} is unknown; use one of {', '.join(FORMATS)}")
    return FORMATS[name]
