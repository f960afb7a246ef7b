"""What the command line reads from the newest snapshot; read-only, as plain JSON types."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from models.labels import MOODS
from pipeline.config import Home
from pipeline.errors import StoreError
from pipeline.identity import normalise
from pipeline.records import STATES
from pipeline.store import Snapshot
from pipeline.warehouse_database import statement

Row = dict[str, Any]


def customers(home: Home, limit: int | None) -> list[Row]:
    """Return the customers most worth a call first; all of them without a limit."""
    return [_customer(row) for row in rows(home, "read_customers", {"most": limit})]


def customer(home: Home, name: str) -> Row:
    """Return one customer's line, found by id, name, handle, e-mail or phone.

    Raises:
        StoreError: nobody, or more than one, goes by that name.
    """
    kind, value = normalise(name)
    found = rows(home, "find_customer", {"name": name, "kind": kind, "value": value, "handle": name.casefold()})
    if len(found) != 1:
        many = f"{len(found)} customers go" if found else "no customer goes"
        raise StoreError(f"{many} by {name!r}; `moodline customers` lists ids")
    chosen = {"customer": found[0]["customer_id"]}
    line = _customer(found[0])
    line["points"] = [
        {"at": _moment(row["at"]), "mood": _named(row["mood"]), "level": row["level"]}
        for row in rows(home, "read_points", chosen)
    ]
    line["messages"] = [_message(row) for row in rows(home, "read_messages", chosen)]
    line["events"] = [{"at": _moment(row["at"]), "kind": row["kind"]} for row in rows(home, "read_events", chosen)]
    line["ledger"] = [
        {"message": row["message_id"], "at": _moment(row["at"]), "item": row["item"], "effect": row["effect"]}
        for row in rows(home, "read_ledger", chosen)
    ]
    return line


def alerts(home: Home, every: bool) -> list[Row]:
    """Return alerts, open ones first, the most urgent first."""
    found = rows(home, "read_alerts", {"every": every})
    return [{name: _moment(v) if name.endswith("_at") else v for name, v in row.items()} for row in found]


def rows(home: Home, name: str, values: Mapping[str, object]) -> list[Row]:
    """Return the rows that a named statement finds in the newest snapshot."""
    with Snapshot.open(home) as snapshot:
        result = snapshot.execute(statement(name), values)
        columns = [column[0] for column in result.description]
        return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]


_FIGURES: Final = (
    "stage",
    "level",
    "slope_30d",
    "risk_30d",
    "risk_90d",
    "days_left",
    "value_at_risk",
    "reasons",
    "slope_7d",
    "lower_30d",
    "level_low",
    "level_high",
    "saveable",
    "drivers",
)


def _customer(row: Row) -> Row:
    return {
        "customer": row["customer_id"],
        "name": row["name"],
        **{name: row[name] for name in _FIGURES},
        "mood": _named(row["mood"]),
        "messages": row["messages"],
        "last_message_at": _moment(row["last_message_at"]),
        "as_of": _moment(row["as_of"]),
        "version": row["version"],
    }


def _message(row: Row) -> Row:
    mood = row["probabilities"]
    return {
        "id": row["message_id"],
        "at": _moment(row["sent_at"]),
        "source": row["source"],
        "channel": row["channel"],
        "role": row["role"],
        "author": row["author"],
        "thread": row["thread_id"],
        "text": row["text"],
        "rating": row["rating"],
        "mood": row["mood_label"],
        "unscored": row["unscored"],
        "mood_probabilities": dict(zip(MOODS, mood, strict=True)) if mood else None,
        "intents": row["intent_labels"] or [],
        "disservices": row["disservice_labels"] or [],
        "level": row["level"],
        "effect": None if row["level"] is None else row["level"] - row["level_before"],
    }


def _named(mood: list[float]) -> dict[str, float]:
    return dict(zip(STATES, mood, strict=True))


def _moment(value: datetime | None) -> str | None:
    return None if value is None else f"{value.isoformat()}Z"
