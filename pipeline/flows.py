"""The line as a Prefect flow: a handful of fat tasks around ``pipeline/steps.py``. The only module that knows Prefect.

Every task opens the warehouse for itself and closes it again, so that the writer's lock is free between tasks and a
run that overlaps another one waits for a task, not for a run. Texts are masked inside the pull: nothing that Prefect
keeps (parameters, results, logs, artifacts) holds an unmasked text, a customer's name or an alert URL.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, cast

import duckdb
from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.blocks.system import Secret
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.tasks import exponential_backoff

from models.labels import MOODS
from pipeline import steps
from pipeline.alerts import AlertChanges
from pipeline.config import Home, Settings, home_from, load_settings
from pipeline.errors import StoreError
from pipeline.identity_matching import match_exactly
from pipeline.pull import AT_ONCE, Entrance, PullReport, pull_source, sources_of
from pipeline.redact import Redactor
from pipeline.serving import active_classifier
from pipeline.sources.spec import Batch, FileSpec
from pipeline.steps import Landed, Lander, Notified, RunReport
from pipeline.store import Snapshot, Warehouse, snapshot_path
from pipeline.warehouse_database import statement

ALERT_URLS_BLOCK: Final = "moodline-alert-urls"
"""The Prefect Secret block that holds Apprise URLs where ``MOODLINE_ALERT_URLS`` is not set."""
_ROWS_SHOWN: Final = 200
"""Rows of an artifact; its description counts them all."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull brought, source by source. ``problems`` are masked."""

    run_id: str
    sources: dict[str, Landed]
    problems: tuple[str, ...]

    def joined(self, reports: list[PullReport]) -> "Pulled":
        """Return the same with what live sources brought."""
        sources = {**self.sources, **{report.name: report.landed for report in reports}}
        problems = [problem for report in reports for problem in report.problems]
        return replace(self, sources=sources, problems=(*self.problems, *problems))

    @property
    def total(self) -> Landed:
        """All sources together, with the masked problems."""
        return replace(sum(self.sources.values(), Landed()), problems=self.problems)


@dataclass(frozen=True, slots=True)
class Scored:
    """Which release read how many messages, and how many it declined to read."""

    version: str
    messages: steps.ScoreCount


@dataclass(frozen=True, slots=True)
class Standing:
    """What a snapshot shows: how its messages were read, where customers stand, which alerts are open."""

    readings: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Messages by version and mood."""
    stages: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Stage and level by customer."""
    alerts: dict[str, Row] = field(default_factory=dict)
    """Customer, kind and headline by alert, the most urgent first."""

    @classmethod
    def of(cls, home: Home) -> "Standing":
        """Read the home's newest snapshot; without one, nobody stands anywhere."""
        if snapshot_path(home) is None:
            return cls()
        with Snapshot.open(home) as snapshot:
            readings = snapshot.execute(statement("read_mood_counts")).fetchall()
            stages = snapshot.execute(statement("read_stages")).fetchall()
            alerts = snapshot.execute(statement("read_alerts"), {"every": False}).to_arrow_table().to_pylist()
        return cls(
            Counter({(version, mood): messages for version, mood, messages in readings}),
            {customer: (stage, level) for customer, stage, level in stages},
            {row["alert_id"]: {name: row[name] for name in ("customer_id", "kind", "headline")} for row in alerts},
        )


@dataclass(frozen=True, slots=True)
class News:
    """What a newer snapshot shows that an older one did not."""

    moods: dict[str, int] = field(default_factory=dict)
    """New readings of the version that serves, by mood, best first."""
    moved: list[Row] = field(default_factory=list)
    """Customers who stand on another step, the deepest fall first."""
    arrived: int = 0
    """Customers who had no step before."""
    alerts: list[Row] = field(default_factory=list)
    """Alerts opened, the most urgent first."""

    @classmethod
    def between(cls, before: Standing, after: Standing, version: str) -> "News":
        """Compare two snapshots; readings are those of ``version``, which are only ever added to."""
        new = after.readings - before.readings
        both = after.stages.keys() & before.stages.keys()
        moved = [_move(name, before, after) for name in both if before.stages[name][0] != after.stages[name][0]]
        return cls(
            {mood: new[version, mood] for mood in MOODS},
            sorted(moved, key=lambda row: (row["level_change"], row["customer"])),
            len(after.stages) - len(both),
            [row for name, row in after.alerts.items() if name not in before.alerts],
        )


def _move(customer: str, before: Standing, after: Standing) -> Row:
    (was, old), (now, new) = before.stages[customer], after.stages[customer]
    return {"customer": customer, "was": was, "is": now, "level": round(new, 2), "level_change": round(new - old, 2)}


class SourceCounter(Lander):
    """A lander that keeps count of what came in from each source."""

    def __init__(self, warehouse: Warehouse, redactor: Redactor, customer_key: str) -> None:
        super().__init__(warehouse, redactor, customer_key)
        self.sources: dict[str, Landed] = {}

    def land(
        self,
        spec: FileSpec,
        kind: str,
        batch: Batch,
        taken: tuple[str, str] | None = None,
        heard_until: datetime | None = None,
    ) -> Landed:
        """Land one batch and count it."""
        landed = super().land(spec, kind, batch, taken, heard_until)
        self.sources[spec.source] = self.sources.get(spec.source, Landed()) + landed
        return landed


@flow(name="monitor")
def monitor(home: str | None = None) -> dict[str, int | float | str]:
    """Make one pass over the line: pull (and redact), score, track, alert, publish. Running it again changes nothing.

    Leaves artifacts that say what came in, how it was read, who moved and which alerts opened. Returns the counts that
    the run's note in the warehouse keeps.

    Args:
        home: Folder of warehouse, snapshots, inbox and logs. Default: ``MOODLINE_HOME`` where the worker runs, else
            the repository's ``data`` folder.
    """
    place = home_from(Path(home) if home else None)
    load_settings(place)  # a setting that is wrong fails here, where nothing is tried again
    sources = sources_of(place)
    pulled = pull(place)
    if sources:
        pulled = pulled.joined(pull_sources(home))
    show_pulled(pulled)
    scored = score(place)
    tracked = track(place)
    changes, notified = alert(place)
    report, news = publish(place, pulled, scored, tracked, changes, notified)
    show_news(news, scored.version)
    return report.counts()


@task(retries=3, retry_delay_seconds=exponential_backoff(10), retry_jitter_factor=0.5, cache_policy=NO_CACHE)
def pull(home: Home) -> Pulled:
    """Take what waits in the inbox, masked before it is stored. The only task that is tried again."""
    settings = load_settings(home)
    redactor = Redactor(names=settings.redact_names)
    with _opened(home) as warehouse:
        run_id = warehouse.start_run()
        lander = SourceCounter(warehouse, redactor, settings.customer_key)
        landed = steps.take_inbox(home, warehouse, lander, _progress("pull"))
    pulled = Pulled(run_id, lander.sources, tuple(redactor.mask_all(landed.problems)))
    get_run_logger().info("%d new messages, %d new in quarantine", landed.landed, landed.quarantined)
    for problem in pulled.problems:
        get_run_logger().warning("%s", problem)
    return pulled


@flow(name="pull", task_runner=cast("TaskRunner[Any]", ThreadPoolTaskRunner(max_workers=AT_ONCE)))
def pull_sources(
    home: str | None = None, names: list[str] | None = None, since: datetime | None = None
) -> list[PullReport]:
    """Bring in what is new at the live sources, a task each, side by side; one that fails stops no other.

    Leaves an artifact that says what came from where.

    Args:
        home: As in :func:`monitor`.
        names: Sources of ``moodline.toml``. Default: all.
        since: Read everything changed from then on again.
    """
    place = home_from(Path(home) if home else None)
    chosen = [source.name for source in sources_of(place, names or [])]
    waiting = [pull_one.with_options(name=f"pull {name}").submit(place, name, since) for name in chosen]
    reports = [future.result() for future in waiting]
    show_sources(reports)
    return reports


@task(cache_policy=NO_CACHE)
def pull_one(home: Home, name: str, since: datetime | None = None) -> PullReport:
    """Pull one live source. What is wrong with it is in the report; what had come in until then has landed."""
    (source,) = sources_of(home, [name])
    entrance = Entrance(home, load_settings(home), get_run_logger().info)
    report = pull_source(entrance, source, since, secret_block, _progress(name))
    get_run_logger().info("%s: %d new messages, %s", name, report.landed.landed, report.state)
    for problem in report.problems:
        get_run_logger().warning("%s", problem)
    return report


@task(cache_policy=NO_CACHE)
def score(home: Home) -> Scored:
    """Read every customer message that the serving release has not come to yet."""
    classifier = active_classifier(home)
    with _opened(home) as warehouse:
        messages = steps.score(warehouse, classifier, _progress("score"))
    counts = messages.scored, messages.unscored, classifier.version
    get_run_logger().info("%d messages read and %d unreadable for release %s", *counts)
    return Scored(classifier.version, messages)


@task(cache_policy=NO_CACHE)
def track(home: Home) -> int:
    """Make one customer of profiles that are one person, then follow every customer with news; return how many."""
    classifier = active_classifier(home)
    parameters, settings = steps.parameters_for(classifier.release, home), load_settings(home)
    with _opened(home) as warehouse:
        match_exactly(warehouse)
        customers = steps.follow(warehouse, parameters, classifier.version, settings, _progress("track"))
    get_run_logger().info("%d customers tracked", customers)
    return customers


@task(cache_policy=NO_CACHE)
def alert(home: Home) -> tuple[AlertChanges, Notified]:
    """Open and clear alerts and deliver what is due."""
    settings = with_alert_urls(load_settings(home))
    with _opened(home) as warehouse:
        changes = steps.alert(warehouse, settings)
        notified = steps.deliver(home, warehouse, settings)
    counts = len(changes.opened), len(changes.cleared), notified.delivered
    get_run_logger().info("%d alerts opened, %d cleared, %d delivered", *counts)
    for problem in notified.problems:
        get_run_logger().warning("%s", problem)
    return changes, notified


@task(cache_policy=NO_CACHE)
def publish(
    home: Home, pulled: Pulled, scored: Scored, tracked: int, changes: AlertChanges, notified: Notified
) -> tuple[RunReport, News]:
    """Publish the snapshot, note the run as done, and tell what the snapshot shows that the one before did not."""
    with _opened(home) as warehouse:
        last, before = _last(home)
        snapshot = warehouse.publish()
        report = RunReport(
            scored.version,
            pulled.total,
            scored.messages,
            tracked,
            tuple(changes.opened),
            tuple(changes.cleared),
            notified,
            snapshot,
        )
        warehouse.finish_run(pulled.run_id, report.counts())
        after = before if snapshot == last else Standing.of(home)
    get_run_logger().info("snapshot %s", snapshot.name)
    return report, News.between(before, after, scored.version)


def with_alert_urls(settings: Settings) -> Settings:
    """Return the settings with the receivers of the Secret block, if there is one and the environment named none."""
    if settings.alert_urls:
        return settings
    urls = secret_block(ALERT_URLS_BLOCK)
    if urls is None:
        return settings
    return replace(settings, alert_urls=tuple(urls.replace(",", " ").split()))


def secret_block(name: str) -> str | None:
    """Return the value of a Prefect Secret block, a list joined by blanks, or None where there is none."""
    try:
        value = cast("Secret[Any]", Secret.load(name)).get()
    except ValueError:  # Prefect's word for a block that does not exist
        return None
    return " ".join(value) if isinstance(value, list) else str(value)


def show_pulled(pulled: Pulled) -> None:
    """Leave an artifact that says what came in."""
    rows = [
        {
            "source": source,
            "read": landed.read,
            "new messages": landed.landed,
            "known messages": landed.duplicates,
            "new in quarantine": landed.quarantined,
            "known in quarantine": landed.requarantined,
        }
        for source, landed in sorted(pulled.sources.items())
    ]
    came = f"{pulled.total.landed} new messages" if rows else "Nothing new waited in the inbox"
    problems = "".join(f"\n- {problem}" for problem in pulled.problems)
    create_table_artifact(rows, key="moodline-came-in", description=f"{came}.{problems}")


def show_sources(reports: list[PullReport]) -> None:
    """Leave an artifact that says what came from each live source, and which one stands still."""
    rows = [{name: value for name, value in report.row().items() if name != "notes"} for report in reports]
    failed = [report.name for report in reports if report.state == "failed"]
    came = f"{sum(report.landed.landed for report in reports)} new messages from {len(reports)} live sources"
    still = f"; not pulled to the end: {', '.join(failed)}" if failed else ""
    create_table_artifact(rows, key="moodline-pulled", description=f"{came}{still}.")


def show_news(news: News, version: str) -> None:
    """Leave artifacts that say how the new messages were read, who moved and which alerts opened."""
    total = sum(news.moods.values())
    moods = [{"mood": mood, "messages": n, "share": round(n / total, 3)} for mood, n in news.moods.items() if n]
    create_table_artifact(moods, key="moodline-scored", description=f"{total} messages read by release {version}.")
    moved = f"{len(news.moved)} customers changed their step, {news.arrived} are new."
    create_table_artifact(news.moved[:_ROWS_SHOWN], key="moodline-moved", description=moved)
    opened = f"{len(news.alerts)} alerts opened."
    create_table_artifact(news.alerts[:_ROWS_SHOWN], key="moodline-alerts", description=opened)


def _last(home: Home) -> tuple[Path | None, Standing]:
    """Return the newest snapshot and what it shows; one that cannot be read counts as none, to be published anew."""
    try:
        return snapshot_path(home), Standing.of(home)
    except (StoreError, duckdb.Error):
        return None, Standing()


@contextmanager
def _opened(home: Home) -> Iterator[Warehouse]:
    with Warehouse.open(home, on_wait=get_run_logger().info) as warehouse:
        yield warehouse


def _progress(name: str) -> steps.Progress:
    """Return a progress that logs each tenth of the way once."""
    logger, told = get_run_logger(), 0

    def tell(done: int, total: int) -> None:
        nonlocal told
        tenth = 10 * done // total if total else 0
        if tenth > told:
            told = tenth
            logger.info("%s: %d of %d", name, done, total)

    return tell
