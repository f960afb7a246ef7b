"""One local HTTP server that speaks a provider's documented shapes, counts requests, and misbehaves on demand."""

import json
import math
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from standin.world import World


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked: path without query, the first value of each parameter, headers in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    base: str

    @property
    def data(self) -> dict[str, Any]:
        """The JSON body."""
        return json.loads(self.body or b"{}")

    @property
    def form(self) -> dict[str, str]:
        """The form body."""
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}

    def number(self, name: str, default: int, most: int) -> int:
        """Return a parameter that is a number, held to what the provider allows."""
        return max(1, min(int(self.query.get(name, default)), most))


@dataclass(slots=True)
class Answer:
    """What is sent back. ``rows`` is the list of records inside ``body``, for faults that repeat or shuffle them."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    rows: list[Any] | None = None
    cursor: bool = False
    """Whether the request carried a cursor of this provider's."""

    def text(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body, ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class Window:
    """The state of a rate limit after a request: how many are allowed, how many are left, seconds to its end."""

    total: int
    left: int
    seconds: float
    ends: datetime
    """By the provider's clock."""


class Provider(Protocol):
    """The documented behaviour of one provider."""

    kind: str

    def token(self, request: Request, issue: Callable[[], str]) -> Answer | None:
        """Answer a request for a token, or None where this is not one."""
        ...

    def allows(self, request: Request, valid: Callable[[str], bool]) -> bool:
        """Tell whether the request carries the right credentials."""
        ...

    def answer(self, request: Request, world: World) -> Answer:
        """Answer a request for records."""
        ...

    def refused(self, status: int) -> Any:
        """Return the documented body of an error."""
        ...

    def rate(self, window: Window) -> dict[str, str]:
        """Return the headers by which the limit is announced."""
        ...


@dataclass(frozen=True, slots=True)
class Fault:
    """One way of going wrong.

    ``kind`` is ``status`` (with ``status`` and ``retry_after`` in seconds, as a date where ``dated``), ``stall``,
    ``cut``, ``truncated``, ``html``, ``repeated``, ``shuffled`` or ``expired`` (only requests with a cursor).
    """

    kind: str
    status: int = 500
    retry_after: float | None = None
    dated: bool = False
    seconds: float = 0.0


TOO_MANY = Fault("status", 429, retry_after=1)
TOO_MANY_DATED = Fault("status", 429, retry_after=1, dated=True)
TOO_MANY_BARE = Fault("status", 429)
BROKEN = Fault("status", 500)
DOWN = Fault("status", 503)
CUT = Fault("cut")
TRUNCATED = Fault("truncated")
HTML = Fault("html")
REPEATED = Fault("repeated")
SHUFFLED = Fault("shuffled")
EXPIRED = Fault("expired")


def stalled(seconds: float) -> Fault:
    """Return a fault that says nothing for so long, and then hangs up."""
    return Fault("stall", seconds=seconds)


@dataclass(slots=True)
class _Planned:
    fault: Fault
    skip: int
    times: int


class StandIn:
    """A provider on ``127.0.0.1``.

    Args:
        provider: Whose shapes it speaks.
        world: What it holds.
        limit: Requests allowed in a window of so many seconds; None allows any.
    """

    def __init__(self, provider: Provider, world: World, limit: tuple[int, float] | None = None) -> None:
        self.provider, self.world, self.limit = provider, world, limit
        self.requests: list[tuple[float, str]] = []
        """Monotonic second and path with query of every request for records."""
        self.overruns = 0
        """Requests beyond the announced limit."""
        self.unauthorised = 0
        self.clock_error = timedelta()
        """How far the provider's own clock is ahead."""
        self.before: Callable[[int], None] = lambda count: None
        """Called with the number of each request for records before it is answered."""
        self._planned: list[_Planned] = []
        self._tokens: set[str] = set()
        self._window = (0.0, 0)
        self._lock = threading.Lock()
        self._chance = random.Random(7)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.standin = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "StandIn":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def plan(self, fault: Fault, after: int = 0, times: int = 1) -> None:
        """Let the fault happen ``times`` times, once ``after`` further requests went well."""
        with self._lock:
            self._planned.append(_Planned(fault, after, times))

    @property
    def pending(self) -> int:
        """Faults planned that have not happened."""
        return sum(planned.times for planned in self._planned)

    def revoke(self) -> None:
        """Make every token handed out so far invalid."""
        self._tokens.clear()

    def handle(self, request: Request) -> tuple[Answer, Fault | None]:
        """Return the answer, and the fault to spoil it with."""
        token = self.provider.token(request, self._issue)
        if token is not None:
            return token, None
        if not self.provider.allows(request, self._tokens.__contains__):
            self.unauthorised += 1
            return Answer(self.provider.refused(401), 401), None
        with self._lock:
            query = "&".join(f"{name}={value}" for name, value in request.query.items())
            self.requests.append((time.monotonic(), f"{request.path}?{query}" if query else request.path))
            count, window = len(self.requests), self._count()
        self.before(count)
        headers = self.provider.rate(window) if window else {}
        if window and window.left < 0:
            self.overruns += 1
            after = {"Retry-After": str(math.ceil(window.seconds))}
            return Answer(self.provider.refused(429), 429, headers | after), None
        answer = self.provider.answer(request, self.world)
        answer.headers |= headers
        return answer, self._fault(answer)

    def _issue(self) -> str:
        token = f"tok-{self._chance.getrandbits(80):x}"
        self._tokens.add(token)
        return token

    def _count(self) -> Window | None:
        if self.limit is None:
            return None
        total, seconds = self.limit
        now = time.monotonic()
        began, used = self._window
        if now - began >= seconds:
            began, used = now, 0
        self._window = (began, used + 1)
        left = began + seconds - now
        return Window(total, total - used - 1, left, self.clock() + timedelta(seconds=left))

    def clock(self) -> datetime:
        """Return the time as this provider believes it to be."""
        return datetime.now(UTC) + self.clock_error

    def _fault(self, answer: Answer) -> Fault | None:
        with self._lock:
            for planned in self._planned:
                if not _fits(planned.fault, answer):
                    continue
                if planned.skip:
                    planned.skip -= 1
                elif planned.times:
                    planned.times -= 1
                    return planned.fault
        return None

    def spoil(self, answer: Answer, fault: Fault) -> Answer:
        """Return the answer as the fault leaves it, where it is one that can still be written as a whole."""
        if fault.kind == "status":
            return Answer(self.provider.refused(fault.status), fault.status, self._retry(fault))
        if fault.kind == "html":
            page = b"<!doctype html><html><body><h1>Down for maintenance</h1></body></html>"
            return Answer(page, 200, {"Content-Type": "text/html; charset=utf-8"})
        if fault.kind == "truncated":
            return Answer(answer.text()[: len(answer.text()) // 2], answer.status, answer.headers)
        if fault.kind == "expired":
            return Answer(self.provider.refused(410), getattr(self.provider, "expired_status", 400))
        if answer.rows is not None and fault.kind == "repeated":
            answer.rows.extend(list(answer.rows))
        if answer.rows is not None and fault.kind == "shuffled":
            self._chance.shuffle(answer.rows)
        return answer

    def _retry(self, fault: Fault) -> dict[str, str]:
        if fault.retry_after is None:
            return {}
        if fault.dated:
            at = (self.clock() + timedelta(seconds=fault.retry_after + 1)).replace(microsecond=0)
            return {"Retry-After": format_datetime(at, usegmt=True)}
        return {"Retry-After": f"{fault.retry_after:g}"}


def _fits(fault: Fault, answer: Answer) -> bool:
    """Tell whether a fault can happen to this answer: only pages of records have cursors and records to repeat."""
    if fault.kind == "expired":
        return answer.cursor
    return answer.rows is not None or fault.kind not in ("repeated", "shuffled")


class _Server(ThreadingHTTPServer):
    standin: StandIn
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """Clients that hang up, or are killed, are part of the game."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        standin = self.server.standin
        address = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = {name: values[0] for name, values in parse_qs(address.query, keep_blank_values=True).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer, fault = standin.handle(Request(self.command, address.path, query, headers, body, standin.url))
        if fault is None:
            self._send(answer)
        elif fault.kind == "stall":
            time.sleep(fault.seconds)
            self.close_connection = True
        elif fault.kind == "cut":
            self._send(answer, cut=True)
        else:
            self._send(standin.spoil(answer, fault))

    def _send(self, answer: Answer, cut: bool = False) -> None:
        text = answer.text()
        self.send_response(answer.status)
        headers = {"Content-Type": "application/json; charset=utf-8"} | answer.headers
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text[: len(text) // 2] if cut else text)
        self.wfile.flush()
        if cut:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Tell the provider's time, right or wrong."""
        return format_datetime(self.server.standin.clock(), usegmt=True)

    def log_message(self, *_: object) -> None:
        pass
