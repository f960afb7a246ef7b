"""From a record's fields, all text, to a checked message; what does not pass is rejected, with a reason."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Protocol, cast, get_args

from pipeline.errors import SourceError
from pipeline.identity import AliasKind
from pipeline.records import Channel, IncomingMessage, RejectedRecord, Role
from pipeline.sources.content import cleaned, is_damage
from pipeline.sources.spec import KNOWN_AS, FileSpec, shorten
from pipeline.sources.times import Survey, TimeFault, TimeReader

LONGEST_FIELD: Final = 100_000
"""Characters of one field; a longer one is a broken export, not a message."""
_KEPT: Final = 2_000
"""Characters of a field that a rejected record keeps."""
_CHAINS: Final = 500_000
"""Messages remembered while threads are made from replies."""

MOMENT: Final = "time_utc"
"""Key of a rejected record: its time as it was read, where that was not what was wrong with it."""

ORIGINAL: Final = "original"
"""Key of a rejected record: all that its source said, as JSON, for a mapping that is mended later."""

_NOTHING: Final = frozenset({"", "nan", "null", "none", "nat", "n/a", "\\n"})
"""How exports write "no value"; never applied to the text."""

_WRITTEN: Final = frozenset({"text", "title"})

_ROLES: Final[Mapping[str, Role]] = {
    **dict.fromkeys(("customer", "client", "user", "caller", "consumer", "visitor", "guest", "member"), "customer"),
    **dict.fromkeys(("buyer", "shopper", "enduser", "inbound", "requester", "patient", "contact"), "customer"),
    **dict.fromkeys(("agent", "advisor", "adviser", "representative", "rep", "operator", "staff", "support"), "agent"),
    **dict.fromkeys(("employee", "associate", "csr", "outbound", "supervisor", "human", "company", "brand"), "agent"),
    **dict.fromkeys(("bot", "system", "ivr", "chatbot", "custombot", "virtualagent", "assistant", "robot"), "bot"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One record as its reader gave it: field → text, plus seconds to add to its time (transcripts)."""

    line: int
    fields: Mapping[str, str]
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Fault:
    """A record that could not even be split into fields."""

    line: int
    reason: str
    fields: Mapping[str, str] = field(default_factory=dict)


class Reader(Protocol):
    """A file opened for reading; ``entries`` may be called again and starts over each time."""

    @property
    def name(self) -> str:
        """The file's name, for quarantine and messages."""
        ...

    @property
    def kind(self) -> str:
        """What the file turned out to be, in words."""
        ...

    @property
    def encoding(self) -> str:
        """The codec of its text."""
        ...

    @property
    def labels(self) -> Mapping[str, str]:
        """Field → what the file calls it."""
        ...

    @property
    def columns(self) -> list[str]:
        """Every column found."""
        ...

    @property
    def notes(self) -> list[str]:
        """What the user should know about how the file is read."""
        ...

    def entries(self) -> Iterator[Entry | Fault]:
        """Yield the records in the file's order."""
        ...

    def times(self) -> Iterator[str]:
        """Yield the values of the time column, for the survey."""
        ...

    def progress(self) -> tuple[int, int]:
        """Return bytes read in the present pass, and bytes in all."""
        ...


class RowFault(ValueError):
    """Why a record is no message; its text names the column, the value and what was expected."""


class Mapper:
    """Turns entries of one file into messages or rejected records. Remembers reply chains within the file."""

    def __init__(self, spec: FileSpec, times: TimeReader, origin: str, labels: Mapping[str, str] | None = None) -> None:
        self._spec = spec
        self._times = times
        self._origin = origin
        self._labels = labels or {}
        self._constants = _filled(spec.constants)
        self._threads: dict[str, str] = {}

    def message(self, entry: Entry | Fault) -> IncomingMessage | RejectedRecord:
        """Return the message that the entry holds, or the rejected record with the reason."""
        if isinstance(entry, Fault):
            return self._rejected(entry.line, entry.reason, entry.fields)
        fields = {**self._constants, **_filled(entry.fields)}
        try:
            return self._built(entry, fields)
        except RowFault as fault:
            return self._rejected(entry.line, str(fault), self._with_moment(entry, fields))

    def _built(self, entry: Entry, fields: Mapping[str, str]) -> IncomingMessage:
        for name, value in fields.items():
            self._check_characters(name, value)
        role = self._role(fields.get("role"))
        native, thread = fields.get("id"), self._thread(fields)
        known_as = self._known_as(fields) if role == "customer" else ()
        return IncomingMessage(
            source=self._spec.source,
            channel=self._channel(fields.get("channel")),
            text=self._text(fields),
            sent_at=self._time(fields.get("time"), entry.offset),
            customer=fields.get("customer") or next((word for kind, word in known_as if kind != "name"), None),
            native_id=native,
            role=role,
            author=fields.get("author") if role != "customer" else None,
            thread=thread,
            rating=self._rating(fields.get("rating")),
            product=fields.get("product"),
            department=fields.get("department"),
            reach=self._reach(fields.get("reach")),
            origin=self._origin,
            line=entry.line,
            known_as=known_as,
        )

    def _known_as(self, fields: Mapping[str, str]) -> tuple[tuple[AliasKind, str], ...]:
        """Return what else the person is known by; a requester's id means nothing outside its source."""
        own = {"requester": f"{self._spec.source}:"}
        return tuple((kind, own.get(kind, "") + fields[kind]) for kind in KNOWN_AS if kind in fields)

    def _with_moment(self, entry: Entry, fields: Mapping[str, str]) -> Mapping[str, str]:
        """Add the time that was read, so that a replay need not settle the file's format from one value."""
        try:
            return {**fields, MOMENT: self._time(fields.get("time"), entry.offset).isoformat()}
        except RowFault:
            return fields

    def _label(self, name: str) -> str:
        """Return how the user knows the field: the file's own column name, and the field where it differs."""
        label = self._labels.get(name, name)
        return name if label == name else f"{label} ({name})"

    def _fault(self, name: str, value: str, why: str) -> RowFault:
        return RowFault(f"{self._label(name)} {shorten(value, 40)!r} {why}")

    def _check_characters(self, name: str, value: str) -> None:
        if len(value) > LONGEST_FIELD:
            raise RowFault(f"{self._label(name)} has {len(value):,} characters; at most {LONGEST_FIELD:,} are taken")
        if "\0" in value:
            raise RowFault(f"{self._label(name)} holds a NUL character (byte 0); expected plain text")
        if is_damage(value):
            raise RowFault(f"{self._label(name)} holds bytes that are not in the file's encoding; expected plain text")

    def _text(self, fields: Mapping[str, str]) -> str:
        text = joined(fields.get("title", ""), fields.get("text", ""))
        if not text and "rating" not in fields:
            raise RowFault(f"{self._label('text')} is empty and there is no rating; expected what the customer wrote")
        return text

    def _time(self, value: str | None, offset: float) -> datetime:
        if value is None:
            raise RowFault(f"{self._label('time')} is empty; expected when it was written")
        try:
            return self._times.read(value) + timedelta(seconds=offset)
        except TimeFault as fault:
            raise self._fault("time", value, str(fault)) from fault

    def _role(self, value: str | None) -> Role:
        if value is None:
            return "customer"
        if role := role_of(value):
            return role
        raise self._fault("role", value, "is not a role; expected customer, agent or bot")

    def _channel(self, value: str | None) -> Channel:
        known = get_args(Channel)
        return cast("Channel", value) if value in known else self._spec.channel

    def _rating(self, value: str | None) -> float | None:
        if value is None:
            return None
        low, high = self._spec.rating_scale
        number = _number(value)
        if number is None or not min(low, high) <= number <= max(low, high):
            raise self._fault("rating", value, f"is not a number from {low:g} to {high:g}")
        return 1.0 + 4.0 * (number - low) / (high - low)

    def _reach(self, value: str | None) -> int | None:
        if value is None:
            return None
        thousand = {"k": 1e3, "m": 1e6}.get(value[-1].casefold(), 1.0)
        number = _number(value[:-1] if thousand > 1 else re.sub(r"(?<=\d)[, ](?=\d{3}\b)", "", value))
        if number is None or not 0 <= number * thousand < 1e12:
            raise self._fault("reach", value, "is not a number of followers")
        return round(number * thousand)

    def _thread(self, fields: Mapping[str, str]) -> str | None:
        if "thread" in fields:
            return fields["thread"]
        native, parent = fields.get("id"), fields.get("reply_to")
        if "reply_to" not in self._labels and parent is None:
            return None
        thread = self._threads.get(parent, parent) if parent is not None else native
        if thread is not None and native is not None and len(self._threads) < _CHAINS:
            self._threads[native] = thread
        return thread

    def _rejected(self, line: int, reason: str, fields: Mapping[str, str]) -> RejectedRecord:
        record = {name: cleaned(value[:_KEPT]) for name, value in fields.items()}
        return RejectedRecord(self._spec.source, self._spec.channel, self._origin, line, cleaned(reason), record)


def replay(record: RejectedRecord, spec: FileSpec, *, now: datetime | None = None) -> IncomingMessage | RejectedRecord:
    """Try a quarantined record again, under the options that ``spec`` has now; its fields are mapped already.

    Records that could not be split into fields (key ``raw``) come back unchanged.

    Raises:
        SourceError: the time format or zone of ``spec`` is wrong.
    """
    if "raw" in record.record:
        return record
    fields = {name: value for name, value in record.record.items() if name != ORIGINAL}
    moment = fields.pop(MOMENT, None)
    survey = Survey(time_format="iso" if moment else spec.time_format, time_zone=spec.time_zone, now=now)
    survey.add(fields.get("time", ""))
    try:
        mapper = Mapper(spec, survey.finish(record.origin), record.origin)
    except SourceError as error:
        return replace(record, reason=str(error))
    return mapper.message(Entry(record.line, {**fields, "time": moment} if moment else fields))


def role_of(value: str) -> Role | None:
    """Return the role that a word such as ``CUSTOM_BOT``, ``client`` or ``Agent 2`` names, or None."""
    folded = re.sub(r"[^a-z]", "", value.casefold())
    return _ROLES.get(folded)


def joined(title: str, text: str) -> str:
    """Return the text under its title; a title that only repeats the beginning of the text is left out."""
    title, text = title.strip(), text.strip()
    if not title or text.casefold().startswith(title.rstrip("….").casefold()):
        return text
    return f"{title}\n{text}" if text else title


def _filled(fields: Mapping[str, str]) -> dict[str, str]:
    """Drop fields that hold no value, however the export writes that."""
    filled: dict[str, str] = {}
    for name, value in fields.items():
        stripped = value.strip()
        if stripped and (name in _WRITTEN or len(stripped) > 4 or stripped.casefold() not in _NOTHING):
            filled[name] = stripped
    return filled


def _number(value: str) -> float | None:
    try:
        number = float(re.sub(r"^([+-]?\d+),(\d+)$", r"\1.\2", value.strip()))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
