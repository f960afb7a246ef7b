"""Simple averages that the mood model must beat, and what every forecast of the next message is scored by."""

from typing import Any, Final, TypeAlias

import numpy as np

from pipeline.likelihood import foresee
from pipeline.mood_model import Floats, Integers, Parameters
from pipeline.sequences import Sequences

Report: TypeAlias = dict[str, Any]


def log_losses(sequences: Sequences, foreseen: Floats) -> Floats:
    """Return (N) the log loss in nats of each row, given (N, kinds) probabilities."""
    chance = foreseen[np.arange(len(foreseen)), sequences.outcomes]
    return np.asarray(-np.log(np.maximum(chance, 1e-12)))


def ranked_scores(sequences: Sequences, foreseen: Floats) -> Floats:
    """Return (N) ranked-probability scores: squared distance of the cumulative forecast from what came.

    Outcomes are ordered, so a forecast of 4 stars is nearer to 5 than one of 1 is (Epstein 1969, "A scoring system for
    probability forecasts of ranked categories"); summed over the thresholds between outcomes, 0 is best.
    """
    came = np.eye(sequences.kinds)[sequences.outcomes]
    return np.asarray((np.cumsum(foreseen - came, axis=1)[:, :-1] ** 2).sum(1))


def evaluate(held_out: Sequences, parameters: Parameters, seen: Sequences, draws: int = 2000) -> Report:
    """Return one-step-ahead log losses, in nats a step, on customers that were not fitted.

    Steps are the messages after a customer's first. The baselines are tuned on ``seen``, the customers fitted to; see
    ``averages``. The rest is as in ``compare``.
    """
    return compare(held_out, foresee(held_out, parameters), averages(held_out, seen), draws)


def compare(held_out: Sequences, foreseen: Floats, guesses: dict[str, Floats], draws: int = 2000) -> Report:
    """Return the log loss of a forecast and of the guesses, in nats a step.

    ``interval`` holds 95 % of a bootstrap over customers of the difference to the best guess (negative: the forecast
    is better).
    """
    steps = held_out.later
    each = {name: log_losses(held_out, guess)[steps] for name, guess in guesses.items()}
    model = log_losses(held_out, foreseen)[steps]
    best = min(each, key=lambda name: float(each[name].mean()))
    difference = model - each[best]
    low, high = interval(difference, held_out.codes[steps], draws)
    return {
        "customers": len(np.unique(held_out.codes[steps])),
        "steps": int(steps.sum()),
        "log_loss": round(float(model.mean()), 4),
        "baselines": {name: round(float(loss.mean()), 4) for name, loss in each.items()},
        "best_baseline": best,
        "difference": round(float(difference.mean()), 4),
        "interval": [round(low, 4), round(high, 4)],
    }


def interval(values: Floats, customers: Integers, draws: int = 2000) -> tuple[float, float]:
    """Return what holds 95 % of the mean of ``values`` over bootstrap draws of whole customers."""
    _, codes = np.unique(customers, return_inverse=True)
    sums, counts = np.bincount(codes, values), np.bincount(codes)
    rng, means = np.random.default_rng(0), np.empty(draws)
    for draw in range(draws):
        chosen = np.bincount(rng.integers(0, len(counts), len(counts)), minlength=len(counts))
        means[draw] = (chosen @ sums) / (chosen @ counts)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


_WEIGHTS: Final = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0)
_HALF_LIVES: Final = {
    "messages": (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0),
    "days": (0.05, 0.5, 2.0, 10.0, 50.0, 300.0, 2000.0),
}


def averages(held_out: Sequences, seen: Sequences) -> dict[str, Floats]:
    """Return (N, kinds) guesses: prior, last value, mean of all values so far (Dirichlet), exponential mean.

    Tuned on ``seen``, other customers: all but the prior take the best weight of the prior, the last also the best
    half-life in messages or days.
    """
    counts = np.bincount(seen.outcomes, minlength=seen.kinds) + 0.5
    prior = counts / counts.sum()
    fading = [(life, unit) for unit, lives in _HALF_LIVES.items() for life in lives]
    candidates = {"last_value": [(1e-3, "messages")], "dirichlet_mean": [(1e9, "messages")], "exponential_mean": fading}
    guesses = {"prior": np.tile(prior, (len(held_out.codes), 1))}
    for name, lives in candidates.items():
        tuned = min(
            (_mean_loss(seen, tally, prior, weight), weight, life)
            for life in lives
            for tally in [_tally(seen, *life)]
            for weight in _WEIGHTS
        )
        guesses[name] = _mixed(_tally(held_out, *tuned[2]), prior, tuned[1])
    return guesses


def _mean_loss(sequences: Sequences, tally: Floats, prior: Floats, weight: float) -> float:
    return float(log_losses(sequences, _mixed(tally, prior, weight))[sequences.later].mean())


def _mixed(tally: Floats, prior: Floats, weight: float) -> Floats:
    return np.asarray((tally + weight * prior) / (tally.sum(1, keepdims=True) + weight))


def _tally(sequences: Sequences, half_life: float, unit: str) -> Floats:
    """Return (N, kinds) counts of each customer's earlier outcomes, halved every ``half_life`` messages or days."""
    tally = np.zeros((len(sequences.codes), sequences.kinds))
    gaps = np.diff(sequences.days, prepend=0.0) if unit == "days" else np.ones(len(sequences.codes))
    for rows in sequences.steps()[1:]:
        tally[rows] = tally[rows - 1] * 0.5 ** (gaps[rows, None] / half_life)
        tally[rows, sequences.outcomes[rows - 1]] += 1.0
    return tally
