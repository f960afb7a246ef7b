"""The doctor finds what is wrong with an installation, says how to mend it, and breaks nothing itself."""

import json
import shutil
import subprocess
import sys
from importlib.metadata import version

import pytest
from packaging.requirements import Requirement

from pipeline import doctor
from pipeline.config import Home
from pipeline.doctor import examine
from pipeline.store import Warehouse


@pytest.fixture
def copy(fernhollow, tmp_path):
    home = Home(tmp_path / "copy")
    shutil.copytree(fernhollow.home.root, home.root)
    return home


def wrong(home):
    """Return check → what was found and how to mend it, of what is not as it should be."""
    return {finding.check: f"{finding.found} | {finding.mend}" for finding in examine(home) if not finding.ok}


def test_a_sound_installation_has_nothing_wrong(fernhollow, tables):
    before = tables(fernhollow.home)
    assert wrong(fernhollow.home) == {}
    assert tables(fernhollow.home) == before


def test_an_empty_home_lacks_a_snapshot_only_and_stays_empty(home):
    assert list(wrong(home)) == ["snapshot"]
    assert "`moodline import …`, then `moodline run`" in wrong(home)["snapshot"]
    assert not home.root.exists()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("release.json", b"{}", "not a release description"),
        ("release.json", b"\xff\xfe", "release"),
        ("model.onnx", b"not a model", "cannot be loaded"),
        ("model.onnx", None, "model.onnx is missing; the release is incomplete"),
        ("tokenizer.json", b"{", "cannot be loaded"),
    ],
)
def test_a_broken_release_is_found_and_stops_a_run_with_a_message(called, home, shipped, name, content, says):
    folder = home.releases / "2099.1.1"
    shutil.copytree(shipped, folder)
    (home.releases / "ACTIVE").write_text(f"{shipped.name}\tnow\n2099.1.1\tnow\n")
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    found = wrong(home)
    assert says in found["classifier"]
    assert "`moodline rollback`" in found["classifier"]
    done = called("run", home=home)
    assert done.returncode == 1
    assert says in done.stderr
    assert called("rollback", home=home).returncode == 0
    assert "classifier" not in wrong(home)


def test_a_promoted_release_that_is_gone(home, shipped):
    home.releases.mkdir(parents=True)
    (home.releases / "ACTIVE").write_text(f"{shipped.name}\tnow\n2099.1.1\tnow\n")
    assert "no release 2099.1.1; there are: " in wrong(home)["classifier"]


def test_wrong_settings(called, copy):
    copy.settings_file.write_text("[moodline]\nslide_levels = 'much'\n")
    assert "slide_levels = 'much' should be a float | mend moodline.toml" in wrong(copy)["settings"]
    done = called("doctor", "--json", home=copy)
    assert done.returncode == 1
    rows = json.loads(done.stdout)
    assert [row["check"] for row in rows if not row["ok"]] == ["settings"]
    assert list(rows[0]) == ["check", "ok", "found", "mend"]
    assert "NO" in called("doctor", home=copy).stdout


def test_a_damaged_warehouse_and_a_lost_snapshot(called, copy):
    copy.warehouse.write_bytes(b"nonsense" * 4096)
    next(copy.snapshots.glob("*.duckdb")).unlink()
    found = wrong(copy)
    assert set(found) == {"warehouse", "snapshot"}
    assert str(copy.warehouse) in found["warehouse"]
    assert "moodline run" in found["snapshot"]
    done = called("run", home=copy)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_a_warehouse_that_another_process_writes_is_told_of(copy):
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom pipeline.config import Home\n"
        "from pipeline.store import Warehouse\n"
        "with Warehouse.open(Home(Path(sys.argv[1]))):\n print('open', flush=True)\n sys.stdin.read()\n"
    )
    line = [sys.executable, "-c", script, str(copy.root)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "open\n"
        assert f"process {writer.pid}" in wrong(copy)["warehouse"]
        writer.communicate()
    Warehouse.open(copy, wait_seconds=5).close()


def test_packages_that_are_not_as_pinned(home, monkeypatch):
    monkeypatch.setattr(doctor, "requires", lambda name: ["duckdb==0.1", "no-such-package>=1", "torch; extra == 'x'"])
    found = wrong(home)["packages"]
    assert f"duckdb is {version('duckdb')}, ==0.1 is needed; no-such-package is missing | run `make setup`" in found
    assert doctor._package_problem(Requirement(f"duckdb=={version('duckdb')}")) == []


def test_too_little_room_and_another_python(home, monkeypatch):
    monkeypatch.setattr(doctor, "_ROOM", 10**18)
    monkeypatch.setattr(doctor.sys, "version_info", (3, 10, 0))
    found = wrong(home)
    assert "2 are the least" in found["disk"]
    assert "3.11 is needed" in found["Python"]
