"""What a message owes to habit and to the talk of the minute rather than to mood: its echo.

Some people always write sternly; whoever has just been thanked thanks back; a question follows a question. None of it
says how the customer stands, all of it is known before the message is written, and it changes the odds of what will be
written. So each message's emission is tilted by it: ``B[s, m] exp(tilt[m])`` in place of ``B[s, m]``, normalised. A
hidden Markov model whose emissions also depend on what was observed before is an autoregressive one (Hamilton 1989, "A
new approach to the economic analysis of nonstationary time series"; Bengio and Frasconi 1995, "An input output HMM
architecture"). The tilt never depends on the mood, so an angrier message still lowers the expected level.

``tilt = directions @ (weights @ features) + habit[0] * mostly + habit[1] * lately``; all of it is logarithms of odds.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.labels import INTENTS, MOODS
from pipeline.mood_model import ECHO_FEATURES, Course, Flags, Floats

FEATURES: Final = (
    "a later message",
    "a later turn of a contact",
    "minutes since the turn before (log)",
    "days since the contact before (log)",
    "kindness of the message before",
    "strength of the message before",
    "kindness lately",
    "strength lately",
    "messages so far (log)",
    *(f"the message before reads {mood}" for mood in MOODS),
    *(f"the message before is {intent}" for intent in INTENTS),
    "the message before names a dis-service",
    "the message before was read",
)
assert len(FEATURES) == ECHO_FEATURES
KINDNESS: Final = np.array([1.0, 0.6, 0.0, -0.6, -1.0])
"""Of the five message moods, best first."""
READING: Final = len(MOODS) + len(INTENTS) + 1
"""Columns of a reading as this module takes it: moods, intents, the likeliest dis-service."""
_LATELY: Final = 0.6
"""Share of a message's weight that is left at the message after."""
_GRAINS: Final = 2.0
"""How many messages the even mix counts for that habits are weighed against."""


@dataclass(frozen=True, slots=True, eq=False)
class Echo:
    """What is known before each of N messages, for a scale of C outcomes."""

    features: Floats
    """(N, F), 0 for a customer's first message."""
    mostly: Floats
    """(N, C), logarithm of how much commoner than evenly each outcome was so far."""
    lately: Floats
    """(N, C), the same, recent messages first."""

    @classmethod
    def of(cls, course: Course, outcomes: Floats, kindness: Floats, readings: Floats | None) -> "Echo":
        """Look back from each row.

        ``outcomes`` (N, C) are shares of what each message turned out to be, ``kindness`` (C) from -1 to 1 what those
        outcomes mean, ``readings`` (N, 21) what the classifier read, rows of nan where there was no text.
        """
        turn, gaps = np.roll(~course.opens, -1), np.roll(course.gaps, -1)
        ahead = cls.ahead(course, outcomes, kindness, readings, turn, gaps)
        return cls(*(_shifted(course, part) for part in (ahead.features, ahead.mostly, ahead.lately)))

    @classmethod
    def ahead(
        cls, course: Course, outcomes: Floats, kindness: Floats, readings: Floats | None, turn: Flags, gaps: Floats
    ) -> "Echo":
        """Look from each row at a message that would follow it ``gaps`` (N) days later, as a ``turn`` (N) or not."""
        lately = _LATELY * _running(course, outcomes, _LATELY) + outcomes
        mostly = _running(course, outcomes, 1.0) + outcomes
        recent = lately / lately.sum(1, keepdims=True)
        strength = np.abs(kindness)
        columns = [
            np.ones(len(outcomes)),
            turn,
            turn * np.log10(1 + gaps * 1440) / 3,
            ~turn * np.log10(1 + gaps) / 3,
            outcomes @ kindness,
            outcomes @ strength,
            recent @ kindness,
            recent @ strength,
            np.log(mostly.sum(1)),
        ]
        features = np.zeros((len(outcomes), ECHO_FEATURES))
        features[:, : len(columns)] = np.stack(columns, axis=1)
        if readings is not None:
            features[:, len(columns) : -1] = np.nan_to_num(readings)
            features[:, -1] = ~np.isnan(readings).any(1)
        return cls(features, _surprise(mostly), _surprise(lately))

    def tilt(self, weights: Floats, habit: Floats, kindness: Floats) -> Floats:
        """Return (N, C); ``weights`` (2, F) are towards kind outcomes and towards strong ones, ``habit`` (2)."""
        directions = np.stack([kindness, np.abs(kindness)])
        return np.asarray(self.features @ weights.T @ directions + habit[0] * self.mostly + habit[1] * self.lately)


def _surprise(tally: Floats) -> Floats:
    kinds = tally.shape[1]
    shares = (tally + _GRAINS / kinds) / (tally.sum(1, keepdims=True) + _GRAINS)
    return np.asarray(np.log(shares * kinds))


def _shifted(course: Course, ahead: Floats) -> Floats:
    """Return what was ahead of the row before; 0 for a first row."""
    back = np.roll(ahead, 1, axis=0)
    back[course.starts] = 0.0
    return back


def _running(course: Course, outcomes: Floats, keep: float) -> Floats:
    """Return (N, C), the sum of each customer's earlier outcomes, each ``keep`` times as heavy as the one after it."""
    tally = np.zeros_like(outcomes)
    for rows in course.steps()[1:]:
        tally[rows] = keep * tally[rows - 1] + outcomes[rows - 1]
    return tally
