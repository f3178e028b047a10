"""Where keys of galleries lie: an environment variable, the system's keyring, or a file (`keyfile`).

A home holds one key, or several with the newest first: while a gallery gets a new key both are there, so that whoever
is killed leaves one that opens. A file that a user named may serve several galleries; every other home is of one.

Knows: how keys are written down, the keyring. Does not know: files, which home a gallery has (`keys`), what a key
seals.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from samevoice.errors import ConfigError, GalleryError, SamevoiceError
from samevoice.gallery.crypto import KEY_BYTES, MasterKey
from samevoice.gallery.locks import locked

KEY_VARIABLE = "SAMEVOICE_GALLERY_KEY"
FILE_VARIABLE = "SAMEVOICE_GALLERY_KEY_FILE"
KEYRING = "keyring"
FORM = f"{KEY_BYTES} random bytes in base64url or hexadecimal"
_SERVICE = "samevoice"  # under which the keyring keeps keys


class Home(Protocol):
    """Where the keys of a gallery lie.

    Attributes:
        shown: what to call it.
        is_shared: whether other galleries may have their keys here too.
        is_given: whether a user keeps it up, so that nothing can be put there.
    """

    @property
    def shown(self) -> str:
        """What to call it."""

    @property
    def is_shared(self) -> bool:
        """Whether other galleries may have their keys there."""

    @property
    def is_given(self) -> bool:
        """Whether a user must put a key there."""

    def texts(self, *, create: bool) -> list[str]:
        """The keys as they are written down, the newest first, at least one.

        Args:
            create: make a key where there is none; of processes that do so at once, all get the same.

        Raises:
            ConfigError: there is no such home.
            GalleryError: there is no key, or what is there is none.
        """

    def put(self, texts: Sequence[str]) -> None:
        """Have these keys here instead of those that are: wholly or not at all, and on disk when this returns.

        Raises:
            ConfigError: there is no such home.
            GalleryError: it cannot be written; either what was there still is, or these keys are there.
        """

    def turn(self) -> AbstractContextManager[None]:
        """Be the only one who puts keys here.

        Raises:
            GalleryError: it cannot be written.
        """


class InVariable:
    """The environment variable that holds the key itself."""

    shown, is_shared, is_given = KEY_VARIABLE, False, True

    def texts(self, *, create: bool) -> list[str]:  # noqa: ARG002
        """As in `Home`."""
        text = os.environ.get(KEY_VARIABLE, "").strip()
        parsed(text, ConfigError(f"{KEY_VARIABLE} holds no key; set it to {FORM}, or to {KEYRING!r}"))
        return [text]

    def put(self, texts: Sequence[str]) -> None:
        """Nothing: whoever set the variable must set it anew."""

    def turn(self) -> AbstractContextManager[None]:
        """As in `Home`."""
        return nullcontext()


class InKeyring:
    """An entry of the system's keyring.

    Args:
        entry: its name.
        lock: a path by whose lock file processes take turns, since a keyring just overwrites.
    """

    shown, is_shared, is_given = "the system's keyring", False, False

    def __init__(self, entry: str, lock: Path) -> None:
        """Keep the parts."""
        self._entry = entry
        self._lock = lock

    def texts(self, *, create: bool) -> list[str]:
        """As in `Home`."""
        with _opened_keyring() as keyring:
            text = keyring.get_password(_SERVICE, self._entry)
            if text is None and create:
                with self._locked():
                    text = keyring.get_password(_SERVICE, self._entry)
                    if text is None:
                        keyring.set_password(_SERVICE, self._entry, new_text())
                        text = keyring.get_password(_SERVICE, self._entry)
        if text is None:
            raise GalleryError("the system's keyring has no key of this gallery; put it back, or name a key file")
        texts: list[str] = text.split()
        for one in texts or [""]:
            parsed(one, GalleryError(f"the system's keyring holds no key, which is {FORM}; put it back"))
        return texts

    def put(self, texts: Sequence[str]) -> None:
        """As in `Home`."""
        with _opened_keyring() as keyring:
            keyring.set_password(_SERVICE, self._entry, " ".join(texts))
            kept = keyring.get_password(_SERVICE, self._entry)
        if kept != " ".join(texts):
            raise GalleryError("the system's keyring did not keep the new key; unlock it, and try again")

    @contextmanager
    def turn(self) -> Iterator[None]:
        """As in `Home`."""
        with self._locked():
            yield

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(self._lock):
            yield


def new_text() -> str:
    """A new key as it is written down."""
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


def parsed(text: str, otherwise: SamevoiceError | None = None) -> MasterKey:
    """The key that a text holds, or else the given error, which never quotes the text.

    Args:
        text: one key.
        otherwise: None where the text was parsed before.
    """
    text = text.strip()
    try:
        if len(text) == 2 * KEY_BYTES:
            raw = bytes.fromhex(text)
        else:
            padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
            raw = base64.b64decode(padded.translate(str.maketrans("-_", "+/")), validate=True)
    except ValueError:
        raw = b""
    if len(raw) != KEY_BYTES and otherwise is not None:
        raise otherwise
    return MasterKey(raw)


@contextmanager
def _opened_keyring() -> Iterator[Any]:
    """The package; its backends are plug-ins, which raise what they like.

    Raises:
        ConfigError: it is not there, or fails.
    """
    try:
        keyring = import_module("keyring")
    except ImportError as error:
        raise ConfigError(f"{KEY_VARIABLE}={KEYRING} needs a package; install it with: pip install keyring") from error
    try:
        yield keyring
    except Exception as error:
        raise ConfigError(
            f"the system's keyring cannot be used ({type(error).__name__}); unlock it, or unset {KEY_VARIABLE}"
        ) from error
