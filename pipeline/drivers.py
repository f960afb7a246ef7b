"""What moved a customer most, exactly: the figures are computed again without a message, or without the silence."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.histories import DAY, Histories
from pipeline.mood_model import Course, Flags, Floats, Integers, MoodFilter, level_of, risk, states_of
from pipeline.records import STATES, Driver
from pipeline.walk import Walk

MOST: Final = 3
"""Messages that are left out, one at a time."""
WORTH_TRYING: Final = 0.05
"""Levels that a message moved at once."""
MEMORY: Final = 365.0
"""Days after which a message is not tried any more."""
FADE: Final = 60.0
"""Days after which a message counts half as much in the choice of those that are tried."""
QUIET: Final = 14.0
"""Days of silence from which it is tried."""
_DECIMALS: Final = 9


@dataclass(frozen=True, slots=True, eq=False)
class Without:
    """D figures, each of one customer without one thing. ``row`` is the message's, -1 for the silence."""

    customer: Integers
    row: Integers
    level: Floats
    risk_90d: Floats

    def column(self, histories: Histories, levels: Floats) -> pa.Array:
        """Return a list of drivers a customer, what moved the level most first."""
        moved = np.abs(levels[self.customer] - self.level)
        order = np.lexsort((self.row, -moved, self.customer))
        silent = pa.array(self.row[order] < 0)
        ids = histories.message_ids.take(pa.array(self.row[order], mask=self.row[order] < 0))
        kinds = pc.if_else(silent, "silence", "message")
        figures = [pa.array(np.round(column[order], _DECIMALS)) for column in (self.level, self.risk_90d)]
        drivers = pa.StructArray.from_arrays([kinds, ids, *figures], names=[item.name for item in fields(Driver)])
        ends = np.searchsorted(self.customer[order], np.arange(len(levels) + 1))
        return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), drivers)


def without_each(
    histories: Histories, machine: MoodFilter, walk: Walk, after: Floats, effects: Floats, needing: Flags
) -> Without:
    """Leave out, one at a time, the messages that moved the customers in ``needing`` (C) most, and their silence.

    Without a message means that it was never sent: its words, its stars and its arrival are gone. ``after`` (N, 6) are
    the states after each message, ``effects`` (N) what each did at once, in levels.
    """
    messages = _messages(histories, machine, walk, _candidates(histories, walk.course, effects, needing))
    silences = _silences(histories, machine, walk.course, after, needing)
    pairs = zip(messages, silences, strict=True)
    return Without(*(np.concatenate(pair) for pair in pairs))


_Figures = tuple[Integers, Integers, Floats, Floats]


def _candidates(histories: Histories, course: Course, effects: Floats, needing: Flags) -> Integers:
    """Return the rows to leave out: at most ``MOST`` a customer; a customer's only message is none."""
    codes = histories.codes
    age = (histories.as_of[codes] - histories.sent_at) / DAY
    chosen = needing[codes] & (np.abs(effects) >= WORTH_TRYING) & (age <= MEMORY)
    rows = np.flatnonzero(chosen & _can_go(histories, course))
    weight = np.abs(effects[rows]) * 0.5 ** (age[rows] / FADE)
    order = rows[np.lexsort((rows, -np.round(weight, _DECIMALS), codes[rows]))]
    place = np.arange(len(order)) - np.searchsorted(codes[order], codes[order])
    return np.asarray(order[place < MOST])


def _can_go(histories: Histories, course: Course) -> Flags:
    """Tell of each row (N) whether the customer's line would be what it is, had this not been written.

    A line begins with a message. The first one stays where an event is known of before the second, as that event would
    then lie before the line; and an event is not left out.
    """
    messages = histories.events < 0
    first = np.zeros(len(messages), dtype=bool)
    first[course.starts] = True
    fixed = np.append(~messages[1:], True) | (np.roll(histories.codes, -1) != histories.codes)
    fixed |= np.isin(histories.codes, histories.earlier.codes)
    return np.asarray(messages & ~(first & fixed))


def _messages(histories: Histories, machine: MoodFilter, walk: Walk, left_out: Integers) -> _Figures:
    customers = histories.codes[left_out]
    if not len(left_out):
        return customers, left_out, np.zeros(0), np.zeros(0)
    others = walk.without(left_out, customers, histories, machine.parameters)
    course, last = others.course, others.run(machine).last
    ends = walk.course.ends[customers]
    ends = np.where(ends == left_out, ends - 1, ends)
    quiet = np.maximum((histories.as_of[customers] - histories.sent_at[ends]) / DAY, 0.0)
    trial = course.probation_left
    states = states_of(machine.silence(last, quiet, np.minimum(trial, quiet)))
    risks = risk(machine.parameters, states, 90, np.maximum(trial - quiet, 0.0))
    return customers, left_out, level_of(states), risks


def _silences(histories: Histories, machine: MoodFilter, course: Course, after: Floats, needing: Flags) -> _Figures:
    ends = course.ends
    quiet = (histories.as_of - histories.sent_at[ends]) / DAY
    customers = np.flatnonzero(needing & (quiet >= QUIET))
    states = after[ends[customers]].reshape(-1, len(STATES))
    rows = np.full(len(customers), -1, dtype=np.int64)
    risks = risk(machine.parameters, states, 90, course.probation_left[customers])
    return customers, rows, level_of(states), risks
