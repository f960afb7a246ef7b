"""Read-only questions to the newest published snapshot.

Every question opens the snapshot for itself, binds its parameters, bounds its answer and is cached under the
snapshot's path: a new snapshot has a new file name, so that nothing stale is ever shown. Times are UTC without zone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import duckdb
import pandas as pd
import streamlit as st

from pipeline import contacts
from pipeline.errors import StoreError
from pipeline.ledger import Total, totals
from pipeline.warehouse_database import statement

Row = dict[str, Any]

SLIDE: Final = -0.25
"""A change of level over 30 days from which a page calls a customer sliding (alerts have their own, higher bar)."""

CONTACT_LIMIT: Final = 200
"""Messages of one customer that a page shows."""

POINT_LIMIT: Final = 1500
"""Points of one customer's line that a chart draws."""

_SQL: Final = Path(__file__).resolve().parent / "sql"
# every reader in a process must open a file alike; pipeline/snapshot.py does the same
_SAFE: Final = {"enable_external_access": "false", "autoinstall_known_extensions": "false"}


@dataclass(frozen=True, slots=True)
class Filters:
    """Whom the list of sliding customers shows."""

    show: str = "sliding"
    """``sliding``, ``alerted`` or ``everyone``."""
    stages: tuple[str, ...] = field(default=())
    segment: str | None = None


def about(snapshot: Path) -> dict[str, str]:
    """Return what the snapshot says about itself: ``revision``, ``version``, ``published_at``, ``newest_message``."""
    return {row["key"]: row["value"] for row in _rows(str(snapshot), "about", {})}


def key_figures(snapshot: Path) -> Row:
    """Return the one row of figures over all customers; ``as_of`` is None when nobody is tracked."""
    return _rows(str(snapshot), "key_figures", {"slide": SLIDE})[0]


def stage_days(snapshot: Path, days: int) -> pd.DataFrame:
    """Return ``day, stage, customers`` over the newest ``days`` days."""
    return _frame(str(snapshot), "stage_days", {"days": days})


def souring_weeks(snapshot: Path, weeks: int = 12) -> pd.DataFrame:
    """Return ``week, item, messages, effect, total`` of what cost mood over the newest weeks, dearest item first."""
    return _frame(str(snapshot), "souring_weeks", {"weeks": weeks})


def source_counts(snapshot: Path) -> list[Row]:
    """Return what came in by source."""
    return _rows(str(snapshot), "source_counts", {})


def sliding_customers(snapshot: Path, filters: Filters, limit: int = 20, offset: int = 0) -> list[Row]:
    """Return customers most worth a call first; each row's ``total`` counts all that match."""
    values = {
        "show": filters.show,
        "slide": SLIDE,
        "stages": list(filters.stages),
        "segment": filters.segment,
        "limit": limit,
        "offset": offset,
    }
    return _rows(str(snapshot), "sliding_customers", values)


def segments(snapshot: Path) -> list[str]:
    """Return the customers' segments, the largest first."""
    return [row["segment"] for row in _rows(str(snapshot), "segments", {})]


def recent_levels(snapshot: Path, customers: Sequence[str], days: int) -> dict[str, list[Row]]:
    """Return each customer's ``at, level`` over the days before their ``as_of``, oldest first."""
    values = {"customers": list(customers), "days": days}
    return _by_customer(_rows(str(snapshot), "recent_levels", values))


def open_alerts_of(snapshot: Path, customers: Sequence[str]) -> dict[str, list[Row]]:
    """Return the customers' open alerts, the most urgent first."""
    return _by_customer(_rows(str(snapshot), "open_alerts_of", {"customers": list(customers)}))


def customer(snapshot: Path, customer_id: str) -> Row | None:
    """Return who a customer is and where they stand; None when the snapshot does not know the id."""
    return next(iter(_rows(str(snapshot), "customer", {"customer": customer_id})), None)


def find_customers(snapshot: Path, text: str, limit: int = 20) -> list[Row]:
    """Return customers by id, or by a part of their name, handle or address."""
    text = text.strip()
    escaped = text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    values = {"text": text, "pattern": f"%{escaped}%", "limit": limit}
    return _rows(str(snapshot), "find_customers", values)


def customer_line(snapshot: Path, customer_id: str) -> pd.DataFrame:
    """Return the customer's mood after each message, oldest first, at most ``POINT_LIMIT`` of the newest."""
    return _frame(str(snapshot), "customer_line", {"customer": customer_id, "limit": POINT_LIMIT})


def customer_messages(snapshot: Path, customer_id: str) -> list[Row]:
    """Return the customer's conversation, oldest first, at most ``CONTACT_LIMIT`` of the newest messages."""
    return _rows(str(snapshot), "customer_messages", {"customer": customer_id, "limit": CONTACT_LIMIT})


def customer_costs(snapshot: Path, customer_id: str) -> list[Row]:
    """Return what cost and lifted the customer's mood by item, the dearest first."""
    return _rows(str(snapshot), "customer_costs", {"customer": customer_id})


def message_costs(snapshot: Path, customer_id: str) -> dict[str, list[Row]]:
    """Return the ledger entries of the customer's newest messages, by message."""
    values = {"customer": customer_id, "limit": 5 * CONTACT_LIMIT}
    entries: dict[str, list[Row]] = {}
    for row in _rows(str(snapshot), "message_costs", values):
        entries.setdefault(row["message_id"], []).append(row)
    return entries


def alerts(snapshot: Path, *, open_ones: bool, limit: int = 50) -> list[Row]:
    """Return open alerts, the most urgent first, or cleared ones, the newest first."""
    return _rows(str(snapshot), "alerts", {"open": open_ones, "limit": limit})


def alert_counts(snapshot: Path) -> Row:
    """Return how many alerts are ``open`` and how many have ``cleared``."""
    return _rows(str(snapshot), "alert_counts", {})[0]


def quoted_messages(snapshot: Path, alerts_shown: Sequence[Row]) -> dict[str, Row]:
    """Return the messages that explain some alerts, by id."""
    customers = sorted({alert["customer_id"] for alert in alerts_shown})
    messages = sorted({message for alert in alerts_shown for message in alert["message_ids"]})
    values = {"customers": customers, "messages": messages}
    return {row["message_id"]: row for row in _rows(str(snapshot), "quoted_messages", values)}


def ledger_totals(snapshot: Path, by: str) -> list[Total]:
    """Return what the ledger books in all, by what ``pipeline.ledger.GROUPS`` names."""
    return totals(_report(str(snapshot), "read_ledger_totals", {"by": by, "since": None}), by)


def lifts(snapshot: Path, by: str) -> list[contacts.Lift]:
    """Return the lift of contacts, by what ``pipeline.contacts.GROUPS`` names."""
    return contacts.lifts(_report(str(snapshot), "read_lifts", {"by": by, "gap": contacts.CONTACT_GAP}))


def gaps(snapshot: Path, by: str) -> list[contacts.Gap]:
    """Return the hand-over gaps, by what ``pipeline.contacts.SIDES`` names."""
    return contacts.gaps(_report(str(snapshot), "read_gaps", {"by": by}))


def _by_customer(rows: Sequence[Row]) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row["customer_id"], []).append(row)
    return grouped


@st.cache_data(show_spinner=False, max_entries=400)
def _rows(snapshot: str, name: str, values: dict[str, Any]) -> list[Row]:
    with _connect(snapshot) as connection:
        cursor = _execute(connection, name, values)
        columns = [column[0] for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


@st.cache_data(show_spinner=False, max_entries=40)
def _report(snapshot: str, name: str, values: dict[str, Any]) -> list[Row]:
    """Run one of the pipeline's own questions to a snapshot, so that page and command line say the same."""
    with _connect(snapshot) as connection:
        try:
            cursor = connection.execute(statement(name), values)
        except duckdb.Error as error:
            raise StoreError(
                f"{name}.sql failed: {error}; was the snapshot published by an older Moodline? `moodline run` mends it"
            ) from error
        columns = [column[0] for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


@st.cache_data(show_spinner=False, max_entries=100)
def _frame(snapshot: str, name: str, values: dict[str, Any]) -> pd.DataFrame:
    with _connect(snapshot) as connection:
        return _execute(connection, name, values).df()


def _connect(snapshot: str) -> duckdb.DuckDBPyConnection:
    try:
        return duckdb.connect(snapshot, read_only=True, config=dict(_SAFE))
    except duckdb.Error as error:
        raise StoreError(
            f"{snapshot}: cannot be opened as a snapshot ({error}); run `moodline run` to publish anew"
        ) from error


def _execute(connection: duckdb.DuckDBPyConnection, name: str, values: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    path = _SQL / f"{name}.sql"
    statement = path.read_text(encoding="utf-8")
    try:
        return connection.execute(statement, values)
    except duckdb.Error as error:
        raise StoreError(f"{path.name} failed: {error}\n{statement}") from error
