"""People who were heard and not enrolled, and what was heard where.

Knows: the tables as they were in this revision. Does not know: `records`, which moves on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
NUMBERS = {"sqlite": "INTEGER", "postgresql": "BIGINT"}


def upgrade() -> None:
    """Add columns in place: a table made anew would take with it, by cascade, what belongs to its rows."""
    counters = sa.table("counters", sa.column("name", sa.String), sa.column("value", sa.BigInteger))
    op.bulk_insert(counters, [{"name": "strangers", "value": 0}])
    op.add_column("people", sa.Column("stranger", sa.Integer))
    op.create_index("ix_people_stranger", "people", ["stranger"], unique=True)
    op.create_table(
        "heard",
        sa.Column("id", NUMBER, primary_key=True),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), unique=True),
        sa.Column("extent", sa.Double, nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "turns",
        sa.Column("heard_id", NUMBER, _of("heard.id"), primary_key=True, autoincrement=False),
        sa.Column("person_id", NUMBER, _of("people.id"), primary_key=True, autoincrement=False, index=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    number = NUMBERS[op.get_bind().dialect.name]
    op.execute(f"ALTER TABLE voiceprints ADD COLUMN heard_id {number} REFERENCES heard (id)")
    op.create_index("ix_voiceprints_heard_id", "voiceprints", ["heard_id"])


def _of(column: str) -> sa.ForeignKey:
    """What goes when the row it belongs to goes."""
    return sa.ForeignKey(column, ondelete="CASCADE")
