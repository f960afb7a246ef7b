"""Records to Arrow tables for bulk writing, and the warehouse's rows back to records.

The warehouse keeps times in UTC without a zone; records carry them with it.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final

import pyarrow as pa

from pipeline.records import (
    Alert,
    Customer,
    CustomerAlias,
    CustomerMood,
    Driver,
    LedgerEntry,
    Message,
    MoodPoint,
    Outcome,
    Purchase,
    Reading,
    RejectedRecord,
)
from pipeline.warehouse_records import (
    DueDelivery,
    GoneMessage,
    Label,
    LabelledMessage,
    MessageEffect,
    PullNote,
    QuarantinedRecord,
)

_TEXT: Final = pa.string()
_REAL: Final = pa.float64()
_WHOLE: Final = pa.int64()
_REALS: Final = pa.list_(pa.float64())
_FLOATS: Final = pa.list_(pa.float32())
_TEXTS: Final = pa.list_(pa.string())
_DRIVERS: Final = pa.list_(
    pa.struct([("kind", _TEXT), ("message_id", _TEXT), ("level_without", _REAL), ("risk_90d_without", _REAL)])
)
_TIME: Final = pa.timestamp("us", tz="UTC")
_STORED_TIME: Final = pa.timestamp("us")

_Columns = dict[str, pa.DataType]

_MESSAGE: Final[_Columns] = {
    "message_id": _TEXT,
    "source": _TEXT,
    "channel": _TEXT,
    "text": _TEXT,
    "sent_at": _TIME,
    "customer_id": _TEXT,
    "role": _TEXT,
    "author": _TEXT,
    "thread_id": _TEXT,
    "rating": _REAL,
    "product": _TEXT,
    "department": _TEXT,
    "reach": _WHOLE,
    "edited_at": _TIME,
}
_GONE: Final[_Columns] = {"message_id": _TEXT, "thread_id": _TEXT, "edited_at": _TIME}
_ALIAS: Final[_Columns] = {"kind": _TEXT, "value": _TEXT, "customer_id": _TEXT}
_CUSTOMER: Final[_Columns] = {"customer_id": _TEXT, "segment": _TEXT, "plan": _TEXT, "value": _REAL, "owner": _TEXT}
_PURCHASE: Final[_Columns] = {
    "purchase_id": _TEXT,
    "customer_id": _TEXT,
    "bought_at": _TIME,
    "product": _TEXT,
    "amount": _REAL,
}
_OUTCOME: Final[_Columns] = {"customer_id": _TEXT, "kind": _TEXT, "happened_at": _TIME}
_READING: Final[_Columns] = {
    "message_id": _TEXT,
    "version": _TEXT,
    "mood": _FLOATS,
    "sentiment": _FLOATS,
    "intents": _FLOATS,
    "disservices": _FLOATS,
    "mood_label": _TEXT,
    "sentiment_label": _TEXT,
    "intent_labels": _TEXTS,
    "disservice_labels": _TEXTS,
    "leaving": pa.float32(),
    "disservice_chances": _FLOATS,
}
_MOOD: Final[_Columns] = {
    "customer_id": _TEXT,
    "version": _TEXT,
    "as_of": _TIME,
    "mood": _REALS,
    "stage": _TEXT,
    "level": _REAL,
    "slope_30d": _REAL,
    "risk_30d": _REAL,
    "risk_90d": _REAL,
    "days_left": _REAL,
    "value_at_risk": _REAL,
    "messages": _WHOLE,
    "last_message_at": _TIME,
    "reasons": _TEXTS,
    "slope_7d": _REAL,
    "lower_30d": _REAL,
    "level_low": _REAL,
    "level_high": _REAL,
    "saveable": pa.bool_(),
    "drivers": _DRIVERS,
}
_POINT: Final[_Columns] = {
    "customer_id": _TEXT,
    "message_id": _TEXT,
    "at": _TIME,
    "mood": _REALS,
    "level": _REAL,
    "level_before": _REAL,
}
_LEDGER: Final[_Columns] = {
    "customer_id": _TEXT,
    "message_id": _TEXT,
    "at": _TIME,
    "item": _TEXT,
    "effect": _REAL,
    "standing": _REAL,
}
_ALERT: Final[_Columns] = {
    "alert_id": _TEXT,
    "customer_id": _TEXT,
    "kind": _TEXT,
    "opened_at": _TIME,
    "rank": _REAL,
    "headline": _TEXT,
    "explanation": _TEXT,
    "message_ids": _TEXTS,
    "cleared_at": _TIME,
}
_LABEL: Final[_Columns] = {
    "message_id": _TEXT,
    "labelled_at": _TIME,
    "labeller": _TEXT,
    "mood": _TEXT,
    "intents": _TEXTS,
    "disservices": _TEXTS,
}
_QUARANTINE: Final[_Columns] = dict.fromkeys(
    ("quarantine_id", "source", "channel", "origin", "line", "reason", "record"), _TEXT
) | {"line": _WHOLE}


def message_table(messages: Iterable[Message]) -> pa.Table:
    """Return messages as a table, the first of each id."""
    return _table({m.message_id: m for m in reversed(list(messages))}.values(), _MESSAGE)


def gone_table(gone: Iterable[GoneMessage]) -> pa.Table:
    """Return messages and threads that were deleted at their source as a table."""
    return _table(gone, _GONE)


def alias_table(aliases: Iterable[CustomerAlias]) -> pa.Table:
    """Return aliases as a table, each once."""
    return _table(dict.fromkeys(aliases), _ALIAS)


def customer_table(customers: Iterable[Customer]) -> pa.Table:
    """Return customers as a table, the last of each id."""
    return _table({c.customer_id: c for c in customers}.values(), _CUSTOMER)


def purchase_table(purchases: Iterable[Purchase]) -> pa.Table:
    """Return purchases as a table, the last of each id."""
    return _table({p.purchase_id: p for p in purchases}.values(), _PURCHASE)


def outcome_table(outcomes: Iterable[Outcome]) -> pa.Table:
    """Return outcomes as a table, each once."""
    return _table(dict.fromkeys(outcomes), _OUTCOME)


def reading_table(readings: Iterable[Reading]) -> pa.Table:
    """Return readings as a table, the first of each message and version."""
    return _table({(r.message_id, r.version): r for r in reversed(list(readings))}.values(), _READING)


def mood_table(moods: Iterable[CustomerMood] | pa.Table) -> pa.Table:
    """Return customers' moods as a table; a table stays as it is, here and below."""
    if isinstance(moods, pa.Table):
        return moods
    records = list(moods)
    drivers = [[asdict(driver) for driver in mood.drivers] for mood in records]
    table = _table(records, {name: kind for name, kind in _MOOD.items() if name != "drivers"})
    return table.append_column("drivers", pa.array(drivers, _DRIVERS))


def point_table(points: Iterable[MoodPoint] | pa.Table) -> pa.Table:
    """Return mood points as a table."""
    return points if isinstance(points, pa.Table) else _table(points, _POINT)


def ledger_table(entries: Iterable[LedgerEntry] | pa.Table) -> pa.Table:
    """Return ledger entries as a table."""
    return entries if isinstance(entries, pa.Table) else _table(entries, _LEDGER)


def alert_table(alerts: Iterable[Alert]) -> pa.Table:
    """Return alerts as a table."""
    return _table(alerts, _ALERT)


def label_table(labels: Iterable[Label]) -> pa.Table:
    """Return labels as a table, each once."""
    return _table(dict.fromkeys(labels), _LABEL)


def quarantine_table(rejected: Iterable[RejectedRecord]) -> pa.Table:
    """Return rejected records as a table, each with an id that the same record always gets."""
    rows = {row[0]: row for row in map(_quarantine_row, rejected)}
    return text_table(tuple(_QUARANTINE), rows.values(), _QUARANTINE)


def text_table(names: Sequence[str], rows: Iterable[Sequence[Any]], types: _Columns | None = None) -> pa.Table:
    """Return rows as a table of text columns, or of the given types."""
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    kinds = types or dict.fromkeys(names, _TEXT)
    return pa.table({name: _column(values, kinds[name]) for name, values in zip(names, columns, strict=True)})


def chosen_table(customer_ids: Iterable[str] | pa.ChunkedArray) -> pa.Table:
    """Return ids as a table of one column, each once; an Arrow column holds each once already."""
    if isinstance(customer_ids, pa.ChunkedArray):
        return pa.table({"customer_id": customer_ids})
    return text_table(("customer_id",), ((customer,) for customer in dict.fromkeys(customer_ids)))


def aware(time: datetime) -> datetime:
    """Return a stored time with its zone, UTC."""
    return time.replace(tzinfo=UTC)


def stored(time: datetime) -> datetime:
    """Return a time as the warehouse stores it: UTC without a zone."""
    return time.astimezone(UTC).replace(tzinfo=None)


def alert_of(row: Sequence[Any]) -> Alert:
    """Return an alert from a row in the order of its fields."""
    alert_id, customer_id, kind, opened_at, rank, headline, explanation, message_ids, cleared_at = row
    return Alert(
        alert_id,
        customer_id,
        kind,
        aware(opened_at),
        rank,
        headline,
        explanation,
        tuple(message_ids),
        cleared_at and aware(cleared_at),
    )


def mood_of(row: Sequence[Any]) -> CustomerMood:
    """Return the mood that a row of ``find_live_moods`` holds."""
    *known, messages, last_message_at, reasons = row[:14]
    slope_7d, lower_30d, level_low, level_high, saveable, drivers = row[14:]
    customer_id, version, as_of, mood, stage, level, slope, risk_30d, risk_90d, days_left, at_risk = known
    figures = (stage, level, slope, risk_30d, risk_90d, days_left, at_risk)
    return CustomerMood(
        customer_id,
        version,
        aware(as_of),
        tuple(mood),
        *figures,
        messages,
        aware(last_message_at),
        tuple(reasons),
        slope_7d,
        lower_30d,
        level_low,
        level_high,
        saveable,
        tuple(Driver(**driver) for driver in drivers),
    )


def effect_of(row: Sequence[Any]) -> MessageEffect:
    """Return the message's effect that a row of ``find_effects`` holds."""
    customer_id, message_id, at, mood, level, before, text, reach, items, effects = row
    point = MoodPoint(customer_id, message_id, aware(at), tuple(mood), level, before)
    booked = zip(items or (), effects or (), strict=True)
    entries = tuple(LedgerEntry(customer_id, message_id, point.at, item, effect) for item, effect in booked)
    return MessageEffect(point, text, entries, reach)


def due_delivery_of(row: Sequence[Any]) -> DueDelivery:
    """Return a delivery from its target, attempts and detail, followed by its alert's row."""
    target, attempts, detail, *alert = row
    return DueDelivery(alert_of(alert), target, attempts, detail)


def quarantined_of(row: Sequence[Any]) -> QuarantinedRecord:
    """Return a quarantined record from its row."""
    quarantine_id, source, channel, origin, line, reason, record, quarantined_at, replayed_at = row
    rejected = RejectedRecord(source, channel, origin, line, reason, json.loads(record))
    return QuarantinedRecord(quarantine_id, rejected, aware(quarantined_at), replayed_at and aware(replayed_at))


def pull_of(row: Sequence[Any]) -> PullNote:
    """Return the note of a pull from a row of ``find_last_pulls``."""
    source, started_at, finished_at, state, error, landed, notes = row
    finished = finished_at and aware(finished_at)
    return PullNote(source, aware(started_at), finished, state, error, landed, tuple(notes))


def labelled_of(row: Sequence[Any]) -> LabelledMessage:
    """Return a labelled message from its row."""
    message_id, labelled_at, labeller, mood, intents, disservices, text = row
    label = Label(message_id, aware(labelled_at), labeller, mood, tuple(intents), tuple(disservices))
    return LabelledMessage(label, text)


def _quarantine_row(rejected: RejectedRecord) -> tuple[Any, ...]:
    record = json.dumps(rejected.record, sort_keys=True)
    parts = (rejected.source, rejected.origin, str(rejected.line), record)
    digest = hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=10).hexdigest()
    return (
        f"q_{digest}",
        rejected.source,
        rejected.channel,
        rejected.origin,
        rejected.line,
        rejected.reason,
        record,
    )


def _table(records: Iterable[object], columns: _Columns) -> pa.Table:
    records = list(records)
    return pa.table({name: _column(list(map(attrgetter(name), records)), kind) for name, kind in columns.items()})


def _column(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    try:
        array = pa.array(values, kind)
    except UnicodeEncodeError:
        # Half a surrogate pair, which JSON can spell and UTF-8 cannot.
        array = pa.array([value and value.encode("utf-8", "replace").decode() for value in values], kind)
    return array.cast(_STORED_TIME) if kind == _TIME else array
