"""How well scores rank the rows that came true: ROC, average precision, rates at stated recalls. Ties share a place."""

import numpy as np

from pipeline.mood_model import Flags, Floats


def roc_auc(scores: Floats, came: Flags) -> float:
    """Return the chance that a row that came true scores above one that did not, ties half; nan without either."""
    caught, alarms = _caught(scores, came)
    return float(np.trapezoid(caught / caught[-1], alarms / alarms[-1])) if caught[-1] and alarms[-1] else float("nan")


def average_precision(scores: Floats, came: Flags) -> float:
    """Return the mean precision at the thresholds that just find each row that came true; nan without any."""
    caught, alarms = _caught(scores, came)
    if not caught[-1]:
        return float("nan")
    return float((np.diff(caught) * caught[1:] / (caught[1:] + alarms[1:])).sum() / caught[-1])


def at_recall(scores: Floats, came: Flags, recall: float) -> tuple[float, float]:
    """Return (precision, false-positive rate) where ``recall`` of what came true is found; ties are drawn by lot."""
    caught, alarms = _caught(scores, came)
    if not caught[-1] or not alarms[-1]:
        return float("nan"), float("nan")
    true = recall * float(caught[-1])
    place = max(int(np.searchsorted(caught, true)), 1)
    false = float(np.interp(true, caught[place - 1 : place + 1], alarms[place - 1 : place + 1]))
    return true / (true + false), false / float(alarms[-1])


def threshold_at(scores: Floats, came: Flags, recall: float) -> float:
    """Return the highest score at or above which at least ``recall`` of what came true lies."""
    found = np.sort(scores[came])[::-1]
    return float(found[max(int(np.ceil(recall * len(found))) - 1, 0)]) if len(found) else float("nan")


def _caught(scores: Floats, came: Flags) -> tuple[Floats, Floats]:
    """Return how many rows came true, and how many did not, at or above each distinct score, from 0 to all."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1) if len(order) else np.array([], dtype=int)
    caught, alarms = (np.append(0.0, np.cumsum(side[order])[ends]) for side in (came, ~came))
    return caught, alarms
