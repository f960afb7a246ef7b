"""What every client of a live source gives and takes: records that land together with the cursor that they move."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from pipeline.errors import SourceError
from pipeline.records import Gone, IncomingMessage, RejectedRecord, Role
from pipeline.sources.drift import Shape
from pipeline.sources.http import Service
from pipeline.sources.spec import FileSpec


@dataclass(frozen=True, slots=True)
class Stretch:
    """The stretch of time that a complete pull has read again whole (UTC): what no longer came is gone."""

    begin: datetime
    end: datetime
    role: Role | None = None
    """Whose messages of it were read again; None: everybody's."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page of a source. It lands whole, in the transaction that moves the cursor to ``position``."""

    messages: Sequence[IncomingMessage]
    rejected: Sequence[RejectedRecord]
    position: str
    gone: Sequence[Gone] = ()
    complete: bool = False
    """True of the last page of a pull that has read everything."""
    heard_until: datetime | None = None
    """Up to when the source is complete; None while it is not."""
    newest: datetime | None = None
    """The latest change of a record on this page, by the source's own clock."""
    reread: Stretch | None = None
    """With the last page, where the source's deletions show by absence."""
    total: int = 0
    """Records that the source says there are; 0 where it does not."""


class Client(Protocol):
    """One live source, ready to be pulled."""

    @property
    def spec(self) -> FileSpec:
        """How its records are read."""
        ...

    @property
    def watches_absence(self) -> bool:
        """Tell whether deletions at this source show by absence, so that what came must be remembered."""
        ...

    @property
    def shape(self) -> Shape:
        """Which fields the records of this pull had, so far."""
        ...

    def fetch(self, service: Service, position: str | None, since: datetime | None = None) -> Iterator[Fetched]:
        """Yield what is new since ``position``, page by page; with ``since``, everything changed from then on.

        Raises:
            SourceError: the source could not be read (on); what was yielded before is good.
        """
        ...


@dataclass(frozen=True, slots=True)
class Sweep:
    """How far a source has been read. A sweep is one walk over its pages, in whatever order they come.

    ``since`` is the newest change seen by the last sweep that came to its end; only then does it move, so that a walk
    that breaks off loses nothing. ``begin`` is where the present walk began, ``token`` its next page, ``high`` the
    newest change that it has seen. ``first`` is where the first of the walks began that no end was reached since.
    Times are ISO 8601 in UTC, so that they compare as text.
    """

    since: str | None = None
    begin: str | None = None
    token: Any = None
    high: str | None = None
    first: str | None = None
    resumed: bool = field(default=False, compare=False)

    @classmethod
    def start(
        cls, position: str | None, since: datetime | None, overlap: timedelta, first: datetime | None = None
    ) -> "Sweep":
        """Return the walk that goes on from a stored position, or begins a new one.

        Raises:
            SourceError: the position is damaged, and no time is given to begin from instead.
        """
        try:
            stored = cls.parsed(position)
        except SourceError:
            if since is None:
                raise
            stored = cls()
        asked = _iso(since) if since else None
        if stored.token is not None and asked in (None, stored.begin):
            return replace(stored, resumed=True)
        begin = asked or (_iso(_moment(stored.since) - overlap) if stored.since else _iso(first) if first else None)
        return cls(stored.since, begin, first=min(filter(None, (stored.first, begin)), default=None))

    @classmethod
    def parsed(cls, position: str | None) -> "Sweep":
        """Read what :meth:`text` wrote."""
        if position is None:
            return cls()
        try:
            return cls(**json.loads(position))
        except (ValueError, TypeError) as error:
            raise SourceError(
                f"the stored cursor cannot be read ({position[:80]!r}); pull again from a time you choose: "
                "moodline pull NAME --since 2025-01-01"
            ) from error

    def text(self) -> str:
        """Return the walk as it is stored."""
        kept = {name: value for name, value in asdict(self).items() if value is not None and name != "resumed"}
        return json.dumps(kept, sort_keys=True)

    def seen(self, changed: datetime | None) -> "Sweep":
        """Return the walk with the newest change of another page."""
        if changed is None or (self.high is not None and _iso(changed) <= self.high):
            return self
        return replace(self, high=_iso(changed))

    def ended(self, clock: datetime) -> "Sweep":
        """Return the finished walk: the next begins at the newest change seen, yet never later than the clock."""
        newest = max(filter(None, (self.since, self.high)), default=None)
        return Sweep(since=min(newest, _iso(clock)) if newest else None)

    @property
    def known(self) -> datetime | None:
        """Up to when changes had been seen before this walk: what it reads again from before then is the overlap."""
        return _moment(self.since) if self.since else None

    @property
    def begins(self) -> datetime | None:
        """Where the walk began."""
        return _moment(self.begin) if self.begin else None

    @property
    def began(self) -> datetime | None:
        """Where the first of the walks began that belong together."""
        return _moment(self.first) if self.first else self.begins


def heard_by(clock: datetime) -> datetime:
    """Return until when a source was heard by a pull that began at ``clock`` and was complete: the last whole hour."""
    return clock.replace(minute=0, second=0, microsecond=0)


def _iso(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
