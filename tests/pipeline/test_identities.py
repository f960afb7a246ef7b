"""People across sources in a warehouse: matched, merged, split, undone, forgotten; moods are always as if rebuilt."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from pipeline import identity_matching as matching
from pipeline.config import Settings
from pipeline.errors import StoreError
from pipeline.mood_model import Parameters
from pipeline.records import IncomingMessage, Reading
from pipeline.sources.spec import Batch, FileSpec
from pipeline.steps import Lander, follow, import_customers
from pipeline.store import Warehouse

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = "secret"
SETTINGS = Settings(customer_key=KEY)
WORDS = [
    "lovely, thank you",
    "where is my order?",
    "still no answer",
    "third time I ask",
    "you are a joke, I am leaving",
]


@pytest.fixture
def warehouse():
    with Warehouse.in_memory() as opened:
        yield opened


def said(number, customer, *, day=None, source="desk", **more):
    at = START + timedelta(days=number if day is None else day)
    text = WORDS[number % len(WORDS)]
    return IncomingMessage(source, "transcript", text, at, customer, f"{source}-{number}", origin="pull", **more)


def land(warehouse, *messages):
    lander = Lander.of(warehouse, SETTINGS)
    for source in dict.fromkeys(message.source for message in messages):
        chosen = [message for message in messages if message.source == source]
        lander.land(
            FileSpec(source, "transcript"), "rest", Batch(chosen, [], "1"), heard_until=START + timedelta(days=60)
        )


def crm(warehouse, *rows):
    return import_customers(rows, warehouse, KEY)


def read_all(warehouse):
    """Give every message a reading that follows from its id."""
    readings = []
    for message_id, _ in warehouse.unscored("v1"):
        chance = random.Random(message_id)
        mood = [chance.random() ** 3 + 0.01 for _ in range(5)]
        mood = tuple(p / sum(mood) for p in mood)
        rest = ((0.5, 0.3, 0.2), (0.0,) * 15, (0.5,) * 14, "unsure", "negative", ("complaint",), ("ignored",))
        readings.append(Reading(message_id, "v1", mood, *rest))
    warehouse.add_readings(readings)


def track(warehouse):
    read_all(warehouse)
    return follow(warehouse, Parameters.load(), "v1", SETTINGS)


def query(warehouse, sql):
    return warehouse._database.connection.execute(sql).fetchall()


def state(warehouse):
    """Where everybody stands and how they came there."""
    return {
        name: query(warehouse, f"FROM {name} ORDER BY ALL") for name in ("customer_mood", "mood_point", "ledger_entry")
    }


def rebuilt(warehouse):
    """The state that comes of the same messages and decisions when everything else is computed anew."""
    for name in ("customer_mood", "mood_point", "ledger_entry", "customer_link", "moved_message", "moved_thread"):
        query(warehouse, f"DELETE FROM {name}")
    warehouse.identities.decide([])
    warehouse.doubt_moods()
    track(warehouse)
    return state(warehouse)


def whose(warehouse):
    """Message's native order → the customer it is shown under."""
    found = query(warehouse, "SELECT customer_id FROM attributed_message ORDER BY source, sent_at, message_id")
    return [customer for (customer,) in found]


MAIL = "ann@example.com"


def ann(warehouse):
    """Ann writes by handle, by e-mail and as requester 17; the company's records come last."""
    land(warehouse, said(0, "@ann_k", source="x"), said(1, MAIL), said(2, MAIL, day=9), said(3, "bob@example.com"))
    land(warehouse, said(4, "17", known_as=(("requester", "desk:17"), ("email", MAIL), ("name", "Ann Kay"))))
    crm(warehouse, {"id": "A-1", "name": "Ann Kay", "email": MAIL, "handle": "@ann_k", "value": "900", "plan": "plus"})


# --- Exact matching --------------------------------------------------------------------------------------------------


def test_a_handle_an_address_and_a_requester_are_one_customer(warehouse):
    ann(warehouse)
    customer = warehouse.identities.find("A-1")
    assert {warehouse.identities.find(name) for name in (MAIL, "@ann_k", "17", "Ann Kay")} == {customer}
    assert sorted(whose(warehouse)) == sorted([customer] * 4 + [warehouse.identities.find("bob@example.com")])
    assert track(warehouse) == 2
    assert query(
        warehouse, "SELECT customer_id, messages, value_at_risk > 0 FROM customer_mood WHERE messages = 4"
    ) == [(customer, 4, True)]
    assert query(warehouse, "SELECT value FROM known_customer WHERE plan = 'plus'") == [(900.0,)]
    assert state(warehouse) == rebuilt(warehouse)


def test_the_order_in_which_things_come_in_is_of_no_account(warehouse):
    ann(warehouse)
    track(warehouse)
    with Warehouse.in_memory() as other:
        crm(other, {"id": "A-1", "name": "Ann Kay", "email": MAIL, "handle": "@ann_k", "value": "900", "plan": "plus"})
        land(other, said(4, "17", known_as=(("requester", "desk:17"), ("email", MAIL), ("name", "Ann Kay"))))
        matching.match_exactly(other)
        land(other, said(3, "bob@example.com"), said(2, MAIL, day=9), said(1, MAIL), said(0, "@ann_k", source="x"))
        matching.match_exactly(other)
        track(other)
        assert state(other) == state(warehouse)


def test_matching_again_says_nothing_new(warehouse):
    ann(warehouse)
    log, revision = warehouse.identities.decisions(), warehouse.revision
    assert matching.match_exactly(warehouse) == 0
    assert (warehouse.identities.decisions(), warehouse.revision) == (log, revision)


def test_a_shared_address_is_nobody_s(warehouse):
    mail = "smiths@example.com"
    crm(warehouse, {"id": "1", "name": "John Smith", "email": mail}, {"id": "2", "name": "Mary Smith", "email": mail})
    land(
        warehouse,
        said(1, mail),
        said(2, mail, known_as=(("name", "Mary Smith"),)),
        said(3, "M-2", known_as=(("email", mail),)),
    )
    land(warehouse, said(4, "M-3", known_as=(("email", mail), ("name", "Mary Smith"))))
    matching.match_exactly(warehouse)
    mary, john = warehouse.identities.find("2"), warehouse.identities.find("1")
    found = whose(warehouse)
    assert found[1:] == [mary, found[2], mary]
    assert len({found[0], found[2], mary, john}) >= 3
    assert john not in found
    with pytest.raises(StoreError, match=r"customers go \(.*by 'smiths@example.com'"):
        warehouse.identities.find(mail)


def test_somebody_else_who_writes_from_a_known_address_is_somebody_else(warehouse):
    crm(warehouse, {"id": "1", "name": "John Smith", "email": MAIL})
    land(warehouse, said(1, MAIL, known_as=(("name", "Mary Smith"),)), said(2, MAIL, known_as=(("name", "J. Smith"),)))
    matching.match_exactly(warehouse)
    first, second = whose(warehouse)
    assert first != second == warehouse.identities.find("1")


# --- What people decide ----------------------------------------------------------------------------------------------


def test_merge_and_undo_move_the_whole_line(warehouse):
    land(warehouse, *(said(n, "p" if n % 2 else "q") for n in range(10)))
    assert track(warehouse) == 2
    apart = state(warehouse)
    made = matching.merge(warehouse, "p", "q", "kim")
    assert state(warehouse)["customer_mood"] == []
    assert track(warehouse) == 1
    assert [row[0] for row in state(warehouse)["customer_mood"]] == [warehouse.identities.find("q")]
    assert len(state(warehouse)["mood_point"]) == 10
    assert state(warehouse) != apart
    assert state(warehouse) == rebuilt(warehouse)
    matching.undo(warehouse, made.decision_id, "kim")
    assert track(warehouse) == 2
    assert state(warehouse) == apart


def test_what_lands_while_merged_returns_to_its_own_after_an_undo(warehouse):
    land(warehouse, said(1, "p"), said(2, "q"))
    made = matching.merge(warehouse, "p", "q", "kim")
    land(warehouse, said(3, "q"), said(4, "p"))
    assert len(set(whose(warehouse))) == 1
    matching.undo(warehouse, made.decision_id, "kim")
    one, two, three, four = whose(warehouse)
    assert one == four != two == three


def test_two_people_behind_one_address_are_split_by_thread_and_message(warehouse):
    land(warehouse, *(said(n, MAIL, thread=f"T-{n % 3}") for n in range(9)))
    track(warehouse)
    before = state(warehouse)
    [first] = set(whose(warehouse))
    ids = [
        row[0] for row in query(warehouse, "SELECT message_id FROM message WHERE thread_id = 'T-1' ORDER BY sent_at")
    ]
    made = matching.split(warehouse, MAIL, "kim", messages=ids[:1], threads=["T-2"])
    other = made.effects[0].first
    land(warehouse, said(11, MAIL, thread="T-2"), said(12, MAIL, thread="T-1"))
    expected = [other if n % 3 == 2 or n == 1 else first for n in range(9)] + [other, first]
    assert whose(warehouse) == expected
    assert track(warehouse) == 2
    assert state(warehouse) == rebuilt(warehouse)
    with pytest.raises(StoreError, match="T-2 is no message or thread of"):
        matching.split(warehouse, MAIL, "kim", threads=["T-2"])
    with pytest.raises(StoreError, match="--profile, --message or --thread"):
        matching.split(warehouse, MAIL, "kim")
    matching.undo(warehouse, made.decision_id, "kim")
    assert set(whose(warehouse)) == {first}
    query(warehouse, "DELETE FROM message WHERE sent_at > '2026-03-11'")
    track(warehouse)
    assert state(warehouse) == before


def test_a_message_of_a_thread_that_was_split_off_is_split_off_again(warehouse):
    land(warehouse, *(said(n, MAIL, thread=f"T-{n % 3}") for n in range(9)))
    other = matching.split(warehouse, MAIL, "kim", threads=["T-2"]).effects[0].first
    assert track(warehouse) == 2
    [(message,)] = query(warehouse, "SELECT message_id FROM message WHERE thread_id = 'T-2' ORDER BY sent_at LIMIT 1")
    matching.split(warehouse, other, "kim", messages=[message])
    assert track(warehouse) == 2
    assert state(warehouse) == rebuilt(warehouse)
    matching.undo(warehouse, warehouse.identities.decisions()[-1].decision_id, "kim")
    assert track(warehouse) == 1
    assert state(warehouse) == rebuilt(warehouse)


def test_whoever_is_left_without_a_message_has_no_mood(warehouse):
    land(warehouse, *(said(n, "p") for n in range(3)), said(3, "q"))
    track(warehouse)
    whole = state(warehouse)
    query(warehouse, "INSERT INTO customer_mood SELECT * REPLACE ('c_ghost' AS customer_id) FROM customer_mood LIMIT 1")
    query(warehouse, "INSERT INTO mood_point SELECT * REPLACE ('c_ghost' AS customer_id) FROM mood_point LIMIT 1")
    warehouse.doubt_moods()
    revision = warehouse.revision
    assert track(warehouse) == 2
    assert state(warehouse) == whole
    assert (query(warehouse, "FROM news"), warehouse.revision) == ([], revision + 1)


def test_what_comes_in_is_news_of_whom_it_is_shown_under(warehouse):
    land(warehouse, *(said(n, MAIL, thread=f"T-{n % 3}") for n in range(9)), said(9, "p"), said(10, "q"))
    split = matching.split(warehouse, MAIL, "kim", threads=["T-2"])
    matching.merge(warehouse, "p", "q", "kim")
    assert track(warehouse) == 3
    assert query(warehouse, "FROM news") == []
    land(warehouse, said(11, MAIL, thread="T-2"), said(12, "p"), said(13, "q"))
    assert {name for (name,) in query(warehouse, "FROM news")} == {
        split.effects[0].first,
        warehouse.identities.find("q"),
    }
    assert track(warehouse) == 2
    assert query(warehouse, "FROM news") == []
    assert state(warehouse) == rebuilt(warehouse)


def test_a_profile_is_split_off_and_does_not_come_back(warehouse):
    ann(warehouse)
    customer = warehouse.identities.find(MAIL)
    [profile] = {p for c, p, aliases in matching.merged(warehouse) if {"kind": "id", "value": "17"} in aliases}
    matching.split(warehouse, MAIL, "kim", profile)
    assert matching.match_exactly(warehouse) == 0
    assert warehouse.identities.find("17") == profile != customer
    track(warehouse)
    assert state(warehouse) == rebuilt(warehouse)
    with pytest.raises(StoreError, match="is no profile of"):
        matching.split(warehouse, "A-1", "kim", profile)


def test_decisions_in_any_order_leave_what_a_rebuild_gives(warehouse):
    chance = random.Random(7)
    land(warehouse, *(said(n, f"p{n % 6}", thread=f"T-{n}") for n in range(36)))
    track(warehouse)
    for _ in range(30):
        try:
            step = chance.choice(["merge", "merge", "undo", "reject", "split"])
            people = chance.sample(range(6), 2)
            if step == "undo":
                matching.undo(warehouse, chance.choice(warehouse.identities.decisions()).decision_id, "kim")
            elif step == "split":
                matching.split(warehouse, f"p{people[0]}", "kim", threads=[f"T-{chance.randrange(36)}"])
            else:
                getattr(matching, step)(warehouse, *(f"p{n}" for n in people), "kim")
        except (StoreError, IndexError):
            continue
        track(warehouse)
    kept = state(warehouse)
    assert len(warehouse.identities.decisions()) > 6
    assert kept == rebuilt(warehouse)


def test_an_open_alert_goes_with_the_customer_and_returns(warehouse):
    from pipeline.records import Alert

    land(warehouse, said(1, "p"), said(2, "q"))
    q, p = warehouse.identities.find("q"), warehouse.identities.find("p")
    hidden = max(p, q)
    warehouse.save_alerts([Alert("a_1", hidden, "slide", START, 1.0, "slid", "…", ("m",))])
    made = matching.merge(warehouse, "p", "q", "kim")
    assert [alert.customer_id for alert in warehouse.open_alerts()] == [min(p, q)]
    matching.undo(warehouse, made.decision_id, "kim")
    assert [alert.customer_id for alert in warehouse.open_alerts()] == [hidden]


# --- Suggestions -----------------------------------------------------------------------------------------------------


def typed(warehouse):
    crm(
        warehouse,
        {"id": "1", "name": "Priscilla Okonjo", "email": "priscilla.okonjo@example.com", "phone": "+44 7700 900142"},
        {"id": "2", "name": "Bertrand Okonjo", "email": "bertrand@example.com", "phone": "+44 7700 900142"},
    )
    known = (("email", "prisclla.okonjo@example.com"), ("name", "Priscila Okonjo"))
    land(warehouse, said(1, "77", known_as=known), said(2, "bertrand@example.com"))
    return [warehouse.identities.find(name) for name in ("1", "2", "77")]


def test_a_typing_error_is_suggested_and_accepted(warehouse):
    priscilla, _, other = typed(warehouse)
    [found] = matching.suggest(warehouse, 0.9)
    assert {found.first, found.second} == {priscilla, other}
    assert found.weight > 3
    assert found.agreeing == ("name", "email")
    made = matching.merge(warehouse, found.first, found.second, "kim")
    assert (made.effects[0].basis, made.effects[0].weight) == ("suggestion", found.weight)
    assert matching.pending(warehouse) == []
    matching.undo(warehouse, made.decision_id, "kim")
    assert [(one.first, one.second) for one in matching.pending(warehouse)] == [(found.first, found.second)]


def test_what_was_rejected_is_not_suggested_again(warehouse):
    typed(warehouse)
    [found] = matching.suggest(warehouse, 0.9)
    made = matching.reject(warehouse, found.first, found.second, "kim")
    assert matching.suggest(warehouse, 0.9) == []
    matching.undo(warehouse, made.decision_id, "kim")
    assert len(matching.pending(warehouse)) == 1


# --- Private by default ----------------------------------------------------------------------------------------------


def test_without_the_table_of_names_nobody_can_be_named(warehouse):
    ann(warehouse)
    typed(warehouse)
    matching.suggest(warehouse, 0.9)
    track(warehouse)
    query(warehouse, "DELETE FROM customer_alias")
    tables = [name for (name,) in query(warehouse, "SELECT table_name FROM duckdb_tables() WHERE NOT temporary")]
    dump = "\n".join(str(row) for name in tables for row in query(warehouse, f'FROM "{name}"')).casefold()
    assert "identity_decision" in tables
    for secret in (MAIL, "ann_k", "ann kay", "okonjo", "900142", "desk:17", "prisc"):
        assert secret not in dump, secret


def test_forgetting_erases_names_and_texts_for_good(warehouse):
    ann(warehouse)
    track(warehouse)
    customer = warehouse.identities.find(MAIL)
    assert matching.forget(warehouse, MAIL, KEY) == (customer, 4)
    assert query(warehouse, "SELECT kind, value FROM customer_alias") == [("email", "bob@example.com")]
    assert [text for (text,) in query(warehouse, "SELECT text FROM message")].count("") == 4
    assert query(warehouse, "SELECT count(*) FROM reading") == [(1,)]
    land(warehouse, said(1, MAIL), said(0, "@ann_k", source="x"))
    crm(warehouse, {"id": "A-1", "name": "Ann Kay", "email": MAIL})
    assert query(warehouse, "SELECT count(*) FROM customer_alias") == [(1,)]
    assert [text for (text,) in query(warehouse, "SELECT text FROM message")].count("") == 4
    track(warehouse)
    with pytest.raises(StoreError, match="no customer goes by"):
        warehouse.identities.find(MAIL)
