"""The warehouse: each change whole or not at all, and the same change twice is one change."""

from datetime import UTC, datetime, timedelta, timezone

import duckdb
import pytest

from pipeline import warehouse_database
from pipeline.config import Home
from pipeline.errors import StoreError
from pipeline.records import (
    Alert,
    Customer,
    CustomerAlias,
    CustomerMood,
    LedgerEntry,
    Message,
    MoodPoint,
    Outcome,
    Purchase,
    Reading,
    RejectedRecord,
)
from pipeline.store import Label, Landing, LandingCount, Warehouse

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MOOD = (0.1, 0.2, 0.4, 0.1, 0.1, 0.1)


def message(number, customer="c_ann", *, day=0.0, text="no reply", **more):
    return Message(f"m_{number}", "shop", "review", text, START + timedelta(days=day), customer, **more)


def landing(*messages, **more):
    return Landing("shop", "csv", "review", {"text": "body"}, messages, **more)


def reading(message_id, version="v1"):
    return Reading(
        message_id, version, (0.1, 0.2, 0.4, 0.2, 0.1), (0.5, 0.3, 0.2), (0.0,) * 15, (0.5,) * 14,
        "unsure", "negative", ("complaint",), ("ignored", "unresolved"),
    )  # fmt: skip


def read_all(warehouse, version="v1"):
    return warehouse.add_readings([reading(message_id, version) for message_id, _ in warehouse.unscored(version)])


def lines(warehouse, customers, version="v1"):
    rows = warehouse.histories(customers, version).to_pylist()
    moods = {
        row["customer_id"]: CustomerMood(
            row["customer_id"], version, row["as_of"].replace(tzinfo=UTC), MOOD, "unsure", 2.9, -0.2, 0.1, 0.3, None,
            12.5, 1, row["sent_at"].replace(tzinfo=UTC), ("ignored twice",),
        )
        for row in rows
    }  # fmt: skip
    points = [
        MoodPoint(row["customer_id"], row["message_id"], row["sent_at"].replace(tzinfo=UTC), MOOD, 2.9, 3.1)
        for row in rows
    ]
    entries = [LedgerEntry(point.customer_id, point.message_id, point.at, "ignored", -0.2) for point in points]
    return list(moods.values()), points, entries


def track(warehouse, version="v1", parameters="p1"):
    customers = warehouse.customers_to_track(version, parameters)
    warehouse.replace_moods(*lines(warehouse, customers, version), parameters)
    return customers


def alert(name="a_1", customer="c_ann", kind="slide", **more):
    return Alert(name, customer, kind, START, 4.0, "Ann slides", "two broken promises", ("m_1", "m_2"), **more)


def table(home, name):
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        return connection.execute(f"FROM {name} ORDER BY ALL").fetchall()


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home")


@pytest.fixture
def warehouse():
    with Warehouse.in_memory() as opened:
        yield opened


# --- opening ---------------------------------------------------------------------------------------------------


def test_opening_again_keeps_what_is_there(home):
    with Warehouse.open(home) as warehouse:
        warehouse.land(landing(message(1)))
    migrations = table(home, "schema_migration")
    with Warehouse.open(home) as warehouse:
        assert [row[0] for row in warehouse.unscored("v1")] == ["m_1"]
    assert table(home, "schema_migration") == migrations
    numbers = [row[0] for row in migrations]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 1


def test_a_warehouse_newer_than_the_code_is_refused(home):
    Warehouse.open(home).close()
    with duckdb.connect(str(home.warehouse)) as connection:
        connection.execute("INSERT INTO schema_migration VALUES (9000, '9000_future', now()::TIMESTAMP)")
    with pytest.raises(StoreError, match=r"newer Moodline.*9000"):
        Warehouse.open(home)
    Warehouse.open(Home(home.root.with_name("other"))).close()


def test_a_refused_warehouse_gives_the_lock_back(home):
    home.root.mkdir()
    home.warehouse.write_bytes(b"this is no database" * 1000)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"warehouse\.duckdb: cannot be opened"):
            Warehouse.open(home, wait_seconds=0)


def test_a_failing_statement_is_named_with_its_sql(warehouse):
    unread = message(1, role=None)
    with pytest.raises(StoreError, match=r"pipeline/sql/land_messages\.sql failed: .*role.*\nINSERT INTO message"):
        warehouse.land(landing(unread))


# --- landing ---------------------------------------------------------------------------------------------------


def bad_record(line=7):
    return RejectedRecord("shop", "review", "shop.csv", line, "no time", {"text": "hm", "time": "soon"})


def full_landing():
    return landing(
        message(1), message(2, day=3), message(1, text="again"),
        aliases=[CustomerAlias("c_ann", "handle", "ann"), CustomerAlias("c_bob", "email", "bob@example.com")],
        quarantined=[bad_record(), bad_record(8)], position="row 3", taken=("d1", "shop.csv"),
    )  # fmt: skip


def test_landing_counts_and_landing_again_changes_nothing(home):
    with Warehouse.open(home) as warehouse:
        assert warehouse.land(full_landing()) == LandingCount(2, 1, 2, 0)
        revision = warehouse.revision
        names = ("message", "customer", "customer_alias", "source", "quarantine", "cursor", "taken_file")
    before = {name: table(home, name) for name in names}
    with Warehouse.open(home) as warehouse:
        assert warehouse.land(full_landing()) == LandingCount(0, 3, 0, 2)
        assert warehouse.revision == revision == 1
        assert warehouse.position("shop") == "row 3"
        assert warehouse.is_taken("shop", "d1")
        assert not warehouse.is_taken("shop", "d2")
        assert warehouse.position("elsewhere") is None
    assert {name: table(home, name) for name in names} == before
    assert [row[3] for row in before["message"]] == ["no reply", "no reply"]
    assert [row[0] for row in before["customer"]] == ["c_ann", "c_bob"]


def test_a_landing_that_fails_leaves_no_trace(warehouse):
    warehouse.land(landing(message(1), position="row 1"))
    with pytest.raises(StoreError):
        warehouse.land(landing(message(2), message(3, role=None), position="row 3", quarantined=[bad_record()]))
    assert [name for name, _ in warehouse.unscored("v1")] == ["m_1"]
    assert warehouse.position("shop") == "row 1"
    assert warehouse.quarantine_rows() == []
    assert warehouse.revision == 1
    assert warehouse.land(landing(message(2))).landed == 1


def test_a_cursor_alone_moves_without_a_new_revision(warehouse):
    warehouse.land(landing(message(1), position="1"))
    warehouse.land(landing(position="2", taken=("d", "f")))
    assert warehouse.position("shop") == "2"
    assert warehouse.revision == 1


def test_times_are_stored_in_utc(warehouse):
    east = timezone(timedelta(hours=5))
    warehouse.land(landing(Message("m", "shop", "review", "x", datetime(2026, 3, 1, 2, tzinfo=east), "c")))
    assert warehouse.histories(["c"], "v1")["sent_at"].to_pylist() == [datetime(2026, 2, 28, 21)]


def test_half_a_surrogate_pair_lands_as_a_question_mark(warehouse):
    warehouse.land(landing(message(1, text="fine \ud83d")))
    assert warehouse.unscored("v1") == [("m_1", "fine ?")]


def test_aliases_resolve_unless_several_go_by_them(warehouse):
    warehouse.land(full_landing())
    wanted = [("handle", "ann"), ("email", "bob@example.com"), ("handle", "zoe")]
    assert warehouse.resolve_customers(wanted) == {("handle", "ann"): "c_ann", ("email", "bob@example.com"): "c_bob"}
    warehouse.land(landing(aliases=[CustomerAlias("c_eve", "handle", "ann")]))
    assert warehouse.resolve_customers(wanted) == {("email", "bob@example.com"): "c_bob"}
    assert warehouse.resolve_customers([]) == {}


def test_customers_are_completed_not_erased(home):
    with Warehouse.open(home) as warehouse:
        assert warehouse.save_customers([Customer("c_ann", "gold", None, 80.0)]) == 1
        assert warehouse.save_customers([Customer("c_ann", None, "plus", None)]) == 1
        revision = warehouse.revision
        assert warehouse.save_customers([Customer("c_ann", "gold", None, 80.0)]) == 0
        assert warehouse.revision == revision
    assert table(home, "customer") == [("c_ann", "gold", "plus", 80.0, None, True)]


# --- readings --------------------------------------------------------------------------------------------------


def test_unscored_are_customers_texts_without_a_reading_of_that_version(warehouse):
    warehouse.land(
        landing(message(1), message(2, role="agent"), message(3, text="", rating=1.0), message(4, customer=None))
    )
    assert [name for name, _ in warehouse.unscored("v1")] == ["m_1", "m_4"]
    assert [name for name, _ in warehouse.unscored("v1", 1)] == ["m_1"]
    assert warehouse.count_unscored("v1") == 2
    assert warehouse.add_readings([reading("m_1")]) == 1
    revision = warehouse.revision
    assert warehouse.add_readings([reading("m_1")]) == 0
    assert warehouse.add_readings([]) == 0
    assert warehouse.revision == revision
    assert [name for name, _ in warehouse.unscored("v1")] == ["m_4"]
    assert [name for name, _ in warehouse.unscored("v2")] == ["m_1", "m_4"]


def test_a_declined_message_is_done_for_that_version_alone_and_its_customer_is_tracked(warehouse):
    warehouse.land(landing(message(1), message(2)))
    assert warehouse.add_abstentions("v1", {"m_1": "written in Spanish"}) == 1
    revision = warehouse.revision
    assert warehouse.add_abstentions("v1", {"m_1": "empty"}) == warehouse.add_abstentions("v1", {}) == 0
    assert warehouse.revision == revision
    assert warehouse.customers_to_track("v1", "p") == []
    assert [name for name, _ in warehouse.unscored("v1")] == ["m_2"]
    assert (warehouse.count_unscored("v1"), warehouse.count_unscored("v2")) == (1, 2)
    warehouse.add_readings([reading("m_2")])
    (customer,) = warehouse.customers_to_track("v1", "p")
    history = warehouse.histories([customer], "v1").to_pylist()
    assert [(row["message_id"], row["mood"] is None) for row in history] == [("m_1", True), ("m_2", False)]


def test_unscored_chunks_run_on_while_readings_are_added(warehouse):
    warehouse.land(landing(*(message(f"{number:04}") for number in range(5000))))
    seen = 0
    for chunk in warehouse.unscored_chunks("v1", 700):
        assert len(chunk) <= 700
        seen += warehouse.add_readings([reading(name) for name, _ in chunk])
    assert seen == 5000
    assert warehouse.unscored("v1") == []


def test_the_first_readings_version_is_shown_until_another_is_used(warehouse):
    warehouse.land(landing(message(1)))
    assert warehouse.version is None
    read_all(warehouse, "v1")
    read_all(warehouse, "v2")
    assert warehouse.version == "v1"
    warehouse.use_version("v2")
    revision = warehouse.revision
    warehouse.use_version("v2")
    assert (warehouse.version, warehouse.revision) == ("v2", revision)


# --- tracking --------------------------------------------------------------------------------------------------


def two_customers(warehouse):
    warehouse.land(landing(message(1), message(2, "c_bob", day=1), message(3, day=9)))
    read_all(warehouse)


def test_everybody_read_is_tracked_once(warehouse):
    two_customers(warehouse)
    assert track(warehouse) == ["c_ann", "c_bob"]
    assert track(warehouse) == []


def test_a_late_message_tracks_its_customer_alone(warehouse):
    two_customers(warehouse)
    track(warehouse)
    warehouse.land(landing(message(4, "c_bob", day=2)))
    assert warehouse.customers_to_track("v1", "p1") == []
    read_all(warehouse)
    assert track(warehouse) == ["c_bob"]
    assert track(warehouse) == []


def test_silence_until_later_tracks_all_who_write_there(warehouse):
    two_customers(warehouse)
    warehouse.land(Landing("mail", "jsonl", "tweet", {}, [Message("x", "mail", "tweet", "hi", START, "c_cy")]))
    read_all(warehouse)
    assert track(warehouse) == ["c_ann", "c_bob", "c_cy"]
    warehouse.land(landing(heard_until=START + timedelta(days=40)))
    assert track(warehouse) == ["c_ann", "c_bob"]
    assert warehouse.histories(["c_bob"], "v1")["as_of"].to_pylist() == [datetime(2026, 4, 10)]


def test_who_was_heard_to_a_later_day_elsewhere_is_no_news_of_silence(warehouse):
    two_customers(warehouse)
    mail = Message("x", "mail", "tweet", "hi", START, "c_bob")
    warehouse.land(Landing("mail", "jsonl", "tweet", {}, [mail], heard_until=START + timedelta(days=60)))
    read_all(warehouse)
    track(warehouse)
    warehouse.land(landing(heard_until=START + timedelta(days=40)))
    assert warehouse.customers_to_track("v1", "p1") == ["c_ann"]
    assert warehouse.customers_to_track("v1", "p1") == track(warehouse)
    assert track(warehouse) == []


def test_messages_that_are_known_already_are_no_news(warehouse):
    two_customers(warehouse)
    track(warehouse)
    two_customers(warehouse)
    assert warehouse.news("v1", "p1").to_pylist() == []


def test_what_happens_to_people_who_never_wrote_is_no_news_until_they_do(warehouse):
    bought = Purchase("b_1", "c_cy", START, None, 20.0)
    assert warehouse.save_customers([Customer("c_cy", value=10.0)], purchases=[bought]) == 2
    assert warehouse.news("v1", "p1").to_pylist() == []
    warehouse.land(landing(message(1, "c_cy")))
    read_all(warehouse)
    assert track(warehouse) == ["c_cy"]
    assert warehouse.save_customers([], purchases=[bought]) == 0
    assert track(warehouse) == []
    warehouse.save_customers([], outcomes=[Outcome("c_cy", "left", START)])
    assert track(warehouse) == ["c_cy"]


def test_doubted_moods_are_tracked_anew_and_change_nothing_that_was_right(warehouse):
    two_customers(warehouse)
    track(warehouse)
    revision = warehouse.revision
    warehouse.doubt_moods()
    assert track(warehouse) == ["c_ann", "c_bob"]
    assert (track(warehouse), warehouse.revision) == ([], revision)


def test_moods_that_could_not_be_stored_stay_news(warehouse, monkeypatch):
    two_customers(warehouse)
    given = lines(warehouse, ["c_ann", "c_bob"])
    with monkeypatch.context() as broken:
        broken.setattr(Warehouse, "_bump", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            warehouse.replace_moods(*given, "p1")
    assert track(warehouse) == ["c_ann", "c_bob"]


FORMERLY = (
    "INSERT INTO source (name, kind, channel, added_at, heard_until) VALUES ('shop', 'csv', 'review', now(), $start)",
    "INSERT INTO message (message_id, source, channel, text, sent_at, customer_id, role, landed_at) "
    "SELECT 'm_' || n, 'shop', 'review', if(n = 1, '', 'words'), $start, 'c_ann', 'customer', now() FROM range(3) t(n)",
    "INSERT INTO reading SELECT message_id, 'v1', [.2, .2, .2, .2, .2], [.3, .3, .4], [.75] || [0 for x in range(14)], "
    "[x / 16 for x in range(14)], 'unsure', 'neutral', [], ['unresolved', 'no_human'] FROM message WHERE text <> ''",
    "INSERT INTO customer_mood BY NAME SELECT 'c_ann' AS customer_id, 'v1' AS version, 'p1' AS parameters, $start AS "
    "as_of, [.2, .2, .2, .2, .1, .1] AS mood, 'unsure' AS stage, 2.5 AS level, 0 AS slope_30d, .1 AS risk_30d, "
    ".2 AS risk_90d, 9 AS value_at_risk, 3 AS messages, $start AS last_message_at, [] AS reasons, 7 AS inputs",
    "INSERT INTO mood_point SELECT 'c_ann', message_id, sent_at, [.2, .2, .2, .2, .1, .1], 2.5, 2.6 FROM message",
    "INSERT INTO ledger_entry BY NAME SELECT customer_id, message_id, $start AS at, 'mood' AS item, -0.1 AS effect "
    "FROM mood_point",
)


@pytest.mark.parametrize("newest", [17, 50])
def test_a_warehouse_of_before_is_brought_up_to_date_and_tracked_whole(home, monkeypatch, newest):
    """17 is what the first release made, 50 what there was before news was kept."""
    every = list(warehouse_database._migrations())
    home.root.mkdir()
    with duckdb.connect(str(home.warehouse)) as connection, monkeypatch.context() as then:
        then.setattr(warehouse_database, "_migrations", lambda: [one for one in every if one[0] <= newest])
        warehouse_database.Database(connection).migrate()
        for sql in FORMERLY:
            connection.execute(sql, {"start": datetime(2026, 3, 1)} if "$start" in sql else None)
    with Warehouse.open(home) as warehouse:
        found = warehouse.histories(["c_ann"], "v1").to_pylist()
        assert [row["leaving"] for row in found] == [0.75, None, 0.75]
        assert found[0]["disservice_chances"] == [13 / 16, 0.0]
        assert [row["unread"] for row in found] == [False] * 3
        assert track(warehouse) == ["c_ann"]
        assert track(warehouse) == []


def test_a_changed_worth_tracks_its_customer(warehouse):
    two_customers(warehouse)
    track(warehouse)
    warehouse.save_customers([Customer("c_ann", "gold")])
    assert track(warehouse) == []
    warehouse.save_customers([Customer("c_ann", value=900.0)])
    assert track(warehouse) == ["c_ann"]


def test_another_version_or_parameters_track_all_who_are_read(warehouse):
    two_customers(warehouse)
    track(warehouse)
    assert warehouse.customers_to_track("v1", "p2") == ["c_ann", "c_bob"]
    assert warehouse.customers_to_track("v2", "p1") == []
    warehouse.add_readings([reading("m_2", "v2")])
    assert warehouse.customers_to_track("v2", "p1") == ["c_bob"]
    read_all(warehouse, "v2")
    assert track(warehouse, "v2") == ["c_ann", "c_bob"]
    assert warehouse.version == "v2"
    assert warehouse.customers_to_track("v1", "p1") == ["c_ann", "c_bob"]


def test_a_rating_without_text_is_history_but_agents_and_strangers_are_not(warehouse):
    warehouse.land(
        landing(
            message(2, day=1, text="", rating=2.0), message(1), message(3, role="agent", day=2), message(4, None)
        )
    )  # fmt: skip
    read_all(warehouse)
    assert warehouse.customers_to_track("v1", "p1") == ["c_ann"]
    history = warehouse.histories(["c_ann", "c_ann", "c_nobody"], "v1")
    assert history["message_id"].to_pylist() == ["m_1", "m_2"]
    assert history["rating"].to_pylist() == [None, 2.0]
    assert [mood is None for mood in history["mood"].to_pylist()] == [False, True]
    assert history["disservice_labels"].to_pylist() == [["ignored", "unresolved"], None]
    assert track(warehouse) == ["c_ann"]
    assert track(warehouse) == []


def test_replacing_by_the_same_moods_changes_nothing(warehouse):
    two_customers(warehouse)
    moods, points, entries = lines(warehouse, ["c_ann", "c_bob"])
    assert warehouse.replace_moods(moods, points, entries, "p1")
    revision = warehouse.revision
    assert not warehouse.replace_moods(moods, points, entries, "p1")
    assert not warehouse.replace_moods([], [], [], "p1")
    assert warehouse.revision == revision
    assert warehouse.replace_moods(moods, points, entries[1:], "p1")
    assert warehouse.revision == revision + 1


def test_replacing_leaves_other_customers_alone(home):
    with Warehouse.open(home) as warehouse:
        two_customers(warehouse)
        track(warehouse)
        moods, points, _ = lines(warehouse, ["c_ann"])
        warehouse.replace_moods(moods, points[:1], [], "p1")
    assert [row[:2] for row in table(home, "mood_point")] == [("c_ann", "m_1"), ("c_bob", "m_2")]
    assert [row[0] for row in table(home, "ledger_entry")] == ["c_bob"]


def test_lines_of_strangers_and_mixed_versions_are_refused(warehouse):
    two_customers(warehouse)
    moods, points, entries = lines(warehouse, ["c_ann", "c_bob"])
    with pytest.raises(StoreError, match="c_bob"):
        warehouse.replace_moods(moods[:1], points, entries, "p1")
    mixed = [moods[0], lines(warehouse, ["c_bob"], "v2")[0][0]]
    with pytest.raises(StoreError, match="v1, v2"):
        warehouse.replace_moods(mixed, points, entries, "p1")


# --- alerts ----------------------------------------------------------------------------------------------------


def test_one_open_alert_a_customer_and_kind(warehouse):
    assert warehouse.save_alerts([alert(), alert("a_2", kind="furious")], [], [("a_1", "ops"), ("a_2", "ops")]) == 2
    assert warehouse.save_alerts([alert(), alert("a_3")], [], [("a_1", "ops"), ("a_3", "ops")]) == 0
    assert warehouse.open_alerts() == [alert(), alert("a_2", kind="furious")]
    assert [due.alert.alert_id for due in warehouse.due_deliveries()] == ["a_1", "a_2"]
    assert warehouse.revision == 1


def test_an_alert_clears_once_and_may_open_anew(warehouse):
    warehouse.save_alerts([alert()])
    cleared = alert(cleared_at=START + timedelta(days=5))
    assert warehouse.save_alerts([alert("a_2")], [cleared]) == 2
    assert warehouse.open_alerts() == [alert("a_2")]
    assert warehouse.save_alerts([], [cleared]) == 0


def test_a_delivery_left_sending_is_never_sent_again(warehouse):
    warehouse.save_alerts([alert()], [], [("a_1", "mail"), ("a_1", "ops"), ("a_1", "sms")])
    warehouse.mark_delivery("a_1", "mail", "sending")
    warehouse.mark_delivery("a_1", "ops", "sending")
    warehouse.mark_delivery("a_1", "ops", "due", "503, try later")
    due = warehouse.due_deliveries()
    assert [(d.target, d.attempts, d.detail) for d in due] == [("ops", 1, "503, try later"), ("sms", 0, None)]
    warehouse.mark_delivery("a_1", "sms", "sent")
    assert [d.target for d in warehouse.due_deliveries()] == ["ops"]
    with pytest.raises(StoreError, match="pigeon"):
        warehouse.mark_delivery("a_1", "pigeon", "sent")


# --- quarantine, labels, runs ----------------------------------------------------------------------------------


def test_quarantine_gives_back_what_went_in_until_it_is_replayed(warehouse):
    warehouse.land(landing(quarantined=[bad_record(), bad_record(8)]))
    first, second = warehouse.quarantine_rows()
    assert (first.rejected, second.rejected) == (bad_record(), bad_record(8))
    assert warehouse.quarantine_rows("elsewhere") == []
    assert warehouse.mark_replayed([first.quarantine_id]) == 1
    revision = warehouse.revision
    assert warehouse.mark_replayed([first.quarantine_id]) == 0
    assert warehouse.land(landing(quarantined=[bad_record()])).requarantined == 1
    assert warehouse.revision == revision
    assert [row.rejected.line for row in warehouse.quarantine_rows("shop")] == [8]
    assert [row.replayed_at is None for row in warehouse.quarantine_rows(replayed=True)] == [False, True]


def label(mood="annoyed", minutes=0, message_id="m_1"):
    return Label(message_id, START + timedelta(minutes=minutes), "kim", mood, ("complaint",), ())


def test_labels_are_appended_and_the_newest_counts(warehouse):
    warehouse.land(landing(message(1), message(2)))
    assert warehouse.add_labels([label(), label()]) == 1
    assert warehouse.add_labels([label(minutes=5)]) == 0
    assert warehouse.add_labels([label("furious", 6)]) == 1
    assert warehouse.add_labels([label()]) == 0
    assert [(found.label, found.text) for found in warehouse.labels()] == [(label("furious", 6), "no reply")]
    with pytest.raises(StoreError, match="m_9"):
        warehouse.add_labels([label(message_id="m_2"), label(message_id="m_9")])
    assert len(warehouse.labels()) == 1


def test_the_least_certain_unlabelled_messages_come_first(warehouse):
    warehouse.land(landing(message(1), message(2), message(3)))
    sure = Reading("m_2", "v1", (0, 0, 1, 0, 0), (0, 1, 0), (0,) * 15, (0,) * 14, "unsure", "neutral", (), ())
    warehouse.add_readings([reading("m_1"), sure, reading("m_3")])
    assert [name for name, _, _ in warehouse.uncertain("v1", 10)] == ["m_1", "m_3", "m_2"]
    warehouse.add_labels([label()])
    assert [(name, text) for name, text, _ in warehouse.uncertain("v1", 1)] == [("m_3", "no reply")]


def test_notes_of_runs_are_no_new_revision(home):
    with Warehouse.open(home) as warehouse:
        run = warehouse.start_run()
        warehouse.finish_run(run, {"landed": 3})
        assert warehouse.revision == 0
    assert [(row[0], row[3]) for row in table(home, "run")] == [(run, '{"landed": 3}')]
