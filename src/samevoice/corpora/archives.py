"""Tar archives, plain or gzipped, read from front to back and never unpacked.

Links, devices and sparse files are passed over. A name that leads out of the archive, a member that is too large, an
archive that breaks off or is damaged: each ends the reading with an error, never in silence.

Knows: tar, gzip. Does not know: what the members are.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from samevoice.corpora.tree import stays_below
from samevoice.errors import DataError

if TYPE_CHECKING:
    from typing_extensions import Buffer  # in collections.abc only from Python 3.12 on

ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz")
MAX_MEMBER_BYTES = 256 << 20
MAX_HEADER_BYTES = 1 << 20  # of a long name or of pax fields, which tarfile reads whole
BUFFER = 1 << 18
_DAMAGE = (tarfile.TarError, EOFError, OSError, zlib.error, ValueError)
_LONG_HEADERS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside an archive while the stream stands at it.

    Args:
        name: as the archive has it.
        size: in bytes.
        file: its content; only until the next member is asked for.
    """

    name: str
    size: int
    file: IO[bytes]


def is_archive(path: Path) -> bool:
    """Whether a file's name is that of an archive that can be read here."""
    return path.name.lower().endswith(ARCHIVE_SUFFIXES) and path.is_file()


def open_members(path: Path) -> Iterator[Member]:
    """Files in an archive in its order, each open while it is handed out.

    Raises:
        DataError: the archive cannot be opened, is damaged or cut off (reading a member tells as well), or has a name
            that leads out of it.
    """
    passed, last = 0, ""

    def damaged(error: Exception) -> DataError:
        reached = f"after {passed} members, the last {last!r}" if passed else "at its beginning"
        reason = getattr(error, "strerror", None) or error
        return DataError(f"{path}: damaged or cut off {reached} ({reason}); fetch it again")

    try:
        with _unzipped(path) as stream:
            with tarfile.open(fileobj=stream, mode="r|", bufsize=BUFFER, tarinfo=_StrictInfo) as archive:
                while (info := archive.next()) is not None:
                    archive.members = []  # type: ignore[attr-defined]  # tarfile keeps every header: a gigabyte over a million clips
                    if not info.isfile() or info.issparse():
                        continue
                    if not stays_below(info.name):
                        raise DataError(f"{path}: member {info.name!r} leads out of the archive; do not trust it")
                    if (file := archive.extractfile(info)) is not None:
                        yield Member(info.name, info.size, io.BufferedReader(_Content(file, damaged)))
                    passed, last = passed + 1, info.name
            while stream.read(BUFFER):  # gzip checks its sum only at the end
                pass
    except _DAMAGE as error:
        raise damaged(error) from error


def stream_members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file in an archive, in its order.

    Raises:
        DataError: as `open_members`, or a member is larger than `MAX_MEMBER_BYTES`.
    """
    for member in open_members(path):
        yield member.name, read_member(path, member)


def read_member(path: Path, member: Member) -> bytes:
    """The content of the member where the stream stands.

    Args:
        path: of the archive.
        member: what `open_members` has just given.

    Raises:
        DataError: it is larger than `MAX_MEMBER_BYTES`.
    """
    if member.size > MAX_MEMBER_BYTES:
        raise DataError(
            f"{path}: member {member.name!r} has {member.size} bytes, more than {MAX_MEMBER_BYTES}; cut it into parts"
        )
    return member.file.read()


class _Content(io.RawIOBase):
    """The bytes of a member, whose damage is told like that of the archive."""

    def __init__(self, file: IO[bytes], damaged: Callable[[Exception], DataError]) -> None:
        self._file, self._damaged = file, damaged

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        try:
            part = self._file.read(len(view))
        except _DAMAGE as error:
            raise self._damaged(error) from error
        view[: len(part)] = part
        return len(part)


class _StrictInfo(tarfile.TarInfo):
    """A header that says when it is damaged; tarfile takes such a one for the end of the archive."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> tarfile.TarInfo:  # type: ignore[override]
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise  # a block of zeros: the proper end
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from error

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> tarfile.TarInfo:  # type: ignore[override]
        info = super().frombuf(buf, encoding, errors)
        if info.type in _LONG_HEADERS and info.size > MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {info.size} bytes")
        return info


@contextmanager
def _unzipped(path: Path) -> Iterator[BinaryIO]:
    """The bytes of the tar archive."""
    with ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        zipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        yield cast("BinaryIO", stack.enter_context(gzip.GzipFile(fileobj=file))) if zipped else file
