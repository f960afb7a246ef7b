"""Killed at any moment, the store is as before a change or as after it; one process writes at a time."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import duckdb
import pytest

from pipeline.config import Home
from pipeline.errors import StoreError
from pipeline.records import Message
from pipeline.store import Landing, Snapshot, Warehouse, snapshot_path

BATCHES = 10
BATCH = 400

WRITER = f"""
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from pipeline.config import Home
from pipeline.records import Message, RejectedRecord
from pipeline.store import Landing, Warehouse

def batch(number):
    ids = range(number * {BATCH}, (number + 1) * {BATCH})
    start = datetime(2026, 1, 1, tzinfo=UTC)
    messages = [
        Message(f"m_{{i}}", "s", "tweet", f"text {{i}} " * 20, start + timedelta(hours=i), f"c_{{i % 50}}") for i in ids
    ]
    bad = [RejectedRecord("s", "tweet", "f", number, "bad", {{}})]
    return Landing("s", "csv", "tweet", {{}}, messages, (), bad, str(number), (str(number), "f"))

with Warehouse.open(Home(Path(sys.argv[1]))) as warehouse:
    print("open", flush=True)
    for number in range(int(warehouse.position("s") or -1) + 1, {BATCHES}):
        print("land", flush=True)
        warehouse.land(batch(number))
        print("publish", flush=True)
        warehouse.publish()
print("done", flush=True)
"""

DYING_WRITER = (
    WRITER.replace("        warehouse.publish()\n", "")
    .replace('print("done"', 'print("never"')
    .replace("\nprint", "\n    os.kill(os.getpid(), signal.SIGKILL)\nprint")
    .replace("import sys", "import os, signal, sys")
)

HOLDER = """
import sys, time
from pathlib import Path
from pipeline.config import Home
from pipeline.store import Warehouse
with Warehouse.open(Home(Path(sys.argv[1]))):
    print("open", flush=True)
    sys.stdin.read()
"""


def start(script, home):
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(home.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "open\n"
    return process


def finish(process, kill=False):
    if kill:
        process.send_signal(signal.SIGKILL)
    process.communicate(timeout=540)
    return process.returncode


def content(home):
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        names = {"message": "message_id, source, text, sent_at, customer_id", "customer": "*", "quarantine": "line"}
        names |= {"cursor": "position", "taken_file": "digest", "source": "heard_until", "revision": "number"}
        return {
            name: connection.execute(f"SELECT {c} FROM {name} ORDER BY ALL").fetchall() for name, c in names.items()
        }


def check_whole(home):
    """Tell how many batches the snapshot shows, once sure that it and the warehouse hold whole batches."""
    with Warehouse.open(home, wait_seconds=5) as warehouse:
        landed = int(warehouse.position("s") or -1) + 1
    found = content(home)
    assert len(found["message"]) == landed * BATCH
    assert len(found["quarantine"]) == len(found["taken_file"]) == landed
    assert found["revision"] == [(landed,)]
    if snapshot_path(home) is None:
        return 0
    with Snapshot.open(home) as snapshot:
        messages = snapshot.execute("SELECT count(*) FROM message").fetchall()[0][0]
        shown = int(snapshot.execute("SELECT value FROM about WHERE key = 'revision'").fetchall()[0][0])
    assert messages == shown * BATCH
    assert shown <= landed
    return shown


@pytest.mark.slow
def test_killed_while_landing_and_publishing(tmp_path):
    disturbed, calm = Home(tmp_path / "disturbed"), Home(tmp_path / "calm")
    assert finish(start(WRITER, calm)) == 0
    shown = 0
    for step, delay in ((1, 0.0), (2, 0.0), (2, 0.02), (3, 0.01), (4, 0.05), (2, 0.1)):
        process = start(WRITER, disturbed)
        for _ in range(step):
            process.stdout.readline()
        time.sleep(delay)
        finish(process, kill=True)
        before, shown = shown, check_whole(disturbed)
        assert shown >= before
    assert finish(start(WRITER, disturbed)) == 0
    assert content(disturbed) == content(calm)
    assert check_whole(disturbed) == BATCHES
    names = {path.name for path in disturbed.snapshots.iterdir()}
    assert len(names) == 4
    assert not any(name.endswith((".building", ".wal")) for name in names)


def test_what_lies_in_the_log_alone_is_published(tmp_path):
    home = Home(tmp_path)
    assert finish(start(DYING_WRITER, home)) == -signal.SIGKILL
    assert home.warehouse.with_name("warehouse.duckdb.wal").stat().st_size > 0
    with Warehouse.open(home, wait_seconds=5) as warehouse:
        warehouse.publish()
    with Snapshot.open(home) as snapshot:
        assert snapshot.execute("SELECT count(*) FROM message").fetchall() == [(BATCHES * BATCH,)]


def test_a_second_writer_waits_and_is_told_for_whom(tmp_path):
    home, heard, opened = Home(tmp_path), [], threading.Event()
    holder = start(HOLDER, home)

    def second():
        with Warehouse.open(home, wait_seconds=60, on_wait=heard.append) as warehouse:
            message = Message("m", "s", "tweet", "hi", datetime(2026, 1, 1, tzinfo=UTC))
            warehouse.land(Landing("s", "csv", "tweet", {}, [message]))
        opened.set()

    waiting = threading.Thread(target=second)
    waiting.start()
    assert not opened.wait(0.5)
    assert finish(holder) == 0
    assert opened.wait(30)
    waiting.join()
    assert len(heard) == 1
    assert f"process {holder.pid}, since 20" in heard[0]


def test_a_writer_that_waits_too_long_says_who_writes(tmp_path):
    home = Home(tmp_path)
    with Warehouse.open(home), pytest.raises(StoreError, match=rf"process {os.getpid()} \(this one\).*waited 0\.2 s"):
        Warehouse.open(home, wait_seconds=0.2)
    Warehouse.open(home, wait_seconds=0).close()


def test_the_lock_of_a_killed_writer_is_free(tmp_path):
    home = Home(tmp_path)
    finish(start(HOLDER, home), kill=True)
    Warehouse.open(home, wait_seconds=5).close()
