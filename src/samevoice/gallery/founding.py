"""How a gallery begins: where it lies, its own id, and the key to which it belongs from then on.

Knows: settings, which key opens which gallery. Does not know: people.
"""

from __future__ import annotations

import hmac
import os
from functools import partial
from pathlib import Path

from platformdirs import user_data_path
from sqlalchemy import Connection, delete, insert, select

from samevoice.errors import FingerprintMismatch, GalleryError
from samevoice.gallery.crypto import KEY_BYTES, MasterKey, context_of, new_data_key
from samevoice.gallery.database import Database
from samevoice.gallery.failures import DAMAGED
from samevoice.gallery.keys import find_keys
from samevoice.gallery.ledger import Ledger
from samevoice.gallery.records import SettingRecord

PLACE_VARIABLE = "SAMEVOICE_GALLERY"
FILE_NAME = "gallery.db"
IDENTITY, KEY_CHECK, AUDIT_KEY, MODEL = "gallery", "key check", "audit key", "model"
OLD_CHECKS = "old key checks"  # of the keys that the gallery had before, one after the other


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


def founded(
    database: Database, place: str | Path, key: MasterKey | None, *, create: bool
) -> tuple[MasterKey, str, Ledger]:
    """The key, the id and the events of a gallery, which begins with this if it is new.

    From then on every transaction is refused once the gallery has another key: what is sealed under the old one would
    be lost.

    Args:
        database: where it lies.
        place: what the user called it.
        key: the master key; found by `find_keys` if None.
        create: make a key for a new gallery if there is none yet.

    Raises:
        GalleryError: the gallery has another key, or there is none.
        ConfigError: a setting for the key cannot be honoured.
    """
    found = database.read(settings)
    if IDENTITY not in found:
        raise GalleryError(f"{database.where}: {DAMAGED}")
    identity = found[IDENTITY].decode("ascii", errors="replace")
    keys = [key] if key else find_keys(place, identity, create=create and KEY_CHECK not in found)
    if KEY_CHECK not in found:
        found = database.write(lambda connection: _begin(connection, keys[0], identity))
    for one in keys:
        if hmac.compare_digest(found.get(KEY_CHECK, b""), _key_check(one, identity)):
            database.guard = partial(_refuse_other_key, database.where, found[KEY_CHECK])
            audit_key = one.unwrap(found.get(AUDIT_KEY, b""), _audit_key(identity))
            return one, identity, Ledger(audit_key)
    raise GalleryError(f"{database.where}: was made with another key; give that key, see SAMEVOICE_GALLERY_KEY")


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


def refuse_other(bound: str | None, model: str) -> None:
    """Refuse a model other than the one that a gallery is bound to.

    Args:
        bound: fingerprint, by `model_of`; None if the gallery is free.
        model: fingerprint.

    Raises:
        FingerprintMismatch: so.
    """
    if bound is not None and bound != model:
        raise FingerprintMismatch(
            bound, model, "use the model of the gallery, or give it the other one with: samevoice gallery migrate"
        )


def entrust(connection: Connection, old: MasterKey, new: MasterKey, identity: str) -> None:
    """Give a gallery another master key, as far as settings go; the old one opens it no more.

    Raises:
        GalleryError: the key of the events was altered.
    """
    found = settings(connection)
    audit_key = new.wrap(old.unwrap(found.get(AUDIT_KEY, b""), _audit_key(identity)), _audit_key(identity))
    old_checks = found.get(OLD_CHECKS, b"") + found[KEY_CHECK]
    values = {AUDIT_KEY: audit_key, KEY_CHECK: _key_check(new, identity), OLD_CHECKS: old_checks}
    connection.execute(delete(SettingRecord).where(SettingRecord.key.in_(values)))
    connection.execute(insert(SettingRecord), [{"key": name, "value": one} for name, one in values.items()])


def is_key(database: Database, key: MasterKey, identity: str) -> bool:
    """Whether a gallery has this master key."""
    return hmac.compare_digest(database.read(settings).get(KEY_CHECK, b""), _key_check(key, identity))


def was_key(database: Database, key: MasterKey, identity: str) -> bool:
    """Whether a gallery had this master key before it had another."""
    checks = database.read(settings).get(OLD_CHECKS, b"")
    return _key_check(key, identity) in (checks[at : at + KEY_BYTES] for at in range(0, len(checks), KEY_BYTES))


def _begin(connection: Connection, key: MasterKey, identity: str) -> dict[str, bytes]:
    """The settings of a new gallery; another process may have been faster, with its own key."""
    if KEY_CHECK not in settings(connection):
        audit_key = new_data_key()
        values = {KEY_CHECK: _key_check(key, identity), AUDIT_KEY: key.wrap(audit_key, _audit_key(identity))}
        connection.execute(insert(SettingRecord), [{"key": name, "value": one} for name, one in values.items()])
        ledger = Ledger(audit_key)
        ledger.start(connection)
        ledger.append(connection, "samevoice", "create")
    return settings(connection)


def _refuse_other_key(where: str, check: bytes, connection: Connection) -> None:
    """Refuse to go on with a key that is the gallery's no more."""
    found = connection.execute(select(SettingRecord.value).where(SettingRecord.key == KEY_CHECK)).scalar()
    if found != check:
        raise GalleryError(f"{where}: was given a new master key meanwhile; open it again")


def _key_check(key: MasterKey, identity: str) -> bytes:
    """What shows that a key is the gallery's own; the key does not follow from it."""
    return key.derive(f"check of gallery {identity}")


def _audit_key(identity: str) -> bytes:
    """To what the key of the events is bound. It is random, so that events outlive the master key."""
    return context_of("events", identity)
