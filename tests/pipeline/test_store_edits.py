"""Edits and deletions at a live source, as the store follows them."""

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.records import Alert, Message
from pipeline.store import GoneMessage, Landing, Warehouse

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)


@pytest.fixture
def warehouse():
    with Warehouse.in_memory() as warehouse:
        yield warehouse


def land(warehouse, *texts, edited_at=None, gone=(), source="desk", live=True, thread="t1"):
    messages = [
        Message(f"m_{number}", source, "tweet", text, NOON, "c_1", thread_id=thread, edited_at=edited_at)
        for number, text in enumerate(texts)
    ]
    return warehouse.land(Landing(source, "rest", "tweet", messages=messages, live=live, gone=gone))


def texts(warehouse):
    return [row["text"] for row in warehouse.stored_messages(None)]


def test_the_newer_copy_replaces_the_older_one_and_never_the_other_way(warehouse):
    land(warehouse, "first", edited_at=NOON)
    assert land(warehouse, "second", edited_at=LATER).edited == 1
    assert land(warehouse, "first", edited_at=NOON).duplicates == 1
    assert texts(warehouse) == ["second"]
    assert land(warehouse, "second", edited_at=LATER).edited == 0


def test_a_file_changes_nothing_that_is_known(warehouse):
    land(warehouse, "first", live=False)
    assert land(warehouse, "second", live=False).duplicates == 1
    assert texts(warehouse) == ["first"]


def test_an_edited_message_is_read_and_its_customer_tracked_again(warehouse):
    land(warehouse, "first")
    revision = warehouse.revision
    before = warehouse.customers_to_track("v", "p")
    assert [message for message, _ in warehouse.unscored("v")] == ["m_0"]
    land(warehouse, "second", edited_at=LATER)
    assert warehouse.unscored("v") == [("m_0", "second")]
    assert warehouse.revision > revision
    assert before == []  # an unread message keeps its customer waiting


def test_an_edited_message_that_was_not_read_is_tried_again(warehouse):
    land(warehouse, "...")
    warehouse.add_abstentions("v", {"m_0": "no words"})
    assert warehouse.unscored("v") == []
    land(warehouse, "second", edited_at=LATER)
    assert warehouse.unscored("v") == [("m_0", "second")]
    warehouse.add_abstentions("v", {"m_0": "no words"})
    land(warehouse, gone=[GoneMessage("m_0")])
    assert warehouse._database.connection.execute("SELECT count(*) FROM abstention").fetchone() == (0,)


def test_a_deleted_thread_is_erased_with_its_quotes(warehouse):
    land(warehouse, "one", "two")
    quoted = '- 1 May: -1.0: "one" [m_0]\n- 1 May: "kept" [m_9]'
    warehouse.save_alerts([Alert("a_1", "c_1", "slide", NOON, 1.0, "slides", quoted, ("m_0", "m_9"))])
    assert land(warehouse, gone=[GoneMessage(thread_id="t1")]).erased == 2
    assert texts(warehouse) == ["", ""]
    [alert] = warehouse.alerts()
    assert '"one"' not in alert.explanation
    assert '"kept"' in alert.explanation
    assert warehouse.unscored("v") == []


def test_only_the_sources_own_messages_are_erased(warehouse):
    land(warehouse, "one")
    assert land(warehouse, gone=[GoneMessage("m_0")], source="other").erased == 0
    assert texts(warehouse) == ["one"]


def test_what_the_source_shows_again_comes_back_unless_the_copy_is_older(warehouse):
    land(warehouse, "one", edited_at=NOON)
    land(warehouse, gone=[GoneMessage("m_0", edited_at=LATER)])
    assert land(warehouse, "one", edited_at=NOON).edited == 0
    assert land(warehouse, "one", edited_at=LATER + timedelta(minutes=1)).edited == 1
    assert texts(warehouse) == ["one"]


def test_pulls_are_noted(warehouse):
    pull = warehouse.start_pull("desk")
    assert warehouse.last_pulls()["desk"].state == "working"
    counts = dict.fromkeys(("requests", "read", "landed", "edited", "erased", "quarantined"), 3)
    warehouse.finish_pull(pull, "complete", None, counts, NOON, '{"records": 3}', ["a note"])
    note = warehouse.last_pulls()["desk"]
    assert (note.state, note.landed, note.notes) == ("complete", 3, ("a note",))
    assert warehouse.shapes("desk") == ['{"records": 3}']
    assert warehouse.last_complete_pulls().keys() == {"desk"}
