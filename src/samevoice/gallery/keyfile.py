"""Key files: a key of 44 characters on each line, readable by their owner alone, replaced in one step.

What is replaced is overwritten, as far as the disk does what it is told: copies that a file system or a flash disk
keeps for itself are out of reach.

Knows: files. Does not know: which galleries have their keys in them, what a key seals.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from samevoice.errors import GalleryError
from samevoice.files import sync_folder
from samevoice.gallery.homes import FILE_VARIABLE, FORM, new_text, parsed
from samevoice.gallery.locks import locked

_OTHERS = 0o077  # permissions of group and all
_LONGEST = 1 << 16  # bytes that are read


class InFile:
    """A key file.

    Args:
        path: where.
        is_shared: whether other galleries may have their keys in it.
    """

    is_given = False

    def __init__(self, path: Path, *, is_shared: bool) -> None:
        """Keep the parts."""
        self.path = path
        self.is_shared = is_shared

    @property
    def shown(self) -> str:
        """Its path."""
        return str(self.path)

    def texts(self, *, create: bool) -> list[str]:
        """As in `Home`."""
        with self._told():
            if create and not self.path.exists():
                self._make()
            content = self._read()
            if not content.strip(b"\0"):  # it was replaced and wiped while it was read
                content = self._read()
        texts = content.decode("ascii", errors="replace").split()
        for text in texts or [""]:
            parsed(text, GalleryError(f"{self.path}: holds no key, which is {FORM}; put the file back from a backup"))
        return texts

    def put(self, texts: Sequence[str]) -> None:
        """As in `Home`; the bytes that were there are overwritten, as far as the disk does what it is told."""
        with self._told(), ExitStack() as stack:
            path = self.path.resolve()  # not the link that may lead there
            temporary = path.with_name(f"{path.name}.new")
            _discard(temporary)  # of one who was killed
            # Opened first, for no name leads there afterwards; Windows replaces no open file.
            old = stack.enter_context(path.open("r+b")) if os.name == "posix" else None
            try:
                _write(temporary, texts)
                temporary.replace(path)
            except BaseException:
                with contextlib.suppress(OSError):
                    _discard(temporary)
                raise
            sync_folder(path.parent)
            if old is not None:  # only now: until here they may be the only keys that a power cut leaves
                _wipe(old)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """As in `Home`."""
        with ExitStack() as stack:
            with self._told():
                stack.enter_context(locked(self.path.resolve()))
            yield

    def _read(self) -> bytes:
        with self.path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            if os.name == "posix" and mode & _OTHERS:
                raise GalleryError(
                    f"{self.path}: this key of a gallery is open to other users; close it with: "
                    f"chmod 600 {shlex.quote(str(self.path))}"
                )
            return stream.read(_LONGEST)

    def _make(self) -> None:
        """Make the file in one step, readable by its owner alone; where another process was first, its file stays."""
        folder = self.path.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Written beside and linked: the link is refused if the name is taken, and who sees the name sees a whole key.
        temporary = folder / f".samevoice-{secrets.token_hex(8)}"
        try:
            _write(temporary, [new_text()])
            with contextlib.suppress(FileExistsError):
                os.link(temporary, self.path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(folder)  # else a power cut could take the name, after the first voices were sealed

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors of files as sentences."""
        try:
            yield
        except FileNotFoundError:
            raise GalleryError(
                f"{self.path}: the key of the gallery is not there; put it back from a backup, or name it with "
                f"{FILE_VARIABLE}"
            ) from None
        except OSError as error:
            raise GalleryError(
                f"{self.path}: the key of the gallery cannot be read or made ({error.strerror}); make its folder yours "
                f"to write, or name another file with {FILE_VARIABLE}"
            ) from error


def _write(path: Path, texts: Sequence[str]) -> None:
    """Make a file that holds keys, for its owner alone, and have it on disk."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.writelines(f"{text}\n" for text in texts)
        stream.flush()
        os.fsync(stream.fileno())


def _discard(path: Path) -> None:
    """Overwrite and remove a file of keys, if there is one."""
    try:
        with contextlib.suppress(FileNotFoundError), path.open("r+b") as stream:
            _wipe(stream)
    finally:
        path.unlink(missing_ok=True)


def _wipe(stream: BinaryIO) -> None:
    """Overwrite a file with zeros."""
    length = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    stream.write(bytes(length))
    stream.flush()
    os.fsync(stream.fileno())
