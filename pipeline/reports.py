"""What the reports on contacts, the ledger and changes of service take from the newest snapshot; read-only."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from pipeline import contacts
from pipeline import ledger as ledgers
from pipeline.config import Home
from pipeline.effect import Effect, effect, parse_filter
from pipeline.errors import SettingsError
from pipeline.mood_model import Parameters, risk
from pipeline.records import STATES
from pipeline.store import Snapshot
from pipeline.warehouse_database import statement

Row = dict[str, Any]


def ledger(home: Home, by: str, since: datetime | None = None) -> list[Row]:
    """Return the ledger's totals, see ``pipeline.ledger``.

    Raises:
        SettingsError: ``by`` is nothing that totals are told by.
    """
    values = {"by": contacts.known(by, ledgers.GROUPS), "since": _stored(since)}
    return [asdict(total) for total in ledgers.totals(_rows(home, "read_ledger_totals", values), by)]


def lift(home: Home, by: str) -> list[Row]:
    """Return the lift of contacts, see ``pipeline.contacts``.

    Raises:
        SettingsError: ``by`` is nothing that lifts are told by.
    """
    values = {"by": contacts.known(by, contacts.GROUPS), "gap": contacts.CONTACT_GAP}
    return [asdict(found) for found in contacts.lifts(_rows(home, "read_lifts", values))]


def gap(home: Home, by: str) -> list[Row]:
    """Return the hand-over gaps, see ``pipeline.contacts``.

    Raises:
        SettingsError: ``by`` is nothing that gaps are told by.
    """
    rows = _rows(home, "read_gaps", {"by": contacts.known(by, contacts.SIDES)})
    return [asdict(found) for found in contacts.gaps(rows)]


def change(home: Home, since: datetime, days: int, where: str, control: str | None = None) -> Effect:
    """Return what a change of service did, see ``pipeline.effect``.

    Raises:
        SettingsError: a filter is wrong, or nothing matches it.
    """
    if days < 1:
        raise SettingsError(f"--days {days}: should be at least 1")
    chosen, others = parse_filter(where), parse_filter(control) if control else None
    risks = risk(Parameters.serving(home.mood_model), np.eye(len(STATES)), 90).tolist()
    try:
        window = timedelta(days=days)
        values = {"risks": risks, "begin": _stored(since - window), "until": _stored(since + window)}
    except OverflowError as error:
        raise SettingsError(f"--since {since:%Y-%m-%d} --days {days}: no calendar reaches that far") from error
    with Snapshot.open(home) as snapshot:
        messages = snapshot.execute(statement("read_outcomes"), values).to_arrow_table()
    return effect(messages, since, days, chosen, others)


def _stored(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)


def _rows(home: Home, name: str, values: Mapping[str, object]) -> list[Row]:
    with Snapshot.open(home) as snapshot:
        result = snapshot.execute(statement(name), values)
        columns = [column[0] for column in result.description]
        return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]
