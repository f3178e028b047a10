"""Lhotse cut manifests, read without lhotse: `*cuts*.jsonl` or `.jsonl.gz`, a MonoCut on each line.

Cuts whose sound does not lie in a file of its own (commands, URLs, memory), mixed cuts, and channels other than the
first are named and left out. Source: Zelasko et al., "Lhotse", 2021.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, cast

from samevoice.corpora.found import Found, Problem, gender_of
from samevoice.corpora.text import decode_lines
from samevoice.corpora.tree import locate
from samevoice.errors import DataError

LAYOUT = "lhotse: *cuts*.jsonl or *cuts*.jsonl.gz"

_SUFFIXES = (".jsonl", ".jsonl.gz")


def recognises(root: Path) -> bool:
    """Whether there is a file named like a cut manifest."""
    return bool(_manifests(root))


def read(root: Path) -> Iterator[Found | Problem]:
    """One utterance per cut, all of whose supervisions name one speaker; the recording is the session."""
    home = root if root.is_dir() else root.parent
    for path in _manifests(root):
        for number, line in enumerate(_lines(path), 1):
            if not line.strip():
                continue
            try:
                cut = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{path}:{number}: is not JSON; mend or remove the line") from error
            try:
                yield _found(cut, home)
            except (KeyError, TypeError, IndexError, AttributeError):
                yield Problem(path.name, None, f"line {number}: lacks what a MonoCut has, or has it in another form")
            except _Unusable as reason:
                yield Problem(path.name, None, f"line {number}: {reason}")


class _Unusable(Exception):
    """Why a cut is left out."""


def _found(cut: Any, home: Path) -> Found:
    """The utterance of a cut."""
    if cut.get("type", "MonoCut") != "MonoCut":
        raise _Unusable(f"is a {cut['type']}; only MonoCut can be read")
    if cut.get("channel", 0) != 0:
        raise _Unusable(f"is of channel {cut['channel']}; extract it to a file of its own")
    if not cut["id"]:
        raise _Unusable("has no id")
    sources = cut["recording"]["sources"]
    if len(sources) != 1 or sources[0]["type"] != "file":
        kinds = ", ".join(str(source["type"]) for source in sources)
        raise _Unusable(f"its sound is not in one file ({kinds}); save it to a file")
    start, seconds = (_seconds(cut[key], key) for key in ("start", "duration"))
    said = cut.get("supervisions") or [{}]
    speakers = {one.get("speaker") for one in said}
    if len(speakers) > 1:
        raise _Unusable(f"has {len(speakers)} speakers; cut it where they change")
    return Found(
        id=_text(cut["id"]),
        speaker=_text(said[0].get("speaker")) or None,
        path=locate(_text(sources[0]["source"]), home),
        session=_text(cut["recording"].get("id")),
        start=start,
        seconds=seconds,
        language=_text(said[0].get("language")),
        gender=gender_of(_text(said[0].get("gender"))),
        corpus="lhotse",
    )


def _text(value: object) -> str:
    """A string; "" for null."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _seconds(value: object, key: str) -> float:
    """A time that can be."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(value)
    if not 0 <= value < math.inf or (key == "duration" and value == 0):
        raise _Unusable(f"{key} of {value} s cannot be")
    return float(value)


def _manifests(root: Path) -> list[Path]:
    """The manifest itself, or those in the folder."""
    files = sorted(root.iterdir()) if root.is_dir() else [root]
    return [path for path in files if "cuts" in path.name and path.name.endswith(_SUFFIXES) and path.is_file()]


def _lines(path: Path) -> Iterator[str]:
    """Lines of a manifest, unzipped."""
    with ExitStack() as stack:
        file: IO[bytes] = stack.enter_context(path.open("rb"))
        if path.suffix == ".gz":
            file = cast("IO[bytes]", stack.enter_context(gzip.GzipFile(fileobj=file)))
        yield from decode_lines(file, str(path))
