"""Fit the mood model to labelled or star-rated sequences, and hold it against simple averages.

What is fitted and what is not. From sequences of people who wrote again one can learn how mood moves, how words and
stars follow from it, and how much a second turn of one contact adds. One cannot learn from them who left: there is no
public set of real customer text with real churn. The hazards of leaving, the arrival rates, the classes of pace and the
effect of a stated departure are therefore priors, chosen so that a company whose customers write every one to four
weeks is served sensibly (``prior_parameters``); the file says so.

The data sets live on different clocks and in different climates (tweets minutes apart and mostly angry, reviews years
apart and mostly delighted). They share how moods move and speak; each has a starting distribution and a tilt between
the ways up and down of its own, which are not shipped.

The objective is the one-step-ahead log loss plus Gaussian penalties on logarithms, minimised by Fisher scoring.
"""

import argparse
import csv
import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from pipeline.errors import SourceError
from pipeline.mood_model import (
    GONE,
    LIVE,
    SHIPPED,
    Course,
    Flags,
    Floats,
    Integers,
    MoodFilter,
    Parameters,
    generator_of,
    ladder_emission,
    run_filter,
)

SENTIMENT_OF_MOOD: Final = np.array([[0, 0, 1.0], [0, 0, 1.0], [0, 1.0, 0], [1.0, 0, 0], [1.0, 0, 0]])
"""Rows are the five moods; columns negative, neutral, positive."""
Report: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """What customers said in time, already judged: rows sorted by customer, then time.

    ``scale`` says what ``outcomes`` are codes of: ``mood`` (5), ``sentiment`` (3, negative first) or ``rating``
    (5, one star first).
    """

    name: str
    scale: str
    customers: tuple[str, ...]
    """Keys of the customers, sorted."""
    codes: Integers
    """N, the customer of each row."""
    days: Floats
    """N, in days since 1970, UTC."""
    outcomes: Integers
    """N."""

    @classmethod
    def of(cls, name: str, scale: str, rows: Iterable[tuple[str, float, int]]) -> "Sequences":
        """Sort rows of (customer, days, outcome); equal times keep their order."""
        ordered = sorted(rows, key=lambda row: row[:2])
        keys = tuple(sorted({key for key, _, _ in ordered}))
        number = {key: code for code, key in enumerate(keys)}
        codes = np.array([number[key] for key, _, _ in ordered], dtype=np.int64)
        days = np.array([day for _, day, _ in ordered], dtype=np.float64)
        return cls(name, scale, keys, codes, days, np.array([outcome for *_, outcome in ordered], dtype=np.int64))

    @property
    def kinds(self) -> int:
        """How many outcomes the scale has."""
        return 3 if self.scale == "sentiment" else 5

    def chosen(self, keep: Callable[[str], bool]) -> "Sequences":
        """Return the customers whose key ``keep`` accepts."""
        wanted = np.array([keep(key) for key in self.customers], dtype=bool)
        rows = wanted[self.codes]
        codes = (np.cumsum(wanted) - 1)[self.codes[rows]]
        keys = tuple(key for key, here in zip(self.customers, wanted, strict=True) if here)
        return replace(self, customers=keys, codes=codes, days=self.days[rows], outcomes=self.outcomes[rows])

    def halves(self) -> tuple["Sequences", "Sequences"]:
        """Split customers in two by a hash of their key: (to fit, held out)."""
        return self.chosen(lambda key: _even(key)), self.chosen(lambda key: not _even(key))

    def course(self, parameters: Parameters) -> Course:
        """Return the rows as the filter walks them."""
        return Course.of(self.codes, self.days, np.full(len(self.codes), -1), parameters)


def _even(key: str) -> bool:
    return hashlib.sha256(key.encode()).digest()[0] % 2 == 0


def outcome_shares(parameters: Parameters, scale: str) -> Floats:
    """Return 6xC, the share of each outcome of ``scale`` in what a customer in each state writes."""
    if scale == "rating":
        return parameters.rating_emission
    return parameters.emission if scale == "mood" else parameters.emission @ SENTIMENT_OF_MOOD


def foresee(sequences: Sequences, parameters: Parameters, course: Course | None = None) -> Floats:
    """Return (N, C) probabilities of each row's outcome from what the same customer said before it, and when."""
    course = sequences.course(parameters) if course is None else course
    shares = outcome_shares(parameters, sequences.scale)
    likelihood = shares.T[sequences.outcomes]
    silent = np.zeros(len(sequences.codes))
    found = run_filter(MoodFilter(parameters), course, likelihood, silent, course.counts)
    return np.asarray(found.before @ shares)


def prior_parameters() -> Parameters:
    """Return what is believed before any data: a support company whose customers write every one to four weeks.

    Delighted and contented customers seldom leave and write seldom; the angry write often and leave soon.
    """
    places = np.arange(LIVE, dtype=np.float64)
    down, up = 1 / np.array([60.0, 150.0, 120.0, 100.0]), 1 / np.array([200.0, 70.0, 120.0, 120.0])
    return Parameters(
        generator=generator_of(down, up, np.array([0.0001, 0.0002, 0.0012, 0.012, 0.03])),
        arrivals=np.array([0.03, 0.025, 0.05, 0.12, 0.20, 0.0005]),
        return_to=np.array([0.05, 0.25, 0.5, 0.15, 0.05, 0.0]),
        initial=np.array([0.12, 0.40, 0.28, 0.15, 0.05, 0.0]),
        emission=ladder_emission(places, places, np.array([0.5, 1.2, 2.0, 1.4, 0.5])),
        rating_emission=ladder_emission(places, places, np.array([2.7, 1.6, 1.0, 0.6, 1.0]))[:, ::-1],
        leave_voiced=np.array([0.015, 0.02, 0.04, 0.09, 0.14, 0.14]),
        leave_usual=0.045,
        leave_at_once=np.array([0.02, 0.05, 0.10, 0.15, 0.20, 0.0]),
        message_prior=np.full(5, 0.2),
        paces=np.array([4.0, 1.0, 1 / 4, 1 / 16, 1 / 64]),
        pace_weights=np.array([0.2, 0.4, 0.25, 0.1, 0.05]),
        contact_gap=0.5,
        thread_gap=7.0,
        contact_days=10.0,
        contact_shock=0.1,
        turn_days=2.0,
        turn_memory=0.6,
        turn_weight=0.7,
        rated_text_weight=0.5,
    ).check()


_SHARED: Final[dict[str, tuple[int, float]]] = {
    "down": (LIVE - 1, 0.5),
    "up": (LIVE - 1, 0.5),
    "contact_days": (1, 1.0),
    "contact_shock": (1, 0.5),
    "turn_days": (1, 1.0),
    "turn_weight": (1, 1.0),
    "clarity": (LIVE - 1, 0.5),
    "popularity": (5, 1.0),
    "star_clarity": (LIVE - 1, 0.5),
    "star_popularity": (5, 1.0),
}
_OWN: Final[dict[str, tuple[int, float]]] = {"initial": (LIVE, 1.0), "tilt": (1, 0.7)}
"""Length and prior standard deviation of each deviation from the start (of logarithms; of a logit: turn_weight)."""
_SPOKEN: Final = {"rating": ("star_clarity", "star_popularity")}
_WORDS: Final = ("clarity", "popularity")


class _Vector:
    """The optimiser's vector: deviations from ``start``, shared and of each data set, in standard deviations."""

    def __init__(self, start: Parameters, sets: Sequence[Sequences]) -> None:
        self.start = start
        self.parts = dict(_SHARED) | {f"{name} {i}": part for i in range(len(sets)) for name, part in _OWN.items()}
        self.names = [name for name, (length, _) in self.parts.items() for _ in range(length)]
        self.touched = [[i for i, one in enumerate(sets) if _touches(name, i, one.scale)] for name in self.names]

    def read(self, vector: Floats) -> dict[str, Floats]:
        ends = np.cumsum([length for length, _ in self.parts.values()])[:-1]
        pieces = np.split(vector, ends)
        return {name: sd * piece for (name, (_, sd)), piece in zip(self.parts.items(), pieces, strict=True)}

    def parameters(self, vector: Floats, of_set: int | None = None) -> Parameters:
        """Return the shared model, as it ships, or the same in the climate of one data set."""
        start, read = self.start, self.read(vector)
        tilt = 0.0 if of_set is None else read[f"tilt {of_set}"][0]
        own = np.zeros(LIVE) if of_set is None else read[f"initial {of_set}"]
        steps = np.arange(LIVE - 1)
        down = start.generator[steps, steps + 1] * np.exp(read["down"] - tilt)
        up = start.generator[steps + 1, steps] * np.exp(read["up"] + tilt)
        initial = start.initial * np.exp(np.append(own, 0.0))
        return replace(
            start,
            generator=generator_of(down, up, start.generator[:LIVE, GONE]),
            initial=initial / initial.sum(),
            contact_days=float(start.contact_days * np.exp(read["contact_days"][0])),
            contact_shock=_shifted(start.contact_shock, read["contact_shock"]),
            turn_days=float(start.turn_days * np.exp(read["turn_days"][0])),
            turn_weight=_shifted(start.turn_weight, read["turn_weight"]),
            emission=_deformed(start.emission, read["clarity"], read["popularity"]),
            rating_emission=_deformed(start.rating_emission, read["star_clarity"], read["star_popularity"]),
        )


def _shifted(share: float, logit: Floats) -> float:
    odds = share / (1 - share) * float(np.exp(logit[0]))
    return odds / (1 + odds)


def _touches(name: str, i: int, scale: str) -> bool:
    if name in _SPOKEN["rating"] + _WORDS:
        return name in _SPOKEN.get(scale, _WORDS)
    return " " not in name or name.endswith(f" {i}")


def _deformed(emission: Floats, clarity: Floats, popularity: Floats) -> Floats:
    """Return ``emission`` with each step between states ``exp(clarity)`` times as clear and outcomes made more common.

    Log-ratios of neighbouring rows keep their sign and order, so total positivity is kept.
    """
    ratios = np.diff(np.log(emission[:LIVE]), axis=0) * np.exp(clarity)[:, None]
    rows = np.cumsum(np.vstack([np.log(emission[:1]), ratios]), axis=0) + popularity
    shares = np.exp(rows - rows.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    return np.vstack([shares, shares[-1:]])


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """What a fit found."""

    parameters: Parameters
    """Shared by all data sets, in the climate of ``start``: what ships."""
    local: tuple[Parameters, ...]
    """The same in the climate of each data set."""
    objective: float
    iterations: int


def fit(
    sequences: Sequence[Sequences], start: Parameters, iterations: int = 25, say: Callable[[str], object] = str
) -> Fit:
    """Minimise the one-step-ahead log loss plus the penalty of straying from ``start``.

    Scoring with the outer product of customers' gradients as the Hessian (Berndt, Hall, Hall and Hausman 1974) and a
    halving line search; it stops when a step gains less than 0.05 nats. Half a minute for ten thousand rows on one
    idle core; deterministic. ``say`` hears of each step.
    """
    problem = _Problem(sequences, start)
    point = np.zeros(len(problem.vector.names))
    value, done = problem.value(point), 0
    while done < iterations:
        done += 1
        slope, curvature = problem.slope(point)
        step: Floats = -np.linalg.solve(curvature, slope).astype(np.float64)
        moved, reached = problem.descend(point, value, step)
        gained, point, value = value - reached, moved, reached
        say(f"step {done}: objective {value:.2f} nats")
        if gained < _ENOUGH:
            break
    local = tuple(problem.vector.parameters(point, i).check() for i in range(len(sequences)))
    return Fit(problem.vector.parameters(point).check(), local, value, done)


_ENOUGH: Final = 0.05


class _Problem:
    """The objective in the optimiser's coordinates; the penalty is half the squared length of the vector."""

    def __init__(self, sequences: Sequence[Sequences], start: Parameters) -> None:
        self.sequences = sequences
        self.vector = _Vector(start, sequences)
        self._courses = [one.course(start) for one in sequences]

    def _losses(self, point: Floats, i: int) -> Floats:
        """Return the log loss of each customer of data set ``i``."""
        one, parameters = self.sequences[i], self.vector.parameters(point, i)
        losses = _losses(one, foresee(one, parameters, self._courses[i]))
        return np.bincount(one.codes, losses).astype(np.float64)

    def value(self, point: Floats) -> float:
        fitted = sum(float(self._losses(point, i).sum()) for i in range(len(self.sequences)))
        return fitted + 0.5 * float(point @ point)

    def slope(self, point: Floats) -> tuple[Floats, Floats]:
        """Return the gradient and the approximate Hessian, by forward differences customer by customer."""
        slope, curvature = point.copy(), np.eye(len(point))
        for i, one in enumerate(self.sequences):
            here, scores = self._losses(point, i), np.zeros((len(one.customers), len(point)))
            for j in (j for j, touched in enumerate(self.vector.touched) if i in touched):
                moved = point.copy()
                moved[j] += _NUDGE
                scores[:, j] = (self._losses(moved, i) - here) / _NUDGE
            slope, curvature = slope + scores.sum(0), curvature + scores.T @ scores
        return slope, curvature

    def descend(self, point: Floats, value: float, step: Floats) -> tuple[Floats, float]:
        """Return the first of the full, half, quarter … step that lowers the objective, else the point itself."""
        for halving in range(8):
            moved = point + step / 2**halving
            reached = self.value(moved)
            if reached < value:
                return moved, reached
        return point, value


_NUDGE: Final = 1e-5


def _losses(sequences: Sequences, foreseen: Floats) -> Floats:
    chance = foreseen[np.arange(len(foreseen)), sequences.outcomes]
    return np.asarray(-np.log(np.maximum(chance, 1e-12)))


# ---- held against simple averages ---------------------------------------------------------------------------------


def evaluate(held_out: Sequences, parameters: Parameters, seen: Sequences, draws: int = 2000) -> Report:
    """Return one-step-ahead log losses, in nats a step, on customers that were not fitted.

    Steps are the messages after a customer's first. The baselines are tuned on ``seen``, the customers fitted to: the
    prior; the last value, the mean of all values so far (Dirichlet) and the exponential mean, each with the best weight
    of the prior, the last also with the best half-life in messages or days. ``interval`` holds 95 % of a customer
    bootstrap of the difference to the best baseline (negative: the model is better).
    """
    steps = _later(held_out)
    losses = {"model": _losses(held_out, foresee(held_out, parameters))[steps]}
    losses |= {name: _losses(held_out, guess)[steps] for name, guess in _baselines(held_out, seen).items()}
    means = {name: round(float(loss.mean()), 4) for name, loss in losses.items()}
    best = min((name for name in losses if name != "model"), key=lambda name: float(losses[name].mean()))
    difference = losses["model"] - losses[best]
    low, high = _bootstrap(difference, held_out.codes[steps], draws)
    return {
        "customers": len(np.unique(held_out.codes[steps])),
        "steps": int(steps.sum()),
        "log_loss": means.pop("model"),
        "baselines": means,
        "best_baseline": best,
        "difference": round(float(difference.mean()), 4),
        "interval": [round(low, 4), round(high, 4)],
    }


def _later(sequences: Sequences) -> Flags:
    return np.asarray(np.diff(sequences.codes, prepend=-1) == 0)


def _bootstrap(difference: Floats, customers: Integers, draws: int) -> tuple[float, float]:
    _, codes = np.unique(customers, return_inverse=True)
    sums, counts = np.bincount(codes, difference), np.bincount(codes)
    chosen = np.random.default_rng(0).integers(0, len(counts), (draws, len(counts)))
    means = sums[chosen].sum(1) / counts[chosen].sum(1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


_WEIGHTS: Final = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0)
_HALF_LIVES: Final = {
    "messages": (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0),
    "days": (0.05, 0.5, 2.0, 10.0, 50.0, 300.0, 2000.0),
}


def _baselines(held_out: Sequences, seen: Sequences) -> dict[str, Floats]:
    counts = np.bincount(seen.outcomes, minlength=seen.kinds) + 0.5
    prior = counts / counts.sum()
    fading = [(life, unit) for unit, lives in _HALF_LIVES.items() for life in lives]
    candidates = {"last_value": [(1e-3, "messages")], "dirichlet_mean": [(1e9, "messages")], "exponential_mean": fading}
    guesses = {"prior": np.tile(prior, (len(held_out.codes), 1))}
    for name, lives in candidates.items():
        tuned = min(
            (_mean_loss(seen, _tally(seen, *life), prior, weight), weight, life)
            for life in lives
            for weight in _WEIGHTS
        )
        guesses[name] = _mixed(_tally(held_out, *tuned[2]), prior, tuned[1])
    return guesses


def _mean_loss(sequences: Sequences, tally: Floats, prior: Floats, weight: float) -> float:
    return float(_losses(sequences, _mixed(tally, prior, weight))[_later(sequences)].mean())


def _mixed(tally: Floats, prior: Floats, weight: float) -> Floats:
    return np.asarray((tally + weight * prior) / (tally.sum(1, keepdims=True) + weight))


def _tally(sequences: Sequences, half_life: float, unit: str) -> Floats:
    """Return (N, C) counts of each customer's earlier outcomes, halved every ``half_life`` messages or days."""
    tally, later = np.zeros((len(sequences.codes), sequences.kinds)), _later(sequences)
    gaps = np.diff(sequences.days, prepend=0.0) if unit == "days" else np.ones(len(sequences.codes))
    for row in np.flatnonzero(later):
        tally[row] = tally[row - 1] * 0.5 ** (gaps[row] / half_life)
        tally[row, sequences.outcomes[row - 1]] += 1.0
    return tally


# ---- the shared data sets -----------------------------------------------------------------------------------------

_SENTIMENT_CODES: Final = {"negative": 0, "neutral": 1, "positive": 2}


def read_airline(path: Path) -> Sequences:
    """Read ``Tweets.csv``: sentiment of customers' tweets, newest first in the file; copies of a row count once."""
    with _open(path) as lines:
        rows = {(row["name"], row["tweet_created"], row["text"]): row for row in csv.DictReader(lines)}
    return Sequences.of("airline", "sentiment", reversed([_airline_row(row) for row in rows.values()]))


def _airline_row(row: dict[str, str]) -> tuple[str, float, int]:
    at = datetime.strptime(row["tweet_created"], "%d-%m-%Y %H.%M").replace(tzinfo=UTC)
    return row["name"], at.timestamp() / 86_400, _SENTIMENT_CODES[row["airline_sentiment"]]


def read_amazon(folder: Path) -> Sequences:
    """Read ``*_5.json``: stars that reviewers gave; one text of one reviewer counts once, however many products."""
    rows: dict[tuple[str, str], tuple[str, float, int]] = {}
    for path in sorted(folder.glob("*_5.json")):
        for review in _json_lines(path):
            key = (review["reviewerID"], review.get("reviewText", ""))
            rows.setdefault(key, (key[0], review["unixReviewTime"] / 86_400, int(review["overall"]) - 1))
    return Sequences.of("amazon", "rating", rows.values())


def read_amazon2023(path: Path) -> Sequences:
    """Read ``training.jsonl``: four stars of each reviewer within one category."""
    people = ((f"{one['user_id']} {one['category']}", one["history"]) for one in _json_lines(path))
    rows = [
        (key, review["timestamp_ms"] / 86_400_000, int(review["rating"]) - 1) for key, all_ in people for review in all_
    ]
    return Sequences.of("amazon2023", "rating", rows)


def _open(path: Path) -> Any:  # noqa: ANN401
    if not path.exists():
        raise SourceError(f"{path} is not there; --shared should name the folder that holds airline and amazon_5core")
    return path.open(encoding="utf-8", errors="replace", newline="")


def _json_lines(path: Path) -> Iterable[dict[str, Any]]:
    with _open(path) as lines:
        yield from (json.loads(line) for line in lines)


def read_shared(folder: Path) -> list[Sequences]:
    """Read the three sets that the shipped model is fitted to.

    Raises:
        SourceError: a file is not there.
    """
    return [
        read_airline(folder / "airline" / "Tweets.csv"),
        read_amazon(folder / "amazon_5core"),
        read_amazon2023(folder / "amazon2023_user_histories" / "training.jsonl"),
    ]


_ABOUT: Final = {
    "made_by": "python -m pipeline.fit --shared DIR",
    "data": {
        "airline": "Twitter US Airline Sentiment, human labels, CC BY-NC-SA 4.0: its labels tuned figures, no text did",
        "amazon": "Amazon reviews 5-core (All Beauty, Gift Cards, Magazine Subscriptions), stars, one copy of a text",
        "amazon2023": "Amazon Reviews 2023 user histories, stars",
    },
    "fitted": "moves between moods, contact_days, contact_shock, turn_days, turn_weight, emission, rating_emission",
    "chosen": (
        "hazards of leaving, arrivals, paces, gaps, initial, return_to, turn_memory and all about stated departures "
        "are priors: there is no public set of real customer text with real churn"
    ),
    "held_out": "half of the customers by hash of their key, never fitted; each set in its own climate (initial, tilt)",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit the shipped model anew, write it, and print the held-out scores as JSON; progress goes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.fit", description=main.__doc__)
    parser.add_argument("--shared", type=Path, required=True, help="folder that holds airline, amazon_5core, …")
    parser.add_argument("--out", type=Path, default=SHIPPED, help="file to write (default: the shipped one)")
    parser.add_argument("--iterations", type=int, default=25, help="steps of the fit at most (default: 25)")
    chosen = parser.parse_args(arguments)
    halves = [one.halves() for one in read_shared(chosen.shared)]
    _say(f"fitting to {sum(len(seen.codes) for seen, _ in halves)} rows of {len(halves)} sets …")
    found = fit([seen for seen, _ in halves], prior_parameters(), chosen.iterations, _say)
    _say(f"objective {found.objective:.2f} nats after {found.iterations} steps; scoring held-out customers …")
    scores = {
        held_out.name: evaluate(held_out, local, seen)
        for (seen, held_out), local in zip(halves, found.local, strict=True)
    }
    replace(found.parameters, about=_ABOUT | {"scores": scores}).save(chosen.out)
    _say(f"wrote {chosen.out}")
    print(json.dumps(scores, indent=1))
    return 0


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
