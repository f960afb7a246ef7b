"""``kind = "rest"``, the contract: a source of the user's own, on a server that behaves and one that does not."""

import json
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from standin.cases import DESK, REST, held, stand_in
from standin.providers import SECRET, Desk
from standin.server import (
    BROKEN,
    CUT,
    DOWN,
    EXPIRED,
    HTML,
    REPEATED,
    SHUFFLED,
    TOO_MANY,
    TOO_MANY_BARE,
    TOO_MANY_DATED,
    TRUNCATED,
    stalled,
)

FAULTS = {
    "429 with Retry-After": TOO_MANY,
    "429 with Retry-After as a date": TOO_MANY_DATED,
    "429 without Retry-After": TOO_MANY_BARE,
    "500": BROKEN,
    "503": DOWN,
    "time-out": stalled(3),
    "cut connection": CUT,
    "truncated JSON": TRUNCATED,
    "HTML instead of JSON": HTML,
    "records twice": REPEATED,
    "records shuffled": SHUFFLED,
    "expired cursor": EXPIRED,
}


def test_a_full_pull_lands_exactly_what_is_there(pulling):
    world = REST.world()
    with stand_in(REST, world) as server:
        pull = pulling(REST)
        pull.set(REST.settings(server.url))
        pull.pull()
        assert len(server.requests) == 6
    pull.check(world, REST)
    people = pull.query("SELECT kind, value FROM customer_alias WHERE value = ?", world.records[0].person.email)
    assert people == [("email", world.records[0].person.email)]
    threads = pull.query("SELECT count(DISTINCT thread_id) FROM message")
    assert threads == [(15,)]


def test_a_second_pull_reads_on_with_an_overlap(pulling):
    world = REST.world()
    with stand_in(REST, world) as server:
        pull = pulling(REST)
        pull.set(REST.settings(server.url))
        pull.pull()
        before = len(server.requests)
        world.write(7)
        pull.pull()
        assert len(server.requests) - before == 1
        assert "updated_after=" in server.requests[-1][1]
    pull.check(world, REST)


def test_pulling_again_changes_nothing(pulling):
    world = REST.world()
    with stand_in(REST, world) as server:
        pull = pulling(REST)
        pull.set(REST.settings(server.url))
        pull.pull()
        before = pull.query("SELECT * FROM message ORDER BY ALL")
        pull.pull()
        assert pull.query("SELECT * FROM message ORDER BY ALL") == before


def test_late_records_are_caught_by_the_overlap(pulling):
    world = REST.world()
    with stand_in(REST, world) as server:
        pull = pulling(REST)
        pull.set(REST.settings(server.url))
        pull.pull()
        [late] = world.write()
        late.updated = late.at = world.records[-2].updated - timedelta(minutes=5)
        pull.pull()
    pull.check(world, REST)


def test_since_reads_from_a_time_and_leaves_out_what_is_older(pulling):
    world = REST.world()
    begin = world.records[30].at
    with stand_in(REST, world) as server:
        pull = pulling(REST)
        pull.set(REST.settings(server.url))
        pull.pull("source", "--since", begin.strftime("%Y-%m-%dT%H:%M:%S"))
        assert sum(pull.messages().values()) == sum(record.at >= begin for record in world.records)
        pull.pull("--since", "2025-01-01")
    pull.check(world, REST)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_costs_nothing_but_time(pulling, name):
    world = REST.world(40)
    with stand_in(REST, world) as server:
        pull = pulling(REST)
        pull.set(REST.settings(server.url, timeout="2s"))
        server.plan(FAULTS[name], after=1)
        pull.pull()
        assert server.pending == 0
        pull.check(world, REST)
        assert pull.query("SELECT count(*) FROM quarantine") == [(0,)]
        assert pull.source()["state"] == "fresh"


def test_retry_after_is_waited_for(pulling):
    world = REST.world(20)
    with stand_in(REST, world) as server:
        pull = pulling(REST)
        pull.set(REST.settings(server.url))
        server.plan(TOO_MANY, times=2)
        pull.pull()
        first, second, third, *_ = (moment for moment, _ in server.requests)
        assert second - first >= 1
        assert third - second >= 1


def test_retry_after_as_a_date_is_read_by_the_servers_own_wrong_clock(pulling):
    world = REST.world(20)
    with stand_in(REST, world) as server:
        server.clock_error = timedelta(hours=-3)
        pull = pulling(REST)
        pull.set(REST.settings(server.url))
        server.plan(TOO_MANY_DATED)
        pull.pull()
        first, second, *_ = (moment for moment, _ in server.requests)
        assert 0.5 <= second - first < 60
    pull.check(world, REST)


def test_the_announced_rate_is_kept(pulling):
    world = REST.world()
    with stand_in(REST, world, limit=(3, 1.5)) as server:
        server.clock_error = timedelta(minutes=20)
        pull = pulling(REST)
        pull.set(REST.settings(server.url))
        pull.pull()
        assert server.overruns == 0
        assert len(server.requests) == 6
    pull.check(world, REST)


def test_records_from_the_future_do_not_move_the_cursor_there(pulling):
    world = REST.world(20)
    world.records[-1].updated = world.now + timedelta(days=3)
    with stand_in(REST, world) as server:
        pull = pulling(REST)
        pull.set(REST.settings(server.url))
        pull.pull()
        world.write(2)
        pull.pull()
    pull.check(world, REST)


def test_a_budget_ends_a_pull_and_the_next_goes_on(pulling):
    world = REST.world()
    with stand_in(REST, world) as server:
        pull = pulling(REST)
        pull.set(REST.settings(server.url, budget=4))
        pull.run("pull")
        assert len(server.requests) == 4
        assert sum(pull.messages().values()) == 40
        pull.run("pull")
        assert len(server.requests) <= 8
    pull.check(world, REST)


def test_an_outage_is_told_and_the_backlog_drains_after_it(pulling):
    world = REST.world()
    with stand_in(REST, world) as server:
        pull = pulling(REST)
        pull.set(REST.settings(server.url, longest_wait="2s"))
        pull.pull()
        server.plan(BROKEN, times=1000)
        world.write(25)
        assert pull.run("pull").returncode == 1
        assert "500" in pull.source()["error"]
        server._planned.clear()
        pull.pull()
        assert pull.source()["error"] is None
    pull.check(world, REST)


def test_one_broken_source_does_not_stop_the_others(pulling):
    world = REST.world(20)
    with stand_in(REST, world) as server:
        pull = pulling(REST)
        broken = DESK.replace('"source"', '"broken"').replace("{url}", "http://127.0.0.1:9")
        pull.set(broken, REST.settings(server.url))
        done = pull.run("pull")
        assert done.returncode == 1
        assert "broken" in done.stderr
    pull.check(world, REST)
    lines = {line["name"]: line for line in json.loads(pull.run("sources", "list", "--json").stdout)}
    assert lines["broken"]["state"] == "stale"
    assert lines["broken"]["error"]
    assert lines["source"]["error"] is None


@pytest.mark.slow
def test_two_pulls_at_once_land_everything_once(pulling, moodline, home):
    world = REST.world()
    with stand_in(REST, world) as server:
        pull = pulling(REST)
        pull.set(REST.settings(server.url))
        codes = []

        def other():
            codes.append(moodline("pull", home=home, env=REST.environment).returncode)

        threads = [threading.Thread(target=other) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert codes == [0, 0]
    pull.check(world, REST)


@pytest.mark.parametrize("auth", ["bearer", "basic", "header", "oauth"])
def test_each_way_of_proving_who_asks(pulling, auth):
    words = {
        "bearer": '{ type = "bearer", token_env = "STANDIN_SECRET" }',
        "basic": '{ type = "basic", user = "client", password_env = "STANDIN_SECRET" }',
        "header": '{ type = "header", name = "X-Api-Key", token_env = "STANDIN_SECRET" }',
        "oauth": '{ type = "oauth", token_url = "{url}/token", client_id = "client", '
        'client_secret_env = "STANDIN_SECRET" }',
    }
    block = DESK.replace('{ type = "bearer", token_env = "STANDIN_SECRET" }', words[auth])
    case = replace(REST, block=block, make=lambda: Desk(auth))
    world = case.world(30)
    with stand_in(case, world) as server:
        pull = pulling(case)
        pull.set(case.settings(server.url))
        if auth == "oauth":
            server.before = lambda count: server.revoke() if count == 2 else None
        pull.pull()
        assert server.unauthorised <= (auth == "oauth")
    pull.check(world, case)


@pytest.mark.parametrize("paginate", ["cursor", "next", "link", "page", "offset"])
def test_each_way_from_page_to_page(pulling, paginate):
    words = {
        "cursor": '{ type = "cursor", param = "cursor", next = "meta.next_cursor" }',
        "next": '{ type = "next", next = "meta.next" }',
        "link": '{ type = "link" }',
        "page": '{ type = "page", param = "page" }',
        "offset": '{ type = "offset", param = "offset" }',
    }
    block = DESK.replace('{ type = "cursor", param = "cursor", next = "meta.next_cursor" }', words[paginate])
    case = replace(REST, block=block, make=lambda: Desk(paginate=paginate))
    world = case.world(45)
    with stand_in(case, world) as server:
        pull = pulling(case)
        pull.set(case.settings(server.url))
        pull.pull()
        world.write(5)
        pull.pull()
    pull.check(world, case)


def test_edits_and_deletions_are_followed(pulling):
    world = REST.world(20)
    with stand_in(REST, world) as server:
        pull = pulling(REST)
        pull.set(REST.settings(server.url))
        pull.pull()
        world.edit(3, "On second thought it was my own mistake")
        world.delete(5)
        pull.pull()
    pull.check(world, REST)
    assert pull.query("SELECT count(*) FROM message WHERE erased IS NOT NULL AND text <> ''") == [(0,)]
    assert pull.query("SELECT count(*) FROM message WHERE erased IS NOT NULL") == [(1,)]


def test_unknown_fields_are_ignored_and_bad_records_quarantined_and_replayed(pulling):
    world = REST.world(20)
    provider = Desk()
    row = provider._row

    def spoiled(record):
        made = row(record)
        if record.number == 4:
            del made["created_at"]
        if record.number == 6:
            made["body"] = None
        return made

    provider._row = spoiled
    with stand_in(replace(REST, make=lambda: provider), world) as server:
        pull = pulling(REST)
        pull.set(REST.settings(server.url))
        pull.pull()
        assert sum(pull.messages().values()) == 18
        shown = json.loads(pull.run("quarantine", "show", "--json").stdout)
        assert len(shown) == 2
        done = pull.run("quarantine", "replay", "--source", "source", "--set", "time=2026-11-01T00:00:00Z")
        assert done.returncode == 0, done.stderr
        assert sum(pull.messages().values()) == 19
        before = len(server.requests)
        pull.pull()
        assert len(server.requests) - before == 1, "a replay does not move the cursor"
        assert sum(pull.messages().values()) == 19


def test_a_field_that_is_gone_is_told(pulling):
    world = REST.world(40)
    provider = Desk()
    row = provider._row
    with stand_in(replace(REST, make=lambda: provider), world) as server:
        pull = pulling(REST)
        pull.set(REST.settings(server.url))
        pull.pull()
        provider._row = lambda record: {**row(record), "conversation_id": None}
        world.write(40)
        said = pull.pull()
    assert "thread" in said


def test_a_wrong_token_is_told_without_showing_it(pulling, monkeypatch):
    world = REST.world(20)
    with stand_in(REST, world) as server:
        pull = pulling(REST)
        monkeypatch.setenv("STANDIN_SECRET", "wr0ng-but-still-secret")
        pull.set(REST.settings(server.url))
        done = pull.run("pull")
    assert done.returncode == 1
    assert "401" in done.stderr
    assert "wr0ng" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('kind = "rest"', 'kind = "rset"'), "kind"),
        (('records = "data"', 'records = "data"\nrecord = 3'), "record"),
        (('token_env = "STANDIN_SECRET"', f'token = "{SECRET}"'), "token_env"),
        (('overlap = "10m"', 'overlap = "soon"'), "overlap"),
        (('text = "body"', 'txet = "body"'), "txet"),
        (('records = "data"', 'records = "data["'), "records"),
        (('name = "source"\n', ""), "name"),
    ],
)
def test_a_wrong_setting_names_file_source_and_key(pulling, change, said):
    pull = pulling(REST)
    pull.set(REST.settings("http://127.0.0.1:9").replace(*change))
    done = pull.run("pull")
    assert done.returncode == 2
    assert said in done.stderr
    assert "moodline.toml" in done.stderr
    assert SECRET not in done.stderr


def test_messages_are_shown_masked(pulling):
    world = REST.world(8)
    world.records[0].text = "Write to robin.sample1@example.com, my card is 4111 1111 1111 1111"
    with stand_in(REST, world) as server:
        pull = pulling(REST)
        pull.set(REST.settings(server.url))
        pull.pull()
    done = pull.run("messages", "--json", "--source", "source")
    shown = json.loads(done.stdout)
    assert len(shown) == sum(held(world, REST).values())
    assert "4111" not in done.stdout
    assert "robin.sample1@" not in done.stdout
