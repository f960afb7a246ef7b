"""Broken files through ``moodline import``: a clear message, the good rows in, the bad in quarantine with a reason.

The exit code is non-zero only when nothing could be read. What is kept of a bad row is masked like everything else.
"""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

HEAD = b"text,time,customer,rating\n"
GOOD = b"Came on time,2026-03-01T10:00:00Z,ann,4\nCame late,2026-03-02T10:00:00Z,bob,2\n"
REVIEW = ("--as", "shop", "--channel", "review")


@pytest.fixture
def bring(called, home, tmp_path):
    """Import bytes as a file of that name; tell the finished command, the messages, and line → reason in quarantine."""

    def bring(content, *words, name="reviews.csv"):
        path = tmp_path / name
        path.write_bytes(content)
        done = called("import", path, *REVIEW, *words, home=home)
        assert "Traceback" not in done.stderr
        return done, quarantine(called, home)

    return bring


def quarantine(called, home):
    shown = json.loads(called("quarantine", "show", "--json", home=home).stdout)
    assert all(row["source"] == "shop" for row in shown)
    return {row["line"]: row["reason"] for row in shown}


def texts(tables, home):
    return sorted(row[3] for row in tables(home)["message"])


@pytest.mark.parametrize(
    ("bad", "line", "reason"),
    [
        (b'"The parcel was torn and I ca', 4, "a quoted field that begins here is never closed"),
        (b"The parcel was torn,2026-0", 4, "expected 4 columns, found 2; the file seems cut off here"),
        (b"Never again,2026-02-31,cy,1\n", 4, "2026-02-31"),
        (b"Never again,2026-03-01T25:00:00Z,cy,1\n", 4, "T25:00:00Z"),
        (b"Never again,2999-01-01,cy,1\n", 4, "2999-01-01"),
        (b"Never again,,cy,1\n", 4, "time is empty; expected when it was written"),
        (b"Never again,2026-03-03,cy,six\n", 4, "rating 'six' is not a number from 1 to 5"),
        (b",2026-03-03,cy,\n", 4, "text is empty and there is no rating"),
        (b"Never again,2026-03-03,cy,1,surplus\n", 4, "expected 4 columns, found 5"),
        (b"x" * 1_000_000 + b",2026-03-03,cy,1\n", 4, "100,000"),
        (b'"' + b'"" ' * 350_000 + b'",2026-03-03,cy,1\n', 4, "100,000"),
        (b"Caf\xc3\xa9 " * 10 + b"caf\xe9,2026-03-03,cy,1\n", 4, "bytes that are not in the file's encoding"),
        (b"Nul \x00 byte,2026-03-03,cy,1\n", 4, "NUL character"),
    ],
    ids=lambda value: value.decode("utf-8", "replace")[:24] if isinstance(value, bytes) else "",
)
def test_a_bad_row_costs_that_row(bring, tables, home, bad, line, reason):
    done, kept = bring(HEAD + GOOD + bad)
    assert done.returncode == 0
    assert texts(tables, home) == ["Came late", "Came on time"]
    assert list(kept) == [line]
    assert reason in kept[line]
    assert f"reviews.csv line {line}: " in done.stderr
    assert "2 messages new" in done.stderr
    assert "1 bad records are in quarantine: moodline quarantine show" in done.stderr
    assert len(done.stderr) < 2_000


@pytest.mark.parametrize(
    ("content", "words", "name", "says"),
    [
        (b"", (), "reviews.csv", "reviews.csv is empty; nothing to read"),
        (b"  \n\n", (), "reviews.csv", "reviews.csv is empty; nothing to read"),
        (
            HEAD + GOOD,
            ("--map", "text=review_body"),
            "r.csv",
            "no column 'review_body' for text; the columns found are",
        ),
        (b"name,age\nann,4\n", (), "people.csv", "which column is the time? Say --map time=COLUMN"),
        (b"text,time\nx,03/04/2026\ny,05/06/2026\n", (), "open.csv", "--time-format"),
        (b"PK\x03\x04\x14\x00xl/workbook.xml" + bytes(200), (), "reviews.csv", "an Excel workbook"),
        (b"%PDF-1.7 \xff\xfe", (), "reviews.csv", "is a PDF"),
        (b"<!doctype html><html><body>Log in", (), "reviews.csv", "is a web page (HTML)"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), (), "reviews.csv", "is a picture"),
        (b"PAR1 and nothing of the kind", (), "reviews.parquet", "reviews.parquet"),
        (b'{"text": "cut', (), "reviews.json", "begins like JSON, but no whole JSON value is in it; is it cut off?"),
        (b"\x1f\x8bbroken", (), "reviews.csv.gz", "looks gzip-compressed but cannot be unpacked"),
        (b"text,time\n\xe4\xee\xe1\xf0\x81\x8d,2026-03-01\n", (), "r.csv", "or say which with --encoding"),
        (HEAD + GOOD, ("--encoding", "klingon"), "r.csv", "encoding 'klingon' is not known"),
        (HEAD + GOOD, ("--time-zone", "Mars/Olympus"), "r.csv", "Mars/Olympus"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_a_file_of_which_nothing_can_be_read_fails_and_says_why(bring, tables, home, content, words, name, says):
    done, kept = bring(content, *words, name=name)
    assert done.returncode == 1
    assert says in done.stderr
    assert name in done.stderr or "Mars" in says
    assert kept == {}
    assert tables(home)["message"] == []


def test_a_file_of_bad_rows_alone_fails_and_keeps_them(bring):
    done, kept = bring(HEAD + b"a,never,ann,1\nb,2026-02-30,ann,1\n" + b"c,2026-03-01,ann,9\n")
    assert done.returncode == 1
    assert sorted(kept) == [2, 3, 4]
    assert "no record could be read; `moodline quarantine show` gives the reasons" in done.stderr


def test_a_table_without_rows_is_no_failure(bring):
    done, kept = bring(HEAD)
    assert (done.returncode, kept) == (0, {})
    assert "0 records read" in done.stderr


@pytest.mark.parametrize(("codec", "words"), [("cp1252", ()), ("utf-16", ()), ("latin-1", ("--encoding", "latin-1"))])
def test_another_encoding_is_found_or_said(bring, tables, home, codec, words):
    done, kept = bring("text,time\nGanz schön spät für 20 £,2026-03-01\n".encode(codec), *words)
    assert (done.returncode, kept) == (0, {})
    assert texts(tables, home) == ["Ganz schön spät für 20 £"]


@pytest.mark.parametrize("name", ["reviews.json", "reviews.parquet", "reviews.vtt", "reviews"])
def test_what_a_file_is_shows_in_its_bytes_and_not_in_its_name(bring, tables, home, name):
    done, kept = bring(HEAD + GOOD, name=name)
    assert (done.returncode, kept) == (0, {})
    assert len(texts(tables, home)) == 2


def test_a_parquet_file_called_csv_and_one_cut_off(bring, tables, home, tmp_path):
    rows = {"text": ["fine", "late"], "time": ["2026-03-01", "2026-03-02"], "customer": ["ann", "bob"]}
    pq.write_table(pa.table(rows), tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    done, _ = bring(whole[:-20])
    assert done.returncode == 1
    assert "reviews.csv" in done.stderr
    done, _ = bring(whole)
    assert done.returncode == 0
    assert texts(tables, home) == ["fine", "late"]


def test_half_an_emoji_in_json_does_not_stop_the_rest(bring, tables, home):
    lines = (
        b'{"text": "great \\ud83d", "time": "2026-03-01", "customer": "ann"}\n'
        b'{"text": "fine", "time": "2026-03-02", "customer": "ann"}\n'
        b'{"text": "cut off", "time": "2026-0'
    )
    done, kept = bring(lines, name="r.jsonl")
    assert done.returncode == 0, done.stderr
    assert texts(tables, home) == ["fine", "great ?"]
    assert list(kept) == [3]


def test_a_folder_loses_the_bad_file_only(called, home, tables, tmp_path):
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "a.csv").write_bytes(HEAD + GOOD)
    (folder / "b.csv").write_bytes(b"")
    (folder / "c.csv").write_bytes(b"PK\x03\x04xl/")
    done = called("import", folder, *REVIEW, home=home)
    assert done.returncode == 0
    assert len(texts(tables, home)) == 2
    rows = json.loads(called("quarantine", "show", "--json", home=home).stdout)
    assert {(row["file"], row["line"]) for row in rows} == {("b.csv", 0), ("c.csv", 0)}


def test_day_and_month_are_not_guessed(bring, tables, home):
    content = b"text,time,customer\nfine,03/04/2026,ann\nlate,05/06/2026,ann\n"
    done, _ = bring(content)
    assert done.returncode == 1
    assert tables(home)["message"] == []
    done, _ = bring(content, "--time-format", "%d/%m/%Y")
    assert done.returncode == 0
    assert {str(row[4])[:10] for row in tables(home)["message"]} == {"2026-04-03", "2026-06-05"}


def test_preview_stores_nothing_and_masks(called, home, tmp_path):
    path = tmp_path / "r.csv"
    path.write_bytes(HEAD + b"Write to me: ann@example.com,2026-03-01,ann,4\nx,never,ann,1\n")
    done = called("import", path, *REVIEW, "--preview", "--json", home=home)
    seen = json.loads(done.stdout)
    assert (seen["records"], seen["good"]) == (2, 1)
    assert seen["mapping"]["text"] == "text"
    assert len(seen["problems"]) == 1
    assert "ann@example.com" not in done.stdout + done.stderr
    assert not home.root.exists()


# --- Customers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words", "says"),
    [
        (b"", (), "holds no customers"),
        (b"id,value\n", (), "holds no customers"),
        (b"id,value\nA1,lots\n", (), "customers line 2: value 'lots' is not a number"),
        (b"name,value\nAnn,3\n", (), "customers line 2: no id, e-mail, phone or handle; say --map id=COLUMN"),
        (b"id,value\nA1,3,surplus\n", ("--map", "value=worth"), "no column 'worth'; the columns found are id, value"),
        (b"id\xff\xfe,value\n", (), "cannot be read as a CSV of customers"),
    ],
)
def test_bad_lists_of_customers_change_nothing(called, home, tables, tmp_path, content, words, says):
    path = tmp_path / "crm.csv"
    path.write_bytes(content)
    done = called("import", path, "--customers", *words, home=home)
    assert done.returncode == 1
    assert says in done.stderr
    assert not home.warehouse.exists() or tables(home)["customer"] == []


# --- Replay ----------------------------------------------------------------------------------------------------------


def test_replay_brings_rows_in_once(bring, called, tables, home):
    done, kept = bring(
        HEAD + GOOD + b"Cross,04.03.2026 10.00,cy,1\nCrosser,05.03.2026 10.00,cy,six\nLost,,cy,2\n",
        "--time-format", "iso",
    )  # fmt: skip
    assert (done.returncode, sorted(kept)) == (0, [4, 5, 6])
    assert len(set(kept.values())) == 3

    done = called("quarantine", "replay", "--time-format", "%d.%m.%Y %H.%M", home=home)
    assert done.returncode == 0
    assert "1 messages new" in done.stderr
    assert sorted(quarantine(called, home)) == [5, 6]

    done = called("quarantine", "replay", "--time-format", "%d.%m.%Y %H.%M", "--set", "rating=1", home=home)
    assert "1 messages new" in done.stderr
    called("quarantine", "replay", "--source", "nobody", "--set", "time=2026-03-06", home=home)
    assert sorted(quarantine(called, home)) == [6]
    called("quarantine", "replay", "--source", "shop", "--set", "time=2026-03-06", home=home)
    assert quarantine(called, home) == {}

    cross = {row[3]: row for row in tables(home)["message"]}
    assert sorted(cross) == ["Came late", "Came on time", "Cross", "Crosser", "Lost"]
    assert len({cross[text][5] for text in ("Cross", "Crosser", "Lost")}) == 1
    assert str(cross["Crosser"][4]) == "2026-03-05 10:00:00"
    before = tables(home)
    called("quarantine", "replay", "--set", "time=2026-03-07", home=home)
    assert tables(home) == before


def test_a_replayed_customer_is_the_same_person_as_before(bring, called, tables, home):
    bring(HEAD + b"Fine,2026-03-01,ann@example.com,4\nCross,never,ann@example.com,1\n")
    called("quarantine", "replay", "--set", "time=2026-03-06", home=home)
    assert len({row[5] for row in tables(home)["message"]}) == 1
    assert [(row[0], row[1]) for row in tables(home)["customer_alias"]] == [("email", "ann@example.com")]


# --- At rest ---------------------------------------------------------------------------------------------------------

MAIL, PHONE, HANDLE, CARD = "ann.private@example.com", "+44 20 7946 0958", "@ann_private", "4111 1111 1111 1111"
LEAKY = f"""text,time,customer,rating,thread,product,department,author,role,id
"Mail {MAIL}, ring {PHONE} or ask {HANDLE}",2026-03-01,{MAIL},4,{MAIL},for {MAIL},{HANDLE},{PHONE},agent,1
Card {CARD},2026-03-02,{HANDLE},4,whatsapp:{PHONE},lamp,sales,Nia,agent,{MAIL}
Mail {MAIL},call {PHONE},{MAIL},4,{MAIL},lamp,{HANDLE},,customer,3
x,{MAIL},{PHONE},4,t,lamp,sales,,customer,{MAIL}
x,2026-03-03,ann,{MAIL},t,lamp,sales,,{MAIL},5
"Mail {MAIL} or {CARD},2026-03-03,{HANDLE},1,t,lamp
"""


def test_nothing_unmasked_is_at_rest_or_on_the_screen_but_the_own_names_in_their_one_table(bring, called, tables, home):
    done, kept = bring(LEAKY.encode())
    assert done.returncode == 0
    assert sorted(kept) == [4, 5, 6, 7]
    found = tables(home)
    assert {row[1] for row in found.pop("customer_alias")} >= {MAIL, HANDLE[1:]}
    shown = called("quarantine", "show", home=home).stdout + called("quarantine", "show", "--json", home=home).stdout
    for secret in (MAIL, PHONE[4:], HANDLE[1:], CARD):
        where = [name for name, rows in found.items() if any(secret in str(row) for row in rows)]
        assert where == [], secret
        assert secret not in done.stderr
        assert secret not in shown
    threads = {row[3]: row[8] for row in found["message"]}
    assert len(set(threads.values())) == 2
    assert all(thread.startswith("x_") for thread in threads.values())


def test_a_replayed_row_and_the_mended_file_are_one_message(called, home, tmp_path):
    path = tmp_path / "shop.csv"
    row = "ana@example.com,2026-05-01T10:00:00Z,Nobody answers my mails,{stars}\n"
    later = row.format(stars="2").replace("10:", "11:")
    path.write_text("customer,time,text,rating\n" + row.format(stars="six") + later)
    assert called("import", path, "--as", "shop", "--channel", "review", home=home).returncode == 0
    assert called("quarantine", "replay", "--set", "rating=3", home=home).returncode == 0
    path.write_text("customer,time,text,rating\n" + row.format(stars="3") + later)
    again = json.loads(called("import", path, "--as", "shop", "--channel", "review", "--json", home=home).stdout)
    assert (again["landed"], again["duplicates"]) == (0, 2)
