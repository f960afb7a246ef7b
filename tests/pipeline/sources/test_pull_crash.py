"""``kill -9`` in the middle of a pull: the next one goes on where the last page landed; nothing is lost or twice."""

import os
import signal
import subprocess
import sys
import time

import pytest
from standin.cases import REST, stand_in

from pipeline.config import REPOSITORY

pytestmark = pytest.mark.slow
PAGES = 20


def kill_at(home, server, requests, slow=0):
    """Pull in a process of its own and kill it as it sends its n-th request; the ``slow``-th takes half a minute."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "--home", str(home.root), "pull"],
        env={**os.environ, **REST.environment},
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    begun = len(server.requests)

    def before(count):
        if count == begun + requests:
            os.kill(process.pid, signal.SIGKILL)
        if slow and count == begun + slow:
            time.sleep(31)

    server.before = before
    told = process.communicate(timeout=540)[1]
    server.before = lambda count: None
    assert process.returncode == -signal.SIGKILL, told


def test_killed_before_and_after_a_landing_the_next_pull_goes_on(pulling):
    """What came in lands after half a minute at the latest, so the server is slow once."""
    world = REST.world(PAGES * 10)
    with stand_in(REST, world) as server:
        pull = pulling(REST)
        pull.set(REST.settings(server.url, timeout="2m"))
        kill_at(pull.home, server, 3)
        assert pull.query("SELECT count(*) FROM message") == [(0,)]
        kill_at(pull.home, server, 7, slow=4)
        stored = pull.query("SELECT count(*) FROM message")[0][0]
        assert stored >= 40
        kill_at(pull.home, server, 2)
        assert pull.query("SELECT count(*) FROM message") == [(stored,)]
        before = len(server.requests)
        world.write(3)
        pull.pull()
        assert len(server.requests) - before <= PAGES - stored // 10 + 1
        pull.check(world, REST)
        assert pull.query("SELECT count(*) FROM quarantine") == [(0,)]
        whole = pull.query("SELECT * FROM message ORDER BY ALL")
        pull.pull()
        assert pull.query("SELECT * FROM message ORDER BY ALL") == whole
