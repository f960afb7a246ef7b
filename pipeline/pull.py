"""Pulls live sources: each page lands in the transaction that moves its source's cursor, and none waits for another.

A source is pulled by one process at a time (a lock a source); the warehouse is held only while something lands. A
source that fails keeps what had come in, says why and goes on from there the next time.
"""

import re
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Lock
from typing import Any, Final

from pipeline.config import Home, Settings, environment, load_settings, source_tables
from pipeline.errors import MoodlineError, SettingsError, SourceError, StoreError
from pipeline.identity import message_id_for
from pipeline.records import Gone, IncomingMessage, RejectedRecord
from pipeline.redact import Redactor
from pipeline.sources.client import Client, Fetched, Stretch
from pipeline.sources.content import cleaned
from pipeline.sources.drift import Shape, drifts
from pipeline.sources.http import BudgetSpent, Service, TooSoon
from pipeline.sources.registry import client_of, read_sources, service_of
from pipeline.sources.rest import RestClient
from pipeline.sources.secrets import BlockReader, Secrets
from pipeline.sources.settings import SourceSettings
from pipeline.sources.spec import Batch, FileSpec
from pipeline.steps import Landed, Lander, Progress, hide_erased, quiet
from pipeline.store import Warehouse
from pipeline.warehouse_lock import WriterLock

_RECORDS: Final = 5_000
"""Records that land together: opening the warehouse costs more than a small page."""
_SECONDS: Final = 30.0
"""What came in waits no longer than this to land."""
AT_ONCE: Final = 8
"""Sources that are pulled at a time."""
_LOCK_SECONDS: Final = 600.0
_PLACE: Final = re.compile(r"[\w.-]+(?::\d+)?/[\w./{}=-]*")
"""Host and path, as errors of a service begin."""
_FEW_GONE: Final = 5
_MANY_GONE: Final = 0.2
"""A larger share of messages than this does not vanish from a source in one go: that is a fault, not a deletion."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PullReport:
    """How the pull of one source went. ``error`` and ``notes`` are masked."""

    name: str
    kind: str
    state: str
    """``complete``; ``partial`` where the budget was spent; ``failed``."""
    landed: Landed = field(default_factory=Landed)
    requests: int = 0
    newest: datetime | None = None
    error: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """What a person should know of, each with the source's name."""
        return tuple(f"{self.name}: {problem}" for problem in (*self.notes, self.error) if problem)

    def row(self) -> dict[str, Any]:
        """Return the report as plain JSON types."""
        return {
            "name": self.name,
            "kind": self.kind,
            "state": self.state,
            "read": self.landed.read,
            "landed": self.landed.landed,
            "duplicates": self.landed.duplicates,
            "edited": self.landed.edited,
            "erased": self.landed.erased,
            "quarantined": self.landed.quarantined,
            "requests": self.requests,
            "newest": self.newest.isoformat() if self.newest else None,
            "error": self.error,
            "notes": list(self.notes),
        }


def joined(reports: Iterable[PullReport]) -> Landed:
    """Return what several sources brought together, with what a person should know of."""
    total = Landed()
    problems: list[str] = []
    for report in reports:
        total += report.landed
        problems += report.problems
    return replace(total, problems=tuple(problems))


class Entrance:
    """Where what was pulled enters the warehouse. Several sources share it; one lands at a time.

    Args:
        home: Whose warehouse.
        settings: How texts are masked and customers named.
        on_wait: Told, in words, whom landing waits for.
    """

    def __init__(self, home: Home, settings: Settings, on_wait: Tell | None = None) -> None:
        self._home, self._settings, self._on_wait = home, settings, on_wait
        self._redactor = Redactor(names=settings.redact_names)
        self._mutex = Lock()
        self._stopped = Event()

    @contextmanager
    def warehouse(self) -> Iterator[Warehouse]:
        """Open the warehouse for a moment."""
        with self._mutex, Warehouse.open(self._home, on_wait=self._on_wait) as warehouse:
            yield warehouse

    def lander(self, warehouse: Warehouse) -> Lander:
        """Return what lands messages masked and under the customer whose they are."""
        return Lander(warehouse, self._redactor, self._settings.customer_key)

    def hide_erased(self, warehouse: Warehouse) -> None:
        """See :func:`pipeline.steps.hide_erased`."""
        hide_erased(self._home, warehouse)

    def mask(self, text: str) -> str:
        """Return a text without personal data; the address of a service at its beginning stays readable."""
        return _masked(self._redactor, text)

    def stop(self) -> None:
        """End all pulls at their next page or pause."""
        self._stopped.set()

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            SourceError: :meth:`stop` was called.
        """
        if self._stopped.wait(seconds):
            raise SourceError("stopped; the next pull goes on from there")

    @contextmanager
    def turn(self, source: str) -> Iterator[None]:
        """Wait until nobody else pulls this source, so that two together never ask more than one may.

        Raises:
            SourceError: somebody else took too long.
        """
        name = re.sub(r"[^\w.-]", "_", source)
        lock = WriterLock(self._home.root / "pulls" / f"{name}.lock")
        try:
            lock.acquire(_LOCK_SECONDS)
        except StoreError:
            raise SourceError(
                f"{source}: is being pulled by {lock.holder()}, for more than {_LOCK_SECONDS / 60:g} minutes"
            ) from None
        try:
            yield
        finally:
            lock.release()


def _masked(redactor: Redactor, text: str) -> str:
    place, colon, rest = text.partition(": ")
    return f"{place}{colon}{redactor.mask(rest)}" if _PLACE.fullmatch(place) else redactor.mask(text)


def sources_of(home: Home, names: Sequence[str] = ()) -> list[SourceSettings]:
    """Return the home's live sources, or those of the given names.

    Raises:
        SettingsError: the settings are wrong, or there is no source of a name.
    """
    sources = read_sources(source_tables(home), home.settings_file)
    known = {source.name: source for source in sources}
    if unknown := [name for name in names if name not in known]:
        there = ", ".join(known) or "none"
        raise SettingsError(
            f"{home.settings_file}: no [[sources]] is called {unknown[0]!r} (there: {there}); "
            "moodline sources add makes one"
        )
    return [known[name] for name in dict.fromkeys(names)] if names else sources


def pull(
    home: Home,
    sources: Sequence[SourceSettings],
    since: datetime | None = None,
    block: BlockReader | None = None,
    step: Callable[[str], Progress] = lambda name: quiet,
    on_wait: Tell | None = None,
) -> list[PullReport]:
    """Pull sources side by side and return how each went, in their order; one that fails stops no other.

    Args:
        home: Where they land.
        sources: Which.
        since: Read everything changed from then on again (a backfill), instead of what is new.
        block: Reads Prefect Secret blocks.
        step: Told each source's name as it begins; returns where its progress goes.
        on_wait: Told, in words, whom landing waits for.
    """
    entrance = Entrance(home, load_settings(home), on_wait)

    def one(source: SourceSettings) -> PullReport:
        return pull_source(entrance, source, since, block, step(source.name))

    with ThreadPoolExecutor(min(AT_ONCE, max(len(sources), 1))) as pool:
        try:
            return list(pool.map(one, sources))
        except KeyboardInterrupt:
            entrance.stop()
            raise


def pull_source(
    entrance: Entrance,
    source: SourceSettings,
    since: datetime | None = None,
    block: BlockReader | None = None,
    progress: Progress = quiet,
) -> PullReport:
    """Pull one source and note in the warehouse how it went. What is wrong with the source is in the report."""
    secrets = Secrets(source.name, environment(), block)
    try:
        with entrance.turn(source.name):
            return _Pull(entrance, source, secrets, progress).run(since)
    except SourceError as error:
        return PullReport(source.name, source.kind, "failed", error=entrance.mask(secrets.mask(str(error))))


class _Pull:
    """One pull of one source: collects pages, lands them by the thousand, keeps count."""

    def __init__(self, entrance: Entrance, source: SourceSettings, secrets: Secrets, progress: Progress) -> None:
        self._entrance, self._source, self._secrets, self._progress = entrance, source, secrets, progress
        self._client: Client = client_of(source)
        self._waiting: list[Fetched] = []
        self._since_landing = time.monotonic()
        self._seen: set[str] = set()
        self._landed = Landed()
        self._newest: datetime | None = None
        self._notes: list[str] = []

    def run(self, since: datetime | None) -> PullReport:
        with self._entrance.warehouse() as warehouse:
            pull_id = warehouse.start_pull(self._source.name)
            position, shapes = warehouse.position(self._source.name), warehouse.shapes(self._source.name)
        state, error, requests = "complete", None, 0
        try:
            with service_of(self._source, self._secrets, self._entrance.pause) as service:
                try:
                    self._walk(service, position, since)
                finally:
                    requests = service.requests
        except (BudgetSpent, TooSoon) as enough:
            state, self._notes = "partial", [*self._notes, str(enough)]
        except MoodlineError as fault:
            state, error = "failed", self._masked(str(fault))
        except Exception as fault:  # whatever one source comes upon, the others go on
            state, error = "failed", _unforeseen(fault)
        self._notes += drifts(Shape.of(shapes), self._client.shape)
        report = PullReport(
            self._source.name,
            self._source.kind,
            state,
            self._landed,
            requests,
            self._newest,
            error,
            tuple(map(self._masked, self._notes)),
        )
        self._finish(pull_id, report)
        return report

    def _walk(self, service: Service, position: str | None, since: datetime | None) -> None:
        try:
            for fetched in self._client.fetch(service, position, since):
                self._waiting.append(fetched)
                self._entrance.pause(0.0)
                if fetched.complete or self._is_enough():
                    self._land()
        finally:
            self._land()

    def _is_enough(self) -> bool:
        records = sum(len(page.messages) + len(page.rejected) for page in self._waiting)
        return records >= _RECORDS or time.monotonic() - self._since_landing > _SECONDS

    def _land(self) -> None:
        """Land what waits in one transaction, which moves the cursor to where the last page ends."""
        if not self._waiting:
            return
        pages, self._waiting = self._waiting, []
        last = pages[-1]
        name = self._source.name
        if self._client.watches_absence:
            self._seen.update(message_id_for(name, m.native_id) for page in pages for m in page.messages if m.native_id)
        batch = Batch(
            _newest_copies(message for page in pages for message in page.messages),
            [record for page in pages for record in page.rejected],
            last.position,
            gone=[gone for page in pages for gone in page.gone],
            live=True,
        )
        with self._entrance.warehouse() as warehouse:
            gone = self._absent(warehouse, last.reread) if last.reread else []
            batch = replace(batch, gone=[*batch.gone, *gone])
            lander = self._entrance.lander(warehouse)
            self._landed += lander.land(self._client.spec, self._source.kind, batch, heard_until=last.heard_until)
        self._newest = max(filter(None, (self._newest, *(page.newest for page in pages))), default=None)
        self._since_landing = time.monotonic()
        self._progress(self._landed.read, max(page.total for page in pages))

    def _absent(self, warehouse: Warehouse, reread: Stretch) -> list[Gone]:
        """Return the messages that a source no longer shows where it showed them before."""
        missing, there = warehouse.absent(self._source.name, reread.begin, reread.end, self._seen, reread.role)
        if len(missing) > max(_FEW_GONE, _MANY_GONE * there):
            self._notes.append(
                f"{len(missing)} of {there} messages since {reread.begin:%Y-%m-%d %H:%M} UTC are no longer there, more "
                "than people delete; nothing was erased"
            )
            return []
        return [Gone(message_id=name) for name in missing]

    def _finish(self, pull_id: str, report: PullReport) -> None:
        row = report.row()
        counts = {name: row[name] for name in ("requests", "read", "landed", "edited", "erased", "quarantined")}
        with self._entrance.warehouse() as warehouse:
            warehouse.finish_pull(
                pull_id, report.state, report.error, counts, report.newest, self._client.shape.text(), report.notes
            )
            self._entrance.hide_erased(warehouse)

    def _masked(self, text: str) -> str:
        return self._entrance.mask(self._secrets.mask(cleaned(text)))


def _unforeseen(fault: Exception) -> str:
    """Return where our own code failed; what the exception says may quote a record, and is left out."""
    ours = [frame for frame in traceback.extract_tb(fault.__traceback__) if "pipeline" in Path(frame.filename).parts]
    where = f" in {Path(ours[-1].filename).name}, line {ours[-1].lineno}" if ours else ""
    return f"Moodline itself failed ({type(fault).__name__}{where}): please report it; the next pull tries again"


def _newest_copies(messages: Iterable[IncomingMessage]) -> list[IncomingMessage]:
    """Return each message once: pages may repeat one, before and after an edit."""
    newest: dict[str | int, IncomingMessage] = {}
    for number, message in enumerate(messages):
        key = message.native_id if message.native_id is not None else number
        known = newest.get(key)
        if known is None or known.edited_at is None or (message.edited_at and message.edited_at >= known.edited_at):
            newest[key] = message
    return list(newest.values())


def mended(home: Home) -> Callable[[RejectedRecord], tuple[RejectedRecord, FileSpec] | None]:
    """Return what reads a quarantined record of a live source by the settings as they are now; None is of no such one.

    Raises:
        SettingsError: the settings are wrong.
    """
    clients = {source.name: client_of(source) for source in sources_of(home)}

    def mend(rejected: RejectedRecord) -> tuple[RejectedRecord, FileSpec] | None:
        client = clients.get(rejected.source)
        return (client.mended(rejected), client.spec) if isinstance(client, RestClient) else None

    return mend


# --- How sources stand -----------------------------------------------------------------------------------------------


def list_sources(home: Home, now: datetime | None = None) -> list[dict[str, Any]]:
    """Return how each live source of the settings stands, as plain JSON types.

    ``state``: ``new`` (never pulled), ``fresh``, or ``stale`` (its last pull failed, or none was complete for longer
    than its ``stale_after``). ``lag`` is the age of the newest message in seconds; ``today`` and ``usual`` are messages
    of the last 24 hours and of an average day in the four weeks before.
    """
    now = now or datetime.now(UTC)
    sources = sources_of(home)
    with Warehouse.open(home) as warehouse:
        pulls, complete = warehouse.last_pulls(), warehouse.last_complete_pulls()
        figures = warehouse.source_figures()
    rows = []
    for source in sources:
        last, whole, held = pulls.get(source.name), complete.get(source.name), figures.get(source.name)
        newest = held.newest_at if held else None
        stale = last and (last.state == "failed" or whole is None or now - whole > source.stale_after)
        rows.append(
            {
                "name": source.name,
                "kind": source.kind,
                "last_pull": (last.finished_at or last.started_at).isoformat() if last else None,
                "newest_record": newest.isoformat() if newest else None,
                "lag": round((now - newest).total_seconds()) if newest else None,
                "landed": held.messages if held else 0,
                "quarantined": held.quarantined if held else 0,
                "state": "stale" if stale else "fresh" if last else "new",
                "error": last.error if last else None,
                "notes": list(last.notes) if last else [],
                "today": held.last_day if held else 0,
                "usual": round(held.usual_day, 1) if held else 0.0,
            }
        )
    return rows


def try_source(source: SourceSettings, block: BlockReader | None = None, most: int = 3) -> list[dict[str, Any]]:
    """Ask a source for its first page and return a few messages as they would land, masked. Stores nothing.

    Raises:
        SourceError: it cannot be read; the message says why.
        SettingsError: a secret is missing.
    """
    secrets, redactor = Secrets(source.name, environment(), block), Redactor()
    try:
        with service_of(source, secrets) as service:
            page = next(client_of(source).fetch(service, None), None)
    except SourceError as error:
        raise SourceError(_masked(redactor, secrets.mask(str(error)))) from None
    rows: list[dict[str, Any]] = [
        {
            "time": message.sent_at.isoformat(),
            "customer": redactor.mask(message.customer or "") or None,
            "role": message.role,
            "rating": message.rating,
            "text": redactor.mask(message.text),
        }
        for message in (page.messages if page else [])[:most]
    ]
    if page and page.rejected and not rows:
        raise SourceError(f"{source.name}: no record is a message: {redactor.mask(page.rejected[0].reason)}")
    return rows
