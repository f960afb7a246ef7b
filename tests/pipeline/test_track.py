from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from scipy.linalg import expm

from models.labels import DISSERVICES
from pipeline.errors import StoreError
from pipeline.mood_model import Course, MoodFilter, Parameters, risk
from pipeline.records import STATES
from pipeline.track import Histories, stages_of, track
from pipeline.walk import Walk

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
        ("leaving", pa.float32()),
        ("intent_labels", pa.list_(pa.string())),
        ("disservice_labels", pa.list_(pa.string())),
        ("disservice_chances", pa.list_(pa.float32())),
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
            "leaving": 0.9 if "cancel" in intents else 0.01,
            "disservice_chances": [0.8] * len(harms),
        }
    return {
        "customer_id": customer,
        "message_id": f"{customer}-{day}",
        "thread_id": thread,
        "sent_at": at(day),
        "rating": rating,
        **(reading or dict.fromkeys(("mood", "leaving", "disservice_chances"))),
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


@pytest.mark.parametrize("thread", ["t", None])
def test_the_effects_of_a_chat_add_up_to_what_it_changed(thread):
    chat = [message("c", 66 + turn / 100, 4, harms=["long_wait"], thread=thread) for turn in range(30)]
    result = tracked([*CONTENT, *chat])
    first, last = result.points[len(CONTENT)], result.points[-1]
    booked = sum(entry.effect for entry in result.ledger if entry.message_id in {turn["message_id"] for turn in chat})
    assert booked == pytest.approx(last.level - first.level_before, abs=1e-6)
    assert -5 < booked < -1


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
    for harms, chances in (([], [0.5]), (["ignored"], [None])):
        row = message("c", 1, 1, harms=harms) | {"disservice_chances": chances}
        with pytest.raises(StoreError, match="a probability a label"):
            Histories.from_arrow(pa.Table.from_pylist([row], schema=SCHEMA))


UPSET = SOURED[:-1]
"""Angry, but without a word of leaving."""


def test_what_is_left_out_is_computed_again_exactly():
    rows = [{**row, "as_of": at(88)} for row in UPSET]
    mood = mood_of(rows)
    assert {driver.kind for driver in mood.drivers} == {"message", "silence"}
    for driver in mood.drivers:
        if driver.kind == "message":
            without = mood_of([row for row in rows if row["message_id"] != driver.message_id])
        else:
            without = mood_of([{**row, "as_of": at(73)} for row in rows])
        assert driver.level_without == pytest.approx(without.level, abs=1e-8)
        assert driver.risk_90d_without == pytest.approx(without.risk_90d, abs=1e-8)
    moved = [abs(mood.level - driver.level_without) for driver in mood.drivers]
    assert moved == sorted(moved, reverse=True)


def test_silence_is_left_out_where_there_is_one():
    mood = mood_of([{**row, "as_of": at(88)} for row in UPSET])
    assert [driver.message_id for driver in mood.drivers if driver.kind == "silence"] == [None]
    assert not [d for d in mood_of([{**row, "as_of": at(77)} for row in UPSET]).drivers if d.kind == "silence"]


def test_nobody_content_or_past_saving_is_explained_message_by_message():
    assert mood_of([{**row, "as_of": at(60)} for row in CONTENT]).drivers == ()
    lost = mood_of([{**row, "as_of": at(2000)} for row in SOURED])
    assert not lost.saveable
    assert lost.drivers == ()


def sampled(parameters, belief, rows, quiet, draw, many=40_000):
    """Where ``many`` particles stand after rows of (gap, likelihood), and where each began: a filter by brute force."""
    generator, paces = parameters.generator, parameters.paces
    stay = (1 - parameters.contact_shock) * expm(_moves(parameters) * parameters.contact_days)
    stir = stay + parameters.contact_shock * parameters.initial
    flat = belief.ravel() / belief.sum()
    chosen = draw.choice(len(flat), many, p=flat)
    pace, state = chosen // 6, chosen % 6
    then, weight = state.copy(), np.ones(many)
    for gap, likelihood in rows:
        state, weight = _silent(generator, parameters, paces, pace, state, weight, gap, draw)
        arrival = np.where(state < 5, paces[pace] * parameters.arrivals[state], parameters.arrivals[5])
        weight = weight * arrival
        state = np.where(state == 5, draw.choice(6, many, p=parameters.return_to), state)
        state = _moved(stir, state, draw)
        weight = weight * likelihood[state]
    state, weight = _silent(generator, parameters, paces, pace, state, weight, quiet, draw)
    return then, state, weight


def _moves(parameters):
    moves = parameters.generator.copy()
    moves[:5, 5] = 0
    np.fill_diagonal(moves, np.diag(moves) - moves.sum(1))
    return moves


def _moved(chances, state, draw):
    return (draw.random(len(state))[:, None] > np.cumsum(chances, axis=1)[state]).sum(1).clip(0, 5)


def _silent(generator, parameters, paces, pace, state, weight, days, draw):
    """Carry particles through silence, each weighed by the chance that its mood and pace keep quiet for so long."""
    steps = 40
    step = expm(generator * days / steps)
    for _ in range(steps):
        rates = np.where(state < 5, paces[pace] * parameters.arrivals[state], parameters.arrivals[5])
        after = _moved(step, state, draw)
        rates = (rates + np.where(after < 5, paces[pace] * parameters.arrivals[after], parameters.arrivals[5])) / 2
        state, weight = after, weight * np.exp(-rates * days / steps)
    return state, weight


def test_the_probability_of_a_lower_step_is_that_of_the_joint_distribution():
    rows = [message("c", 0, 1), message("c", 40, 1), message("c", 66, 3), message("c", 73, 3)]
    mood = mood_of([{**row, "as_of": at(80)} for row in rows])
    histories = Histories.from_arrow(pa.Table.from_pylist([{**row, "as_of": at(80)} for row in rows], schema=SCHEMA))
    walk, machine = Walk.of(histories, PARAMETERS), MoodFilter(PARAMETERS)
    first = walk.part(np.array([0]), np.array([2])).run(machine)
    then = machine.silence(first.last, np.array([10.0]))[:, 0]
    later = [(16.0, walk.likelihood[2]), (7.0, walk.likelihood[3])]
    began, now, weight = sampled(PARAMETERS, then, later, 7.0, np.random.default_rng(1))
    assert mood.lower_30d == pytest.approx(np.average(now > began, weights=weight), abs=0.02)
    assert mood.level == pytest.approx(np.average(5.0 - now, weights=weight), abs=0.04)
    assert mood.lower_30d > 0.5


def test_a_lower_step_is_unlikely_for_the_content_and_likely_for_the_soured():
    content = mood_of([{**row, "as_of": at(60)} for row in CONTENT])
    soured = mood_of([{**row, "as_of": at(77)} for row in SOURED])
    assert content.lower_30d < 0.2
    assert soured.lower_30d > 0.7


def test_the_short_slope_is_the_change_since_seven_days_before():
    then = mood_of([{**row, "as_of": at(73.5)} for row in SOURED if row["sent_at"] <= at(73.5)])
    now = mood_of([{**row, "as_of": at(80.5)} for row in SOURED])
    assert now.slope_7d == pytest.approx(now.level - then.level, abs=1e-8)


def test_the_interval_holds_the_level_and_grows_with_doubt():
    mood = mood_of([{**row, "as_of": at(77)} for row in SOURED])
    assert mood.level_low <= mood.level <= mood.level_high
    assert {mood.level_low, mood.level_high} <= {0.0, 1.0, 2.0, 3.0, 4.0, 5.0}


def stage_after(masses_of_worse):
    """The stage after messages with that mass on ``annoyed``, the rest on ``unsure``; the last mass is that of now."""
    states = np.zeros((len(masses_of_worse), 6))
    states[:, 3] = masses_of_worse
    states[:, 2] = 1 - states[:, 3]
    rows = len(states) - 1
    course = Course.of(np.zeros(rows, dtype=np.int64), np.arange(rows) * 1.0, np.full(rows, -1), PARAMETERS)
    return STATES[int(stages_of(states[:-1], course, states[-1:])[0])]


def test_the_stage_does_not_flap_about_a_border():
    assert stage_after([0.2, 0.52]) == "unsure"
    assert stage_after([0.2, 0.56]) == "annoyed"
    assert stage_after([0.2, 0.56, 0.48]) == "annoyed"
    assert stage_after([0.2, 0.56, 0.48, 0.52, 0.46]) == "annoyed"
    assert stage_after([0.2, 0.56, 0.44]) == "unsure"
    assert stage_after([0.52, 0.52]) == "annoyed"


def test_a_stage_jumps_over_several_borders_at_once():
    states = np.eye(6)[[0, 4]]
    course = Course.of(np.zeros(1, dtype=np.int64), np.zeros(1), np.full(1, -1), PARAMETERS)
    assert stages_of(states[:1], course, states[1:]).tolist() == [4]


def test_an_effect_stands_whole_at_its_own_hour_and_changes_with_time():
    now = tracked([{**row, "as_of": at(76)} for row in SOURED]).ledger
    later = {entry.message_id: entry for entry in tracked(SOURED).ledger}
    for entry in now:
        if entry.message_id == "c-76":
            assert entry.standing == pytest.approx(entry.effect, abs=1e-8)
            assert later["c-76"].standing != pytest.approx(entry.effect, abs=1e-3)


def test_time_shifted_is_the_same():
    moved = [{**row, "sent_at": row["sent_at"] + timedelta(days=3650)} for row in crowd()]
    moved = [{**row, "as_of": row["as_of"] + timedelta(days=3650)} for row in moved]
    for now, then in zip(tracked(moved).moods, tracked(crowd()).moods, strict=True):
        assert now.mood == pytest.approx(then.mood, abs=1e-8)
        assert now.risk_90d == pytest.approx(then.risk_90d, abs=1e-8)


@pytest.mark.parametrize("gap", [1 / 86_400, 3650.0])
def test_gaps_of_a_second_and_of_ten_years_are_safe(gap):
    mood = mood_of([message("c", 0, 4), message("c", gap, 0), message("c", 2 * gap, 3, as_of=3 * gap + 1)])
    assert sum(mood.mood) == pytest.approx(1, abs=1e-8)
    assert 0 <= mood.risk_90d <= 1


def test_a_message_that_says_nothing_barely_moves_anything():
    rows = [{**row, "as_of": at(60)} for row in CONTENT]
    neutral = {**message("c", 56.01, 2), "mood": list(PARAMETERS.message_prior), "as_of": at(60)}
    assert mood_of([*rows, neutral]).level == pytest.approx(mood_of(rows).level, abs=0.1)


def test_no_message_alone_makes_a_delighted_customer_gone():
    rows = [message("c", 7.0 * k, 0, as_of=50) for k in range(8)]
    worst = message("c", 50, 4, harms=["no_human"], rating=1.0, as_of=50)
    assert mood_of([*rows, worst]).mood[-1] < 0.05


def test_two_sources_may_call_their_threads_alike():
    rows = [message("ann", 1, 3, thread="17"), message("ann", 9, 3, thread="17"), message("ann", 20, 3)]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    one, other = (table.append_column("source", pa.array(names)) for names in (["desk"] * 3, ["desk", "chat", "chat"]))
    assert Histories.from_arrow(one).threads.tolist() == [0, 0, -1]
    assert Histories.from_arrow(other).threads.tolist() == [0, 1, -1]
