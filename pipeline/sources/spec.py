"""What to read from a file and how: a message's fields, the columns they come from, the batches that come out."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from pipeline.errors import SourceError
from pipeline.identity import AliasKind
from pipeline.records import Channel, Gone, IncomingMessage, RejectedRecord

FIELDS: Final = {
    "text": "what was written; several columns may be joined: text=title+text",
    "title": "a headline, put before the text unless the text begins with it",
    "customer": "who wrote it, or whose thread it is: an id, an address or a @handle",
    "time": "when it was written",
    "rating": "stars or a survey score",
    "id": "the source's own id of the message",
    "thread": "the conversation, ticket or call it belongs to",
    "role": "customer, agent or bot",
    "author": "the agent's name",
    "product": "what it is about",
    "department": "sales, service, returns …",
    "reach": "followers of the writer",
    "reply_to": "id of the message that it answers; threads are made from it",
    "requester": "the source's id of who wrote it, where the customer is something else",
    "email": "an e-mail address of the customer",
    "phone": "a phone number of the customer",
    "handle": "a @handle of the customer",
    "order": "the order that it is about",
    "name": "the customer's name",
}
"""Every field that a column can be mapped to, with what it means."""

KNOWN_AS: Final[tuple[AliasKind, ...]] = ("requester", "email", "phone", "handle", "order", "name")
"""Fields by which the same customer is known elsewhere; like ``title`` they are never taken unasked."""

_SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = {
    "text": (
        *("message", "body", "content", "review", "review_text", "comment", "comments", "feedback", "tweet"),
        *("tweet_text", "full_text", "utterance", "complaint", "verbatim", "remarks", "customer_remarks"),
        "review_full",
    ),
    "customer": (
        *("customer_id", "user", "user_id", "reviewer_id", "handle", "username", "screen_name", "email"),
        *("client", "client_id", "account_id", "member_id", "author_id"),
    ),
    "time": (
        *("at", "datetime", "timestamp", "timestamp_ms", "date", "created_at", "created", "sent_at", "posted_at"),
        *("published_at", "published", "published_date", "unix_review_time", "review_date", "review_time"),
        *("tweet_created", "submitted_at", "date_created", "started_at", "date_time"),
    ),
    "rating": ("stars", "star_rating", "review_rating", "overall"),
    "id": ("message_id", "review_id", "tweet_id"),
    "thread": ("thread_id", "conversation_id", "ticket_id", "ticket", "case_id", "session_id", "call_id", "chat_id"),
    "role": ("who", "sender_type", "speaker_role"),
    "author": ("agent", "agent_name"),
    "product": ("product_id", "product_name", "parent_asin", "asin", "sku"),
    "department": ("dept", "team", "queue"),
    "reach": ("followers", "followers_count", "follower_count"),
    "reply_to": ("in_reply_to", "in_reply_to_status_id", "in_response_to_tweet_id"),
}

JOIN: Final = "+"
"""Joins columns in the mapping of ``text``."""


@dataclass(frozen=True, slots=True)
class FileSpec:
    """How to read one file or folder of a source.

    ``mapping`` says which column a field comes from; a field it does not name is looked for by its own name and by
    usual synonyms, and an empty column (``rating=``) leaves a field out. ``constants`` fill a field for every row
    that has none. Times without an offset are local to ``time_zone`` (IANA name).
    """

    source: str
    channel: Channel
    mapping: Mapping[str, str] = field(default_factory=dict)
    time_format: str | None = None
    """A ``strptime`` format, or ``iso``, ``unix``, ``unix_ms``, ``unix_us``; None looks at the file's values."""
    time_zone: str = "UTC"
    rating_scale: tuple[float, float] = (1.0, 5.0)
    """Worst and best rating of the source; ratings are scaled to 1 … 5."""
    constants: Mapping[str, str] = field(default_factory=dict)
    encoding: str | None = None
    """A Python codec name; None looks at the file's bytes."""
    customer_speaker: str | None = None
    """Transcripts: the speaker (``spk_0``, ``ch_1``, a name) who is the customer, where names do not tell."""
    turns: str | None = None
    """Threads: the key of the nested list, where it is not called ``turns`` or ``messages``."""

    def __post_init__(self) -> None:
        if self.rating_scale[0] == self.rating_scale[1]:
            raise SourceError(f"rating scale {self.rating_scale} has no width; say worst and best, for example 1,10")


@dataclass(frozen=True, slots=True)
class Batch:
    """Some thousands of records of a file, good and bad, and how far reading has come."""

    messages: list[IncomingMessage]
    rejected: list[RejectedRecord]
    position: str
    """``FILE:LINE`` of the last record."""
    bytes_read: int = 0
    bytes_total: int = 0
    gone: Sequence[Gone] = ()
    """What a live source has deleted."""
    live: bool = False
    """From a live source: a known message that differs was edited there."""


def parse_mapping(items: str | Sequence[str]) -> dict[str, str]:
    """Return field → column from ``text=…,customer=…`` (one string or several; a column with a comma goes in quotes).

    Raises:
        SourceError: an item has no ``=`` or names no field of ``FIELDS``.
    """
    found: dict[str, str] = {}
    for item in _split([items] if isinstance(items, str) else items):
        name, equals, column = item.partition("=")
        if not equals:
            raise SourceError(f"mapping {item!r} has no '='; write field=column, for example text=review_body")
        found[known_field(name)] = column.strip()
    return found


def known_field(name: str) -> str:
    """Return ``name`` folded to a field's name, or raise ``SourceError`` listing the fields."""
    folded = name.strip().casefold()
    if folded not in FIELDS:
        raise SourceError(f"mapping: {name.strip()!r} is not a field; the fields are {', '.join(FIELDS)}")
    return folded


def _split(items: Iterable[str]) -> list[str]:
    return [part.strip() for row in csv.reader(list(items), skipinitialspace=True) for part in row if part.strip()]


def resolve(spec: FileSpec, columns: Sequence[str], name: str) -> dict[str, tuple[str, ...]]:
    """Return field → the columns of the file that it comes from; only ``text`` can have more than one.

    Raises:
        SourceError: a mapped column is not in the file, or there is nothing for the text or the time.
    """
    index = _index(columns)
    found: dict[str, tuple[str, ...]] = {}
    for field_name in FIELDS:
        chosen = spec.mapping.get(field_name)
        if chosen is None:
            if column := automatic(field_name, index):
                found[field_name] = (column,)
        elif chosen:
            found[field_name] = _named(field_name, chosen, index, columns, name)
    _drop_repeats(found, spec)
    _require(found, spec, columns, name)
    return found


def automatic(field_name: str, index: Mapping[str, str]) -> str | None:
    """Return the column that carries the field's own name or a usual synonym, for a field that is taken unasked."""
    if field_name == "title" or field_name in KNOWN_AS:
        return None
    return next((index[key] for key in _known_as(field_name) if key in index), None)


@lru_cache(maxsize=len(FIELDS))
def _known_as(field_name: str) -> tuple[str, ...]:
    return tuple(map(fold, (field_name, *_SYNONYMS.get(field_name, ()))))


@lru_cache(maxsize=8192)
def fold(name: str) -> str:
    """Return a column's name without case, space and punctuation, so that ``Review Text`` equals ``review_text``."""
    return "".join(letter for letter in name.casefold() if letter.isalnum() or letter in ".:")


def _index(columns: Sequence[str]) -> dict[str, str]:
    index: dict[str, str] = {}
    for column in columns:
        index.setdefault(fold(column), column)
    return index


def _named(
    field_name: str, chosen: str, index: Mapping[str, str], columns: Sequence[str], name: str
) -> tuple[str, ...]:
    whole = chosen in columns or JOIN not in chosen or field_name != "text"
    wanted = [chosen] if whole else [part.strip() for part in chosen.split(JOIN)]
    return tuple(_column(field_name, column, index, columns, name) for column in wanted)


def _column(field_name: str, chosen: str, index: Mapping[str, str], columns: Sequence[str], name: str) -> str:
    if chosen in columns:
        return chosen
    if fold(chosen) in index:
        return index[fold(chosen)]
    raise SourceError(f"{name}: no column {chosen!r} for {field_name}; the columns found are {listed(columns)}")


def _drop_repeats(found: dict[str, tuple[str, ...]], spec: FileSpec) -> None:
    """Leave out a field found by name whose column the user gave to another field."""
    taken = {column for name in spec.mapping for column in found.get(name, ())}
    for name in [name for name in found if name not in spec.mapping and taken.intersection(found[name])]:
        del found[name]


def _require(found: Mapping[str, object], spec: FileSpec, columns: Sequence[str], name: str) -> None:
    have = {*found, *(field_name for field_name, value in spec.constants.items() if value)}
    missing = "time" if "time" not in have else "text" if not have & {"text", "rating"} else None
    if missing:
        raise SourceError(
            f"{name}: which column is the {missing}? Say --map {missing}=COLUMN; "
            f"the columns found are {listed(columns)}"
        )


def listed(columns: Sequence[str], most: int = 40) -> str:
    """Return the columns as a readable list, shortened."""
    names = [shorten(column, 40) for column in columns[:most]]
    more = len(columns) - most
    return (", ".join(names) or "none") + (f" and {more} more" if more > 0 else "")


def shorten(value: str, length: int = 60) -> str:
    """Return ``value`` on one line, cut to ``length`` characters, fit for a message to the user."""
    flat = " ".join(value[: length * 4].split())
    return flat if len(flat) <= length else flat[: length - 1] + "…"
