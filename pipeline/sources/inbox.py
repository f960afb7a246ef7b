"""The watched folder: each folder below ``inbox/`` is a source, described by its ``source.toml``; each file lands once.

::

    channel = "review"                 # review, tweet or transcript
    name = "shop-reviews"              # default: the folder's name
    time_format = "%d-%m-%Y %H.%M"     # and time_zone, rating_scale, encoding, customer_speaker, turns: all optional
    [map]
    text = "title+body"
    customer = "email"
    [constants]
    department = "service"
"""

import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast, get_args

from pipeline.errors import SourceError
from pipeline.records import Channel
from pipeline.sources.files import digest, is_candidate
from pipeline.sources.spec import FileSpec, known_field

SETTINGS: Final = "source.toml"
SETTLED_AFTER: Final = 2.0
"""Seconds since the last change after which a file counts as wholly written."""

_TEXTS: Final = ("time_format", "time_zone", "encoding", "customer_speaker", "turns")
_KNOWN: Final = ("channel", "name", "map", "constants", "rating_scale", *_TEXTS)


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file that waits in the inbox and has not landed yet."""

    path: Path
    spec: FileSpec
    digest: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A folder of the inbox whose ``source.toml`` is missing or wrong, or a file that cannot be opened."""

    path: Path
    reason: str


def waiting(
    inbox: Path, is_taken: Callable[[str, str], bool], *, now: float | None = None
) -> Iterator[Dropped | Unreadable]:
    """Yield the files to be read, source by source in the order of names; a folder that is not there holds none.

    ``is_taken(source, digest)`` tells which have landed before. Files changed within the last two seconds, hidden
    ones, and ``*.part`` or ``*.tmp`` are still being written: they come next time. Reads only.
    """
    now = time.time() if now is None else now
    for folder in sorted(entry for entry in inbox.iterdir() if _is_source(entry)) if inbox.is_dir() else []:
        try:
            spec = load_source(folder)
            yield from _of_source(folder, spec, is_taken, now)
        except SourceError as error:
            yield Unreadable(folder, str(error))


def load_source(folder: Path) -> FileSpec:
    """Return the spec in the folder's ``source.toml``.

    Raises:
        SourceError: it is missing, is no TOML, or says something unknown.
    """
    path = folder / SETTINGS
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SourceError(
            f'{folder}: there is no {SETTINGS}; write one that says at least channel = "review"'
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SourceError(f"{path}: cannot be read as TOML ({error})") from error
    if unknown := sorted(set(table) - set(_KNOWN)):
        raise SourceError(f"{path}: {unknown[0]!r} is not known; known are {', '.join(_KNOWN)}")
    return FileSpec(
        source=_text(path, table, "name") or folder.name,
        channel=_channel(path, table),
        mapping={known_field(name): value for name, value in _texts(path, table, "map").items()},
        constants=_texts(path, table, "constants"),
        rating_scale=_scale(path, table.get("rating_scale", [1, 5])),
        time_zone=_text(path, table, "time_zone") or "UTC",
        **{name: _text(path, table, name) for name in _TEXTS if name != "time_zone"},
    )


def _is_source(entry: Path) -> bool:
    return entry.is_dir() and not entry.name.startswith(".")


def _of_source(folder: Path, spec: FileSpec, is_taken: Callable[[str, str], bool], now: float) -> Iterator[Dropped]:
    for path in sorted(folder.iterdir()):
        if is_candidate(path) and now - path.stat().st_mtime >= SETTLED_AFTER:
            found = digest(path)
            if not is_taken(spec.source, found):
                yield Dropped(path, spec, found)


def _text(path: Path, table: Mapping[str, Any], name: str) -> str | None:
    value = table.get(name)
    if value is not None and not isinstance(value, str):
        raise SourceError(f"{path}: {name} = {value!r} should be text in quotes")
    return value


def _channel(path: Path, table: Mapping[str, Any]) -> Channel:
    known = get_args(Channel)
    if table.get("channel") not in known:
        raise SourceError(f"{path}: channel = {table.get('channel')!r} should be one of {', '.join(known)}")
    return cast("Channel", table["channel"])


def _texts(path: Path, table: Mapping[str, Any], name: str) -> dict[str, str]:
    values = table.get(name, {})
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise SourceError(f'{path}: [{name}] should hold lines such as text = "body"')
    return dict(values)


def _scale(path: Path, value: object) -> tuple[float, float]:
    numbers = value if isinstance(value, list) else []
    if len(numbers) != 2 or not all(isinstance(number, int | float) for number in numbers):
        raise SourceError(f"{path}: rating_scale = {value!r} should be worst and best, for example [1, 10]")
    return float(numbers[0]), float(numbers[1])
