"""Who will write in anger next: the slide warning.

The chance that a negative message follows within a horizon is the chance that anything does, times the chance that it
is negative. The second is foreseen as any step is. The first the mood model knows from mood and pace alone, but whether
somebody writes again also hangs on how the talk stands: a question awaits an answer, thanks end it, who wrote a minute
ago is not done yet. So its odds are corrected by a logistic regression on what is known once a message is written, with
the model's own odds among it (a landmark model: van Houwelingen 2007, "Dynamic prediction by landmarking in event
history analysis"). It learns from every message that was followed for a whole horizon, angry ones too: there are many
times more of them than slides. Weights of zero leave the mood model's own chance.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.optimize import minimize

from pipeline.echo import FEATURES, Echo
from pipeline.likelihood import Walk, foreseen
from pipeline.mood_model import Flags, Floats, MoodFilter, Parameters, states_of
from pipeline.sequences import Sequences, echo_weights, outcome_shares

KNOWN: Final = (*FEATURES, "there was a message before", "minutes since it (log)", "log-odds by the mood model")
"""What the correction looks at. Those of ``FEATURES`` that tell of a wait tell of the one before this very message."""
_TURNS_KNOWN: Final = 20.0
"""How many messages what ``turn_chance`` said before counts for."""
_SPREAD: Final = np.where(np.arange(len(KNOWN)) == 0, 3.0, 0.5)
"""Prior standard deviations of the weights around zero: how often people write again is for the data to say."""
_TURN_GAP: Final = 5 / 1440
"""Days until a next turn, where it is not known."""


@dataclass(frozen=True, slots=True, eq=False)
class SlideModel:
    """What warns of slides: the mood model, and what corrects its chance that a customer writes again in time."""

    parameters: Parameters
    horizon: float
    """Days within which a warning must come true."""
    weights: Floats
    """One for each of ``KNOWN``; zero leaves the mood model's own chance."""

    @classmethod
    def fit(cls, seen: Sequences, parameters: Parameters, horizon: float) -> "SlideModel":
        """Learn from customers how many messages have a later turn, and who writes again within ``horizon`` days.

        The weights are those of a logistic regression with Gaussian priors, of rows followed for a whole horizon.
        """
        tuned = with_turns(parameters, seen)
        ahead = _Ahead.of(seen, tuned, horizon)
        followed = seen.days + horizon <= seen.days.max()
        wait = np.append(np.diff(seen.days), np.inf)
        again = np.append(seen.later[1:], False) & (wait <= horizon)
        return cls(tuned, horizon, _regressed(ahead.known[followed], ahead.odds[followed], again[followed]))

    def warnings(self, sequences: Sequences) -> tuple[Floats, Floats]:
        """Return just after each row (N) the chance of a negative message next within the horizon, and whenever."""
        ahead = _Ahead.of(sequences, self.parameters, self.horizon)
        again = _chance(ahead.odds + ahead.known @ self.weights)
        return ahead.soon * again, ahead.ever


def with_turns(parameters: Parameters, seen: Sequences) -> Parameters:
    """Return the same with ``turn_chance`` as ``seen`` has it: of messages in each state, how many had a later turn."""
    walk = Walk(seen, parameters)
    stood = states_of(walk.beliefs(walk.pieces(parameters)))
    followed = np.append(seen.later[1:] & ~walk.course.opens[1:], False).astype(np.float64)
    known = parameters.turn_chance * _TURNS_KNOWN
    return replace(parameters, turn_chance=(followed @ stood + known) / (stood.sum(0) + _TURNS_KNOWN)).check()


@dataclass(frozen=True, slots=True, eq=False)
class _Ahead:
    """What the mood model foresees just after each of N messages."""

    odds: Floats
    """(N) log-odds that another follows within the horizon."""
    soon: Floats
    """(N) the chance that it is negative if it does."""
    ever: Floats
    """(N) the chance that the next message is negative, whenever it comes."""
    known: Floats
    """(N, KNOWN)"""

    @classmethod
    def of(cls, sequences: Sequences, parameters: Parameters, horizon: float) -> "_Ahead":
        """Look ahead: the next message is a later turn of the same contact (``turn_chance``) or opens a contact.

        When a contact opens is unknown: the density of its arrival is summed over a grid of waits, growing in steps,
        up to the horizon.
        """
        walk, machine = Walk(sequences, parameters), MoodFilter(parameters)
        belief = walk.beliefs(walk.pieces(parameters))
        turning = states_of(machine.again(belief * parameters.turn_chance))
        waiting = belief * (1 - parameters.turn_chance)
        grid = np.geomspace(min(max(parameters.contact_gap, 1e-3), horizon), horizon, 16)
        density = np.einsum("kni,kgij->ngj", waiting, machine.propagators(grid))
        opening = np.trapezoid(density, grid, axis=1)
        turn, contact = turning.sum(1), opening.sum(1)
        sour_turn = _negative(walk, parameters, True, _TURN_GAP, turning)
        sour_contact = _negative(walk, parameters, False, min(3.0, horizon), opening)
        odds = _log_odds(turn + contact)
        return cls(
            odds=odds,
            soon=(sour_turn * turn + sour_contact * contact) / (turn + contact),
            ever=sour_turn * turn + sour_contact * (1 - turn),
            known=_known(walk, odds),
        )


def _negative(walk: Walk, parameters: Parameters, turn: bool, gap: float, states: Floats) -> Floats:
    """Return (N) the chance that a next message, ``gap`` days later, is negative, given states up to scale."""
    sequences, count = walk.sequences, len(states)
    turns, gaps = np.full(count, turn), np.full(count, gap)
    echo = Echo.ahead(walk.course, sequences.shares(), sequences.kindness, sequences.readings, turns, gaps)
    tilt = echo.tilt(*echo_weights(parameters, sequences.scale), sequences.kindness)
    stood = states / np.maximum(states.sum(1, keepdims=True), 1e-300)
    shares = foreseen(stood, outcome_shares(parameters, sequences.scale), tilt)
    return np.asarray(shares[:, sequences.kindness < 0].sum(1))


def _known(walk: Walk, odds: Floats) -> Floats:
    sequences, course = walk.sequences, walk.course
    echo = Echo.ahead(
        course, sequences.shares(), sequences.kindness, sequences.readings, ~course.opens, course.gaps
    )  # of the wait before this message, where the echo of a forecast would look at the one after
    minutes = np.log10(1 + course.gaps * 1440) / 3
    return np.column_stack([echo.features, sequences.later, minutes, odds])


def _regressed(known: Floats, offset: Floats, came: Flags) -> Floats:
    """Return the weights of a logistic regression with an offset, at the maximum of the posterior; zero of no rows."""

    def loss(weights: Floats) -> tuple[float, Floats]:
        odds, strayed = offset + known @ weights, weights / _SPREAD
        value = float((np.logaddexp(0.0, odds) - came * odds).sum() + strayed @ strayed / 2)
        return value, known.T @ (_chance(odds) - came) + strayed / _SPREAD

    return np.asarray(minimize(loss, np.zeros(len(KNOWN)), jac=True, method="L-BFGS-B").x)


def _chance(odds: Floats) -> Floats:
    return np.asarray(np.exp(-np.logaddexp(0.0, -odds)))


def _log_odds(chance: Floats) -> Floats:
    kept = chance.clip(1e-3, 1 - 1e-3)
    return np.asarray(np.log(kept / (1 - kept)))
