"""The store: one warehouse that one process writes, and snapshots that many read.

Every call that changes something is one transaction, and calling it again with the same arguments changes nothing.
What a snapshot shows has a revision, which grows exactly when that changes; see ``pipeline/snapshot.py`` for reading.
"""

import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import warehouse_news
from pipeline import warehouse_rows as rows
from pipeline.config import Home
from pipeline.errors import StoreError
from pipeline.records import (
    Alert,
    Customer,
    CustomerAlias,
    CustomerMood,
    LedgerEntry,
    MoodPoint,
    Outcome,
    Purchase,
    Reading,
    Role,
)
from pipeline.snapshot import Snapshot, snapshot_path
from pipeline.warehouse_database import Database, now, rewrite
from pipeline.warehouse_identity import IdentityStore
from pipeline.warehouse_lock import WriterLock
from pipeline.warehouse_publish import publish, snapshots_before_erasure
from pipeline.warehouse_records import (
    DeliveryState,
    DueDelivery,
    GoneMessage,
    Label,
    LabelledMessage,
    Landing,
    LandingCount,
    MessageEffect,
    PullNote,
    QuarantinedRecord,
    SourceFigures,
)

__all__ = [
    "DeliveryState",
    "DueDelivery",
    "GoneMessage",
    "Label",
    "LabelledMessage",
    "Landing",
    "LandingCount",
    "MessageEffect",
    "PullNote",
    "QuarantinedRecord",
    "Snapshot",
    "SourceFigures",
    "Warehouse",
    "snapshot_path",
]


_ABSTENTION = ("message_id", "version", "reason")


class Warehouse:
    """The warehouse of one home, open for writing. Use it as a context manager; closing it gives the lock back."""

    def __init__(self, database: Database, home: Home | None = None, lock: WriterLock | None = None) -> None:
        self._database = database
        self._home = home
        self._lock = lock

    @classmethod
    def open(
        cls, home: Home, *, wait_seconds: float = 600, on_wait: Callable[[str], None] | None = None
    ) -> "Warehouse":
        """Take the home's writer lock, open its warehouse and bring its tables up to date. Creates what is missing.

        Args:
            home: Where the warehouse lies.
            wait_seconds: How long to wait for another process that is writing.
            on_wait: Told once, in words, who is being waited for.

        Raises:
            StoreError: the lock was not free in time, or the file cannot be opened or is of a newer Moodline.
        """
        lock = WriterLock(home.lock)
        lock.acquire(wait_seconds, on_wait)
        try:
            return cls(Database.open(home.warehouse), home, lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def in_memory(cls) -> "Warehouse":
        """Open an empty warehouse that is gone when it is closed; it cannot publish."""
        return cls(Database.open(None))

    def close(self) -> None:
        """Close the warehouse, then give the lock back."""
        try:
            self._database.close()
        finally:
            if self._lock is not None:
                self._lock.release()

    def __enter__(self) -> "Warehouse":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def identities(self) -> IdentityStore:
        """Who is who: aliases that people share, decisions, suggestions."""
        return IdentityStore(self._database)

    @property
    def revision(self) -> int:
        """How often what a snapshot shows has changed."""
        return int(self._revision()[0])

    @property
    def version(self) -> str | None:
        """The classifier's version whose readings a snapshot shows; None before any was used."""
        version: str | None = self._revision()[2]
        return version

    def use_version(self, version: str) -> None:
        """Show the readings of this version of the classifier from now on.

        :meth:`replace_moods` does so too, and :meth:`add_readings` when no version was shown yet.
        """
        with self._database.transaction():
            self._bump(self._database.change("set_version", {"version": version}))

    # --- landing -----------------------------------------------------------------------------------------------

    def land(self, batch: Landing) -> LandingCount:
        """Store a batch whole: messages, new customers and aliases, bad records, the source's cursor, a taken file.

        A message or bad record that is known already is left as it was; only a live source's edits and deletions
        change messages, and take their readings away.
        """
        messages = rows.message_table(batch.messages)
        aliases = rows.alias_table(batch.aliases)
        bad = rows.quarantine_table(batch.quarantined)
        gone = rows.gone_table(batch.gone)
        tables = {
            "incoming_message": messages,
            "incoming_alias": aliases,
            "incoming_quarantine": bad,
            "incoming_gone": gone,
        }
        with self._database.transaction(**tables):
            changes = self._save_source(batch)
            edited = self._follow_edits() if batch.live else 0
            landed = warehouse_news.change(self._database, "land_messages", "messages", {"now": now()})
            changes += landed + self._database.change("add_customers_heard") + self._database.change("add_aliases")
            quarantined = self._database.change("add_quarantine", {"now": now()})
            erased = self._follow_deletions(batch) if batch.gone else 0
            self._advance(batch)
            self._bump(changes + quarantined + edited + erased)
            if erased:
                self._database.run("note_erasure")
        known = len(batch.messages) - landed - edited
        return LandingCount(landed, known, quarantined, len(batch.quarantined) - quarantined, edited, erased)

    def position(self, source: str) -> str | None:
        """Return how far a source has been read, in the source's own terms; None at its beginning."""
        row = self._database.row("find_position", {"source": source})
        return row[0] if row else None

    def is_taken(self, source: str, digest: str) -> bool:
        """Tell whether a file with this content has landed whole from this source."""
        return self._database.row("find_taken_file", {"source": source, "digest": digest}) is not None

    def absent(
        self, source: str, begin: datetime, end: datetime, seen: Iterable[str], role: Role | None = None
    ) -> tuple[list[str], int]:
        """Return the source's messages sent between two times that are not among ``seen``, and how many were sent.

        ``role`` leaves out what others than these have written.
        """
        present = rows.text_table(("message_id",), ((name,) for name in seen))
        values = {"source": source, "begin": rows.stored(begin), "end": rows.stored(end), "role": role}
        with self._database.incoming(incoming_seen=present):
            found = self._database.rows("find_absent", values)
        return [name for name, is_seen in found if not is_seen], len(found)

    def _follow_edits(self) -> int:
        self._database.run("stage_edits")
        self._database.run("delete_edited_readings")
        self._database.run("delete_edited_abstentions")
        return warehouse_news.change(self._database, "edit_messages", "messages")

    def _follow_deletions(self, batch: Landing) -> int:
        self._database.run("stage_erasures", {"source": batch.source})
        self._database.run("delete_erased_readings")
        self._database.run("delete_erased_abstentions")
        self._database.run("erase_quotes")
        return warehouse_news.change(self._database, "erase_messages", "messages", {"why": "gone"})

    def _save_source(self, batch: Landing) -> int:
        known = self._database.row("find_source", {"source": batch.source})
        heard = [rows.stored(message.sent_at) for message in batch.messages]
        if batch.heard_until is not None:
            heard.append(rows.stored(batch.heard_until))
        if known and known[3] is not None:
            heard.append(known[3])
        options = json.dumps(dict(batch.options), sort_keys=True)
        fresh = (batch.kind, batch.channel, options, max(heard, default=None))
        if fresh == known:
            return 0
        names = ("kind", "channel", "options", "heard_until")
        self._database.run(
            "save_source", {"source": batch.source, "now": now(), **dict(zip(names, fresh, strict=True))}
        )
        return int(known is None or (known[1], known[3]) != (fresh[1], fresh[3]))

    def _advance(self, batch: Landing) -> None:
        if batch.position is not None:
            values = {"source": batch.source, "position": batch.position, "now": now()}
            self._database.run("move_cursor", values)
        if batch.taken is not None:
            digest, name = batch.taken
            values = {"source": batch.source, "digest": digest, "name": name, "now": now()}
            self._database.run("add_taken_file", values)

    # --- pulls of live sources ---------------------------------------------------------------------------------

    def start_pull(self, source: str) -> str:
        """Note that a pull of a source begins and return its id. Notes of pulls are no change of the warehouse."""
        pull_id = f"p_{uuid.uuid4().hex[:12]}"
        self._database.run("start_pull", {"pull_id": pull_id, "source": source, "now": now()})
        return pull_id

    def finish_pull(
        self,
        pull_id: str,
        state: str,
        error: str | None,
        counts: Mapping[str, int],
        newest: datetime | None,
        shape: str,
        notes: Sequence[str],
    ) -> None:
        """Note how a pull went. ``counts``: requests, read, landed, edited, erased, quarantined."""
        values = {"pull_id": pull_id, "state": state, "error": error, "newest": newest and rows.stored(newest)}
        more = {"shape": shape, "notes": list(notes), "now": now()}
        self._database.run("finish_pull", {**values, **more, **counts})

    def shapes(self, source: str) -> list[str]:
        """Return how the records of a source's last pulls looked, as JSON."""
        return [shape for (shape,) in self._database.rows("find_shapes", {"source": source})]

    def last_pulls(self) -> dict[str, PullNote]:
        """Return each source's last pull."""
        return {note.source: note for note in map(rows.pull_of, self._database.rows("find_last_pulls"))}

    def last_complete_pulls(self) -> dict[str, datetime]:
        """Return when each source was last pulled to its end (UTC)."""
        return {source: rows.aware(at) for source, at in self._database.rows("find_complete_pulls")}

    def source_figures(self) -> dict[str, SourceFigures]:
        """Return what is stored of each source."""
        found = self._database.rows("count_sources", {"now": now()})
        return {
            source: SourceFigures(messages, bad, newest and rows.aware(newest), day, usual)
            for source, messages, bad, newest, day, usual in found
        }

    def stored_messages(self, source: str | None, size: int = 4096) -> Iterator[dict[str, Any]]:
        """Yield the stored messages (masked), of one source or of all, in the order of source, time and id."""
        with closing(self._database.stream("list_messages", {"source": source})) as result:
            columns = [column[0] for column in result.description]
            while chunk := result.fetchmany(size):
                for row in chunk:
                    yield dict(zip(columns, row, strict=True))

    # --- customers ---------------------------------------------------------------------------------------------

    def resolve_customers(self, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Return the profile of each known (kind, value), both normalised.

        The unknown are left out, and those by which several profiles go.
        """
        wanted = rows.text_table(("kind", "value"), dict.fromkeys(names))
        with self._database.incoming(incoming_name=wanted):
            return {(kind, value): customer for kind, value, customer in self._database.rows("find_customers")}

    def save_customers(
        self,
        customers: Iterable[Customer],
        aliases: Iterable[CustomerAlias] = (),
        purchases: Iterable[Purchase] = (),
        outcomes: Iterable[Outcome] = (),
    ) -> int:
        """Store what the company knows of customers and return how many rows are new or changed.

        A field that is None keeps what was known.
        """
        tables = {
            "incoming_customer": rows.customer_table(customers),
            "incoming_alias": rows.alias_table(aliases),
            "incoming_message": rows.message_table(()),
            "incoming_purchase": rows.purchase_table(purchases),
            "incoming_outcome": rows.outcome_table(outcomes),
        }
        with self._database.transaction(**tables):
            self._database.run("add_news_of_value")
            known = ("save_customers", "add_customers_heard", "add_aliases")
            changes = sum(self._database.change(name) for name in known)
            happened = ("save_purchases", "save_outcomes")
            changes += sum(warehouse_news.change(self._database, name, "events") for name in happened)
            self._bump(changes)
        return changes

    # --- readings ----------------------------------------------------------------------------------------------

    def unscored(self, version: str, limit: int | None = None) -> list[tuple[str, str]]:
        """Return (message_id, text) of customers' messages that a version has not come to, in the order of ids."""
        return self._database.rows("find_unscored", {"version": version, "most": limit})

    def count_unscored(self, version: str) -> int:
        """Return how many messages :meth:`unscored` gives."""
        row = self._database.row("count_unscored", {"version": version})
        return int(row[0]) if row else 0

    def unscored_chunks(self, version: str, size: int = 4096) -> Iterator[list[tuple[str, str]]]:
        """Yield what :meth:`unscored` returns in lists of at most ``size``; readings may be added meanwhile."""
        result = self._database.stream("find_unscored", {"version": version, "most": None})
        try:
            while chunk := result.fetchmany(size):
                yield chunk
        finally:
            result.close()

    def add_readings(self, readings: Sequence[Reading]) -> int:
        """Append readings and return how many are new; a known (message, version) keeps its first reading."""
        if not readings:
            return 0
        with self._database.transaction(incoming_reading=rows.reading_table(readings)):
            added = self._database.change("add_readings")
            if added and self.version is None:
                self._database.run("set_version", {"version": readings[0].version})
            self._bump(added)
        return added

    def add_abstentions(self, version: str, reasons: Mapping[str, str]) -> int:
        """Note why a version does not read messages (reason by message_id) and return how many notes are new.

        Such messages count as done for this version, and as unscored for the next.
        """
        if not reasons:
            return 0
        noted = rows.text_table(_ABSTENTION, ((message, version, reason) for message, reason in reasons.items()))
        with self._database.transaction(incoming_abstention=noted):
            added = self._database.change("add_abstentions")
            if added and self.version is None:
                self._database.run("set_version", {"version": version})
            self._bump(added)
        return added

    # --- tracking ----------------------------------------------------------------------------------------------

    def news(self, version: str, parameters_digest: str) -> pa.ChunkedArray:
        """Return the ids of all whose newest mood may not follow from what is stored now, sorted.

        That is: messages, events, worth or days of silence came since, or it is of another version or parameters.
        """
        return warehouse_news.find_news(self._database, version, parameters_digest)

    def customers_to_track(self, version: str, parameters_digest: str) -> list[str]:
        """Return the ids of :meth:`news` without those whom :meth:`histories_in_parts` leaves out."""
        parts = self.histories_in_parts(self.news(version, parameters_digest), version, 100_000)
        return [customer for part in parts for customer in part["customer_id"].unique().to_pylist()]

    def doubt_moods(self) -> None:
        """Make everybody news, so that the next run tracks all from their messages; it changes only what was wrong."""
        with self._database.transaction():
            self._database.run("add_news_of_all")

    def forget_nobodies(self) -> None:
        """Take those who are left without a message off the news, and whatever is left of their moods."""
        with self._database.transaction():
            self._database.run("stage_nobodies")
            gone = self._database.change("delete_moods")
            for name in ("points", "ledger", "news"):
                self._database.run(f"delete_{name}")
            self._bump(gone)

    def histories(self, customer_ids: Iterable[str], version: str) -> pa.Table:
        """Return what customers wrote and how a version reads it, sorted by customer, time and message.

        Columns: customer_id, message_id, source, channel, thread_id, sent_at, rating, mood (5), leaving, intent_labels,
        disservice_labels, disservice_chances, as_of, value, unread; and intents (15) and disservices (14), whole.
        Times are timestamps in UTC without a zone. Only the customer's own messages; one without text has nulls for
        its reading. ``as_of`` is until when the customer's sources were heard, ``value`` null where unknown;
        ``unread`` says that the version has yet to come to the message.
        """
        with self._database.incoming(incoming_chosen=rows.chosen_table(customer_ids)):
            table = self._database.run("find_histories", {"version": version}).to_arrow_table()
        with self._database.incoming(incoming_message=table.select(["message_id"])):
            vectors = self._database.run("find_vectors", {"version": version}).to_arrow_table()
        places = pc.index_in(table["message_id"], vectors["message_id"].combine_chunks())
        for name in ("intents", "disservices"):
            table = table.append_column(name, vectors[name].take(places))
        return table

    def events(self, customer_ids: Iterable[str] | pa.ChunkedArray) -> pa.Table:
        """Return what else happened to customers, sorted by customer and time: columns customer_id, kind, happened_at.

        Kinds are those of ``pipeline.mood_model.EVENTS``: purchases, refunds, and the outcomes of the company's own
        records. All of them, also those after the customer's ``as_of``.
        """
        with self._database.incoming(incoming_chosen=rows.chosen_table(customer_ids)):
            return self._database.run("find_events").to_arrow_table()

    def histories_in_parts(
        self, customer_ids: Iterable[str] | pa.ChunkedArray, version: str, rows_at_once: int
    ) -> Iterator[pa.Table]:
        """Yield what tracking takes of :meth:`histories`, customers whole, in tables of about ``rows_at_once`` rows.

        That is all but ``intents`` and ``disservices``, which are most of what a reading holds. Customers with a
        message that the version has neither read nor declined are left out, so that a line never mixes versions. The
        warehouse is read once, however many parts there are; moods may be replaced meanwhile.
        """
        chosen = {"incoming_chosen": rows.chosen_table(customer_ids)}
        with closing(self._database.stream("find_histories", {"version": version}, **chosen)) as result:
            rest: pa.Table | None = None
            for batch in result.to_arrow_reader(rows_at_once):
                table = pa.Table.from_batches([batch])
                table = pa.concat_tables([rest, table]) if rest is not None else table
                cut = pc.index(table["customer_id"], table["customer_id"][-1]).as_py()
                if cut:
                    yield from _read_whole(table.slice(0, cut))
                rest = table.slice(cut)
            if rest is not None:
                yield from _read_whole(rest)

    def replace_moods(
        self,
        moods: Sequence[CustomerMood] | pa.Table,
        points: Sequence[MoodPoint] | pa.Table,
        ledger: Sequence[LedgerEntry] | pa.Table,
        parameters_digest: str,
    ) -> bool:
        """Store customers' moods with their whole lines in place of what they had; tell whether anything changed.

        Records, or tables in the warehouse's columns as ``pipeline.track`` gives them. They are news no longer: what
        is given must follow from all that is stored now.

        Raises:
            StoreError: a point or entry belongs to none of the customers, or the moods are of several versions.
        """
        if not len(moods):
            return False
        mood_table, point_table, ledger_table = (
            rows.mood_table(moods),
            rows.point_table(points),
            rows.ledger_table(ledger),
        )
        version = _check_line(mood_table, point_table, ledger_table)
        tables = {
            "incoming_mood": mood_table,
            "incoming_point": point_table,
            "incoming_ledger": ledger_table,
        }
        with self._database.transaction(**tables):
            self._database.run("stage_moods", {"parameters": parameters_digest})
            known = bool(self._row("count_staged_known")[0])
            changed = not known or any(bool(self._row(f"compare_{name}")[0]) for name in ("levels", "moods", "lines"))
            for name in ("moods", "points", "ledger") if changed else ():
                if known:
                    self._database.run(f"delete_{name}")
                self._database.run(f"add_{name}")
            self._database.run("delete_news")
            switched = self._database.change("set_version", {"version": version})
            self._bump(changed + switched)
        return changed

    # --- alerts ------------------------------------------------------------------------------------------------

    def newest_clock(self) -> datetime | None:
        """Return the latest time until which any tracked customer's sources were heard; None when nobody is tracked."""
        clock = self._row("find_newest_clock")[0]
        return rows.aware(clock) if clock else None

    def live_moods(self, since: datetime) -> list[CustomerMood]:
        """Return where customers stand whose sources were heard until ``since`` or later, in the order of ids."""
        found = self._database.rows("find_live_moods", {"since": rows.stored(since)})
        return [rows.mood_of(row) for row in found]

    def effects(self, customer_ids: Iterable[str], days: int) -> list[MessageEffect]:
        """Return what the messages of some customers did in the last ``days`` days of their lines."""
        with self._database.incoming(incoming_chosen=rows.chosen_table(customer_ids)):
            return [rows.effect_of(row) for row in self._database.rows("find_effects", {"days": days})]

    def names(self, customer_ids: Iterable[str]) -> dict[str, str]:
        """Return how each of some customers is called on screen; those without an alias are left out."""
        with self._database.incoming(incoming_chosen=rows.chosen_table(customer_ids)):
            return dict(self._database.rows("find_names"))

    def alerts(self) -> list[Alert]:
        """Return every alert ever opened, oldest first."""
        return [rows.alert_of(row) for row in self._database.rows("find_alerts")]

    def open_alerts(self) -> list[Alert]:
        """Return the alerts that have not cleared, the most urgent first."""
        return [rows.alert_of(row) for row in self._database.rows("find_open_alerts")]

    def save_alerts(
        self,
        opened: Sequence[Alert],
        cleared: Sequence[Alert] = (),
        deliveries_due: Iterable[tuple[str, str]] = (),
    ) -> int:
        """Clear alerts (by their ``cleared_at``), open new ones and put (alert_id, target) deliveries in the outbox.

        A second open alert of one customer and kind is not opened, and nothing is owed for it. ``target`` names a
        receiver without its secrets. Returns how many alerts were cleared or opened.
        """
        tables = {
            "incoming_cleared": rows.alert_table(cleared),
            "incoming_alert": rows.alert_table(opened),
            "incoming_delivery": rows.text_table(("alert_id", "target"), dict.fromkeys(deliveries_due)),
        }
        with self._database.transaction(**tables):
            changes = self._database.change("clear_alerts") + self._database.change("open_alerts")
            self._database.run("add_deliveries", {"now": now()})
            self._bump(changes)
        return changes

    def due_deliveries(self) -> list[DueDelivery]:
        """Return what is to be sent, the most urgent first.

        What a run that died was just sending becomes ``unconfirmed`` before, and is never sent again.
        """
        self._database.run("settle_deliveries", {"now": now()})
        return [rows.due_delivery_of(row) for row in self._database.rows("find_due_deliveries")]

    def mark_delivery(self, alert_id: str, target: str, state: DeliveryState, detail: str | None = None) -> None:
        """Set how a delivery stands; ``sending`` counts as an attempt, ``due`` puts it off to the next run.

        Raises:
            StoreError: there is no such delivery.
        """
        values = {"alert_id": alert_id, "target": target, "state": state, "detail": detail, "now": now()}
        if not self._database.change("mark_delivery", values):
            raise StoreError(f"no delivery of alert {alert_id} to {target}; save_alerts must name it as due first")

    # --- quarantine --------------------------------------------------------------------------------------------

    def quarantine_rows(self, source: str | None = None, *, replayed: bool = False) -> list[QuarantinedRecord]:
        """Return quarantined records in the order of source, origin and line; with those ``replayed`` if asked."""
        found = self._database.rows("find_quarantine", {"source": source, "replayed": replayed})
        return [rows.quarantined_of(row) for row in found]

    def mark_replayed(self, quarantine_ids: Iterable[str]) -> int:
        """Note that records came in after all and return how many had not been noted."""
        replayed = rows.text_table(("quarantine_id",), ((name,) for name in quarantine_ids))
        with self._database.transaction(incoming_replayed=replayed):
            marked = self._database.change("mark_replayed", {"now": now()})
            self._bump(marked)
        return marked

    # --- labels ------------------------------------------------------------------------------------------------

    def add_labels(self, labels: Iterable[Label]) -> int:
        """Append people's labels and return how many are new.

        Raises:
            StoreError: a label is of a message that is not stored; none is added then.
        """
        with self._database.transaction(incoming_label=rows.label_table(labels)):
            unknown = self._database.row("find_unknown_label")
            if unknown:
                raise StoreError(
                    f"label of {unknown[0]}: no such message is stored; label what `moodline label export` gives"
                )
            return self._database.change("add_labels")

    def labels(self) -> list[LabelledMessage]:
        """Return the newest label of each labelled message with the message's text, in the order of ids."""
        return [rows.labelled_of(row) for row in self._database.rows("find_labels")]

    def uncertain(self, version: str, limit: int) -> list[tuple[str, str, tuple[float, ...]]]:
        """Return (message_id, text, mood) of unlabelled messages that a version is least sure of, the least first."""
        found = self._database.rows("find_uncertain", {"version": version, "most": limit})
        return [(message, text, tuple(mood)) for message, text, mood in found]

    # --- runs and snapshots ------------------------------------------------------------------------------------

    def start_run(self) -> str:
        """Note that a run begins and return its id. Notes of runs are no change of the warehouse."""
        run_id = f"r_{uuid.uuid4().hex[:12]}"
        self._database.run("start_run", {"run_id": run_id, "now": now()})
        return run_id

    def finish_run(self, run_id: str, counts: Mapping[str, int | float | str]) -> None:
        """Note that a run is done and what it did."""
        self._database.run("finish_run", {"run_id": run_id, "counts": json.dumps(dict(counts)), "now": now()})

    def publish(self, keep: int = 3) -> Path:
        """Make the warehouse's present state the home's newest snapshot and return its path.

        Does nothing when it is that already. The newest ``keep`` snapshots stay, but none from before an erasure.

        Raises:
            StoreError: the warehouse is in memory, or the snapshot cannot be written.
        """
        if self._home is None:
            raise StoreError("a warehouse in memory has no place for snapshots; open one with a home to publish")
        return publish(self._database, self._home, keep)

    def shows_erased(self) -> bool:
        """Tell whether a published snapshot may still show a text that was erased since."""
        return self._home is not None and bool(snapshots_before_erasure(self._database, self._home))

    def rewrite(self) -> None:
        """Write the warehouse's file anew, so that nothing that was erased lingers in it; slow, and rarely needed.

        Raises:
            StoreError: the file cannot be read, or there is no room for the copy.
        """
        if self._home is None:
            return
        self._database.close()
        try:
            rewrite(self._home.warehouse)
        finally:
            self._database = Database.open(self._home.warehouse)

    def _revision(self) -> tuple[Any, ...]:
        return self._row("find_revision")

    def _row(self, name: str) -> tuple[Any, ...]:
        row = self._database.row(name)
        if row is None:
            raise StoreError(f"pipeline/sql/{name}.sql gave no row; the warehouse is damaged, restore or rebuild it")
        return row

    def _bump(self, changes: int) -> None:
        if changes:
            self._database.run("raise_revision")


def _read_whole(histories: pa.Table) -> Iterator[pa.Table]:
    """Yield the histories without customers who have an unread message, unless nobody is left."""
    waiting = histories["customer_id"].filter(histories["unread"])
    if len(waiting):
        histories = histories.filter(pc.invert(pc.is_in(histories["customer_id"], value_set=waiting)))
    if len(histories):
        yield histories


def _check_line(moods: pa.Table, points: pa.Table, ledger: pa.Table) -> str:
    """Return the version of all moods."""
    versions = pc.unique(moods["version"]).to_pylist()
    if len(versions) > 1:
        raise StoreError(f"moods of several versions at once ({', '.join(sorted(versions))}); replace one by one")
    known = pc.unique(moods["customer_id"])
    for table in (points, ledger):
        strangers = table["customer_id"].filter(pc.invert(pc.is_in(table["customer_id"], value_set=known)))
        if len(strangers):
            raise StoreError(f"points or ledger entries of {pc.min(strangers)}, who has no mood here; give whole lines")
    return str(versions[0])
