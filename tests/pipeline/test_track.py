from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from models.labels import DISSERVICES, INTENTS
from pipeline.errors import StoreError
from pipeline.mood_model import Parameters, risk
from pipeline.records import STATES
from pipeline.track import Histories, track

START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
PARAMETERS = Parameters.load()
SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("message_id", pa.string()),
        ("thread_id", pa.string()),
        ("sent_at", pa.timestamp("us")),
        ("rating", pa.float64()),
        ("mood", pa.list_(pa.float32())),
        ("intents", pa.list_(pa.float32())),
        ("disservices", pa.list_(pa.float32())),
        ("intent_labels", pa.list_(pa.string())),
        ("disservice_labels", pa.list_(pa.string())),
        ("as_of", pa.timestamp("us")),
        ("value", pa.float64()),
    ]
)


def at(days):
    return (START + timedelta(days=days)).replace(tzinfo=None)


def message(customer, day, mood=None, *, intents=(), harms=(), rating=None, thread=None, as_of=120.0, value=None):
    """One row as the warehouse gives it; ``mood`` is the peak of the reading, None for a message without text."""
    reading = None
    if mood is not None:
        shares = np.exp(-1.6 * np.abs(np.arange(5) - mood))
        reading = {
            "mood": (shares / shares.sum()).tolist(),
            "intents": [0.9 if name in intents else 0.01 for name in INTENTS],
            "disservices": [0.8 if name in harms else 0.01 for name in DISSERVICES],
        }
    return {
        "customer_id": customer,
        "message_id": f"{customer}-{day}",
        "thread_id": thread,
        "sent_at": at(day),
        "rating": rating,
        **(reading or dict.fromkeys(("mood", "intents", "disservices"))),
        "intent_labels": list(intents) if reading else None,
        "disservice_labels": list(harms) if reading else None,
        "as_of": at(as_of),
        "value": value,
    }


def tracked(rows, **options):
    return track(Histories.from_arrow(pa.Table.from_pylist(rows, schema=SCHEMA)), PARAMETERS, "v1", **options)


def mood_of(rows, **options):
    (mood,) = tracked(rows, **options).moods
    return mood


CONTENT = [message("c", 14.0 * k, 1) for k in range(5)]
SOURED = [
    *CONTENT,
    message("c", 66, 3, intents=["complaint"], harms=["billing_error"]),
    message("c", 73, 4, intents=["complaint"], harms=["no_human", "billing_error"]),
    message("c", 76, 4, intents=["cancel", "complaint"]),
]


def test_a_slide_is_seen_explained_and_booked():
    result = tracked([{**row, "as_of": at(77), "value": 900.0} for row in SOURED])
    (mood,) = result.moods
    assert mood.stage in {"annoyed", "furious"}
    assert mood.slope_30d < -1
    assert mood.level == pytest.approx(float(np.dot(mood.mood, [5, 4, 3, 2, 1, 0])))
    assert mood.messages == len(SOURED)
    assert mood.last_message_at == START + timedelta(days=76)
    assert mood.as_of == START + timedelta(days=77)
    content = float(risk(PARAMETERS, np.eye(6)[[1]], 90)[0])
    avoidable = mood.risk_90d - mood.mood[-1] - (1 - mood.mood[-1]) * content
    assert mood.value_at_risk == pytest.approx(900 * avoidable)
    assert any(reason.startswith("billing error on 2 days since 7 May cost") for reason in mood.reasons)
    assert "said they would leave on 17 May" in mood.reasons


def test_points_and_ledger_add_up():
    result = tracked(SOURED)
    effects = {}
    for entry in result.ledger:
        effects[entry.message_id] = effects.get(entry.message_id, 0.0) + entry.effect
    for point in result.points:
        assert effects[point.message_id] == pytest.approx(point.level - point.level_before, abs=1e-8)
        assert sum(point.mood) == pytest.approx(1, abs=1e-8)
        assert point.at.tzinfo is UTC
    assert [point.message_id for point in result.points] == [row["message_id"] for row in SOURED]


def test_effects_are_booked_on_what_the_message_names():
    rows = [*SOURED, message("c", 90, 0, intents=["praise"]), message("c", 100, 1, harms=["long_wait"])]
    items = {}
    for entry in tracked(rows).ledger:
        items.setdefault(entry.message_id, []).append((entry.item, entry.effect))
    assert {item for item, _ in items["c-73"]} == {"no_human", "billing_error"}
    assert items["c-73"][0][1] == pytest.approx(items["c-73"][1][1])
    assert all(effect < 0 for _, effect in items["c-73"])
    assert items["c-90"][0][0] == "praise"
    assert items["c-90"][0][1] > 0
    assert items["c-76"][0][0] == "mood"
    assert items["c-100"][0][0] == ("long_wait" if items["c-100"][0][1] < 0 else "mood")


def test_a_soured_customer_who_goes_quiet_is_explained_by_silence():
    mood = mood_of(SOURED)
    assert mood.risk_90d > 0.6
    assert mood.days_left == 0
    assert any(reason.startswith("silent for 44 days, usually writes every") for reason in mood.reasons)


def test_a_content_customer_who_is_quiet_for_a_while_is_no_alarm():
    mood = mood_of([{**row, "as_of": at(56 + 40)} for row in CONTENT])
    assert mood.stage in {"delighted", "content"}
    assert mood.risk_90d < 0.15
    assert mood.slope_30d > -0.6


def test_one_angry_first_message_is_no_slide():
    mood = mood_of([message("c", 100, 4, as_of=103)])
    assert abs(mood.slope_30d) < 0.2
    assert mood.level < 3


def test_slope_is_the_change_since_thirty_days_before():
    rows = [{**row, "as_of": at(80)} for row in SOURED]
    then = mood_of([{**row, "as_of": at(50)} for row in SOURED if row["sent_at"] <= at(50)])
    now = mood_of(rows)
    assert now.slope_30d == pytest.approx(now.level - then.level, abs=1e-8)


def test_stars_count_and_one_star_is_worse_than_five():
    low, high = (mood_of([message("c", 100, rating=stars)]) for stars in (1.0, 5.0))
    assert low.level < high.level - 1


def test_without_text_or_stars_a_message_is_only_an_arrival():
    result = tracked([message("c", 100)])
    (point,) = result.points
    assert point.level == pytest.approx(point.level_before)


def test_value_unknown_takes_the_default():
    rows = [message("c", 100, 4)]
    assert mood_of(rows, default_value=500).value_at_risk == pytest.approx(5 * mood_of(rows).value_at_risk, abs=1e-6)


def test_nothing_in_gives_nothing_out():
    assert tracked([]).moods == []


def crowd(seed=11, customers=40):
    generator, rows = np.random.default_rng(seed), []
    for number in range(customers):
        for day in np.unique(np.round(generator.uniform(0, 110, generator.integers(1, 12)), 3)):
            harms = [name for name in DISSERVICES if generator.random() < 0.05]
            rows.append(message(f"c{number:02}", float(day), int(generator.integers(0, 5)), harms=harms))
    return rows


def test_the_order_of_rows_and_copies_of_rows_do_not_matter():
    rows = crowd()
    mixed = [*rows, *rows[::3]]
    np.random.default_rng(2).shuffle(mixed)
    assert tracked(mixed).moods == tracked(rows).moods
    assert tracked(mixed).points == tracked(rows).points
    assert tracked(mixed).ledger == tracked(rows).ledger


def test_one_customer_tracked_alone_equals_the_same_in_a_crowd():
    rows = crowd()
    together = {mood.customer_id: mood for mood in tracked(rows).moods}
    for customer in list(together)[:10]:
        alone = mood_of([row for row in rows if row["customer_id"] == customer])
        assert alone == together[customer]


def test_figures_are_in_their_ranges():
    for mood in tracked(crowd()).moods:
        assert sum(mood.mood) == pytest.approx(1, abs=1e-8)
        assert mood.stage in STATES
        assert mood.mood[-1] - 1e-9 <= mood.risk_30d <= mood.risk_90d <= 1
        assert mood.value_at_risk >= 0
        assert mood.days_left is None or 0 <= mood.days_left <= 365
        assert len(mood.reasons) <= 4


def test_messages_newer_than_as_of_move_it():
    mood = mood_of([message("c", 100, 1, as_of=90)])
    assert mood.as_of == START + timedelta(days=100)


def test_what_was_heard_defaults_to_the_last_message():
    row = message("c", 100, 1)
    row["as_of"] = None
    assert mood_of([row]).as_of == START + timedelta(days=100)


def test_a_missing_column_and_a_short_reading_are_named():
    table = pa.Table.from_pylist([message("c", 1, 1)], schema=SCHEMA)
    with pytest.raises(StoreError, match="histories lack value"):
        Histories.from_arrow(table.drop(["value"]))
    with pytest.raises(StoreError, match="mood should hold 5 probabilities"):
        Histories.from_arrow(pa.Table.from_pylist([{**message("c", 1, 1), "mood": [0.5, 0.5]}], schema=SCHEMA))
