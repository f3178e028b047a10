"""Common Voice: cv-corpus-*/<language>/{train,dev,test,validated}.tsv and clips/*.mp3, in folders or in archives.

A `client_id` is unique only within a language, so the speaker is "<language>-<client_id>". Clips that none of the four
tables lists were not reviewed, or were refused, and are left out. An archive whose tables come first is read in one
pass, any other in two. Source: Ardila et al., "Common Voice", LREC 2020.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path, PurePosixPath

from samevoice.corpora.archives import ARCHIVE_SUFFIXES, is_archive, open_members, read_member
from samevoice.corpora.found import Found, Problem, gender_of
from samevoice.corpora.text import Row, parse_table, read_table
from samevoice.corpora.tree import below, is_audio, stays_below, subfolders
from samevoice.errors import DataError

LAYOUT = "commonvoice: [cv-corpus-*/]<language>/train.tsv and clips/*.mp3, or .tar or .tar.gz files of these"

# In this order: a clip in two tables belongs to the first.
TABLES = {"test.tsv": "test", "dev.tsv": "dev", "train.tsv": "train", "validated.tsv": ""}
COLUMNS = ("client_id", "path")
CLIPS = "clips"
PEEK = 1000  # members of an archive to look at before it is taken for something else


def recognises(root: Path) -> bool:
    """Whether there is a language's folder, or an archive that begins like one."""
    return any(True for _ in _languages(root)) or any(_is_release(path) for path in _archives(root))


def read(root: Path) -> Iterator[Found | Problem]:
    """Utterances of all languages; Common Voice does not tell sessions."""
    for folder in _languages(root):
        yield from _read_folder(folder, root)
    home = root if root.is_dir() else root.parent
    for path in _archives(root):
        yield from _read_archive(path, below(path, home))


def _languages(root: Path) -> Iterator[Path]:
    """Folders with clips and a table, at most two folders down."""
    for folder in (root, *subfolders(root), *(inner for outer in subfolders(root) for inner in subfolders(outer))):
        if (folder / CLIPS).is_dir() and any((folder / table).is_file() for table in TABLES):
            yield folder


def _archives(root: Path) -> list[Path]:
    """The archive itself, or those in the folder and in the folders below."""
    if not root.is_dir():
        return [root] if is_archive(root) else []
    return [path for folder in (root, *subfolders(root)) for path in sorted(folder.iterdir()) if is_archive(path)]


def _is_release(path: Path) -> bool:
    """Whether an archive begins with a table or with clips."""
    try:
        names = (PurePosixPath(member.name) for member in islice(open_members(path), PEEK))
        return any(name.name in TABLES or name.parent.name == CLIPS for name in names)
    except DataError:
        return False


def _read_folder(folder: Path, root: Path) -> Iterator[Found | Problem]:
    """Utterances of one language's folder."""
    clips: dict[str, Found] = {}
    for table in TABLES:
        if (folder / table).is_file():
            as_name = below(folder / table, root)
            rows = read_table(folder / table, needed=COLUMNS, as_name=as_name)
            yield from _enter(clips, rows, table, folder.resolve().name, as_name)
    prefix = "" if folder == root else f"{below(folder, root)}/"
    for name, clip in clips.items():
        yield _lying(clip, path=f"{prefix}{CLIPS}/{name}")


def _read_archive(path: Path, as_name: str) -> Iterator[Found | Problem]:
    """Utterances of an archive, which may hold several languages."""
    tables: dict[PurePosixPath, dict[str, Found]] = {}  # by folder, then by clip
    entered: set[str] = set()
    passed: set[PurePosixPath] = set()  # folders whose clips came before their tables were complete
    try:
        for member in open_members(path):
            name = PurePosixPath(member.name)
            folder = name.parent
            if name.name in TABLES and name.parent.name != CLIPS:
                clips = tables.setdefault(folder, {})
                rows = parse_table(member.file, f"{path}: {member.name}", COLUMNS, "\t", as_name)
                yield from _enter(clips, rows, name.name, folder.name or _stem(path), as_name)
                entered.add(str(name))
            elif folder.name == CLIPS and is_audio(name.name):
                if all(str(folder.parent / table) in entered for table in TABLES):
                    if clip := tables[folder.parent].get(name.name):
                        yield _lying(clip, as_name, member.name, read_member(path, member))
                        del tables[folder.parent][name.name]
                else:
                    passed.add(folder.parent)
    except DataError as error:
        yield Problem(as_name, None, str(error))
    if passed:
        yield from _second_pass(path, as_name, {folder: tables.get(folder, {}) for folder in passed})
    for folder, clips in tables.items():
        if clips:
            first = folder / CLIPS / next(iter(clips))
            yield Problem(as_name, None, f"lacks {len(clips)} of the clips in its tables, the first {first}")


def _second_pass(path: Path, as_name: str, tables: dict[PurePosixPath, dict[str, Found]]) -> Iterator[Found]:
    """Clips that came by before their tables were known; what is found leaves the tables."""
    try:
        for member in open_members(path):
            name = PurePosixPath(member.name)
            clips = tables.get(name.parent.parent, {}) if name.parent.name == CLIPS else {}
            if clip := clips.get(name.name):
                yield _lying(clip, as_name, member.name, read_member(path, member))
                del clips[name.name]
    except DataError:
        return  # told in the first pass


def _enter(
    clips: dict[str, Found], rows: Iterable[Row | Problem], table: str, language: str, as_name: str
) -> Iterator[Problem]:
    """Add what a table lists to the clips; those there already stay, or give way to a table of higher rank."""
    ranks = list(TABLES.values())
    split = TABLES[table]
    for row in rows:
        if isinstance(row, Problem):
            yield Problem(row.path, None, f"{table}: {row.message}")
            continue
        name = row["path"] if PurePosixPath(row["path"]).suffix else f"{row['path']}.mp3"
        if not stays_below(name) or "/" in name or not is_audio(name):
            yield Problem(as_name, None, f"{table}: {row['path']!r} is no clip's name")
            continue
        known = clips.get(name)
        if known is None or ranks.index(split) < ranks.index(known.split):
            clips[name] = _clip(row, name, language, split)


def _clip(row: Row, name: str, language: str, split: str) -> Found:
    """What a row says; where the clip lies is not yet known."""
    spoken = row.get("locale") or language
    return Found(
        id=f"{spoken}-{PurePosixPath(name).stem}",
        speaker=f"{spoken}-{row['client_id']}" if row["client_id"] else None,
        path=name,
        language=spoken,
        gender=gender_of(row.get("gender", "")),
        licence="CC0-1.0",
        corpus="commonvoice",
        split=split,
    )


def _lying(clip: Found, path: str, member: str | None = None, content: bytes | None = None) -> Found:
    """The clip at its place."""
    return replace(clip, path=path, member=member, content=content)


def _stem(path: Path) -> str:
    """Name of an archive without its suffixes; older releases are called after their language."""
    return next(path.name[: -len(suffix)] for suffix in ARCHIVE_SUFFIXES if path.name.lower().endswith(suffix))
