"""The line under Prefect: single tasks without a server, whole runs on an ephemeral one, and a real deployment."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from standin.cases import REST, stand_in
from standin.providers import SECRET

from pipeline.config import REPOSITORY, Home, Settings, load_settings
from pipeline.records import IncomingMessage
from pipeline.sources.spec import Batch, FileSpec
from pipeline.steps import Lander
from pipeline.store import Snapshot, Warehouse, snapshot_path

pytestmark = [
    # Apprise's mail plugin, while Apprise loads its plugins
    pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning"),
]
QUIET = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
SOURCE = """
channel = "review"
[map]
text = "body"
customer = "email"
time = "at"
rating = "stars"
"""
FIRST = """email,at,stars,body
ann@example.com,2026-01-02T10:00:00Z,5,Lovely shop and my lamp came a day early. Thank you!
ann@example.com,2026-01-20T10:00:00Z,5,Second order just as good. You can write to me at ann@example.com any time.
bob@example.com,2026-01-03T10:00:00Z,4,Good kettle and quick delivery
bob@example.com,2026-01-25T10:00:00Z,4,"Bought another one for my mother, she likes it"
cy@example.com,2026-01-04T10:00:00Z,2,The box arrived dented and nobody answers my mails
cy@example.com,2026-01-15T10:00:00Z,1,Third mail and still nobody answers. This is ridiculous!
cy@example.com,2026-01-28T10:00:00Z,1,"Worst company I ever dealt with. I am furious, give me my money back NOW"
dee@example.com,2026-01-06T10:00:00Z,3,Where is my order?
dee@example.com,2026-01-29T10:00:00Z,5,"It came, and the lady on the phone was so kind"
eve@example.com,call +44 20 7946 0958,3,When do you open on Sundays?
"""
LATER = """email,at,stars,body
bob@example.com,2026-02-01T10:00:00Z,1,"The kettle leaks, and your shop refuses the refund that you promised me"
bob@example.com,2026-02-04T10:00:00Z,1,"I have called four times, always a robot. Worst service ever, I am furious!"
bob@example.com,2026-02-06T10:00:00Z,1,Absolutely disgusting. You lied to me again. I will never buy from you again!
"""
MESSAGES = 9
CY = "cy@example.com"


@pytest.fixture
def flows():
    from pipeline import flows

    return flows


@pytest.fixture
def home(tmp_path):
    place = Home(tmp_path / "home")
    drop(place, "first.csv", FIRST)
    (place.inbox / "shop" / "source.toml").write_text(SOURCE)
    return place


def drop(home, name, text):
    """Put a file into the inbox that was written a minute ago."""
    path = home.inbox / "shop" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (time.time() - 60,) * 2)


def revision(home):
    with Warehouse.open(home) as warehouse:
        return warehouse.revision


def stages(home):
    with Snapshot.open(home) as snapshot:
        return dict(snapshot.execute("SELECT customer_id, stage FROM customer_mood").fetchall())


def ask(url, body=None):
    """Speak to Prefect's server as its documentation says, without Prefect; 503 is its word for try again."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    for _ in range(60):
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise
            time.sleep(1)
    raise AssertionError(f"{url}: busy for a minute")


def artifacts(api, flow_run=None):
    """Return the newest artifact of each key: its rows and its description."""
    chosen = ask(f"{api}/artifacts/filter", {"sort": "CREATED_DESC"})
    newest = {}
    for artifact in chosen:
        if flow_run is None or artifact["flow_run_id"] == str(flow_run):
            newest.setdefault(artifact["key"], (json.loads(artifact["data"]), artifact["description"]))
    return newest


@contextmanager
def server_env(folder):
    from prefect.settings import (
        PREFECT_HOME,
        PREFECT_LOGGING_TO_API_ENABLED,
        PREFECT_SERVER_ANALYTICS_ENABLED,
        temporary_settings,
    )

    updates = {PREFECT_HOME: folder, PREFECT_SERVER_ANALYTICS_ENABLED: False, PREFECT_LOGGING_TO_API_ENABLED: True}
    with temporary_settings(updates=updates):
        yield


@pytest.fixture
def api(tmp_path, monkeypatch):
    """An ephemeral server with a database of its own; the URL of its API."""
    from prefect.settings import PREFECT_API_URL
    from prefect.testing.utilities import prefect_test_harness

    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MOODLINE_ALERT_URLS", raising=False)
    with server_env(tmp_path / "prefect"), prefect_test_harness(server_startup_timeout=300):
        yield PREFECT_API_URL.value()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, json.loads(body)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *words):
        pass


@pytest.fixture
def receiver():
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.received = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


# --- without a server ------------------------------------------------------------------------------------------


def test_pull_counts_sources_and_shows_no_unmasked_text(flows, home):
    from prefect.logging import disable_run_logger

    with disable_run_logger():
        pulled = flows.pull.fn(home)
        again = flows.pull.fn(home)
    assert (pulled.total.landed, pulled.total.quarantined) == (MESSAGES, 1)
    assert list(pulled.sources) == ["shop"]
    assert "first.csv line 11" in pulled.problems[0]
    assert "7946" not in str(pulled.problems)
    assert (again.sources, again.total.read) == ({}, 0)


def test_a_live_source_is_one_task_and_what_is_wrong_with_it_is_in_the_report(flows, home, monkeypatch):
    from prefect.logging import disable_run_logger

    monkeypatch.setenv("STANDIN_SECRET", SECRET)
    monkeypatch.setenv("OTHER_SECRET", "wr0ng")
    world = REST.world()
    with stand_in(REST, world) as server, disable_run_logger():
        block = REST.settings(server.url)
        refused = block.replace('"source"', '"refused"').replace("STANDIN_SECRET", "OTHER_SECRET")
        home.settings_file.write_text(block + refused)
        reports = [flows.pull_one.fn(home, name) for name in ("source", "refused")]
        pulled = flows.pull.fn(home).joined(reports)
    assert [(report.name, report.state) for report in reports] == [("source", "complete"), ("refused", "failed")]
    assert pulled.total.landed == MESSAGES + len(list(world))
    assert any(problem.startswith("refused: ") for problem in pulled.problems)
    assert SECRET not in str(pulled)
    assert "wr0ng" not in str(pulled)


def test_who_came_in_by_a_live_source_is_matched_before_anybody_is_followed(flows, home):
    from prefect.logging import disable_run_logger

    said = IncomingMessage(
        "desk", "transcript", "Still nothing!", datetime(2026, 1, 29, tzinfo=UTC), "17", known_as=(("email", CY),)
    )
    with disable_run_logger():
        flows.pull.fn(home)
        with Warehouse.open(home) as warehouse:
            lander = Lander.of(warehouse, load_settings(home))
            lander.land(FileSpec("desk", "transcript"), "rest", Batch([said], [], "1"))
        flows.score.fn(home)
        assert flows.track.fn(home) == 4  # Ann, Bob, Cy and Dee


def test_each_task_leaves_the_warehouse_free(flows, home):
    from prefect.logging import disable_run_logger

    with disable_run_logger():
        flows.pull.fn(home)
    with Warehouse.open(home, wait_seconds=0) as warehouse:
        assert warehouse.position("shop")


def test_only_pulls_are_tried_again(flows):
    tasks = [flows.pull, flows.score, flows.track, flows.alert, flows.publish]
    assert [task.retries for task in tasks] == [3, 0, 0, 0, 0]


def test_news_is_what_the_older_snapshot_did_not_show(flows):
    row = {"customer_id": "c_1", "kind": "slide", "headline": "c_1 slid"}
    before = flows.Standing(
        Counter({("v1", "annoyed"): 7, ("v2", "annoyed"): 2}),
        {"c_1": ("content", 4.0), "c_2": ("unsure", 3.0), "c_3": ("annoyed", 2.0), "c_9": ("gone", 0.1)},
        {"a0": row},
    )
    after = flows.Standing(
        Counter({("v1", "annoyed"): 7, ("v2", "annoyed"): 5, ("v2", "delighted"): 1}),
        {"c_1": ("annoyed", 1.75), "c_2": ("content", 3.9), "c_3": ("annoyed", 1.8), "c_4": ("unsure", 3.0)},
        {"a1": {**row, "kind": "furious"}, "a0": row},
    )
    news = flows.News.between(before, after, "v2")
    assert {mood: n for mood, n in news.moods.items() if n} == {"delighted": 1, "annoyed": 3}
    assert [(m["customer"], m["was"], m["is"], m["level_change"]) for m in news.moved] == [
        ("c_1", "content", "annoyed", -2.25),
        ("c_2", "unsure", "content", 0.9),
    ]
    assert news.arrived == 1
    assert [alert["kind"] for alert in news.alerts] == ["furious"]


def test_a_home_without_a_snapshot_stands_nowhere(flows, tmp_path):
    assert flows.Standing.of(Home(tmp_path)) == flows.Standing()


def test_urls_of_the_environment_come_before_the_block(flows):
    settings = Settings(alert_urls=("json://127.0.0.1",))
    assert flows.with_alert_urls(settings) is settings


# --- an ephemeral server ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_runs_publish_and_their_artifacts_say_what_happened(flows, home, api, receiver):
    from prefect.blocks.system import Secret

    Secret(value=f"json://127.0.0.1:{receiver.server_port}/hush-hush").save("moodline-alert-urls")

    first = flows.monitor(str(home.root))
    assert (first["landed"], first["quarantined"], first["scored"]) == (MESSAGES, 1, MESSAGES)
    assert first["tracked"] == len(stages(home)) == 4
    check_first(artifacts(api), first)
    assert len(receiver.received) == first["opened"] == first["delivered"] > 0
    assert {path for path, _ in receiver.received} == {"/hush-hush"}

    published, before = snapshot_path(home), revision(home)
    second = flows.monitor(str(home.root))
    assert [second[name] for name in ("landed", "scored", "tracked", "opened", "delivered")] == [0] * 5
    assert (snapshot_path(home), revision(home)) == (published, before)
    assert all(rows == [] for rows, _ in artifacts(api).values())

    stood = stages(home)
    drop(home, "later.csv", LATER)
    third = flows.monitor(str(home.root))
    assert third["landed"] == third["scored"] == 3
    check_moves(artifacts(api)["moodline-moved"][0], stood, stages(home))
    check_secrets(api)


def check_first(shown, counts):
    came_in, problems = shown["moodline-came-in"]
    assert [(row["source"], row["new messages"], row["new in quarantine"]) for row in came_in] == [
        ("shop", MESSAGES, 1)
    ]
    assert "first.csv line 11" in problems
    moods, scored = shown["moodline-scored"]
    assert sum(row["messages"] for row in moods) == MESSAGES
    assert f"{MESSAGES} messages read by release {counts['version']}" in scored
    assert shown["moodline-moved"] == ([], "0 customers changed their step, 4 are new.")
    alerts, opened = shown["moodline-alerts"]
    assert len(alerts) == counts["opened"]
    assert opened == f"{counts['opened']} alerts opened."
    assert all(row["customer_id"] in row["headline"] for row in alerts)


def check_moves(rows, stood, stand):
    assert {row["customer"]: (row["was"], row["is"]) for row in rows} == {
        customer: (stood[customer], stage) for customer, stage in stand.items() if stood[customer] != stage
    }
    assert any(row["level_change"] < -1 for row in rows)  # Bob


def check_secrets(api, *secrets):
    """Nothing that Prefect keeps names a receiver, or a customer otherwise than by the pseudonym."""
    kept = json.dumps([ask(f"{api}/{what}/filter", {}) for what in ("logs", "artifacts", "flow_runs", "task_runs")])
    assert "new messages" in kept
    for secret in ("hush-hush", "example.com", "7946 0958", "79460958", *secrets):
        assert secret not in kept


@pytest.mark.slow
def test_live_sources_are_pulled_a_task_each_and_one_that_fails_stops_none(flows, home, api, monkeypatch):
    from prefect.blocks.system import Secret

    monkeypatch.setenv("STANDIN_SECRET", "hush-hush")
    Secret(value=SECRET).save("desk-token")
    world = REST.world()
    with stand_in(REST, world) as server:
        block = REST.settings(server.url)
        desk = block.replace('token_env = "STANDIN_SECRET"', 'token_block = "desk-token"')
        home.settings_file.write_text(desk + block.replace('"source"', '"refused"'))
        assert flows.monitor(str(home.root))["landed"] == MESSAGES + len(list(world))
        shown = artifacts(api)
        rows, came = shown["moodline-pulled"]
        assert [(row["name"], row["state"], row["landed"]) for row in rows] == [
            ("source", "complete", len(list(world))),
            ("refused", "failed", 0),
        ]
        assert came.endswith("not pulled to the end: refused.")
        assert "refused: " in shown["moodline-came-in"][1]
        world.write(3)
        [report] = flows.pull_sources(str(home.root), ["source"])
        assert (report.state, report.landed.landed) == ("complete", 3)
    runs = ask(f"{api}/task_runs/filter", {})
    assert {"pull source", "pull refused"} <= {run["name"].rpartition("-")[0] or run["name"] for run in runs}
    check_secrets(api, SECRET)


# --- a deployment ----------------------------------------------------------------------------------------------


class Processes:
    """Prefect's commands, run from the repository as its ``prefect.yaml`` says, with a log each."""

    def __init__(self, folder, environment):
        self.folder, self.environment, self.started = folder, environment, []

    def start(self, *words):
        log = (self.folder / f"{words[0]}.log").open("ab")
        command = [sys.executable, "-m", "prefect", *words]
        process = subprocess.Popen(
            command, cwd=REPOSITORY, env=self.environment, stdout=log, stderr=log, start_new_session=True
        )
        self.started.append((process, log))
        return process

    def finish(self, *words):
        assert self.start(*words).wait(600) == 0, self.logs()

    def stop(self):
        for process, log in reversed(self.started):
            log.close()
            for how in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(process.pid, how)
                    process.wait(30)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    continue

    def logs(self):
        return "\n".join(f"== {path.name}\n{path.read_text()[-4000:]}" for path in sorted(self.folder.glob("*.log")))


@pytest.fixture
def processes(tmp_path, home):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MOODLINE_"))}
    environment = {
        **kept,
        **QUIET,
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_API_PORT": str(port),
        "MOODLINE_HOME": str(home.root),
    }
    processes = Processes(tmp_path, environment)
    yield processes
    processes.stop()


def wait_for(look, seconds, processes):
    """Return what ``look`` finds once it finds something; where no server listens yet, it finds nothing."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found := look():
                return found
        except urllib.error.HTTPError:
            raise
        except OSError:
            pass
        time.sleep(1)
    raise AssertionError(f"not within {seconds} s\n{processes.logs()}")


@pytest.mark.slow
def test_the_deployment_of_prefect_yaml_runs_on_a_worker(processes, home):
    api = processes.environment["PREFECT_API_URL"]
    processes.start("server", "start", "--host", "127.0.0.1")
    wait_for(lambda: ask(f"{api}/health"), 300, processes)
    processes.finish("work-pool", "create", "moodline", "--type", "process")
    processes.finish("--no-prompt", "deploy", "--all")
    deployment = ask(f"{api}/deployments/name/monitor/monitor")
    assert [schedule["schedule"]["cron"] for schedule in deployment["schedules"]] == ["*/15 * * * *"]
    assert deployment["global_concurrency_limit"]["limit"] == 1

    ask(f"{api}/deployments/{deployment['id']}/create_flow_run", {"state": {"type": "SCHEDULED"}})
    processes.start("worker", "start", "--pool", "moodline")
    # the schedule may start one too, and then that one takes the only slot
    done = {
        "flow_runs": {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}},
        "deployments": {"id": {"any_": [deployment["id"]]}},
    }
    runs = wait_for(lambda: ask(f"{api}/flow_runs/filter", done), 600, processes)
    assert {run["state"]["type"] for run in runs} == {"COMPLETED"}, processes.logs()
    assert len(stages(home)) == 4
    assert artifacts(api, runs[0]["id"]).keys() == {
        f"moodline-{what}" for what in ("came-in", "scored", "moved", "alerts")
    }
