"""Snapshots: built once a revision, swapped in whole, and true to the warehouse."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest

from pipeline.config import Home
from pipeline.errors import StoreError
from pipeline.records import (
    STATES,
    Alert,
    Customer,
    CustomerAlias,
    CustomerMood,
    LedgerEntry,
    Message,
    MoodPoint,
    Reading,
    RejectedRecord,
)
from pipeline.store import GoneMessage, Landing, Snapshot, Warehouse, snapshot_path

START = datetime(2026, 1, 1, 9, tzinfo=UTC)


def at(day):
    return START + timedelta(days=day)


def certain(stage):
    return tuple(float(state == stage) for state in STATES)


def message(name, customer, day, role="customer", text="still waiting"):
    return Message(name, "shop", "tweet", text, at(day), customer, role)


def reading(name, version="v1"):
    return Reading(
        name, version, (0.2,) * 5, (0.3, 0.3, 0.4), (0.0,) * 15, (0.0,) * 14, f"of {version}", "neutral", (), ()
    )


def mood(customer, as_of, distribution, stage="unsure", version="v1"):
    return CustomerMood(
        customer, version, at(as_of), distribution, stage, 2.0, -0.5, 0.2, 0.4, 30.0, 9.0, 2, at(0), ("kept waiting",)
    )


def point(customer, name, day, distribution):
    return MoodPoint(customer, name, at(day), distribution, 2.0, 2.5)


def land(warehouse, *messages, **more):
    warehouse.land(Landing("shop", "csv", "tweet", {}, messages, **more))


def fill(warehouse):
    land(
        warehouse,
        message("m1", "c_ann", 0), message("m2", "c_ann", 4), message("m3", "c_ann", 4, "agent"),
        message("m4", None, 5),
        aliases=[
            CustomerAlias("c_ann", "id", "17"), CustomerAlias("c_ann", "handle", "ann"),
            CustomerAlias("c_bob", "id", "18"), CustomerAlias("c_bob", "name", "Bob Lee"),
        ],
        quarantined=[RejectedRecord("shop", "tweet", "f.csv", 2, "no time", {"text": "x"})],
    )  # fmt: skip
    warehouse.save_customers([Customer("c_ann", "gold", "plus", 70.0)])
    warehouse.add_readings([reading("m1"), reading("m2"), reading("m4")])
    points = [point("c_ann", "m1", 0, certain("content")), point("c_ann", "m2", 4, certain("annoyed"))]
    entries = [LedgerEntry("c_ann", "m1", at(0), "ignored", -0.5), LedgerEntry("c_ann", "m2", at(4), "ignored", -0.25)]
    warehouse.replace_moods([mood("c_ann", 5, certain("annoyed"), "annoyed")], points, entries, "p")
    warehouse.save_alerts([Alert("a1", "c_ann", "slide", at(4), 3.0, "Ann slides", "why", ("m2",))])


def read(home, sql):
    with Snapshot.open(home) as snapshot:
        return snapshot.execute(sql).fetchall()


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "it's home")


@pytest.fixture
def warehouse(home):
    with Warehouse.open(home) as opened:
        yield opened


def test_nothing_published_says_what_to_do(home):
    assert snapshot_path(home) is None
    with pytest.raises(StoreError, match=r"moodline import.*moodline run"):
        Snapshot.open(home)


def test_a_warehouse_in_memory_cannot_publish():
    with Warehouse.in_memory() as warehouse, pytest.raises(StoreError, match="in memory"):
        warehouse.publish()


def test_an_empty_warehouse_publishes_empty_tables(home, warehouse):
    warehouse.publish()
    assert read(home, "FROM stage_day") == []
    assert read(home, "FROM customer_mood") == []


def test_the_serving_tables(home, warehouse):
    fill(warehouse)
    assert warehouse.publish() == snapshot_path(home)
    assert read(home, "FROM customer") == [
        ("c_ann", "@ann", "gold", "plus", 70.0),
        ("c_bob", "Bob Lee", None, None, None),
    ]
    assert read(home, "SELECT kind, value FROM customer_alias WHERE customer_id = 'c_ann'") == [
        ("handle", "ann"),
        ("id", "17"),
    ]
    assert read(home, "SELECT name, segment, value, version, stage, reasons FROM customer_mood") == [
        ("@ann", "gold", 70.0, "v1", "annoyed", ["kept waiting"])
    ]
    assert read(home, "SELECT message_id, customer_id, mood_label FROM message") == [
        ("m1", "c_ann", "of v1"),
        ("m2", "c_ann", "of v1"),
        ("m3", "c_ann", None),
        ("m4", None, "of v1"),
    ]
    assert read(home, "SELECT message_id FROM mood_point") == [("m1",), ("m2",)]
    assert read(home, "FROM disservice_week") == [
        (date(2025, 12, 29), "ignored", 1, -0.5),
        (date(2026, 1, 5), "ignored", 1, -0.25),
    ]
    assert read(home, "FROM source_count") == [("shop", "tweet", 4, 3, 3, 1, datetime(2026, 1, 6, 9))]
    assert read(home, "SELECT alert_id, name FROM alert") == [("a1", "@ann")]
    about = dict(read(home, "FROM about"))
    assert about["revision"] == str(warehouse.revision)
    assert (about["version"], about["newest_message"]) == ("v1", "2026-01-06T09:00:00Z")
    assert about["published_at"].endswith("Z")


def test_a_line_shows_the_readings_that_made_it(home, warehouse):
    fill(warehouse)
    warehouse.add_readings([reading("m1", "v2"), reading("m4", "v2")])
    warehouse.use_version("v2")
    warehouse.publish()
    shown = read(home, "SELECT message_id, version FROM message WHERE role = 'customer' ORDER BY message_id")
    assert shown == [("m1", "v1"), ("m2", "v1"), ("m4", "v2")]


def test_publishing_the_same_state_is_skipped(home, warehouse):
    fill(warehouse)
    path = warehouse.publish()
    made = path.stat().st_mtime_ns
    fill(warehouse)
    warehouse.finish_run(warehouse.start_run(), {})
    assert warehouse.publish() == path
    assert path.stat().st_mtime_ns == made
    assert len(list(home.snapshots.glob("*.duckdb"))) == 1


def test_readers_keep_theirs_while_new_ones_are_published_and_old_ones_go(home, warehouse):
    fill(warehouse)
    first = warehouse.publish()
    with Snapshot.open(home) as early:
        paths = [first]
        for number in range(5):
            land(warehouse, message(f"n{number}", "c_ann", 3))
            paths.append(warehouse.publish(keep=3))
            assert early.execute("SELECT count(*) FROM message").fetchall() == [(4,)]
            assert read(home, "SELECT count(*) FROM message") == [(5 + number,)]
        assert not first.exists()
        assert early.execute("SELECT count(*) FROM mood_point").fetchall() == [(2,)]
    assert sorted(path.name for path in home.snapshots.iterdir()) == sorted(
        ["CURRENT", *(path.name for path in paths[-3:])]
    )


def test_a_snapshot_cannot_be_written(home, warehouse):
    warehouse.publish()
    with Snapshot.open(home) as snapshot, pytest.raises(Exception, match="read-only"):
        snapshot.execute("DELETE FROM about")


def test_a_pointer_to_nothing_is_named(home, warehouse):
    warehouse.publish().unlink()
    with pytest.raises(StoreError, match="CURRENT names"):
        snapshot_path(home)
    assert warehouse.publish().exists()


def test_a_snapshot_of_another_form_counts_as_none_until_a_run(home, warehouse):
    fill(warehouse)
    made = warehouse.publish()
    older = made.rename(made.with_name("moodline-1-0ddba11.duckdb"))
    (home.snapshots / "CURRENT").write_text(older.name, encoding="utf-8")
    with pytest.raises(StoreError, match=r"0ddba11\.duckdb: made by another version.*`moodline run` publishes anew"):
        Snapshot.open(home)
    assert warehouse.publish() == made == snapshot_path(home)


def test_leftovers_of_a_killed_publish_are_cleared(home, warehouse):
    fill(warehouse)
    home.snapshots.mkdir()
    (home.snapshots / "moodline-1-beef.duckdb.building").write_bytes(b"half a file")
    warehouse.publish()
    assert list(home.snapshots.glob("*.building")) == []


def test_a_new_warehouse_at_an_old_revision_is_not_taken_for_the_old(home):
    for name in ("m1", "m2"):
        with Warehouse.open(home) as warehouse:
            land(warehouse, message(name, "c", 0))
            assert warehouse.revision == 1
            warehouse.publish()
        assert read(home, "SELECT message_id FROM message") == [(name,)]
        home.warehouse.unlink()


# --- customers by stage and day --------------------------------------------------------------------------------


def stages(home):
    return {
        day: {stage: customers for stage, customers in pairs if customers}
        for day, pairs in _by_day(read(home, "SELECT day, stage, customers FROM stage_day")).items()
    }


def _by_day(rows):
    days = {}
    for day, stage, customers in rows:
        days.setdefault(day, []).append((stage, customers))
    return days


def test_a_stage_holds_from_one_message_to_the_next(home, warehouse):
    fill(warehouse)
    warehouse.publish()
    assert stages(home) == {
        date(2026, 1, 1) + timedelta(days=day): {"content": 1} if day < 4 else {"annoyed": 1} for day in range(6)
    }


def test_the_last_message_of_a_day_decides_and_silence_leads_to_gone(home, warehouse):
    land(warehouse, *(message(f"m{n}", "c_ann", n / 10) for n in range(3)), heard_until=at(10))
    points = [point("c_ann", f"m{n}", n / 10, certain(stage)) for n, stage in enumerate(("furious", "gone", "annoyed"))]
    last = (0.0, 0.0, 0.0, 0.2, 0.0, 0.8)
    warehouse.replace_moods([mood("c_ann", 10, last, "gone")], points, [], "p")
    warehouse.publish()
    counted = stages(home)
    assert len(counted) == 11
    # The mass on annoyed falls from 1 to 0.2 in ten days, below one half after 6.25.
    assert [next(iter(counted[date(2026, 1, 1 + day)])) for day in range(11)] == ["annoyed"] * 7 + ["gone"] * 4


def brute_force(points, moods, last_day, days):
    """Count by walking every customer through every day, the slow and obvious way."""
    counted = {}
    for customer, customer_mood in moods.items():
        own = [p for p in points if p.customer_id == customer]
        end = customer_mood.as_of.date()
        for day in (last_day - timedelta(days=back) for back in range(days)):
            known = [p for p in own if p.at.date() <= day]
            if not known or day > end:
                continue
            now = known[-1].mood
            if len(known) == len(own):
                since = known[-1].at.date()
                share = (day - since).days / (end - since).days if end > since else 1.0
                now = [a + share * (b - a) for a, b in zip(now, customer_mood.mood, strict=True)]
            median = next(state for n, state in enumerate(STATES) if sum(now[: n + 1]) >= 0.5 - 1e-9)
            counted.setdefault(day, Counter())[customer_mood.stage if day == last_day else median] += 1
    return counted


def test_the_count_equals_a_walk_through_every_day(home, warehouse):
    import random

    chance = random.Random(7)

    def some_mood():
        weights = [chance.random() ** 4 + 1e-6 for _ in STATES]
        return tuple(weight / sum(weights) for weight in weights)

    points, moods, messages = [], {}, []
    for number in range(40):
        customer = f"c_{number:02}"
        days = sorted(chance.uniform(0, 600) for _ in range(chance.randint(1, 9)))
        for step, day in enumerate(days):
            messages.append(message(f"{customer}-{step}", customer, day))
            points.append(point(customer, f"{customer}-{step}", day, some_mood()))
        moods[customer] = mood(customer, days[-1] + chance.uniform(0, 90), some_mood())
    land(warehouse, *messages)
    warehouse.replace_moods(list(moods.values()), points, [], "p")
    warehouse.publish()
    last_day = max(m.as_of for m in moods.values()).date()
    expected = brute_force(points, moods, last_day, 400)
    assert {day: dict(count) for day, count in expected.items()} == {d: c for d, c in stages(home).items() if c}
    assert min(stages(home)) == last_day - timedelta(days=399)


def test_no_snapshot_from_before_an_erasure_stays(home):
    gone = [GoneMessage("m1")]
    with Warehouse.open(home) as warehouse:
        land(warehouse, message("m1", "c1", 0, text="please forget this"))
        first = warehouse.publish()
        land(warehouse, message("m2", "c1", 1))
        second = warehouse.publish()
        assert (first.exists(), warehouse.shows_erased()) == (True, False)
        land(warehouse, gone=gone, live=True)
        assert warehouse.shows_erased()
        third = warehouse.publish()
        assert list(home.snapshots.glob("*.duckdb")) == [third] != [second]
        assert not warehouse.shows_erased()
        assert b"please forget this" not in third.read_bytes()
        land(warehouse, message("m3", "c1", 2))
        fourth = warehouse.publish()
        assert sorted(home.snapshots.glob("*.duckdb")) == sorted([third, fourth])
