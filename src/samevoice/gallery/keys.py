"""Where the master key of a gallery comes from: the environment, the system's keyring, or a file of its own.

The first of these that is set counts:
1. `SAMEVOICE_GALLERY_KEY`: the key itself, 32 random bytes in base64url or hexadecimal; or the word `keyring`, for the
   system's keyring (needs the package `keyring`);
2. `SAMEVOICE_GALLERY_KEY_FILE`: a file that holds it so;
3. the file `gallery.key` in the user's configuration folder.

The key never lies beside the database unless a user names such a file: a stolen copy of the database, or a backup of
its folder, must not carry the key that opens it.

Knows: the environment, key files, the keyring. Does not know: what a key seals.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import shlex
from importlib import import_module
from pathlib import Path
from typing import Any

from platformdirs import user_config_path, user_data_path

from samevoice.errors import ConfigError, GalleryError, SamevoiceError
from samevoice.gallery.crypto import KEY_BYTES, MasterKey
from samevoice.gallery.locks import locked

KEY_VARIABLE = "SAMEVOICE_GALLERY_KEY"
FILE_VARIABLE = "SAMEVOICE_GALLERY_KEY_FILE"
KEYRING = "keyring"
FILE_NAME = "gallery.key"
_SERVICE, _ENTRY = "samevoice", "gallery"  # under which the keyring keeps it
_OTHERS = 0o077  # permissions of group and all
_LONGEST = 1024  # bytes of a key file, of which 45 are in use
_FORM = f"{KEY_BYTES} random bytes in base64url or hexadecimal"


def default_path() -> Path:
    """The key file in the user's configuration folder, or beside it where that folder is the one for data too."""
    folder = user_config_path("samevoice", appauthor=False)
    if folder == user_data_path("samevoice", appauthor=False):  # macOS and Windows: the database lies there
        folder = user_config_path("samevoice-key", appauthor=False)
    return folder / FILE_NAME


def find_key(place: str | Path, *, create: bool) -> MasterKey:
    """The master key of a gallery.

    Args:
        place: path of its database, or a URL.
        create: make a key where there is none yet; only for a gallery that holds nothing, since another key than its
            own opens none. Of processes that do so at once, all get the same.

    Raises:
        ConfigError: a variable holds no key, both are set, the keyring cannot be used, or the database would lie in
            the folder of its key.
        GalleryError: there is no key, its file cannot be read or made, is damaged, or is open to others.
    """
    value, file = os.environ.get(KEY_VARIABLE, "").strip(), os.environ.get(FILE_VARIABLE, "")
    if value and file:
        raise ConfigError(f"{KEY_VARIABLE} and {FILE_VARIABLE} are both set; unset one of them")
    if value == KEYRING:
        return _from_keyring(create=create)
    if value:
        return _parsed(value, ConfigError(f"{KEY_VARIABLE} holds no key; set it to {_FORM}, or to {KEYRING!r}"))
    if file:
        return _from_file(Path(file), create=create)
    path = default_path()
    if "://" not in str(place) and Path(place).resolve().is_relative_to(path.parent.resolve()):
        raise ConfigError(
            f"{place}: lies in the folder of its key, where one theft takes both; choose another place for the "
            f"gallery, or name a key file elsewhere with {FILE_VARIABLE}"
        )
    return _from_file(path, create=create)


def _from_file(path: Path, *, create: bool) -> MasterKey:
    """The key in a file, which may be made."""
    try:
        if create and not path.exists():
            _make_file(path)
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            if os.name == "posix" and mode & _OTHERS:
                raise GalleryError(
                    f"{path}: this key of a gallery is open to other users; close it with: "
                    f"chmod 600 {shlex.quote(str(path))}"
                )
            text = stream.read(_LONGEST).decode("ascii", errors="replace")
    except FileNotFoundError:
        raise GalleryError(
            f"{path}: the key of the gallery is not there; put it back from a backup, or name it with {FILE_VARIABLE}"
        ) from None
    except OSError as error:
        raise GalleryError(
            f"{path}: the key of the gallery cannot be read or made ({error.strerror}); make its folder yours to "
            f"write, or name another file with {FILE_VARIABLE}"
        ) from error
    return _parsed(text, GalleryError(f"{path}: holds no key, which is {_FORM}; put the file back from a backup"))


def _make_file(path: Path) -> None:
    """Make a key file in one step, readable by its owner alone; where another process was first, its file stays."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Written beside and linked: the link is refused if the name is taken, and whoever sees the name sees a whole key.
    temporary = path.parent / f".samevoice-{secrets.token_hex(8)}"
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(f"{_new_text()}\n")
            stream.flush()
            os.fsync(stream.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if os.name == "posix":  # else a power cut could take the name, after the first voices were sealed
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _from_keyring(*, create: bool) -> MasterKey:
    """The key in the system's keyring, which may be put there."""
    try:
        keyring = import_module("keyring")
    except ImportError as error:
        raise ConfigError(f"{KEY_VARIABLE}={KEYRING} needs a package; install it with: pip install keyring") from error
    try:
        text = keyring.get_password(_SERVICE, _ENTRY)
        if text is None and create:
            path = default_path()
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with locked(path):  # a keyring overwrites, and a key that sealed something must stay
                text = _settled(keyring)
    except Exception as error:  # backends are plug-ins, which raise what they like
        raise ConfigError(
            f"the system's keyring cannot be used ({type(error).__name__}); unlock it, or unset {KEY_VARIABLE}"
        ) from error
    if text is None:
        raise GalleryError("the system's keyring has no key of a gallery; put it back, or name a key file")
    return _parsed(text, GalleryError(f"the system's keyring holds no key of a gallery, which is {_FORM}; put it back"))


def _settled(keyring: Any) -> str | None:
    """The keyring's entry, made if there is none; None if the keyring keeps nothing."""
    if keyring.get_password(_SERVICE, _ENTRY) is None:
        keyring.set_password(_SERVICE, _ENTRY, _new_text())
    found: str | None = keyring.get_password(_SERVICE, _ENTRY)
    return found


def _new_text() -> str:
    """A new key as it is written down."""
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


def _parsed(text: str, otherwise: SamevoiceError) -> MasterKey:
    """The key that a text holds, or else the given error, which never quotes the text."""
    text = text.strip()
    try:
        if len(text) == 2 * KEY_BYTES:
            raw = bytes.fromhex(text)
        else:
            padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
            raw = base64.b64decode(padded.translate(str.maketrans("-_", "+/")), validate=True)
    except ValueError:
        raw = b""
    if len(raw) != KEY_BYTES:
        raise otherwise
    return MasterKey(raw)
