"""The database's schema, step by step (Alembic; the same on SQLite and PostgreSQL)."""
