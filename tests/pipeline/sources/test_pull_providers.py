"""Each provider's client against the stand-in that speaks its documented shapes, well and badly."""

import pytest
from standin.cases import CASES, held, stand_in, write_calls
from standin.server import (
    BROKEN,
    CUT,
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
from standin.world import World

KINDS = sorted(CASES)
ANNOUNCED = ("x", "bluesky", "mastodon", "zendesk", "intercom")
"""Providers whose headers tell how many requests are left and until when."""
FAST = {"per_minute": 100_000}
"""Providers that announce a slow pace in words alone would take minutes."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_pull_then_what_is_new_then_nothing(pulling, kind):
    case = CASES[kind]
    world = case.world()
    with stand_in(case, world) as server:
        pull = pulling(case)
        pull.set(case.settings(server.url, **FAST))
        pull.pull()
        pull.check(world, case)
        full = len(server.requests)
        world.write(case.turns)
        pull.pull()
        pull.check(world, case)
        assert len(server.requests) - full <= full + 1
        before = pull.query("SELECT * FROM message ORDER BY ALL")
        pull.pull()
        assert pull.query("SELECT * FROM message ORDER BY ALL") == before
    assert pull.query("SELECT count(*) FROM quarantine") == [(0,)]
    assert pull.source()["state"] == "fresh"
    assert server.unauthorised == 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_costs_nothing_but_time(pulling, kind):
    case = CASES[kind]
    world = case.world()
    faults = [TOO_MANY, TOO_MANY_DATED, TOO_MANY_BARE, BROKEN, stalled(3), CUT, TRUNCATED, HTML, REPEATED, SHUFFLED]
    with stand_in(case, world) as server:
        pull = pulling(case)
        pull.set(case.settings(server.url, timeout="2s", **FAST))
        for place, fault in enumerate(faults):
            server.plan(fault, after=place)
        for _ in range(len(faults)):
            pull.pull()
            if not server.pending:
                break
        assert server.pending == 0
        pull.pull()
        pull.check(world, case)
        assert pull.query("SELECT count(*) FROM quarantine") == [(0,)]


@pytest.mark.parametrize("kind", ["google_play", "google_business", "x", "bluesky", "zendesk", "intercom"])
def test_an_expired_cursor_begins_the_walk_anew(pulling, kind):
    case = CASES[kind]
    world = case.world()
    with stand_in(case, world) as server:
        pull = pulling(case)
        pull.set(case.settings(server.url, **FAST))
        server.plan(EXPIRED)
        pull.pull()
        assert server.pending == 0
        pull.check(world, case)


@pytest.mark.parametrize("kind", ["app_store", "trustpilot", "google_play", "google_business", "freshdesk"])
def test_what_is_written_while_pages_are_turned_is_not_lost(pulling, kind):
    case = CASES[kind]
    world = case.world()
    with stand_in(case, world) as server:
        pull = pulling(case)
        pull.set(case.settings(server.url, **FAST))
        server.before = lambda count: world.write(case.turns) if count in (2, 3) else None
        pull.pull()
        server.before = lambda count: None
        pull.pull()
        pull.check(world, case)


@pytest.mark.parametrize("kind", ANNOUNCED)
def test_the_announced_rate_is_kept(pulling, kind):
    case = CASES[kind]
    world = case.world(24)
    with stand_in(case, world, limit=(3, 1.5)) as server:
        pull = pulling(case)
        pull.set(case.settings(server.url, **FAST))
        pull.pull()
        assert len(server.requests) > 1
        assert server.overruns == 0
        pull.check(world, case)


def test_a_rate_that_only_an_answer_tells_is_kept_after_it(pulling):
    case = CASES["freshdesk"]
    world = case.world(24)
    with stand_in(case, world, limit=(4, 2)) as server:
        pull = pulling(case)
        pull.set(case.settings(server.url, **FAST))
        pull.pull()
        assert server.overruns <= len(server.requests) / 4
        pull.check(world, case)


def texts(pull, kept="erased IS NULL"):
    return {" ".join(text.split()) for (text,) in pull.query(f"SELECT text FROM message WHERE {kept}")}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "edit" in CASES[kind].signs])
def test_an_edit_is_followed(pulling, kind):
    case = CASES[kind]
    world = case.world(24)
    with stand_in(case, world) as server:
        pull = pulling(case)
        pull.set(case.settings(server.url, **FAST))
        pull.pull()
        number = 22 if case.turns > 1 else 24
        world.edit(number, "On second thought it was my own mistake")
        pull.pull()
        pull.pull()
    assert texts(pull) == {text for _, _, text, _ in held(world, case)}
    assert pull.query("SELECT count(*) FROM message") == [(24,)]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "delete" in CASES[kind].signs])
def test_a_deletion_is_followed_and_its_text_erased(pulling, kind):
    case = CASES[kind]
    world = case.world(24)
    with stand_in(case, world) as server:
        pull = pulling(case)
        pull.set(case.settings(server.url, **FAST))
        fresh = world.write(4)
        pull.pull()
        gone = world.delete(fresh[2].number)
        pull.pull()
    assert not [text for text in texts(pull, "true") if f"note {gone.number})" in text]
    assert texts(pull) >= {text for _, _, text, _ in held(world, case)}


def test_a_ticket_deleted_at_zendesk_is_erased(pulling):
    case = CASES["zendesk"]
    world = case.world(24)
    with stand_in(case, world) as server:
        pull = pulling(case)
        pull.set(case.settings(server.url, **FAST))
        pull.pull()
        world.close(3)
        pull.pull()
    pull.check(world, case)
    assert pull.query("SELECT count(*) FROM message WHERE erased IS NOT NULL AND text = ''") == [(4,)]


def test_a_whole_feed_that_vanishes_is_no_deletion(pulling):
    case = CASES["bluesky"]
    world = case.world(24)
    with stand_in(case, world) as server:
        pull = pulling(case)
        pull.set(case.settings(server.url, **FAST, overlap="30d"))
        pull.pull()
        for record in world.records[1:21]:
            record.deleted = True
        said = pull.pull()
    assert "nothing was erased" in said
    assert pull.query("SELECT count(*) FROM message WHERE erased IS NULL") == [(24,)]


@pytest.mark.parametrize("kind", ["google_play", "bluesky"])
def test_a_token_that_expires_midway_is_renewed(pulling, kind):
    case = CASES[kind]
    world = case.world()
    with stand_in(case, world) as server:
        pull = pulling(case)
        pull.set(case.settings(server.url, **FAST))
        server.before = lambda count: server.revoke() if count == 2 else None
        pull.pull()
        assert server.unauthorised == 1
        pull.check(world, case)


def test_mentions_at_x_and_mastodon(pulling):
    changes = {"x": ('query = "@shop"', 'mentions_of = "12"'), "mastodon": ('hashtag = "shop"', "mentions = true")}
    worlds = {kind: CASES[kind].world(20) for kind in changes}
    for kind, change in changes.items():
        case = CASES[kind]
        with stand_in(case, worlds[kind]) as server:
            pull = pulling(case)
            pull.set(case.settings(server.url).replace(*change).replace('"source"', f'"{kind}"'))
            pull.pull()
    assert pull.query("SELECT source, count(*) FROM message GROUP BY 1 ORDER BY 1") == [("mastodon", 20), ("x", 20)]


def test_authors_of_posts_go_by_their_handles(pulling):
    case = CASES["x"]
    world = case.world(20)
    with stand_in(case, world) as server:
        pull = pulling(case)
        pull.set(case.settings(server.url))
        pull.pull()
    people = {record.person.handle for record in world}
    assert {value for (value,) in pull.query("SELECT value FROM customer_alias WHERE kind = 'handle'")} == people


def test_contact_lens_reads_each_new_file_once(pulling, tmp_path):
    folder = tmp_path / "bucket"
    world = World(24, turns=4)
    write_calls(world, folder)
    pull = pulling(CASES["x"])
    pull.set(f'[[sources]]\nname = "source"\nkind = "contact_lens"\npath = "{folder}"\n')
    pull.pull()
    assert texts(pull) == {" ".join(record.text.split()) for record in world}
    world.write(4)
    write_calls(world, folder)
    (folder / "Analysis" / "Chat" / "torn.json").write_text('{"Version": "1.1.0", "Transcr')
    pull.pull()
    assert texts(pull) == {" ".join(record.text.split()) for record in world}
    assert pull.query("SELECT count(*) FROM message") == [(28,)]
    assert pull.query("SELECT count(*) FROM quarantine") == [(1,)]
