"""A published snapshot of six hand-written customers, in the form that ``publish`` gives it."""

import csv
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest
import streamlit as st

from pipeline.config import Home
from pipeline.records import LEVELS, STATES
from pipeline.snapshot import snapshot_form

AS_OF = datetime(2026, 9, 16, 20, 0)
VERSION = "2026.09-test"

TABLES = """
CREATE TABLE customer (customer_id TEXT, name TEXT, segment TEXT, plan TEXT, value DOUBLE);
CREATE TABLE customer_alias (kind TEXT, value TEXT, customer_id TEXT);
CREATE TABLE customer_mood (customer_id TEXT, name TEXT, segment TEXT, value DOUBLE, version TEXT, as_of TIMESTAMP,
    mood DOUBLE[], stage TEXT, level DOUBLE, slope_30d DOUBLE, risk_30d DOUBLE, risk_90d DOUBLE, days_left DOUBLE,
    value_at_risk DOUBLE, messages BIGINT, last_message_at TIMESTAMP, reasons TEXT[]);
CREATE TABLE message (message_id TEXT, customer_id TEXT, source TEXT, channel TEXT, role TEXT, author TEXT,
    thread_id TEXT, sent_at TIMESTAMP, text TEXT, rating DOUBLE, product TEXT, department TEXT, reach BIGINT,
    mood_label TEXT, mood FLOAT[], sentiment_label TEXT, intent_labels TEXT[], disservice_labels TEXT[], version TEXT,
    unscored TEXT);
CREATE TABLE mood_point (customer_id TEXT, message_id TEXT, "at" TIMESTAMP, mood DOUBLE[], level DOUBLE,
    level_before DOUBLE);
CREATE TABLE ledger_entry (customer_id TEXT, message_id TEXT, "at" TIMESTAMP, item TEXT, effect DOUBLE,
    standing DOUBLE);
CREATE TABLE stage_day (day DATE, stage TEXT, customers BIGINT);
CREATE TABLE disservice_week (week DATE, item TEXT, messages BIGINT, effect DOUBLE);
CREATE TABLE source_count (source TEXT, channel TEXT, messages BIGINT, customer_messages BIGINT, scored BIGINT,
    quarantined BIGINT, heard_until TIMESTAMP);
CREATE TABLE alert (alert_id TEXT, customer_id TEXT, kind TEXT, opened_at TIMESTAMP, cleared_at TIMESTAMP, rank DOUBLE,
    headline TEXT, explanation TEXT, message_ids TEXT[], name TEXT);
CREATE TABLE about (key TEXT, value TEXT);
"""

# (customer_id, name, segment, plan, value, risk over 90 days, days left, reasons)
PEOPLE = [
    (
        "c_0000000000a1",
        "Maureen Oyelaran",
        "household",
        "Plus",
        2400.0,
        0.62,
        9.0,
        ["Promised a rebate five times, paid never", "36 days since the last good word"],
    ),
    ("c_0000000000a2", "Piotr Zieliński", "trade", None, 7800.0, 0.31, 48.0, ["Two deliveries missing in a row"]),
    ("c_0000000000a3", "Asha <b>Raman</b>", "student", None, 310.0, 0.04, None, []),
    ("c_0000000000a4", "Tomás Quiroga", "household", "Plus", 1150.0, 0.93, 0.0, ["Silent for 75 days after a fury"]),
    ("c_0000000000a5", "Bea Lindqvist", "household", None, 640.0, 0.08, None, []),
    ("c_0000000000a6", "Reginald Thwaite", "trade", "Plus", 3900.0, 0.22, 80.0, ["The same fault came back"]),
]

# What they wrote: days before AS_OF, what it was read as, dis-services, the level it left them on.
MESSAGES = Path(__file__).with_name("messages.tsv")

# (alert_id, customer, kind, days since it opened, days since it cleared, rank, headline, explanation, messages)
ALERTS = [
    (
        "al_1",
        "a1",
        "slide",
        20,
        None,
        1400.0,
        "Slid from content to annoyed in four weeks",
        "Two answers missed.",
        [4, 7],
    ),
    ("al_2", "a1", "furious", 6, None, 1500.0, "Turned furious in public", "The fifth refusal became a tweet.", [9]),
    ("al_3", "a2", "slide", 8, None, 900.0, "Slid a step since July", "Two parcels in a row went missing.", [11, 13]),
    ("al_4", "a5", "slide", 60, 20, 40.0, "Was unsure after a dull start", "Cleared when service rang back.", [18]),
]


def mood_of(level: float) -> list[float]:
    """A distribution over the six states that leans on the ones nearest to ``level``."""
    weight = np.exp(-((np.asarray(LEVELS) - level) ** 2) / 0.7)
    return [float(share) for share in weight / weight.sum()]


def before(days: float) -> datetime:
    return AS_OF - timedelta(days=days)


def publish(home: Home, *, people: bool = True) -> Path:
    """Write the snapshot and the pointer as ``publish`` does; without people nothing names a customer."""
    home.snapshots.mkdir(parents=True, exist_ok=True)
    snapshot = home.snapshots / f"moodline-7-{snapshot_form()}.duckdb"
    with duckdb.connect(str(snapshot)) as connection:
        connection.execute(TABLES)
        fill(connection, "source_count", sources(people))
        fill(connection, "about", [("revision", "7"), ("version", VERSION), ("published_at", AS_OF.isoformat())])
        if people:
            fill_people(connection)
    (home.snapshots / "CURRENT").write_text(snapshot.name, encoding="utf-8")
    return snapshot


def fill(connection: duckdb.DuckDBPyConnection, table: str, rows: list[tuple]) -> None:
    marks = ", ".join("?" * len(rows[0]))
    connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


def sources(people: bool) -> list[tuple]:
    anonymous = ("trustpilot", "review", 1204, 0, 1204, 3, before(1))
    return [("care chats", "transcript", 15, 15, 11, 0, AS_OF), anonymous] if people else [anonymous]


def fill_people(connection: duckdb.DuckDBPyConnection) -> None:
    fill(connection, "customer", [person[:5] for person in PEOPLE])
    fill(connection, "customer_alias", [("email", f"{p[1].split()[0].lower()}@example.com", p[0]) for p in PEOPLE])
    messages, points, entries = histories()
    fill(connection, "message", messages)
    fill(connection, "mood_point", points)
    fill(connection, "ledger_entry", entries)
    fill(connection, "customer_mood", [standing(person, points) for person in PEOPLE])
    fill(connection, "alert", [alert(row) for row in ALERTS])
    fill(connection, "stage_day", stage_days(points))
    weekly = "SELECT date_trunc('week', \"at\")::DATE, item, count(*), sum(effect) FROM ledger_entry GROUP BY ALL"
    connection.execute(f"INSERT INTO disservice_week {weekly}")


def conversations() -> list[dict[str, str]]:
    with MESSAGES.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def histories() -> tuple[list[tuple], list[tuple], list[tuple]]:
    messages, points, entries, stood = [], [], [], {}
    for number, row in enumerate(conversations()):
        customer, message = f"c_0000000000{row['customer']}", f"m_{number:020d}"
        at, wrongs = before(float(row["days"])) + timedelta(minutes=number), row["wrongs"].split(",")
        messages.append((message, customer, *stored(row, at)))
        if not row["level"]:
            continue
        level, predicted = float(row["level"]), stood.get(customer, 3.5) - 0.04
        points.append((customer, message, at, mood_of(level), level, predicted))
        effect = (level - predicted) / len(wrongs)
        entries += [(customer, message, at, wrong or "praise", effect, effect / 2) for wrong in wrongs]
        stood[customer] = level
    return messages, points, entries


def stored(row: dict[str, str], at: datetime) -> tuple:
    thread, wrongs = row["thread"] or None, row["wrongs"].split(",") if row["wrongs"] else []
    reading = (row["said"] or None, [0.05, 0.1, 0.1, 0.6, 0.15] if row["said"] else None, None)
    return (
        "care chats" if thread else row["channel"],
        row["channel"],
        row["role"],
        row["author"] or None,
        thread,
        at,
        row["text"],
        float(row["rating"]) if row["rating"] else None,
        None,
        "service" if thread else None,
        40_000 if row["channel"] == "tweet" else None,
        *reading,
        ["complaint" if wrongs else "inform"],
        wrongs,
        VERSION,
        None,
    )


def standing(person: tuple, points: list[tuple]) -> tuple:
    own = [point for point in points if point[0] == person[0]]
    level = 0.4 if person[0].endswith("a4") else own[-1][4]
    month_ago = [point[4] for point in own if point[2] <= before(30)][-1]
    risk, value = person[5], person[4]
    chances = (level, level - month_ago, risk * 0.55, risk, person[6], value * risk * (1 - risk))
    stage = STATES[5 - round(level)]
    return (
        person[0], person[1], person[2], value, VERSION, AS_OF, mood_of(level), stage, *chances, len(own), own[-1][2],
        person[7],
    )  # fmt: skip


def alert(row: tuple) -> tuple:
    alert_id, who, kind, opened, cleared, rank, headline, explanation, numbers = row
    ended = None if cleared is None else before(cleared)
    ids = [f"m_{number:020d}" for number in numbers]
    return (alert_id, f"c_0000000000{who}", kind, before(opened), ended, rank, headline, explanation, ids, None)


def stage_days(points: list[tuple]) -> list[tuple]:
    rows = []
    for back in range(100, -1, -1):
        levels = {point[0]: point[4] for point in points if point[2] <= before(back)}
        if back < 20:
            levels["c_0000000000a4"] = 0.4
        stages = [STATES[5 - round(level)] for level in levels.values()]
        rows += [(before(back).date(), stage, stages.count(stage)) for stage in STATES if stage in stages]
    return rows


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("published"))
    publish(home)
    return home


@pytest.fixture(scope="session")
def snapshot(home: Home) -> Path:
    return home.snapshots / f"moodline-7-{snapshot_form()}.duckdb"


@pytest.fixture
def publish_to(tmp_path: Path) -> Callable[..., Home]:
    """Publish a snapshot into a home of the test's own."""

    def publish_here(**wishes: bool) -> Home:
        publish(Home(tmp_path), **wishes)
        return Home(tmp_path)

    return publish_here


@pytest.fixture(autouse=True)
def fresh_cache() -> None:
    st.cache_data.clear()
