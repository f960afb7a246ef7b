"""Where things lie and what the user has set. The only module that reads the environment.

Settings are looked for in this order: the environment, ``moodline.toml`` in the home folder, the default.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipeline.errors import SettingsError

REPOSITORY: Final = Path(__file__).resolve().parent.parent
_PUBLIC_KEY: Final = "moodline"
DEFAULT_HOME: Final = REPOSITORY / "data"


@dataclass(frozen=True, slots=True)
class Home:
    """A folder that holds one company's warehouse, snapshots, inbox and logs; two homes never touch."""

    root: Path

    @property
    def warehouse(self) -> Path:
        """The DuckDB file that one process at a time writes."""
        return self.root / "warehouse.duckdb"

    @property
    def lock(self) -> Path:
        """Held by whoever writes the warehouse."""
        return self.root / "warehouse.lock"

    @property
    def snapshots(self) -> Path:
        """Published read-only copies and the pointer to the newest."""
        return self.root / "snapshots"

    @property
    def inbox(self) -> Path:
        """Files dropped here are imported once, a folder below it a source."""
        return self.root / "inbox"

    @property
    def logs(self) -> Path:
        """Log files of runs."""
        return self.root / "logs"

    @property
    def releases(self) -> Path:
        """The home's own releases of the classifier, and which one serves."""
        return self.root / "releases"

    @property
    def mood_model(self) -> Path:
        """The home's own mood model, once `moodline fit` made one; without it the shipped one serves."""
        return self.root / "mood_model.json"

    @property
    def alerts_log(self) -> Path:
        """Every alert ever opened, one JSON object a line."""
        return self.root / "alerts.jsonl"

    @property
    def settings_file(self) -> Path:
        """The user's settings."""
        return self.root / "moodline.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user has chosen, with defaults for all of it."""

    alert_urls: tuple[str, ...] = ()
    """Apprise URLs; they hold secrets, so they come from the environment only and are never logged."""
    customer_key: str = _PUBLIC_KEY
    """Key of the customers' pseudonyms; a secret one keeps them from being guessed. From the environment only."""
    slide_levels: float = 0.8
    """A fall of the expected level by this much within 30 days is a slide."""
    furious_probability: float = 0.5
    """Mass on ``furious`` from which a customer counts as furious."""
    leaving_risk: float = 0.5
    """90-day risk of leaving from which a customer counts as leaving."""
    redact_names: bool = False
    """Mask people's names too; needs the ``names`` extra."""
    default_value: float = 100.0
    """What a customer is worth when the company's records do not say."""


def home_from(option: Path | None, environment: Mapping[str, str] | None = None) -> Home:
    """Return the home named by ``--home``, else by ``MOODLINE_HOME``, else the repository's ``data`` folder."""
    environment = os.environ if environment is None else environment
    if option is not None:
        return Home(option.expanduser().resolve())
    named = environment.get("MOODLINE_HOME")
    return Home(Path(named).expanduser().resolve() if named else DEFAULT_HOME)


def load_settings(home: Home, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the home's ``moodline.toml`` and the environment.

    Raises:
        SettingsError: the file is not TOML, or a value is unknown or of the wrong type.
    """
    environment = os.environ if environment is None else environment
    chosen = _from_file(home.settings_file)
    urls = environment.get("MOODLINE_ALERT_URLS", "").replace(",", " ").split()
    key = environment.get("MOODLINE_ID_KEY") or _PUBLIC_KEY
    return Settings(alert_urls=tuple(urls), customer_key=key, **chosen)


def source_tables(home: Home) -> list[dict[str, Any]]:
    """Return the ``[[sources]]`` blocks of the home's ``moodline.toml`` as they stand there, in order.

    Raises:
        SettingsError: the file is not TOML, or ``sources`` is something else.
    """
    tables = _document(home.settings_file).get("sources", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise SettingsError(f"{home.settings_file}: sources should be blocks that begin with [[sources]]")
    return tables


def environment() -> Mapping[str, str]:
    """Return the environment, where the secrets of sources lie."""
    return os.environ


def _document(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not a TOML file ({error}); mend it or move it away") from error


def _from_file(path: Path) -> dict[str, Any]:
    table = _document(path).get("moodline", {})
    return {name: _checked(path, name, value) for name, value in table.items()}


_EXPECTED: Final[dict[str, type]] = {
    "slide_levels": float,
    "furious_probability": float,
    "leaving_risk": float,
    "redact_names": bool,
    "default_value": float,
}


def _checked(path: Path, name: str, value: object) -> float | bool:
    if name not in _EXPECTED:
        raise SettingsError(f"{path}: [moodline] {name} is not a setting; known are {', '.join(_EXPECTED)}")
    if _EXPECTED[name] is bool:
        if isinstance(value, bool):
            return value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise SettingsError(f"{path}: [moodline] {name} = {value!r} should be a {_EXPECTED[name].__name__}")
