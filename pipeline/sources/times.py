"""Times as people's exports write them: which format a column is in, and each value as an aware UTC ``datetime``.

``Survey`` is shown the column's values and decides; it refuses to choose between day-first and month-first (and
year-first, where years have two digits) when the values do not settle it. ``TimeReader`` then reads single values.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.errors import SourceError
from pipeline.sources.spec import shorten

Order = Literal["dmy", "mdy", "ymd"]

EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
"""A message older than this is a wrong time."""
LEEWAY: Final = timedelta(days=2)
"""How far ahead of the clock a time may lie: clocks differ, and dates of far time zones."""

_REMEMBERED: Final = 10_000
"""Values that are looked up and not read again: exports repeat them."""

_NAMED_ORDER: Final[Mapping[Order, str]] = {"dmy": "day first", "mdy": "month first", "ymd": "year first"}
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ZONES: Final = {  # RFC 2822, section 4.3
    **{"Z": 0, "UTC": 0, "GMT": 0, "UT": 0},
    **{"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7},
}
_ZONE_NAMES: Final = "|".join(sorted(_ZONES, key=len, reverse=True))
_ZONE: Final = rf"(?P<zone>(?:UTC|GMT)?[+-]\d{{2}}:?\d{{2}}|[+-]\d{{2}}|{_ZONE_NAMES})"
_CLOCK: Final = (
    r"(?P<hour>\d{1,2})(?P<hs>[:.h])(?P<minute>\d{2})(?:(?P<ms>[:.])(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?P<gap>\s*)(?P<half>[AaPp]\.?[Mm]\.?)?"
)
_THEN_CLOCK: Final = rf"(?:(?P<join>T|,?\s+(?:at\s+)?){_CLOCK}\s*{_ZONE}?)?(?:\s*\([^)]*\))?"
_WEEKDAY: Final = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)"
_MONTH: Final = rf"(?P<month>{'|'.join(_MONTHS)})[a-z]*\.?"
_SHORT_OR_LONG_YEAR: Final = r"(?P<year>\d{4}|\d{2})"

_NUMERIC: Final = re.compile(
    rf"(?P<a>\d{{1,2}})(?P<s1>[-/. ])(?P<b>\d{{1,2}})(?P<s2>, |[-/. ]){_SHORT_OR_LONG_YEAR}{_THEN_CLOCK}"
)
_YEAR_FIRST: Final = re.compile(
    rf"(?P<year>\d{{4}})(?P<sep>[-/.])(?P<m>\d{{1,2}})(?P=sep)(?P<d>\d{{1,2}}){_THEN_CLOCK}"
)
_COMPACT: Final = re.compile(
    r"(?P<year>\d{4})(?P<m>\d\d)(?P<d>\d\d)(?:T?(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)(?P<zone>Z)?)?"
)
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?(?:[eE]\+?\d+)?")
_NAMED: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_WEEKDAY}?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?[\s-]+(?:of\s+)?{_MONTH},?[\s-]+{_SHORT_OR_LONG_YEAR}{_THEN_CLOCK}",
        rf"{_WEEKDAY}?{_MONTH}[\s-]+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?,?[\s-]+(?P<year>\d{{4}}){_THEN_CLOCK}",
        rf"{_WEEKDAY}{_MONTH}\s+(?P<d>\d{{1,2}})\s+{_CLOCK}\s*{_ZONE}?\s+(?P<year>\d{{4}})",
    )
)
_TICKS: Final = {1: "unix seconds", 10**3: "unix milliseconds", 10**6: "unix microseconds", 10**9: "unix nanoseconds"}
_UNIX_NAMES: Final = {"unix": 1, "unix_s": 1, "unix_ms": 10**3, "unix_us": 10**6, "unix_ns": 10**9}


class TimeFault(ValueError):
    """A value that is no time; its text says why, fit for a message to the user."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """How numeric dates of one form are written: the separators, and how long the year is."""

    first: str
    second: str
    year_digits: int

    def date_format(self, order: Order) -> str:
        year = "%Y" if self.year_digits == 4 else "%y"
        letters = {"d": "%d", "m": "%m", "y": year}
        one, two, three = (letters[letter] for letter in order)
        return f"{one}{self.first}{two}{self.second}{three}"


class Survey:
    """Watches the values of a time column and settles how to read them; holds a few counters, not the values."""

    def __init__(self, *, time_format: str | None = None, time_zone: str = "UTC", now: datetime | None = None) -> None:
        self._zone = zone_of(time_zone)
        self._now = now or datetime.now(UTC)
        self._format = checked_format(time_format)
        self._shapes: dict[_Shape, _Settling] = {}
        self._names: dict[str, int] = {}
        self._unknown: str | None = None
        self._seen = 0

    @property
    def settled(self) -> bool:
        """True when more values cannot change the outcome: the format is given, or no day-and-month form was seen."""
        return self._format is not None or not self._shapes

    @property
    def unreadable(self) -> bool:
        """True when there were values and none of them is in a known format."""
        return self._format is None and self._seen > 0 and not self._names and not self._shapes

    def add(self, value: str) -> None:
        """Look at one value; an empty one tells nothing."""
        value = value.strip()
        if not value or self._format is not None:
            return
        self._seen += 1
        if match := _NUMERIC.fullmatch(value):
            shape = _shape_of(match)
            self._shapes.setdefault(shape, _Settling(shape)).add(match, value, self._now)
            return
        name = _name_of(value)
        if name is None:
            self._unknown = self._unknown or value
        else:
            self._names[name] = self._names.get(name, 0) + 1

    def finish(self, where: str) -> "TimeReader":
        """Return a reader for the column; ``where`` names file and column in errors.

        Raises:
            SourceError: the values do not settle the order of day and month, contradict each other, or none of them
                is in a known format.
        """
        if self.unreadable:
            raise SourceError(
                f"{where}: {shorten(self._unknown or '')!r} is in no time format that is known; "
                "say it, for example --time-format '%d.%m.%Y %H:%M'"
            )
        orders = {shape: settling.order(where) for shape, settling in self._shapes.items()}
        return TimeReader(orders, self._format, self._zone, self._now, self._described(orders))

    def _described(self, orders: Mapping[_Shape, Order]) -> str:
        if self._format is not None:
            return self._format
        counts = dict(self._names)
        for shape, order in orders.items():
            name = shape.date_format(order) + self._shapes[shape].clock
            counts[name] = counts.get(name, 0) + self._shapes[shape].count
        return ", ".join(sorted(counts, key=lambda name: -counts[name])) or "none seen"


class _Settling:
    """What the values of one numeric form say about the order of day, month and year."""

    def __init__(self, shape: _Shape) -> None:
        self.shape = shape
        self.count = 0
        self.clock = ""
        self._example = ""
        self._differs: str | None = None
        self._possible: set[Order] = {"dmy", "mdy"} if shape.year_digits == 4 else {"dmy", "mdy", "ymd"}
        self._all = frozenset(self._possible)
        self._against: dict[Order, str] = {}
        self._seen: set[str] = set()

    def add(self, match: re.Match[str], value: str, now: datetime) -> None:
        self.count += 1
        if self.count == 1:
            self.clock = _clock_format(match)
        if (written := value[: match.end("year")]) in self._seen:
            return
        if len(self._seen) < _REMEMBERED:
            self._seen.add(written)
        dates = {order: _in_order(match, order) for order in self._all}
        readings = {order: found for order, found in dates.items() if found and _plausible(found, now)}
        if not readings:
            return  # no date in any order: that row is bad, the column learns nothing
        for order in self._all - readings.keys():
            self._against.setdefault(order, value)
        self._possible &= readings.keys()
        if self._differs is None and len(set(readings.values())) > 1:
            self._differs = value
        self._example = self._example or value

    def order(self, where: str) -> Order:
        if not self._possible:
            raise SourceError(self._contradiction(where))
        if len(self._possible) > 1 and self._differs is not None:
            raise SourceError(self._open_question(where))
        return next(order for order in ("dmy", "mdy", "ymd") if order in self._possible)

    def _contradiction(self, where: str) -> str:
        said = "; ".join(f"{value!r} is not {_NAMED_ORDER[order]}" for order, value in sorted(self._against.items()))
        return (
            f"{where}: the times contradict each other ({said}); say which is right with --time-format "
            f"{self._options(self._all)}, and the others go to quarantine"
        )

    def _open_question(self, where: str) -> str:
        orders = sorted(self._possible)
        value = self._differs or self._example
        match = _NUMERIC.fullmatch(value.strip())
        readings = [
            f"{found.day} {found:%B %Y} ({_NAMED_ORDER[order]})"
            for order in orders
            if match and (found := _in_order(match, order))
        ]
        return (
            f"{where}: {shorten(value)!r} can be {' or '.join(readings)}, and no value in the file settles it; "
            f"say --time-format {self._options(frozenset(orders))}"
        )

    def _options(self, orders: frozenset[Order]) -> str:
        return " or ".join(f"'{self.shape.date_format(order)}{self.clock}'" for order in sorted(orders))


class TimeReader:
    """Reads single values of a column whose format is settled."""

    def __init__(
        self, orders: Mapping[_Shape, Order], time_format: str | None, zone: tzinfo, now: datetime, described: str
    ) -> None:
        self._orders = orders
        self._format = time_format
        self._zone = zone
        self._latest = now + LEEWAY
        self._known: dict[str, datetime] = {}
        self.described = described
        """The formats in words of ``strptime``, the commonest first."""

    def read(self, value: str) -> datetime:
        """Return the time in UTC. Raises ``TimeFault`` when it is none, or one that cannot be."""
        if (known := self._known.get(value)) is not None:
            return known
        found = self._parsed(value.strip())
        try:
            moment = (found if found.tzinfo else found.replace(tzinfo=self._zone)).astimezone(UTC)
        except (OverflowError, ValueError):
            raise TimeFault("is not a time that can be") from None
        if moment < EARLIEST:
            raise TimeFault(f"is before {EARLIEST.year}, so it cannot be when this was written")
        if moment > self._latest:
            raise TimeFault("lies in the future")
        if len(self._known) < _REMEMBERED:
            self._known[value] = moment
        return moment

    def _parsed(self, value: str) -> datetime:
        if self._format is not None:
            return _by_format(value, self._format)
        if match := _YEAR_FIRST.fullmatch(value) or _COMPACT.fullmatch(value):
            return _assembled(int(match["year"]), int(match["m"]), int(match["d"]), match)
        if match := _NUMERIC.fullmatch(value):
            return self._numeric(match)
        for pattern in _NAMED:
            if match := pattern.fullmatch(value):
                month = _MONTHS.index(match["month"].lower()) + 1
                return _assembled(_full_year(match["year"]), month, int(match["d"]), match)
        if scale := _unix_scale(value):
            return _from_unix(value, scale)
        raise TimeFault(f"is not a time; expected {self.described}")

    def _numeric(self, match: re.Match[str]) -> datetime:
        order = self._orders.get(_shape_of(match))
        if order is None:
            raise TimeFault(f"is not written like the other times; expected {self.described}")
        year, month, day = _numbers(match, order)
        return _assembled(year, month, day, match)


def zone_of(name: str) -> tzinfo:
    """Return the time zone of an IANA name. Raises ``SourceError`` for an unknown one."""
    if name.upper() in {"UTC", "Z", "GMT"}:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SourceError(f"time zone {name!r} is not known; use a name such as Europe/London") from error


def checked_format(time_format: str | None) -> str | None:
    """Return the format if it can give a date. Raises ``SourceError`` for one that cannot."""
    if time_format is None or time_format in _UNIX_NAMES or time_format == "iso":
        return time_format
    if not any(letter in time_format for letter in ("%Y", "%y", "%c", "%x", "%G")):
        known = ", ".join(("iso", *_UNIX_NAMES))
        raise SourceError(
            f"--time-format {time_format!r} has no year; write it like '%d-%m-%Y %H.%M', or say one of {known}"
        )
    try:
        datetime.strptime("", time_format)
    except ValueError as error:
        if "does not match" not in str(error):
            raise SourceError(f"--time-format {time_format!r}: {error}; write it like '%d-%m-%Y %H.%M'") from error
    return time_format


def _by_format(value: str, time_format: str) -> datetime:
    if scale := _UNIX_NAMES.get(time_format):
        return _from_unix(value, scale)
    try:
        return datetime.fromisoformat(value) if time_format == "iso" else datetime.strptime(value, time_format)
    except ValueError:
        raise TimeFault(f"is not a time in the format {time_format}") from None


def _name_of(value: str) -> str | None:
    """Return the name of a format that needs no settling, or None if ``value`` is in none."""
    if _YEAR_FIRST.fullmatch(value) or _COMPACT.fullmatch(value):
        return "ISO 8601"
    if scale := _unix_scale(value):
        return _TICKS[scale]
    for pattern in _NAMED:
        if match := pattern.fullmatch(value):
            return "month by name, " + ("with offset" if match["zone"] else "no offset")
    return None


def _unix_scale(value: str) -> int | None:
    """Return ticks a second of a unix time by its size: 9 or 10 digits are seconds, three more ms, six us, nine ns."""
    if not _NUMBER.fullmatch(value):
        return None
    digits = len(str(int(Decimal(value)))) if len(value) < 40 else 0
    return {9: 1, 10: 1, 12: 10**3, 13: 10**3, 15: 10**6, 16: 10**6, 18: 10**9, 19: 10**9}.get(digits)


def _from_unix(value: str, scale: int) -> datetime:
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=float(Decimal(value) * 10**6 / scale))
    except (InvalidOperation, OverflowError, ValueError):
        raise TimeFault("is not a unix time that can be") from None


def _shape_of(match: re.Match[str]) -> _Shape:
    return _Shape(match["s1"], match["s2"], len(match["year"]))


def _numbers(match: re.Match[str], order: Order) -> tuple[int, int, int]:
    """Return year, month and day of a numeric date read in ``order``."""
    values = dict(zip(order, (match["a"], match["b"], match["year"]), strict=True))
    return _full_year(values["y"]), int(values["m"]), int(values["d"])


def _in_order(match: re.Match[str], order: Order) -> date | None:
    try:
        return date(*_numbers(match, order))
    except ValueError:
        return None


def _plausible(found: date, now: datetime) -> bool:
    return EARLIEST.date() <= found and found.year <= now.year


def _full_year(digits: str) -> int:
    """Return the year; of two digits as POSIX reads them: 69 to 99 are 19xx, the others 20xx."""
    year = int(digits)
    return year if len(digits) > 2 else year + (1900 if year >= 69 else 2000)


def _assembled(year: int, month: int, day: int, match: re.Match[str]) -> datetime:
    parts = match.groupdict()
    fraction = (parts.get("fraction") or "").ljust(6, "0")[:6]
    hour = _hour(int(parts["hour"] or 0), parts.get("half"))
    try:
        return datetime(
            year, month, day, hour, int(parts["minute"] or 0), _second(parts["second"]), int(fraction),
            tzinfo=_offset(parts.get("zone")),
        )  # fmt: skip
    except ValueError:
        raise TimeFault("is not a time that exists") from None


def _hour(hour: int, half: str | None) -> int:
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise TimeFault("is not a time that exists")
    return hour % 12 + (12 if half[0] in "pP" else 0)


def _second(digits: str | None) -> int:
    return 59 if digits == "60" else int(digits or 0)  # a leap second; datetime has none


def _offset(zone: str | None) -> tzinfo | None:
    if not zone:
        return None
    if (hours := _ZONES.get(zone.upper())) is not None:
        return timezone(timedelta(hours=hours))
    digits = re.sub(r"\D", "", zone).ljust(4, "0")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-ahead if "-" in zone else ahead)


def _clock_format(match: re.Match[str]) -> str:
    """Return the ``strptime`` format of the clock part, such as ``' %H.%M'``."""
    if not match["hour"]:
        return ""
    second = f"{match['ms']}%S" if match["second"] else ""
    fraction = ".%f" if match["fraction"] else ""
    half = f"{match['gap']}%p" if match["half"] else ""
    zone = " %z" if match["zone"] else ""
    return f"{match['join']}{'%I' if half else '%H'}{match['hs']}%M{second}{fraction}{half}{zone}"
