"""The figures that judge a classifier, in plain numpy. Every function is pure.

Kappa: Cohen 1968, quadratic weights. Macro mean absolute error: Baccianella 2009, as SemEval-2017 task 4 C uses it.
Calibration error: Naeini 2015, equal-width bins of the winning probability. Average precision: the step-wise area
under precision and recall, without interpolation, as scikit-learn has it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Reliability = list[tuple[float, float, float]]
"""A point a bin that holds rows: mean probability, share of hits, share of rows."""


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


def balanced_decision(probabilities: Array) -> Ints:
    """Return for each row the class whose expected absolute error is least when every class counts alike.

    Each class weighs one over its mean probability over these rows: the share that the model itself expects of it, so
    that no truth is needed. It is the decision that :func:`macro_absolute_error` asks for.
    """
    share = probabilities.mean(axis=0)
    weighed = np.divide(probabilities, share, out=np.zeros_like(probabilities), where=share > 0)
    places = np.arange(probabilities.shape[1])
    distance = np.abs(places[:, None] - places[None, :])
    return cast(Ints, (weighed @ distance).argmin(axis=1))


def calibration_error(probabilities: Array, truth: Ints, bins: int = 15) -> float:
    """Return how far the winning probability is from the share of hits, weighted by the rows in each bin."""
    return curve_error(reliability(probabilities, truth, bins))


def curve_error(points: Reliability) -> float:
    """Return the calibration error of a reliability curve: the mean distance of its bins, weighted by their rows."""
    return float(sum(abs(sure - hits) * share for sure, hits, share in points))


def reliability(probabilities: Array, truth: Ints, bins: int = 15) -> Reliability:
    """Return the reliability curve of the winning class: whether it is right as often as it says."""
    return _curve(probabilities.max(axis=1), probabilities.argmax(axis=1) == truth, bins)


def label_reliability(chances: Array, truth: Bools, bins: int = 15) -> Reliability:
    """Return the reliability curve of independent labels, every row and label together."""
    return _curve(chances.ravel(), truth.ravel(), bins)


def _curve(sure: Array, hit: Bools, bins: int) -> Reliability:
    place = np.minimum((sure * bins).astype(int), bins - 1)
    rows = np.bincount(place, minlength=bins)
    held = rows > 0
    said, hits = (np.bincount(place, weights, bins)[held] / rows[held] for weights in (sure, hit))
    return list(zip(said.tolist(), hits.tolist(), (rows[held] / len(place)).tolist(), strict=True))


def label_precision(truth: Bools, guess: Bools) -> Array:
    """Return the share of each label's guesses (column) that are right; NaN for a label that is never guessed."""
    return _share((truth & guess).sum(0), guess.sum(0))


def label_recall(truth: Bools, guess: Bools) -> Array:
    """Return the share of each label's rows (column) that are found; NaN for a label that does not occur."""
    return _share((truth & guess).sum(0), truth.sum(0))


def label_f1(truth: Bools, guess: Bools) -> Array:
    """Return F1 for each label (column); NaN where a label occurs neither in truth nor in guess."""
    return _share(2 * (truth & guess).sum(0), truth.sum(0) + guess.sum(0))


def _share(part: Ints, whole: Ints) -> Array:
    return cast(Array, np.where(whole > 0, part / np.maximum(whole, 1), np.nan))


def macro_label_f1(truth: Bools, guess: Bools) -> float:
    """Return the mean F1 over labels that occur in truth; NaN where none does."""
    return over_occurring(label_f1(truth, guess), truth)


def over_occurring(figures: Array, truth: Bools) -> float:
    """Return the mean of a figure a label over labels that occur in truth, NaN counted as 0; NaN where none occurs."""
    return float(np.mean(np.nan_to_num(figures)[truth.any(0)])) if truth.any() else float("nan")


def micro_label_f1(truth: Bools, guess: Bools) -> float:
    """Return F1 over all rows and labels together: frequent labels count more."""
    return float(2 * (truth & guess).sum() / max(truth.sum() + guess.sum(), 1))


def exact_match(truth: Bools, guess: Bools) -> float:
    """Return the share of rows whose labels are guessed all and no others: the accuracy of a set of labels."""
    return float((truth == guess).all(axis=1).mean())


def average_precision(truth: Bools, chances: Array) -> Array:
    """Return for each label (column) its precision averaged over its recall; NaN for a label that does not occur.

    It judges the order that probabilities give, whatever the threshold. Equal probabilities come in together.
    """
    return np.array([_average_precision(*column) for column in zip(truth.T, chances.T, strict=True)])


def _average_precision(truth: Bools, chances: Array) -> float:
    if not truth.any():
        return float("nan")
    order = np.argsort(-chances, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(chances[order])), len(order) - 1)
    hits = truth[order].cumsum()[ends]
    recall = hits / hits[-1]
    return float((np.diff(recall, prepend=0.0) * hits / (ends + 1)).sum())


def intervals(
    figures: Callable[[Ints], Mapping[str, float]], rows: int, seed: int = 0, draws: int = 300
) -> dict[str, tuple[float, float]]:
    """Return the 95 % bootstrap interval of each figure; ``figures`` is given row numbers drawn with replacement.

    Draws in which a figure is not defined (NaN) are passed over.
    """
    generator = np.random.default_rng(seed)
    drawn = [figures(generator.integers(0, rows, rows)) for _ in range(draws)]
    return {name: _middle(np.array([one[name] for one in drawn])) for name in drawn[0]}


def _middle(values: Array) -> tuple[float, float]:
    low, high = np.quantile(values[~np.isnan(values)], [0.025, 0.975])
    return float(low), float(high)


def places(labels: Sequence[str], order: Sequence[str]) -> Ints:
    """Return the position of each label in ``order``."""
    return np.array([order.index(label) for label in labels], dtype=np.int64)
