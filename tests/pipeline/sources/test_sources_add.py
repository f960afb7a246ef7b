"""``moodline sources add`` and ``test``: asked, tried against a stand-in, shown, and only then saved."""

import io
import tomllib

import pytest
from standin.cases import REST, stand_in
from standin.providers import SECRET

from pipeline.sources.registry import KINDS
from pipeline.sources.settings_text import flattened

ROLE = ("--set", "map.role=author.role", "--set", "map.thread=conversation_id")
TOKEN = ("--set", "auth.token_env=STANDIN_SECRET")


@pytest.fixture
def typed(monkeypatch):
    """Type lines at the prompts."""
    return lambda lines: monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def test_what_it_asks_is_tried_shown_and_saved(pulling, typed):
    world = REST.world()
    with stand_in(REST, world) as server:
        pull = pulling(REST)
        pull.set("# ours", "[moodline]", "default_value = 50.0")
        answers = {"url": f"{server.url}/v1/messages", "auth.token_env": "STANDIN_SECRET"}
        typed([*(answers.get(key, "") for key in flattened(KINDS["rest"].example)), "y"])
        done = pull.run("sources", "add", "rest", "desk", *ROLE)
        assert done.returncode == 0, done.stderr
        assert len(server.requests) == 1
        assert done.stdout.count("customer ") + done.stdout.count("agent ") >= 3
        written = pull.home.settings_file.read_text()
        assert written.startswith("# ours\n")
        [block] = tomllib.loads(written)["sources"]
        assert block["auth"] == {"type": "bearer", "token_env": "STANDIN_SECRET"}
        assert SECRET not in written + done.stdout + done.stderr
        pull.pull("desk")
    pull.check(world, REST, "desk")


def test_three_messages_are_shown_masked_and_none_is_stored(pulling):
    world = REST.world()
    with stand_in(REST, world) as server:
        pull = pulling(REST)
        pull.set(REST.settings(server.url))
        done = pull.run("sources", "test", "source", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"text"') == 3
    assert not any(record.person.email in done.stdout for record in world)
    assert not pull.home.warehouse.exists()


def test_what_does_not_pass_is_not_saved(pulling, monkeypatch):
    with stand_in(REST, REST.world()) as server:
        pull = pulling(REST)
        monkeypatch.setenv("STANDIN_SECRET", "wr0ng-token")
        done = pull.run("sources", "add", "rest", "desk", "--set", f"url={server.url}/v1/messages", *TOKEN, "--yes")
    assert done.returncode == 1
    assert "401" in done.stderr
    assert "wr0ng-token" not in done.stderr
    assert not pull.home.settings_file.exists()


def test_no_at_the_end_saves_nothing(pulling, typed):
    with stand_in(REST, REST.world()) as server:
        pull = pulling(REST)
        url = ("--set", f"url={server.url}/v1/messages")
        asked = flattened(KINDS["rest"].example).keys() - {"url", "auth.token_env"}
        typed([*("" for _ in asked), "n"])
        assert pull.run("sources", "add", "rest", "desk", *url, *TOKEN).returncode == 0
    assert not pull.home.settings_file.exists()


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("shoe", "desk"), 2, "kind 'shoe' is not known"),
        (("rest", "desk", "--set", "url"), 2, "has no '='"),
        (("rest", "source"), 2, "is there already"),
        (("rest", "desk", "--set", "paginate.type=pages", "--yes"), 2, "paginate: type should be one of"),
    ],
)
def test_what_is_wrong_is_said_and_the_settings_stay(pulling, words, code, says):
    pull = pulling(REST)
    pull.set(before := REST.settings("http://127.0.0.1:9"))
    done = pull.run("sources", "add", *words)
    assert (done.returncode, says in " ".join(done.stderr.split())) == (code, True), done.stderr
    assert pull.home.settings_file.read_text() == before


def test_another_type_brings_its_own_keys(pulling):
    with stand_in(REST, REST.world()) as server:
        words = (*TOKEN, "--set", f"url={server.url}/v1/messages", "--set", "paginate.type=page")
        done = pulling(REST).run("sources", "add", "rest", "desk", *words, "--set", "paginate.param=page", "--yes")
        assert done.returncode == 0, done.stderr
        assert "page=" in server.requests[0][1]
