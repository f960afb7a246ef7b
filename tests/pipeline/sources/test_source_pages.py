"""The pages in docs/sources, tried word for word: what they say to paste is pulled from the stand-ins."""

import re
import tomllib

import pytest
from standin.cases import CASES, REST, google_key, stand_in, write_calls
from standin.providers import SECRET
from standin.world import World

from pipeline.config import REPOSITORY
from pipeline.sources.registry import KINDS, read_sources
from pipeline.sources.settings_text import block_text

PAGES = REPOSITORY / "docs" / "sources"
SERVED = {**CASES, "rest": REST}


def page_of(kind):
    return (PAGES / f"{kind}.md").read_text(encoding="utf-8")


def block_of(kind):
    [text] = re.findall(r"```toml\n(.*?)```", page_of(kind), re.DOTALL)
    [block] = tomllib.loads(text)["sources"]
    return block


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_has_a_page_with_clicks_scope_quota_and_a_block(kind):
    page = page_of(kind)
    assert all(f"**{word}.**" in page for word in ("What to click", "Scope", "Quota", "Edits and deletions"))
    [source] = read_sources([block_of(kind)], PAGES / f"{kind}.md")
    assert source.kind == kind
    commands = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)[0].split("\n")
    assert commands[:2] == [f"moodline sources test {source.name}", f"moodline pull {source.name}"]
    assert f"]({kind}.md)" in (PAGES / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_variable_of_a_block_is_explained_on_its_page(kind):
    page = page_of(kind)
    for name, value in block_of(kind).get("auth", {}).items():
        if name.endswith("_env"):
            assert re.search(rf"export [^\n]*{value}=", page), value


@pytest.mark.parametrize("kind", sorted(SERVED))
def test_what_a_page_says_to_paste_is_tried_and_pulled(pulling, kind, monkeypatch):
    case = SERVED[kind]
    world = case.world(case.turns * 6)
    block = block_of(kind)
    for name, value in block.get("auth", {}).items():
        if name.endswith("_env"):
            monkeypatch.setenv(value, google_key() if name == "key_env" else SECRET)
    with stand_in(case, world) as server:
        block["url"] = f"{server.url}/v1/messages" if kind == "rest" else server.url
        auth = block.get("auth", {})
        if "token_url" in auth or auth.get("type") == "google":
            auth["token_url"] = f"{server.url}/token"
        if "url" in auth:
            auth["url"] = f"{server.url}/xrpc/com.atproto.server.createSession"
        pull = pulling(case)
        pull.set(block_text(block))
        tried = pull.run("sources", "test", block["name"])
        assert tried.returncode == 0, tried.stderr
        assert "first messages" in tried.stdout
        pull.pull(block["name"])
    pull.check(world, case, block["name"])


def test_the_folder_of_contact_lens_is_tried_and_pulled(pulling, tmp_path):
    world = World(12, turns=4)
    write_calls(world, tmp_path / "connect")
    block = block_of("contact_lens") | {"path": str(tmp_path / "connect" / "Analysis")}
    pull = pulling(REST)
    pull.set(block_text(block))
    assert pull.run("sources", "test", "calls").returncode == 0
    pull.pull("calls")
    assert pull.query("SELECT count(*) FROM message") == [(12,)]
