"""Purchases, refunds and outcomes on their way from the company's records into the mood, in any order of arrival."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from scipy.linalg import expm

from pipeline import identity_matching as matching
from pipeline import readout
from pipeline.config import Home, Settings
from pipeline.customer_import import records
from pipeline.display import show_customer
from pipeline.errors import StoreError
from pipeline.histories import Histories
from pipeline.mood_model import (
    EVENTS,
    GONE,
    Course,
    Parameters,
    days_left,
    lead_evidence,
    risk,
)
from pipeline.records import IncomingMessage, Reading
from pipeline.sources.spec import Batch, FileSpec
from pipeline.steps import Lander, follow, import_customers
from pipeline.store import Warehouse
from pipeline.track import track

START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
PARAMETERS = Parameters.load()
KEY = "secret"
SETTINGS = Settings(customer_key=KEY)
SCHEMA = pa.schema(
    [("customer_id", pa.string()), ("message_id", pa.string()), ("thread_id", pa.string())]
    + [("sent_at", pa.timestamp("us")), ("rating", pa.float64())]
    + [("mood", pa.list_(pa.float32())), ("leaving", pa.float32()), ("disservice_chances", pa.list_(pa.float32()))]
    + [(name, pa.list_(pa.string())) for name in ("intent_labels", "disservice_labels")]
    + [("as_of", pa.timestamp("us")), ("value", pa.float64())]
)
EVENT_SCHEMA = pa.schema([("customer_id", pa.string()), ("kind", pa.string()), ("happened_at", pa.timestamp("us"))])


# ---- tracking -----------------------------------------------------------------------------------------------------


def at(days):
    return (START + timedelta(days=days)).replace(tzinfo=None)


def message(day, mood, customer="c", thread=None, as_of=100.0):
    shares = np.exp(-1.6 * np.abs(np.arange(5) - mood))
    return {
        "customer_id": customer,
        "message_id": f"{customer}-{day}",
        "thread_id": thread,
        "sent_at": at(day),
        "mood": (shares / shares.sum()).tolist(),
        "leaving": 0.01,
        "disservice_chances": [0.8] if mood >= 3 else [],
        "intent_labels": [],
        "disservice_labels": ["long_wait"] if mood >= 3 else [],
        "as_of": at(as_of),
    }


def event(day, kind, customer="c"):
    return {"customer_id": customer, "kind": kind, "happened_at": at(day)}


def tracked(rows, events=(), parameters=PARAMETERS):
    happened = pa.Table.from_pylist(list(events), schema=EVENT_SCHEMA)
    return track(Histories.from_arrow(pa.Table.from_pylist(rows, schema=SCHEMA), happened), parameters, "v1")


def mood_of(rows, events=(), parameters=PARAMETERS):
    (mood,) = tracked(rows, events, parameters).moods
    return mood


CONTENT = [message(14.0 * k, 1) for k in range(5)]


def test_who_left_is_gone_from_then_on():
    mood = mood_of([{**row, "as_of": at(80)} for row in CONTENT], [event(62, "left")])
    assert (mood.stage, mood.level, mood.risk_90d, mood.days_left) == ("gone", 0, 1, 0)
    assert mood.value_at_risk == 0
    assert not mood.saveable
    assert mood.slope_30d < -3
    assert mood.reasons[0] == "left on 3 May"
    assert (mood.messages, mood.last_message_at) == (5, START + timedelta(days=56))


@pytest.mark.parametrize("kind", ["won_back", "renewed", "purchase"])
def test_who_came_back_is_gone_no_more(kind):
    mood = mood_of(CONTENT, [event(62, "left"), event(90, kind)])
    assert mood.mood[GONE] < 0.1
    assert mood.value_at_risk > 0
    assert not [reason for reason in mood.reasons if reason.startswith("left on")]


def test_who_writes_after_leaving_is_there_and_a_refund_brings_nobody_back():
    wrote = mood_of([*CONTENT, message(99, 2)], [event(62, "left")])
    assert wrote.mood[GONE] < 0.1
    assert not [reason for reason in wrote.reasons if reason.startswith("left on")]
    assert mood_of(CONTENT, [event(62, "left"), event(70, "refund")]).stage == "gone"


def test_a_refund_lowers_and_says_so():
    lately = [{**row, "as_of": at(64)} for row in CONTENT]
    plain, refunded = mood_of(lately), mood_of(lately, [event(62, "refund")])
    assert refunded.level < plain.level - 0.1
    assert refunded.value_at_risk > plain.value_at_risk
    assert any(reason.startswith("refund on 3 May cost 0.") for reason in refunded.reasons)


def test_after_a_sale_risks_count_probation():
    neutral = replace(PARAMETERS, event_evidence=np.ones((len(EVENTS), 6)))
    calm, tried = (mood_of(CONTENT, [event(98, kind)], neutral) for kind in ("renewed", "purchase"))
    assert tried.risk_30d > calm.risk_30d
    assert tried.risk_90d > calm.risk_90d
    over = mood_of(CONTENT, [event(98 - PARAMETERS.probation_days, "purchase")], neutral)
    states = np.array([over.mood])
    assert over.risk_90d == pytest.approx(risk(neutral, states, 90)[0], abs=1e-8)
    before = mood_of([{**row, "sent_at": at(95)} for row in CONTENT[:1]], [event(80, "purchase")], neutral)
    assert before.risk_90d == pytest.approx(risk(neutral, np.array([before.mood]), 90, np.array([10.0]))[0], abs=1e-8)


def test_days_left_on_probation_agree_with_walking_day_by_day():
    states, trial = np.array([[0.0, 0.1, 0.3, 0.5, 0.1, 0.0]] * 3), np.array([0.0, 4.0, 30.0])
    steeper = replace(PARAMETERS, probation_hazard=6.0)
    daily = {name: expm(matrix) for name, matrix in (("calm", steeper.generator), ("tried", steeper.on_probation()))}
    for found, days, standing in zip(days_left(steeper, states, 365, trial), trial, states, strict=True):
        passed = 0
        while standing[4:].sum() < 0.5:
            standing = standing @ daily["tried" if passed < days else "calm"]
            passed += 1
        assert passed - 1 <= found <= passed
    assert np.diff(days_left(steeper, states, 365, trial)).max() < 0


def test_points_and_ledger_are_of_messages_alone_and_add_up():
    result = tracked([*CONTENT, message(70, 4)], [event(40, "refund"), event(60, "purchase"), event(80, "renewed")])
    effects = {entry.message_id: entry.effect for entry in result.ledger}
    assert [point.message_id for point in result.points] == [row["message_id"] for row in [*CONTENT, message(70, 4)]]
    for point in result.points:
        assert effects[point.message_id] == pytest.approx(point.level - point.level_before, abs=1e-8)


def crowd(seed, customers=12):
    """Messages and events of many, some events before the first message, some at its very time."""
    draw, rows, events = np.random.default_rng(seed), [], []
    for number in range(customers):
        name = f"c{number:02}"
        days = np.unique(np.round(draw.uniform(0, 95, draw.integers(2, 9)), 2)).tolist()
        rows += [message(day, int(draw.integers(0, 5)), name, thread=f"t{int(day) // 20}") for day in days]
        moments = [*draw.uniform(-40, 99, draw.integers(0, 6)).tolist(), *days[: int(draw.integers(0, 2))]]
        events += [event(day, str(draw.choice(EVENTS, p=[0.4, 0.2, 0.1, 0.2, 0.1])), name) for day in moments]
    return rows, events


def test_slopes_are_the_change_since_then_with_events_too():
    rows, events = crowd(3, 30)
    now = {mood.customer_id: mood for mood in tracked(rows, events).moods}
    seen = 0
    for days in (7, 30):
        then = [{**row, "as_of": at(100 - days)} for row in rows if row["sent_at"] <= at(100 - days)]
        for mood in tracked(then, events).moods:
            slope = now[mood.customer_id].slope_7d if days == 7 else now[mood.customer_id].slope_30d
            if mood.as_of == START + timedelta(days=100 - days) and not in_contact(rows, mood.customer_id, days):
                assert slope == pytest.approx(now[mood.customer_id].level - mood.level, abs=1e-8)
                seen += 1
    assert seen > 30


def in_contact(rows, customer, days):
    """Whether a message within a week of the day is a turn of one before: the clock stands still between them."""
    sent = [row["sent_at"] for row in rows if row["customer_id"] == customer]
    return any(
        at(93 - days) <= early < at(100 - days) < late <= early + timedelta(days=7) for early in sent for late in sent
    )


def test_what_is_left_out_is_computed_again_exactly():
    rows, events = crowd(5, 40)
    result, tried = tracked(rows, events), 0
    for mood in result.moods:
        own = [row for row in rows if row["customer_id"] == mood.customer_id]
        for driver in mood.drivers:
            if driver.kind == "message":
                left = [row for row in own if row["message_id"] != driver.message_id]
                without = mood_of(left, [one for one in events if one["customer_id"] == mood.customer_id])
                assert driver.level_without == pytest.approx(without.level, abs=1e-8)
                assert driver.risk_90d_without == pytest.approx(without.risk_90d, abs=1e-8)
                tried += 1
    assert tried > 20


def test_order_and_copies_and_company_do_not_matter():
    rows, events = crowd(7)
    whole = tracked(rows, events)
    mixed_rows, mixed_events = [*rows, *rows[::3]], [*events, *events[::2], event(5, "left", "nobody")]
    random.Random(1).shuffle(mixed_rows)
    random.Random(2).shuffle(mixed_events)
    mixed = tracked(mixed_rows, mixed_events)
    assert (mixed.moods, mixed.points, mixed.ledger) == (whole.moods, whole.points, whole.ledger)
    for mood in whole.moods:
        name = mood.customer_id
        own = [[row for row in table if row["customer_id"] == name] for table in (rows, events)]
        assert mood_of(*own) == mood


def test_what_comes_after_the_last_day_heard_does_not_count_yet():
    assert mood_of(CONTENT, [event(101, "left")]) == mood_of(CONTENT)
    assert mood_of(CONTENT, [event(100, "left")]).stage == "gone"


def test_faulty_tables_are_named():
    with pytest.raises(StoreError, match="events hold 'moved'; track knows purchase"):
        mood_of(CONTENT, [event(3, "moved")])
    table = pa.Table.from_pylist(CONTENT, schema=SCHEMA)
    with pytest.raises(StoreError, match="events lack happened_at"):
        Histories.from_arrow(table, pa.Table.from_pylist([{"customer_id": "c", "kind": "left"}]))


# ---- before the first message -------------------------------------------------------------------------------------


def test_what_came_before_the_first_message_is_evidence_that_fades():
    plain = mood_of(CONTENT)
    for kind, worse in (("refund", True), ("purchase", False)):
        fresh, old = (tracked(CONTENT[:1], [event(-days, kind)]).points[0] for days in (1, 3650))
        (first,) = tracked(CONTENT[:1]).points
        assert (fresh.level_before < first.level_before - 0.05) == worse
        assert (fresh.level_before > first.level_before + 0.05) != worse
        assert old.level_before == pytest.approx(first.level_before, abs=1e-3)
    assert mood_of(CONTENT, [event(-9, "left")]).mood == pytest.approx(plain.mood, abs=1e-8)


def test_nobody_is_silent_before_their_first_message():
    neutral = replace(PARAMETERS, event_evidence=np.ones((len(EVENTS), 6)))
    plain = mood_of(CONTENT, [], neutral)
    for days in (1000, 40):
        assert mood_of(CONTENT, [event(-days, "purchase")], neutral).mood == pytest.approx(plain.mood, abs=1e-8)


def test_the_evidence_of_earlier_events_is_that_of_the_settled_chain():
    kinds = np.array([EVENTS.index("refund"), EVENTS.index("purchase"), EVENTS.index("renewed")])
    days = np.array([0.0, 12.0, 30.0])
    course = Course.of(np.zeros(3, dtype=np.int64), days, np.full(3, -1), PARAMETERS, kinds)
    found = lead_evidence(PARAMETERS, course, np.array([5.0]))[0, :5]
    moves = PARAMETERS.generator[:5, :5].copy()
    np.fill_diagonal(moves, np.diag(moves) - moves.sum(1))
    settled = np.linalg.matrix_power(expm(moves * 1000), 50)[0]
    assert settled @ moves == pytest.approx(np.zeros(5), abs=1e-12)
    joint = settled * PARAMETERS.event_evidence[kinds[0], :5]
    for gap, kind in ((12.0, kinds[1]), (18.0, kinds[2])):
        joint = joint @ expm(moves * gap) * PARAMETERS.event_evidence[kind, :5]
    expected = joint @ expm(moves * 5.0) / settled
    np.testing.assert_allclose(found / found.sum(), expected / expected.sum(), atol=1e-12)


# ---- the warehouse ------------------------------------------------------------------------------------------------


@pytest.fixture
def warehouse():
    with Warehouse.in_memory() as opened:
        yield opened


def land(warehouse, *numbers, people=4, heard=60):
    """Let messages land, each of a person and day that follow from its number."""
    found = [
        IncomingMessage(
            "desk", "transcript", f"words {n}", START + timedelta(days=(n * 7) % 50, hours=n), mail(n % people), f"n{n}"
        )
        for n in numbers
    ]
    heard_until = START + timedelta(days=heard)
    Lander.of(warehouse, SETTINGS).land(
        FileSpec("desk", "transcript"), "rest", Batch(found, [], "1"), heard_until=heard_until
    )


def mail(person):
    return f"p{person}@example.com"


def crm(warehouse, person, **events):
    return import_customers([{"id": f"A-{person}", "email": mail(person), **events}], warehouse, KEY)


def update(warehouse):
    """Read what is new, by its id, and track; return who was tracked."""
    readings = []
    for message_id, _ in warehouse.unscored("v1"):
        chance = random.Random(message_id)
        mood = [chance.random() ** 3 + 0.01 for _ in range(5)]
        rest = ((0.5, 0.3, 0.2), (0.0,) * 15, (0.5,) * 14, "unsure", "negative", (), ("ignored",))
        readings.append(Reading(message_id, "v1", tuple(p / sum(mood) for p in mood), *rest))
    warehouse.add_readings(readings)
    names = warehouse.customers_to_track("v1", f"{PARAMETERS.digest()} {SETTINGS.default_value:g}")
    assert follow(warehouse, PARAMETERS, "v1", SETTINGS) == len(names)
    return names


def rows(warehouse, sql):
    return warehouse._database.connection.execute(sql).fetchall()


def state(warehouse):
    return {
        name: rows(warehouse, f"FROM {name} ORDER BY ALL") for name in ("customer_mood", "mood_point", "ledger_entry")
    }


def assert_same(one, other):
    """Texts are equal, figures within 1e-9: the last decimal that is stored."""
    for name in one:
        assert len(one[name]) == len(other[name])
        for left, right in zip(one[name], other[name], strict=True):
            assert _near(left, right), (name, left, right)


def _near(left, right):
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(_near, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_near(left[key], right[key]) for key in left)
    return left == pytest.approx(right, abs=1.001e-9) if isinstance(left, float) else left == right


def stage_of(warehouse, person):
    return rows(warehouse, f"SELECT stage FROM customer_mood WHERE customer_id = '{find(warehouse, person)}'")


def find(warehouse, person):
    return warehouse.identities.find(mail(person))


def test_a_new_event_tracks_exactly_that_customer_again(warehouse):
    land(warehouse, *range(20))
    for person in range(4):
        crm(warehouse, person)
    assert len(update(warehouse)) == 4
    assert update(warehouse) == []
    day = "2026-04-25"
    for events in ({"purchases": day}, {"renewed": day}, {"left": day}, {"won_back": "2026-04-28"}):
        assert crm(warehouse, 2, **events) > 0
        assert update(warehouse) == [find(warehouse, 2)]
        assert stage_of(warehouse, 2) == [("gone",)] if "left" in events else stage_of(warehouse, 2) != [("gone",)]
        assert crm(warehouse, 2, **events) == 0
        assert update(warehouse) == []


def test_who_never_wrote_has_no_mood_until_they_write(warehouse):
    land(warehouse, *range(6), people=2)
    crm(warehouse, 3, purchases="2026-03-20", left="2026-04-01")
    assert find(warehouse, 3) not in update(warehouse)
    assert update(warehouse) == []
    land(warehouse, 7)
    assert update(warehouse) == [find(warehouse, 3)]
    assert len(rows(warehouse, "FROM mood_point")) == 7


def test_a_negative_amount_is_a_refund_and_leaves_the_purchase(warehouse):
    day = {"time": "2026-03-10T08:00:00", "order": "FH-7"}
    refunds = [{**day, "amount": "-12.50", "time": f"2026-03-1{n}T08:00:00"} for n in (2, 3)]
    found = records([{"id": "A-1", "purchases": [{**day, "amount": 40}, *refunds]}], KEY)
    assert len({bought.purchase_id for bought in found.purchases}) == 3
    crm(warehouse, 1, purchases=[{**day, "amount": 40}, *refunds])
    assert crm(warehouse, 1, purchases=[{**day, "amount": 40}, *refunds]) == 0
    customer = find(warehouse, 1)
    assert warehouse.events([customer])["kind"].to_pylist() == ["purchase", "refund", "refund"]
    assert crm(warehouse, 1, purchases=[{**day, "amount": 38}]) == 1
    assert warehouse.events([customer, "c_nobody"])["kind"].to_pylist() == ["purchase", "refund", "refund"]


def test_what_was_written_on_the_day_of_leaving_came_before(warehouse):
    land(warehouse, *range(6), people=1)
    last = rows(warehouse, "SELECT max(sent_at) FROM message")[0][0]
    crm(warehouse, 0, left=f"{last:%Y-%m-%d}")
    update(warehouse)
    assert stage_of(warehouse, 0) == [("gone",)]
    crm(warehouse, 0, won_back=f"{last + timedelta(days=1):%Y-%m-%dT%H:%M}")
    update(warehouse)
    assert stage_of(warehouse, 0) != [("gone",)]


def some_events(chance):
    """A row's events of the company's records, some of them after all that was heard."""

    def day():
        return f"{START + timedelta(days=chance.uniform(-90, 70)):%Y-%m-%dT%H:%M}"

    bought = [{"time": day(), "amount": chance.choice([9, -9]), "order": f"o{chance.randrange(30)}"} for _ in range(2)]
    return {"purchases": bought, chance.choice(["left", "renewed", "won_back"]): day()}


@pytest.mark.parametrize("seed", range(2))
def test_any_increments_equal_a_rebuild(warehouse, seed):
    chance, people = random.Random(seed), 3
    waiting = [("land", n) for n in range(0, 24, 4)] + [("crm", n % people) for n in range(6)] + [("decide", None)] * 6
    chance.shuffle(waiting)
    given = []
    for what, number in waiting:
        if what == "land":
            land(warehouse, *range(number, number + 4), people=people)
        elif what == "crm":
            given.append((number, some_events(chance)))
            crm(warehouse, number, **given[-1][1])
        else:
            decide(warehouse, chance, people)
        if chance.random() < 0.5:
            update(warehouse)
    update(warehouse)
    grown = state(warehouse)
    assert {made.verb for made in warehouse.identities.decisions()} >= {"merge", "split"}
    for name in (*grown, "customer_link", "moved_message", "moved_thread"):
        rows(warehouse, f"DELETE FROM {name}")
    warehouse.identities.decide([])
    warehouse.doubt_moods()
    update(warehouse)
    assert_same(grown, state(warehouse))
    assert len(grown["mood_point"]) == 24


def decide(warehouse, chance, people):
    """Merge, split off what came in, or undo: whatever can be done."""
    one, other = chance.sample(range(people), 2)
    try:
        step = chance.choice(["merge", "split", "undo"])
        if step == "merge":
            matching.merge(warehouse, mail(one), mail(other), "kim")
        elif step == "undo":
            matching.undo(warehouse, chance.choice(warehouse.identities.decisions()).decision_id, "kim")
        else:
            customer = find(warehouse, one)
            [(written,)] = rows(
                warehouse, f"SELECT any_value(message_id) FROM attributed_message WHERE customer_id = '{customer}'"
            )
            matching.split(warehouse, customer, "kim", messages=[written])
    except (StoreError, IndexError):
        return


def test_events_first_or_messages_first_is_the_same():
    found, seed = [], 0
    for first in ("events", "messages", "mixed"):
        chance = random.Random(seed)
        given = [(n % 4, some_events(chance)) for n in range(6)]
        with Warehouse.in_memory() as warehouse:
            told = [lambda w, p=p, e=e: crm(w, p, **e) for p, e in given]
            said = [lambda w, n=n: land(w, *range(n, n + 4)) for n in range(0, 24, 4)]
            done = [*told, *said] if first == "events" else [*said, *told]
            if first == "mixed":
                random.Random(seed + 50).shuffle(done)
            for number, step in enumerate(done):
                step(warehouse)
                if first == "mixed" and number % 3 == 0:
                    update(warehouse)
            update(warehouse)
            matching.merge(warehouse, mail(0), mail(1), "kim")
            update(warehouse)
            found.append(state(warehouse))
    assert_same(found[0], found[1])
    assert_same(found[0], found[2])
    assert len(found[0]["customer_mood"]) == 3


def test_a_customers_line_shows_what_happened(home: Home, capsys):
    with Warehouse.open(home) as warehouse:
        land(warehouse, *range(8), people=2)
        crm(warehouse, 1, purchases="2026-03-20", left="2026-04-29")
        update(warehouse)
        customer = find(warehouse, 1)
        warehouse.publish()
    line = readout.customer(home, customer)
    assert line["events"] == [
        {"at": "2026-03-20T00:00:00Z", "kind": "purchase"},
        {"at": "2026-04-29T23:59:59.999999Z", "kind": "left"},
    ]
    assert line["stage"] == "gone"
    assert line["reasons"][0] == "left on 29 Apr"
    show_customer(line)
    shown = capsys.readouterr().out
    assert shown.index("2026-03-20T00:00") < shown.index("2026-04-29T23:59")
