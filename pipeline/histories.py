"""What customers wrote and how it was read, and what else happened, as arrays: the input of tracking.

Pure; no row becomes a Python object.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.labels import DISSERVICES, INTENTS, MOODS
from pipeline.errors import StoreError
from pipeline.mood_model import CHANNELS, EVENTS, Flags, Floats, Integers
from pipeline.records import LEAVE

DAY: Final = 86_400_000_000
"""Microseconds."""
_PRAISE: Final = "praise"
_COLUMNS: Final = (
    "customer_id",
    "message_id",
    "thread_id",
    "sent_at",
    "rating",
    "mood",
    "leaving",
    "intent_labels",
    "disservice_labels",
    "disservice_chances",
    "as_of",
    "value",
)
_ORDER: Final = ("customer_id", "sent_at", "message_id")
_EVENT_COLUMNS: Final = ("customer_id", "kind", "happened_at")


@dataclass(frozen=True, slots=True, eq=False)
class Happenings:
    """E events, sorted by customer, time and kind; each once."""

    codes: Integers
    """E, which customer."""
    at: Integers
    """E, microseconds."""
    kinds: Integers
    """E, places in ``EVENTS``."""

    @classmethod
    def none(cls) -> "Happenings":
        """Return no events."""
        return cls(*np.zeros((3, 0), dtype=np.int64))

    def chosen(self, which: Flags) -> "Happenings":
        """Return those that ``which`` (E) says."""
        return Happenings(self.codes[which], self.at[which], self.kinds[which])


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """What customers wrote and how it was read, and what happened meanwhile: N rows of C customers.

    A row is a message or an event, sorted by customer, time, messages before events, and message. A customer's first
    row is a message: what happened before lies apart. Times are whole microseconds since 1970 in UTC.
    """

    customer_ids: pa.Array
    """C, sorted."""
    as_of: Integers
    """C, until when the customer's sources were heard; at least the last message."""
    value: Floats
    """C, what the customer is worth; nan where unknown."""
    codes: Integers
    """N, which customer wrote the message or had the event."""
    message_ids: pa.Array
    """N, null for an event, as is every text below; flags are false and figures nan."""
    sent_at: Integers
    """N, when it was written or happened."""
    threads: Integers
    """N, codes of threads; -1 for none."""
    channels: Integers
    """N, places in ``CHANNELS``; -1 for none of them."""
    rating: Floats
    """N, 1 to 5; nan for none."""
    mood: Floats
    """N x 5; a row of nan where the message has no reading."""
    leaving: Floats
    """N, how likely the message speaks of leaving; nan where it has no reading."""
    says_leave: Flags
    """N, it is labelled so."""
    praises: Flags
    """N, it is labelled as praise."""
    named: Flags
    """N x 14, the dis-services that it is labelled with."""
    chances: Floats
    """N x 14, how likely those are; 0 for the others."""
    events: Integers
    """N, places in ``EVENTS``; -1 for a message."""
    earlier: Happenings
    """What happened to each customer before the first message."""

    @property
    def written(self) -> Integers:
        """The rows that are messages."""
        return np.flatnonzero(self.events < 0)

    @property
    def last_written(self) -> Integers:
        """C, the row of each customer's last message."""
        rows = self.written
        return np.asarray(rows[np.diff(self.codes[rows], append=-1) != 0])

    @classmethod
    def from_arrow(cls, table: pa.Table, events: pa.Table | None = None) -> "Histories":
        """Read the tables that ``Warehouse.histories`` and ``Warehouse.events`` give.

        Needed columns: customer_id, message_id, thread_id, sent_at, rating, mood, leaving, intent_labels,
        disservice_labels, disservice_chances, as_of, value; ``channel`` is taken where it is there. Of events:
        customer_id, kind (one of ``pipeline.mood_model.EVENTS``), happened_at. Rows may come in any order; what comes
        twice counts once. Events after ``as_of`` and those of customers who wrote nothing are passed over.

        Raises:
            StoreError: a column is missing, a reading has the wrong length, or an event is of an unknown kind.
        """
        messages = cls._of_messages(table)
        return messages if events is None or not len(events) else _joined(messages, _happenings(events, messages))

    @classmethod
    def _of_messages(cls, table: pa.Table) -> "Histories":
        _expect(table, _COLUMNS, "histories")
        table = _sorted(table)
        ids = table["customer_id"].combine_chunks().dictionary_encode()
        codes = ids.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        ends = np.flatnonzero(np.diff(codes, append=-1))
        intents = _members(table["intent_labels"], INTENTS)
        return cls(
            customer_ids=ids.dictionary,
            as_of=_heard(table, ends),
            value=numbers(table["value"])[ends],
            codes=codes,
            message_ids=_texts(table["message_id"]),
            sent_at=_microseconds(table["sent_at"]),
            threads=_threads(table),
            channels=_channels(table),
            rating=numbers(table["rating"]),
            mood=matrix(table, "mood", len(MOODS)),
            leaving=numbers(table["leaving"]),
            says_leave=intents[:, INTENTS.index(LEAVE)],
            praises=intents[:, INTENTS.index(_PRAISE)],
            named=_members(table["disservice_labels"], DISSERVICES),
            chances=_chances(table),
            events=np.full(len(codes), -1, dtype=np.int64),
            earlier=Happenings.none(),
        )


# ---- events -------------------------------------------------------------------------------------------------------


def _happenings(table: pa.Table, histories: Histories) -> Happenings:
    """Return the events of the customers in ``histories`` up to their ``as_of``."""
    _expect(table, _EVENT_COLUMNS, "events")
    names = _texts(table["kind"])
    kinds = _places(names, pa.array(EVENTS))
    if np.any(kinds < 0):
        unknown = names.take(pa.array(np.flatnonzero(kinds < 0)[:1]))[0].as_py()
        raise StoreError(f"events hold {unknown!r}; track knows {', '.join(EVENTS)}")
    codes = _places(_texts(table["customer_id"]), histories.customer_ids.cast(pa.string()))
    at = _microseconds(table["happened_at"])
    order = np.lexsort((kinds, at, codes))
    found = Happenings(codes[order], at[order], kinds[order])
    counts = found.codes >= 0
    counts[counts] = found.at[counts] <= histories.as_of[found.codes[counts]]
    columns = (found.codes, found.at, found.kinds)
    counts[1:] &= np.any([column[1:] != column[:-1] for column in columns], axis=0)
    return found.chosen(counts)


def _joined(histories: Histories, happened: Happenings) -> Histories:
    """Put events among the messages, those before a customer's first message apart."""
    first = histories.sent_at[np.flatnonzero(np.diff(histories.codes, prepend=-1))]
    early = happened.at < first[happened.codes]
    later = happened.chosen(~early)
    codes, at = np.concatenate([histories.codes, later.codes]), np.concatenate([histories.sent_at, later.at])
    kinds = np.concatenate([histories.events, later.kinds])
    order = np.lexsort((kinds, at, codes))
    blank = {name: _followed_by(getattr(histories, name), fill, len(later.at))[order] for name, fill in _BLANK.items()}
    ids = pa.concat_arrays([histories.message_ids, pa.nulls(len(later.at), pa.string())]).take(pa.array(order))
    given = {"codes": codes[order], "sent_at": at[order], "events": kinds[order], **blank}
    return replace(histories, message_ids=ids, earlier=happened.chosen(early), **given)


_BLANK: Final = {
    "threads": -1,
    "channels": -1,
    "rating": np.nan,
    "mood": np.nan,
    "leaving": np.nan,
    "says_leave": False,
    "praises": False,
    "named": False,
    "chances": 0.0,
}
"""What stands in an event's row."""


def _followed_by(column: Any, fill: float, count: int) -> Any:  # noqa: ANN401 - an array of any kind
    return np.concatenate([column, np.full((count, *column.shape[1:]), fill, column.dtype)])


def _places(names: pa.Array, known: pa.Array) -> Integers:
    """Return where each name stands in ``known``; -1 for none."""
    found = pc.index_in(names, known).fill_null(-1)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)


# ---- columns ------------------------------------------------------------------------------------------------------


def _expect(table: pa.Table, columns: tuple[str, ...], what: str) -> None:
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise StoreError(f"{what} lack {', '.join(missing)}; track needs the columns {', '.join(columns)}")


def _sorted(table: pa.Table) -> pa.Table:
    """Return the rows in order, each message once; what comes in order already is not moved."""
    if _out_of_order(table):
        table = table.sort_by([(name, "ascending") for name in _ORDER])
    again = _same_as_before(table["customer_id"]) & _same_as_before(table["message_id"])
    return table.filter(pa.array(~again)) if again.any() else table


def _out_of_order(table: pa.Table) -> bool:
    later = np.zeros(max(len(table) - 1, 0), dtype=bool)
    tied = ~later
    for name in _ORDER:
        column = table[name].combine_chunks()
        before, after = column[:-1], column[1:]
        later |= tied & _true(pc.greater(before, after))
        tied &= _true(pc.equal(before, after))
    return bool(later.any())


def _same_as_before(column: pa.ChunkedArray) -> Flags:
    values = column.combine_chunks()
    return np.concatenate([np.zeros(min(len(values), 1), dtype=bool), _true(pc.equal(values[1:], values[:-1]))])


def _true(flags: pa.Array) -> Flags:
    return np.asarray(flags.fill_null(False).to_numpy(zero_copy_only=False), dtype=bool)


def _microseconds(column: pa.ChunkedArray) -> Integers:
    kind = column.type
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", kind.tz)).cast(pa.int64())
    if column.null_count:
        raise StoreError(f"histories hold {column.null_count} rows without a time; import them again")
    return np.asarray(column.combine_chunks().to_numpy(zero_copy_only=False), dtype=np.int64)


def _heard(table: pa.Table, ends: Integers) -> Integers:
    """Return until when each customer was heard: never before the last message, which itself was heard."""
    last = _microseconds(table["sent_at"])[ends]
    heard = table["as_of"].combine_chunks().take(pa.array(ends))
    known = pc.coalesce(heard, table["sent_at"].combine_chunks().take(pa.array(ends)))
    return np.maximum(_microseconds(pa.chunked_array([known])), last)


def numbers(column: pa.ChunkedArray) -> Floats:
    """Return a column of numbers, nan for null."""
    return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)


def _texts(column: pa.ChunkedArray) -> pa.Array:
    return column.cast(pa.string()).combine_chunks()


def _threads(table: pa.Table) -> Integers:
    """Return a code for each row's thread, -1 for none; two sources may call different threads alike."""
    names = _texts(table["thread_id"])
    if "source" in table.column_names:
        names = pc.binary_join_element_wise(_texts(table["source"]), names, "\n")
    codes = names.dictionary_encode().indices.fill_null(-1)
    return np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int64)


def _channels(table: pa.Table) -> Integers:
    if "channel" not in table.column_names:
        return np.full(len(table), -1, dtype=np.int64)
    return _places(_texts(table["channel"]), pa.array(CHANNELS))


def matrix(table: pa.Table, name: str, width: int) -> Floats:
    """Return a column of lists as N x ``width``, a row of nan where there is none.

    Raises:
        StoreError: lists are of another length.
    """
    column = table[name].combine_chunks()
    known = np.asarray(column.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
    figures = np.asarray(column.flatten().to_numpy(zero_copy_only=False), dtype=np.float64)
    if len(figures) != known.sum() * width:
        raise StoreError(f"histories: {name} should hold {width} probabilities a message; score the messages again")
    if known.all():
        return figures.reshape(-1, width)
    result = np.full((len(known), width), np.nan)
    result[known] = figures.reshape(-1, width)
    return result


def _named(column: pa.ChunkedArray, names: tuple[str, ...]) -> tuple[Integers, Integers]:
    """Return the row and the place in ``names`` of each item of the rows' lists; -1 for another name."""
    lists = column.combine_chunks()
    return np.repeat(np.arange(len(lists)), _lengths(lists)), _places(
        lists.flatten().cast(pa.string()), pa.array(names)
    )


def _lengths(lists: pa.Array) -> Integers:
    return np.asarray(pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int64)


def _members(column: pa.ChunkedArray, names: tuple[str, ...]) -> Flags:
    """Return N x len(names): which of the names each row's list holds; other names are passed over."""
    rows, places = _named(column, names)
    members = np.zeros((len(column), len(names)), dtype=bool)
    members[rows[places >= 0], places[places >= 0]] = True
    return members


def _chances(table: pa.Table) -> Floats:
    """Return N x 14: the probability of each dis-service that a row is labelled with, 0 of the others."""
    labels, given = table["disservice_labels"].combine_chunks(), table["disservice_chances"].combine_chunks()
    rows, places = _named(table["disservice_labels"], DISSERVICES)
    figures = numbers(pa.chunked_array([given.flatten()]))
    if not np.array_equal(_lengths(labels), _lengths(given)) or np.isnan(figures[places >= 0]).any():
        raise StoreError("histories: disservice_chances should hold a probability a label; score the messages again")
    chances = np.zeros((len(table), len(DISSERVICES)))
    chances[rows[places >= 0], places[places >= 0]] = figures[places >= 0]
    return chances
