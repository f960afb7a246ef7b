"""A home whose sources are stand-ins for providers, pulled by the program itself."""

import json
import subprocess
import sys
from contextlib import ExitStack

import duckdb
import pytest
from standin.cases import CALLS, CASES, REST, held, landed, stand_in, write_calls

from pipeline.config import REPOSITORY

FAST = {"per_minute": 100_000}
"""Providers that announce a slow pace in words alone would take minutes."""


class Pulling:
    """Writes settings, pulls, and tells what the warehouse holds afterwards."""

    def __init__(self, home, called):
        self.home, self._called = home, called
        self.printed = []

    def set(self, *blocks):
        """Make these blocks the home's settings."""
        self.home.root.mkdir(parents=True, exist_ok=True)
        self.home.settings_file.write_text("\n".join(blocks), encoding="utf-8")

    def run(self, *words):
        """Run a command of the program and return what it did."""
        done = self._called(*words, home=self.home)
        self.printed += [done.stdout, done.stderr]
        return done

    def pull(self, *words, code=0):
        """Pull and return what was said on standard error."""
        done = self.run("pull", *words)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done.stderr

    def query(self, text, *values):
        """Return rows of the warehouse."""
        with duckdb.connect(str(self.home.warehouse), read_only=True) as connection:
            return connection.execute(text, values).fetchall()

    def messages(self, source=None):
        """Return what the warehouse holds, as ``held`` tells what a world holds."""
        columns = "SELECT sent_at, role, text, rating FROM message WHERE erased IS NULL AND coalesce(source = ?, true)"
        return landed(self.query(columns, source))

    def source(self, name="source"):
        """Return the source's line of ``moodline sources list``."""
        done = self.run("sources", "list", "--json")
        assert done.returncode == 0, done.stderr
        return next(line for line in json.loads(done.stdout) if line["name"] == name)

    def check(self, world, case, source=None):
        """Assert that the warehouse holds exactly the world's records."""
        have, want = self.messages(source), held(world, case)
        missing, more = list((want - have).items())[:5], list((have - want).items())[:5]
        assert have == want, {"source": source, "missing": missing, "too many": more}


@pytest.fixture
def pulling(home, called, monkeypatch):
    """Return a maker of pulls: ``pulling(case)`` puts the case's secrets into the environment."""

    def pulling(case):
        for name, value in case.environment.items():
            monkeypatch.setenv(name, value)
        return Pulling(home, called)

    return pulling


class Fleet(Pulling):
    """Every kind of source in one home, each under its own name, its world behind a server (or folder) of its own."""

    def __init__(self, home, called, folder, **more):
        super().__init__(home, called)
        self.cases = {**CASES, "rest": REST, "contact_lens": CALLS}
        self.worlds = {kind: case.world() for kind, case in self.cases.items()}
        self._folder, self._more, self._stack = folder, more, ExitStack()

    def __enter__(self):
        served = self.cases.keys() - {"contact_lens"}
        made = {kind: stand_in(self.cases[kind], self.worlds[kind]) for kind in sorted(served)}
        self.servers = {kind: self._stack.enter_context(server) for kind, server in made.items()}
        urls = {"contact_lens": str(self._folder)} | {kind: server.url for kind, server in self.servers.items()}
        write_calls(self.worlds["contact_lens"], self._folder)
        self.set(*(case.settings(urls[kind], name=kind, **self._more) for kind, case in self.cases.items()))
        return self

    def __exit__(self, *error):
        self._stack.close()

    def write(self):
        """Let something be written everywhere."""
        for kind, world in self.worlds.items():
            world.write(self.cases[kind].turns)
        write_calls(self.worlds["contact_lens"], self._folder)

    def start(self, code="", *words):
        """Pull in a process of its own; ``code`` runs in it first."""
        program = f"import sys; from pipeline import cli, pull; {code}; cli.main()"
        return subprocess.Popen(
            [sys.executable, "-c", program, "--home", str(self.home.root), "pull", *words],
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def check_all(self):
        """Assert that the warehouse holds exactly every provider's records, and nothing in quarantine."""
        for kind, world in self.worlds.items():
            self.check(world, self.cases[kind], kind)
        assert self.query("SELECT source, reason FROM quarantine") == []


@pytest.fixture
def fleet(home, called, monkeypatch, tmp_path):
    """Return a maker of fleets: ``fleet(timeout="2s")`` adds settings to every source."""

    def fleet(**more):
        for case in (*CASES.values(), REST):
            for name, value in case.environment.items():
                monkeypatch.setenv(name, value)
        return Fleet(home, called, tmp_path / "bucket", **FAST, **more)

    return fleet
