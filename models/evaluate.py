"""Judge a release on labelled rows: every head, each source and length, with intervals, beside simple baselines.

Rows are JSONL as the labelling guide's (``mood``, ``intents``, ``disservices``) or with ``sentiment`` alone; a row
counts for the heads it has labels for.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from models import metrics
from models.classifier import Array, Classifier
from models.corpora import SENTIMENT_OF_MOOD, Example
from models.errors import CorpusError
from models.labels import DISSERVICES, INTENTS, MOODS, SENTIMENTS

Table = dict[str, Any]
Bools = npt.NDArray[np.bool_]
LENGTHS: Final = {"short (to 10 words)": (0, 10), "middle (11 to 40)": (11, 40), "long (over 40)": (41, 10**9)}


@dataclass(frozen=True, slots=True)
class Guesses:
    """What is guessed for rows: probabilities of mood and sentiment, and the labels given (rows by labels)."""

    mood: Array
    sentiment: Array
    intents: Bools
    disservices: Bools


def read_rows(path: Path) -> list[Example]:
    """Read rows to judge on.

    Raises:
        CorpusError: the file is missing or empty, or a row has no text or an unknown label; names file and line.
    """
    if not path.exists():
        raise CorpusError(f"{path}: no such file")
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    rows = [_row(path, number, line) for number, line in lines if line.strip()]
    if not rows:
        raise CorpusError(f"{path}: no rows")
    return rows


def _row(path: Path, number: int, line: str) -> Example:
    try:
        row: Mapping[str, Any] = json.loads(line)
        text, mood, sentiment = str(row["text"]), row.get("mood"), row.get("sentiment")
        intents, disservices = row.get("intents"), row.get("disservices")
    except (ValueError, KeyError, AttributeError) as error:
        raise CorpusError(f"{path} line {number}: not a row with a text ({error!r})") from error
    _check(path, number, [mood], MOODS)
    _check(path, number, [sentiment], SENTIMENTS)
    _check(path, number, intents, INTENTS)
    _check(path, number, disservices, DISSERVICES)
    return Example(
        text,
        str(row.get("source", path.stem)),
        (mood,) if mood else None,
        sentiment,
        None if intents is None else tuple(intents),
        disservices=None if disservices is None else tuple(disservices),
        row_id=str(row.get("id", number)),
    )


def _check(path: Path, number: int, labels: Sequence[str | None] | None, known: Sequence[str]) -> None:
    unknown = sorted({str(label) for label in labels or () if label is not None and label not in known})
    if unknown:
        raise CorpusError(f"{path} line {number}: unknown label {', '.join(unknown)}; known are {', '.join(known)}")


def classifier_guesses(
    classifier: Classifier, rows: Sequence[Example], progress: Callable[[int], None] | None = None
) -> Guesses:
    """Return what the release makes of the rows."""
    scores = classifier.score([row.text for row in rows], progress)
    return Guesses(
        np.array([score.mood for score in scores]),
        np.array([score.sentiment for score in scores]),
        _given([score.intent_labels for score in scores], INTENTS),
        _given([score.disservice_labels for score in scores], DISSERVICES),
    )


def majority_guesses(rows: Sequence[Example]) -> Guesses:
    """Return the commonest mood, sentiment and intent of the rows for every row: what knowing nothing gives."""
    moods = _shares([row.moods[0] for row in rows if row.moods], MOODS)
    sentiments = _shares([_sentiment(row) for row in rows], SENTIMENTS)
    named = [intent for row in rows for intent in row.intents or ()]
    intents = np.zeros((len(rows), len(INTENTS)), dtype=bool)
    if named:
        intents[:, int(np.argmax(_shares(named, INTENTS)))] = True
    none = np.zeros((len(rows), len(DISSERVICES)), dtype=bool)
    return Guesses(np.tile(moods, (len(rows), 1)), np.tile(sentiments, (len(rows), 1)), intents, none)


def vader_guesses(rows: Sequence[Example]) -> Guesses | None:
    """Return what VADER (Hutto 2014) makes of the rows, its compound score cut as they advise; None if absent."""
    try:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
    except ImportError:
        return None
    analyser = SentimentIntensityAnalyzer()
    compound = np.array([float(analyser.polarity_scores(row.text)["compound"]) for row in rows])
    mood = np.digitize(-compound, [-0.6, -0.05, 0.05, 0.6], right=True)
    sentiment = np.where(compound >= 0.05, 2, np.where(compound <= -0.05, 0, 1))
    none = np.zeros((len(rows), len(INTENTS)), dtype=bool)
    return Guesses(np.eye(5)[mood], np.eye(3)[sentiment], none, none[:, : len(DISSERVICES)])


def evaluate(rows: Sequence[Example], guesses: Guesses, *, slices: bool = True) -> Table:
    """Return every figure of the guesses on the rows, as plain JSON types; heads without any label are left out."""
    table: Table = {"rows": len(rows)}
    table |= _moods(rows, guesses) | _sentiments(rows, guesses)
    table |= _labels("intents", INTENTS, [row.intents for row in rows], guesses.intents)
    table |= _labels("disservices", DISSERVICES, [row.disservices for row in rows], guesses.disservices)
    if slices:
        table["slices"] = _slices(rows, guesses)
    return table


def _moods(rows: Sequence[Example], guesses: Guesses) -> Table:
    chosen = [place for place, row in enumerate(rows) if row.moods]
    truth = metrics.places([rows[place].moods[0] for place in chosen], MOODS)  # type: ignore[index]
    return {"mood": _ordered(truth, guesses.mood[chosen], MOODS)} if chosen else {}


def _sentiments(rows: Sequence[Example], guesses: Guesses) -> Table:
    chosen = [place for place, row in enumerate(rows) if _sentiment(row)]
    truth = metrics.places([_sentiment(rows[place]) for place in chosen], SENTIMENTS)
    return {"sentiment": _ordered(truth, guesses.sentiment[chosen], SENTIMENTS)} if chosen else {}


def _sentiment(row: Example) -> str:
    return row.sentiment or (SENTIMENT_OF_MOOD[row.moods[0]] if row.moods else "")


def _ordered(truth: metrics.Ints, probabilities: Array, order: Sequence[str]) -> Table:
    guess = probabilities.argmax(axis=1)
    table = metrics.confusion(truth, guess, len(order))

    def again(figure: Callable[[Array], float]) -> list[float]:
        low, high = metrics.interval(
            lambda rows: figure(metrics.confusion(truth[rows], guess[rows], len(order))), len(truth)
        )
        return [round(low, 4), round(high, 4)]

    return {
        "rows": len(truth),
        "accuracy": round(metrics.accuracy(table), 4),
        "macro_f1": round(metrics.macro_f1(table), 4),
        "macro_f1_interval": again(metrics.macro_f1),
        "macro_recall": round(metrics.macro_recall(table), 4),
        "macro_recall_interval": again(metrics.macro_recall),
        "quadratic_kappa": round(metrics.quadratic_kappa(table), 4),
        "quadratic_kappa_interval": again(metrics.quadratic_kappa),
        "macro_absolute_error": round(metrics.macro_absolute_error(table), 4),
        "calibration_error": round(metrics.calibration_error(probabilities, truth), 4),
        "reliability": [[round(value, 4) for value in point] for point in metrics.reliability(probabilities, truth)],
        "confusion": {
            name: dict(zip(order, map(int, row), strict=True)) for name, row in zip(order, table, strict=True)
        },
    }


def _labels(head: str, order: Sequence[str], truths: Sequence[tuple[str, ...] | None], guess: Bools) -> Table:
    chosen = [place for place, labels in enumerate(truths) if labels is not None]
    truth, guess = _given([truths[place] or () for place in chosen], order), guess[chosen]
    if not truth.any():
        return {}
    low, high = metrics.interval(lambda rows: metrics.macro_label_f1(truth[rows], guess[rows]), len(chosen))
    each = np.nan_to_num(metrics.label_f1(truth, guess))
    return {
        head: {
            "rows": len(chosen),
            "macro_f1": round(metrics.macro_label_f1(truth, guess), 4),
            "macro_f1_interval": [round(low, 4), round(high, 4)],
            "labels": {
                label: {"f1": round(float(f1), 4), "rows": int(count)}
                for label, f1, count in zip(order, each, truth.sum(0), strict=True)
            },
        }
    }


def _slices(rows: Sequence[Example], guesses: Guesses) -> Table:
    words = [len(row.text.split()) for row in rows]
    groups = {f"source {name}": [row.source == name for row in rows] for name in sorted({row.source for row in rows})}
    groups |= {name: [low <= count <= high for count in words] for name, (low, high) in LENGTHS.items()}
    return {name: _slice(rows, guesses, np.flatnonzero(chosen)) for name, chosen in groups.items() if any(chosen)}


def _slice(rows: Sequence[Example], guesses: Guesses, places: metrics.Ints) -> Table:
    part = Guesses(
        guesses.mood[places], guesses.sentiment[places], guesses.intents[places], guesses.disservices[places]
    )
    table = evaluate([rows[place] for place in places], part, slices=False)
    figures = {
        "mood": ("quadratic_kappa", "macro_f1"),
        "sentiment": ("macro_recall",),
        "intents": ("macro_f1",),
        "disservices": ("macro_f1",),
    }
    return {"rows": len(places)} | {
        f"{head} {figure}": table[head][figure] for head, names in figures.items() if head in table for figure in names
    }


def _given(labels: Sequence[Sequence[str]], order: Sequence[str]) -> Bools:
    return np.array([[label in given for label in order] for given in labels], dtype=bool).reshape(-1, len(order))


def _shares(labels: Sequence[str], order: Sequence[str]) -> Array:
    counts = np.array([labels.count(label) for label in order], dtype=float)
    return cast(Array, counts / max(counts.sum(), 1))


def compare(classifier: Classifier, rows: Sequence[Example], progress: Callable[[int, int], None]) -> Table:
    """Return the figures of a release, of VADER (where it is installed) and of the commonest label on the same rows."""
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        progress(done, len(rows))

    result: Table = {"release": evaluate(rows, classifier_guesses(classifier, rows, advance))}
    vader = vader_guesses(rows)
    if vader is not None:
        result["vader"] = evaluate(rows, vader, slices=False)
    result["majority"] = evaluate(rows, majority_guesses(rows), slices=False)
    return result


FIGURES: Final = {
    "mood": ("quadratic_kappa", "macro_f1", "macro_absolute_error", "calibration_error"),
    "sentiment": ("macro_recall", "macro_f1", "calibration_error"),
    "intents": ("macro_f1",),
    "disservices": ("macro_f1",),
}
"""The figures that a summary shows of each head."""


def summary(result: Table) -> list[dict[str, object]]:
    """Return one row a figure and one column a system of what :func:`compare` gives; then one row a slice."""
    heads = [(head, figure) for head, names in FIGURES.items() if head in result["release"] for figure in names]
    rows: list[dict[str, object]] = []
    for head, figure in heads:
        row: dict[str, object] = {"figure": f"{head}: {figure.replace('_', ' ')}"}
        for system, table in result.items():
            guessable = head not in ("intents", "disservices") or system != "vader"
            row[system] = f"{table[head][figure]:.3f}" if head in table and guessable else ""
        low_high = result["release"][head].get(f"{figure}_interval")
        row["95 % interval"] = f"{low_high[0]:.3f} to {low_high[1]:.3f}" if low_high else ""
        rows.append(row)
    return rows
