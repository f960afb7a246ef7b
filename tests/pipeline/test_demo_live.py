"""The demo's shop: nothing can be pulled before it is written, and then everything once."""

import json
import signal
import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from pipeline import demo, demo_live
from pipeline.config import REPOSITORY, Home
from pipeline.errors import SettingsError

TOKEN = "t0ken-of-the-shop"


@pytest.fixture(scope="module")
def written():
    return demo_live.messages()


@pytest.fixture
def shop(written):
    """The shop, its clock in the test's hand: ``shop.clock.now = …``."""

    class Hand:
        now = datetime(2026, 6, 1, tzinfo=UTC)

        def __call__(self):
            return self.now

    with demo_live.Shop(written, Hand(), TOKEN) as shop, httpx.Client(base_url=shop.url, verify=False) as client:
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        shop.client = client
        yield shop


def pulled(shop, name, after=None):
    """Return every record that the shop gives out now, page by page."""
    rows, cursor = [], None
    while True:
        query = {"written_after": after} if after else {}
        answer = shop.client.get(f"/v1/{name}", params={**query, **({"cursor": cursor} if cursor else {})}).json()
        rows += answer["data"]
        cursor = answer["meta"]["next_cursor"]
        if cursor is None:
            return rows


@pytest.mark.parametrize("name", ["reviews", "tweets", "desk"])
def test_only_what_was_written_by_now_is_given_out_and_all_of_it_once(shop, written, name):
    rows = pulled(shop, name)
    assert [row["text"] for row in rows] == [m.text for m in written[name] if m.sent_at <= shop.clock()]
    assert 0 < len(rows) < len(written[name])
    later = shop.ends + timedelta(days=1)
    fresh = pulled(shop, name, after=shop.clock().isoformat())
    assert fresh == []
    shop.clock.now = later
    rows += pulled(shop, name, after="2026-06-01T00:00:00Z")
    assert len({row["id"] for row in rows}) == len(rows) == len(written[name])


def test_the_shop_tells_its_own_time(shop):
    assert shop.client.get("/v1/tweets").headers["Date"] == "Mon, 01 Jun 2026 00:00:00 GMT"


def test_strangers_and_strange_questions_are_turned_away(shop):
    assert httpx.get(f"{shop.url}/v1/desk", verify=False).status_code == 401
    assert shop.client.get("/v1/letters").status_code == 404
    assert shop.client.get("/v1/desk", params={"written_after": "soon"}).status_code == 400
    assert shop.client.get("/v1/desk", params={"written_after": "2026-06-01"}).status_code == 400


def test_time_passes_at_the_chosen_speed():
    seconds = iter([100.0, 100.0, 103.0])
    clock = demo_live.Clock(datetime(2026, 6, 1, tzinfo=UTC), 2.0, lambda: next(seconds))
    assert clock() == datetime(2026, 6, 1, tzinfo=UTC)
    assert clock() == datetime(2026, 6, 7, tzinfo=UTC)


def test_settings_of_somebody_elses_home_are_left_alone(home):
    demo_live.write_settings(home, "http://127.0.0.1:1")
    demo_live.write_settings(home, "http://127.0.0.1:2")
    sources = tomllib.loads(home.settings_file.read_text())["sources"]
    assert [source["url"] for source in sources] == [
        f"http://127.0.0.1:2/v1/{n}" for n in ("reviews", "tweets", "desk")
    ]
    home.settings_file.write_text("[moodline]\n")
    with pytest.raises(SettingsError, match="are yours"):
        demo_live.write_settings(home, "http://127.0.0.1:3")
    assert home.settings_file.read_text() == "[moodline]\n"


@pytest.mark.parametrize("speed", ["0", "fast", "-1"])
def test_a_speed_that_is_none_is_refused(speed, capsys):
    with pytest.raises(SystemExit, match="2"):
        demo.main(["--live", "--speed", speed])
    assert "--speed" in capsys.readouterr().err


@pytest.mark.slow
def test_the_live_demo_ends_with_what_the_files_hold(tmp_path, tables, moodline, written, monkeypatch):
    home = Home(tmp_path / "live")
    done = moodline("demo", "--live", "--speed", "12", home=home)  # months that outlast the first pass on any machine
    assert done.returncode == 0, done.stderr
    found = tables(home)
    assert len(found["message"]) == sum(map(len, written.values()))
    assert not found["quarantine"]
    assert done.stdout.count("— Fernhollow,") > 1
    assert TOKEN not in done.stdout + done.stderr
    shown = json.loads(moodline("customers", "--json", "--limit", "200", home=home).stdout)
    assert {"furious", "annoyed"} & {row["stage"] for row in shown}
    ends = max(found[-1].sent_at for found in written.values())
    assert {datetime.fromisoformat(row["as_of"]) - ends < timedelta(days=1, hours=1) for row in shown} == {True}


@pytest.mark.slow
def test_ctrl_c_ends_it_cleanly(tmp_path):
    line = [sys.executable, "-m", "pipeline", "--home", str(tmp_path / "live"), "demo", "--live"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(line, cwd=REPOSITORY, **streams) as process:
        for told in process.stdout:
            if "moodline run" in told:
                break
        process.send_signal(signal.SIGINT)
        printed, errors = process.communicate(timeout=540)
    assert process.returncode == 0, errors
    assert "stopped; what came in stays" in printed
    assert "Traceback" not in errors
