"""``kill -9`` in the middle of ``moodline run``: the next run completes, and nothing tells that there was a crash.

MOODLINE_KILLS says how often each home is killed at a random moment (default 5); the moments come from a fixed seed.
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipeline.config import REPOSITORY, Home
from pipeline.store import Snapshot

KILLS = int(os.environ.get("MOODLINE_KILLS", "5"))
FINAL = ("message", "reading", "mood_point", "ledger_entry", "customer_mood", "alert")
REVIEWS = """channel = "review"
[map]
text = "review"
title = "title"
customer = "customer_email"
time = "posted_at"
rating = "stars"
id = "review_id"
product = "product"
"""
pytestmark = pytest.mark.slow


class Receiver(BaseHTTPRequestHandler):
    """A webhook that takes its time to answer."""

    def do_POST(self):
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.heard.extend(re.findall(r"Alert (\S+), opened", told["message"]))
        time.sleep(0.1)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


class Receivers(ThreadingHTTPServer):
    def handle_error(self, *_):
        """Whoever was killed does not hear the answer."""


@contextmanager
def listening():
    """Yield the ids of the alerts that arrive at a webhook, and its Apprise URL."""
    with Receivers(("127.0.0.1", 0), Receiver) as server:
        server.heard = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.heard, f"json://127.0.0.1:{server.server_port}/hook"
        finally:
            server.shutdown()
            thread.join()


def start(home, url):
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", "--home", str(home.root), "run"],
        env={**os.environ, "MOODLINE_ALERT_URLS": url},
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_when(home, url, happened):
    """Run and kill as soon as something has happened; tell whether the run was still going."""
    process = start(home, url)
    while process.poll() is None and not happened():
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    told = process.communicate(timeout=540)[1]
    assert process.returncode in (0, -signal.SIGKILL), told
    return process.returncode != 0


def kill_after(home, url, seconds):
    """Run and kill after so many seconds; tell whether the run was still going."""
    deadline = time.monotonic() + seconds
    return kill_when(home, url, lambda: time.monotonic() >= deadline)


def complete(home, url):
    process = start(home, url)
    told = process.communicate(timeout=540)[1]
    assert process.returncode == 0, told


def logged(home):
    return [json.loads(line) for line in home.alerts_log.read_text(encoding="utf-8").splitlines()]


def check_like_undisturbed(home, calm, tables, heard):
    found, expected = tables(home, moments=False), tables(calm, moments=False)
    for name in FINAL:
        assert found[name] == expected[name], name
    assert sorted(logged(home), key=str) == sorted(logged(calm), key=str)
    assert len({alert["alert_id"] for alert in logged(home)}) == len(logged(home)) > 0
    owed = {row[0]: row[2] for row in found["delivery"]}
    assert set(owed) == {row[0] for row in found["alert"]}
    assert set(owed.values()) <= {"sent", "unconfirmed"}
    assert len(heard) == len(set(heard))
    assert {name for name, state in owed.items() if state == "sent"} <= set(heard) <= set(owed)
    with Snapshot.open(home) as one, Snapshot.open(calm) as other:
        for name in ("customer_mood", "alert", "mood_point", "ledger_entry"):
            query = f"SELECT * FROM {name} ORDER BY ALL"
            assert one.execute(query).fetchall() == other.execute(query).fetchall()
    assert not list(home.snapshots.glob("*.building*"))


@pytest.fixture
def imported(fernhollow, tmp_path):
    """Return a maker of fresh copies of the sample's home, imported and not run."""

    def copy(name):
        home = Home(tmp_path / name)
        shutil.copytree(fernhollow.imported.root, home.root)
        return home

    return copy


def test_killed_at_random_moments_the_next_run_ends_as_if_nothing_had_been(fernhollow, imported, tables):
    chance = random.Random(20260917)
    kills, finished, whole = 0, 0, fernhollow.seconds
    with listening() as (heard, url):
        home = imported("disturbed 0")
        while kills < KILLS:
            if kill_after(home, url, chance.uniform(0.2, 1.2) * whole):
                kills += 1
            else:
                check_like_undisturbed(home, fernhollow.home, tables, heard)
                finished, whole = finished + 1, 0.8 * whole
                home = imported(f"disturbed {finished}")
                heard.clear()
        complete(home, url)
        check_like_undisturbed(home, fernhollow.home, tables, heard)
        before = tables(home)
        complete(home, url)
        assert tables(home) == before


def test_killed_at_the_moments_that_matter(fernhollow, imported, tables):
    with listening() as (heard, url):
        home = imported("disturbed")
        log = home.warehouse.with_name("warehouse.duckdb.wal")
        began = home.warehouse.stat().st_mtime_ns
        for happened in (
            lambda: (log.exists() and log.stat().st_size > 100_000) or home.warehouse.stat().st_mtime_ns != began,
            home.alerts_log.exists,
            lambda: len(heard) > 0,
            lambda: home.snapshots.exists() and any(home.snapshots.iterdir()),
        ):
            kill_when(home, url, happened)
        complete(home, url)
        check_like_undisturbed(home, fernhollow.home, tables, heard)


def test_killed_while_the_inbox_is_taken(fernhollow, moodline, sample, tmp_path, tables):
    home = Home(tmp_path / "inbox")
    moodline("import", sample / "customers.csv", "--customers", "--map", "id=customer_id,value=value_gbp", home=home)
    fill_inbox(home, sample)
    calm = Home(tmp_path / "calm")
    shutil.copytree(home.root, calm.root)
    chance = random.Random(20260520)
    with listening() as (heard, url):
        began = time.monotonic()
        complete(calm, url)
        whole = time.monotonic() - began
        heard.clear()
        kills = sum(kill_after(home, url, chance.uniform(0.1, 0.8) * whole) for _ in range(max(2, KILLS // 2)))
        assert kills > 0
        complete(home, url)
        check_like_undisturbed(home, calm, tables, heard)
        assert sorted(tables(home, moments=False)["taken_file"]) == sorted(tables(calm, moments=False)["taken_file"])
    ids = [row[0] for row in tables(fernhollow.home)["message"]]
    assert [row[0] for row in tables(home)["message"]] == ids


def fill_inbox(home, sample):
    """Drop the sample's files, each into the folder of its source."""
    for name, settings in (
        ("reviews", REVIEWS),
        ("tweets", 'channel = "tweet"\n'),
        *((name, 'channel = "transcript"\n') for name in ("chats", "emails", "calls")),
    ):
        folder = home.inbox / name
        folder.mkdir(parents=True)
        (folder / "source.toml").write_text(settings)
        [found] = sample.glob(f"{name}*")
        for path in found.iterdir() if found.is_dir() else [found]:
            shutil.copy(path, folder)
            os.utime(folder / path.name, (1, 1))
