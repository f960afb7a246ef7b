"""What all tests share: the environment kept out, the sample at hand, one loaded release."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from models.classifier import Classifier
from models.release import Releases
from pipeline import demo
from pipeline.config import REPOSITORY, Home

os.environ.update(PREFECT_SERVER_ANALYTICS_ENABLED="false", DO_NOT_TRACK="1")


USER_SETTINGS = ("MOODLINE_HOME", "MOODLINE_ALERT_URLS", "MOODLINE_ID_KEY")


@pytest.fixture(autouse=True)
def _same_main_module(monkeypatch):
    """Streamlit's AppTest leaves its script as ``__main__``; processes spawned by later tests would run it."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture(autouse=True)
def _no_user_settings(monkeypatch):
    for name in USER_SETTINGS:
        monkeypatch.delenv(name, raising=False)


def command(*words, **more):
    """Run the program in a process of its own, streams apart; ``env`` is added to an environment without settings."""
    env = {name: value for name, value in os.environ.items() if name not in USER_SETTINGS}
    env |= {"COLUMNS": "150", **more.pop("env", {})}
    line = [sys.executable, "-m", "pipeline", *map(str, words)]
    return subprocess.run(line, capture_output=True, encoding="utf-8", cwd=REPOSITORY, env=env, timeout=540, **more)


@pytest.fixture(scope="session")
def moodline():
    """The program as its users run it: ``moodline("customers", "--json", home=home)``."""

    def moodline(*words, home=None, **more):
        return command(*(("--home", home.root) if home else ()), *words, **more)

    return moodline


@dataclass(frozen=True)
class Fernhollow:
    """The demo's home, how it stood before ``run``, and what its commands printed."""

    home: Home
    imported: Home
    printed: dict[str, subprocess.CompletedProcess]
    seconds: float


@pytest.fixture(scope="session")
def fernhollow(tmp_path_factory, shipped) -> Fernhollow:
    """The sample imported and run once by the demo's own commands. Copy the homes before changing them."""
    folder = tmp_path_factory.mktemp("fernhollow")
    home, imported, printed, seconds = Home(folder / "home"), Home(folder / "imported"), {}, 0.0
    for line in demo.commands(home.root):
        words = line[3:]
        if words[2] == "run":
            shutil.copytree(home.root, imported.root)
        began = time.monotonic()
        done = command(*words)
        seconds = time.monotonic() - began if words[2] == "run" else seconds
        assert done.returncode == 0, done.stderr
        printed[" ".join(words[2:4])] = done
    return Fernhollow(home, imported, printed, seconds)


@pytest.fixture
def home(tmp_path) -> Home:
    """An empty home."""
    return Home(tmp_path / "home")


@pytest.fixture(scope="session")
def sample() -> Path:
    """The files of Fernhollow."""
    return REPOSITORY / "data" / "samples" / "fernhollow"


@pytest.fixture(scope="session")
def shipped() -> Path:
    """The folder of the newest shipped release."""
    return Releases(Path("/nonexistent")).active()


@pytest.fixture(scope="session")
def classifier(shipped) -> Classifier:
    """The newest shipped release, loaded once."""
    return Classifier.load(shipped)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder that holds ``data/`` (public sets) and ``labelling/``, for tests on real input."""
    folder = Path(os.environ.get("MOODLINE_SHARED", "nowhere"))
    if not (folder / "data").is_dir():
        pytest.skip("needs the public data: set MOODLINE_SHARED to the folder that holds data/")
    return folder


@pytest.fixture
def called(monkeypatch, capsys):
    """The program in this process, for many small calls: ``called("import", path, home=home)``."""
    from pipeline.cli import main

    def called(*words, home):
        line = ["moodline", "--home", str(home.root), *map(str, words)]
        monkeypatch.setattr(sys, "argv", line)
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        printed = capsys.readouterr()
        return subprocess.CompletedProcess(line, code, printed.out, printed.err)

    return called


MOMENTS = {"landed_at", "taken_at", "moved_at", "quarantined_at", "replayed_at", "added_at", "changed_at", "warehouse"}
"""Columns that tell when Moodline did something, and which warehouse it is: they differ from home to home."""
NOTES = {"run", "migration"}


def rows_of(home, moments=True):
    """Return table → rows in order of all that the warehouse holds; notes of runs are left out."""
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        found = {}
        for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            about = connection.execute(f"DESCRIBE {name}").fetchall()
            columns = [f'"{column}"' for column, *_ in about if moments or column not in MOMENTS]
            if name not in NOTES and columns:
                found[name] = connection.execute(f"SELECT {', '.join(columns)} FROM {name} ORDER BY ALL").fetchall()
        return found


@pytest.fixture(scope="session")
def tables():
    """Read a warehouse whole: ``tables(home, moments=False)`` leaves out when Moodline did what."""
    return rows_of
