import json
from datetime import UTC, datetime

import pytest

from pipeline.errors import SourceError
from pipeline.sources.files import read
from pipeline.sources.spec import FileSpec

INDEX = (
    "file,customer,started_at,agent,department,thread\n"
    "call-1.vtt,FH-C0101,2026-06-20 10:15,Carys,service,T-1\n"
    "call-2.json,FH-C0102,2026-06-21 09:00,Dev,sales,\n"
)
VTT = """WEBVTT - a call

NOTE made by hand

1
00:00:00.000 --> 00:00:04.000
<v Carys>Hello, Fernhollow care,</v>

2
00:00:04.000 --> 00:00:06.500
<v.loud Carys>how can I <i>help</i>?

00:00:07.250 --> 00:00:12.000
<v Maureen Oyelaran>My kettle &amp; lamp
are both broken.
<v Carys>Oh dear.

1:00:00.000 --> 1:00:02.000
<v Maureen Oyelaran>Hello?
"""


def at(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.fixture
def taken(tmp_path):
    """Write a transcript (and an index), read it, return the messages and the rejected records."""

    def take(data, name="call-1.vtt", index=INDEX, **options):
        if index:
            (tmp_path / "index.csv").write_text(index)
        text = data if isinstance(data, str) else json.dumps(data)
        (tmp_path / name).write_text(text)
        batches = list(read(tmp_path / name, FileSpec("calls", "transcript", **options)))
        return [m for b in batches for m in b.messages], [r for b in batches for r in b.rejected]

    return take


def told(messages):
    return [(message.role, message.text) for message in messages]


def test_webvtt_with_voices_and_an_index(taken):
    messages, rejected = taken(VTT)
    assert rejected == []
    assert told(messages) == [
        ("agent", "Hello, Fernhollow care, how can I help?"),
        ("customer", "My kettle & lamp are both broken."),
        ("agent", "Oh dear."),
        ("customer", "Hello?"),
    ]
    assert {(m.customer, m.thread, m.department) for m in messages} == {("FH-C0101", "T-1", "service")}
    assert [m.author for m in messages] == ["Carys", None, "Carys", None]
    assert [m.native_id for m in messages] == ["T-1#1", "T-1#2", "T-1#3", "T-1#4"]
    assert messages[1].sent_at == datetime(2026, 6, 20, 10, 15, 7, 250_000, tzinfo=UTC)
    assert messages[3].sent_at == at(2026, 6, 20, 11, 15)
    assert messages[1].line == 14


def test_webvtt_with_names_before_colons(taken):
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\nAgent: Hi there\n\n00:03.000 --> 00:05.000\nCustomer: it broke: twice\n"
    messages, _ = taken(text + "\n00:05.000 --> 00:06.000\nand smells\n")
    assert told(messages) == [("agent", "Hi there"), ("customer", "it broke: twice and smells")]
    assert messages[0].author == "Carys"


def test_a_cue_that_is_none_is_rejected_with_its_line(taken):
    text = VTT + "\n00:xx --> nowhere\n<v Carys>lost\n"
    messages, rejected = taken(text)
    assert len(messages) == 4
    assert rejected[0].line == len(VTT.splitlines()) + 2
    assert "expected a timing" in rejected[0].reason


def test_a_call_without_a_start_is_refused_with_what_to_do(taken):
    with pytest.raises(SourceError, match=r"when did this call start\? Put an index\.csv beside it"):
        taken(VTT, index=None, customer_speaker="Maureen Oyelaran")
    constants = {"time": "2026-06-20T10:15", "customer": "c1", "department": "care"}
    messages, _ = taken(VTT, index=None, customer_speaker="Maureen Oyelaran", constants=constants)
    assert (messages[0].customer, messages[0].department, messages[0].thread) == ("c1", "care", "call-1")
    assert messages[0].sent_at == at(2026, 6, 20, 10, 15)


def test_nobody_guesses_who_the_customer_is(taken):
    with pytest.raises(SourceError, match=r"which speaker is the customer\? The speakers are Carys, Maureen"):
        taken(VTT, index=None, constants={"time": "2026-06-20"})
    with pytest.raises(SourceError, match="nobody is called 'Bob'"):
        taken(VTT, customer_speaker="Bob")


def test_the_index_settles_day_and_month_for_all_its_calls(taken):
    index = "file,customer,started_at,agent\ncall-1.vtt,a,03/06/2026 10:00,Carys\nother.vtt,b,20/06/2026 10:00,Dev\n"
    messages, _ = taken(VTT, index=index)
    assert messages[0].sent_at == at(2026, 6, 3, 10)
    with pytest.raises(SourceError, match="can be"):
        taken(VTT, index=index.replace("20/06", "04/06"))


PLAIN = [
    {"speaker": "agent", "name": "Dev", "start": 0.0, "text": "Hello"},
    {"speaker": "customer", "start": "00:00:06.4", "text": "um hi"},
    {"speaker": "customer", "start": 9, "text": "it broke"},
]


def test_a_plain_list(taken):
    for data in (PLAIN, {"customer": "ignored: the index knows", "turns": PLAIN}):
        messages, _ = taken(data, "call-2.json")
        assert told(messages) == [("agent", "Hello"), ("customer", "um hi it broke")]
        assert messages[1].sent_at == datetime(2026, 6, 21, 9, 0, 6, 400_000, tzinfo=UTC)
        assert (messages[0].author, messages[0].customer, messages[0].thread) == ("Dev", "FH-C0102", "call-2")


def test_a_plain_document_may_say_all_itself(taken):
    about = {"customer": "c9", "started_at": "2026-06-22T08:00:00Z", "call_id": "X9", "department": "returns"}
    messages, _ = taken({**about, "segments": PLAIN}, "x.json", index=None)
    assert {(m.customer, m.thread, m.department) for m in messages} == {("c9", "X9", "returns")}
    assert messages[0].sent_at == at(2026, 6, 22, 8)


def test_a_turn_that_is_none_is_rejected(taken):
    messages, rejected = taken([*PLAIN, {"speaker": "customer", "start": "soon", "text": "x"}, "?"], "call-2.json")
    assert len(messages) == 2
    assert rejected[0].reason.startswith("turn 4: start 'soon' is not a number of seconds")
    assert "turn 5 is not an object" in rejected[1].reason


def word(text, start, **labels):
    times = {"start_time": str(start), "end_time": str(start + 0.3), "type": "pronunciation"}
    return {"alternatives": [{"confidence": "1.0", "content": text}], **times, **labels}


def mark(text):
    return {"alternatives": [{"confidence": "0.0", "content": text}], "type": "punctuation"}


def test_amazon_transcribe_with_speaker_labels(taken):
    words = [word("Hello", 0.1), mark("."), word("It's", 1.0), word("broken", 1.4), mark("!"), word("Sorry", 3.0)]
    segments = [
        {"speaker_label": who, "items": [{"speaker_label": who, "start_time": str(start)} for start in starts]}
        for who, starts in (("spk_0", [0.1]), ("spk_1", [1.0, 1.4]), ("spk_0", [3.0]))
    ]
    results = {"transcripts": [{"transcript": "…"}], "speaker_labels": {"speakers": 2, "segments": segments}}
    document = {"jobName": "job-7", "status": "COMPLETED", "results": {**results, "items": words}}
    messages, _ = taken(document, "call-2.json")
    assert told(messages) == [("agent", "Hello."), ("customer", "It's broken!"), ("agent", "Sorry")]
    assert (messages[1].sent_at, messages[1].thread) == (at(2026, 6, 21, 9, 0, 1), "job-7")
    messages, _ = taken(document, "call-2.json", customer_speaker="spk_0")
    assert [m.role for m in messages] == ["customer", "agent", "customer"]


def test_amazon_transcribe_with_channels(taken):
    channels = [
        {"channel_label": "ch_0", "items": [word("I", 0), word("wait", 0.4), mark("."), word("Still", 5)]},
        {"channel_label": "ch_1", "items": [word("Sorry", 2), mark(".")]},
    ]
    document = {"jobName": "j", "results": {"channel_labels": {"channels": channels}, "items": []}}
    with pytest.raises(SourceError, match="which speaker is the customer"):
        taken(document, "call-2.json")
    messages, _ = taken(document, "call-2.json", customer_speaker="ch_0")
    assert told(messages) == [("customer", "I wait."), ("agent", "Sorry."), ("customer", "Still")]


def test_amazon_transcribe_without_labels_is_refused(taken):
    with pytest.raises(SourceError, match="does not say who speaks"):
        taken({"results": {"transcripts": [], "items": [word("Hello", 0)]}}, "call-2.json")


def test_contact_lens_after_a_call(taken):
    document = {
        "Version": "1.1.0",
        "Channel": "VOICE",
        "JobStatus": "COMPLETED",
        "CustomerMetadata": {"ContactId": "contact-1"},
        "Participants": [
            {"ParticipantId": "p-a", "ParticipantRole": "AGENT"},
            {"ParticipantId": "p-c", "ParticipantRole": "CUSTOMER"},
        ],
        "Transcript": [
            {"Id": "t1", "ParticipantId": "p-a", "Content": "Hello.", "BeginOffsetMillis": 0, "EndOffsetMillis": 900},
            {"Id": "t2", "ParticipantId": "p-c", "Content": "It broke.", "BeginOffsetMillis": 2500},
            {"Id": "t3", "ParticipantId": "p-x", "Content": "???", "BeginOffsetMillis": 3500},
        ],
    }
    messages, rejected = taken(document, "call-2.json")
    assert told(messages) == [("agent", "Hello."), ("customer", "It broke.")]
    assert (messages[1].native_id, messages[1].thread, messages[0].author) == ("t2", "contact-1", "Dev")
    assert messages[1].sent_at == datetime(2026, 6, 21, 9, 0, 2, 500_000, tzinfo=UTC)
    assert rejected[0].reason.startswith("turn 3: 'p-x' is no participant")


def test_contact_lens_in_real_time(taken):
    segments = [
        {"Utterance": {"Id": "u", "ParticipantRole": "AGENT", "PartialContent": "Hel", "BeginOffsetMillis": 0}},
        {"Transcript": {"Id": "s1", "ParticipantId": "AGENT", "ParticipantRole": "AGENT", "Content": "Hello",
                        "BeginOffsetMillis": 0}},
        {"Transcript": {"Id": "s2", "ParticipantId": "CUSTOMER", "ParticipantRole": "CUSTOMER", "Content": "Hi",
                        "BeginOffsetMillis": 1000}},
        {"Categories": {"MatchedCategories": ["x"]}},
    ]  # fmt: skip
    event = {"EventType": "SEGMENTS", "ContactId": "contact-2", "Segments": segments}
    messages, _ = taken(json.dumps(event) + "\n" + json.dumps(event | {"ContactId": "contact-3"}), "call-2.json")
    assert told(messages) == [("agent", "Hello"), ("customer", "Hi")] * 2
    assert [m.thread for m in messages] == ["contact-2", "contact-2", "contact-3", "contact-3"]


def test_contact_lens_after_a_chat_brings_its_own_times(taken):
    def item(role, minute, content, **more):
        return {"AbsoluteTime": f"2026-06-21T09:{minute:02}:00.000Z", "ParticipantId": role, "Content": content, **more}

    document = {
        "Channel": "CHAT",
        "Participants": [{"ParticipantId": r, "ParticipantRole": r} for r in ("CUSTOMER", "AGENT", "CUSTOM_BOT")],
        "Transcript": [
            item("CUSTOM_BOT", 1, "How can I help?", Type="MESSAGE", ContentType="text/plain"),
            item("CUSTOMER", 2, "HUMAN please", Type="MESSAGE", ContentType="text/plain"),
            {"AbsoluteTime": "2026-06-21T09:02:30Z", "ParticipantId": "AGENT", "Type": "EVENT"},
            item("AGENT", 3, "Here I am", Type="MESSAGE", ContentType="text/plain", DisplayName="Priyanka"),
        ],
    }
    messages, _ = taken(document, "chat.json", index=None, constants={"customer": "c1"})
    assert [(m.role, m.author, m.sent_at.minute) for m in messages] == [
        ("bot", None, 1), ("customer", None, 2), ("agent", "Priyanka", 3),
    ]  # fmt: skip


def test_a_folder_of_calls_with_one_bad_and_one_missing(tmp_path):
    (tmp_path / "index.csv").write_text(INDEX + "gone.vtt,FH-C0103,2026-06-22 09:00,Dev,sales,\n")
    (tmp_path / "call-1.vtt").write_text(VTT)
    (tmp_path / "call-2.json").write_text(json.dumps(PLAIN))
    (tmp_path / "empty.vtt").write_text("")
    batches = list(read(tmp_path, FileSpec("calls", "transcript")))
    assert [len(batch.messages) for batch in batches] == [4, 2, 0, 0]
    rejected = [record for batch in batches for record in batch.rejected]
    assert [(record.origin, record.line) for record in rejected] == [("empty.vtt", 0), ("index.csv", 4)]
    assert "gone.vtt" in rejected[1].reason
