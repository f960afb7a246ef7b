"""What the store takes and gives beside the records of the line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pipeline.records import Alert, CustomerAlias, LedgerEntry, Message, MoodPoint, RejectedRecord

DeliveryState = Literal["due", "sending", "sent", "failed", "unconfirmed"]


@dataclass(frozen=True, slots=True)
class GoneMessage:
    """A stored message, or all of a thread's, that was deleted at its source; ``edited_at`` is when, if it says so."""

    message_id: str | None = None
    thread_id: str | None = None
    edited_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Landing:
    """One batch from a source, masked and named, which lands whole or not at all.

    ``position`` moves the source's cursor; ``taken`` is the (digest, name) of a file that has now landed whole.
    ``heard_until`` is up to when the source is known to be complete: None is the newest message of the batch.
    """

    source: str
    kind: str
    channel: str
    options: Mapping[str, str] = field(default_factory=dict)
    messages: Sequence[Message] = ()
    aliases: Sequence[CustomerAlias] = ()
    quarantined: Sequence[RejectedRecord] = ()
    position: str | None = None
    taken: tuple[str, str] | None = None
    heard_until: datetime | None = None
    live: bool = False
    """A known message whose text or rating differs is an edit: the newer copy replaces the older one."""
    gone: Sequence[GoneMessage] = ()


@dataclass(frozen=True, slots=True)
class LandingCount:
    """What a landing brought: new and known messages, new and known bad records, edits and deletions followed."""

    landed: int = 0
    duplicates: int = 0
    quarantined: int = 0
    requarantined: int = 0
    edited: int = 0
    erased: int = 0


@dataclass(frozen=True, slots=True)
class PullNote:
    """How a pull of a live source went; times in UTC. ``error`` and ``notes`` are masked."""

    source: str
    started_at: datetime
    finished_at: datetime | None
    state: str
    error: str | None
    landed: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SourceFigures:
    """What the warehouse holds of one source."""

    messages: int
    quarantined: int
    newest_at: datetime | None
    last_day: int
    """Messages of the last 24 hours."""
    usual_day: float
    """Messages a day over the 28 days before that."""


@dataclass(frozen=True, slots=True)
class QuarantinedRecord:
    """A bad record in quarantine; ``replayed_at`` is when it came in after all."""

    quarantine_id: str
    rejected: RejectedRecord
    quarantined_at: datetime
    replayed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """What a person made of one stored message; ``mood`` empty when they could not say."""

    message_id: str
    labelled_at: datetime
    labeller: str
    mood: str
    intents: tuple[str, ...] = ()
    disservices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelledMessage:
    """The newest label of a message, with the masked text that it judges."""

    label: Label
    text: str


@dataclass(frozen=True, slots=True)
class MessageEffect:
    """What one message did: the mood after it, its masked text, what its effect is booked on, who may have read it."""

    point: MoodPoint
    text: str
    entries: tuple[LedgerEntry, ...]
    reach: int | None


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """An alert that a target is owed; ``attempts`` have been made before."""

    alert: Alert
    target: str
    attempts: int
    detail: str | None
