"""Examine an installation: each finding says what was looked at, what was found, and how to mend it."""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Final

from packaging.requirements import Requirement

from models.errors import ModelError
from pipeline.config import Home, load_settings
from pipeline.errors import MoodlineError
from pipeline.mood_model import Parameters
from pipeline.serving import active_classifier
from pipeline.store import Snapshot, Warehouse

_ROOM: Final = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str
    ok: bool
    found: str
    mend: str = ""


def examine(home: Home) -> list[Finding]:
    """Look at everything that a run needs. Writes nothing but the warehouse's own migrations."""
    checks: tuple[tuple[str, Callable[[Home], str], str], ...] = (
        ("Python", _python, "install Python 3.11 and run `make setup` again"),
        ("packages", _packages, "run `make setup` again"),
        ("home folder", _home, "choose a folder you may write to: --home DIR or MOODLINE_HOME"),
        ("disk", _disk, "make room, or move the home to a larger disk"),
        ("settings", _settings, "mend moodline.toml in the home folder"),
        ("classifier", _classifier, "`moodline rollback`, or restore models/releases"),
        ("mood model", _mood_model, "restore pipeline/mood_model.json"),
        ("warehouse", _warehouse, "see the message; an import makes a new warehouse"),
        ("snapshot", _snapshot, "`moodline import …`, then `moodline run`"),
    )
    return [_finding(name, check, mend, home) for name, check, mend in checks]


class _UnfitError(Exception):
    """What was looked at is not as it should be."""


def _finding(name: str, check: Callable[[Home], str], mend: str, home: Home) -> Finding:
    try:
        return Finding(name, True, check(home))
    except (MoodlineError, ModelError, OSError, _UnfitError) as error:
        return Finding(name, False, str(error), mend)


def _python(home: Home) -> str:
    if sys.version_info[:2] != (3, 11):
        raise _UnfitError(f"Python {sys.version.split()[0]}; 3.11 is needed")
    return sys.version.split()[0]


def _packages(home: Home) -> str:
    needed = [Requirement(line) for line in requires("moodline") or []]
    wrong = [problem for need in needed if need.marker is None for problem in _package_problem(need)]
    if wrong:
        raise _UnfitError("; ".join(wrong))
    return f"moodline {version('moodline')}, all pinned packages as pinned"


def _package_problem(need: Requirement) -> list[str]:
    try:
        found = version(need.name)
    except PackageNotFoundError:
        return [f"{need.name} is missing"]
    return [] if found in need.specifier else [f"{need.name} is {found}, {need.specifier} is needed"]


def _home(home: Home) -> str:
    place = home.root
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK):
        raise _UnfitError(f"{place} cannot be written")
    return str(home.root)


def _disk(home: Home) -> str:
    place = next(p for p in (home.root, *home.root.parents) if p.exists())
    free = shutil.disk_usage(place).free
    if free < _ROOM:
        raise _UnfitError(f"{free / 1024**3:.1f} GiB free; 2 are the least for a run in peace")
    return f"{free / 1024**3:.0f} GiB free"


def _settings(home: Home) -> str:
    settings = load_settings(home)
    return f"{len(settings.alert_urls)} receivers of alerts (MOODLINE_ALERT_URLS)"


def _classifier(home: Home) -> str:
    classifier = active_classifier(home)
    mood = classifier.score(["third time I ask and still no refund"])[0].mood_label
    return f"release {classifier.version} scores (a complaint reads as {mood})"


def _mood_model(home: Home) -> str:
    return f"parameters {Parameters.load().digest()[:12]}"


def _warehouse(home: Home) -> str:
    if not home.warehouse.exists():
        return "none yet; the first import makes it"
    with Warehouse.open(home, wait_seconds=2) as warehouse:
        bad = len(warehouse.quarantine_rows())
    return f"opens; {bad:,} records in quarantine"


def _snapshot(home: Home) -> str:
    with Snapshot.open(home) as snapshot:
        return f"{snapshot.path.name} opens"
