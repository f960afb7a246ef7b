"""Customers made up by the mood model itself, whose true mood and day of leaving are known, and what they check.

If the code is right, a model that is told nothing but the messages must say the truth as often as it claims to: its
distributions must cover the true states, its risks must come true, and a fit must find the figures again. It says
nothing of real customers; it finds mistakes.
"""

from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np
from scipy.linalg import expm

from pipeline.fit import drawn, errors, fit
from pipeline.likelihood import Walk
from pipeline.mood_model import GONE, Flags, Floats, Integers, MoodFilter, Parameters, generator_of, risk, states_of
from pipeline.sequences import Sequences

Report: TypeAlias = dict[str, Any]
_TURN: Final = 5 / 1440
"""Days between two turns of one contact."""


@dataclass(frozen=True, slots=True, eq=False)
class Simulated:
    """What made-up customers wrote until ``end``, and the truth about them."""

    sequences: Sequences
    """Messages until ``end``, with moods as labels; everybody was heard until then."""
    end: float
    state: Integers
    """C, where each customer stood at ``end``; ``gone`` for those who had left."""
    left_at: Floats
    """C, the day of leaving for good within the simulated time; infinite for none."""


def simulate(parameters: Parameters, customers: int, days: float, horizon: float = 90.0, seed: int = 0) -> Simulated:
    """Walk ``customers`` people for ``days`` and the ``horizon`` after them, event by event.

    Moves, departures and contacts compete as exponential clocks (Gillespie 1977); a contact stirs the mood as
    ``MoodFilter.contact`` does, and has a further turn with ``turn_chance``. Everybody's first contact is on day 0.
    """
    world = _World(parameters, customers, np.random.default_rng(seed))
    world.write(np.arange(customers))
    while world.live(days + horizon).any():
        world.step(days, days + horizon)
    rows = [(f"s{c:07}", day, mood) for day, c, mood in world.messages if day <= days]
    sequences = Sequences.of("simulated", "mood", rows)
    sequences = replace(sequences, heard=np.full(customers, days))
    return Simulated(sequences, days, world.state_at_end, world.left_at)


class _World:
    """Everybody's clock, state and pace."""

    def __init__(self, parameters: Parameters, customers: int, rng: np.random.Generator) -> None:
        self.parameters, self.rng = parameters, rng
        self.clock, self.left_at = np.zeros(customers), np.full(customers, np.inf)
        self.pace = rng.choice(parameters.paces, customers, p=parameters.pace_weights)
        self.state = rng.choice(GONE + 1, customers, p=parameters.initial)
        self.state_at_end, self._kept = self.state.copy(), np.zeros(customers, dtype=bool)
        self.messages: list[tuple[float, int, int]] = []
        machine, units = MoodFilter(parameters), np.eye(GONE + 1)
        self._turn = machine.again(units)
        moves = _without_hazards(parameters)
        shock = parameters.contact_shock
        self._stir = (1 - shock) * expm(moves * parameters.contact_days) + shock * parameters.initial

    def live(self, end: float) -> Flags:
        return np.asarray(self.clock < end)

    def step(self, days: float, end: float) -> None:
        """Let the next thing happen to everybody whose clock has not run out."""
        who = np.flatnonzero(self.live(end))
        state, generator = self.state[who], self.parameters.generator
        arrivals = self.parameters.arrivals[state] * np.where(state == GONE, 1.0, self.pace[who])
        moves = -generator[state, state]
        self.clock[who] += self.rng.exponential(1 / (arrivals + moves))
        self._keep(who[(self.clock[who] > days) & ~self._kept[who]])
        who, happens = who[self.clock[who] < end], self.clock[who] < end
        writes = self.rng.random(len(who)) < (arrivals / (arrivals + moves))[happens]
        self._move(who[~writes])
        self._contact(who[writes])

    def _keep(self, who: Integers) -> None:
        self.state_at_end[who], self._kept[who] = self.state[who], True

    def _move(self, who: Integers) -> None:
        chances = np.maximum(self.parameters.generator[self.state[who]], 0.0)
        self.state[who] = self._drawn(chances / chances.sum(1, keepdims=True))
        left = who[self.state[who] == GONE]
        self.left_at[left] = self.clock[left]

    def _contact(self, who: Integers) -> None:
        back = who[self.state[who] == GONE]
        self.state[back] = self._drawn(np.tile(self.parameters.return_to, (len(back), 1)))
        self.left_at[back] = np.inf
        self.state[who] = self._drawn(self._stir[self.state[who]])
        self.write(who)

    def write(self, who: Integers) -> None:
        """Write a message of a contact, and its further turns."""
        while len(who):
            moods = self._drawn(self.parameters.emission[self.state[who]])
            self.messages += zip(self.clock[who].tolist(), who.tolist(), moods.tolist(), strict=True)
            who = who[self.rng.random(len(who)) < self.parameters.turn_chance[self.state[who]]]
            self.clock[who] += _TURN
            self.state[who] = self._drawn(self._turn[self.state[who]])

    def _drawn(self, chances: Floats) -> Integers:
        lots = self.rng.random((len(chances), 1)) * (1 - 1e-12)
        return np.asarray((np.cumsum(chances, axis=1) < lots).sum(1))


def _without_hazards(parameters: Parameters) -> Floats:
    steps = np.arange(GONE - 1)
    down, up = parameters.generator[steps, steps + 1], parameters.generator[steps + 1, steps]
    return generator_of(down, up, np.zeros(GONE))


def truths(parameters: Parameters, world: Simulated) -> Report:
    """Return how true the filter's claims about made-up customers are.

    ``coverage``: how many true states lie within the central 90 % of the distribution claimed at the end, ties drawn by
    lot (the randomised probability integral transform; Czado, Gneiting and Held 2009). ``churn``: for 30 and 90 days,
    the mean risk claimed and the share that left, over all and in ten bins of those who were not known to be gone.
    """
    now = at_end(parameters, world)
    rng, rows = np.random.default_rng(1), np.arange(len(now))
    below = np.cumsum(now, axis=1)[rows, world.state] - now[rows, world.state]
    place = below + rng.random(len(now)) * now[rows, world.state]
    return {
        "customers": len(now),
        "coverage": round(float(((place > 0.05) & (place < 0.95)).mean()), 4),
        "churn": {str(days): _churn(parameters, world, now, days) for days in (30, 90)},
    }


def at_end(parameters: Parameters, world: Simulated) -> Floats:
    """Return (C, 6), where the filter believes each customer to stand at ``world.end``."""
    walk = Walk(world.sequences, parameters)
    belief = walk.beliefs(walk.pieces(parameters))
    last = walk.course.ends
    return states_of(MoodFilter(parameters).silence(belief[:, last], world.end - world.sequences.days[last]))


def _churn(parameters: Parameters, world: Simulated, now: Floats, days: int) -> Report:
    claimed = risk(parameters, now, days)
    left = (world.state == GONE) | (world.left_at <= world.end + days)
    order = np.argsort(claimed, kind="stable")
    bins = [part for part in np.array_split(order, 10) if len(part)]
    gaps = [abs(float(claimed[part].mean() - left[part].mean())) for part in bins]
    return {
        "claimed": round(float(claimed.mean()), 4),
        "left": round(float(left.mean()), 4),
        "calibration_error": round(float(np.average(gaps, weights=[len(part) for part in bins])), 4),
        "worst_bin": round(max(gaps), 4),
    }


def recovery(prior: Parameters, customers: int, days: float, seed: int = 0) -> Report:
    """Return how well a fit finds figures again that were drawn from its own prior.

    ``coverage`` is the share of figures whose 90 % interval (the normal approximation at the optimum) holds the truth;
    ``shrunk`` is the mean width of those intervals against the prior's, 1 where the data said nothing.
    """
    truth, vector, places = drawn(prior, seed)
    found = fit([simulate(truth, customers, days, seed=seed).sequences], prior)
    error = errors(found)[places]
    inside = np.abs(found.point - vector)[places] <= _NINETY * error
    return {
        "figures": len(places),
        "inside": int(inside.sum()),
        "coverage": round(float(inside.mean()), 4),
        "shrunk": round(float(error.mean()), 4),
    }


_NINETY: Final = 1.6449
"""Standard errors to each side of 90 % of a normal distribution."""
