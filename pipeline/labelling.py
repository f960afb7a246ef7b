"""Labels of people: the model's most uncertain messages go out, judgements come back, append-only."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.labels import DISSERVICES, INTENTS, MOODS
from pipeline.errors import SourceError
from pipeline.store import Label, Warehouse


def export(warehouse: Warehouse, path: Path, limit: int) -> int:
    """Write the ``limit`` messages that the serving release is least sure of, labels left empty; return how many.

    Raises:
        SourceError: nothing has been scored yet.
    """
    if warehouse.version is None:
        raise SourceError("nothing has been scored yet; `moodline run` reads the messages first")
    rows = [
        {
            "id": message_id,
            "text": text,
            "mood": "",
            "intents": [],
            "disservices": [],
            "guess": {mood: round(p, 3) for mood, p in zip(MOODS, moods, strict=True)},
        }
        for message_id, text, moods in warehouse.uncertain(warehouse.version, limit)
    ]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return len(rows)


def read_labels(path: Path, labeller: str) -> list[Label]:
    """Read a filled-in export; rows whose mood is still empty are passed over.

    Raises:
        SourceError: a line is no such row, or a label is unknown; names file and line.
    """
    now = datetime.now(UTC)
    lines = enumerate(_text(path).splitlines(), 1)
    labels = [_label(path, number, line, labeller, now) for number, line in lines if line.strip()]
    return [label for label in labels if label.mood]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read ({error})") from error


def _label(path: Path, number: int, line: str, labeller: str, now: datetime) -> Label:
    try:
        row: dict[str, Any] = json.loads(line)
        label = Label(
            _word(row["id"]), now, labeller, _word(row["mood"]), _words(row["intents"]), _words(row["disservices"])
        )
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{path} line {number}: not a row of `moodline label export` ({error!r})") from error
    moods = {label.mood} - {*MOODS, ""}
    unknown = sorted(moods | {*label.intents} - {*INTENTS} | {*label.disservices} - {*DISSERVICES})
    if unknown:
        raise SourceError(f"{path} line {number}: {unknown[0]!r} is no label of the guide")
    return label


def _word(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} should be text")
    return value


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} should be a list of labels")
    return tuple(map(_word, value))


def write_training(warehouse: Warehouse, path: Path) -> int:
    """Write the newest label of every labelled message as rows for ``moodline train --labels``; return how many."""
    labelled = warehouse.labels()
    rows = [
        {
            "id": row.label.message_id,
            "source": "own",
            "text": row.text,
            "mood": row.label.mood,
            "intents": list(row.label.intents),
            "disservices": list(row.label.disservices),
        }
        for row in labelled
    ]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return len(rows)
