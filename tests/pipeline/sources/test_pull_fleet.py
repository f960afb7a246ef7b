"""All kinds of sources in one home at once: every fault, two pulls at a time, ``kill -9``; nothing is lost or twice."""

import os
import signal
import threading
from datetime import timedelta

import pytest
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

FAULTS = (REPEATED, SHUFFLED, TOO_MANY, TOO_MANY_DATED, TOO_MANY_BARE, BROKEN)
LATER = (stalled(3), CUT, TRUNCATED, HTML)
"""A request goes well before these: after six faults in a row a pull gives up, until the next one."""
pytestmark = pytest.mark.slow
CURSORS = ("rest", "google_play", "google_business", "x", "bluesky", "zendesk", "intercom")
"""Kinds whose cursors expire; the others count pages or follow links that hold a time or an id."""


@pytest.mark.parametrize("ahead", [2, -3], ids=["clock ahead", "clock behind"])
def test_every_fault_costs_nothing_but_time(fleet, ahead):
    with fleet(timeout="2s") as fleet:
        for kind, server in fleet.servers.items():
            server.clock_error = timedelta(hours=ahead)
            fleet.worlds[kind].shift(server.clock_error)
            for fault in (*FAULTS, *LATER):
                server.plan(fault, after=fault in LATER)
        fleet.pull()
        assert {kind: server.pending for kind, server in fleet.servers.items() if server.pending} == {}
        fleet.check_all()
        for kind in CURSORS:
            fleet.servers[kind].plan(EXPIRED)
        fleet.write()
        fleet.pull("--since", "2026-01-01")
        assert [kind for kind in CURSORS if fleet.servers[kind].pending] == []
        fleet.check_all()


def test_two_pulls_at_once_land_everything_once(fleet):
    with fleet() as fleet:
        pulls = [fleet.start("0"), fleet.start("0")]
        told = [pull.communicate(timeout=540)[1] for pull in pulls]
        assert [pull.returncode for pull in pulls] == [0, 0], told
        fleet.check_all()


def kill_at(fleet, requests):
    """Pull, ten records a landing, and kill the process as it sends its n-th request."""
    lock, count, process = threading.Lock(), 0, fleet.start("pull._RECORDS = 10")

    def before(_):
        nonlocal count
        with lock:
            count += 1
            if count == requests:
                os.kill(process.pid, signal.SIGKILL)

    for server in fleet.servers.values():
        server.before = before
    told = process.communicate(timeout=540)[1]
    assert process.returncode == -signal.SIGKILL, told


def test_killed_again_and_again_the_next_pull_goes_on(fleet):
    with fleet() as fleet:
        stored = []
        for requests in (8, 25, 40):
            kill_at(fleet, requests)
            stored += fleet.query("SELECT count(*) FROM message")[0]
        assert 0 < stored[-1] < sum(len(world.records) for world in fleet.worlds.values())
        assert stored == sorted(stored)
        for server in fleet.servers.values():
            server.before = lambda count: None
        fleet.write()
        fleet.pull()
        fleet.pull()  # a newest-first walk that goes on from its middle leaves what is newer to the next
        fleet.check_all()
        whole = fleet.query("SELECT * FROM message ORDER BY ALL")
        fleet.pull()
        assert fleet.query("SELECT * FROM message ORDER BY ALL") == whole
