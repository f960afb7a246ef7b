"""Asks a web service for JSON, patiently and politely: time-outs, back-off with jitter, rates, a budget of requests.

What may pass by itself (a cut connection, a time-out, 429, 5xx, an answer that is no JSON) is tried again; what will
not (a wrong key, a wrong address) is told at once. No error shows a secret, a query or what a record said.
"""

import json
import math
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Final, NoReturn

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from pipeline.errors import SourceError
from pipeline.sources.auth import Authorisation
from pipeline.sources.secrets import Secrets
from pipeline.sources.spec import shorten

AGENT: Final = "moodline (customer mood; https://pypi.org/project/moodline)"
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
"""Statuses that say: later, perhaps."""
_ROTTEN_CURSOR: Final = frozenset({400, 404, 409, 410, 416, 422})
"""Statuses by which services refuse a cursor that has expired."""
_NOTHING_THERE: Final = 204
"""The status of an answer that has no body; with any other one, an empty body is broken off."""
_PATIENCE: Final = 10
"""Time-outs that a whole answer may take, as long as something of it comes."""
_LONG_AGO: Final = datetime(2001, 9, 9, tzinfo=UTC).timestamp()
"""A rate header larger than this is a time, not a number of seconds to wait."""


class Refused(SourceError):
    """The service will not answer this request, now or later; ``status`` is what it said."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status

    @property
    def may_be_the_cursor(self) -> bool:
        """Tell whether a request that went on from a cursor could have failed because that has expired."""
        return self.status in _ROTTEN_CURSOR


class TooSoon(SourceError):
    """The service wants to be left alone for longer than a pull waits."""


class BudgetSpent(SourceError):
    """The pull has made all the requests that it may."""


class _Passing(Exception):
    """Something that may pass by itself; ``after`` is for how many seconds the service wants to be left alone."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: ``body`` makes it a POST of JSON."""

    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: parsed JSON and the headers."""

    value: Any
    headers: httpx.Headers
    next_link: str | None = None
    """The address of the next page in the ``Link`` header (RFC 8288)."""

    @property
    def clock(self) -> datetime | None:
        """What time it is (UTC) by the service's own clock, or None where it does not say."""
        return _told_clock(self.headers)


@dataclass(frozen=True, slots=True)
class Pace:
    """So many requests in so long a time."""

    most: int
    per: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait, how often to try, how much to ask."""

    timeout: timedelta = timedelta(seconds=30)
    longest_wait: timedelta = timedelta(minutes=5)
    budget: int = 10_000
    paces: Mapping[str, Pace] = field(default_factory=dict)
    """Part of an address → how often addresses that hold it may be asked; the empty part is every address."""
    attempts: int = 6


class Service:
    """A web service that one source asks. Use it as a context manager; not for use by several threads.

    Args:
        authorisation: Who asks.
        secrets: Masked in every error.
        limits: Time-outs, attempts, rates and the budget.
        pause: Waits for so many seconds.
    """

    def __init__(
        self,
        authorisation: Authorisation,
        secrets: Secrets,
        limits: Limits | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._authorisation, self._secrets = authorisation, secrets
        self._limits = limits or Limits()
        self._pause = pause
        self._http = httpx.Client(
            timeout=self._limits.timeout.total_seconds(), headers={"User-Agent": AGENT, "Accept": "application/json"}
        )
        self._sent: dict[str, deque[float]] = {part: deque() for part in self._limits.paces}
        self._not_before = 0.0
        self._back_off = wait_random_exponential(multiplier=0.5, max=60)
        self.requests = 0

    def __enter__(self) -> "Service":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def ask(self, request: Request) -> Answer:
        """Send a request, again and again if need be, and return its answer.

        Raises:
            Refused: the service says no, and would go on saying so.
            TooSoon: it wants to be left alone for longer than a pull waits.
            BudgetSpent: the pull has made all the requests it may.
            SourceError: it could not be reached, or gave no JSON, as often as it was tried.
        """
        try:
            return self._tried(lambda: self._send_signed(request), request.url)
        except Refused as error:
            if error.status != 401 or not self._authorisation.renew():
                raise
            return self._tried(lambda: self._send_signed(request), request.url)

    def _tried(self, once: Callable[[], Answer], url: str) -> Answer:
        retrying = Retrying(
            stop=stop_after_attempt(self._limits.attempts),
            wait=self._wait,
            retry=retry_if_exception_type(_Passing),
            sleep=self._pause,
            reraise=True,
        )
        try:
            return retrying(once)
        except _Passing as error:
            self._fail(f"{place_of(url)}: {error}, {self._limits.attempts} times in a row; the next pull tries again")

    def _send_signed(self, request: Request) -> Answer:
        headers = {**request.headers, **self._authorisation.headers(self._exchange)}
        method = "GET" if request.body is None else "POST"
        return self._send(method, request.url, params=dict(request.params), headers=headers, json=request.body)

    def _exchange(self, url: str, fields: Mapping[str, Any], as_json: bool) -> Any:  # noqa: ANN401 - whatever JSON
        how: dict[str, Any] = {"json": dict(fields)} if as_json else {"data": dict(fields)}
        return self._send("POST", url, **how).value

    def _send(self, method: str, url: str, **how: Any) -> Answer:  # noqa: ANN401 - httpx's own arguments
        self._count_and_pace(url)
        how = {name: value for name, value in how.items() if value not in (None, {})}
        try:
            response = self._whole(method, _joined(url, how.pop("params", {})), how)
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _Passing(_in_words(error)) from None
        except (httpx.InvalidURL, httpx.HTTPError, UnicodeError) as error:
            self._fail(f"{place_of(url)}: {shorten(str(error), 160)}")
        self._obey(response)
        return self._answer(response, url)

    def _whole(self, method: str, url: httpx.URL, how: Mapping[str, Any]) -> httpx.Response:
        """Return a response with all of its body; httpx's own time-out starts anew with every byte."""
        until = time.monotonic() + _PATIENCE * self._limits.timeout.total_seconds()
        with self._http.stream(method, url, **how) as response:
            body = b"".join(self._in_time(response.iter_raw(), until))
            return httpx.Response(
                response.status_code,
                headers=response.headers,
                content=body,
                request=response.request,
                extensions=response.extensions,
            )

    def _in_time(self, parts: Iterator[bytes], until: float) -> Iterator[bytes]:
        for part in parts:
            if time.monotonic() > until:
                raise _Passing("did not answer in time")
            self._pause(0.0)  # ends the wait where the pull was stopped
            yield part

    def _count_and_pace(self, url: str) -> None:
        """Count a request against the budget, and wait until the announced rates allow it."""
        if self.requests >= self._limits.budget:
            raise BudgetSpent(
                f"the budget of {self._limits.budget:,} requests is spent; the next pull goes on from here"
            )
        sent = [(self._sent[part], pace) for part, pace in self._limits.paces.items() if part in url]
        free = [times[-p.most] + p.per.total_seconds() for times, p in sent if len(times) >= p.most]
        wait = max(self._not_before, *free) - time.monotonic() if free else self._not_before - time.monotonic()
        if wait > self._limits.longest_wait.total_seconds():
            raise TooSoon(f"{place_of(url)}: has no requests left for {wait:,.0f} seconds; the next pull goes on")
        if wait > 0:
            self._pause(wait)
        for times, pace in sent:
            times.append(time.monotonic())
            while len(times) > pace.most:
                times.popleft()
        self.requests += 1

    def _obey(self, response: httpx.Response) -> None:
        """Remember until when the service's rate headers want no further request."""
        left, reset = _rate(response.headers)
        if left is None or reset is None or left > 0 or response.status_code == 429:
            return
        self._not_before = time.monotonic() + (_seconds_until(reset, response.headers) or 0.0)

    def _answer(self, response: httpx.Response, url: str) -> Answer:
        if response.status_code in _PASSING:
            self._later(response, url)
        if not response.is_success:
            self._refused(response, url)
        try:
            value = json.loads(response.content) if response.status_code != _NOTHING_THERE else None
        except (ValueError, RecursionError):
            html = response.content.lstrip()[:1] == b"<"
            raise _Passing(f"answered with {'a web page (HTML)' if html else 'broken JSON'}") from None
        next_link = response.links.get("next", {}).get("url")
        return Answer(value, response.headers, next_link)

    def _later(self, response: httpx.Response, url: str) -> NoReturn:
        after = _seconds_until(response.headers.get("retry-after"), response.headers)
        if after is None and response.status_code == 429:
            after = _seconds_until(_rate(response.headers)[1], response.headers)
        if after is not None and after > self._limits.longest_wait.total_seconds():
            raise TooSoon(f"{place_of(url)}: asks to be left alone for {after:,.0f} seconds; the next pull goes on")
        raise _Passing(f"answered {response.status_code} {response.reason_phrase}".rstrip(), after)

    def _refused(self, response: httpx.Response, url: str) -> NoReturn:
        status = response.status_code
        advice = _ADVICE.get(status, "check the address and the settings of this source")
        if response.is_redirect:
            advice = f"it points to {place_of(response.headers.get('location', 'nowhere'))}; set url to where it is now"
        told = _told(response)
        message = f"{place_of(url)}: answered {status} {response.reason_phrase}{told}; {advice}"
        raise Refused(self._secrets.mask(message), status) from None

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        after = error.after if isinstance(error, _Passing) else None
        if after is not None:
            return after + random.uniform(0.0, min(1.0, 0.1 + after / 10))
        return self._back_off(state)

    def _fail(self, message: str) -> NoReturn:
        raise SourceError(self._secrets.mask(message)) from None


_ADVICE: Final = {
    401: "the secret is wrong or has expired; make a new one and test it with `moodline sources test`",
    403: "the secret lacks the right to read this; give it the scope that docs/sources names",
    404: "there is nothing at this address; check url and ids in the settings",
}


def _joined(url: str, params: Mapping[str, str]) -> httpx.URL:
    """Return an address with more in its query; httpx by itself would drop what stands there."""
    return httpx.URL(url).copy_merge_params(params) if params else httpx.URL(url)


def place_of(url: str) -> str:
    """Return host and path of an address: a query can hold addresses of people."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        return "the address"
    return f"{parts.host}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _in_words(error: httpx.RequestError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "did not answer in time"
    if isinstance(error, httpx.ConnectError):
        return "cannot be reached"
    return "broke off the connection"


def _told(response: httpx.Response) -> str:
    """Return what the service says is wrong, in brackets, where it says so in a usual place."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return ""
    while isinstance(body, dict | list) and body:
        if isinstance(body, list):
            body = body[0]
            continue
        names = ("error_description", "message", "detail", "description", "title", "error", "errors")
        body = next((body[name] for name in names if body.get(name)), None)
    return f" ({shorten(body, 120)})" if isinstance(body, str) else ""


def _rate(headers: httpx.Headers) -> tuple[int | None, str | None]:
    """Return how many requests are left and when there will be more, from the headers in use.

    X: x-rate-limit-*; Mastodon, Intercom, Freshdesk: X-RateLimit-*; Bluesky, Zendesk: RateLimit-*.
    """
    prefixes = ("x-rate-limit", "x-ratelimit", "ratelimit")
    left, reset = (
        next((headers[name] for name in (f"{prefix}-{what}" for prefix in prefixes) if name in headers), None)
        for what in ("remaining", "reset")
    )
    return (int(left) if left is not None and left.strip().isdigit() else None), reset


def _seconds_until(value: str | None, headers: httpx.Headers) -> float | None:
    """Return how long from now a header means: seconds, a unix time, an ISO time or an HTTP date.

    Times are compared with the service's own clock, as ours or theirs may be wrong.
    """
    if value is None:
        return None
    try:
        number = float(value)
    except ValueError:
        when = _date(value)
        return max((when - _clock(headers)).total_seconds(), 0.0) if when else None
    if math.isnan(number):
        return None
    if number > _LONG_AGO:
        number -= _clock(headers).timestamp()
    return max(number, 0.0)


def _clock(headers: httpx.Headers) -> datetime:
    return _told_clock(headers) or datetime.now(UTC)


def _told_clock(headers: httpx.Headers) -> datetime | None:
    return _date(headers["date"]) if "date" in headers else None


def _date(value: str) -> datetime | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(value.strip())
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None
