"""The first tables; events can be added, never changed or removed.

Knows: the tables as they were in this revision. Does not know: `records`, which moves on.
"""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make all tables."""
    settings = op.create_table(
        "settings",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )
    op.bulk_insert(settings, [{"key": "gallery", "value": uuid.uuid4().hex.encode()}])  # id, by which its key is found
    counters = op.create_table(
        "counters",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(counters, [{"name": "changes", "value": 0}, {"name": "removals", "value": 0}])
    op.create_table(
        "people",
        sa.Column("id", NUMBER, primary_key=True),
        sa.Column("public_id", sa.String(32), nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("name_key", sa.Text, nullable=False, unique=True),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.Column("data_key", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "voiceprints",
        sa.Column("id", NUMBER, primary_key=True),
        sa.Column("person_id", NUMBER, _of("people.id"), nullable=False, index=True),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("snr_db", sa.Double),
        sa.Column("bandwidth_hz", sa.Double),
        sa.Column("clipped", sa.Double, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("consent", sa.Text),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.Column("expires", sa.DateTime, index=True),
        sa.Column("trace", sa.LargeBinary),
        sa.Column("needs_audio", sa.Boolean, nullable=False),
        sa.Column("predecessor", NUMBER, sa.ForeignKey("voiceprints.id", ondelete="SET NULL"), unique=True),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "recordings",
        sa.Column("voiceprint_id", NUMBER, _of("voiceprints.id"), primary_key=True, autoincrement=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "templates",
        sa.Column("person_id", NUMBER, _of("people.id"), primary_key=True, autoincrement=False),
        sa.Column("model", sa.String(200), primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("voiceprints", sa.Integer, nullable=False),
        sa.Column("written", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_templates_written", "templates", ["model", "written", "person_id"])
    op.create_table(
        "events",
        sa.Column("seq", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("person", sa.String(32)),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("previous", sa.LargeBinary, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
    )
    for statement in GUARDS[op.get_bind().dialect.name]:
        op.execute(statement)


def _of(column: str) -> sa.ForeignKey:
    """What goes when the row it belongs to goes."""
    return sa.ForeignKey(column, ondelete="CASCADE")


SQLITE_GUARD = (
    "CREATE TRIGGER events_keep_{what} BEFORE {what} ON events BEGIN SELECT RAISE(ABORT, 'events are only added'); END"
)
GUARDS = {
    "sqlite": tuple(SQLITE_GUARD.format(what=what) for what in ("UPDATE", "DELETE")),
    "postgresql": (
        (
            "CREATE FUNCTION samevoice_events_keep() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'events are only added'; END $$"
        ),
        (
            "CREATE TRIGGER events_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON events "
            "FOR EACH STATEMENT EXECUTE FUNCTION samevoice_events_keep()"
        ),
    ),
}
