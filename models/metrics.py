"""The figures that judge a classifier, in plain numpy. Every function is pure.

Kappa: Cohen 1968, quadratic weights. Macro mean absolute error: Baccianella 2009, as SemEval-2017 task 4 C uses it.
Calibration error: Naeini 2015, equal-width bins of the winning probability.
"""

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def confusion(truth: Ints, guess: Ints, classes: int) -> Array:
    """Return the table of counts, truth down, guess across."""
    table = np.zeros((classes, classes))
    np.add.at(table, (truth, guess), 1)
    return table


def accuracy(table: Array) -> float:
    """Return the share on the diagonal of a confusion table."""
    return float(np.trace(table) / max(table.sum(), 1))


def macro_f1(table: Array) -> float:
    """Return the mean F1 over classes that occur."""
    occurring = table.sum(1) > 0
    return float(np.mean((2 * np.diag(table) / np.maximum(table.sum(0) + table.sum(1), 1))[occurring]))


def macro_recall(table: Array) -> float:
    """Return the mean recall over classes that occur."""
    occurring = table.sum(1) > 0
    return float(np.mean((np.diag(table) / np.maximum(table.sum(1), 1))[occurring]))


def quadratic_kappa(table: Array) -> float:
    """Return Cohen's kappa with squared distances as weights: 1 is agreement, 0 is chance."""
    places = np.arange(len(table))
    weights = (places[:, None] - places[None, :]) ** 2
    chance = np.outer(table.sum(1), table.sum(0)) / max(table.sum(), 1)
    expected = float((weights * chance).sum())
    return 1.0 if expected == 0 else 1 - float((weights * table).sum()) / expected


def macro_absolute_error(table: Array) -> float:
    """Return the distance between truth and guess in steps, averaged within each class and then over classes."""
    places = np.arange(len(table))
    distance = np.abs(places[:, None] - places[None, :])
    occurring = table.sum(1) > 0
    return float(np.mean(((table * distance).sum(1) / np.maximum(table.sum(1), 1))[occurring]))


def calibration_error(probabilities: Array, truth: Ints, bins: int = 15) -> float:
    """Return how far the winning probability is from the share of hits, weighted by the rows in each bin."""
    return float(sum(abs(sure - hits) * share for sure, hits, share in reliability(probabilities, truth, bins)))


def reliability(probabilities: Array, truth: Ints, bins: int = 15) -> list[tuple[float, float, float]]:
    """Return (mean winning probability, share of hits, share of rows) for each bin that holds rows."""
    sure = probabilities.max(axis=1)
    hit = probabilities.argmax(axis=1) == truth
    place = np.minimum((sure * bins).astype(int), bins - 1)
    chosen = [place == one for one in range(bins)]
    return [(float(sure[rows].mean()), float(hit[rows].mean()), float(rows.mean())) for rows in chosen if rows.any()]


def label_f1(truth: npt.NDArray[np.bool_], guess: npt.NDArray[np.bool_]) -> Array:
    """Return F1 for each label (column); NaN where a label occurs neither in truth nor in guess."""
    hits = (truth & guess).sum(0)
    total = truth.sum(0) + guess.sum(0)
    return cast(Array, np.where(total > 0, 2 * hits / np.maximum(total, 1), np.nan))


def macro_label_f1(truth: npt.NDArray[np.bool_], guess: npt.NDArray[np.bool_]) -> float:
    """Return the mean F1 over labels that occur in truth."""
    return float(np.mean(np.nan_to_num(label_f1(truth, guess))[truth.any(0)])) if truth.any() else float("nan")


def interval(figure: Callable[[Ints], float], rows: int, seed: int = 0, draws: int = 300) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of ``figure``, which is given row numbers drawn with replacement.

    Draws in which the figure is not defined (NaN) are passed over.
    """
    generator = np.random.default_rng(seed)
    values = np.array([figure(generator.integers(0, rows, rows)) for _ in range(draws)])
    low, high = np.quantile(values[~np.isnan(values)], [0.025, 0.975])
    return float(low), float(high)


def places(labels: Sequence[str], order: Sequence[str]) -> Ints:
    """Return the position of each label in ``order``."""
    return np.array([order.index(label) for label in labels], dtype=np.int64)
