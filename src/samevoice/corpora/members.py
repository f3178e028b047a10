"""Members of .tar archives, each without reading what lies before it.

Knows: headers of tar. Does not know: sound, manifests.
"""

from __future__ import annotations

import tarfile
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from samevoice.corpora.archives import open_members
from samevoice.errors import DataError

MAX_ARCHIVES = 512  # whose indexes are kept: a packed corpus of 1,000 h
MAX_MEMBER_BYTES = 2 << 30
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"(\xb5/\xfd")

Index = Mapping[str, tuple[int, int]]  # name -> offset of its first byte, size


class Members:
    """Reads members of uncompressed archives; the headers of an archive are read once, by whoever comes first.

    Any number of threads may share one.
    """

    def __init__(self, archives: int = MAX_ARCHIVES) -> None:
        """Keep the indexes of at most so many archives, those used last."""
        self._most = archives
        self._lock = threading.Lock()
        self._indexes: OrderedDict[tuple[str, int, int], Index] = OrderedDict()

    def read(self, archive: Path, name: str) -> bytes:
        """The bytes of a member.

        Args:
            archive: an uncompressed .tar.
            name: of a regular file inside.

        Raises:
            DataError: the archive is missing, compressed or damaged, or has no such file.
        """
        index = self._index(archive)
        if name not in index:
            raise DataError(f"{archive}: has no file {name!r}; scan the corpus again")
        offset, size = index[name]
        with _readable(archive), archive.open("rb") as file:
            file.seek(offset)
            data = file.read(size)
        if len(data) != size:
            raise DataError(f"{archive}: breaks off inside {name!r}; copy or download it again")
        return data

    def _index(self, archive: Path) -> Index:
        """The index of an archive as it is now on disk."""
        with _readable(archive):
            status = archive.stat()
        key = (str(archive), status.st_size, status.st_mtime_ns)
        with self._lock:
            if key not in self._indexes:
                self._indexes[key] = _read_headers(archive, status.st_size)
            self._indexes.move_to_end(key)
            while len(self._indexes) > self._most:
                self._indexes.popitem(last=False)
            return self._indexes[key]

    def order(self, archive: Path) -> dict[str, int]:
        """At which place each regular file comes in an archive, compressed or not.

        A compressed archive is unpacked once for that, which takes time but little memory.

        Raises:
            DataError: the archive is missing or damaged.
        """
        if not is_compressed(archive):
            return {name: offset for name, (offset, _) in self._index(archive).items()}
        return {one.name: number for number, one in enumerate(open_members(archive))}


_shared = Members()


def read_member(archive: Path, name: str) -> bytes:
    """The bytes of a member of an uncompressed .tar; all callers share the indexes.

    Args:
        archive: an uncompressed .tar.
        name: of a regular file inside.

    Raises:
        DataError: the archive is missing, compressed or damaged, or has no such file.
    """
    return _shared.read(archive, name)


def member_order(archive: Path) -> dict[str, int]:
    """At which place each regular file comes in an archive, compressed or not; see `Members.order`.

    Raises:
        DataError: the archive is missing or damaged.
    """
    return _shared.order(archive)


def is_compressed(archive: Path) -> bool:
    """Whether an archive can be read only from its beginning.

    Raises:
        DataError: it is missing or may not be read.
    """
    with _readable(archive), archive.open("rb") as file:
        return file.read(6).startswith(_COMPRESSED)


def _read_headers(archive: Path, size: int) -> Index:
    """The index of an uncompressed archive; where two members have one name, the last one counts, as for tar."""
    if is_compressed(archive):
        raise DataError(
            f"{archive}: is compressed, so that nothing in its middle can be reached; "
            "pack it first: samevoice data pack FOLDER -o PACKED"
        )
    with _readable(archive), tarfile.open(archive, "r:") as tar:
        index = {one.name: (one.offset_data, one.size) for one in _headers(tar)}
    if index and max(offset + length for offset, length in index.values()) > size:
        raise DataError(f"{archive}: breaks off before its end; copy or download it again")
    return index


def _headers(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The headers of regular files."""
    for one in tar:
        tar.members = []  # type: ignore[attr-defined]  # tarfile would keep every header it meets
        if one.isreg() and not one.issparse() and one.size <= MAX_MEMBER_BYTES:
            yield one


@contextmanager
def _readable(archive: Path) -> Iterator[None]:
    """Say in a sentence what is wrong with an archive."""
    try:
        yield
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise DataError(f"{archive}: is no sound tar archive ({error}); copy or download it again") from error
    except OSError as error:
        raise DataError(f"{archive}: cannot be read ({error.strerror or error}); check the path") from error
