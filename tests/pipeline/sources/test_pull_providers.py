"""Each provider's client against the stand-in that speaks its documented shapes, well and badly."""

import json
import re
from dataclasses import replace
from datetime import datetime

import pytest
from standin.cases import CASES, SAMPLES, held, stand_in, write_calls
from standin.providers import iso
from standin.server import Answer
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


@pytest.mark.parametrize("kind", ["zendesk", "freshdesk"])
def test_a_deleted_ticket_is_erased(pulling, kind):
    case = CASES[kind]
    world = case.world(24)
    with stand_in(case, world) as server:
        pull = pulling(case)
        pull.set(case.settings(server.url, **FAST))
        pull.pull()
        world.close(3)
        pull.pull()
    pull.check(world, case)
    assert pull.query("SELECT count(*) FROM message WHERE erased IS NOT NULL AND text = ''") == [(4,)]


@pytest.mark.parametrize("kind", ["zendesk", "intercom", "freshdesk"])
def test_what_is_deleted_between_its_listing_and_its_reading_stops_nothing(pulling, kind):
    case = CASES[kind]
    world = case.world(24)
    with stand_in(case, world) as server:
        pull = pulling(case)
        pull.set(case.settings(server.url, **FAST))
        server.before = lambda count: world.close(3) if count == 2 else None
        pull.pull()
    pull.check(world, case)
    assert pull.source()["state"] == "fresh"


@pytest.mark.parametrize("kind", ["zendesk", "intercom", "freshdesk"])
def test_where_nothing_listed_can_be_read_the_address_is_wrong_and_nothing_is_erased(pulling, kind):
    case = replace(CASES[kind], cap=10)
    world = case.world(32)
    with stand_in(case, world) as server:
        pull = pulling(case)
        pull.set(case.settings(server.url, **FAST, overlap="30d"))
        pull.pull()
        respond = server.provider.respond
        server.provider.respond = lambda request, world: (
            Answer({}, 404) if re.search(r"s/\d+", request.path) else respond(request, world)
        )
        said = pull.pull(code=1)
    assert "404" in said
    pull.check(world, case)


def test_an_answer_to_an_old_review_is_not_missed_where_reviews_are_read_again(pulling):
    case = CASES["trustpilot"]
    world = case.world(24)
    with stand_in(case, world) as server:
        pull = pulling(case)
        pull.set(case.settings(server.url, overlap="1h", **FAST))
        review = server.provider._review
        reply = {"text": "We have sent you another one", "createdAt": iso(world.now)}
        server.provider._review = lambda record, private: (
            review(record, private) | ({"companyReply": reply} if record.number == 2 else {})
        )
        pull.pull()
        world.write()
        pull.pull()
    assert pull.query("SELECT role, count(*) FROM message WHERE erased IS NULL GROUP BY 1 ORDER BY 1") == [
        ("agent", 1),
        ("customer", 25),
    ]


def test_a_page_that_the_app_store_leaves_empty_does_not_end_the_feed(pulling):
    case = CASES["app_store"]
    world = case.world()
    with stand_in(case, world) as server:
        pull = pulling(case)
        pull.set(case.settings(server.url))
        respond = server.provider.respond
        server.provider.respond = lambda request, world: (
            Answer({"feed": {}}) if "page=2/" in request.path else respond(request, world)
        )
        pull.pull()
        assert pull.query("SELECT count(*) FROM message") == [(70,)]
        server.provider.respond = respond
        pull.pull()
    pull.check(world, case)


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


def test_a_call_is_read_redacted_from_when_the_agent_took_it_and_is_of_whom_the_index_names(pulling, tmp_path):
    [answer] = json.loads((SAMPLES / "contact_lens.json").read_text(encoding="utf-8"))["answers"]
    plain, hidden = (tmp_path / "Analysis" / folder / "2026/02/04" for folder in ("Voice", "Voice/Redacted"))
    for folder, name, text in (
        (plain, "analysis", "My name is Ann"),
        (hidden, "analysis_redacted", "My name is [PII]"),
    ):
        answer["body"]["Transcript"][0]["Content"] = text
        folder.mkdir(parents=True)
        (folder / f"c1_{name}_2026-02-04T21:14:16Z.json").write_text(json.dumps(answer["body"]), encoding="utf-8")
    (tmp_path / "Analysis" / "index.csv").write_text(
        "file,customer\nc1_analysis_redacted_2026-02-04T21:14:16Z,ann@example.com\n", encoding="utf-8"
    )
    pull = pulling(CASES["x"])
    pull.set(f'[[sources]]\nname = "source"\nkind = "contact_lens"\npath = "{tmp_path / "Analysis"}"\n')
    pull.pull()
    assert pull.query("SELECT text, sent_at, customer_id IS NOT NULL FROM message ORDER BY sent_at") == [
        ("My name is [PII]", datetime(2026, 2, 4, 21, 14, 16), True),
        ("I want to cancel my order.", datetime(2026, 2, 4, 21, 14, 18), True),
    ]
    assert pull.query("SELECT count(*) FROM quarantine") == [(0,)]


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
