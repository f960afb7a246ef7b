"""Servers that nobody documents: what each does to its own source, and to none of the others."""

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import duckdb
import pytest

from pipeline.errors import SourceError
from pipeline.sources.client import Sweep
from pipeline.sources.http import _date, _seconds_until

TOKEN = "hostile-t0ken-4711"
BEGIN = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
HALF = "\ud83d"
"""What JSON holds of an emoji that was cut in two."""
CURSOR = '{ type = "cursor", next = "next" }'
LINK = '{ type = "next", next = "next" }'


def record(number, **more):
    moment = (BEGIN + timedelta(minutes=number)).isoformat()
    author = {"id": f"kim{number}@example.com", "name": "Kim"}
    return {"id": f"m{number}", "author": author, "body": f"Parcel {number} is late", "at": moment} | more


def good(query, asked):
    return {"data": [record(1)]}


def no_page_numbers(query, asked):
    return {"data": [record(1), record(2)]}


def cursors_without_end(query, asked):
    return {"data": [record(1), record(2)], "next": f"c{asked}"}


def null_for_nothing(query, asked):
    return {"data": None}


def no_content(query, asked):
    return None


def ids_that_tell_nothing(query, asked):
    ids = (True, True, {}, {}, None, None, "", 10**40, {"$oid": "5f"}, {"$oid": "60"})
    return {"data": [record(number, id=name) for number, name in enumerate(ids)]}


def first_page_unreadable(query, asked):
    if "cursor" in query:
        return {"data": [record(number, at=f"{number}/06/2025 10:00") for number in (3, 14)]}
    return {"data": ["no record", record(1, at="soon")], "next": "2"}


def half_characters(query, asked):
    name = {"id": f"{HALF}a@example.com", "name": f"Kim {HALF}"}
    return {"data": [record(1, id=HALF, author=name, body=f"late {HALF}"), record(2, id=f"{HALF}x", gone=True)]}


def needs_its_own_query(query, asked):
    begin = int(query.get("cursor", ["0"])[0])
    found = {"data": [record(begin)], "next": str(begin + 1) if begin < 2 else None}
    return found if query["team"] == ["5"] else {"error": "whose?"}


def no_address(query, asked):
    return {"data": [record(1)], "next": "http://[bad"}


def drips(query, asked):
    for _ in range(100):
        yield b" "
        time.sleep(0.05)


SERVERS = {
    "good": (good, CURSOR, ""),
    "numbers": (no_page_numbers, '{ type = "page" }', ""),
    "offsets": (no_page_numbers, '{ type = "offset" }', ""),
    "cursors": (cursors_without_end, CURSOR, ""),
    "null": (null_for_nothing, CURSOR, ""),
    "nothing": (no_content, CURSOR, ""),
    "ids": (ids_that_tell_nothing, CURSOR, ""),
    "times": (first_page_unreadable, CURSOR, ""),
    "halves": (half_characters, CURSOR, 'deleted = "gone"\nabsent = "erase"'),
    "query?team=5": (needs_its_own_query, CURSOR, ""),
    "address": (no_address, LINK, ""),
    "drips": (drips, CURSOR, 'timeout = "0.1s"\nlongest_wait = "1s"\nbudget = 1'),
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        address = urlsplit(self.path)
        name = address.path.rpartition("/")[2]
        name = next(server for server in SERVERS if server.partition("?")[0] == name)
        self.server.asked.append(name)
        found = SERVERS[name][0](parse_qs(address.query), self.server.asked.count(name))
        self.send_response(204 if found is None else 200)
        self.end_headers()
        try:
            for part in (json.dumps(found).encode(),) if isinstance(found, dict) else found or ():
                self.wfile.write(part)
        except OSError:
            pass  # the pull would not wait any longer

    def log_message(self, *words):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def block(name, port):
    _, paginate, more = SERVERS[name]
    return f"""
[[sources]]
name = "{name.partition("?")[0]}"
kind = "rest"
channel = "transcript"
url = "http://127.0.0.1:{port}/v1/{name}"
auth = {{ type = "bearer", token_env = "HOSTILE_TOKEN" }}
paginate = {paginate}
since = {{ param = "after", field = "at" }}
records = "data"
map = {{ id = "id", customer = "author.id", name = "author.name", text = "body", time = "at" }}
{more}
"""


@pytest.fixture
def pulled(server, home, called, monkeypatch):
    """Pull some of the servers and return source → report."""
    monkeypatch.setenv("HOSTILE_TOKEN", TOKEN)

    def pulled(*names):
        home.root.mkdir(parents=True, exist_ok=True)
        text = "".join(block(name, server.server_port) for name in names)
        home.settings_file.write_text(text, encoding="utf-8")
        done = called("pull", "--json", home=home)
        assert TOKEN not in done.stdout + done.stderr
        return {report["name"]: report for report in json.loads(done.stdout)}

    return pulled


def figures(report):
    return report["state"], report["landed"], report["quarantined"]


def test_a_server_that_knows_no_page_numbers_ends_with_an_error(pulled, server):
    reports = pulled("numbers", "offsets", "cursors")
    for name, report in reports.items():
        assert figures(report) == ("failed", 2, 0)
        assert "again and again" in report["error"]
        assert server.asked.count(name) == 3


def test_null_and_no_content_are_no_records(pulled):
    assert [figures(report) for report in pulled("null", "nothing").values()] == [("complete", 0, 0)] * 2


def test_ids_that_tell_no_record_from_another_lose_none(pulled):
    report = pulled("ids")["ids"]
    assert figures(report) == ("complete", 10, 0)
    assert pulled("ids")["ids"]["duplicates"] == 10


def test_a_bad_first_page_neither_stops_a_source_nor_settles_how_times_are_read(pulled):
    assert figures(pulled("times")["times"]) == ("complete", 2, 2)


def test_what_the_settings_ask_for_in_the_address_is_asked_for_on_every_page_and_pull(pulled):
    assert figures(pulled("query?team=5")["query"]) == ("complete", 3, 0)
    assert pulled("query?team=5")["query"]["state"] == "complete"


def test_half_characters_are_stored_wherever_they_stand(pulled, home):
    assert figures(pulled("halves")["halves"]) == ("complete", 1, 0)
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        assert connection.execute("SELECT text FROM message").fetchall() == [("late ?",)]


def test_an_address_that_is_none_and_an_answer_without_end_are_told(pulled):
    reports = pulled("address", "drips", "good")
    assert "address is none" in reports["address"]["error"]
    assert reports["drips"]["requests"] == 1
    assert figures(reports["good"]) == ("complete", 1, 0)


def test_what_nobody_foresaw_stops_one_source_alone(pulled, monkeypatch):
    def fail(self, answer, records, token):
        if self.spec.source == "numbers":
            raise ZeroDivisionError("kim@example.com")

    monkeypatch.setattr("pipeline.sources.rest.RestClient._next", fail)
    reports = pulled("numbers", "good")
    assert figures(reports["good"]) == ("complete", 1, 0)
    assert reports["numbers"]["state"] == "failed"
    assert "ZeroDivisionError" in reports["numbers"]["error"]
    assert "kim" not in reports["numbers"]["error"]


@pytest.mark.parametrize("value", ["nan", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "soon", ""])
def test_a_time_to_come_back_that_is_none_is_passed_over(value):
    assert _seconds_until(value, {}) is None
    assert _date(value) is None


def test_a_time_to_begin_from_replaces_a_damaged_cursor():
    assert Sweep.start("chats.csv:12", BEGIN, timedelta()).begins == BEGIN
    with pytest.raises(SourceError, match="--since"):
        Sweep.start("chats.csv:12", None, timedelta())


def test_a_host_that_only_begins_like_this_machine_is_not_it(pulled, home, called):
    pulled("good")
    text = home.settings_file.read_text(encoding="utf-8").replace("127.0.0.1:", "127.0.0.1.example.com:")
    home.settings_file.write_text(text, encoding="utf-8")
    done = called("pull", home=home)
    assert done.returncode == 2
    assert "in the clear" in done.stderr
