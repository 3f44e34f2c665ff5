"""How Alembic runs a step: on the connection, and inside the transaction, that `provenance.store.database` hands over.

A new step, written by hand into the file that this makes:
    python -c "from alembic import command; from provenance.store.database import configuration;
               command.revision(configuration(), 'what it does', rev_id='0002')"
"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    render_as_batch=True,  # SQLite alters a table by copying it
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
