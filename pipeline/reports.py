"""What the reports on contacts, the ledger and changes of service take from the newest snapshot; read-only."""

from dataclasses import asdict
from datetime import datetime, timedelta

import numpy as np

from pipeline import contacts
from pipeline import ledger as ledgers
from pipeline.config import Home
from pipeline.effect import Effect, effect, parse_filter
from pipeline.errors import SettingsError
from pipeline.mood_model import Parameters, risk
from pipeline.readout import Row, rows
from pipeline.records import STATES
from pipeline.store import Snapshot
from pipeline.warehouse_database import statement
from pipeline.warehouse_rows import stored


def ledger(home: Home, by: str, since: datetime | None = None) -> list[Row]:
    """Return the ledger's totals, see ``pipeline.ledger``.

    Raises:
        SettingsError: ``by`` is nothing that totals are told by.
    """
    values = {"by": contacts.known(by, ledgers.GROUPS), "since": since and stored(since)}
    return [asdict(total) for total in ledgers.totals(rows(home, "read_ledger_totals", values), by)]


def lift(home: Home, by: str) -> list[Row]:
    """Return the lift of contacts, see ``pipeline.contacts``.

    Raises:
        SettingsError: ``by`` is nothing that lifts are told by.
    """
    values = {"by": contacts.known(by, contacts.GROUPS), "gap": contacts.CONTACT_GAP}
    return [asdict(found) for found in contacts.lifts(rows(home, "read_lifts", values))]


def gap(home: Home, by: str) -> list[Row]:
    """Return the hand-over gaps, see ``pipeline.contacts``.

    Raises:
        SettingsError: ``by`` is nothing that gaps are told by.
    """
    values = {"by": contacts.known(by, contacts.SIDES)}
    return [asdict(found) for found in contacts.gaps(rows(home, "read_gaps", values))]


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
        values = {"risks": risks, "begin": stored(since - window), "until": stored(since + window)}
    except OverflowError as error:
        raise SettingsError(f"--since {since:%Y-%m-%d} --days {days}: no calendar reaches that far") from error
    with Snapshot.open(home) as snapshot:
        messages = snapshot.execute(statement("read_outcomes"), values).to_arrow_table()
    return effect(messages, since, days, chosen, others)
