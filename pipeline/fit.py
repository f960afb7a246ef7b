"""Fit the mood model by penalised maximum likelihood.

What is fitted and what is not. From sequences of people who wrote again one can learn how mood moves, how words and
stars follow from it, what of a message is habit, and how much a second turn of one contact adds. Where it is known
until when each customer was listened to (a company's own warehouse), silence and departures are data too, and arrivals
and hazards are fitted. The public sets know neither: there is no public set of real customer text with real churn, so
the hazards of leaving, the arrival rates, the classes of pace and the effect of a stated departure that ship are
priors, chosen so that a company whose customers write every one to four weeks is served sensibly
(``prior_parameters``); the file says so.

Data sets live on different clocks and in different climates (tweets minutes apart and mostly angry, reviews years apart
and mostly delighted). They share how moods move and speak; each has a starting distribution and a tilt between the ways
up and down of its own, which are not shipped.

The objective is the one-step-ahead log loss (and, where silence is known, that of the waits) plus Gaussian penalties on
logarithms: deviations from the start cost, so little data stays near it. It is minimised by L-BFGS (Liu and Nocedal
1989). The gradient walks the filter once forward and once backward (``pipeline.likelihood``); what a figure does to
propagators and likelihoods, row by row, is differenced, so a hundred figures cost no more walks than one.
"""

import argparse
import json
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.optimize import minimize

from models.classifier import Classifier
from models.labels import INTENTS, MOODS, SENTIMENTS
from models.release import Releases
from pipeline.baselines import evaluate
from pipeline.echo import READING
from pipeline.likelihood import Pieces, Walk, foresee
from pipeline.mood_model import (
    ECHO_FEATURES,
    GONE,
    LIVE,
    SHIPPED,
    Floats,
    Integers,
    Parameters,
    deformed,
    generator_of,
    ladder_emission,
)
from pipeline.redact import Redactor
from pipeline.sequences import (
    SENTIMENT_OF_MOOD,
    SETS,
    Read,
    Sequences,
    outcome_shares,
    read_airline,
    read_amazon,
    read_amazon2023,
    read_shared,
    reading_rows,
)

__all__ = [
    "SENTIMENT_OF_MOOD",
    "Fit",
    "Sequences",
    "evaluate",
    "fit",
    "foresee",
    "main",
    "outcome_shares",
    "prior_parameters",
    "read_airline",
    "read_amazon",
    "read_amazon2023",
    "read_shared",
]


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


_CLIMATE: Final[dict[str, tuple[int, float]]] = {"initial": (LIVE, 1.0), "tilt": (1, 0.7)}
"""Length and prior standard deviation of each deviation from the start that is one data set's own."""
_MOVES: Final[dict[str, tuple[int, float]]] = {
    "down": (LIVE - 1, 0.5),
    "up": (LIVE - 1, 0.5),
    "contact_days": (1, 1.0),
    "contact_shock": (1, 0.5),
    "turn_days": (1, 1.0),
}
_WAITS: Final[dict[str, tuple[int, float]]] = {"arrivals": (LIVE, 0.5), "pace": (1, 1.0), "hazards": (1, 0.7)}
_SAYS: Final[dict[str, tuple[int, float]]] = {"turn_weight": (1, 1.0), "text_weight": (1, 1.0)}
_WORDS: Final[dict[str, tuple[int, float]]] = {
    "clarity": (LIVE - 1, 0.5),
    "popularity": (5, 1.0),
    "echo": (2 * ECHO_FEATURES, 0.25),
    "habit": (2, 0.5),
}
_STARS: Final = {f"star_{name}": part for name, part in _WORDS.items()}
_SHARED: Final = _MOVES | _WAITS | _SAYS | _WORDS | _STARS
"""Of logarithms; of logits for contact_shock, turn_weight and text_weight; as they are for echo and habit."""


_NUDGE: Final = 1e-5


class _Vector:
    """The optimiser's vector: deviations from ``start``, shared and of each data set, in standard deviations."""

    def __init__(self, start: Parameters, sets: int) -> None:
        self.start = start
        self.parts = dict(_SHARED) | {f"{name} {i}": part for i in range(sets) for name, part in _CLIMATE.items()}
        self.ends = np.cumsum([length for length, _ in self.parts.values()])
        self.names = [name for name, (length, _) in self.parts.items() for _ in range(length)]

    def places(self, *names: str) -> Integers:
        """Return where the entries of these parts stand."""
        return np.flatnonzero(np.isin(self.names, names))

    def read(self, vector: Floats) -> dict[str, Floats]:
        """Return the deviations by part."""
        pieces = np.split(vector, self.ends[:-1])
        return {name: sd * piece for (name, (_, sd)), piece in zip(self.parts.items(), pieces, strict=True)}

    def parameters(self, vector: Floats, of_set: int | None = None) -> Parameters:
        """Return the shared model, as it ships, or the same in the climate of one data set."""
        start, read = self.start, self.read(vector)
        own = np.zeros(LIVE) if of_set is None else read[f"initial {of_set}"]
        initial = start.initial * np.exp(np.append(own, 0.0))
        return replace(
            start,
            generator=self._generator(read, 0.0 if of_set is None else float(read[f"tilt {of_set}"][0])),
            arrivals=start.arrivals * np.exp(np.append(read["arrivals"] + read["pace"], 0.0)),
            initial=initial / initial.sum(),
            contact_days=float(start.contact_days * np.exp(read["contact_days"][0])),
            contact_shock=_shifted(start.contact_shock, read["contact_shock"]),
            turn_days=float(start.turn_days * np.exp(read["turn_days"][0])),
            turn_weight=_shifted(start.turn_weight, read["turn_weight"]),
            rated_text_weight=_shifted(start.rated_text_weight, read["text_weight"]),
            emission=deformed(start.emission, read["clarity"], read["popularity"]),
            rating_emission=deformed(start.rating_emission, read["star_clarity"], read["star_popularity"]),
            echo_words=start.echo_words + read["echo"].reshape(2, -1),
            echo_stars=start.echo_stars + read["star_echo"].reshape(2, -1),
            habit_words=start.habit_words + read["habit"],
            habit_stars=start.habit_stars + read["star_habit"],
        )

    def _generator(self, read: dict[str, Floats], tilt: float) -> Floats:
        steps, start = np.arange(LIVE - 1), self.start.generator
        down = start[steps, steps + 1] * np.exp(read["down"] - tilt)
        up = start[steps + 1, steps] * np.exp(read["up"] + tilt)
        return generator_of(down, up, start[:LIVE, GONE] * np.exp(read["hazards"]))


def _shifted(share: float, logit: Floats) -> float:
    odds = share / (1 - share) * float(np.exp(logit[0]))
    return odds / (1 + odds)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """What a fit found."""

    parameters: Parameters
    """Shared by all data sets, in the climate of ``start``: what ships."""
    local: tuple[Parameters, ...]
    """The same in the climate of each data set."""
    objective: float
    iterations: int
    point: Floats
    """Where the optimiser stopped: deviations from the start, in standard deviations of the prior."""
    problem: "_Problem"


def fit(
    sequences: Sequence[Sequences],
    start: Parameters,
    iterations: int = 60,
    say: Callable[[str], object] = str,
    held: Collection[str] = (),
) -> Fit:
    """Minimise the log loss of what was said next (and when) plus the penalty of straying from ``start``.

    Stops when a step gains less than about 0.01 nats in ten thousand. Deterministic. ``say`` hears of each step. Parts
    named in ``held`` stay as they are.
    """
    problem, steps = _Problem(sequences, start, held), [0]

    def told(intermediate_result: Any) -> None:  # noqa: ANN401
        steps[0] += 1
        say(f"step {steps[0]}: objective {intermediate_result.fun:.2f} nats")

    found = minimize(
        problem.value_and_slope,
        np.zeros(len(problem.vector.names)),
        jac=True,
        method="L-BFGS-B",
        callback=told,
        options={"maxiter": iterations, "ftol": 1e-6},
    )
    local = tuple(problem.vector.parameters(found.x, i).check() for i in range(len(sequences)))
    shared = problem.vector.parameters(found.x).check()
    return Fit(shared, local, float(found.fun), int(found.nit), found.x, problem)


def fit_for_tracking(
    sequences: Sequence[Sequences], start: Parameters, iterations: int = 60, say: Callable[[str], object] = str
) -> Fit:
    """Fit all but the echo, which is left at zero: tracking goes without it, so what it follows is fitted without."""
    quiet: dict[str, Any] = {name: np.zeros_like(getattr(start, name)) for name in _ECHO_FIGURES}
    return fit(sequences, replace(start, **quiet), iterations, say, _ECHO_PARTS)


_ECHO_FIGURES: Final = ("echo_words", "echo_stars", "habit_words", "habit_stars")
_ECHO_PARTS: Final = ("echo", "habit", "star_echo", "star_habit")


def errors(found: Fit) -> Floats:
    """Return the standard error of each deviation in ``found.point``, 1 where the data said nothing.

    From the inverse of the objective's Hessian, by differences of its gradient (Laplace's approximation).
    """
    at, size = found.point, len(found.point)
    _, here = found.problem.value_and_slope(at)
    hessian = np.eye(size)
    for j in np.flatnonzero(np.abs(here - at) > 1e-12):
        _, moved = found.problem.value_and_slope(_nudged(at, int(j), _STRETCH))
        hessian[j] = (moved - here) / _STRETCH
    return np.sqrt(np.diag(np.linalg.inv((hessian + hessian.T) / 2)))


_STRETCH: Final = 1e-3


def drawn(start: Parameters, seed: int) -> tuple[Parameters, Floats, Integers]:
    """Return a model drawn from the prior around ``start``, its deviations, and which of them were drawn.

    Of what a world of plain messages shows: moves, waits, emission and climate; echo and ratings stay as they are.
    """
    vector = _Vector(start, 1)
    places = vector.places(*_MOVES, *_WAITS, "clarity", "popularity", *(f"{name} 0" for name in _CLIMATE))
    point = np.zeros(len(vector.names))
    point[places] = np.random.default_rng(seed).normal(size=len(places))
    return vector.parameters(point, 0).check(), point, places


class _Problem:
    """The objective in the optimiser's coordinates; the penalty is half the squared length of the vector."""

    def __init__(self, sequences: Sequence[Sequences], start: Parameters, held: Collection[str] = ()) -> None:
        self.vector = _Vector(start, len(sequences))
        self._held = self.vector.places(*held)
        self._walks = [Walk(one, start) for one in sequences]
        self._timed = any(walk.timed for walk in self._walks)

    def value_and_slope(self, point: Floats) -> tuple[float, Floats]:
        """Return the objective and its gradient."""
        value, slope = 0.5 * float(point @ point), point.copy()
        for i, walk in enumerate(self._walks):
            loss, slopes = self._of_set(point, i, walk)
            value, slope = value + loss, slope + slopes
        slope[self._held] = 0.0
        return value, slope

    def _of_set(self, point: Floats, i: int, walk: Walk) -> tuple[float, Floats]:
        here = self.vector.parameters(point, i)
        pieces = walk.pieces(here)
        loss, by = walk.walk(pieces)
        prefix = "star_" if walk.sequences.scale == "rating" else ""
        moving = [*_MOVES, *(_WAITS if self._timed else ()), f"initial {i}", f"tilt {i}"]
        saying = ["turn_weight", *(prefix + name for name in _WORDS if name != "echo")]
        saying += ["text_weight", "clarity", "popularity"] if walk.sequences.readings is not None else []
        slope = np.zeros_like(point)
        for names, remade in ((moving, walk.moves), (saying, walk.says)):
            for j in np.setdiff1d(self.vector.places(*names), self._held):
                slope[j] = _gain(remade(self.vector.parameters(_nudged(point, j), i)), pieces, by)
        echoes = self.vector.places(f"{prefix}echo")
        if not np.isin(echoes, self._held).all():
            slope[echoes] = (_echo_slope(walk, here, pieces, by) * _WORDS["echo"][1]).ravel()
        return loss, slope


def _nudged(point: Floats, j: int, by: float = _NUDGE) -> Floats:
    moved = point.copy()
    moved[j] += by
    return moved


def _gain(remade: dict[str, Floats], pieces: Pieces, by: Pieces) -> float:
    changes = (np.vdot(made - getattr(pieces, name), getattr(by, name)) for name, made in remade.items())
    return float(sum(changes)) / _NUDGE


def _echo_slope(walk: Walk, here: Parameters, pieces: Pieces, by: Pieces) -> Floats:
    """Return (2, F): each row's slope by its tilt along both directions, times what was known before the row."""
    kindness, slopes = walk.sequences.kindness, []
    for direction in (kindness, np.abs(kindness)):
        made = walk.says(here, _NUDGE * direction)
        rows = (made["chance"] - pieces.chance) * by.chance + (made["evidence"] - pieces.evidence) * by.evidence
        slopes.append(rows.sum(1) / _NUDGE @ walk.echo.features)
    return np.stack(slopes)


# ---- the shipped model --------------------------------------------------------------------------------------------

_ABOUT: Final = {
    "made_by": "python -m pipeline.fit --shared DIR",
    "data": {
        "airline": "Twitter US Airline Sentiment, human labels, CC BY-NC-SA 4.0: tuned figures, no text went in",
        "amazon": "Amazon reviews 5-core (All Beauty, Gift Cards, Magazine Subscriptions), stars, one copy of a text",
        "amazon2023": "Amazon Reviews 2023 user histories, stars",
    },
    "fitted": (
        "moves between moods, contact_days, contact_shock, turn_days, turn_weight, rated_text_weight, emission, "
        "rating_emission; echo and habit are zero, as tracking goes without them"
    ),
    "chosen": (
        "hazards of leaving, arrivals, paces, gaps, initial, return_to, turn_memory, channels, events, probation and "
        "all about stated departures are priors: there is no public set of real customer text with real churn"
    ),
    "held_out": "half of the customers by hash of their key, never fitted; each set in its own climate (initial, tilt)",
}


def reader(classifier: Classifier, mask: Callable[[str], str]) -> Read:
    """Return what reads texts as the pipeline does: masked first; a text without a word is a row of nan."""

    def read(texts: Sequence[str]) -> Floats:
        masked = [mask(text) if text.strip() else "" for text in texts]
        known = {text: row for row, text in enumerate(dict.fromkeys(filter(None, masked)))}
        found = classifier.probabilities(classifier.logits(list(known)))
        moods, _, intents, disservices = np.split(found, _PARTS, axis=1)
        rows = np.vstack([reading_rows(moods, intents, disservices), np.full((1, READING), np.nan)])
        return rows[[known.get(text, -1) for text in masked]]

    return read


_PARTS: Final = np.cumsum([len(MOODS), len(SENTIMENTS), len(INTENTS)]).tolist()


def main(arguments: Sequence[str] | None = None, read: Read | None = None) -> int:
    """Fit the shipped model anew, write it, and print the held-out scores as JSON; progress goes to standard error.

    ``read`` takes the place of the shipped classifier.
    """
    parser = argparse.ArgumentParser(prog="python -m pipeline.fit", description=main.__doc__)
    parser.add_argument("--shared", type=Path, required=True, help="folder that holds airline, amazon_5core, …")
    parser.add_argument("--out", type=Path, default=SHIPPED, help="file to write (default: the shipped one)")
    parser.add_argument("--iterations", type=int, default=60, help="steps of the fit at most (default: 60)")
    parser.add_argument("--texts", nargs="*", choices=SETS, default=SETS, help="sets to read the texts of (slow)")
    chosen = parser.parse_args(arguments)
    start = prior_parameters()
    if read is None and chosen.texts:
        classifier = Classifier.load(Releases(SHIPPED.parent).active())
        read, start = reader(classifier, Redactor().mask), start.with_prior(tuple(classifier.release.mood_prior))
    halves = [one.halves() for one in read_shared(chosen.shared, read, chosen.texts)]
    _say(f"fitting to {sum(len(seen.codes) for seen, _ in halves)} rows of {len(halves)} sets …")
    found = fit_for_tracking([seen for seen, _ in halves], start, chosen.iterations, _say)
    _say(f"objective {found.objective:.2f} nats after {found.iterations} steps; scoring held-out customers …")
    scores = {
        held_out.name: evaluate(held_out, local, seen)
        for (seen, held_out), local in zip(halves, found.local, strict=True)
    }
    about = _ABOUT | {"texts_read": list(chosen.texts), "scores": scores}
    replace(found.parameters, about=about).save(chosen.out)
    _say(f"wrote {chosen.out}")
    print(json.dumps(scores, indent=1))
    return 0


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
