import json
import logging
import socket
import socketserver
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipeline.errors import DeliveryError
from pipeline.notify import (
    Delivered,
    UnconfirmedDelivery,
    append_log,
    deliver,
    follow_erasures,
    receiver,
    render,
)
from pipeline.records import Alert

SECRET = "s3cr3t-t0ken"
ALERT = Alert(
    alert_id="a_0123456789abcdef",
    customer_id="c_1",
    kind="slide",
    opened_at=datetime(2026, 9, 14, 8, 30, tzinfo=UTC),
    rank=12.5,
    headline="c_1 slid 1.4 levels in 30 days and is now annoyed",
    explanation='On 16 Sep\n- 13 Sep 2026: cost 0.60 levels: "<!channel> *where* is <ORDER>, é?" [m_1]\nNext: call.',
    message_ids=("m_1",),
)


# --- The log ---------------------------------------------------------------------------------------------------------


def logged(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_log_holds_each_alert_once(tmp_path):
    path, other = tmp_path / "home" / "alerts.jsonl", replace(ALERT, alert_id="a_2")
    assert append_log(path, [ALERT, ALERT]) == 1
    assert append_log(path, [ALERT, other]) == 1
    assert append_log(path, []) == 0
    assert [entry["alert_id"] for entry in logged(path)] == [ALERT.alert_id, "a_2"]


def test_a_log_line_tells_the_whole_alert(tmp_path):
    append_log(tmp_path / "alerts.jsonl", [ALERT])
    [entry] = logged(tmp_path / "alerts.jsonl")
    assert entry == {
        "alert_id": ALERT.alert_id,
        "customer_id": "c_1",
        "kind": "slide",
        "opened_at": "2026-09-14T08:30:00+00:00",
        "rank": 12.5,
        "headline": ALERT.headline,
        "explanation": ALERT.explanation,
        "message_ids": ["m_1"],
    }


def test_a_line_torn_at_any_byte_is_repaired(tmp_path):
    path, second = tmp_path / "alerts.jsonl", replace(ALERT, alert_id="a_2")
    append_log(path, [ALERT])
    first = path.stat().st_size
    append_log(path, [second])
    whole = path.read_bytes()
    for size in range(first, len(whole) + 1):
        path.write_bytes(whole[:size])
        append_log(path, [ALERT, second])
        assert path.read_bytes() == whole


def test_lines_of_others_are_left_alone(tmp_path):
    path = tmp_path / "alerts.jsonl"
    path.write_bytes(b'not json\n[1]\n{"alert_id": 3}\n\xff\n')
    append_log(path, [ALERT])
    assert path.read_bytes().startswith(b'not json\n[1]\n{"alert_id": 3}\n\xff\n{"alert_id"')


def test_the_log_loses_what_an_alert_no_longer_quotes(tmp_path):
    path, other = tmp_path / "alerts.jsonl", replace(ALERT, alert_id="a_2")
    assert follow_erasures(path, [ALERT]) == 0
    append_log(path, [ALERT, other])
    with path.open("ab") as log:
        log.write(b'not json\n{"alert_id": "a_torn')
    before = path.read_bytes().splitlines()
    assert follow_erasures(path, [ALERT, other]) == 0
    assert path.read_bytes().splitlines() == before
    erased = replace(ALERT, explanation="On 16 Sep\n- 13 Sep 2026: cost 0.60 levels: (erased) [m_1]\nNext: call.")
    assert follow_erasures(path, [erased, other]) == 1
    after = path.read_bytes().splitlines()
    assert json.loads(after[0])["explanation"] == erased.explanation
    assert after[1:] == before[1:]


def test_a_torn_line_longer_than_a_block_is_cut_off(tmp_path):
    path = tmp_path / "alerts.jsonl"
    append_log(path, [ALERT])
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"alert_id": "a_9' + b"x" * 200_000)
    assert append_log(path, [ALERT]) == 0
    assert path.read_bytes() == whole


# --- Rendering -------------------------------------------------------------------------------------------------------


def test_text_names_the_customer_and_disarms_brackets():
    text = render(ALERT, "Maureen\r\nOyelaran")
    assert text.title == "Maureen Oyelaran (c_1) slid 1.4 levels in 30 days and is now annoyed"
    assert '"\u2039!channel\u203a *where* is \u2039ORDER\u203a, é?" [m_1]' in text.body
    assert text.body.endswith("Alert a_0123456789abcdef, opened 2026-09-14 08:30 UTC.")
    assert render(ALERT).title == ALERT.headline


def test_markdown_escapes_what_customers_write():
    body = render(ALERT, form="markdown").body
    assert r"\*where\* is" in body
    assert "**Next:** call." in body
    assert "\n- 13 Sep" in body


# --- Names of receivers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"json://user:{SECRET}@127.0.0.1:8080/{SECRET}?token={SECRET}", "json://127.0.0.1:8080 #"),
        (f"mailtos://me:{SECRET}@example.com", "mailtos://example.com #"),
        (f"slack://{SECRET}/B000/XXX", "slack:// #"),
        (f"tgram://{SECRET}/42", "tgram:// #"),
        (f"jsons://[::1]:99/{SECRET}", "jsons://[::1]:99 #"),
        (f"json://{SECRET} with blanks/", "json:// #"),
        (SECRET, "receiver #"),
    ],
)
def test_a_receiver_is_named_without_its_secrets(url, shown):
    assert receiver(url).startswith(shown)
    assert SECRET not in receiver(url)


def test_receivers_on_one_host_differ():
    assert receiver("slack://a/b/c") != receiver("slack://a/b/d")


# --- Delivery over HTTP ----------------------------------------------------------------------------------------------


@contextmanager
def running(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Hook(BaseHTTPRequestHandler):
    """A webhook that takes JSON and misbehaves by the path it is called under."""

    def do_POST(self):
        self.server.seen.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        if "reset" in self.path:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.connection.close()
            return
        if "slow" in self.path:
            time.sleep(1.0)
        self.send_response(500 if "broken" in self.path else 200)
        self.end_headers()
        self.wfile.write(SECRET.encode())

    def log_message(self, *_):
        pass


class Quiet:
    """Servers whose clients hang up on purpose say nothing about it."""

    def handle_error(self, *_):
        pass


class HookServer(Quiet, ThreadingHTTPServer):
    daemon_threads = False


@pytest.fixture
def hook():
    server = HookServer(("127.0.0.1", 0), Hook)
    server.seen = []
    with running(server):
        yield server


def hook_url(server, path):
    return f"json://user:{SECRET}@127.0.0.1:{server.server_port}/{SECRET}/{path}"


def test_a_webhook_gets_the_alert_once(hook):
    done = deliver(hook_url(hook, "fine"), ALERT, "Maureen")
    assert done == Delivered(ALERT.alert_id, receiver(hook_url(hook, "fine")))
    [seen] = hook.seen
    assert seen["title"].startswith("Maureen (c_1) slid")
    assert ALERT.alert_id in seen["message"]
    assert "é" in seen["message"]


def test_an_answer_of_500_is_a_certain_failure(hook):
    with pytest.raises(DeliveryError, match="was not delivered \\(it answered 500\\)") as caught:
        deliver(hook_url(hook, "broken"), ALERT)
    assert not isinstance(caught.value, UnconfirmedDelivery)
    assert len(hook.seen) == 1


@pytest.mark.parametrize(("path", "why"), [("slow", r"no answer within 0\.3 s"), ("reset", "the connection broke")])
def test_a_lost_answer_is_unconfirmed(hook, path, why):
    with pytest.raises(UnconfirmedDelivery, match=f"may or may not have arrived \\({why}\\)"):
        deliver(hook_url(hook, path), ALERT, timeout=0.3)
    assert len(hook.seen) == 1


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def test_nobody_listening_is_a_certain_failure():
    with pytest.raises(DeliveryError, match="the connection was refused") as caught:
        deliver(f"json://127.0.0.1:{closed_port()}/{SECRET}", ALERT)
    assert not isinstance(caught.value, UnconfirmedDelivery)


@pytest.mark.parametrize("url", [f"nosuch://{SECRET}", SECRET, f"json://:{SECRET}@", f"slack://{SECRET}", ""])
def test_a_url_that_apprise_does_not_know_says_where_to_mend_it(url):
    with pytest.raises(DeliveryError, match="MOODLINE_ALERT_URLS") as caught:
        deliver(url, ALERT)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("path", ["fine", "broken", "slow", "reset"])
def test_no_secret_is_shown_anywhere(hook, caplog, capfd, path):
    caplog.set_level(logging.DEBUG)
    try:
        said = repr(deliver(hook_url(hook, path), ALERT, timeout=0.3))
    except DeliveryError as error:
        said = f"{error} {error.__cause__} {error.__context__}"
    assert SECRET not in said + caplog.text + "".join(capfd.readouterr())


def test_loggers_are_left_as_they_were(hook):
    logger = logging.getLogger("apprise")
    before = logger.level, logger.propagate, list(logger.handlers)
    deliver(hook_url(hook, "fine"), ALERT)
    assert (logger.level, logger.propagate, logger.handlers) == before


# --- Delivery by mail ------------------------------------------------------------------------------------------------


class Post(socketserver.StreamRequestHandler):
    """As much of SMTP (RFC 5321) as one mail takes; ``server.mood`` says how it misbehaves."""

    def handle(self):
        if self.server.mood == "unavailable":
            return self.say("421 4.3.2 come back later")
        self.say("220 post.example")
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b"DATA":
                self.say("354 go on")
                self.server.mails.append(b"".join(iter(self.rfile.readline, b".\r\n")))
                if self.server.mood in ("slow", "reset"):
                    return time.sleep(1.0 if self.server.mood == "slow" else 0)
            refused = self.server.mood == "refusing" and verb == b"RCPT"
            self.say("550 5.1.1 nobody here by that name" if refused else "221 bye" if verb == b"QUIT" else "250 ok")
            if verb == b"QUIT":
                return None
        return None

    def say(self, line):
        self.wfile.write(f"{line}\r\n".encode())


class PostOffice(Quiet, socketserver.ThreadingTCPServer):
    allow_reuse_address = True


@pytest.fixture
def post():
    server = PostOffice(("127.0.0.1", 0), Post)
    server.mails, server.mood = [], "fine"
    with running(server):
        yield server


def mail_url(server):
    port = server.server_address[1]
    return (
        f"mailto://127.0.0.1:{port}?smtp=127.0.0.1&from=moodline@example.com&to=cx-{SECRET}@example.com&mode=insecure"
    )


def test_a_mail_is_delivered(post):
    assert deliver(mail_url(post), ALERT, "Maureen").alert_id == ALERT.alert_id
    [raw] = post.mails
    mail = message_from_bytes(raw, policy=default)
    assert mail["Subject"].startswith("Maureen (c_1) slid")
    assert ALERT.alert_id in mail.get_body(("plain", "html")).get_content()


@pytest.mark.parametrize(
    ("manner", "kind", "why"),
    [
        ("refusing", DeliveryError, "was not delivered"),
        ("unavailable", DeliveryError, "no connection to its mail server"),
        ("slow", UnconfirmedDelivery, "may or may not have arrived"),
        ("reset", UnconfirmedDelivery, "may or may not have arrived"),
    ],
)
def test_a_mail_server_that_misbehaves(post, caplog, manner, kind, why):
    post.mood = manner
    caplog.set_level(logging.DEBUG)
    with pytest.raises(DeliveryError, match=why) as caught:
        deliver(mail_url(post), ALERT, timeout=0.5)
    assert type(caught.value) is kind
    assert SECRET not in str(caught.value) + caplog.text
