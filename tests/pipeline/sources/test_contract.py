"""The contract: a stranger's server, the block of the documentation, and the program as its users run it."""

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.config import REPOSITORY

TOKEN = "a-strangers-t0ken-8172"
BEGIN = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
KEYS = {"name", "kind", "last_pull", "newest_record", "lag", "landed", "quarantined", "state", "error"}


def moment(minutes):
    return (BEGIN + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


class Server(ThreadingHTTPServer):
    """Answers ``GET /v1/messages``; its first answer is 429."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.records, self.asked = {}, []
        self.block_once = True

    def write(self, number, body, minutes, **more):
        author = {"id": f"kim.stranger{number % 5}@example.com", "role": "customer" if number % 2 else "agent"}
        record = {"id": f"m{number}", "author": author, "conversation_id": f"c{number // 4}", "body": body}
        self.records[number] = record | {"created_at": moment(number), "updated_at": moment(minutes)} | more

    def page(self, query):
        after = query.get("updated_after", [""])[0]
        found = sorted(self.records.values(), key=lambda record: (record["updated_at"], record["id"]))
        found = [record for record in found if record["updated_at"] >= after]
        begin = int(query.get("cursor", ["0"])[0])
        more = begin + 10 < len(found)
        return {"data": found[begin : begin + 10], "meta": {"next_cursor": str(begin + 10) if more else None}}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        address = urlsplit(self.path)
        self.server.asked.append(self.path)
        status, body = 200, self.server.page(parse_qs(address.query))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}" or address.path != "/v1/messages":
            status, body = 401, {"error": "who are you?"}
        elif self.server.block_once:
            self.server.block_once, status, body = False, 429, {"error": "slow down"}
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *words):
        pass


@pytest.fixture
def stranger():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def desk(stranger, home, moodline):
    """The home of somebody who pasted the documented block, and who runs ``desk("pull", …)`` there."""
    page = (REPOSITORY / "docs" / "sources" / "rest.md").read_text(encoding="utf-8")
    block = page.split("```toml\n")[1].split("```")[0].replace(":9000/", f":{stranger.server_port}/")
    home.root.mkdir(parents=True)
    home.settings_file.write_text(block, encoding="utf-8")

    def run(*words):
        done = moodline(*words, home=home, env={"DESK_TOKEN": TOKEN})
        assert done.returncode == 0, done.stderr
        assert TOKEN not in done.stdout + done.stderr
        return json.loads(done.stdout) if "--json" in words else done.stderr

    return run


@pytest.mark.slow
def test_a_stranger_points_it_at_a_server_of_their_own(stranger, desk, home):
    for number in range(25):
        stranger.write(number, f"Where is parcel number {number}?", number)
    stranger.write(3, "Write to lee@example.com, card 4111 1111 1111 1111, call +44 7700 900142", 3)
    stranger.write(7, None, 7, content="My lamp came broken, ask kim.stranger2@example.com", nick_name="Kimmy Stranger")
    assert "24 landed" in desk("pull")
    assert len(stranger.asked) == 4, "429 and three pages"
    shown = {row["text"] for row in desk("messages", "--json", "--source", "desk")}
    assert len(shown) == 24
    assert not [text for text in shown if "@" in text or "4111" in text or "7700" in text]

    [bad] = desk("quarantine", "show", "--json")
    assert "body" in bad["reason"]
    assert not [word for word in ("@example.com", "Kimmy") if word in json.dumps(bad)]
    [line] = desk("sources", "list", "--json")
    assert line.keys() == KEYS
    assert (line["landed"], line["quarantined"], line["state"], line["error"]) == (24, 1, "fresh", None)

    settings = home.settings_file.read_text(encoding="utf-8")
    home.settings_file.write_text(settings.replace('text = "body"', 'text = "body || content"'), encoding="utf-8")
    desk("quarantine", "replay")
    assert desk("quarantine", "show", "--json") == []
    [mended] = [row for row in desk("messages", "--json") if "lamp" in row["text"]]
    others = [row["customer"] for row in desk("messages", "--json") if row["text"].endswith(" 17?")]
    assert [mended["customer"]] == others, "number 7 and number 17 are one person"

    stranger.write(5, "It has come after all", 30)
    for number in range(26, 60):
        stranger.write(number, f"Question number {number}", number, conversation_id=None)
    stranger.records[59]["author"]["role"] = "supervisor"
    told = desk("pull", "desk")
    assert f"updated_after={moment(14)}".replace(":", "%3A") in stranger.asked[4].replace(":", "%3A")
    assert "1 edited" in told
    assert "thread" in told
    assert "supervisor" in told
    texts = [row["text"] for row in desk("messages", "--json")]
    assert len(texts) == len(set(texts)) == len(stranger.records)
    assert "It has come after all" in texts
    assert "Where is parcel number 5?" not in texts
