"""The engine of all sources that speak JSON over HTTP, and ``kind = "rest"``: a source of the user's own, without code.

A provider is a recipe: where to ask, how pages follow each other, where the records lie and what their fields are.
The engine walks the pages, reads each record into a message or a reason why it is none, and yields page by page what
is to land together with the cursor.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urljoin

import httpx

from pipeline.errors import SourceError
from pipeline.records import Gone, IncomingMessage, RejectedRecord, Role
from pipeline.sources.client import Fetched, Stretch, Sweep, heard_by
from pipeline.sources.content import cleaned
from pipeline.sources.drift import Shape
from pipeline.sources.http import Answer, Refused, Request, Service, place_of
from pipeline.sources.mapping import Getter, fields_of, getter
from pipeline.sources.rows import MOMENT, ORIGINAL, Entry, Fault, Mapper
from pipeline.sources.settings import (
    CursorPages,
    LinkPages,
    NumberedPages,
    OffsetPages,
    OnePage,
    Paginate,
    RestSettings,
    Since,
)
from pipeline.sources.spec import FileSpec, listed, shorten
from pipeline.sources.times import Survey, TimeFault, TimeReader

Unfold = Callable[[Any, Service], Iterable[Any]]
"""Turns one record of a page into what is mapped; it may ask the service for more, and yield ``Gone``."""

_CHANGED: Final = "changed"
_KEPT: Final = 20_000
"""Characters of a bad record that are kept whole, for a mapping that is mended later."""
_KEYS: Final = ("customer", "id", "thread", "reply_to")
"""What a bad record is stored under; its original is stored without all that names a person."""
_NOWHERE: Final = frozenset({404, 410})
"""Statuses by which services say that something was deleted."""
_FEW: Final = 5
"""So many records of a page, all of which nobody knows, may have been deleted; more are a wrong address."""
_SLIPS: Final = 2
"""A page that comes so often once more says that there is no other."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one source is read: all that tells providers apart.

    ``map`` and ``records`` are JMESPath; ``unfold`` comes between them where a record holds several messages.
    """

    spec: FileSpec
    url: str
    map: Mapping[str, str]
    records: str = "@"
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    paginate: Paginate = field(default_factory=OnePage)
    since: Since | None = None
    body: Callable[[str | None, Any], Any] | None = None
    """Makes the JSON of a POST from the formatted beginning and the next page's token."""
    arrange: Callable[[Any], Any] | None = None
    """Joins what an answer holds apart, such as posts and their authors, before records are read from it."""
    unfold: Unfold | None = None
    changed: str | None = None
    """When a mapped record last changed (JMESPath); default: ``since.field``."""
    deleted: str | None = None
    total: str | None = None
    roles: Mapping[str, str] = field(default_factory=dict)
    removed: Callable[[Service, str | None], Iterable[Gone]] | None = None
    """Asks, when a walk ends, for what was deleted since its formatted beginning, where that is a list of its own."""
    absent_is_gone: bool = False
    absent_role: Role | None = None
    """Whose messages alone can be missed, as answers stand with what they answer; None: everybody's."""
    enumerations: tuple[str, ...] = ("role",)
    reaches_back: timedelta | None = None
    """A beginning further back than this is refused by the service."""
    goes_on_by_time: bool = False
    """True where pages, the longest unchanged first, are numbered: what changes meanwhile makes others move up, and
    lists have limits of length. So after each page a new walk goes on from the newest change it held."""
    sends_since_with_token: bool = True
    """False where a cursor stands for the whole query."""
    has_empty_pages: bool = False
    """True where an empty page can come before the last one."""


def recipe(settings: RestSettings) -> Recipe:
    """Return the recipe of ``kind = "rest"``."""
    spec = FileSpec(
        settings.name,
        settings.channel,
        time_format=settings.time_format,
        time_zone=settings.time_zone,
        rating_scale=settings.rating_scale,
        constants=settings.constants,
    )
    return Recipe(
        spec,
        settings.url,
        settings.map,
        settings.records,
        settings.params,
        settings.headers,
        settings.paginate,
        settings.since,
        body=_posted(settings) if settings.method == "POST" else None,
        deleted=settings.deleted,
        roles=settings.roles,
        absent_is_gone=settings.absent == "erase",
    )


def _posted(settings: RestSettings) -> Callable[[str | None, Any], Any]:
    def body(begin: str | None, token: Any) -> dict[str, Any]:  # noqa: ANN401 - a page's token is any JSON
        fields: dict[str, Any] = dict(settings.params)
        if begin is not None and settings.since and settings.since.param:
            fields[settings.since.param] = begin
        fields |= _sizes(settings.paginate)
        if not isinstance(settings.paginate, LinkPages | OnePage) and token is not None:
            fields[settings.paginate.param] = token
        return fields

    return body


class RestClient:
    """Pulls one source by its recipe. Not for use by several threads."""

    def __init__(self, recipe: Recipe, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._recipe, self._clock = recipe, clock
        self._records = getter(recipe.records)
        self._getters = {name: getter(path) for name, path in recipe.map.items()}
        if "id" in self._getters:
            self._getters["id"] = _telling(self._getters["id"])
        self._reader = _Reader(recipe, self._getters)
        self.shape = self._reader.shape
        self.watches_absence = recipe.absent_is_gone

    @property
    def spec(self) -> FileSpec:
        """How its records are read."""
        return self._recipe.spec

    def mended(self, rejected: RejectedRecord) -> RejectedRecord:
        """Return a stored bad record with its fields as the mapping and the roles of the settings read them now."""
        stored = dict(rejected.record)
        if ORIGINAL in stored:
            fields = fields_of(json.loads(stored[ORIGINAL]), self._getters)
            kept = {name: stored[name] for name in _KEYS if name in stored}
            if fields.get("time") != stored.get("time"):
                stored.pop(MOMENT, None)
            stored |= {name: value for name, value in fields.items() if name in self._recipe.map} | kept
        if role := self._recipe.roles.get(stored.get("role", "")):
            stored["role"] = role
        return replace(rejected, record=stored)

    def fetch(self, service: Service, position: str | None, since: datetime | None = None) -> Iterator[Fetched]:
        """Yield the pages of one walk; one whose cursor has expired begins anew, once. See ``Client.fetch``."""
        asked = self._recipe.since
        sweep = (
            Sweep.start(position, since, asked.overlap, asked.first) if asked else Sweep.start(None, None, timedelta())
        )
        try:
            yield from self._walk(service, sweep)
        except _CursorExpired:
            yield from self._walk(service, replace(sweep, token=None, resumed=False))

    def _walk(self, service: Service, sweep: Sweep) -> Iterator[Fetched]:
        started, tokens, repeats, oldest = self._clock(), set[str](), _Repeats(), None
        sweep = _step_back(sweep, self._recipe.paginate)
        while True:
            answer = self._page(service, sweep)
            items = self._items(answer)
            page = self._reader.read(items, service, started, sweep.known)
            sweep = sweep.seen(page.newest)
            oldest = min(filter(None, (oldest, *(message.sent_at for message in page.messages))), default=None)
            token = self._next(answer, len(items), sweep.token)
            if token is None or self._all_known(page, sweep):
                page.gone += self._recipe.removed(service, self._time(sweep.began)) if self._recipe.removed else ()
                # a source is heard up to its own clock, where that is behind ours
                yield self._last(page, sweep, min(started, answer.clock or started), oldest)
                return
            if str(token) in tokens or repeats.again(items):
                raise SourceError(
                    f"{place_of(self._recipe.url)}: gives the same page again and again; it never ends; check paginate"
                )
            tokens.add(str(token))
            sweep = replace(sweep, token=token)
            if self._recipe.goes_on_by_time and (sweep.high or "") > (sweep.begin or ""):
                sweep, tokens = Sweep(since=sweep.high, begin=sweep.high, first=sweep.first), set()
            yield page.fetched(sweep.text(), self._total(answer))

    def _page(self, service: Service, sweep: Sweep) -> Answer:
        try:
            return service.ask(self._request(sweep))
        except Refused as error:
            if sweep.token is None or not error.may_be_the_cursor:
                raise
            if error.status == 404 and isinstance(self._recipe.paginate, NumberedPages | OffsetPages):
                return Answer([] if self._recipe.records == "@" else {}, httpx.Headers())
            raise _CursorExpired(str(error)) from error

    def _request(self, sweep: Sweep) -> Request:
        known, token = self._recipe, sweep.token
        if isinstance(known.paginate, LinkPages) and token is not None:
            return Request(token, headers=known.headers)
        begin = self._time(sweep.begins)
        if known.body is not None:
            return Request(known.url, headers=known.headers, body=known.body(begin, token))
        params = {**known.params, **_sizes(known.paginate)}
        if begin is not None and known.since and known.since.param and (token is None or known.sends_since_with_token):
            params[known.since.param] = begin
        return _with_token(Request(known.url, params, known.headers), known.paginate, token)

    def _time(self, begins: datetime | None) -> str | None:
        """Return where a walk begins as the source writes times."""
        form = self._recipe.since.format if self._recipe.since else "iso"
        if begins is None:
            return None
        if self._recipe.reaches_back is not None:
            begins = max(begins, self._clock() - self._recipe.reaches_back)
        if form == "iso":
            return begins.strftime("%Y-%m-%dT%H:%M:%SZ")
        if form in {"unix", "unix_ms"}:
            return str(int(begins.timestamp() * (1000 if form == "unix_ms" else 1)))
        return begins.strftime(form)

    def _items(self, answer: Answer) -> list[Any]:
        found = self._records(self._recipe.arrange(answer.value) if self._recipe.arrange else answer.value)
        if isinstance(found, list):
            return found
        if found is None and (answer.value in (None, [], {}) or self._is_null(answer.value)):
            return []
        holds = listed(list(answer.value)) if isinstance(answer.value, dict) else f"a {type(answer.value).__name__}"
        raise SourceError(
            f"{place_of(self._recipe.url)}: there is no list of records at {self._recipe.records!r}; "
            f"the answer holds {holds}"
        )

    def _is_null(self, value: Any) -> bool:  # noqa: ANN401
        """Tell whether null stands where the list belongs, as services write an empty one."""
        *parents, name = self._recipe.records.split(".")
        if not all(part.isidentifier() for part in (*parents, name)):
            return False
        holder = getter(".".join(parents))(value) if parents else value
        return isinstance(holder, dict) and name in holder

    def _next(self, answer: Answer, records: int, token: Any) -> Any:  # noqa: ANN401
        """Return the token of the page after this one, or None after the last."""
        match self._recipe.paginate:
            case CursorPages() as pages:
                more = getter(pages.more)(answer.value) if pages.more else True
                return (getter(pages.next)(answer.value) or None) if more else None
            case LinkPages() as pages:
                link = getter(pages.next)(answer.value) if pages.next else answer.next_link
                return self._same_host(link) if link else None
            case NumberedPages() as pages:
                number = pages.first if token is None else token
                more = records or self._recipe.has_empty_pages
                return number + 1 if more and number != pages.last else None
            case OffsetPages() as pages:
                return (pages.first if token is None else token) + records if records else None
            case OnePage():
                return None

    def _same_host(self, link: str) -> str:
        """Return the absolute address of the next page; another host would be shown our secret."""
        here = httpx.URL(self._recipe.url)
        try:
            absolute = urljoin(self._recipe.url, str(link))
            there = httpx.URL(absolute)
        except (ValueError, httpx.InvalidURL):
            raise SourceError(f"{place_of(self._recipe.url)}: what should be the next page's address is none") from None
        if (here.scheme, here.host, here.port) != (there.scheme, there.host, there.port):
            raise SourceError(
                f"{place_of(self._recipe.url)}: the next page is said to be on {there.netloc.decode()} over "
                f"{there.scheme}; another host is not given the secret"
            )
        return absolute

    def _all_known(self, page: "_Page", sweep: Sweep) -> bool:
        """Tell whether, newest first, everything from here on was read before."""
        ordered = self._recipe.since is not None and self._recipe.since.newest_first
        return bool(ordered and sweep.begins and page.newest and page.newest < sweep.begins)

    def _last(self, page: "_Page", sweep: Sweep, started: datetime, oldest: datetime | None) -> Fetched:
        last = page.fetched(sweep.ended(started).text())
        return replace(last, complete=True, heard_until=heard_by(started), reread=self._reread(sweep, started, oldest))

    def _reread(self, sweep: Sweep, started: datetime, oldest: datetime | None) -> Stretch | None:
        """Return the stretch that was read whole; not from before the oldest that came: lists have limits of length."""
        if not self._recipe.absent_is_gone or sweep.resumed or oldest is None:
            return None
        return Stretch(max(filter(None, (sweep.begins, oldest))), started, self._recipe.absent_role)

    def _total(self, answer: Answer) -> int:
        found = getter(self._recipe.total)(answer.value) if self._recipe.total else 0
        return found if isinstance(found, int) else 0


@dataclass(slots=True)
class _Repeats:
    """How often the same records came in a row: a service that knows no page numbers gives them for every one."""

    items: list[Any] = field(default_factory=list)
    times: int = 0

    def again(self, items: list[Any]) -> bool:
        """Tell whether a page came too often; once more is a slip of the service."""
        self.times = self.times + 1 if items and items == self.items else 0
        self.items = items
        return self.times >= _SLIPS


@dataclass(slots=True)
class _Page:
    """What the records of one page came to."""

    messages: list[IncomingMessage] = field(default_factory=list)
    rejected: list[RejectedRecord] = field(default_factory=list)
    gone: list[Gone] = field(default_factory=list)
    newest: datetime | None = None

    def fetched(self, position: str, total: int = 0) -> Fetched:
        return Fetched(self.messages, self.rejected, position, self.gone, newest=self.newest, total=total)

    def changed(self, when: datetime | None) -> None:
        if when is not None:
            self.newest = max(self.newest or when, when)


class _Reader:
    """Reads the records of a source's pages. Settles the format of times by the first page that has any."""

    def __init__(self, recipe: Recipe, getters: Mapping[str, Getter]) -> None:
        self._recipe, self._getters = recipe, dict(getters)
        changed = recipe.changed or (recipe.since.field if recipe.since else None)
        if changed:
            self._getters[_CHANGED] = getter(changed)
        self._deleted = getter(recipe.deleted) if recipe.deleted else None
        self._mapper: Mapper | None = None
        self._changes: TimeReader | None = None
        self._known: datetime | None = None
        self.shape = Shape()

    def read(self, items: Iterable[Any], service: Service, clock: datetime, known: datetime | None = None) -> _Page:
        """Return the messages, bad records and deletions of one page; only changes after ``known`` shape the source."""
        self._known = known
        page = _Page()
        records = self._all_unfolded(list(items), service)
        rows = [self._row(record) for record in records]
        self._settle([row for row in rows if isinstance(row, dict)], clock)
        for record, row in zip(records, rows, strict=True):
            if isinstance(row, dict) and self._deleted and self._deleted(record):
                row = Gone(row.get("id"), None if "id" in row else row.get("thread"), self._moment(row.get(_CHANGED)))
            self._take(row, page, record)
        return page

    def _all_unfolded(self, items: list[Any], service: Service) -> list[Any]:
        """Return what the records hold; one that was deleted since it was listed is gone.

        Raises:
            Refused: nobody knows any of them; that is a wrong address.
        """
        records, nowhere = list[Any](), list[Refused]()
        for item in items:
            try:
                records += self._unfolded(item, service)
            except Refused as error:
                if error.status not in _NOWHERE:
                    raise
                nowhere.append(error)
                records.append(Gone(thread=str(item.get("id"))))
        if len(nowhere) == len(items) > _FEW:
            raise nowhere[0]
        return records

    def _unfolded(self, item: Any, service: Service) -> Iterable[Any]:  # noqa: ANN401
        """Return what one record holds; one that is built otherwise than documented is a fault, and stops nothing."""
        if self._recipe.unfold is None or not isinstance(item, dict):
            return (item,)
        try:
            return list(self._recipe.unfold(item, service))
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            shown = shorten(json.dumps(item, ensure_ascii=False), 1_000)
            return (Fault(0, f"the record is not as the provider documents it ({error})", {"raw": shown}),)

    def _row(self, record: Any) -> dict[str, str] | Gone | Fault:  # noqa: ANN401
        if isinstance(record, Gone | Fault):
            return record
        if not isinstance(record, dict):
            shown = shorten(str(record), 40)
            return Fault(0, f"expected a JSON object, found {shown!r}", {"raw": shown})
        return fields_of(record, self._getters)

    def _settle(self, rows: list[dict[str, str]], clock: datetime) -> None:
        if self._mapper is not None or not rows:
            return
        spec, where = self._recipe.spec, self._recipe.spec.source
        times = Survey(time_format=spec.time_format, time_zone=spec.time_zone, now=clock)
        changes = Survey(time_zone=spec.time_zone, now=clock)
        for row in rows:
            times.add(row.get("time", ""))
            changes.add(row.get(_CHANGED, ""))
        if len(rows) <= _FEW and (times.unreadable or changes.unreadable):
            return  # so few bad records go to quarantine, and the next page tells more
        try:
            found, self._changes = times.finish(f"{where}, time"), changes.finish(f"{where}, since.field")
        except SourceError as error:
            raise SourceError(str(error).replace("--time-format ", "time_format = ")) from None
        self._mapper = Mapper(spec, found, place_of(self._recipe.url), self._recipe.map)

    def _take(self, row: dict[str, str] | Gone | Fault, page: _Page, record: Any) -> None:  # noqa: ANN401
        if isinstance(row, Gone):
            page.gone.append(row)
            page.changed(row.changed_at)
            return
        changed = None
        if isinstance(row, dict):
            changed = self._moment(row.pop(_CHANGED, None))
            if changed is None or self._known is None or changed > self._known:
                self.shape.add(row, self._recipe.enumerations)
            row["role"] = self._recipe.roles.get(row.get("role", ""), row.get("role", ""))
        result = self._message(row)
        if isinstance(result, RejectedRecord):
            page.rejected.append(_with_original(result, record))
            page.changed(changed)
            return
        page.messages.append(replace(result, edited_at=changed) if changed else result)
        page.changed(changed or result.sent_at)

    def _message(self, row: dict[str, str] | Fault) -> IncomingMessage | RejectedRecord:
        mapper = self._mapper or self._unsettled()
        return mapper.message(row if isinstance(row, Fault) else Entry(0, row))

    def _unsettled(self) -> Mapper:
        """Return what reads records while no page had a time that tells the format."""
        spec = self._recipe.spec
        times = Survey(time_zone=spec.time_zone, time_format=spec.time_format).finish(spec.source)
        times.described = spec.time_format or "ISO 8601 or a unix time"
        return Mapper(spec, times, place_of(self._recipe.url), self._recipe.map)

    def _moment(self, value: str | None) -> datetime | None:
        try:
            return self._changes.read(value) if value and self._changes else None
        except TimeFault:
            return None


def _telling(get: Getter) -> Getter:
    """Return what reads an id; one that tells no record from another, such as ``true`` or ``{}``, is none."""

    def read(record: Any) -> Any:  # noqa: ANN401
        value = get(record)
        return None if isinstance(value, bool) or value in ({}, []) else value

    return read


def _with_original(rejected: RejectedRecord, record: Any) -> RejectedRecord:  # noqa: ANN401
    """Return a bad record with all that its source said; what is broken off or endless cannot be mapped again."""
    original = json.dumps(record, ensure_ascii=False) if isinstance(record, dict) else ""
    if not 0 < len(original) <= _KEPT:
        return rejected
    return replace(rejected, record={**rejected.record, ORIGINAL: cleaned(original)})


class _CursorExpired(SourceError):
    """The source no longer knows the cursor from which a walk was to go on."""


def _sizes(pages: Paginate) -> dict[str, str]:
    if isinstance(pages, NumberedPages | OffsetPages) and pages.size_param and pages.size:
        return {pages.size_param: str(pages.size)}
    return {}


def _with_token(request: Request, pages: Paginate, token: Any) -> Request:  # noqa: ANN401
    """Return the request of the page that a token stands for; ``{page}`` in the address holds a page's number."""
    if isinstance(pages, NumberedPages):
        number = pages.first if token is None else token
        if "{page}" in request.url:
            return replace(request, url=request.url.replace("{page}", str(number)))
        return replace(request, params={**request.params, pages.param: str(number)})
    if isinstance(pages, OffsetPages):
        return replace(request, params={**request.params, pages.param: str(pages.first if token is None else token)})
    if isinstance(pages, CursorPages) and token is not None:
        return replace(request, params={**request.params, pages.param: str(token)})
    return request


def _step_back(sweep: Sweep, pages: Paginate) -> Sweep:
    """Return a walk that goes on from a counted page one page earlier: records may have moved up meanwhile."""
    if not sweep.resumed or not isinstance(pages, NumberedPages | OffsetPages) or not isinstance(sweep.token, int):
        return sweep
    by = 1 if isinstance(pages, NumberedPages) else pages.size or 1
    return replace(sweep, token=max(pages.first, sweep.token - by))
