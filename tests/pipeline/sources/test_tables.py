import gzip
import json
from datetime import UTC, datetime

import duckdb
import pytest

from pipeline.errors import SourceError
from pipeline.sources import files
from pipeline.sources.files import preview, read
from pipeline.sources.spec import FileSpec

HEAD = "id,customer,time,text,rating\n"
GOOD = "m{0},ann,2026-03-0{0} 10:00,all fine {0},4\n"


@pytest.fixture
def taken(tmp_path):
    """Write a file, read it, and return (texts, [(line, reason)])."""

    def take(data, name="f.csv", **options):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        batches = list(read(path, FileSpec("shop", "review", **options)))
        messages = [message for batch in batches for message in batch.messages]
        rejected = [record for batch in batches for record in batch.rejected]
        return messages, rejected

    return take


def lines_and_reasons(rejected):
    return [(record.line, record.reason) for record in rejected]


def test_a_row_becomes_a_message(taken):
    (message,), rejected = taken(HEAD + 'm1,@ann,2026-03-01 10:00,"Kettle, again",2\n')
    assert rejected == []
    assert message.text == "Kettle, again"
    assert message.sent_at == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert (message.customer, message.native_id, message.rating) == ("@ann", "m1", 2.0)
    assert (message.source, message.channel, message.origin, message.line) == ("shop", "review", "f.csv", 2)


def test_lines_are_those_of_the_file_not_of_the_records(taken):
    text = HEAD + 'm1,a,2026-03-01,"two\nlines\n\nand a gap",4\n\n\nm2,b,2026-03-02,ok,9\nm3,c,2026-03-03,ok,4\n'
    messages, rejected = taken(text)
    assert [message.line for message in messages] == [2, 9]
    assert lines_and_reasons(rejected) == [(8, "rating '9' is not a number from 1 to 5")]


def test_ratings_are_scaled_and_may_be_missing(taken):
    text = "time,text,score\n2026-03-01,a,10\n2026-03-02,b,0\n2026-03-03,c,\n2026-03-04,d,NaN\n2026-03-05,e,six\n"
    messages, rejected = taken(text, mapping={"rating": "score"}, rating_scale=(0, 10))
    assert [message.rating for message in messages] == [5.0, 1.0, None, None]
    assert lines_and_reasons(rejected) == [(6, "score (rating) 'six' is not a number from 0 to 10")]


def test_empty_text_needs_a_rating(taken):
    messages, rejected = taken(HEAD + "m1,a,2026-03-01, ,4\nm2,a,2026-03-02,,\n")
    assert [(message.text, message.rating) for message in messages] == [("", 4.0)]
    assert rejected[0].reason.startswith("text is empty and there is no rating")
    assert rejected[0].record["id"] == "m2"


def test_a_time_that_cannot_be_costs_only_its_row(taken):
    messages, rejected = taken(HEAD + GOOD.format(1) + "m2,a,2026-02-30 10:00,hi,4\nm3,a,,hi,4\n" + GOOD.format(4))
    assert len(messages) == 2
    assert lines_and_reasons(rejected) == [
        (3, "time '2026-02-30 10:00' is not a time that exists"),
        (4, "time is empty; expected when it was written"),
    ]


def test_title_and_text_are_joined_unless_one_repeats_the_other(taken):
    text = "time,title,body\n2026-03-01,Five stars,Lovely lamp\n2026-03-01,Lovely la…,Lovely lamp it is\n"
    messages, _ = taken(text, mapping={"text": "title+body"})
    assert [message.text for message in messages] == ["Five stars\nLovely lamp", "Lovely lamp it is"]


def test_a_truncated_file_gives_its_good_rows(taken):
    messages, rejected = taken(HEAD + GOOD.format(1) + GOOD.format(2) + 'm3,ann,2026-03-03 10:00,"it broke and th')
    assert len(messages) == 2
    assert lines_and_reasons(rejected) == [(4, "a quoted field that begins here is never closed")]
    assert rejected[0].record["raw"].startswith("m3,ann")


def test_a_file_cut_between_fields_says_so(taken):
    messages, rejected = taken(HEAD + GOOD.format(1) + "m2,ann,2026-0")
    assert len(messages) == 1
    assert lines_and_reasons(rejected) == [(3, "expected 5 columns, found 3; the file seems cut off here")]


def test_an_unclosed_quote_in_the_middle_costs_one_row(taken):
    text = HEAD + GOOD.format(1) + 'm2,a,2026-03-02 10:00,"oh no,4\n' + GOOD.format(3) + 'm4,a,2026-03-04,"fine",4\n'
    messages, rejected = taken(text)
    assert [message.native_id for message in messages] == ["m1", "m3", "m4"]
    assert [record.line for record in rejected] == [3]
    assert "quote" in rejected[0].reason


def test_stray_quotes_and_wrong_widths(taken):
    text = HEAD + 'm1,a,2026-03-01,a 15" screen,4\nm2,a,2026-03-02\nm3,a,2026-03-03,x,4,extra\n' + GOOD.format(4)
    messages, rejected = taken(text)
    assert [message.text for message in messages] == ['a 15" screen', "all fine 4"]
    assert lines_and_reasons(rejected) == [(3, "expected 5 columns, found 3"), (4, "expected 5 columns, found 6")]


def test_a_megabyte_in_one_field_is_quarantined_and_the_rest_read(taken):
    big = "x" * 1_048_576
    many = "yes and no\n" * 100_000
    text = HEAD + GOOD.format(1) + f"m2,a,2026-03-02,{big},4\n" + f'm3,a,2026-03-03,"{many}",4\n' + GOOD.format(4)
    messages, rejected = taken(text)
    assert [message.native_id for message in messages] == ["m1", "m4"]
    assert [record.line for record in rejected] == [3, 4]
    assert all("100,000" in record.reason for record in rejected)
    assert all(len(value) <= 2_000 for record in rejected for value in record.record.values())
    assert messages[1].line == 4 + 100_000 + 1


def test_a_field_just_over_the_limit_names_its_size(taken):
    messages, rejected = taken(HEAD + f"m1,a,2026-03-01,{'x' * 100_001},4\n" + GOOD.format(2))
    assert len(messages) == 1
    assert rejected[0].reason == "text has 100,001 characters; at most 100,000 are taken"


def test_a_nul_byte_costs_its_row(taken):
    messages, rejected = taken(HEAD + GOOD.format(1) + "m2,a,2026-03-02,be\0low,4\n")
    assert len(messages) == 1
    assert rejected[0].line == 3
    assert "NUL" in rejected[0].reason
    assert "\0" not in rejected[0].record["text"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_the_encoding_is_found(taken, encoding):
    text = HEAD + "m1,zoë,2026-03-01,“café” cost £5,4\n" + GOOD.format(2) * 3
    messages, rejected = taken(text.encode(encoding))
    assert rejected == []
    assert (messages[0].customer, messages[0].text) == ("zoë", "“café” cost £5")


def test_a_wrong_encoding_said_is_seen_row_by_row(taken):
    messages, rejected = taken((HEAD + GOOD.format(1) + "m2,a,2026-03-02,café,4\n").encode("latin-1"), encoding="utf-8")
    assert len(messages) == 1
    assert lines_and_reasons(rejected) == [
        (3, "text holds bytes that are not in the file's encoding; expected plain text")
    ]
    rejected[0].record["text"].encode("utf-8")


def test_a_few_broken_bytes_do_not_turn_utf8_into_another_encoding(taken):
    good = "m1,a,2026-03-01,über schön, ça va,4\n".replace(", ça", " ça")
    messages, rejected = taken((HEAD + good * 9).encode() + b"m2,a,2026-03-02,bad \xff,4\n")
    assert len(messages) == 9
    assert messages[0].text == "über schön ça va"
    assert rejected[0].line == 11


def test_an_encoding_that_is_none_of_these_is_refused(taken):
    with pytest.raises(SourceError, match="neither UTF-8, UTF-16 nor Windows-1252"):
        taken((HEAD + "m1,a,2026-03-01,とても、良いです,4\n" * 5).encode("shift_jis"))
    messages, _ = taken((HEAD + "m1,a,2026-03-01,とても良いです,4\n").encode("shift_jis"), encoding="shift_jis")
    assert messages[0].text == "とても良いです"
    with pytest.raises(SourceError, match="encoding 'klingon' is not known"):
        taken(HEAD, encoding="klingon")


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters_are_found(taken, delimiter):
    messages, _ = taken((HEAD + "m1,a,2026-03-01,x,4\n" + GOOD.format(2)).replace(",", delimiter))
    assert [message.text for message in messages] == ["x", "all fine 2"]


def test_windows_and_mixed_line_endings(taken):
    messages, rejected = taken(HEAD.replace("\n", "\r\n") + 'm1,a,2026-03-01,"x\r\ny",4\r\n' + GOOD.format(2))
    assert rejected == []
    assert [message.text for message in messages] == ["x\r\ny", "all fine 2"]


def test_quotes_escaped_with_backslashes(taken):
    messages, _ = taken(HEAD + 'm1,a,2026-03-01,"they said \\"no\\", twice",4\n' + GOOD.format(2))
    assert messages[0].text == 'they said "no", twice'


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n\n", "is empty"),
        (b"PAR1 and nothing more", "begins as a Parquet file but cannot be read"),
        (b"<!DOCTYPE html><html><body>Log in</body></html>", "web page"),
        (b"PK\x03\x04" + b"\0" * 20 + b"xl/workbook.xml", "Excel workbook, .* save the sheet as CSV"),
        (b"PK\x03\x04" + b"\0" * 20 + b"reviews.csv", "is a zip"),
        (b"%PDF-1.7 ...", "a PDF"),
        (b"SQLite format 3\0" + b"\0" * 50, "SQLite"),
        (bytes(range(256)) * 40, "binary|neither UTF-8"),
        (b"\x1f\x8bnot gzip at all", "cannot be unpacked"),
        (b"RIFF\x24\x08\0\0WAVE", "transcribe it first"),
    ],
)
@pytest.mark.parametrize("name", ["f.csv", "f.json", "f.parquet"])
def test_a_file_that_is_not_what_its_name_says(taken, data, says, name):
    with pytest.raises(SourceError, match=says) as caught:
        taken(data, name)
    assert name in str(caught.value)


def test_the_content_counts_and_not_the_name(taken, tmp_path):
    assert len(taken('{"text": "hi", "time": "2026-03-01"}\n{"text": "ho", "time": "2026-03-02"}\n', "f.csv")[0]) == 2
    assert len(taken(HEAD + GOOD.format(1), "f.json")[0]) == 1
    duckdb.sql("SELECT 'hi' AS text, TIMESTAMP '2026-03-01 10:00' AS time").write_parquet(str(tmp_path / "real"))
    assert len(taken((tmp_path / "real").read_bytes(), "f.csv")[0]) == 1


def test_a_header_alone_gives_nothing_and_no_error(taken):
    assert taken(HEAD) == ([], [])


def test_gzip_is_unpacked_and_a_cut_one_gives_what_it_can(taken):
    text = (
        HEAD + "".join(f"m{n},c{n * 7919 % 1000},2026-03-01,{n * 104729 % 9973} words,4\n" for n in range(6_000))
    ).encode()
    packed = gzip.compress(text)
    assert len(taken(packed, "f.csv.gz")[0]) == 6_000
    messages, rejected = taken(packed[: len(packed) // 2], "f.csv.gz")
    assert len(messages) > 1_000
    assert "ends early" in rejected[-1].reason


def test_a_mapped_column_that_is_missing_stops_before_anything_lands(taken):
    with pytest.raises(SourceError, match="no column 'stars' for rating; the columns found are id, customer"):
        taken(HEAD + GOOD.format(1), mapping={"rating": "stars"})


def test_rounded_ids_are_not_used(taken, tmp_path):
    text = "tweet_id,text,time\n5.70301E+17,one,2026-03-01\n5.70301E+17,two,2026-03-01\n"
    assert [message.native_id for message in taken(text)[0]] == [None, None]
    with pytest.raises(SourceError, match="rounded numbers"):
        taken(text, mapping={"id": "tweet_id"})


def test_row_counters_are_no_ids_unless_said(taken):
    text = "id,text,time\n1,one,2026-03-01\n2,two,2026-03-01\n"
    assert taken(text)[0][0].native_id is None
    assert taken(text, mapping={"id": "id"})[0][0].native_id == "1"


def test_constants_fill_what_is_empty(taken):
    text = "text,time,department\nx,2026-03-01,\ny,2026-03-01,sales\n"
    messages, _ = taken(text, constants={"department": "service", "product": "lamp"})
    assert [(message.department, message.product) for message in messages] == [("service", "lamp"), ("sales", "lamp")]


def test_roles_reach_and_replies(taken):
    text = (
        "id,text,time,role,agent,followers,in_reply_to,user\n"
        "t91,broken again,2026-03-01,Customer,,40.2K,,ann\n"
        "t92,sorry!,2026-03-01,AGENT,Nia,12,t91,ann\n"
        'm93,ok,2026-03-01,customer,,"1,200",t92,ann\n'
        "t94,x,2026-03-01,wizard,,1,,ann\n"
        "t95,x,2026-03-01,bot,,many,,ann\n"
    )
    messages, rejected = taken(text)
    assert [(m.role, m.author, m.reach, m.thread) for m in messages] == [
        ("customer", None, 40_200, "t91"),
        ("agent", "Nia", 12, "t91"),
        ("customer", None, 1_200, "t91"),
    ]
    assert [record.reason for record in rejected] == [
        "role 'wizard' is not a role; expected customer, agent or bot",
        "followers (reach) 'many' is not a number of followers",
    ]


def test_json_lines_with_bad_lines(taken):
    good = json.dumps({"reviewText": "fine", "reviewerID": "A1", "unixReviewTime": 1472688000, "overall": 5.0})
    messages, rejected = taken(f'{good}\n\n{{"reviewText": oops}}\n[1]\n{good}\n{good[:40]}', "f.jsonl")
    assert [message.line for message in messages] == [1, 5]
    assert messages[0].rating == 5.0
    assert [record.line for record in rejected] == [3, 4, 6]
    assert rejected[0].reason.startswith("not JSON: ")
    assert "expected a JSON object" in rejected[1].reason
    assert "cut off" in rejected[2].reason


def test_a_broken_first_line_does_not_hide_json_lines(taken):
    messages, rejected = taken('{"text": oops}\n{"text": "x", "time": "2026-03-01"}\n', "f.jsonl")
    assert (len(messages), rejected[0].line) == (1, 1)


def test_one_array_is_a_table_too(taken):
    rows = [{"text": f"t{n}", "time": "2026-03-01", "product": {"title": "Lamp"}, "none": None} for n in range(3)]
    for text in (json.dumps(rows), json.dumps(rows, indent=2)):
        messages, rejected = taken(text, "f.json", mapping={"product": "product.title"})
        assert [(message.text, message.product) for message in messages] == [(f"t{n}", "Lamp") for n in range(3)]
        assert rejected == []
    assert [message.line for message in messages] == [2, 10, 18]


def test_an_array_cut_off_gives_its_whole_items(taken):
    rows = [{"text": f"text number {n}", "time": "2026-03-01"} for n in range(5_000)]
    text = json.dumps(rows)
    messages, rejected = taken(text[: len(text) // 2], "f.json")
    assert len(messages) > 2_000
    assert "could not be read from here on" in rejected[-1].reason
    messages, rejected = taken(json.dumps(rows[:3])[:-1], "f.json")
    assert len(messages) == 3
    assert "never closed" in rejected[0].reason


def test_an_object_cut_off_is_no_json(taken):
    with pytest.raises(SourceError, match="is not complete JSON"):
        taken('{\n "turns": [\n {"text": "x",\n', "f.json")


def test_parquet_streams_through_duckdb(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "ROWS", 2_000)
    path = tmp_path / "p.parquet"
    duckdb.sql(
        "SELECT 'text ' || i AS body, 'c' || i % 7 AS customer, TIMESTAMPTZ '2026-03-01 10:00:00+02' AS time, "
        "CASE WHEN i = 3 THEN 11 ELSE 4 END AS rating FROM range(4500) t(i)"
    ).write_parquet(str(path))
    batches = list(read(path, FileSpec("s", "review")))
    assert [len(batch.messages) for batch in batches] == [1_999, 2_000, 500]
    assert batches[0].messages[0].sent_at == datetime(2026, 3, 1, 8, tzinfo=UTC)
    assert lines_and_reasons(batches[0].rejected) == [(4, "rating '11' is not a number from 1 to 5")]
    assert batches[-1].bytes_read == batches[-1].bytes_total


def test_batches_say_how_far_reading_has_come(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "ROWS", 2_000)
    path = tmp_path / "f.csv"
    path.write_text(HEAD + (GOOD.format(1) * 2_500))
    first, second = read(path, FileSpec("s", "review"))
    assert (len(first.messages), first.position, second.position) == (2_000, "f.csv:2001", "f.csv:2501")
    assert 0 < first.bytes_read < second.bytes_read == first.bytes_total


def test_preview_shows_the_mapping_and_counts_problems(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text("review,stars,date,id\nok,4,16-02-2015 10.00,1\nno,9,17-02-2015 10.00,2\nso,8,18-02-2015 10.00,3\n")
    shown = preview(path, FileSpec("s", "review"))
    assert (shown.kind, shown.encoding, shown.time_format) == ("CSV", "utf-8", "%d-%m-%Y %H.%M")
    assert shown.mapping == {"text": "review", "rating": "stars", "time": "date"}
    assert "only count the rows" in shown.notes[0]
    assert (shown.records, shown.good, shown.without_customer, shown.complete) == (3, 1, 1, True)
    assert shown.problems == {"stars (rating) … is not a number from 1 to 5": 2}
    assert [message.text for message in shown.messages] == ["ok"]
