"""The reports from a whole home: messages landed, read, tracked and published, then asked by the command line."""

import json
import random
from datetime import UTC, datetime, timedelta

import pytest

from models.labels import DISSERVICES, INTENTS, MOODS
from pipeline.config import Settings
from pipeline.mood_model import Parameters
from pipeline.records import Customer, Message, Reading
from pipeline.steps import follow
from pipeline.store import Landing, Warehouse

START = datetime(2026, 5, 4, 9, tzinfo=UTC)
SINCE = START + timedelta(days=60)
PARAMETERS = Parameters.load()


def reading(message_id, mood, harms=()):
    chances = [0.04] * 5
    chances[mood] = 0.84
    return Reading(
        message_id, "v1", tuple(chances), (0.3, 0.3, 0.4), (0.01,) * len(INTENTS),
        tuple(0.8 if name in harms else 0.02 for name in DISSERVICES), MOODS[mood], "neutral", (), tuple(harms),
    )  # fmt: skip


def said(name, customer, day, **more):
    return Message(name, "desk", "transcript", "words", START + timedelta(days=day), customer, **more)


def contact(customer, day, moods, agent, department):
    """A thread of customer, agent, customer; ``moods`` are those of the customer's two turns."""
    thread = f"{customer}-{day}"
    about = {"thread_id": thread, "department": department}
    first, last = (f"{thread}-{turn}" for turn in (1, 3))
    messages = [
        said(first, customer, day, **about),
        said(f"{thread}-2", customer, day + 0.01, role="agent", author=agent, **about),
        said(last, customer, day + 0.02, **about),
    ]
    harms = ("no_human",) if moods[0] > 2 else ()
    return messages, [reading(first, moods[0], harms), reading(last, moods[1])]


def company():
    """Ana (sales) leaves customers delighted, Bo (service) leaves them annoyed until the change, then content."""
    messages, readings = [], []
    for number in range(30):
        customer = f"c_{number:02}"
        for day in range(0, 120, 12):
            served = number % 2 == 0
            mended = day >= 60
            moods = ((3, 3), (2, 1))[mended] if served else (1, 1)
            agent, department = ("Bo", "service") if served else ("Ana", "sales")
            own = contact(customer, day + 0.1 * (number % 7), moods, agent, department)
            beside = contact(customer, day + 6, (1, number % 4 // 2), "Ana", "sales") if number < 8 else ([], [])
            for more in (own, beside):
                messages += more[0]
                readings += more[1]
    return messages, readings


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    from pipeline.config import Home

    place = Home(tmp_path_factory.mktemp("company"))
    messages, readings = company()
    with Warehouse.open(place) as warehouse:
        warehouse.land(Landing("desk", "file", "transcript", {}, messages))
        warehouse.add_readings(readings)
        warehouse.save_customers([Customer(f"c_{n:02}", value=100.0 * (n + 1)) for n in range(30)])
        follow(warehouse, PARAMETERS, "v1", Settings())
        warehouse.publish()
    return place


def asked(called, home, *words):
    done = called(*words, "--json", home=home)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_lift_ranks_whoever_leaves_customers_better(called, home):
    rows = {row["name"]: row for row in asked(called, home, "lift", "--by", "agent")}
    assert set(rows) == {"Ana", "Bo"}
    assert rows["Ana"]["contacts"] == 15 * 10 + 8 * 10
    assert rows["Bo"]["contacts"] == 150
    assert rows["Bo"]["compared"] < 150
    assert {rows["Ana"]["rank"], rows["Bo"]["rank"]} == {1, 2}
    assert all(row["low"] < row["lift"] < row["high"] for row in rows.values())
    teams = asked(called, home, "lift", "--by", "team")
    assert {row["name"] for row in teams} == {"sales", "service"}


def test_the_gap_is_of_the_same_customers(called, home):
    (gap,) = asked(called, home, "gap")
    assert (gap["one"], gap["other"], gap["customers"]) == ("sales", "service", 4)
    assert gap["gap"] > 1
    assert gap["low"] < gap["gap"] < gap["high"]
    assert not gap["clear"], "four customers are too few"


def test_the_ledger_puts_value_at_risk_on_what_cost_it(called, home):
    rows = {row["name"]: row for row in asked(called, home, "ledger")}
    harm = rows["no_human"]
    assert harm["effect"] < 0
    assert harm["low"] < harm["effect"] < harm["high"]
    assert abs(harm["standing"]) < abs(harm["effect"])
    assert harm["at_risk"] > 0
    customers = asked(called, home, "customers", "--limit", "100")
    shared = [sum(row["at_risk"] for row in asked(called, home, "ledger", "--by", by)) for by in ("item", "channel")]
    assert shared[0] == pytest.approx(shared[1])
    assert 0.5 < shared[0] / sum(row["value_at_risk"] for row in customers) <= 1 + 1e-9
    agents = {row["name"] for row in asked(called, home, "ledger", "--by", "agent")}
    assert agents == {"Ana", "Bo"}
    weeks = [row["name"] for row in asked(called, home, "ledger", "--by", "week", "--since", "2026-07-01")]
    assert weeks == sorted(weeks)
    assert weeks[0] >= "2026-06-29"


def test_two_desks_that_number_their_threads_alike_keep_their_own_agents(tmp_path):
    from pipeline import reports
    from pipeline.config import Home

    place = Home(tmp_path)
    with Warehouse.open(place) as warehouse:
        for hour, (source, agent) in enumerate((("desk", "Ana"), ("shop", "Bo"))):
            words = {"source": source, "channel": "transcript", "text": "words", "thread_id": "1"}
            sent = [START + timedelta(hours=hour, minutes=5 * turn) for turn in range(2)]
            answer = Message(f"{source}-a", sent_at=sent[0], customer_id=source, role="agent", author=agent, **words)
            said = Message(f"{source}-c", sent_at=sent[1] + timedelta(hours=3), customer_id=source, **words)
            warehouse.land(Landing(source, "file", "transcript", {}, [answer, said]))
            warehouse.add_readings([reading(f"{source}-c", 3, ("no_human",) if source == "desk" else ())])
        follow(warehouse, PARAMETERS, "v1", Settings())
        warehouse.publish()
    rows = {row["name"]: row for row in reports.ledger(place, "agent")}
    assert {name: (row["messages"], row["customers"]) for name, row in rows.items()} == {"Ana": (1, 1), "Bo": (1, 1)}


def test_effect_finds_the_change(called, home):
    found = asked(called, home, "effect", "--since", f"{SINCE:%Y-%m-%d}", "--where", "department=service")
    assert found["verdict"] == "helped"
    mood = found["changes"][0]
    assert mood["low"] > 0.5
    assert found["touched"] == 15
    assert found["untouched"] == 15
    shown = called("effect", "--since", f"{SINCE:%Y-%m-%d}", "--where", "department=service", home=home)
    assert "It helped" in shown.stderr


def test_wrong_questions_name_what_is_known(called, home):
    for words, told in (
        (("lift", "--by", "moon"), "one of agent, team, channel, source"),
        (("ledger", "--by", "moon"), "one of item, product"),
        (("effect", "--since", "2026-07-01", "--where", "mood=5"), "NAME=VALUE"),
        (("effect", "--since", "2026-07-01", "--where", "product=moon"), "no message from"),
        (("effect", "--since", "2026-07-01", "--where", "product=moon", "--days", "0"), "at least 1"),
        (("effect", "--since", "2026-07-01", "--where", "product=moon", "--days", "9999999999"), "no calendar"),
    ):
        done = called(*words, home=home)
        assert done.returncode == 2
        assert told in done.stderr


def test_nothing_published_says_what_to_do(called, tmp_path):
    from pipeline.config import Home

    for words in (("lift",), ("gap",), ("ledger",)):
        done = called(*words, home=Home(tmp_path / "empty"))
        assert done.returncode == 1
        assert "moodline run" in done.stderr


# --- incremental and exact -----------------------------------------------------------------------------------------


def state_of(warehouse):
    found = {}
    for name in ("customer_mood", "mood_point", "ledger_entry"):
        rows = warehouse._database.connection.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall()
        found[name] = rows
    return found


def grown(messages, readings, order, step):
    """Land messages in an order, some at a time, with tracking after each landing."""
    read = {reading.message_id: reading for reading in readings}
    with Warehouse.in_memory() as warehouse:
        for begin in range(0, len(order), step):
            part = [messages[place] for place in order[begin : begin + step]]
            warehouse.land(Landing("desk", "file", "transcript", {}, part))
            warehouse.add_readings([read[m.message_id] for m in part if m.message_id in read])
            follow(warehouse, PARAMETERS, "v1", Settings())
        return state_of(warehouse)


@pytest.mark.parametrize("seed", [1, 2])
def test_any_history_of_increments_equals_a_rebuild(seed):
    messages, readings = company()
    chosen = [place for place, m in enumerate(messages) if m.customer_id < "c_06"]
    whole = grown(messages, readings, chosen, len(chosen))
    mixed = list(chosen)
    random.Random(seed).shuffle(mixed)
    assert grown(messages, readings, mixed, 61) == whole


def test_a_run_touches_only_customers_with_news():
    messages, readings = company()
    with Warehouse.in_memory() as warehouse:
        warehouse.land(Landing("desk", "file", "transcript", {}, messages))
        warehouse.add_readings(readings)
        assert follow(warehouse, PARAMETERS, "v1", Settings()) == 30
        assert follow(warehouse, PARAMETERS, "v1", Settings()) == 0
        newest = max(message.sent_at for message in messages)
        late = Message("late", "desk", "transcript", "words", newest + timedelta(minutes=5), "c_03")
        warehouse.land(Landing("desk", "file", "transcript", {}, [late]))
        warehouse.add_readings([reading("late", 4)])
        assert warehouse.customers_to_track("v1", f"{PARAMETERS.digest()} {Settings().default_value:g}") == ["c_03"]


def test_customers_stay_whole_however_small_the_parts():
    messages, readings = company()
    with Warehouse.in_memory() as warehouse:
        warehouse.land(Landing("desk", "file", "transcript", {}, messages))
        warehouse.add_readings(readings)
        names = [f"c_{number:02}" for number in range(30)]
        parts = [part["customer_id"].to_pylist() for part in warehouse.histories_in_parts(names, "v1", 7)]
        assert [name for part in parts for name in part] == warehouse.histories(names, "v1")["customer_id"].to_pylist()
        assert len(parts) > 20
        assert sum(len(set(part)) for part in parts) == 30
