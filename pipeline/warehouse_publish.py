"""Publishing: the warehouse's serving tables as a new read-only file, swapped in by a pointer.

A snapshot is built under a temporary name, made durable, renamed, and only then pointed to; killed anywhere in
between, the pointer still names a whole snapshot. Readers of an older one keep it until they close it.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import duckdb

from pipeline.config import Home
from pipeline.errors import StoreError
from pipeline.records import STATES
from pipeline.snapshot import POINTER, snapshot_form
from pipeline.warehouse_database import Database, now

STAGE_DAYS: Final = 400
"""How many days, up to the newest ``as_of``, the count of customers by stage goes back."""

_TABLES: Final = (
    "publish_customer",
    "publish_customer_alias",
    "publish_customer_mood",
    "publish_customer_event",
    "publish_message",
    "publish_mood_point",
    "publish_ledger_entry",
    "publish_stage_day",
    "publish_disservice_week",
    "publish_source_count",
    "publish_alert",
    "publish_about",
)
_BUILDING: Final = ".building"
_NAME: Final = re.compile(r"moodline-(\d+)-([0-9a-f]+-[0-9a-f]+)\.duckdb")
"""Revision, and digests of warehouse and form."""


def publish(database: Database, home: Home, keep: int) -> Path:
    """Bring the home's newest snapshot up to date with the warehouse and return its path.

    Nothing is built when the newest one shows this state already. Of older snapshots ``keep - 1`` stay, and none
    from before a text was last erased.
    """
    home.snapshots.mkdir(parents=True, exist_ok=True)
    path = home.snapshots / _name(database)
    if not path.exists():
        _build(database, path)
    _point(home.snapshots / POINTER, path.name)
    for outdated in snapshots_before_erasure(database, home):
        _remove(outdated)
    _trim(home.snapshots, path, keep)
    return path


def snapshots_before_erasure(database: Database, home: Home) -> list[Path]:
    """Return the snapshots that may show a text that was erased since.

    Once anything was, those of another warehouse or an older Moodline are among them.
    """
    *_, erased = _revision(database)
    if not erased:
        return []
    parts = [(path, _NAME.fullmatch(path.name)) for path in home.snapshots.glob("moodline-*.duckdb")]
    ours = _made_of(database)
    return [path for path, name in parts if name and (name[2] != ours or int(name[1]) < erased)]


def _name(database: Database) -> str:
    """Name a state: its revision, a digest of the warehouse's own id, and the form of the snapshot."""
    number, *_ = _revision(database)
    return f"moodline-{number}-{_made_of(database)}.duckdb"


def _made_of(database: Database) -> str:
    _, warehouse, *_ = _revision(database)
    return f"{hashlib.blake2b(warehouse.encode(), digest_size=4).hexdigest()}-{snapshot_form()}"


def _revision(database: Database) -> tuple[Any, ...]:
    row = database.row("find_revision")
    if row is None:
        raise StoreError("the warehouse has lost its revision; move it away and import again")
    return row


def _build(database: Database, path: Path) -> None:
    building = path.with_name(path.name + _BUILDING)
    _remove(building)
    database.run("checkpoint_warehouse")
    try:
        with _attached(database, building):
            for name in _TABLES:
                database.run(name, _values(name))
            database.run("checkpoint_snapshot")
        _make_durable(building)
        building.replace(path)
        _make_durable(path.parent)
    except BaseException:
        _remove(building)
        raise


def _values(name: str) -> dict[str, Any] | None:
    if name == "publish_stage_day":
        return {"days": STAGE_DAYS, "states": list(STATES)}
    return {"now": now()} if name == "publish_about" else None


@contextmanager
def _attached(database: Database, path: Path) -> Iterator[None]:
    # ATTACH takes no bound parameter; the only text ever put into SQL is this quoted path.
    quoted = str(path).replace("'", "''")
    try:
        database.connection.execute(f"ATTACH '{quoted}' AS snapshot")
    except duckdb.Error as error:
        raise StoreError(f"{path}: the snapshot cannot be written ({error})") from error
    try:
        yield
    finally:
        database.run("detach_snapshot")


def _point(pointer: Path, name: str) -> None:
    with suppress(FileNotFoundError):
        if pointer.read_text(encoding="utf-8").strip() == name:
            return
    fresh = pointer.with_name(pointer.name + _BUILDING)
    fresh.write_text(f"{name}\n", encoding="utf-8")
    _make_durable(fresh)
    fresh.replace(pointer)
    _make_durable(pointer.parent)


def _trim(folder: Path, newest: Path, keep: int) -> None:
    others = [path for path in folder.glob("moodline-*.duckdb") if path != newest]
    others.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in (*others[max(keep, 1) - 1 :], *folder.glob(f"*{_BUILDING}")):
        _remove(path)


def _remove(path: Path) -> None:
    for leftover in (path, path.with_name(path.name + ".wal")):
        leftover.unlink(missing_ok=True)


def _make_durable(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
