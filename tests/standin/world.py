"""What a provider holds: records that customers and agents wrote, edited and deleted. Safe for many threads."""

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

UNICODE = (
    "naïve café, déjà vu",
    "combining e\u0301 and n\u0303",
    "family 👨‍👩‍👧‍👦 and flag 🏴󠁧󠁢󠁷󠁬󠁳󠁿",
    "שלום, it never came",
    "مرحبا still waiting",
    "到货了但是坏了",
    "ไม่มีใครตอบ",
    "zero\u200bwidth and no\u00a0break",
    "ẞtraße, İstanbul, ﬁne",
    "math \U0001d495\U0001d486\U0001d493\U0001d493\U0001d48a\U0001d483\U0001d48d\U0001d486 service",
    'quotes " and \\ and / and <b>no tags</b> & ampersands',
    "two\nlines, and a third\none",
)
"""Texts that break careless readers; one in three records carries one."""

PLAIN = (
    "The parcel never came and nobody answers",
    "Lovely shop, quick delivery, thank you",
    "Third time I ask where my refund is",
    "The lamp arrived broken again",
    "Your colleague solved it within minutes",
    "I am moving to another shop",
)
AGENT = ("We are sorry to hear that", "A replacement is on its way", "Your refund was sent today")


@dataclass(frozen=True, slots=True)
class Person:
    """A customer or agent, as every provider would know them."""

    number: int

    @property
    def name(self) -> str:
        return f"Robin Sample{self.number}"

    @property
    def email(self) -> str:
        return f"robin.sample{self.number}@example.com"

    @property
    def handle(self) -> str:
        return f"robinsample{self.number}"


@dataclass(slots=True)
class Record:
    """One message. ``number`` rises with the time of writing."""

    number: int
    person: Person
    text: str
    at: datetime
    updated: datetime
    role: str = "customer"
    thread: int = 0
    rating: int | None = None
    title: str = ""
    deleted: bool = False


@dataclass(slots=True)
class Thread:
    """A ticket or conversation: its records in the order of time, deleted ones included."""

    number: int
    records: list[Record] = field(default_factory=list)
    deleted: bool = False
    touched: datetime | None = None

    @property
    def requester(self) -> Person:
        return next(record.person for record in self.records if record.role == "customer")

    @property
    def created(self) -> datetime:
        return self.records[0].at

    @property
    def updated(self) -> datetime:
        return max(filter(None, (self.touched, *(record.updated for record in self.records))))


class World:
    """The dataset behind one provider. Times are whole seconds, the last five days up to an hour ago.

    Args:
        count: How many records there are at first.
        turns: Records a thread has (1 for reviews and posts); every second one is the agent's.
        seed: Of texts and times.
    """

    def __init__(self, count: int = 60, turns: int = 1, seed: int = 1, days: float = 5.0) -> None:
        self.lock = threading.RLock()
        self.now = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
        self.records: list[Record] = []
        self._closed: dict[int, datetime] = {}
        self._chance = random.Random(seed)
        self._turns = turns
        step = (days * 86_400 - 3_600) / max(count, 1)
        for place in range(count):
            self._write(self.now - timedelta(seconds=round(days * 86_400 - step * place)))

    def _write(self, at: datetime) -> Record:
        number = len(self.records) + 1
        thread, turn = divmod(number - 1, self._turns)
        agent = turn % 2 == 1
        words = self._chance.choice(AGENT if agent else UNICODE if number % 3 == 0 else PLAIN)
        record = Record(
            number,
            Person(900_000 + thread % 3 if agent else thread % 23 + 1),
            f"{words} (note {number})",
            at,
            at,
            "agent" if agent else "customer",
            thread + 1,
            None if agent or self._turns > 1 else number % 5 + 1,
            f"Title {number}" if number % 4 == 0 and self._turns == 1 else "",
        )
        self.records.append(record)
        return record

    def write(self, count: int = 1) -> list[Record]:
        """Let customers write new records, each a second later than the last."""
        with self.lock:
            new = []
            for _ in range(count):
                self.now += timedelta(seconds=1)
                new.append(self._write(self.now))
            return new

    def shift(self, by: timedelta) -> None:
        """Let everything have been written by a clock that is wrong."""
        with self.lock:
            self.now += by
            for record in self.records:
                record.at, record.updated = record.at + by, record.updated + by

    def edit(self, number: int, text: str) -> Record:
        """Change a record's text."""
        with self.lock:
            self.now += timedelta(seconds=1)
            record = self.records[number - 1]
            record.text, record.updated = text, self.now
            return record

    def delete(self, number: int) -> Record:
        """Delete a record at the source."""
        with self.lock:
            self.now += timedelta(seconds=1)
            record = self.records[number - 1]
            record.deleted, record.updated = True, self.now
            return record

    def close(self, thread: int) -> None:
        """Delete a whole thread at the source."""
        with self.lock:
            self.now += timedelta(seconds=1)
            self._closed[thread] = self.now

    def alive(self) -> list[Record]:
        """Return what is there now, oldest first."""
        with self.lock:
            return [record for record in self.records if not record.deleted and record.thread not in self._closed]

    def newest(self) -> list[Record]:
        """Return what is there now, newest first."""
        return self.alive()[::-1]

    def changed(self) -> list[Record]:
        """Return what is there now, the last changed first."""
        return sorted(self.alive(), key=lambda record: (record.updated, record.number), reverse=True)

    def threads(self) -> list[Thread]:
        """Return every thread, the longest unchanged first, deleted ones too."""
        with self.lock:
            found: dict[int, Thread] = {}
            for record in self.records:
                found.setdefault(record.thread, Thread(record.thread)).records.append(record)
            for number, moment in self._closed.items():
                found[number].deleted, found[number].touched = True, moment
            return sorted(found.values(), key=lambda thread: (thread.updated, thread.number))

    def thread(self, number: int) -> Thread | None:
        """Return one thread."""
        return next((thread for thread in self.threads() if thread.number == number), None)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.alive())
