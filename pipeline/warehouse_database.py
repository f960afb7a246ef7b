"""The warehouse's DuckDB connection: named statements, transactions, bulk rows, migrations."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from pipeline.errors import StoreError

SQL_FOLDER: Final = Path(__file__).resolve().parent / "sql"
_MIGRATIONS: Final = SQL_FOLDER / "migrations"

# Nothing is fetched at run time. The log grows larger than by default before it is folded in, because that rewrites
# the indexes of message ids.
_CONFIG: Final[dict[str, str | bool | int | float | list[str]]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "checkpoint_threshold": "64MB",
    "memory_limit": "3GB",  # what does not fit is sorted and joined on disk; the default is 80 % of the machine
}


@cache
def statement(name: str) -> str:
    """Return the text of ``pipeline/sql/<name>.sql``."""
    return (SQL_FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def now() -> datetime:
    """Return the time in UTC without a zone, as the warehouse stores it."""
    return datetime.now(UTC).replace(tzinfo=None)


class Database:
    """One connection that runs the statements of ``pipeline/sql`` by name."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = _quiet(connection)

    @classmethod
    def open(cls, path: Path | None) -> "Database":
        """Open a DuckDB file for writing, or one in memory, and bring its tables up to date.

        Raises:
            StoreError: the file is no DuckDB file, another program has it open, or a newer Moodline made it.
        """
        try:
            connection = duckdb.connect(":memory:" if path is None else str(path), config=_CONFIG)
        except duckdb.Error as error:
            raise StoreError(
                f"{path}: cannot be opened as a warehouse ({error}). If another program has it open, close that; "
                "if the file is damaged, move it away and import again"
            ) from error
        database = cls(connection)
        try:
            database.migrate()
        except BaseException:
            database.close()
            raise
        return database

    def close(self) -> None:
        """Close the connection; DuckDB folds its log into the file."""
        self.connection.close()

    def run(self, name: str, values: Mapping[str, object] | None = None) -> duckdb.DuckDBPyConnection:
        """Run one named statement with bound values and return the connection to fetch from.

        Raises:
            StoreError: DuckDB refused it; the message holds the file's name, the reason and the SQL.
        """
        return _execute(self.connection, f"pipeline/sql/{name}.sql", statement(name), values)

    def rows(self, name: str, values: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """Return all rows of one named query."""
        return self.run(name, values).fetchall()

    def row(self, name: str, values: Mapping[str, object] | None = None) -> tuple[Any, ...] | None:
        """Return the first row of one named query, if there is one."""
        return self.run(name, values).fetchone()

    def change(self, name: str, values: Mapping[str, object] | None = None) -> int:
        """Run one named INSERT, UPDATE or DELETE and return how many rows it touched."""
        row = self.row(name, values)
        return int(row[0]) if row else 0

    def stream(self, name: str, values: Mapping[str, object], **tables: pa.Table) -> duckdb.DuckDBPyConnection:
        """Run one named query on a connection of its own, which sees the state of now while this one writes on.

        Arrow ``tables`` can be queried by name. The caller fetches in pieces and closes it.
        """
        cursor = _quiet(self.connection.cursor())
        for table_name, table in tables.items():
            cursor.register(table_name, table)
        return _execute(cursor, f"pipeline/sql/{name}.sql", statement(name), values)

    @contextmanager
    def transaction(self, **tables: pa.Table) -> Iterator[None]:
        """Commit all that happens inside, or none of it; Arrow ``tables`` can be queried by name meanwhile."""
        with self.incoming(**tables):
            self.connection.begin()
            try:
                yield
                self.connection.commit()
            except BaseException:
                with suppress(duckdb.Error):
                    self.connection.rollback()
                raise

    @contextmanager
    def incoming(self, **tables: pa.Table) -> Iterator[None]:
        """Let Arrow ``tables`` be queried by name inside the block."""
        for name, table in tables.items():
            self.connection.register(name, table)
        try:
            yield
        finally:
            with suppress(duckdb.Error):
                for name in tables:
                    self.connection.unregister(name)

    def migrate(self) -> None:
        """Apply each migration that this file lacks, in order, each with its record in one transaction.

        Raises:
            StoreError: the file has migrations that this code does not know.
        """
        self.run("create_migration_record")
        applied = {number for number, _ in self.rows("find_migrations")}
        known = dict(_migrations())
        if unknown := applied - known.keys():
            raise StoreError(
                f"the warehouse was made by a newer Moodline (it has migration {max(unknown)}, this one knows up to "
                f"{max(known)}); upgrade Moodline, or use another --home"
            )
        for number in sorted(known.keys() - applied):
            self._apply(number, known[number])

    def _apply(self, number: int, path: Path) -> None:
        with self.transaction():
            name = f"pipeline/sql/migrations/{path.name}"
            _execute(self.connection, name, path.read_text(encoding="utf-8"), None)
            self.run("record_migration", {"number": number, "name": path.stem, "now": now()})


def _quiet(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Keep DuckDB from drawing a progress bar on standard output, as it does where it finds no main script."""
    return connection.execute("SET enable_progress_bar = false")


def rewrite(path: Path) -> None:
    """Write a DuckDB file anew and swap it in, so that nothing that was deleted lingers in its free space.

    Nobody may have it open meanwhile. Needs as much space again; killed anywhere, the file is the old one or the new.

    Raises:
        StoreError: it cannot be read, or there is no room for the copy.
    """
    fresh = path.with_name(f"{path.name}.rewriting")
    fresh.unlink(missing_ok=True)
    try:
        with duckdb.connect(config=_CONFIG) as connection:
            # ATTACH takes no bound parameter: the paths are quoted.
            for name, file, option in (("old", path, "(READ_ONLY)"), ("fresh", fresh, "")):
                quoted = str(file).replace("'", "''")
                connection.execute(f"ATTACH '{quoted}' AS {name} {option}")
            connection.execute("USE fresh")
            connection.execute("COPY FROM DATABASE old TO fresh")
            connection.execute("USE memory")
            connection.execute("DETACH fresh")
    except duckdb.Error as error:
        fresh.unlink(missing_ok=True)
        raise StoreError(f"{path}: cannot be written anew ({error}); it stays as it was") from error
    with fresh.open("rb") as written:
        os.fsync(written.fileno())
    fresh.replace(path)


def _migrations() -> Iterator[tuple[int, Path]]:
    for path in sorted(_MIGRATIONS.glob("*.sql")):
        if match := re.match(r"(\d{4})_", path.name):
            yield int(match[1]), path


def _execute(
    connection: duckdb.DuckDBPyConnection, name: str, sql: str, values: Mapping[str, object] | None
) -> duckdb.DuckDBPyConnection:
    try:
        return connection.execute(sql, dict(values) if values else None)
    except duckdb.Error as error:
        raise StoreError(f"{name} failed: {error}\n{sql}") from error
