"""A folder per speaker: <speaker>/[<session>/]<anything>.wav; the folders in between name the session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from samevoice.corpora.found import Found, Problem
from samevoice.corpora.tree import all_audio, audio_files, below, subfolders

LAYOUT = "folders: <speaker>/[<session>/]<anything>.wav"


def recognises(root: Path) -> bool:
    """Whether a folder in this one holds a recording."""
    return any(True for folder in subfolders(root) for _ in all_audio(folder))


def read(root: Path) -> Iterator[Found | Problem]:
    """Utterances of all folders; recordings outside of them have no speaker and are left out."""
    for file in audio_files(root):
        yield Problem(file.name, None, "lies outside the speakers' folders; move it into the folder of its speaker")
    for speaker in subfolders(root):
        for file in all_audio(speaker):
            path = below(file, root)
            session = file.parent.relative_to(speaker).as_posix()
            yield Found(
                # with its suffix: a.wav and a.mp3 need not be the same recording
                id=path,
                speaker=speaker.name,
                path=path,
                session="" if session == "." else session,
                corpus="folders",
            )
