"""The published side of the store: where the newest snapshot lies, and a read-only connection to it."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Final

import duckdb

from pipeline.config import Home
from pipeline.errors import StoreError
from pipeline.warehouse_database import SQL_FOLDER

POINTER: Final = "CURRENT"
"""The file in a home's snapshot folder that names the newest snapshot."""

# Every reader in a process must open a file alike; dashboards/queries.py does the same.
_CONFIG: Final[dict[str, str | bool | int | float | list[str]]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
}


@cache
def snapshot_form() -> str:
    """Return a digest of the statements that make a snapshot, which ends its name.

    One of another form may lack what this Moodline asks of it.
    """
    digest = hashlib.blake2b(digest_size=4)
    for path in sorted(SQL_FOLDER.glob("publish_*.sql")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def snapshot_path(home: Home) -> Path | None:
    """Return the newest snapshot, or None while nothing is published.

    Raises:
        StoreError: the pointer names a file that is not there, or one that an older or newer Moodline made.
    """
    pointer = home.snapshots / POINTER
    try:
        name = pointer.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    path = home.snapshots / name
    if not path.is_file():
        raise StoreError(f"{pointer} names {name!r}, which is not there; `moodline run` publishes anew")
    if not path.stem.endswith(f"-{snapshot_form()}"):
        raise StoreError(f"{path}: made by another version of Moodline; `moodline run` publishes anew")
    return path


class Snapshot:
    """A read-only connection to one snapshot, which stays as it is while newer ones are published.

    Use it as a context manager; ``connection`` is the DuckDB connection.
    """

    def __init__(self, path: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self.path = path
        self.connection = connection

    @classmethod
    def open(cls, home: Home) -> "Snapshot":
        """Open the newest snapshot of a home.

        Raises:
            StoreError: nothing is published yet, or the file cannot be read or is of another Moodline.
        """
        path = snapshot_path(home)
        if path is None:
            raise StoreError(
                f"{home.root}: nothing is published yet; bring messages in with `moodline import` and then "
                "`moodline run`"
            )
        try:
            return cls(path, duckdb.connect(str(path), read_only=True, config=_CONFIG))
        except duckdb.Error as error:
            raise StoreError(f"{path}: cannot be read ({error}); `moodline run` publishes anew") from error

    def execute(self, sql: str, values: Mapping[str, object] | None = None) -> duckdb.DuckDBPyConnection:
        """Run one query with bound values and return the connection to fetch from."""
        return self.connection.execute(sql, dict(values) if values else None)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def __enter__(self) -> "Snapshot":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
