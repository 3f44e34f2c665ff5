"""Many rows in one go, as each database takes them fastest: COPY on PostgreSQL, one prepared statement on SQLite.

The rows belong to the caller's transaction as any others do; every constraint and trigger sees them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, Connection, Table

from provenance.store.tables import Digest, Instant

Row = Sequence[Any]


def put(connection: Connection, columns: Sequence[Column[Any]], rows: Iterable[Row]) -> None:
    """Insert rows into the table of these columns.

    Args:
        columns: All of one table; those left out get their defaults.
        rows: Values in the order of the columns, of the types that the columns have everywhere (`tables`).
    """
    raw = connection.connection.cursor()
    ready = _ready(connection, columns, rows)
    names = ", ".join(column.name for column in columns)
    table = columns[0].table
    try:
        if connection.dialect.name == "postgresql":
            with raw.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types([_oid_name(column) for column in columns])
                for row in ready:
                    copy.write_row(row)
        else:
            places = ", ".join("?" for _ in columns)
            raw.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", ready)  # type: ignore[arg-type] # noqa: S608
    finally:
        raw.close()


def reserve(connection: Connection, table: Table, count: int) -> list[int]:
    """The next numbers of a table's key on SQLite, ascending; the caller holds the writer's lock until the rows are in."""
    query = "SELECT seq FROM sqlite_sequence WHERE name = ?"
    last = connection.exec_driver_sql(query, (table.name,)).scalar() or 0
    return list(range(last + 1, last + 1 + count))


def returned(connection: Connection, query: str, columns: Sequence[Sequence[Any]]) -> list[int]:
    """Run a statement of PostgreSQL's that takes whole columns as arrays, and return the numbers that it gives."""
    raw: Any = connection.connection.driver_connection
    with raw.cursor(binary=True) as cursor:
        cursor.execute(query, columns, prepare=True)
        return [number for (number,) in cursor.fetchall()]


def remove(connection: Connection, column: Column[int], numbers: Sequence[int]) -> None:
    """Delete the rows that have these numbers in a column."""
    if connection.dialect.name == "postgresql":
        query = f"DELETE FROM {column.table} WHERE {column.name} = ANY(%s)"  # noqa: S608 - names of `tables`
        connection.exec_driver_sql(query, (list(numbers),))
    else:
        query = f"DELETE FROM {column.table} WHERE {column.name} = ?"  # noqa: S608 - names of `tables`
        connection.exec_driver_sql(query, [(number,) for number in numbers])


def _ready(connection: Connection, columns: Sequence[Column[Any]], rows: Iterable[Row]) -> Iterable[Row]:
    """Rows as the driver takes them; most columns need nothing done to them."""
    made = [_processor(column, connection) for column in columns]
    if not any(made):
        return rows
    return [[value if to is None else to(value) for value, to in zip(row, made, strict=True)] for row in rows]


def _processor(column: Column[Any], connection: Connection) -> Callable[[Any], Any] | None:
    if type(column.type) is sa.LargeBinary:  # the dialect would wrap bytes that the driver takes as they are
        return None
    if isinstance(column.type, Digest) and not column.nullable:
        return bytes.fromhex  # as the type does, without two calls around it
    processor: Callable[[Any], Any] | None = column.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
    return processor


def _oid_name(column: Column[Any]) -> str:
    """PostgreSQL's name of a column's type: COPY in binary wants them told."""
    kind = column.type.impl if isinstance(column.type, sa.TypeDecorator) else column.type
    if isinstance(column.type, Instant):
        return "timestamptz"
    for known, name in ((sa.BigInteger, "int8"), (sa.Integer, "int4"), (sa.Text, "text"), (sa.LargeBinary, "bytea")):
        if isinstance(kind, known):
            return name
    raise ValueError(f"no type for COPY: {column}")
