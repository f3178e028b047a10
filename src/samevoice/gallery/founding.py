"""How a gallery begins: where it lies, its own id, and the key to which it belongs from then on.

Knows: settings, which key opens which gallery. Does not know: people.
"""

from __future__ import annotations

import hmac
import os
import uuid
from pathlib import Path

from platformdirs import user_data_path
from sqlalchemy import Connection, delete, insert, select

from samevoice.errors import GalleryError
from samevoice.gallery.crypto import MasterKey
from samevoice.gallery.database import Database
from samevoice.gallery.keys import find_key
from samevoice.gallery.ledger import Ledger
from samevoice.gallery.records import SettingRecord

PLACE_VARIABLE = "SAMEVOICE_GALLERY"
FILE_NAME = "gallery.db"
IDENTITY, KEY_CHECK, MODEL = "gallery", "key check", "model"


def default_place(*, create: bool) -> str | Path:
    """Where the gallery is: `$SAMEVOICE_GALLERY` (a path or a URL), else a file in the user's data folder.

    Args:
        create: make that folder, for its owner only.

    Raises:
        GalleryError: the folder cannot be made.
    """
    if place := os.environ.get(PLACE_VARIABLE):
        return place
    folder = user_data_path("samevoice", appauthor=False)
    try:
        if create:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise GalleryError(
            f"{folder}: cannot be made ({error.strerror}); name another place with --gallery or {PLACE_VARIABLE}"
        ) from error
    return folder / FILE_NAME


def founded(database: Database, place: str | Path, key: MasterKey | None, *, create: bool) -> tuple[MasterKey, str]:
    """The key and the id of a gallery, which is given both if it is new.

    Args:
        database: where it lies.
        place: what the user called it.
        key: the master key; found by `find_key` if None.
        create: make a key for a new gallery if there is none yet.

    Raises:
        GalleryError: the gallery has another key, or there is none.
        ConfigError: a setting for the key cannot be honoured.
    """
    found = database.read(settings)
    key = key or find_key(place, create=create and IDENTITY not in found)
    if IDENTITY not in found:
        found = database.write(lambda connection: _begin(connection, key))
    identity = found[IDENTITY].decode("ascii", errors="replace")
    if not hmac.compare_digest(found.get(KEY_CHECK, b""), _key_check(key, identity)):
        raise GalleryError(f"{database.where}: was made with another key; give that key, see SAMEVOICE_GALLERY_KEY")
    return key, identity


def settings(connection: Connection) -> dict[str, bytes]:
    """What is said about the whole gallery."""
    rows = connection.execute(select(SettingRecord.key, SettingRecord.value))
    return {row.key: row.value for row in rows}


def model_of(connection: Connection) -> str | None:
    """Fingerprint of the model that makes the voiceprints; None if none was chosen yet."""
    model = settings(connection).get(MODEL)
    return None if model is None else model.decode()


def set_model(connection: Connection, model: str) -> None:
    """Choose the model that makes the voiceprints from now on."""
    connection.execute(delete(SettingRecord).where(SettingRecord.key == MODEL))
    connection.execute(insert(SettingRecord).values(key=MODEL, value=model.encode()))


def ledger_of(key: MasterKey, identity: str) -> Ledger:
    """The events of a gallery."""
    return Ledger(key.derive(f"events of gallery {identity}"))


def _begin(connection: Connection, key: MasterKey) -> dict[str, bytes]:
    """The settings of a new gallery; another process may have been faster, with its own key."""
    if IDENTITY not in settings(connection):
        identity = uuid.uuid4().hex
        values = {IDENTITY: identity.encode(), KEY_CHECK: _key_check(key, identity)}
        connection.execute(insert(SettingRecord), [{"key": name, "value": one} for name, one in values.items()])
        ledger = ledger_of(key, identity)
        ledger.start(connection)
        ledger.append(connection, "samevoice", "create")
    return settings(connection)


def _key_check(key: MasterKey, identity: str) -> bytes:
    """What shows that a key is the gallery's own; the key does not follow from it."""
    return key.derive(f"check of gallery {identity}")
