"""The demo as time passes: Fernhollow's customers write to a local server, Moodline pulls, and slides show at once.

The server speaks plain JSON pages (a bearer token, cursors, ``written_after``), and the settings beside it are those
that anybody would write for an API of their own (``docs/sources/rest.md``). Nothing is imported from a file but the
customers: each message can be pulled only once the shop's clock has reached the time at which it was written.
"""

import bisect
import json
import os
import secrets
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from pipeline.config import REPOSITORY, Home
from pipeline.demo import CUSTOMERS, REVIEWS, SAMPLE
from pipeline.errors import SettingsError
from pipeline.records import IncomingMessage
from pipeline.sources import files
from pipeline.sources.spec import FileSpec, parse_mapping

TOKEN: Final = "FERNHOLLOW_TOKEN"
"""The environment variable that holds the shop's token while the demo runs."""
_PAGE: Final = 100
_MARK: Final = "# Written by `moodline demo --live`, and again at its next start."
_SOURCES: Final[Mapping[str, tuple[FileSpec, ...]]] = {
    "reviews": (FileSpec("reviews.csv", "review", parse_mapping(REVIEWS)),),
    "tweets": (FileSpec("tweets.jsonl", "tweet"),),
    "desk": tuple(FileSpec(name, "transcript") for name in ("chats.jsonl", "emails.jsonl", "calls")),
}
_BLOCK: Final = """
[[sources]]
name = "{name}"
kind = "rest"
channel = "{channel}"
url = "{url}/v1/{name}"
auth = {{ type = "bearer", token_env = "{token}" }}
paginate = {{ type = "cursor", param = "cursor", next = "meta.next_cursor" }}
since = {{ param = "written_after", field = "written_at", overlap = "1d" }}
records = "data"
map = {{ id = "id", customer = "customer", role = "role", author = "agent", thread = "thread", text = "text", \
time = "written_at", rating = "stars", product = "product", department = "department", reach = "followers" }}
"""


def messages(sample: Path = SAMPLE) -> dict[str, list[IncomingMessage]]:
    """Return what Fernhollow's customers and agents wrote, a list a source, the oldest first."""
    return {
        name: sorted(
            (m for spec in specs for batch in files.read(sample / spec.source, spec) for m in batch.messages),
            key=lambda message: message.sent_at,
        )
        for name, specs in _SOURCES.items()
    }


class Clock:
    """The shop's time: it begins at ``start`` and passes ``speed`` days a second. Aware, in UTC."""

    def __init__(self, start: datetime, speed: float, tick: Callable[[], float] = time.monotonic) -> None:
        self._start, self._speed, self._tick, self._began = start, speed, tick, tick()

    def __call__(self) -> datetime:
        """Return what time it is at the shop."""
        return self._start + timedelta(days=self._speed * (self._tick() - self._began))


class Shop:
    """Fernhollow's API on 127.0.0.1: ``/v1/reviews``, ``/v1/tweets``, ``/v1/desk``. A context manager."""

    def __init__(self, written: Mapping[str, list[IncomingMessage]], clock: Callable[[], datetime], token: str) -> None:
        self._written, self.clock, self._token = written, clock, token
        self._times = {name: [message.sent_at for message in found] for name, found in written.items()}
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.shop = self
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def ends(self) -> datetime:
        """When the last message is written."""
        return max(times[-1] for times in self._times.values())

    def now(self) -> datetime:
        """Return the shop's time; it stops a day after the last message: what silence follows nobody can know."""
        return min(self.clock(), self.ends + timedelta(days=1))

    def __enter__(self) -> "Shop":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str, query: Mapping[str, str], authorisation: str) -> tuple[int, dict[str, Any]]:
        """Return status and body of a request for messages; a cursor is the place of the first one of a page."""
        name = path.removeprefix("/v1/")
        if not secrets.compare_digest(authorisation.encode(), f"Bearer {self._token}".encode()):
            return 401, {"error": "unknown token"}
        if name not in self._written:
            return 404, {"error": f"no {path}; there are {', '.join(f'/v1/{known}' for known in self._written)}"}
        times = self._times[name]
        try:
            after = query.get("written_after")
            begin = bisect.bisect_left(times, datetime.fromisoformat(after)) if after else 0
            begin = int(query.get("cursor", begin))
        except (ValueError, TypeError):
            return 400, {"error": "written_after should be an ISO time with an offset, and cursor one that was given"}
        until = bisect.bisect_right(times, self.now())
        end = min(begin + _PAGE, until)
        rows = [_row(name, place, self._written[name][place]) for place in range(begin, end)]
        return 200, {"data": rows, "meta": {"next_cursor": str(end) if end < until else None}}


def _row(source: str, place: int, message: IncomingMessage) -> dict[str, Any]:
    return {
        "id": message.native_id or f"{source}-{place:04d}",
        "customer": message.customer,
        "role": message.role,
        "agent": message.author,
        "thread": message.thread,
        "text": message.text,
        "written_at": message.sent_at.isoformat(),
        "stars": message.rating,
        "product": message.product,
        "department": message.department,
        "followers": message.reach,
    }


class _Server(ThreadingHTTPServer):
    shop: Shop
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        status, body = self.server.shop.answer(address.path, query, self.headers.get("Authorization", ""))
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Tell the shop's time, so that silence counts from there and not from today."""
        return format_datetime(self.server.shop.now(), usegmt=True)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the terminal for what Moodline says."""


def settings_text(url: str) -> str:
    """Return a ``moodline.toml`` with the shop's three sources."""
    blocks = [
        _BLOCK.format(name=name, channel=specs[0].channel, url=url, token=TOKEN) for name, specs in _SOURCES.items()
    ]
    return "\n".join((_MARK, *blocks))


def write_settings(home: Home, url: str) -> None:
    """Write the demo's settings into its home.

    Raises:
        SettingsError: there are settings that the demo did not write.
    """
    path = home.settings_file
    if path.exists() and not path.read_text(encoding="utf-8").startswith(_MARK):
        raise SettingsError(f"{path}: these settings are yours; give the demo a folder of its own with --home")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(settings_text(url), encoding="utf-8")


def play(home: Home, speed: float = 2.0) -> int:
    """Let Fernhollow's months pass at ``speed`` days a second, pulling all the while; return the exit code.

    Raises:
        SettingsError: the home is somebody's own.
    """
    written = messages()
    start = min(found[0].sent_at for found in written.values())
    token = secrets.token_urlsafe(16)
    with Shop(written, Clock(start, speed), token) as shop:
        write_settings(home, shop.url)
        try:
            return _live_on(home, shop, start, {**os.environ, TOKEN: token})
        except KeyboardInterrupt:
            print(f"\nstopped; what came in stays: moodline --home {home.root} customers", flush=True)
            return 0


def _live_on(home: Home, shop: Shop, start: datetime, environment: Mapping[str, str]) -> int:
    """Run the line again and again, which begins with a pull, until the shop's last message is in."""
    customers = CUSTOMERS.format(sample=shlex.quote(str(SAMPLE)))
    code, now = _command(home, customers, environment), start
    while not code and now <= shop.ends:
        now = shop.now()
        print(f"\n— Fernhollow, {min(now, shop.ends).astimezone(UTC):%-d %B %Y} —", flush=True)
        code = _command(home, "run", environment)
    return code or _command(home, "customers --limit 10", environment)


def _command(home: Home, line: str, environment: Mapping[str, str]) -> int:
    """Run a command and return its exit code. Ctrl-C reaches only the demo, which ends the command, and quietly."""
    print(f"$ moodline {line}".replace(f"{REPOSITORY}/", ""), flush=True)
    command = [sys.executable, "-m", "pipeline", "--home", str(home.root), *shlex.split(line)]
    with subprocess.Popen(command, cwd=REPOSITORY, env=dict(environment), start_new_session=True) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.terminate()
            raise
