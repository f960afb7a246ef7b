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

Besides messages there are events (``EVENTS``): a purchase, a refund, and what the company's own records say of leaving,
renewing and coming back. They carry evidence and no arrival likelihood. After a sale the customer is on probation: for
``probation_days`` the ways down and the hazards are ``probation_hazard`` times as steep, and they come first in every
gap, because a sale is itself a row. How loudly people speak depends on the channel (``emission_on``).

What is not mood but habit, the answer just received, or the talk of the minute is in the ``tilt`` of a message's
emission (``pipeline.echo``): it is known before the message, so it takes the blame for what it explains. It ships at
zero: tracking goes without it, ``evaluate-track`` fits it.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from models.labels import MOODS
from pipeline.errors import SettingsError
from pipeline.records import LEVELS, STATES, Channel

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

SHIPPED: Final = Path(__file__).with_name("mood_model.json")
GONE: Final = STATES.index("gone")
LIVE: Final = GONE
"""How many states write: those before ``gone``."""
FORMAT: Final = 2
CHANNELS: Final[tuple[str, ...]] = get_args(Channel)
EVENTS: Final = ("purchase", "refund", "left", "renewed", "won_back")
"""What may be known of a customer besides messages; codes are places in this tuple, -1 is a message."""
LEFT: Final = EVENTS.index("left")
ALIVE: Final = (EVENTS.index("purchase"), EVENTS.index("renewed"), EVENTS.index("won_back"))
"""Events that only a customer has: whoever was gone has returned."""
SALE: Final = EVENTS.index("purchase")
ECHO_FEATURES: Final = 31
"""How many things known before a message tilt it; ``pipeline.echo`` says which."""


def _usual_events() -> Floats:
    """Return a prior: the pleased buy and renew, the soured ask for refunds; columns are states."""
    return np.array(
        [
            [1.3, 1.15, 0.8, 0.5, 0.3, 0.001],
            [0.4, 0.7, 1.1, 1.8, 1.8, 0.05],
            [1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
            [1.3, 1.2, 0.8, 0.4, 0.2, 0.001],
            [1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
        ]
    )


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
    channel_clarity: Floats = field(default_factory=lambda: np.ones(len(CHANNELS)))
    """How much clearer than ``emission`` each channel tells mood from mood."""
    channel_tilt: Floats = field(default_factory=lambda: np.zeros((len(CHANNELS), 5)))
    """Logarithms of how much commoner each message mood is on each channel: a tweet is louder than a review."""
    event_evidence: Floats = field(default_factory=_usual_events)
    """5x6, how often, relative to others, a customer in each state has each of ``EVENTS``."""
    probation_days: float = 30.0
    """Days after a sale in which a customer is on probation."""
    probation_hazard: float = 1.5
    """How much steeper the ways down and the hazards of leaving are on probation."""
    turn_chance: Floats = field(default_factory=lambda: np.full(len(STATES), 0.3))
    """6, how often a message written in each state is followed by another of the same contact."""
    echo_words: Floats = field(default_factory=lambda: np.zeros((2, ECHO_FEATURES)))
    """2xF, what ``pipeline.echo`` finds before a message, towards kind words and towards strong words."""
    echo_stars: Floats = field(default_factory=lambda: np.zeros((2, ECHO_FEATURES)))
    """The same for ratings."""
    habit_words: Floats = field(default_factory=lambda: np.zeros(2))
    """2, exponents of what the customer mostly wrote, and lately wrote."""
    habit_stars: Floats = field(default_factory=lambda: np.zeros(2))
    """The same for ratings."""
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
            if content["format"] not in (1, FORMAT):  # format 1 lacks figures that now have defaults without effect
                raise SettingsError(f"{path}: format {content['format']!r}, expected {FORMAT}; fit it again")
            figures = {name: _figure(value) for name, value in content["figures"].items()}
            return cls(**figures, about=content["about"]).check()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SettingsError(f"{path}: not a mood model ({error}); fit one (python -m pipeline.fit)") from error

    def settled(self) -> Floats:
        """Return the 6 shares that the moods settle to where nobody leaves; ``gone`` has none."""
        steps = np.arange(LIVE - 1)
        odds = np.cumprod(self.generator[steps, steps + 1] / self.generator[steps + 1, steps])
        shares = np.concatenate([[1.0], odds, [0.0]])
        return np.asarray(shares / shares.sum())

    def emission_on(self, channel: int) -> Floats:
        """Return the 6x5 emission of the channel of that place in ``CHANNELS``; -1 is any."""
        if channel < 0:
            return self.emission
        clarity = np.full(LIVE - 1, np.log(self.channel_clarity[channel]))
        return deformed(self.emission, clarity, self.channel_tilt[channel])

    def on_probation(self) -> Floats:
        """Return the 6x6 generator in the days after a sale."""
        steps = np.arange(LIVE - 1)
        down, up = self.generator[steps, steps + 1], self.generator[steps + 1, steps]
        hazards = self.generator[:LIVE, GONE]
        return generator_of(down * self.probation_hazard, up, hazards * self.probation_hazard)

    @classmethod
    def serving(cls, own: Path) -> "Parameters":
        """Read a company's own model at ``own`` if there is one, else the one that ships; errors are as in ``load``."""
        return cls.load(own if own.exists() else SHIPPED)

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
    "channel_clarity": (len(CHANNELS),),
    "channel_tilt": (len(CHANNELS), 5),
    "event_evidence": (len(EVENTS), 6),
    "turn_chance": (6,),
    "echo_words": (2, ECHO_FEATURES),
    "echo_stars": (2, ECHO_FEATURES),
    "habit_words": (2,),
    "habit_stars": (2,),
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
    if np.any(parameters.channel_clarity <= 0) or np.any(parameters.event_evidence <= 0):
        yield "channel_clarity and event_evidence", "should be above 0"
    if parameters.probation_hazard <= 0 or parameters.probation_days < 0:
        yield "probation", "should last 0 days or more at a hazard above 0"
    if np.any(parameters.turn_chance < 0) or np.any(parameters.turn_chance >= 1):
        yield "turn_chance", "should be from 0 to below 1"
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


def deformed(emission: Floats, clarity: Floats, popularity: Floats) -> Floats:
    """Return ``emission`` with each step between moods ``exp(clarity)`` times as clear and outcomes made more common.

    ``clarity`` (4) and ``popularity`` (as many as outcomes) are logarithms. Log-ratios of neighbouring rows keep their
    sign and order, so total positivity is kept.
    """
    ratios = np.diff(np.log(emission[:LIVE]), axis=0) * np.exp(clarity)[:, None]
    rows = np.cumsum(np.vstack([np.log(emission[:1]), ratios]), axis=0) + popularity
    shares = np.exp(rows - rows.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    return np.vstack([shares, shares[-1:]])


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

    events: Integers
    """N, places in ``EVENTS``; -1 for a message."""
    probation: Floats
    """N, how many days at the start of the gap were on probation."""
    probation_left: Floats
    """C, days of probation that are left after the customer's last row."""
    lead: Floats | None = None
    """(C, 6) likelihood of what happened before the customer's first row; None where that is nothing."""

    @classmethod
    def of(
        cls,
        customers: Integers,
        days: Floats,
        threads: Integers,
        parameters: Parameters,
        events: Integers | None = None,
        sold: Floats | None = None,
    ) -> "Course":
        """Find customers, contacts and probation.

        ``customers`` are codes in sorted order; ``threads`` are codes, -1 for none; ``events`` are places in
        ``EVENTS``, -1 for a message (the default). ``sold`` (C) are the days of the last sales before the first rows,
        minus infinity for none (the default).
        """
        events = np.full(len(customers), -1, dtype=np.int64) if events is None else events
        first = np.ones(len(customers), dtype=bool)
        first[1:] = customers[1:] != customers[:-1]
        starts = np.flatnonzero(first)
        counts = np.diff(starts, append=len(customers))
        gaps = np.maximum(np.where(first, 0.0, np.diff(days, prepend=days[:1])), 0.0)
        opens, threaded = _contacts(np.repeat(starts, counts), days, threads, events, parameters)
        before = np.repeat(np.full(len(starts), -np.inf) if sold is None else sold, counts)
        left = _probation_left(np.repeat(starts, counts), days, events, parameters.probation_days, before)
        probation = np.where(first, 0.0, np.minimum(np.roll(left, 1), gaps))
        return cls(starts, counts, gaps, opens, threaded, events, probation, left[starts + counts - 1])

    def steps(self) -> list[Integers]:
        """Return the rows of everybody's first message, second, and so on; customers with most messages come first."""
        order = self.longest_first()
        starts, counts = self.starts[order], self.counts[order]
        most = int(counts[0]) if len(counts) else 0
        return [starts[: int(np.searchsorted(-counts, -step))] + step for step in range(most)]

    @property
    def ends(self) -> Integers:
        """The row of each customer's last message."""
        return self.starts + self.counts - 1

    def longest_first(self) -> Integers:
        """Return the customers in the order of ``steps``."""
        return np.argsort(-self.counts, kind="stable")


def _contacts(
    begins: Integers, days: Floats, threads: Integers, events: Integers, parameters: Parameters
) -> tuple[Flags, Flags]:
    """Return which rows open a contact, and which are later turns of a thread; events do neither.

    ``begins`` is the first row of each row's customer.
    """
    message = events < 0
    newest = np.maximum.accumulate(np.where(message, np.arange(len(days)), -1))
    before = np.append(-1, newest[:-1]) if len(days) else newest
    first = before < begins
    gaps = days - days[before]
    same_thread = ~first & (threads == threads[before]) & (threads >= 0)
    allowed = np.where(same_thread, max(parameters.thread_gap, parameters.contact_gap), parameters.contact_gap)
    opens = message & (first | (gaps >= allowed))
    return opens, message & same_thread & ~opens


def _probation_left(begins: Integers, days: Floats, events: Integers, window: float, before: Floats) -> Floats:
    """Return for each row how many days of probation lie ahead of it; ``before`` is the last sale before all rows."""
    newest = np.maximum.accumulate(np.where(events == SALE, np.arange(len(days)), -1))
    return np.maximum(np.where(newest < begins, before, days[newest]) + window - days, 0.0)


_APART: Final = 1e-6
"""The least difference, a day, between the decay of a mode and the return rate: their quotient has no other pole."""


class _Silence:
    """Carries beliefs through days without a word, under one generator; results are not normalised.

    Live states fade in five modes; what leaves them, ``leak`` of each mode a day, returns at the rate of ``gone``: the
    integral of ``exp(decay u) exp(-rate (days - u))`` is ``(exp(decay days) - exp(-rate days)) / (decay + rate)``.
    """

    def __init__(self, generator: Floats, rates: Floats, return_rate: float) -> None:
        decay, self._into, back = _modes(generator, rates)
        apart = decay + return_rate
        self._decay = np.where(np.abs(apart) < _APART, -return_rate - _APART, decay)
        leaks = np.einsum("kij,j->ki", back, generator[:LIVE, GONE]) / (self._decay + return_rate)
        self._leaks: Floats = leaks[:, :, None]
        self._back = np.concatenate([back, self._leaks], axis=2)
        self._return_rate = return_rate

    def carry(self, belief: Floats, days: Floats) -> Floats:
        """Return ``belief`` (K, n, 6) times the matrix exponential of ``days`` (n)."""
        modes = belief[:, :, :LIVE] @ self._into
        stayed = np.exp(-self._return_rate * days)
        result: Floats = (modes * np.exp(self._decay[:, None, :] * days[:, None])) @ self._back
        result[:, :, GONE] -= (modes @ self._leaks)[:, :, 0] * stayed
        np.maximum(result, 0.0, out=result)
        result[:, :, GONE] += belief[:, :, GONE] * stayed
        return result


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
        self._calm = _Silence(generator, self._rates, self._return_rate)
        moves = generator.copy()
        moves[:LIVE, GONE] = 0.0
        moves[np.diag_indices(len(STATES))] -= moves.sum(1)
        self._turn_stir = _stirred(moves, parameters.turn_days)
        shock = parameters.contact_shock
        stir = (1 - shock) * _stirred(moves, parameters.contact_days) + shock * parameters.initial
        coming = np.zeros((len(self._rates), len(STATES), len(STATES)))
        coming[:, range(LIVE), range(LIVE)] = self._rates
        coming[:, GONE] = self._return_rate * parameters.return_to
        self._arrive: Floats = coming @ stir

    @cached_property
    def _trial(self) -> _Silence:
        """Silence on probation."""
        return _Silence(self.parameters.on_probation(), self._rates, self._return_rate)

    def start(self, customers: int, lead: Floats | None = None) -> Floats:
        """Return the belief about ``customers`` people at their first contact, before anything is read.

        ``lead`` (n, 6) is the likelihood of what happened before; none by default.
        """
        joint = self.parameters.pace_weights[:, None] * self.parameters.initial
        belief = np.repeat(joint[:, None, :], customers, axis=1)
        return belief if lead is None else _normalised(belief * lead)

    def silence(self, belief: Floats, days: Floats, probation: Floats | None = None) -> Floats:
        """Return the belief after ``days`` (n) in which nothing was heard, the first ``probation`` (n) on probation."""
        return _normalised(self._quiet(belief, days, probation))

    def _quiet(self, belief: Floats, days: Floats, probation: Floats | None) -> Floats:
        if probation is None or not probation.any():
            return self._calm.carry(belief, days)
        return self._calm.carry(self._trial.carry(belief, probation), days - probation)

    def contact(self, belief: Floats, days: Floats, probation: Floats | None = None) -> Floats:
        """Return the belief at a contact ``days`` (n) after the last word, before it is read.

        Whoever writes is not gone: what stood in ``gone`` returns, weighed by the small return rate.
        """
        return _normalised(self._arrival(self._quiet(belief, days, probation)))

    def _arrival(self, waited: Floats) -> Floats:
        return np.asarray(waited @ self._arrive)

    def propagators(self, days: Floats, probation: Floats | None = None) -> Floats:
        """Return (K, n, 6, 6): row s is, up to scale, the belief at a contact ``days`` (n) after standing on s.

        What ``contact`` does, as matrices; the sums of their rows are the densities of the arrival.
        """
        return self._as_matrices(
            lambda units, days, trial: self._arrival(self._quiet(units, days, trial)), days, probation
        )

    def happenings(self, days: Floats, probation: Floats, kinds: Integers) -> Floats:
        """Return (K, n, 6, 6): the same for events (``kinds`` are places in ``EVENTS``) after ``days`` of silence."""
        told = np.repeat(kinds, len(STATES))
        return self._as_matrices(
            lambda units, days, trial: self._told(self._quiet(units, days, trial), told), days, probation
        )

    def waits(self, days: Floats) -> Floats:
        """Return (K, n, 6, 6): the same for ``days`` in which nothing came; sums of rows are the chance of silence."""
        return self._as_matrices(self._quiet, days, None)

    def _as_matrices(
        self, carry: Callable[[Floats, Floats, Floats], Floats], days: Floats, probation: Floats | None
    ) -> Floats:
        states, trial = len(STATES), np.zeros_like(days) if probation is None else probation
        units = np.tile(np.eye(states), (len(self._rates), len(days), 1))
        carried = carry(units, np.repeat(days, states), np.repeat(trial, states))
        return np.asarray(carried.reshape(len(self._rates), len(days), states, states))

    def event(self, belief: Floats, kinds: Integers) -> Floats:
        """Return the belief after events; ``kinds`` (n) are places in ``EVENTS``."""
        return _normalised(self._told(belief, kinds))

    def _told(self, belief: Floats, kinds: Integers) -> Floats:
        weighed = belief * self.parameters.event_evidence[kinds]
        back = np.where(np.isin(kinds, ALIVE), weighed[:, :, GONE], 0.0)
        weighed[:, :, GONE] -= back
        weighed += back[:, :, None] * self.parameters.return_to
        gone = np.zeros_like(weighed)
        gone[:, :, GONE] = weighed.sum(-1)
        return np.where((kinds == LEFT)[:, None], gone, weighed)

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
        going = np.flatnonzero(said)
        if not len(going):
            return belief
        lost = belief[:, going] * (said[going, None] * self.parameters.leave_at_once)
        result = belief.copy()
        result[:, going] -= lost
        result[:, going, GONE] += lost.sum(-1)
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


def _stirred(moves: Floats, days: float) -> Floats:
    """Return the matrix exponential of ``moves`` (6x6, nobody leaves) times ``days``; whoever is gone stays.

    By modes, as silence: a fit asks thousands of times, and ``expm`` takes milliseconds where other threads compute.
    """
    decay, into, back = _modes(moves, np.zeros((1, LIVE)))
    result = np.eye(len(STATES))
    result[:LIVE, :LIVE] = np.maximum((into[0] * np.exp(decay[0] * days)) @ back[0], 0.0)
    return result


def _normalised(belief: Floats) -> Floats:
    # twice as many sums, yet several times as fast as one over the axes 0 and 2 together
    return np.asarray(belief / (belief.sum(0) @ np.ones(len(STATES)))[:, None])


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
    """(N, 6) predicted at the message, its arrival counted, its words not; or just before the event."""
    after: Floats
    """(N, 6) with its words, or with the event."""
    last: Floats
    """(K, C, 6) belief after each customer's last row."""
    anchor: Floats
    """(K, C, 6) belief after the row asked for."""
    voiced: Floats
    """(C, 6) logarithm of the evidence of each customer's last contact so far, of which later turns forget a part."""


def run_filter(
    machine: MoodFilter,
    course: Course,
    likelihood: Floats,
    said: Floats,
    anchor: Integers,
    start: tuple[Floats, Floats] | None = None,
) -> Filtered:
    """Walk all customers at once, step k of everybody together.

    ``likelihood`` is (N, 6); ``said`` (N) is the probability that the row states a departure; ``anchor`` (C) counts the
    rows of each customer after which the belief is kept (at least 1). ``start`` goes on from where an earlier walk
    stood: belief (K, C, 6) and ``voiced`` (C, 6); a customer's first gap is then the days since that belief.
    """
    order = course.longest_first()
    kept = anchor[order]
    evidence = np.log(likelihood) * np.where(course.opens, 1.0, machine.parameters.turn_weight)[:, None]
    forgotten = np.where(course.threaded, 1 - machine.parameters.turn_memory, 0.0)[:, None]
    lead = None if course.lead is None else course.lead[order]
    belief, voiced = machine.start(len(order), lead), np.zeros((len(order), len(STATES)))
    if start is not None:
        belief, voiced = start[0][:, order], start[1][order]
    anchored = belief.copy()
    before, after = np.empty_like(likelihood), np.empty_like(likelihood)
    for step, rows in enumerate(course.steps()):
        active = len(rows)
        if step or start is not None:
            leak = voiced[:active] * forgotten[rows]
            belief[:, :active] = _before(machine, belief[:, :active], leak, course, rows)
        before[rows] = states_of(belief[:, :active])
        happened = np.flatnonzero(course.events[rows] >= 0)
        if len(happened):
            belief[:, happened] = machine.event(belief[:, happened], course.events[rows][happened])
        voiced[:active] = (
            np.where(course.opens[rows, None], 0.0, voiced[:active] * (1 - forgotten[rows])) + evidence[rows]
        )
        read = machine.weigh(belief[:, :active], np.exp(evidence[rows]))
        belief[:, :active] = machine.depart(read, said[rows])
        after[rows] = states_of(belief[:, :active])
        here = np.flatnonzero(kept[:active] == step + 1)
        anchored[:, here] = belief[:, here]
    back = np.argsort(order, kind="stable")
    return Filtered(before, after, belief[:, back], anchored[:, back], voiced[back])


def _before(machine: MoodFilter, belief: Floats, leak: Floats, course: Course, rows: Integers) -> Floats:
    opens, threaded, events = course.opens[rows], course.threaded[rows], course.events[rows]
    gaps, probation = course.gaps[rows], course.probation[rows]
    if opens.all():
        return machine.contact(belief, gaps, probation)
    happened = events >= 0
    burst = ~opens & ~threaded & ~happened
    predicted = np.empty_like(belief)
    predicted[:, opens] = machine.contact(belief[:, opens], gaps[opens], probation[opens])
    if happened.any():
        predicted[:, happened] = machine.silence(belief[:, happened], gaps[happened], probation[happened])
    predicted[:, threaded] = machine.reply(belief[:, threaded], leak[threaded])
    predicted[:, burst] = machine.again(belief[:, burst])
    return predicted


def text_evidence(
    parameters: Parameters, moods: Floats, channels: Integers | None = None, tilt: Floats | None = None
) -> Floats:
    """Return (N, 6) scaled likelihoods of texts whose readings are ``moods`` (N, 5); a row of nan says nothing.

    ``channels`` (N) are places in ``CHANNELS``, -1 for any; ``tilt`` (N, 5) makes message moods commoner by these
    logarithms, whatever the customer's mood.
    """
    unread = np.asarray(np.isnan(moods).any(1, keepdims=True))
    weights = np.where(unread, parameters.message_prior, moods) / parameters.message_prior
    if channels is None or not (np.any(parameters.channel_clarity != 1) or np.any(parameters.channel_tilt)):
        return tilted_evidence(parameters.emission, weights, tilt)
    result = np.empty((len(moods), len(STATES)))
    for channel in range(-1, len(CHANNELS)):
        rows = np.flatnonzero(channels == channel)
        part = None if tilt is None else tilt[rows]
        result[rows] = tilted_evidence(parameters.emission_on(channel), weights[rows], part)
    return result


def tilted_evidence(emission: Floats, weights: Floats, tilt: Floats | None = None) -> Floats:
    """Return (N, 6) the expected ``weights`` (N, C) of an outcome in each state, its odds changed by ``exp(tilt)``.

    ``sum_c B[s,c] exp(tilt[c]) weights[c] / sum_c B[s,c] exp(tilt[c])``: with ``weights`` one-hot the likelihood of an
    outcome, with a reading divided by its prior the scaled likelihood of a text, 1 where the text says nothing.
    """
    if tilt is None:
        return np.asarray(weights @ emission.T)
    odds = np.exp(tilt)
    return np.asarray((odds * weights) @ emission.T / (odds @ emission.T))


def rating_evidence(parameters: Parameters, ratings: Floats) -> Floats:
    """Return (N, 6) likelihoods of ratings from 1 to 5, between stars by interpolation; nan says nothing."""
    likelihood = tilted_evidence(parameters.rating_emission, star_weights(ratings))
    return np.where(np.isnan(ratings)[:, None], 1.0, likelihood)


def star_weights(ratings: Floats) -> Floats:
    """Return (N, 5) shares of whole stars in ratings from 1 to 5; 3.25 is three quarters of a 3; nan counts as 3."""
    given = np.nan_to_num(ratings, nan=3.0).clip(1.0, 5.0) - 1.0
    below = np.minimum(given.astype(np.int64), len(MOODS) - 2)
    shares, rows = np.zeros((len(ratings), 5)), np.arange(len(ratings))
    shares[rows, below] = 1 - (given - below)
    shares[rows, below + 1] = given - below
    return shares


def leave_evidence(parameters: Parameters, said: Floats) -> Floats:
    """Return (N, 6) scaled likelihoods of texts that say with probability ``said`` that the writer leaves."""
    voiced, usual = parameters.leave_voiced, parameters.leave_usual
    share = said[:, None]
    return np.asarray(share * voiced / usual + (1 - share) * (1 - voiced) / (1 - usual))


def message_evidence(
    parameters: Parameters,
    moods: Floats,
    ratings: Floats,
    said: Floats,
    channels: Integers | None = None,
    tilt: Floats | None = None,
) -> Floats:
    """Return (N, 6) likelihoods of whole messages, the best state at 1.

    Text and stars of one message say the same thing twice, so the text counts with ``rated_text_weight`` beside stars.
    ``channels`` and ``tilt`` are as in ``text_evidence``; what nobody wrote (an event) is a row of nan that says 1.
    """
    weight = np.where(np.isnan(ratings), 1.0, parameters.rated_text_weight)[:, None]
    text = text_evidence(parameters, moods, channels, tilt) * leave_evidence(parameters, said)
    likelihood = text**weight * rating_evidence(parameters, ratings)
    return np.asarray(np.maximum(likelihood / likelihood.max(1, keepdims=True), _LEAST))


_LEAST: Final = 1e-9
"""Floor of a likelihood, against readings that rule a state out."""


def risk(parameters: Parameters, states: Floats, days: float, probation: Floats | None = None) -> Floats:
    """Return the probability (n) of having left within ``days`` from now; ``probation`` (n) days of it are left."""
    if probation is None or not probation.any():
        return np.asarray(states @ expm(parameters.generator * days)[:, GONE])
    tried = np.minimum(probation, days)
    later = forecast(parameters.generator, forecast(parameters.on_probation(), states, tried), days - tried)
    return np.asarray(later[:, GONE])


def forecast(generator: Floats, states: Floats, days: Floats) -> Floats:
    """Return where customers who stand as ``states`` (n, 6) stand after ``days`` (n) of which nothing is heard.

    That is, ``states`` times the matrix exponential; silence counts as nothing here.
    """
    return np.asarray(_Silence(generator, np.zeros((1, LIVE)), 0.0).carry(states[None], days)[0])


def lead_evidence(parameters: Parameters, course: Course, until: Floats) -> Floats:
    """Return (C, 6) likelihoods of events that lie before customers' first messages, by the mood at that message.

    ``course`` holds the events, ``until`` (C) the days from each customer's last one to the message. Nobody listened
    then, so silence counts for nothing, and whoever wrote later had not left. Among themselves the moods are a
    birth-death chain, which is reversible (Kelly 1979, "Reversibility and Stochastic Networks"): what is known of an
    earlier state fades towards nothing as a forecast from it does, and an event that says nothing changes nothing.
    """
    settled, order = parameters.settled(), course.longest_first()
    moves = parameters.generator.copy()
    moves[:LIVE, GONE] = 0.0
    moves[np.diag_indices(len(STATES))] -= moves.sum(1)
    drift = _Silence(moves, np.zeros((1, LIVE)), 1.0)  # nobody is gone here, at whatever rate they would return
    states = np.tile(settled, (1, len(order), 1))
    for rows in course.steps():
        told = drift.carry(states[:, : len(rows)], course.gaps[rows]) * parameters.event_evidence[course.events[rows]]
        states[:, : len(rows)] = _normalised(told)
    lead = np.ones((len(order), len(STATES)))
    lead[order, :LIVE] = drift.carry(states, until[order])[0, :, :LIVE] / settled[:LIVE]
    return lead


def level_interval(states: Floats, share: float = 0.9) -> Floats:
    """Return (n, 2): the lowest and highest level between which a customer stands with probability ``share`` or more.

    Equal tails; levels are whole, because a customer stands on one state.
    """
    tail, rising = (1 - share) / 2 + 1e-12, np.cumsum(states[:, ::-1], axis=1)
    low = (rising < tail).sum(1)
    high = (rising < 1 - tail).sum(1).clip(0, GONE)
    return np.stack([low, high], axis=1).astype(np.float64)


def days_left(parameters: Parameters, states: Floats, horizon: int = 365, probation: Floats | None = None) -> Floats:
    """Return the days (n) until furious-or-gone is as likely as not: 0 if it is already, nan beyond ``horizon``.

    ``probation`` (n) days of it are left.
    """
    if probation is None or not probation.any():
        return _days_until_lost(parameters.generator, states, horizon)
    tried = parameters.on_probation()
    soon = _days_until_lost(tried, states, horizon)
    later = probation + _days_until_lost(parameters.generator, forecast(tried, states, probation), horizon)
    days = np.where(soon <= probation, soon, later)
    return np.where(days <= horizon, days, np.nan)


def _days_until_lost(generator: Floats, states: Floats, horizon: int) -> Floats:
    daily, lost = expm(generator), np.zeros((horizon + 1, len(STATES)))
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


def smooth(machine: MoodFilter, course: Course, likelihood: Floats, said: Floats) -> Floats:
    """Return (N, 6), where each customer stood at each row in the light of everything, also of what came later.

    The forward-backward algorithm (Rabiner 1989, "A tutorial on hidden Markov models"): given what was written, each
    row is one matrix, which the past meets from the left and the future from the right.
    """
    moves = _moves(machine, course, likelihood, said)
    steps = course.steps()
    lead = None if course.lead is None else course.lead[course.longest_first()]
    belief, past = machine.start(len(course.counts), lead), np.empty((len(moves), *likelihood.shape))
    for rows in steps:
        active = len(rows)
        belief[:, :active] = _normalised(np.einsum("kni,knij->knj", belief[:, :active], moves[:, rows]))
        past[:, rows] = belief[:, :active]
    future = np.ones_like(past)
    for rows in reversed(steps[1:]):
        told = np.einsum("knij,knj->kni", moves[:, rows], future[:, rows])
        future[:, rows - 1] = told / told.max((0, 2))[None, :, None]
    return states_of(_normalised(past * future))


def _moves(machine: MoodFilter, course: Course, likelihood: Floats, said: Floats) -> Floats:
    """Return (K, N, 6, 6): from just after the row before to just after this row, up to scale."""
    evidence = np.log(likelihood) * np.where(course.opens, 1.0, machine.parameters.turn_weight)[:, None]
    moves = np.tile(np.eye(len(STATES)), (len(machine.parameters.paces), len(evidence), 1, 1))
    later, happened = np.ones(len(evidence), dtype=bool), course.events >= 0
    later[course.starts] = False
    opens, burst = later & course.opens, later & ~course.opens & ~course.threaded & ~happened
    moves[:, opens] = machine.propagators(course.gaps[opens], course.probation[opens])
    moves[:, burst] = machine.again(np.eye(len(STATES)))
    moves[:, course.threaded] *= np.exp(-_leaks(machine, course, evidence)[course.threaded, None, :])
    moves[:, happened] = machine.happenings(course.gaps[happened], course.probation[happened], course.events[happened])
    moves *= np.exp(evidence)[:, None, :]
    going = said[:, None] * machine.parameters.leave_at_once
    departed = moves * (1 - going)[:, None, :]
    departed[..., GONE] += (moves * going[:, None, :]).sum(-1)
    return departed


def _leaks(machine: MoodFilter, course: Course, evidence: Floats) -> Floats:
    """Return (N, 6), the logarithm of the evidence that each later turn of a thread makes the conversation forget."""
    forgotten = np.where(course.threaded, 1 - machine.parameters.turn_memory, 0.0)
    leaks, voiced, starts = np.zeros_like(evidence), np.zeros(len(STATES)), set(course.starts.tolist())
    for row in range(len(evidence)):
        voiced = np.zeros(len(STATES)) if row in starts else voiced
        leaks[row] = voiced * forgotten[row]
        voiced = (0.0 if course.opens[row] else voiced - leaks[row]) + evidence[row]
    return leaks
