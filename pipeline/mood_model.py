"""The mood model: a hidden Markov model in continuous time over five moods and ``gone``.

A customer stands on one of six states. Between contacts the state moves by a generator ``Q`` (per day); contacts
arrive at a rate that depends on the state and on the customer's own pace; what a message says is weighed by an
emission matrix. All vectors over states are rows, in the order of ``pipeline.records.STATES``; time is in days.

Silence of ``t`` days carries the state by ``expm((Q - pace * diag(arrivals)) t)``: a Markov-modulated Poisson process
seen between two of its events (Fischer and Meier-Hellstern 1993, "The Markov-modulated Poisson process cookbook").
Moves go to neighbours only, so that the part of the matrix among the five moods is similar to a symmetric one: its
eigenvectors are found once, and every gap from a second to decades is then exact with no table of gaps.

Moods move with events as well as with time: each contact stirs as ``contact_days`` would, and with probability
``contact_shock`` something happened that makes all that was known of the mood void.

Three things keep one long chat from being read as a long relation. The clock stands still inside a contact: a turn
carries no arrival likelihood. A turn weighs only ``turn_weight``. And it loosens what was thought before: a message of
a burst stirs as ``turn_days`` would, a turn of a thread leaves ``turn_memory`` of the evidence of the turns before it,
so that the ending counts most and a chat of any length weighs at most ``1 / (1 - turn_memory)`` messages that agree.

The pace is a random effect over a few classes, each a multiple of ``arrivals``, and is learned by the same filter.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from models.labels import MOODS
from pipeline.errors import SettingsError
from pipeline.records import LEVELS, STATES

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

SHIPPED: Final = Path(__file__).with_name("mood_model.json")
GONE: Final = STATES.index("gone")
LIVE: Final = GONE
"""How many states write: those before ``gone``."""
FORMAT: Final = 1


@dataclass(frozen=True, slots=True, eq=False)
class Parameters:
    """Everything the mood model needs. Build with ``load`` or ``replace``; ``check`` says what is wrong with one."""

    generator: Floats
    """6x6, per day; rows sum to 0; moves to neighbours among the moods, hazards to ``gone``, which absorbs."""
    arrivals: Floats
    """6, contacts per day at pace 1; the last is the rate at which the gone return."""
    return_to: Floats
    """6, where a returning customer stands; ``gone`` has no share."""
    initial: Floats
    """6, where a customer stands at the first contact; ``gone`` has no share."""
    emission: Floats
    """6x5, the mood of a message written in each state."""
    rating_emission: Floats
    """6x5, the stars, 1 to 5, given in each state."""
    leave_voiced: Floats
    """6, how often a message written in each state says that the writer will leave."""
    leave_usual: float
    """The same over all messages, so that a text whose reading says just this is no evidence."""
    leave_at_once: Floats
    """6, the share of those who say so that is gone with that very message."""
    message_prior: Floats
    """5, the mood shares the classifier was trained under; a release brings its own (``with_prior``)."""
    paces: Floats
    """K multiples of ``arrivals``."""
    pace_weights: Floats
    """K shares of customers."""
    contact_gap: float
    """Days; a message sooner than this after the one before belongs to the same contact."""
    thread_gap: float
    """Days; the same, where both messages are of one thread."""
    contact_days: float
    """A contact moves the mood as much as this many days do."""
    contact_shock: float
    """Share of contacts before which the mood is drawn afresh from ``initial``."""
    turn_days: float
    """A later message of a contact outside a thread moves the mood as much as this many days do."""
    turn_memory: float
    """Share of a contact's evidence (its logarithm) that outlives a later turn of the same thread."""
    turn_weight: float
    """Exponent of a later turn's evidence."""
    rated_text_weight: float
    """Exponent of a text's evidence where a rating says the same thing beside it."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Name and licence of the data, held-out score, baselines' scores, what is a prior; not part of the digest."""

    def digest(self) -> str:
        """Return 16 hex digits that change whenever a figure of the model changes."""
        return hashlib.sha256(json.dumps(self._figures(), sort_keys=True).encode()).hexdigest()[:16]

    def with_prior(self, message_prior: tuple[float, ...] | Floats) -> "Parameters":
        """Return the same model for a classifier trained under other mood shares (five, of which none is 0)."""
        prior = np.asarray(message_prior, dtype=np.float64)
        return replace(self, message_prior=prior / prior.sum()).check()

    def check(self) -> "Parameters":
        """Return self.

        Raises:
            SettingsError: a figure has the wrong shape, is not finite, or breaks a rule of the model.
        """
        for name, fault in _faults(self):
            raise SettingsError(f"mood model: {name} {fault}; fit again (python -m pipeline.fit) or restore the file")
        return self

    def save(self, path: Path) -> None:
        """Write the model as JSON to ``path``, replacing what is there."""
        content = {"format": FORMAT, "digest": self.digest(), "about": dict(self.about), "figures": self._figures()}
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path = SHIPPED) -> "Parameters":
        """Read a model that ``save`` wrote; by default the one that ships.

        Raises:
            SettingsError: the file is missing, not JSON, of another format, incomplete, or its figures are impossible.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != FORMAT:
                raise SettingsError(f"{path}: format {content['format']!r}, expected {FORMAT}; fit it again")
            figures = {name: _figure(value) for name, value in content["figures"].items()}
            return cls(**figures, about=content["about"]).check()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SettingsError(f"{path}: not a mood model ({error}); fit one (python -m pipeline.fit)") from error

    def _figures(self) -> dict[str, Any]:
        return {item.name: _plain(getattr(self, item.name)) for item in fields(self) if item.name != "about"}


def _figure(value: float | list[Any]) -> Any:  # noqa: ANN401
    return np.asarray(value, dtype=np.float64) if isinstance(value, list) else float(value)


def _plain(value: float | Floats) -> float | list[Any]:
    if isinstance(value, np.ndarray):
        plain: list[Any] = value.tolist()
        return plain
    return float(value)


_SHAPES: Final = {
    "generator": (6, 6),
    "arrivals": (6,),
    "return_to": (6,),
    "initial": (6,),
    "emission": (6, 5),
    "rating_emission": (6, 5),
    "leave_voiced": (6,),
    "leave_at_once": (6,),
    "message_prior": (5,),
}
_DISTRIBUTIONS: Final = ("return_to", "initial", "emission", "rating_emission", "message_prior", "pace_weights")


def _faults(parameters: Parameters) -> Iterator[tuple[str, str]]:
    for name, shape in _SHAPES.items():
        if np.shape(getattr(parameters, name)) != shape:
            yield name, f"has shape {np.shape(getattr(parameters, name))}, expected {shape}"
            return
    for item in fields(parameters):
        if item.name != "about" and not np.all(np.isfinite(getattr(parameters, item.name))):
            yield item.name, "holds a figure that is not finite"
    for name in _DISTRIBUTIONS:
        shares: Floats = getattr(parameters, name)
        if np.any(shares < 0) or not np.allclose(shares.sum(-1), 1, atol=1e-9):
            yield name, "should be shares that sum to 1"
    if np.any(parameters.message_prior <= 0):
        yield "message_prior", "should be above 0 for every mood"
    if parameters.initial[GONE] or parameters.return_to[GONE]:
        yield "initial or return_to", "should leave nothing in gone"
    yield from _generator_faults(parameters)


def _generator_faults(parameters: Parameters) -> Iterator[tuple[str, str]]:
    generator, neighbours = parameters.generator, np.abs(np.subtract.outer(range(LIVE), range(LIVE))) == 1
    moods = generator[:LIVE, :LIVE]
    if not np.allclose(generator.sum(1), 0, atol=1e-9) or np.any(generator[GONE]):
        yield "generator", "should have rows that sum to 0, the last of zeros"
    if np.any(moods[neighbours] <= 0) or np.any(moods[~neighbours & ~np.eye(LIVE, dtype=bool)]):
        yield "generator", "should move to neighbours only, each at a rate above 0"
    if np.any(generator[:LIVE, GONE] <= 0) or np.any(parameters.arrivals <= 0) or np.any(parameters.paces <= 0):
        yield "hazards, arrivals and paces", "should be above 0"


def generator_of(down: Floats, up: Floats, hazards: Floats) -> Floats:
    """Return the 6x6 generator per day.

    ``down[i]`` leads from mood ``i`` to ``i + 1``, ``up[i]`` back again (4 each); ``hazards`` (5) lead to ``gone``.
    """
    generator = np.zeros((len(STATES), len(STATES)))
    steps = np.arange(LIVE - 1)
    generator[steps, steps + 1] = down
    generator[steps + 1, steps] = up
    generator[:LIVE, GONE] = hazards
    generator[np.diag_indices(len(STATES))] = -generator.sum(1)
    return generator


def ladder_emission(places: Floats, spots: Floats, popularity: Floats) -> Floats:
    """Return a 6x5 emission that falls off with distance on a line: ``popularity[m] exp(-|places[s] - spots[m]|)``.

    ``places`` (5) and ``spots`` (5) rise. ``gone`` writes as ``furious`` does. The kernel ``exp(-|x - y|)`` is totally
    positive (Karlin 1968, "Total Positivity"), so an angrier message can never raise the expected level.
    """
    standing = np.append(places, places[-1])
    shares = popularity * np.exp(-np.abs(np.subtract.outer(standing, spots)))
    result: Floats = shares / shares.sum(1, keepdims=True)
    return result


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """Rows of many customers as the filter walks them: sorted by customer, then time."""

    starts: Integers
    """The first row of each customer, C of them."""
    counts: Integers
    """How many rows each customer has, at least 1."""
    gaps: Floats
    """Days since the row before; 0 for a first row."""
    opens: Flags
    """The row opens a contact; a customer's first row does."""
    threaded: Flags
    """The row is a later turn of a contact and of the thread of the row before."""

    @classmethod
    def of(cls, customers: Integers, days: Floats, threads: Integers, parameters: Parameters) -> "Course":
        """Find customers and contacts. ``customers`` are codes in sorted order; ``threads`` are codes, -1 for none."""
        first = np.ones(len(customers), dtype=bool)
        first[1:] = customers[1:] != customers[:-1]
        starts = np.flatnonzero(first)
        gaps = np.where(first, 0.0, np.diff(days, prepend=days[:1]))
        same_thread = np.zeros(len(customers), dtype=bool)
        same_thread[1:] = (threads[1:] == threads[:-1]) & (threads[1:] >= 0)
        allowed = np.where(same_thread, max(parameters.thread_gap, parameters.contact_gap), parameters.contact_gap)
        opens = first | (gaps >= allowed)
        counts = np.diff(starts, append=len(customers))
        return cls(starts, counts, np.maximum(gaps, 0.0), opens, same_thread & ~opens)


class MoodFilter:
    """Carries beliefs of many customers through silence, contacts and evidence.

    A belief is a (K, n, 6) array: for each of n customers the joint probability of pace class and state. Methods
    return new arrays; results for one customer do not depend on the others beyond the last bits of a float.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        generator = parameters.generator
        self._rates = parameters.paces[:, None] * parameters.arrivals[:LIVE]
        self._return_rate = float(parameters.arrivals[GONE])
        self._decay, self._into, self._back = _modes(generator, self._rates)
        self._leaks = np.einsum("kij,j->ki", self._back, generator[:LIVE, GONE])
        moves = generator.copy()
        moves[:LIVE, GONE] = 0.0
        moves[np.diag_indices(len(STATES))] -= moves.sum(1)
        self._turn_stir: Floats = expm(moves * parameters.turn_days)
        shock = parameters.contact_shock
        self._stir: Floats = (1 - shock) * expm(moves * parameters.contact_days) + shock * parameters.initial

    def start(self, customers: int) -> Floats:
        """Return the belief about ``customers`` people at their first contact, before anything is read."""
        joint = self.parameters.pace_weights[:, None] * self.parameters.initial
        return np.repeat(joint[:, None, :], customers, axis=1)

    def silence(self, belief: Floats, days: Floats) -> Floats:
        """Return the belief after ``days`` (n) in which nothing was heard."""
        modes = belief[:, :, :LIVE] @ self._into
        fading = np.exp(self._decay[:, None, :] * days[:, None])
        result = np.empty_like(belief)
        result[:, :, :LIVE] = np.maximum((modes * fading) @ self._back, 0.0)
        left = (modes * self._leaks[:, None, :] * self._leaving(days)).sum(-1)
        result[:, :, GONE] = belief[:, :, GONE] * np.exp(-self._return_rate * days) + np.maximum(left, 0.0)
        return _normalised(result)

    def _leaving(self, days: Floats) -> Floats:
        """Integrate ``exp(decay u) exp(-return_rate (days - u))`` over u from 0 to ``days``: (K, n, 5)."""
        slack = self._decay[:, None, :] + self._return_rate
        close = np.abs(slack) < 1e-12
        grown = np.expm1(np.where(close, 0.0, slack) * days[:, None]) / np.where(close, 1.0, slack)
        growth: Floats = np.where(close, days[:, None], grown)
        return np.asarray(growth * np.exp(-self._return_rate * days)[:, None])

    def contact(self, belief: Floats, days: Floats) -> Floats:
        """Return the belief at a contact ``days`` (n) after the last word, before it is read.

        Whoever writes is not gone: what stood in ``gone`` returns, weighed by the small return rate.
        """
        waited = self.silence(belief, days)
        live = waited[:, :, :LIVE] * self._rates[:, None, :]
        back = waited[:, :, GONE, None] * (self._return_rate * self.parameters.return_to)
        back[:, :, :LIVE] += live
        return _normalised(back @ self._stir)

    def again(self, belief: Floats) -> Floats:
        """Return the belief at a later message of a burst, before it is read: stirred, no arrival counted."""
        return np.asarray(belief @ self._turn_stir)

    def reply(self, belief: Floats, leak: Floats) -> Floats:
        """Return the belief at a later turn of a thread, before it is read; no arrival is counted.

        ``leak`` (n, 6) is the logarithm of the evidence in ``belief`` that the conversation forgets.
        """
        return _normalised(belief * np.exp(-leak))

    def weigh(self, belief: Floats, likelihood: Floats) -> Floats:
        """Return the belief after evidence; ``likelihood`` is (n, 6), any positive scale."""
        return _normalised(belief * likelihood)

    def depart(self, belief: Floats, said: Floats) -> Floats:
        """Return the belief after a message that says with probability ``said`` (n) that its writer leaves."""
        going = belief * (said[:, None] * self.parameters.leave_at_once)
        result = belief - going
        result[:, :, GONE] += going.sum(-1)
        return result


def _modes(generator: Floats, rates: Floats) -> tuple[Floats, Floats, Floats]:
    """Return eigenvalues (K, 5), right (K, 5, 5) and left eigenvectors of the moods' part less each row of rates."""
    steps = np.arange(LIVE - 1)
    down, up = generator[steps, steps + 1], generator[steps + 1, steps]
    scale = np.append(1.0, np.cumprod(np.sqrt(down / up)))
    symmetric = np.zeros((len(rates), LIVE, LIVE))
    symmetric[:, steps, steps + 1] = symmetric[:, steps + 1, steps] = np.sqrt(down * up)
    symmetric[:, range(LIVE), range(LIVE)] = np.diag(generator)[:LIVE] - rates
    decay, vectors = np.linalg.eigh(symmetric)
    return decay, vectors / scale[:, None], np.swapaxes(vectors, 1, 2) * scale


def _normalised(belief: Floats) -> Floats:
    return np.asarray(belief / belief.sum((0, 2))[None, :, None])


def states_of(belief: Floats) -> Floats:
    """Return the distribution over the six states, (n, 6), whatever the pace."""
    return np.asarray(belief.sum(0))


def level_of(states: Floats) -> Floats:
    """Return the expected level, 0 (gone) to 5 (delighted), of distributions (…, 6)."""
    return np.asarray(states @ np.asarray(LEVELS))


def stage_of(states: Floats) -> Integers:
    """Return the median state, as an index into ``STATES``, of distributions (n, 6)."""
    return np.asarray((np.cumsum(states, axis=1) < 0.5 - 1e-12).sum(1), dtype=np.int64).clip(0, GONE)


@dataclass(frozen=True, slots=True, eq=False)
class Filtered:
    """What the forward filter found, row by row and customer by customer."""

    before: Floats
    """(N, 6) predicted at the message, its arrival counted, its words not."""
    after: Floats
    """(N, 6) with its words."""
    last: Floats
    """(K, C, 6) belief after each customer's last row."""
    anchor: Floats
    """(K, C, 6) belief after the row asked for."""


def run_filter(machine: MoodFilter, course: Course, likelihood: Floats, said: Floats, anchor: Integers) -> Filtered:
    """Walk all customers at once, step k of everybody together.

    ``likelihood`` is (N, 6); ``said`` (N) is the probability that the row states a departure; ``anchor`` (C) counts the
    rows of each customer after which the belief is kept (at least 1).
    """
    order = np.argsort(-course.counts, kind="stable")
    starts, counts, kept = course.starts[order], course.counts[order], anchor[order]
    evidence = np.log(likelihood) * np.where(course.opens, 1.0, machine.parameters.turn_weight)[:, None]
    forgotten = np.where(course.threaded, 1 - machine.parameters.turn_memory, 0.0)[:, None]
    belief, voiced = machine.start(len(order)), np.zeros((len(order), len(STATES)))
    anchored = belief.copy()
    before, after = np.empty_like(likelihood), np.empty_like(likelihood)
    for step in range(int(counts[0]) if len(counts) else 0):
        active = int(np.searchsorted(-counts, -step, side="left"))
        rows = starts[:active] + step
        if step:
            leak = voiced[:active] * forgotten[rows]
            belief[:, :active] = _before(machine, belief[:, :active], leak, course, rows)
        before[rows] = states_of(belief[:, :active])
        voiced[:active] = (
            np.where(course.opens[rows, None], 0.0, voiced[:active] * (1 - forgotten[rows])) + evidence[rows]
        )
        read = machine.weigh(belief[:, :active], np.exp(evidence[rows]))
        belief[:, :active] = machine.depart(read, said[rows])
        after[rows] = states_of(belief[:, :active])
        here = np.flatnonzero(kept[:active] == step + 1)
        anchored[:, here] = belief[:, here]
    back = np.argsort(order, kind="stable")
    return Filtered(before, after, belief[:, back], anchored[:, back])


def _before(machine: MoodFilter, belief: Floats, leak: Floats, course: Course, rows: Integers) -> Floats:
    opens, threaded = course.opens[rows], course.threaded[rows]
    burst = ~opens & ~threaded
    predicted = np.empty_like(belief)
    predicted[:, opens] = machine.contact(belief[:, opens], course.gaps[rows][opens])
    predicted[:, threaded] = machine.reply(belief[:, threaded], leak[threaded])
    predicted[:, burst] = machine.again(belief[:, burst])
    return predicted


def text_evidence(parameters: Parameters, moods: Floats) -> Floats:
    """Return (N, 6) scaled likelihoods of texts whose readings are ``moods`` (N, 5); a row of nan says nothing."""
    unread = np.asarray(np.isnan(moods).any(1, keepdims=True))
    weights = np.where(unread, parameters.message_prior, moods) / parameters.message_prior
    return np.asarray(weights @ parameters.emission.T)


def rating_evidence(parameters: Parameters, ratings: Floats) -> Floats:
    """Return (N, 6) likelihoods of ratings from 1 to 5, between stars by interpolation; nan says nothing."""
    given = np.nan_to_num(ratings, nan=3.0).clip(1.0, 5.0) - 1.0
    below = np.minimum(given.astype(np.int64), len(MOODS) - 2)
    share = (given - below)[:, None]
    stars = parameters.rating_emission.T
    likelihood = (1 - share) * stars[below] + share * stars[below + 1]
    return np.where(np.isnan(ratings)[:, None], 1.0, likelihood)


def leave_evidence(parameters: Parameters, said: Floats) -> Floats:
    """Return (N, 6) scaled likelihoods of texts that say with probability ``said`` that the writer leaves."""
    voiced, usual = parameters.leave_voiced, parameters.leave_usual
    share = said[:, None]
    return np.asarray(share * voiced / usual + (1 - share) * (1 - voiced) / (1 - usual))


def message_evidence(parameters: Parameters, moods: Floats, ratings: Floats, said: Floats) -> Floats:
    """Return (N, 6) likelihoods of whole messages, the best state at 1.

    Text and stars of one message say the same thing twice, so the text counts with ``rated_text_weight`` beside stars.
    """
    weight = np.where(np.isnan(ratings), 1.0, parameters.rated_text_weight)[:, None]
    text = text_evidence(parameters, moods) * leave_evidence(parameters, said)
    likelihood = text**weight * rating_evidence(parameters, ratings)
    return np.asarray(np.maximum(likelihood / likelihood.max(1, keepdims=True), _LEAST))


_LEAST: Final = 1e-9
"""Floor of a likelihood, against readings that rule a state out."""


def risk(parameters: Parameters, states: Floats, days: float) -> Floats:
    """Return the probability (n) of having left within ``days`` from now."""
    return np.asarray(states @ expm(parameters.generator * days)[:, GONE])


def days_left(parameters: Parameters, states: Floats, horizon: int = 365) -> Floats:
    """Return the days (n) until furious-or-gone is as likely as not: 0 if it is already, nan beyond ``horizon``."""
    daily, lost = expm(parameters.generator), np.zeros((horizon + 1, len(STATES)))
    lost[0, GONE - 1 :] = 1.0
    for day in range(horizon):
        lost[day + 1] = daily @ lost[day]
    chance = states @ lost.T
    reached = chance >= 0.5
    day = reached.argmax(1)
    rows = np.arange(len(states))
    before, at = chance[rows, np.maximum(day - 1, 0)], chance[rows, day]
    part = (0.5 - before) / np.where(at > before, at - before, 1.0)
    exact = np.where(day == 0, 0.0, day - 1 + part)
    return np.where(reached.any(1), exact, np.nan)
