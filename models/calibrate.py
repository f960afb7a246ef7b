"""Fit what turns scores into probabilities, and thresholds that decide labels, on rows that neither train nor judge.

Mood and sentiment: vector scaling (Guo 2017) with one scale for all classes. The sentiments of the tweets count alike,
since their shares in tweets are not those of support text; measured better on both. Labels: Platt's scaling, drawn
towards one common scale and shift so that a label with five examples does not fit noise. Thresholds: the best F1 of
each label, drawn towards the best common one likewise.
"""

from collections.abc import Sequence
from typing import Final, cast

import numpy as np
from scipy.optimize import minimize

from models import metrics
from models.classifier import Array, softmax
from models.corpora import Example
from models.guesses import LEVELS
from models.labels import DISSERVICES, INTENTS, MOODS, SENTIMENTS
from models.metrics import Bools
from models.release import Calibration

_PULL: Final = 20.0
"""Examples of a label at which its own best threshold and the common one weigh the same."""
_SHARPNESS: Final = 8.0
"""How much a row's share of a mood leans to the likeliest."""


def calibrate(
    labelled: Sequence[Example],
    scores: Array,
    tweets: Sequence[Example],
    tweet_scores: Array,
    topics: Sequence[Example],
    topic_scores: Array,
) -> Calibration:
    """Return the calibration that fits best.

    Args:
        labelled: Rows with mood, intents and dis-services.
        scores: Their raw scores, of shape (rows, 37).
        tweets: Rows with a sentiment.
        tweet_scores: Theirs.
        topics: Rows with a level.
        topic_scores: Theirs.
    """
    moods = metrics.places([row.moods[0] for row in labelled], MOODS)  # type: ignore[index]
    sentiments = metrics.places([row.sentiment or "" for row in tweets], SENTIMENTS)
    mood_scale, mood_shift = _vector_scaling(scores[:, :5], moods)
    sentiment_scale, sentiment_shift = _vector_scaling(tweet_scores[:, 5:8], sentiments, _balance(sentiments))
    truth = _truth(labelled)
    scales, shifts = _platt(scores[:, 8:], truth)
    probabilities = 1 / (1 + np.exp(-(scores[:, 8:] * scales + shifts)))
    split = len(INTENTS)
    thresholds = [*_thresholds(probabilities[:, :split], truth[:, :split])]
    thresholds += _thresholds(probabilities[:, split:], truth[:, split:])
    cut = _mood_cut(np.log(softmax(scores[:, :5] * mood_scale + mood_shift) + 1e-12), moods)
    levels = np.array([2 - (row.level or 0) for row in topics], dtype=np.int64)
    level_weight, level_shift = _logistic(topic_scores, levels)
    return Calibration(
        mood_scale,
        mood_shift,
        sentiment_scale,
        sentiment_shift,
        scales.tolist(),
        shifts.tolist(),
        thresholds,
        cut,
        level_weight,
        level_shift,
    )


def _truth(rows: Sequence[Example]) -> Bools:
    return np.array(
        [
            [label in (row.intents or ()) for label in INTENTS]
            + [label in (row.disservices or ()) for label in DISSERVICES]
            for row in rows
        ],
        dtype=bool,
    )


def _balance(truth: metrics.Ints) -> Array:
    """Return weights by which every class counts alike."""
    return 1.0 / np.bincount(truth)[truth]


def _vector_scaling(scores: Array, truth: metrics.Ints, weights: Array | None = None) -> tuple[float, list[float]]:
    def loss(parameters: Array) -> float:
        probabilities = softmax(scores * np.exp(parameters[0]) + parameters[1:])
        likely = np.average(np.log(probabilities[np.arange(len(truth)), truth] + 1e-12), weights=weights)
        return float(-likely + 0.002 * (parameters[1:] ** 2).sum())

    best = minimize(loss, np.zeros(scores.shape[1] + 1), method="L-BFGS-B").x
    return float(np.exp(best[0])), [float(shift) for shift in best[1:]]


def _mood_cut(logs: Array, truth: metrics.Ints) -> list[float]:
    """Return what to add to each mood's log-probability so that naming the greatest gives the best kappa and F1.

    Both are made smooth by letting each row name moods in shares; the cut is drawn towards none.
    """

    def loss(cut: Array) -> float:
        table = np.zeros((len(MOODS), len(MOODS)))
        np.add.at(table, truth, softmax(_SHARPNESS * (logs + cut)))
        return 0.1 * float((cut**2).sum()) - metrics.macro_f1(table) - metrics.quadratic_kappa(table)

    best = minimize(loss, np.zeros(len(MOODS)), method="Nelder-Mead", options={"maxiter": 2000}).x
    return [float(value) for value in best]


def _logistic(scores: Array, truth: metrics.Ints) -> tuple[list[list[float]], list[float]]:
    """Return weight (scores by levels) and shift of a multinomial logistic regression in which levels count alike."""
    width, weights = scores.shape[1], _balance(truth) * len(truth) / len(LEVELS)

    def loss(parameters: Array) -> tuple[float, Array]:
        weight, shift = parameters[:-5].reshape(width, 5), parameters[-5:]
        chances = softmax(scores @ weight + shift)
        lost = -(weights * np.log(chances[np.arange(len(truth)), truth] + 1e-12)).sum() + (weight**2).sum()
        slope = weights[:, None] * (chances - np.eye(5)[truth])
        return float(lost), np.concatenate([(scores.T @ slope + 2 * weight).ravel(), slope.sum(0)])

    best = minimize(loss, np.zeros(5 * width + 5), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    return best[:-5].reshape(width, 5).round(5).tolist(), best[-5:].round(5).tolist()


def _platt(scores: Array, truth: Bools) -> tuple[Array, Array]:
    common = _platt_fit(scores.ravel(), truth.ravel(), np.zeros(2), 0.0)
    pairs = np.array([_platt_fit(scores[:, k], truth[:, k], common, 3.0) for k in range(scores.shape[1])])
    return np.exp(pairs[:, 0]), pairs[:, 1]


def _platt_fit(scores: Array, truth: Bools, towards: Array, pull: float) -> Array:
    sign = np.where(truth, 1.0, -1.0)

    def loss(parameters: Array) -> float:
        margin = sign * (scores * np.exp(parameters[0]) + parameters[1])
        return float(np.logaddexp(0, -margin).sum() + pull * ((parameters - towards) ** 2).sum())

    return cast(Array, minimize(loss, towards, method="L-BFGS-B").x)


def _thresholds(probabilities: Array, truth: Bools) -> list[float]:
    grid = np.linspace(0.1, 0.9, 81)
    f1 = np.array([np.nan_to_num(metrics.label_f1(truth, probabilities >= cut)) for cut in grid])
    common = grid[int(np.argmax(f1[:, truth.any(0)].mean(axis=1)))]
    counts = truth.sum(0)
    best = grid[np.argmax(_smooth(f1), axis=0)]
    return [float(value) for value in (counts * best + _PULL * common) / (counts + _PULL)]


def _smooth(f1: Array) -> Array:
    kernel = np.ones(9) / 9
    return np.apply_along_axis(lambda column: np.convolve(np.pad(column, 4, mode="edge"), kernel, "valid"), 0, f1)
