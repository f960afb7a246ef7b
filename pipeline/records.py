"""The records that travel down the line, from a source's row to an alert.

Every time is an aware ``datetime`` in UTC. Mood distributions over messages have five entries in the order of
``models.labels.MOODS``; distributions over customers have six, the same five and ``gone``.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from models.labels import DISSERVICES, INTENTS, MOOD_LEVELS, MOODS
from pipeline.identity import AliasKind

Channel = Literal["review", "tweet", "transcript"]
Role = Literal["customer", "agent", "bot"]
AlertKind = Literal["slide", "furious", "leaving"]

STATES: Final = (*MOODS, "gone")
"""The six states of a customer, best first; ``gone`` has left."""

LEVELS: Final = (*MOOD_LEVELS, 0.0)
"""The height of each state on the ladder, so that an expected level is a number from 0 (gone) to 5 (delighted)."""

LEAVE: Final = "cancel"
"""The intent of somebody who says that they leave."""

TOO_LATE: Final = 0.6
"""Probability of having left already, from which on a customer is past saving and nobody is asked to call."""


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """One message as a source gave it: unmasked, in memory only, never stored.

    ``customer`` and ``author`` are the source's own words for the person (handle, e-mail, id, agent's name).
    ``rating`` is on the scale 1 to 5. ``line`` is the 1-based line, row or turn in ``origin``.
    """

    source: str
    channel: Channel
    text: str
    sent_at: datetime
    customer: str | None = None
    native_id: str | None = None
    role: Role = "customer"
    author: str | None = None
    thread: str | None = None
    rating: float | None = None
    product: str | None = None
    department: str | None = None
    reach: int | None = None
    origin: str = ""
    line: int = 0
    edited_at: datetime | None = None
    """When the source says it last changed; None where it does not say."""
    known_as: tuple[tuple[AliasKind, str], ...] = ()
    """What else the source knows the same person by."""


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A record that could not become a message; it goes to quarantine and can be replayed.

    ``record`` holds the mapped fields as the source gave them (unmasked until it is stored).
    """

    source: str
    channel: Channel
    origin: str
    line: int
    reason: str
    record: dict[str, str]


@dataclass(frozen=True, slots=True)
class Gone:
    """A message, or a whole thread, that was deleted at its source: what is stored of it is erased."""

    native_id: str | None = None
    thread: str | None = None
    changed_at: datetime | None = None
    """When, if the source says so."""
    message_id: str | None = None
    """Of the stored message, where only that is known."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it is stored: text masked, the person known only by ``customer_id``."""

    message_id: str
    source: str
    channel: Channel
    text: str
    sent_at: datetime
    customer_id: str | None = None
    role: Role = "customer"
    author: str | None = None
    thread_id: str | None = None
    rating: float | None = None
    product: str | None = None
    department: str | None = None
    reach: int | None = None
    edited_at: datetime | None = None
    """When the source says it last changed; an older copy never replaces a newer one."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one version of the classifier made of one message. Probabilities sum to one for mood and sentiment."""

    message_id: str
    version: str
    mood: tuple[float, ...]
    sentiment: tuple[float, ...]
    intents: tuple[float, ...]
    disservices: tuple[float, ...]
    mood_label: str
    sentiment_label: str
    intent_labels: tuple[str, ...]
    disservice_labels: tuple[str, ...]

    @property
    def leaving(self) -> float:
        """How likely the message speaks of leaving."""
        return self.intents[INTENTS.index(LEAVE)]

    @property
    def disservice_chances(self) -> tuple[float, ...]:
        """The probability of each of ``disservice_labels``."""
        return tuple(self.disservices[DISSERVICES.index(label)] for label in self.disservice_labels)


@dataclass(frozen=True, slots=True)
class Customer:
    """A person as the company's own records know them. Names and addresses live apart, as aliases."""

    customer_id: str
    segment: str | None = None
    plan: str | None = None
    value: float | None = None
    """What the customer is worth over a lifetime, in the company's currency."""
    owner: str | None = None
    """Who in the company looks after them."""


@dataclass(frozen=True, slots=True)
class CustomerAlias:
    """One name, address, handle or number by which a source may call a customer."""

    customer_id: str
    kind: AliasKind
    value: str


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a customer bought. An order's number is an alias, not part of this."""

    purchase_id: str
    customer_id: str
    bought_at: datetime
    product: str | None = None
    amount: float | None = None
    """In the company's currency."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went on with a customer, as the company's records say."""

    customer_id: str
    kind: Literal["left", "renewed", "won_back"]
    happened_at: datetime


@dataclass(frozen=True, slots=True)
class MoodPoint:
    """Where a customer stood right after one of their messages, and what that message did."""

    customer_id: str
    message_id: str
    at: datetime
    mood: tuple[float, ...]
    """Six probabilities, in the order of ``STATES``."""
    level: float
    level_before: float
    """Predicted just before the message; in a contact, left by the turn before. ``level - level_before`` is the
    message's effect."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A share of a message's effect, booked on one dis-service or praise that the message names."""

    customer_id: str
    message_id: str
    at: datetime
    item: str
    effect: float
    """In levels; negative is a cost."""
    standing: float = 0.0
    """What stands of it at the customer's ``as_of``, in levels: it fades, unless a harm left alone goes on to cost."""


@dataclass(frozen=True, slots=True)
class Driver:
    """What a customer's figures would be without one message, or without the silence since the last."""

    kind: Literal["message", "silence"]
    message_id: str | None
    level_without: float
    risk_90d_without: float


@dataclass(frozen=True, slots=True)
class CustomerMood:
    """Where a customer stands now (at ``as_of``), where they are heading, and why."""

    customer_id: str
    version: str
    as_of: datetime
    mood: tuple[float, ...]
    stage: str
    level: float
    slope_30d: float
    """Levels gained over the last 30 days; negative is a slide."""
    risk_30d: float
    risk_90d: float
    """Probability of having left within 30 and 90 days from ``as_of``, silence so far counted."""
    days_left: float | None
    """Days until furious-or-gone is more likely than not; 0 if it is already, None beyond a year."""
    value_at_risk: float
    """Value times the part of the 90-day risk that making the customer content would avoid."""
    messages: int
    last_message_at: datetime
    reasons: tuple[str, ...] = field(default=())
    """Plain words, the heaviest first."""
    slope_7d: float = 0.0
    """Levels gained over the last 7 days."""
    lower_30d: float = 0.0
    """Probability of standing a step or more lower than 30 days before ``as_of``."""
    level_low: float = 0.0
    level_high: float = 5.0
    """The levels between which the customer stands with 80 % probability."""
    saveable: bool = True
    """False where it is likelier than ``TOO_LATE`` that the customer has left already."""
    drivers: tuple[Driver, ...] = field(default=())
    """The few messages and the silence that moved a customer in trouble most, each with the figures without it."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One episode of trouble with one customer; it stays open until it clears."""

    alert_id: str
    customer_id: str
    kind: AlertKind
    opened_at: datetime
    rank: float
    """Larger is more urgent: value at risk times the chance that a call still helps."""
    headline: str
    explanation: str
    message_ids: tuple[str, ...]
    cleared_at: datetime | None = None
