from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from dashboards import queries
from dashboards.queries import Filters
from pipeline.errors import StoreError

SLIDER = "c_0000000000a1"


def test_a_file_that_is_no_snapshot_says_so(tmp_path):
    broken = tmp_path / "moodline-1.duckdb"
    broken.write_text("not a database")
    with pytest.raises(StoreError, match="cannot be opened as a snapshot"):
        queries.about(broken)


def test_a_failing_statement_names_itself_and_its_sql(tmp_path):
    bare = tmp_path / "moodline-1.duckdb"
    duckdb.connect(str(bare)).close()
    with pytest.raises(StoreError, match=r"(?s)key_figures\.sql failed.*SELECT"):
        queries.key_figures(bare)


def test_reading_changes_nothing(snapshot):
    before = snapshot.read_bytes()
    queries.key_figures(snapshot)
    queries.customer_messages(snapshot, SLIDER)
    assert snapshot.read_bytes() == before
    assert not Path(f"{snapshot}.wal").exists()


def test_answers_are_cached_for_one_snapshot_only(snapshot, tmp_path):
    assert queries.about(snapshot)["revision"] == "7"
    newer = tmp_path / "moodline-8.duckdb"
    newer.write_bytes(snapshot.read_bytes())
    with duckdb.connect(str(newer)) as connection:
        connection.execute("UPDATE about SET value = '8' WHERE key = 'revision'")
    assert queries.about(newer)["revision"] == "8"


def test_key_figures(snapshot):
    figures = queries.key_figures(snapshot)
    assert (figures["customers"], figures["followed"], figures["sliding"]) == (6, 5, 3)
    assert (figures["open_alerts"], figures["open_alerts_before"]) == (3, 1)


def test_stage_days_are_bounded_by_the_days_asked_for(snapshot):
    assert queries.stage_days(snapshot, 30)["day"].nunique() == 30


def test_souring_is_dearest_first_and_leaves_praise_out(snapshot):
    weeks = queries.souring_weeks(snapshot)
    assert weeks["total"].is_monotonic_increasing
    assert "praise" not in set(weeks["item"])


def test_sources_without_customers_are_counted(snapshot):
    assert queries.source_counts(snapshot)[0]["source"] == "trustpilot"
    assert queries.source_counts(snapshot)[0]["customer_messages"] == 0


def test_sliding_leaves_out_the_gone_and_the_steady(snapshot):
    rows = queries.sliding_customers(snapshot, Filters())
    assert {row["name"] for row in rows} == {"Maureen Oyelaran", "Piotr Zieliński", "Reginald Thwaite"}
    values = [row["value_at_risk"] for row in rows]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (Filters("everyone"), 6),
        (Filters("alerted"), 2),
        (Filters("everyone", ("annoyed", "gone")), 2),
        (Filters("everyone", (), "trade"), 2),
        (Filters("everyone", ("delighted",), "trade"), 0),
    ],
)
def test_filters(snapshot, filters, count):
    assert len(queries.sliding_customers(snapshot, filters)) == count


def test_a_page_of_the_ranking_knows_the_total(snapshot):
    first, second = (queries.sliding_customers(snapshot, Filters("everyone"), 4, start) for start in (0, 4))
    assert (len(first), len(second)) == (4, 2)
    assert {row["total"] for row in first + second} == {6}
    assert not {row["customer_id"] for row in first} & {row["customer_id"] for row in second}


def test_recent_levels_carry_in_what_came_before(snapshot):
    now = queries.key_figures(snapshot)["as_of"]
    levels = queries.recent_levels(snapshot, [SLIDER], 40)[SLIDER]
    assert [round(point["level"], 1) for point in levels] == [2.9, 2.3, 1.5]
    assert levels[0]["at"] < now - timedelta(days=40)


@pytest.mark.parametrize("wanted", ["oyel", " MAUREEN ", "maureen@example.com", SLIDER])
def test_customers_are_found_by_any_of_their_names(snapshot, wanted):
    assert [row["customer_id"] for row in queries.find_customers(snapshot, wanted)] == [SLIDER]


@pytest.mark.parametrize("wanted", ["%", "_", "\\", "' OR 1=1 --"])
def test_search_text_is_only_text(snapshot, wanted):
    assert queries.find_customers(snapshot, wanted) == []


def test_an_unknown_customer_is_none(snapshot):
    assert queries.customer(snapshot, "c_nobody") is None


def test_a_conversation_has_both_sides_in_order_with_effects(snapshot):
    messages = queries.customer_messages(snapshot, SLIDER)
    assert [message["role"] for message in messages].count("agent") == 2
    assert [message["sent_at"] for message in messages] == sorted(message["sent_at"] for message in messages)
    assert messages[-1]["effect"] == pytest.approx(1.5 - (2.3 - 0.04))
    assert all(message["effect"] is None for message in messages if message["role"] != "customer")


def test_a_conversation_is_bounded_to_its_newest(snapshot, monkeypatch):
    monkeypatch.setattr(queries, "CONTACT_LIMIT", 2)
    messages = queries.customer_messages(snapshot, SLIDER)
    assert len(messages) == 2
    assert messages[-1]["mood_label"] == "furious"


def test_costs_are_dearest_first_and_book_the_whole_effect(snapshot):
    costs = queries.customer_costs(snapshot, SLIDER)
    assert [row["effect"] for row in costs] == sorted(row["effect"] for row in costs)
    booked = sum(row["effect"] for row in costs)
    line = queries.customer_line(snapshot, SLIDER)
    assert booked == pytest.approx((line["level"] - line["level_before"]).sum())


def test_alerts_open_and_cleared(snapshot):
    open_ones, cleared = queries.alerts(snapshot, open_ones=True), queries.alerts(snapshot, open_ones=False)
    assert [alert["alert_id"] for alert in open_ones] == ["al_2", "al_1", "al_3"]
    assert [alert["name"] for alert in cleared] == ["Bea Lindqvist"]
    assert queries.alert_counts(snapshot) == {"open": 3, "cleared": 1}
    quotes = queries.quoted_messages(snapshot, open_ones)
    assert all(message in quotes for alert in open_ones for message in alert["message_ids"])
