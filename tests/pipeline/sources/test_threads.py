import json
from datetime import UTC, datetime

import pytest

from pipeline.errors import SourceError
from pipeline.sources.files import preview, read
from pipeline.sources.spec import FileSpec

THREAD = {
    "thread": "T-17",
    "customer": "c-204",
    "channel": "chat",
    "department": "service",
    "turns": [
        {"who": "customer", "at": "2026-06-12T14:02:10Z", "text": "where is it"},
        {"who": "bot", "at": "2026-06-12T14:02:12Z", "text": "Hi! I am Fern Assist"},
        {"who": "agent", "name": "Carys", "at": "2026-06-12T14:05:00Z", "text": "Looking now"},
        {"who": "agent", "name": "Carys", "text": "It left Daventry"},
    ],
}


@pytest.fixture
def taken(tmp_path):
    """Write threads, read them, return the messages and the rejected records."""

    def take(*documents, text=None, **options):
        path = tmp_path / "threads.jsonl"
        path.write_text(text or "".join(json.dumps(document) + "\n" for document in documents))
        batches = list(read(path, FileSpec("chats", "tweet", **options)))
        return [m for b in batches for m in b.messages], [r for b in batches for r in b.rejected]

    return take


def test_our_own_shape(taken):
    messages, rejected = taken(THREAD)
    assert rejected == []
    assert [(m.role, m.author, m.text) for m in messages] == [
        ("customer", None, "where is it"),
        ("bot", None, "Hi! I am Fern Assist"),
        ("agent", "Carys", "Looking now"),
        ("agent", "Carys", "It left Daventry"),
    ]
    assert {(m.customer, m.thread, m.channel, m.department) for m in messages} == {
        ("c-204", "T-17", "transcript", "service")
    }
    assert [m.native_id for m in messages] == ["T-17#1", "T-17#2", "T-17#3", "T-17#4"]
    assert messages[3].sent_at == datetime(2026, 6, 12, 14, 5, 1, tzinfo=UTC)


def test_an_array_or_one_object_will_do(taken):
    assert len(taken(text=json.dumps([THREAD, THREAD], indent=1))[0]) == 8
    assert len(taken(text=json.dumps(THREAD, indent=1))[0]) == 4


def test_other_names_are_mapped(taken):
    thread = {
        "ticket": 88,
        "user": {"mail": "a@example.com", "name": "Ann"},
        "mails": [{"sender": "client", "sent": "2026-06-12 10:00", "subject": "Refund", "body": "Still waiting"}],
    }
    mapping = {"customer": "user.mail", "time": "sent", "text": "subject+body"}
    (message,), _ = taken(thread, turns="mails", mapping=mapping)
    assert (message.customer, message.thread, message.text) == ("a@example.com", "88", "Refund\nStill waiting")
    assert message.role == "customer"


def test_histories_of_reviews_are_threads_without_a_thread(taken):
    history = [{"rating": 4.0, "timestamp_ms": 1627679830425, "review_full": "pretty", "parent_asin": "B09"}]
    (message,), _ = taken({"user_id": "AE3K", "category": "Beauty", "history": history})
    assert (message.customer, message.rating, message.product, message.thread) == ("AE3K", 4.0, "B09", None)


def test_bad_turns_and_bad_lines_cost_themselves_only(taken):
    bad = {**THREAD, "turns": [*THREAD["turns"][:1], "?", {"who": "wizard", "at": "2026-06-12T15:00:00Z", "text": "x"}]}
    text = json.dumps(THREAD) + "\n{oops\n" + json.dumps(bad) + "\n" + json.dumps({"thread": "T-1"}) + "\n"
    messages, rejected = taken(text=text)
    assert len(messages) == 5
    assert [(record.line, record.reason.split(":")[0].split(";")[0]) for record in rejected] == [
        (2, "not JSON"),
        (3, "turn 2 is not an object with who, at and text"),
        (3, "who (role) 'wizard' is not a role"),
        (4, "expected a thread with a list 'turns'"),
    ]


def test_a_key_that_is_not_there_is_named(taken):
    with pytest.raises(SourceError, match="no key 'words' for text; the keys are who, at, text"):
        taken(THREAD, mapping={"text": "words"})
    with pytest.raises(SourceError, match="which key is the time"):
        taken({"thread": "1", "turns": [{"who": "agent", "text": "x"}]})


def ibm(duration="00:08:46.0"):
    return {
        "agentURL": {"doc_id": "1", "turn": "4", "tweet_ID": "904", "url": "https://x", "url_utterance": "@tif See x"},
        "dialogContent": [
            {"client": "tif", "datetime": "2020-02-25T17:40:50.000Z", "message": "why??", "tweet_ID": "901"},
            {"agent": "Care", "datetime": "2020-02-25T17:41:59.000Z", "message": "@tif which?", "tweet_ID": "902"},
            {"client1": "bob", "datetime": "2020-02-25T17:42:23.000Z", "message": "me too", "tweet_ID": "903"},
        ],
        "dialogHeader": {
            "company": "Care", "conversationDateTime": "2020-02-25T17:40:50.000Z", "duration": duration,
            "messageCount": "4", "sessionID": "S1",
        },
    }  # fmt: skip


def test_the_ibm_shape_keeps_both_sides_and_the_closing_turn(taken):
    messages, rejected = taken(text=json.dumps([ibm()], indent=4))
    assert rejected == []
    assert [(m.role, m.customer, m.author, m.native_id) for m in messages] == [
        ("customer", "@tif", None, "901"),
        ("agent", "@tif", "@Care", "902"),
        ("customer", "@bob", None, "903"),
        ("agent", "@tif", "@Care", "904"),
    ]
    assert {m.thread for m in messages} == {"S1"}
    assert messages[3].sent_at == datetime(2020, 2, 25, 17, 49, 36, tzinfo=UTC)


def test_a_closing_turn_never_comes_before_the_last(taken):
    messages, _ = taken(text=json.dumps([ibm(duration="00:00:01.0")]))
    assert messages[3].sent_at == datetime(2020, 2, 25, 17, 42, 24, tzinfo=UTC)


def test_preview_of_threads(tmp_path):
    path = tmp_path / "t.json"
    path.write_text(json.dumps(THREAD))
    shown = preview(path, FileSpec("s", "transcript"))
    assert (shown.kind, shown.mapping["text"], shown.mapping["time"]) == ("threads", "text", "at")
    assert shown.good == 4
