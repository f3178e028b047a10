"""API keys: who may ask, and for what. A file has their digests; the keys themselves are shown once.

A key is random, 256 bits, so one SHA-256 is enough: nobody can try so many, and a slow hash, which passwords need,
would only slow every request down.

Knows: the file, tokens, roles. Does not know: requests.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import logging
import os
import secrets
import shlex
import stat
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

from samevoice.errors import ConfigError
from samevoice.files import write_privately
from samevoice.gallery.locks import locked

Role = Literal["user", "enroller", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)  # each may do what the ones before may

WITHOUT_KEYS = "local"  # what callers of a service without keys are called, so no key is
LONGEST_NAME = 64
LONGEST_TOKEN = 128
_WRITABLE = stat.S_IWGRP | stat.S_IWOTH

log = logging.getLogger("samevoice.service")


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key.

    Args:
        id: the part of the token that is no secret, 8 hexadecimal digits.
        name: whose it is, in the words of whoever made it.
        role: what it may do.
        digest: SHA-256 of the whole token, in hexadecimal.
        created: when, in ISO 8601 with a time zone.
        expires: from when on it is worth nothing; None for never.
    """

    id: str
    name: str
    role: Role
    digest: str
    created: str
    expires: str | None = None

    def __post_init__(self) -> None:
        """Check what a file may have got wrong.

        Raises:
            ValueError: so.
        """
        if not all(isinstance(one, str) for one in (self.id, self.name, self.digest, self.created)):
            raise ValueError("a part is no text")
        if self.role not in ROLES or len(self.digest) != 64:
            raise ValueError("the role or the digest cannot be one")
        for moment in (self.created, self.expires):
            if moment is not None and datetime.fromisoformat(moment).tzinfo is None:
                raise ValueError("a time has no zone")

    @property
    def is_expired(self) -> bool:
        """Whether its time is over."""
        return self.expires is not None and datetime.fromisoformat(self.expires) <= datetime.now(UTC)


class Keys:
    """The file of keys; other processes may change it at any time.

    Args:
        path: of the file, which need not be there.

    Raises:
        ConfigError: it is there and cannot be read, or others may write it.
    """

    def __init__(self, path: Path) -> None:
        """Read it once, so that a bad file is known at the start."""
        self.path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, ...] | None = None
        self._keys: dict[str, Key] = {}
        self._needed = False
        self._load()

    @property
    def needed(self) -> bool:
        """Whether there is a file; once there was one, revoking the last key or losing the file opens no door."""
        self._refresh()
        return self._needed

    def find(self, token: str) -> Key | None:
        """The key of that token, unless it has expired; None too while the file cannot be read."""
        self._refresh()
        parts = token.split("_", 2) if len(token) <= LONGEST_TOKEN else []
        key = self._keys.get(parts[1]) if len(parts) == 3 else None
        # Compared in constant time, and against something where there is no such key.
        right = hmac.compare_digest(_digest(token), key.digest if key else "0" * 64)
        return key if key is not None and right and not key.is_expired else None

    def list(self) -> list[Key]:
        """All keys, in the order in which they were made."""
        self._load()
        return sorted(self._keys.values(), key=lambda key: (key.created, key.id))

    def add(self, name: str, role: Role, *, days: float | None = None) -> tuple[str, Key]:
        """Make a key.

        Args:
            name: whose it is: a short printable text that no other key has.
            role: what it may do.
            days: how long; None for ever.

        Returns:
            The token, which is nowhere else, and what is known of it.

        Raises:
            ConfigError: the name is taken or cannot be one, or the file cannot be written.
        """
        name = name.strip()
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise ConfigError(f"a key needs a name of 1 to {LONGEST_NAME} printable characters")
        if name.casefold() == WITHOUT_KEYS:
            raise ConfigError(f"{name} is what those without keys are called; choose another name")
        if role not in ROLES:
            raise ConfigError(f"{role!r} is no role; use one of {', '.join(ROLES)}")
        if days is not None and not 0 < days <= 36_500:
            raise ConfigError(f"a key cannot last {days:g} days; give a number above 0, up to 36500")
        identity = secrets.token_hex(4)
        token = f"sv_{identity}_{secrets.token_urlsafe(32)}"
        now = datetime.now(UTC)
        expires = None if days is None else (now + timedelta(days=days)).isoformat(timespec="seconds")
        key = Key(identity, name, role, _digest(token), now.isoformat(timespec="microseconds"), expires)
        with self._turn():
            if any(one.name == name for one in self._keys.values()):
                raise ConfigError(f"there is a key named {name} already; revoke it first, or choose another name")
            self._write([*self._keys.values(), key])
        return token, key

    def revoke(self, name: str) -> Key:
        """Make a key worthless at once.

        Raises:
            ConfigError: there is none of that name, or the file cannot be written.
        """
        with self._turn():
            found = [one for one in self._keys.values() if one.name == name.strip()]
            if not found:
                raise ConfigError(f"there is no key named {name!r}; see: samevoice keys list")
            self._write([one for one in self._keys.values() if one is not found[0]])
        return found[0]

    def _refresh(self) -> None:
        """Read the file again where it has changed; a file that cannot be read lets nobody in."""
        if self._stamp() != self._seen:
            try:
                self._load()
            except ConfigError as error:
                log.error("%s; nobody is let in until then", error)  # noqa: TRY400 - the sentence says it all

    def _stamp(self) -> tuple[int, ...] | None:
        """What differs when the file was replaced."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _load(self) -> None:
        """Read the file.

        Raises:
            ConfigError: so.
        """
        with self._lock:
            self._seen = self._stamp()
            self._keys = {}  # until the new ones are known
            try:
                with self.path.open("rb") as stream:
                    self._needed = True
                    if os.name == "posix" and os.fstat(stream.fileno()).st_mode & _WRITABLE:
                        raise ConfigError(
                            f"{self.path}: others may write this file of keys; close it with: "
                            f"chmod 600 {shlex.quote(str(self.path))}"
                        )
                    self._keys = _parsed(stream.read())
            except FileNotFoundError:
                return
            except OSError as error:
                self._needed = True
                raise ConfigError(f"{self.path}: the keys cannot be read ({error.strerror}); mend that") from error
            except (ValueError, TypeError, KeyError) as error:
                raise ConfigError(f"{self.path}: is no file of keys; put it back from a backup") from error

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Be the only one who changes the file, and know what is in it.

        Raises:
            ConfigError: its folder cannot be written.
        """
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with locked(self.path.resolve()):
                self._load()
                yield
        except OSError as error:
            raise ConfigError(
                f"{self.path}: cannot be written ({error.strerror}); make its folder yours, or be its owner to do this"
            ) from error

    def _write(self, keys: Iterable[Key]) -> None:
        """Replace the file in one step."""
        content = json.dumps({"keys": [asdict(key) for key in keys]}, ensure_ascii=False, indent=1).encode()
        # A service that runs as another user reads it as soon as it is there.
        write_privately(self.path, content, keep_readers=True)
        self._load()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _parsed(content: bytes) -> dict[str, Key]:
    """The keys of a file by their ids."""
    keys = [Key(**one) for one in json.loads(content)["keys"]]
    return {key.id: key for key in keys}
