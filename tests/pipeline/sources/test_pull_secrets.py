"""Planted tokens, e-mails, phones and card numbers are nowhere afterwards but in ``customer_alias``."""

import json
import logging
import traceback
from dataclasses import replace

import duckdb
import pytest
from standin.cases import CASES, REST, stand_in
from standin.providers import SECRET, Desk
from standin.server import BROKEN, HTML, Fault

from pipeline.sources.registry import read_source

CARD, PHONE, EMAIL = "4111 1111 1111 1111", "+44 7700 900142", "planted.person@example.com"
PLANTED = (CARD, CARD.replace(" ", ""), PHONE, PHONE.replace(" ", ""), EMAIL, SECRET)


def everything(home):
    """Return all text that the home holds outside ``customer_alias``: every other table, every file's bytes."""
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        names = [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        for name in names:
            if name != "customer_alias":
                yield name, json.dumps(connection.execute(f'SELECT * FROM "{name}"').fetchall(), default=str)
    for path in home.root.rglob("*"):
        if path.is_file():
            yield str(path.relative_to(home.root)), path.read_bytes().decode("utf-8", "replace")


def search(pull, logged=""):
    places = [*everything(pull.home), ("printed", "\n".join(pull.printed)), ("logged", logged)]
    found = [(place, planted) for place, text in places for planted in PLANTED if planted in text]
    assert not found


@pytest.mark.parametrize("kind", ["rest", "zendesk", "trustpilot", "x"])
def test_nothing_planted_is_found_afterwards(pulling, kind):
    case = REST if kind == "rest" else CASES[kind]
    world = case.world(24)
    for record in world.records[:8]:
        record.text = f"Call {PHONE} or write {EMAIL}; I paid with {CARD} (note {record.number})"
    with stand_in(case, world) as server:
        pull = pulling(case)
        pull.set(case.settings(server.url, longest_wait="1s", per_minute=100_000))
        pull.pull()
        server.plan(Fault("status", 403), times=1)
        pull.run("pull")
        server.plan(BROKEN, times=50)
        pull.run("pull", "--json")
        server._planned.clear()
        server.plan(HTML)
        pull.pull("--json")
        pull.run("sources", "list", "--json")
        pull.run("sources", "test", "source")
        pull.run("messages", "--json")
        pull.run("quarantine", "show", "--json")
    search(pull)
    assert pull.query("SELECT count(*) FROM message WHERE text LIKE '%<PHONE>%'")[0][0] >= 8


def test_a_server_that_echoes_the_secret_does_not_get_it_into_an_error(pulling):
    world = REST.world(8)
    with stand_in(REST, world) as server:
        server.provider.refused = lambda status: {"error": f"token {SECRET} of {EMAIL} is not known here"}
        pull = pulling(REST)
        pull.set(REST.settings(server.url))
        server.plan(Fault("status", 403))
        done = pull.run("pull")
        assert done.returncode == 1
        assert "403" in done.stderr
    search(pull)


def test_a_whole_run_and_a_bad_record_leave_nothing_planted_behind(pulling, caplog):
    """Snapshots and the log of alerts are among the home's files; logs are read as verbose as they get."""
    caplog.set_level(logging.DEBUG)
    world, provider = REST.world(24), Desk()
    row = provider._row

    def spoiled(record):
        if record.number != 5:
            return row(record)
        said = {"note": f"{CARD} {PHONE}", "paid_with": int(CARD.replace(" ", "")), "customer_mail": EMAIL}
        return {**row(record), "created_at": f"when {EMAIL} called", "extra": said, "staff_name": record.person.name}

    provider._row = spoiled
    for record in world.records[:16]:
        record.text = f"I am furious, cancel it all! {PHONE}, {EMAIL}, {CARD} (note {record.number})"
    with stand_in(replace(REST, make=lambda: provider), world) as server:
        pull = pulling(REST)
        pull.set(REST.settings(server.url))
        assert pull.run("run").returncode == 0
        [shown] = json.loads(pull.run("quarantine", "show", "--json").stdout)
        assert "paid_with" in shown["record"]["original"]
        assert not [word for word in ("staff_name", "customer_mail", "Robin") if word in json.dumps(shown)]
    assert "http" in caplog.text.lower()
    search(pull, caplog.text)


def test_a_traceback_of_a_wrong_block_shows_no_secret(tmp_path):
    table = {
        "name": "desk",
        "kind": "zendesk",
        "url": "https://a.zendesk.com",
        "auth": {"type": "basic", "password": SECRET},
    }
    with pytest.raises(Exception, match="password") as caught:
        read_source(table, tmp_path / "moodline.toml")
    assert SECRET not in "".join(traceback.format_exception(caught.value))
