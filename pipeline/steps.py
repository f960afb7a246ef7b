"""The steps of the line, each joining a pure stage to the store. Running any of them again changes nothing.

land (pull, redact) → score → track → alert → notify → publish. ``pipeline/flows.py`` wraps the same steps for
Prefect; ``moodline run`` calls them in a row.
"""

import hashlib
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar

import pyarrow as pa
from threadpoolctl import threadpool_limits

from models.classifier import Classifier
from models.release import Release, Releases
from models.screen import unreadable
from pipeline import alerts, customer_import, notify
from pipeline.config import Home, Settings
from pipeline.errors import DeliveryError, SourceError
from pipeline.identity import AliasKind, customer_id_for, message_id_for, name_parts, names_contradict, normalise
from pipeline.identity_matching import match_exactly
from pipeline.mood_model import Parameters
from pipeline.records import (
    Alert,
    CustomerAlias,
    Gone,
    IncomingMessage,
    Message,
    Reading,
    RejectedRecord,
)
from pipeline.redact import Redactor
from pipeline.serving import active_classifier
from pipeline.sources import files, inbox
from pipeline.sources.content import cleaned
from pipeline.sources.rows import MOMENT, ORIGINAL, joined, replay
from pipeline.sources.spec import KNOWN_AS, Batch, FileSpec
from pipeline.store import DueDelivery, GoneMessage, Landing, LandingCount, Warehouse
from pipeline.track import Histories, Tracked, track

Progress = Callable[[int, int], None]
"""Told how much is done, and how much there is in all (0 where that is not known)."""
_EVIDENCE_DAYS: Final = 90
"""The month before a silence that is long enough to be too late."""
_ATTEMPTS: Final = 5
"""Runs that try to deliver an alert before it counts as failed."""
_SCORED_AT_ONCE: Final = 4096
_READ_AT_ONCE: Final = 250_000
"""Customers whose messages are sorted in one go."""
_TRACKED_AT_ONCE: Final = 50_000
"""Messages that are tracked in one go."""
_STORED_AT_ONCE: Final = 500_000
"""Messages whose moods are stored in one transaction: each looks through all moods and points that are there."""
_TRACKERS: Final = 2
"""Threads that track; numpy lets go of the interpreter while it computes."""
_FREE_TEXT: Final = ("text", "title", "raw")
_KEYS: Final = ("id", "thread", "reply_to")
"""Fields that only tell records apart: one that names a person becomes a hash and goes on doing so."""
_PERSONAL: Final = ("<EMAIL>", "<PHONE>", "<USER>", "<URL>", "<IBAN>", "<SSN>", "<IP>")
"""What is masked outside the text, where long numbers are times, ids and ratings."""
_OF_A_PERSON: Final = re.compile(
    "name|mail|phone|mobile|tel|addr|street|city|post_?code|zip|handle|user|author|customer|client|contact|person"
    "|requester|sender|owner|profile|avatar|birth|account|login|location|geo|(?:^|_)(?:ip|lat|lon|lng)(?:$|_)",
    re.IGNORECASE,
)
"""Names of fields that tell of a person: of a bad record such fields are kept only as far as they are mapped."""
Given = TypeVar("Given")
Made = TypeVar("Made")
_Who = tuple[str, str]
"""A source's word for a person, and the person's name or nothing."""
_HALF: Final = re.compile("[\ud800-\udfff]")
_PSEUDONYM: Final = re.compile(r"c_[0-9a-f]{12}")


def quiet(done: int, total: int) -> None:
    """Show no progress."""


@dataclass(frozen=True, slots=True)
class Landed:
    """What came in: records read, messages new and known, bad records new and known, and the first reasons."""

    read: int = 0
    landed: int = 0
    duplicates: int = 0
    quarantined: int = 0
    requarantined: int = 0
    problems: tuple[str, ...] = ()
    edited: int = 0
    erased: int = 0

    def __add__(self, other: "Landed") -> "Landed":
        counts = {
            f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(Landed) if f.name != "problems"
        }
        return Landed(**counts, problems=(*self.problems, *other.problems)[:5])


NOTHING: Final = Landed()
"""Nothing came in."""


class Lander:
    """Takes messages as a source gave them and lands them masked, each under the customer it belongs to.

    Args:
        warehouse: Where they land.
        redactor: Masks every text before it is stored.
        customer_key: Key of the customers' pseudonyms.
    """

    def __init__(self, warehouse: Warehouse, redactor: Redactor, customer_key: str) -> None:
        self._warehouse, self._redactor, self._key = warehouse, redactor, customer_key

    @classmethod
    def of(cls, warehouse: Warehouse, settings: Settings) -> "Lander":
        """Return a lander as the home's settings want it."""
        return cls(warehouse, Redactor(names=settings.redact_names), settings.customer_key)

    def land(
        self,
        spec: FileSpec,
        kind: str,
        batch: Batch,
        taken: tuple[str, str] | None = None,
        heard_until: datetime | None = None,
    ) -> Landed:
        """Land one batch in one transaction.

        ``taken`` says that with it a file of an inbox is in whole; ``heard_until`` up to when the source is complete,
        None being its newest message.
        """
        batch = replace(batch, messages=[_whole(message) for message in batch.messages])
        customers = self._customers(batch, spec)
        known = {alias.customer_id for alias in customers.values()}
        messages = [self._message(message, customers.get(_who(message))) for message in batch.messages]
        rejected = [self._masked(record, customers) for record in batch.rejected]
        aliases = [a for a in customers.values() if a.value not in known]
        aliases += [
            CustomerAlias(customers[_who(message)].customer_id, *normalise(word, kind))
            for message in batch.messages
            if message.customer
            for kind, word in message.known_as
        ]
        count = self._warehouse.land(
            Landing(
                spec.source,
                kind,
                spec.channel,
                options_of(spec),
                messages,
                aliases,
                rejected,
                batch.position or None,  # a replayed record tells nothing of how far its source was read
                taken,
                heard_until,
                batch.live,
                [_gone(gone, spec.source) for gone in batch.gone],
            )
        )
        return _landed(batch, rejected, count)

    def _customers(self, batch: Batch, spec: FileSpec) -> dict[_Who, CustomerAlias]:
        """Return whom each of the source's words means: the profile that goes by it, else a new one.

        Somebody who writes from another one's address under a name of their own is another profile.
        """
        words = dict.fromkeys(_who(message) for message in batch.messages if message.customer)
        words |= {(record.record["customer"], ""): None for record in batch.rejected if record.record.get("customer")}
        aliases = {word: alias_of(word, spec) for word, _ in words}
        known = self._warehouse.resolve_customers(aliases.values())
        found = {word: self._alias(*alias, known.get(alias)) for word, alias in aliases.items()}
        named = {found[word].customer_id for word, name in words if name}
        names = self._warehouse.identities.names(named) if named else {}
        return {who: self._named(found[who[0]], who[1], names) for who in words}

    def _alias(self, kind: AliasKind, value: str, customer: str | None) -> CustomerAlias:
        if kind == "id" and _PSEUDONYM.fullmatch(value):
            return CustomerAlias(value, kind, value)
        return CustomerAlias(customer or customer_id_for(kind, value, self._key), kind, value)

    def _named(self, alias: CustomerAlias, name: str, names: dict[str, list[str]]) -> CustomerAlias:
        if not name or alias.kind == "id":
            return alias
        if names_contradict(names.get(alias.customer_id, ()), [name]):
            same = " ".join(sorted(name_parts(name)))
            return replace(alias, customer_id=customer_id_for("name", f"{alias.value}\0{same}", self._key))
        names.setdefault(alias.customer_id, []).append(name)
        return alias

    def _message(self, incoming: IncomingMessage, person: CustomerAlias | None) -> Message:
        words, lower = (incoming.customer or "", *(word for _, word in incoming.known_as)), incoming.text.lower()
        own = [word for word in words if word and word.lower() in lower]
        return Message(
            message_id_for(
                incoming.source,
                incoming.native_id
                or _key(incoming.customer, incoming.sent_at.isoformat(), incoming.text, incoming.product),
            ),
            incoming.source,
            incoming.channel,
            self._redactor.mask(incoming.text, own),
            incoming.sent_at,
            person.customer_id if person else None,
            incoming.role,
            _metadata("author", incoming.author),
            _metadata("thread", incoming.thread),
            incoming.rating,
            _metadata("product", incoming.product),
            _metadata("department", incoming.department),
            incoming.reach,
            incoming.edited_at,
        )

    def _masked(self, rejected: RejectedRecord, customers: dict[_Who, CustomerAlias]) -> RejectedRecord:
        record = {
            name: self._redactor.mask(value) if name in _FREE_TEXT else _metadata(name, value) or ""
            for name, value in rejected.record.items()
            if name not in {"customer", ORIGINAL, *KNOWN_AS}
        }
        if original := rejected.record.get(ORIGINAL):
            record[ORIGINAL] = json.dumps(_impersonal(json.loads(original), self._redactor), ensure_ascii=False)
        if rejected.record.get("customer"):
            record["customer"] = customers[rejected.record["customer"], ""].customer_id
        reason = self._redactor.mask(rejected.reason)
        return replace(rejected, reason=reason, record={**record, **_key_of(rejected)})


def _impersonal(value: Any, redactor: Redactor) -> Any:  # noqa: ANN401 - any JSON
    """Return JSON without the fields that tell of a person, all its texts masked, and long numbers as texts are."""
    if isinstance(value, dict):
        return {name: _impersonal(v, redactor) for name, v in value.items() if not _OF_A_PERSON.search(name)}
    if isinstance(value, list):
        return [_impersonal(item, redactor) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    masked = redactor.mask(str(value))
    return value if masked == str(value) else masked


def _who(message: IncomingMessage) -> _Who:
    """Return by what a person is known at landing: the source's word, and their name where the source tells it."""
    return message.customer or "", next((word for kind, word in message.known_as if kind == "name"), "")


def _gone(gone: Gone, source: str) -> GoneMessage:
    """Return what is stored of a message or thread that its source has deleted."""
    message_id = message_id_for(source, gone.native_id) if gone.native_id else gone.message_id
    return GoneMessage(message_id, _metadata("thread", gone.thread), gone.changed_at)


def _whole(incoming: IncomingMessage) -> IncomingMessage:
    """Replace half characters, such as JSON has of an emoji cut in two, by question marks: nothing can store them."""
    texts = {f.name: getattr(incoming, f.name) for f in fields(incoming)}
    broken: dict[str, Any] = {
        name: cleaned(text) for name, text in texts.items() if isinstance(text, str) and _HALF.search(text)
    }
    if any(_HALF.search(word) for _, word in incoming.known_as):
        broken["known_as"] = tuple((kind, cleaned(word)) for kind, word in incoming.known_as)
    return replace(incoming, **broken) if broken else incoming


def alias_of(word: str, spec: FileSpec) -> tuple[AliasKind, str]:
    """Return the kind and normal form of a source's name for a person; on tweets a bare word is a handle."""
    kind, value = normalise(word)
    return normalise(word, "handle") if kind == "id" and spec.channel == "tweet" and " " not in value else (kind, value)


@lru_cache(maxsize=65_536)
def _metadata(name: str, value: str | None) -> str | None:
    """Return a field beside the text as it may be stored: numbers and names stay, ways to reach a person do not."""
    if value is None:
        return None
    masked = Redactor().mask(value)  # without people's names, which products and threads seem to be full of
    if not any(placeholder in masked for placeholder in _PERSONAL):
        return value
    return message_id_for(name, value).replace("m_", "x_", 1) if name in _KEYS else masked


def _key(customer: str | None, moment: str, text: str, product: str | None) -> str:
    """Return what a message without an id of its own is known by: a hash of who wrote what about what, and when."""
    parts = (customer or "", moment, text, product or "")
    return f"k_{hashlib.blake2b(chr(0).join(parts).encode(), digest_size=10).hexdigest()}"


def _key_of(rejected: RejectedRecord) -> dict[str, str]:
    """Return the id by which a record lands however it comes back: replayed, or imported again once it is mended.

    Nothing where it has an id of its own, or where its time could not be read.
    """
    record = rejected.record
    if "id" in record or MOMENT not in record:
        return {}
    text = joined(record.get("title", ""), record.get("text", ""))
    return {"id": _key(record.get("customer"), record[MOMENT], text, record.get("product"))}


def _landed(batch: Batch, rejected: Sequence[RejectedRecord], count: LandingCount) -> Landed:
    problems = tuple(f"{r.origin} line {r.line}: {r.reason}" for r in rejected[:5])
    return Landed(
        len(batch.messages) + len(batch.rejected),
        count.landed,
        count.duplicates,
        count.quarantined,
        count.requarantined,
        problems,
        count.edited,
        count.erased,
    )


def import_path(
    path: Path, spec: FileSpec, lander: Lander, progress: Progress = quiet, heard_until: datetime | None = None
) -> Landed:
    """Land a file or folder, batch by batch; what landed before a crash stays and is not landed again.

    ``heard_until`` is when the export was made, where that is later than its newest message: silence counts until then.

    Raises:
        SourceError: nothing could be read at all.
    """
    total = Landed()
    for batch in files.read(path, spec):
        total += lander.land(spec, "file", batch, heard_until=heard_until)
        progress(batch.bytes_read, batch.bytes_total)
    return total


def take_inbox(home: Home, warehouse: Warehouse, lander: Lander, progress: Progress = quiet) -> Landed:
    """Land every file that waits in the inbox, each once; a file that cannot be read goes to quarantine whole."""
    total = Landed()
    for found in list(inbox.waiting(home.inbox, warehouse.is_taken)):
        if isinstance(found, inbox.Unreadable):
            total += Landed(problems=(f"{found.path}: {found.reason}",))
        else:
            total += _take(found, lander, progress)
    return total


def _take(found: inbox.Dropped, lander: Lander, progress: Progress) -> Landed:
    total, taken = Landed(), (found.digest, found.path.name)
    try:
        for batch, is_last in _mark_last(files.read(found.path, found.spec)):
            total += lander.land(found.spec, "folder", batch, taken if is_last else None)
            progress(batch.bytes_read, batch.bytes_total)
    except SourceError as error:
        rejected = RejectedRecord(found.spec.source, found.spec.channel, found.path.name, 0, str(error), {})
        total += lander.land(found.spec, "folder", Batch([], [rejected], f"{found.path.name}:0"), taken)
    return total


def _mark_last(batches: Iterable[Batch]) -> Iterator[tuple[Batch, bool]]:
    held: Batch | None = None
    for batch in batches:
        if held is not None:
            yield held, False
        held = batch
    if held is not None:
        yield held, True


def replay_quarantine(
    warehouse: Warehouse,
    lander: Lander,
    source: str | None = None,
    changes: dict[str, str] | None = None,
    mend: Callable[[RejectedRecord], tuple[RejectedRecord, FileSpec] | None] = lambda rejected: None,
) -> Landed:
    """Try quarantined records again and land those that now pass.

    ``changes`` set options (``time_format``, ``time_zone``) or overwrite fields of every record (``time=…``); ``mend``
    reads a record of a live source as its settings want it now.
    """
    total, changes = Landed(), changes or {}
    for row in warehouse.quarantine_rows(source):
        rejected, now = mend(row.rejected) or (row.rejected, FileSpec(row.rejected.source, row.rejected.channel))
        spec = spec_of(now, changes)
        record = replace(rejected, record={**rejected.record, **_fields_in(changes)})
        result = replay(record, spec)
        if isinstance(result, IncomingMessage):
            total += lander.land(spec, "replay", Batch([result], [], ""))
            warehouse.mark_replayed([row.quarantine_id])
        else:
            total += Landed(1, requarantined=1, problems=(f"{result.origin} line {result.line}: {result.reason}",))
    return total


_OPTIONS: Final = ("time_format", "time_zone")


def _fields_in(changes: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in changes.items() if name not in _OPTIONS}


def spec_of(spec: FileSpec, changes: dict[str, str]) -> FileSpec:
    """Return how to read a quarantined record now; its fields carry their own names."""
    chosen: dict[str, Any] = {name: changes[name] for name in _OPTIONS if name in changes}
    return replace(spec, **chosen)


def options_of(spec: FileSpec) -> dict[str, str]:
    """Return how a source is read, as it is kept beside the source's name."""
    stated = {name: value for name, value in asdict(spec).items() if name not in {"source", "channel"} and value}
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in stated.items()}


def import_customers(rows: Iterable[customer_import.Row], warehouse: Warehouse, customer_key: str) -> int:
    """Store what the company knows of its customers, and every name by which a source may call them.

    ``rows`` map fields of ``customer_import.FIELDS`` to values. Whoever wrote before under one of the addresses is
    matched. Returns how many rows are new or changed.

    Raises:
        SourceError: a row has nothing to know the customer by, or a number or time that is none.
    """
    found = customer_import.records(rows, customer_key)
    changed = warehouse.save_customers(found.customers, found.aliases, found.purchases, found.outcomes)
    match_exactly(warehouse)
    return changed


@dataclass(frozen=True, slots=True)
class ScoreCount:
    """Messages that a release read, and those that it declined to read."""

    scored: int = 0
    unscored: int = 0

    def __add__(self, other: "ScoreCount") -> "ScoreCount":
        return ScoreCount(self.scored + other.scored, self.unscored + other.unscored)


def score(warehouse: Warehouse, classifier: Classifier, progress: Progress = quiet) -> ScoreCount:
    """Read every customer message that this release has not come to yet; note the reason where it should not guess."""
    total, count = warehouse.count_unscored(classifier.version), ScoreCount()
    for chunk in warehouse.unscored_chunks(classifier.version, _SCORED_AT_ONCE):
        count += _score(warehouse, classifier, chunk)
        progress(count.scored + count.unscored, total)
    return count


def _score(warehouse: Warehouse, classifier: Classifier, chunk: Sequence[tuple[str, str]]) -> ScoreCount:
    reasons = {message_id: reason for message_id, text in chunk if (reason := unreadable(text))}
    read = [(message_id, text) for message_id, text in chunk if message_id not in reasons]
    scores = classifier.score([text for _, text in read])
    warehouse.add_readings(
        [
            Reading(message_id, classifier.version, **{f.name: getattr(s, f.name) for f in fields(s)})
            for (message_id, _), s in zip(read, scores, strict=True)
        ]
    )
    warehouse.add_abstentions(classifier.version, reasons)
    return ScoreCount(len(read), len(reasons))


def follow(
    warehouse: Warehouse, parameters: Parameters, version: str, settings: Settings, progress: Progress = quiet
) -> int:
    """Track every customer with news whose messages are all read; return how many."""
    digest = f"{parameters.digest()} {settings.default_value:g}"
    news = warehouse.news(version, digest)
    done = 0

    def tracked(tables: tuple[pa.Table, pa.Table]) -> Tracked:
        return track(Histories.from_arrow(*tables), parameters, version, settings.default_value)

    with threadpool_limits(1, "blas"):
        for moods, points, ledger in _together(_ahead(tracked, _histories(warehouse, news, version))):
            warehouse.replace_moods(moods, points, ledger, digest)
            done += len(moods)
            progress(done, len(news))
    if done < len(news):  # the others wait for a message to be read, or have none
        warehouse.forget_nobodies()
        progress(done, done)
    return done


def _histories(warehouse: Warehouse, customers: pa.ChunkedArray, version: str) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Yield messages with their readings, and events, of some customers at a time."""
    for start in range(0, len(customers), _READ_AT_ONCE):
        chosen = customers.slice(start, _READ_AT_ONCE)
        for table in warehouse.histories_in_parts(chosen, version, _TRACKED_AT_ONCE):
            yield table, warehouse.events(pa.chunked_array([table["customer_id"].unique()]))


def _together(parts: Iterable[Tracked]) -> Iterator[tuple[pa.Table, pa.Table, pa.Table]]:
    """Yield moods, points and ledgers of parts joined to ``_STORED_AT_ONCE`` points."""
    waiting: list[Tracked] = []
    for part in parts:
        waiting.append(part)
        if sum(len(one.point_table) for one in waiting) >= _STORED_AT_ONCE:
            yield _joined(waiting)
            waiting = []
    if waiting:
        yield _joined(waiting)


def _joined(parts: list[Tracked]) -> tuple[pa.Table, pa.Table, pa.Table]:
    tables = zip(*((one.mood_table, one.point_table, one.ledger_table) for one in parts), strict=True)
    moods, points, ledger = map(pa.concat_tables, tables)
    return moods, points, ledger


def _ahead(work: Callable[[Given], Made], parts: Iterable[Given]) -> Iterator[Made]:
    """Yield ``work`` of each part in order, done in threads while the ones before are stored."""
    with ThreadPoolExecutor(_TRACKERS) as pool:
        waiting: deque[Future[Made]] = deque()
        for part in parts:
            waiting.append(pool.submit(work, part))
            if len(waiting) > _TRACKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def replay_moods(warehouse: Warehouse, home: Home, settings: Settings, progress: Progress = quiet) -> int:
    """Track again whoever a merge, split or erasure touched, by the readings that are shown now; return how many.

    Those with a message that is not read yet wait for the next run.
    """
    if warehouse.version is None:
        return 0
    release = Release.read(Releases(home.releases).find(warehouse.version))
    return follow(warehouse, parameters_for(release, home), release.version, settings, progress)


def parameters_for(release: Release, home: Home) -> Parameters:
    """Return the mood model that serves in this home, with the mood prior of the release whose readings it takes."""
    return Parameters.serving(home.mood_model).with_prior(tuple(release.mood_prior))


def alert(warehouse: Warehouse, settings: Settings) -> alerts.AlertChanges:
    """Open and clear alerts by where customers stand now; what is owed to receivers goes to the outbox with them."""
    now = warehouse.newest_clock()
    if now is None:
        return alerts.AlertChanges()
    rules = alerts.AlertRules.of(settings)
    moods = warehouse.live_moods(now - timedelta(days=rules.clock_days))
    effects = warehouse.effects(alerts.needing_evidence(moods, rules, now), _EVIDENCE_DAYS)
    evidence = [alerts.Evidence.of(effect.point, effect.text, effect.entries, effect.reach) for effect in effects]
    found = alerts.find(moods, evidence, warehouse.open_alerts(), rules, now)
    targets = [notify.receiver(url) for url in settings.alert_urls]
    due = [(opened.alert_id, target) for opened in found.opened for target in targets]
    warehouse.save_alerts(found.opened, found.cleared, due)
    return found


def hide_erased(home: Home, warehouse: Warehouse) -> None:
    """Take texts that were erased since the last run out of the log of alerts and of every snapshot."""
    notify.follow_erasures(home.alerts_log, warehouse.alerts())
    if warehouse.shows_erased():
        warehouse.publish()


@dataclass(frozen=True, slots=True)
class Notified:
    """What left the house: alerts written to the log, delivered, and the problems with those that were not."""

    logged: int = 0
    delivered: int = 0
    problems: tuple[str, ...] = ()


def deliver(home: Home, warehouse: Warehouse, settings: Settings) -> Notified:
    """Append new alerts to the home's log and send what the outbox owes, each once as its receiver sees it.

    A delivery is marked before it is sent: a crash in between leaves it unconfirmed, and it is never sent again.
    """
    every = warehouse.alerts()
    notify.follow_erasures(home.alerts_log, every)
    logged = notify.append_log(home.alerts_log, every)
    urls = {notify.receiver(url): url for url in settings.alert_urls}
    due = [delivery for delivery in warehouse.due_deliveries() if delivery.target in urls]
    names = warehouse.names([delivery.alert.customer_id for delivery in due])
    problems = [_deliver(warehouse, delivery, urls[delivery.target], names) for delivery in due]
    failed = tuple(problem for problem in problems if problem)
    return Notified(logged, len(due) - len(failed), failed)


def _deliver(warehouse: Warehouse, due: DueDelivery, url: str, names: dict[str, str]) -> str | None:
    alert_id, target = due.alert.alert_id, due.target
    warehouse.mark_delivery(alert_id, target, "sending")
    try:
        notify.deliver(url, due.alert, names.get(due.alert.customer_id))
    except notify.UnconfirmedDelivery as error:
        warehouse.mark_delivery(alert_id, target, "unconfirmed", str(error))
        return str(error)
    except DeliveryError as error:
        again = due.attempts + 1 < _ATTEMPTS
        warehouse.mark_delivery(alert_id, target, "due" if again else "failed", str(error))
        return str(error)
    warehouse.mark_delivery(alert_id, target, "sent")
    return None


@dataclass(frozen=True, slots=True)
class RunReport:
    """What one pass over the line did."""

    version: str
    pulled: Landed
    read: ScoreCount
    tracked: int
    opened: tuple[Alert, ...]
    cleared: tuple[Alert, ...]
    notified: Notified
    snapshot: Path

    def counts(self) -> dict[str, int | float | str]:
        """Return the figures that the run's note in the warehouse keeps."""
        return {
            "version": self.version,
            "landed": self.pulled.landed,
            "quarantined": self.pulled.quarantined,
            "scored": self.read.scored,
            "unscored": self.read.unscored,
            "tracked": self.tracked,
            "opened": len(self.opened),
            "cleared": len(self.cleared),
            "delivered": self.notified.delivered,
        }


def run(
    home: Home, warehouse: Warehouse, settings: Settings, step: Callable[[str], Progress], pulled: Landed = NOTHING
) -> RunReport:
    """Make one pass: take the inbox, redact, score, track, alert, notify, publish.

    ``step`` is told the name of each step as it begins and returns where its progress goes; ``pulled`` is what live
    sources brought just before, which the report counts too.
    """
    run_id = warehouse.start_run()
    taken = take_inbox(home, warehouse, Lander.of(warehouse, settings), step("pull"))
    pulled = replace(taken + pulled, problems=(*taken.problems, *pulled.problems))
    match_exactly(warehouse)
    classifier = active_classifier(home)
    read = score(warehouse, classifier, step("score"))
    parameters = parameters_for(classifier.release, home)
    tracked = follow(warehouse, parameters, classifier.version, settings, step("track"))
    step("alert")
    changes = alert(warehouse, settings)
    notified = deliver(home, warehouse, settings)
    step("publish")
    snapshot = warehouse.publish()
    report = RunReport(classifier.version, pulled, read, tracked, changes.opened, changes.cleared, notified, snapshot)
    warehouse.finish_run(run_id, report.counts())
    return report
