"""Judge a release on labelled rows: every head, each source and length, with intervals, beside simple baselines.

Rows are JSONL as the labelling guide's (``mood``, ``intents``, ``disservices``), or with ``sentiment`` or the
five-point ``level`` (-2 to 2) alone; a row counts for the heads it has labels for, and a label may be null.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numpy as np

from models import metrics
from models.classifier import Classifier
from models.corpora import Example
from models.errors import CorpusError
from models.guesses import (
    LEVELS,
    ClassGuesses,
    Guesses,
    LabelGuesses,
    classifier_guesses,
    given,
    majority_guesses,
    sentiment_of,
    vader_guesses,
)
from models.labels import DISSERVICES, INTENTS, MOODS, SENTIMENTS
from models.metrics import Bools, Ints
from models.screen import unreadable

Table = dict[str, Any]
Label = TypeVar("Label", str, int)
LENGTHS: Final = {"short (to 10 words)": (0, 10), "middle (11 to 40)": (11, 40), "long (over 40)": (41, 10**9)}


# --- Rows ------------------------------------------------------------------------------------------------------------


def read_rows(path: Path) -> list[Example]:
    """Read rows to judge on.

    Raises:
        CorpusError: the file cannot be read or holds no label, or a row has no text or an unknown label; names file
            and line.
    """
    lines = enumerate(_read(path).split("\n"), 1)
    rows = [_row(path, number, line) for number, line in lines if line.strip()]
    if not rows:
        raise CorpusError(f"{path}: no rows")
    if all(label is None for row in rows for label in (sentiment_of(row), row.level, row.intents, row.disservices)):
        raise CorpusError(f"{path}: no row has a mood, sentiment, level, intents or disservices to judge by")
    return rows


def _read(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CorpusError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CorpusError(f"{path} line {line}: bytes that are not UTF-8 ({error.reason})") from error


def _row(path: Path, number: int, line: str) -> Example:
    place = f"{path} line {number}"
    try:
        row: Mapping[str, Any] = json.loads(line)
        text = row["text"]
    except (ValueError, KeyError, TypeError) as error:
        raise CorpusError(f"{place}: not a row with a text ({error!r})") from error
    if not isinstance(text, str):
        raise CorpusError(f"{place}: text should be words, not {text!r}")
    mood = _one(place, "mood", row.get("mood"), MOODS)
    return Example(
        text.encode("utf-8", "replace").decode("utf-8"),  # halves of surrogate pairs, which no tokenizer takes
        str(row.get("source") or path.stem),
        (mood,) if mood else None,
        _one(place, "sentiment", row.get("sentiment"), SENTIMENTS),
        _some(place, "intents", row.get("intents"), INTENTS),
        disservices=_some(place, "disservices", row.get("disservices"), DISSERVICES),
        row_id=str(row.get("id", number)),
        level=_one(place, "level", row.get("level"), LEVELS),
    )


def _one(place: str, name: str, label: object, known: Sequence[Label]) -> Label | None:
    if label is None:
        return None
    if isinstance(label, bool) or label not in known:  # Python takes True for 1, and it is no level
        raise CorpusError(f"{place}: unknown label {label} as {name}; known are {', '.join(map(str, known))}")
    return known[known.index(cast(Label, label))]


def _some(place: str, name: str, labels: object, known: Sequence[str]) -> tuple[str, ...] | None:
    if labels is None:
        return None
    if not isinstance(labels, list):
        raise CorpusError(f"{place}: {name} should be a list of labels, not {labels!r}")
    return tuple(one for label in labels if (one := _one(place, name, label, known)))


# --- Figures ---------------------------------------------------------------------------------------------------------


def evaluate(rows: Sequence[Example], guesses: Guesses, *, slices: bool = True) -> Table:
    """Return every figure of the guesses on the rows, as plain JSON types; heads without any label are left out."""
    table: Table = {"rows": len(rows)}
    table |= _ordered("mood", MOODS, [row.moods and row.moods[0] for row in rows], guesses.mood)
    table |= _ordered("sentiment", SENTIMENTS, [sentiment_of(row) for row in rows], guesses.sentiment)
    table |= _ordered("level", LEVELS, [row.level for row in rows], guesses.level)
    table |= _labels("intents", INTENTS, [row.intents for row in rows], guesses.intents)
    table |= _labels("disservices", DISSERVICES, [row.disservices for row in rows], guesses.disservices)
    if slices:
        parts = _slices(rows, guesses)
        table["slices"] = {name: _slice(part) for name, part in parts.items()}
        table["slice_intervals"] = {name: _slice_intervals(part) for name, part in parts.items()}
    return table


def _ordered(head: str, order: Sequence[Any], truths: Sequence[Any], guess: ClassGuesses) -> Table:
    chosen = np.array([place for place, label in enumerate(truths) if label is not None], dtype=np.int64)
    if not len(chosen):
        return {}
    truth = np.array([order.index(truths[place]) for place in chosen], dtype=np.int64)
    guess = guess.of(chosen)
    table = metrics.confusion(truth, guess.named, len(order))
    return {
        head: {
            "rows": len(truth),
            **_with_intervals(_ordered_figures(truth, guess), len(truth)),
            "reliability": _rounded(metrics.reliability(guess.chances, truth)),
            "confusion": {
                str(name): dict(zip(map(str, order), map(int, row), strict=True))
                for name, row in zip(order, table, strict=True)
            },
        }
    }


def _ordered_figures(truth: Ints, guess: ClassGuesses) -> Callable[[Ints], dict[str, float]]:
    """Return what gives the figures of some rows; how errors are balanced is settled on all of them."""
    balanced, classes = metrics.balanced_decision(guess.chances), guess.chances.shape[1]

    def figures(rows: Ints) -> dict[str, float]:
        table = metrics.confusion(truth[rows], guess.named[rows], classes)
        return {
            "accuracy": metrics.accuracy(table),
            "macro_f1": metrics.macro_f1(table),
            "macro_recall": metrics.macro_recall(table),
            "quadratic_kappa": metrics.quadratic_kappa(table),
            "macro_absolute_error": metrics.macro_absolute_error(table),
            "macro_absolute_error_balanced": metrics.macro_absolute_error(
                metrics.confusion(truth[rows], balanced[rows], classes)
            ),
            "calibration_error": metrics.calibration_error(guess.chances[rows], truth[rows]),
        }

    return figures


def _labels(
    head: str, order: Sequence[str], truths: Sequence[tuple[str, ...] | None], guess: LabelGuesses | None
) -> Table:
    chosen = np.array([place for place, labels in enumerate(truths) if labels is not None], dtype=np.int64)
    truth = given([truths[place] or () for place in chosen], order)
    if guess is None or not truth.any():
        return {}
    guess = guess.of(chosen)
    return {
        head: {
            "rows": len(chosen),
            **_with_intervals(_label_figures(truth, guess), len(chosen)),
            "reliability": _rounded(metrics.label_reliability(guess.chances, truth)),
            "labels": _each_label(order, truth, guess),
        }
    }


def _label_figures(truth: Bools, guess: LabelGuesses) -> Callable[[Ints], dict[str, float]]:
    def figures(rows: Ints) -> dict[str, float]:
        true, said, chances = truth[rows], guess.given[rows], guess.chances[rows]
        return {
            "accuracy": metrics.exact_match(true, said),
            "macro_f1": metrics.macro_label_f1(true, said),
            "macro_recall": metrics.over_occurring(metrics.label_recall(true, said), true),
            "macro_precision": metrics.over_occurring(metrics.label_precision(true, said), true),
            "micro_f1": metrics.micro_label_f1(true, said),
            "macro_average_precision": metrics.over_occurring(metrics.average_precision(true, chances), true),
            "calibration_error": metrics.curve_error(metrics.label_reliability(chances, true)),
        }

    return figures


def _each_label(order: Sequence[str], truth: Bools, guess: LabelGuesses) -> Table:
    figures = {
        "precision": metrics.label_precision(truth, guess.given),
        "recall": metrics.label_recall(truth, guess.given),
        "f1": metrics.label_f1(truth, guess.given),
        "average_precision": metrics.average_precision(truth, guess.chances),
    }
    return {
        label: {name: round(float(np.nan_to_num(values[place])), 4) for name, values in figures.items()}
        | {"rows": int(truth[:, place].sum()), "guessed": int(guess.given[:, place].sum())}
        for place, label in enumerate(order)
    }


def _with_intervals(figures: Callable[[Ints], dict[str, float]], rows: int) -> Table:
    """Return each figure on all rows, followed by its interval."""
    spans = metrics.intervals(figures, rows)
    table: Table = {}
    for name, value in figures(np.arange(rows, dtype=np.int64)).items():
        table[name] = round(value, 4)
        table[f"{name}_interval"] = [round(bound, 4) for bound in spans[name]]
    return table


def _rounded(points: metrics.Reliability) -> list[list[float]]:
    return [[round(value, 4) for value in point] for point in points]


def _slices(rows: Sequence[Example], guesses: Guesses) -> dict[str, Table]:
    """Return the whole table of each source and of each length that has rows."""
    words = [len(row.text.split()) for row in rows]
    groups = {f"source {name}": [row.source == name for row in rows] for name in sorted({row.source for row in rows})}
    groups |= {name: [low <= count <= high for count in words] for name, (low, high) in LENGTHS.items()}
    chosen = {name: np.flatnonzero(members) for name, members in groups.items() if any(members)}
    return {
        name: evaluate([rows[place] for place in places.tolist()], guesses.of(places), slices=False)
        for name, places in chosen.items()
    }


_SLICED: Final = {
    "mood": ("accuracy", "quadratic_kappa", "macro_f1"),
    "sentiment": ("accuracy", "macro_recall"),
    "level": ("macro_absolute_error",),
    "intents": ("macro_f1",),
    "disservices": ("macro_f1",),
}
"""The figures that tell how a slice is read."""


def _slice(table: Table) -> Table:
    return {"rows": table["rows"]} | {name: table[head][figure] for name, head, figure in _sliced(table)}


def _slice_intervals(table: Table) -> Table:
    return {name: table[head][f"{figure}_interval"] for name, head, figure in _sliced(table)}


def _sliced(table: Table) -> list[tuple[str, str, str]]:
    found = [(head, figure) for head, figures in _SLICED.items() if head in table for figure in figures]
    return [(f"{head} {figure}", head, figure) for head, figure in found]


def compare(classifier: Classifier, rows: Sequence[Example], progress: Callable[[int, int], None]) -> Table:
    """Return the figures of a release, of VADER (where it is installed) and of the commonest label on the same rows."""
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        progress(done, len(rows))

    result: Table = {"release": evaluate(rows, classifier_guesses(classifier, rows, advance))}
    result["release"]["unread"] = unread(rows)
    vader = vader_guesses(rows)
    if vader is not None:
        result["vader"] = evaluate(rows, vader, slices=False)
    result["majority"] = evaluate(rows, majority_guesses(rows), slices=False)
    return result


def unread(rows: Sequence[Example]) -> dict[str, int]:
    """Return how many rows the line would not read, by reason; here they are judged all the same."""
    reasons = Counter(reason for row in rows if (reason := unreadable(row.text)))
    return dict(reasons.most_common())


# --- What people are shown -------------------------------------------------------------------------------------------


_OF_LABELS: Final = ("accuracy", "macro_f1", "macro_recall", "macro_average_precision", "calibration_error")
FIGURES: Final = {
    "mood": (
        *("accuracy", "macro_f1", "macro_recall", "quadratic_kappa"),
        *("macro_absolute_error", "macro_absolute_error_balanced", "calibration_error"),
    ),
    "sentiment": ("accuracy", "macro_f1", "macro_recall", "quadratic_kappa", "calibration_error"),
    "level": ("accuracy", "macro_recall", "macro_absolute_error", "macro_absolute_error_balanced", "calibration_error"),
    "intents": _OF_LABELS,
    "disservices": _OF_LABELS,
}
"""The figures that a summary shows of each head."""

Row = dict[str, object]


def summary(result: Table) -> list[Row]:
    """Return one row a figure and one column a system of what :func:`compare` gives."""
    release = result["release"]
    return [
        {
            "figure": f"{head}: {figure.replace('_', ' ')}",
            "rows": release[head]["rows"],
            **{system: _shown(table.get(head, {}).get(figure)) for system, table in result.items()},
            "95 % interval": _span(release[head][f"{figure}_interval"]),
        }
        for head, figures in FIGURES.items()
        if head in release
        for figure in figures
    ]


def slice_summary(table: Table) -> list[Row]:
    """Return one row a slice of a table that :func:`evaluate` made, each figure with its interval."""
    names = list(dict.fromkeys(name for figures in table["slice_intervals"].values() for name in figures))
    return [
        {"slice": name, "rows": table["slices"][name]["rows"]}
        | {key: f"{table['slices'][name][key]:.3f}\n{_span(spans[key])}" if key in spans else "" for key in names}
        for name, spans in table["slice_intervals"].items()
    ]


def label_summary(table: Table) -> list[Row]:
    """Return one row a label of a table that :func:`evaluate` made."""
    return [
        {"label": f"{head}: {label}"}
        | {name.replace("_", " "): f"{value:.2f}" if isinstance(value, float) else value for name, value in row.items()}
        for head in ("intents", "disservices")
        for label, row in table.get(head, {}).get("labels", {}).items()
    ]


def confusion_summary(head: Table) -> list[Row]:
    """Return one row a true class: how often it was read as each class, and the share read right."""
    return [
        {"truly": name, **counts, "recall": f"{counts[name] / total:.2f}" if (total := sum(counts.values())) else ""}
        for name, counts in head["confusion"].items()
    ]


def _shown(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.3f}"


def _span(bounds: Sequence[float]) -> str:
    return f"{bounds[0]:.3f} to {bounds[1]:.3f}"
