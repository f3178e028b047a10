"""What alembic runs to bring a database up to date, on the connection and in the transaction it is given.

Knows: nothing but that connection. Does not know: which revisions there are (`versions`), when to run (`database`).
"""

from alembic import context

from samevoice.gallery.records import Record

# The name is our own: the database may hold tables of another program that uses alembic too.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Record.metadata,
    version_table="samevoice_version",
)
context.run_migrations()
