"""A home whose sources are stand-ins for providers, pulled by the program itself."""

import json

import duckdb
import pytest
from standin.cases import held, landed


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

    def messages(self):
        """Return what the warehouse holds, as ``held`` tells what a world holds."""
        return landed(self.query("SELECT sent_at, role, text, rating FROM message WHERE erased IS NULL"))

    def source(self, name="source"):
        """Return the source's line of ``moodline sources list``."""
        done = self.run("sources", "list", "--json")
        assert done.returncode == 0, done.stderr
        return next(line for line in json.loads(done.stdout) if line["name"] == name)

    def check(self, world, case):
        """Assert that the warehouse holds exactly the world's records."""
        have, want = self.messages(), held(world, case)
        assert have == want, {"missing": list((want - have).items())[:5], "too many": list((have - want).items())[:5]}


@pytest.fixture
def pulling(home, called, monkeypatch):
    """Return a maker of pulls: ``pulling(case)`` puts the case's secrets into the environment."""

    def pulling(case):
        for name, value in case.environment.items():
            monkeypatch.setenv(name, value)
        return Pulling(home, called)

    return pulling
