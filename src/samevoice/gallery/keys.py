"""Where the master key of a gallery comes from: the environment, the system's keyring, or a file of its own.

The first of these that is set counts:
1. `SAMEVOICE_GALLERY_KEY`: the key itself, 32 random bytes in base64url or hexadecimal; or the word `keyring`, for the
   system's keyring (needs the package `keyring`);
2. `SAMEVOICE_GALLERY_KEY_FILE`: a file that holds it so, perhaps with keys of other galleries;
3. a file named after the gallery's id in the user's configuration folder.

The key never lies beside the database unless a user names such a file: a stolen copy of the database, or a backup of
its folder, must not carry the key that opens it. By default every gallery has a key of its own, which can be destroyed.

Knows: which home a gallery's key has. Does not know: how a home keeps keys (`homes`, `keyfile`), what a key seals.
"""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_config_path, user_data_path

from samevoice.errors import ConfigError, GalleryError
from samevoice.gallery.crypto import MasterKey
from samevoice.gallery.homes import (
    FILE_VARIABLE,
    FORM,
    KEY_VARIABLE,
    KEYRING,
    Home,
    InKeyring,
    InVariable,
    new_text,
    parsed,
)
from samevoice.gallery.keyfile import InFile
from samevoice.gallery.places import resolved

NEW_VARIABLE = "SAMEVOICE_GALLERY_NEW_KEY"
NEW_FILE_VARIABLE = "SAMEVOICE_GALLERY_NEW_KEY_FILE"


def default_path(identity: str) -> Path:
    """A gallery's key file in the user's configuration folder, or beside it where that folder is the one for data too.

    Args:
        identity: id of the gallery.
    """
    folder = user_config_path("samevoice", appauthor=False)
    if folder == user_data_path("samevoice", appauthor=False):  # macOS and Windows: the database lies there
        folder = user_config_path("samevoice-key", appauthor=False)
    return folder / f"gallery-{identity}.key"


def home_of(place: str | Path, identity: str) -> Home:
    """Where the master key of a gallery lies, whether it is there yet or not.

    Args:
        place: path of its database, or a URL.
        identity: id of the gallery.

    Raises:
        ConfigError: both variables are set, or the database would lie in the folder of its key.
        GalleryError: the path of the database leads nowhere.
    """
    value, file = os.environ.get(KEY_VARIABLE, "").strip(), os.environ.get(FILE_VARIABLE, "")
    if value and file:
        raise ConfigError(f"{KEY_VARIABLE} and {FILE_VARIABLE} are both set; unset one of them")
    path = default_path(identity)
    if value == KEYRING:
        return InKeyring(f"gallery {identity}", path)
    if value:
        return InVariable()
    if file:
        return InFile(Path(file), is_shared=True)
    if "://" not in str(place) and resolved(place).is_relative_to(path.parent.resolve()):
        raise ConfigError(
            f"{place}: lies in the folder of its key, where one theft takes both; choose another place for the "
            f"gallery, or name a key file elsewhere with {FILE_VARIABLE}"
        )
    return InFile(path, is_shared=False)


def find_keys(place: str | Path, identity: str, *, create: bool) -> list[MasterKey]:
    """The keys that may be the master key of a gallery, the newest first, at least one.

    Args:
        place: path of its database, or a URL.
        identity: id of the gallery.
        create: make a key where there is none yet; only for a gallery that holds nothing, since another key than its
            own opens none. Of processes that do so at once, all get the same.

    Raises:
        ConfigError: a variable holds no key, both are set, the keyring cannot be used, or the database would lie in
            the folder of its key.
        GalleryError: there is no key, its file cannot be read or made, is damaged, or is open to others.
    """
    return [parsed(text) for text in home_of(place, identity).texts(create=create)]


def next_text(home: Home) -> str:
    """The key that a gallery is to have next: the one that is given, or else a new one where it can be kept.

    Raises:
        ConfigError: the home is given and the new key is not, or what is given is no key.
        GalleryError: the file that is to hold it cannot be read, or does not hold it.
    """
    value, file = os.environ.get(NEW_VARIABLE, "").strip(), os.environ.get(NEW_FILE_VARIABLE, "")
    if value and file:
        raise ConfigError(f"{NEW_VARIABLE} and {NEW_FILE_VARIABLE} are both set; unset one of them")
    if file:
        texts = InFile(Path(file), is_shared=True).texts(create=False)
        if len(texts) > 1:
            raise GalleryError(f"{file}: holds more than one key; leave the new one alone in it")
        return texts[0]
    if value:
        parsed(value, ConfigError(f"{NEW_VARIABLE} holds no key; set it to {FORM}"))
    elif home.is_given:
        raise ConfigError(
            f"the key comes from {KEY_VARIABLE}, so the new one must be given too: set {NEW_VARIABLE} to {FORM}"
        )
    return value or new_text()
