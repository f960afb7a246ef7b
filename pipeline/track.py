"""Follow each customer through what they wrote and what happened: where they stand, where they head, and why. Pure.

All customers are walked at once (``pipeline.mood_model.run_filter``) and what comes out stays in columns; nobody's
figures depend on who else is in the batch. Figures are rounded to nine decimals, so that a rebuild in other batches
gives the same stored values.

A customer is walked in two parts: up to 30 days before ``as_of``, and from there with the state of that day as a label
(``pipeline.walk``). The joint distribution of then and now gives the probability of standing lower than then exactly;
the two distributions alone would not.

Purchases, refunds and outcomes move a customer's line between two messages; points and ledger are of messages alone.
Who never wrote has no line.
"""

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa

from pipeline.drivers import without_each
from pipeline.histories import DAY, Histories
from pipeline.mood_model import (
    GONE,
    Course,
    Filtered,
    Flags,
    Floats,
    Integers,
    MoodFilter,
    Parameters,
    days_left,
    level_of,
    risk,
    states_of,
)
from pipeline.reasons import ITEMS, Booked, reasons
from pipeline.records import LEVELS, STATES, TOO_LATE, CustomerMood, Driver, LedgerEntry, MoodPoint
from pipeline.walk import Walk, labelled, labelling, spread, then_and_now, unlabelled

__all__ = ["Histories", "Tracked", "stages_of", "track"]

DEFAULT_VALUE: Final = 100.0
"""What a customer is worth where neither the company's records nor the caller say."""
WINDOW: Final = 30.0
"""Days over which the slope is taken and a lower step is looked for."""
SHORT_WINDOW: Final = 7.0
MARGIN: Final = 0.05
"""The stage crosses a border when the mass beyond it passes one half by this much, so that it does not flap."""
_PRAISE: Final = ITEMS.index("praise")
_MOOD: Final = ITEMS.index("mood")
_TAIL: Final = 0.1
_DECIMALS: Final = 9
_TIME: Final = pa.timestamp("us")
_UNSURE: Final = STATES.index("unsure")
_TROUBLED_SLOPE: Final = -0.5
_TROUBLED_RISK: Final = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Tracked:
    """What tracking gives, in the columns of the warehouse: times in UTC without a zone."""

    mood_table: pa.Table
    """One row a customer."""
    point_table: pa.Table
    """One row a message."""
    ledger_table: pa.Table
    """One or more rows a message."""

    @property
    def moods(self) -> list[CustomerMood]:
        """The customers' moods as records."""
        return [CustomerMood(**_record(row)) for row in self.mood_table.to_pylist()]

    @property
    def points(self) -> list[MoodPoint]:
        """The messages' points as records."""
        return [MoodPoint(**_record(row)) for row in self.point_table.to_pylist()]

    @property
    def ledger(self) -> list[LedgerEntry]:
        """The ledger as records."""
        return [LedgerEntry(**_record(row)) for row in self.ledger_table.to_pylist()]


def _record(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _field(value) for name, value in row.items()}


def _field(value: object) -> object:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    if isinstance(value, list):
        return tuple(Driver(**item) if isinstance(item, dict) else item for item in value)
    return value


@dataclass(frozen=True, slots=True, eq=False)
class _Followed:
    """What the filter found, before it is put into columns. N messages and events of C customers."""

    before: Floats
    """N x 6, just before each message is read or event weighed."""
    after: Floats
    """N x 6, just after."""
    now: Floats
    """C x 6, at ``as_of``."""
    slope_7d: Floats
    slope_30d: Floats
    lower_30d: Floats
    trial: Floats
    """C, days of probation that are left at ``as_of``."""
    risk_90d: Floats
    """C, of having left within 90 days from ``as_of``."""


def track(histories: Histories, parameters: Parameters, version: str, default_value: float = DEFAULT_VALUE) -> Tracked:
    """Run the mood model over what some customers wrote, as read by the classifier ``version``, and what happened.

    A customer without a known value counts as worth ``default_value``.
    """
    machine, walk = MoodFilter(parameters), Walk.of(histories, parameters)
    followed = _follow(histories, machine, walk)
    booked = _book(histories, parameters, walk.course, followed)
    moods = _moods(histories, machine, walk, followed, booked)
    values = np.where(np.isnan(histories.value), default_value, histories.value)
    moods["value_at_risk"] = pa.array(_rounded(values * _avoidable(parameters, followed)))
    moods["version"] = pa.array([version] * len(values), pa.string())
    return Tracked(
        pa.table({name: moods[name] for name in _MOOD_COLUMNS}),
        _points(histories, followed),
        _ledger(histories, booked),
    )


# ---- walking ------------------------------------------------------------------------------------------------------


def _follow(histories: Histories, machine: MoodFilter, walk: Walk) -> _Followed:
    """Walk to the day of the long window, then on with that day's state as a label."""
    course = walk.course
    heard, week = _heard_by(histories, course, WINDOW), _heard_by(histories, course, SHORT_WINDOW)
    early = np.maximum(heard, 1)
    first = walk.part(np.zeros_like(early), early).run(machine)
    waited = np.where(_goes_on(course, early), 0.0, _waited(histories, course, heard, WINDOW))
    then = machine.silence(first.last, waited, _tried(course, early, waited))
    recent = np.flatnonzero(course.counts > early)
    anchor = np.where(week > early, week - early, 1)[recent]
    labels = labelling(machine.parameters)
    second = (
        walk.part(early, course.counts)
        .sooner(waited[recent])
        .run(labels, anchor, (labelled(then[:, recent]), first.voiced[recent]))
    )
    quiet, trial = _quiet(histories, course), course.probation_left
    joint = labelled(then)
    joint[:, recent] = second.last
    passed = np.where(course.counts > early, 0.0, np.minimum(waited, quiet))
    rest = np.clip(trial - passed, 0.0, quiet - passed)
    joint = labels.silence(joint, quiet - passed, rest)
    now, ahead = _rounded(states_of(joint)), np.maximum(trial - quiet, 0.0)
    short, days = _last_week(first, second, recent, week > early), _waited(histories, course, week, SHORT_WINDOW)
    seven = machine.silence(short, days, _tried(course, np.maximum(week, 1), days))
    levels = level_of(states_of(joint))
    return _Followed(
        *_rows(course, early, first, second),
        now=now,
        slope_7d=_rounded(levels - level_of(states_of(seven))),
        slope_30d=_rounded(levels - level_of(states_of(then))),
        lower_30d=_rounded(np.triu(then_and_now(joint), 1).sum((1, 2))),
        trial=ahead,
        risk_90d=risk(machine.parameters, now, 90, ahead),
    )


def _heard_by(histories: Histories, course: Course, window: float) -> Integers:
    """Return how many rows (C) of each customer lay ``window`` days before ``as_of`` or further back."""
    cutoff = histories.as_of - int(window * DAY)
    sent = histories.sent_at <= cutoff[histories.codes]
    return np.add.reduceat(sent.astype(np.int64), course.starts) if len(sent) else np.zeros(0, dtype=np.int64)


def _waited(histories: Histories, course: Course, heard: Integers, window: float) -> Floats:
    """Return the days (C) from the last of the ``heard`` rows to the day ``window`` days before ``as_of``.

    0 where there was none: nothing is known of a customer before the first message, so a first message, however angry,
    is no slide.
    """
    cutoff = histories.as_of - int(window * DAY)
    days = (cutoff - histories.sent_at[course.starts + np.maximum(heard, 1) - 1]) / DAY
    return np.where(heard > 0, np.maximum(days, 0.0), 0.0)


def _goes_on(course: Course, early: Integers) -> Flags:
    """Tell of each customer (C) whether the next row is a turn of the same contact, in which the clock stands still."""
    following = np.minimum(course.starts + early, len(course.opens) - 1)
    return np.asarray((early < course.counts) & ~course.opens[following] & (course.events[following] < 0))


def _tried(course: Course, done: Integers, days: Floats) -> Floats:
    """Return how many of the ``days`` (C) after each customer's first ``done`` rows are on probation."""
    following = np.minimum(course.starts + done, len(course.opens) - 1)
    left = np.where(done < course.counts, course.probation[following], course.probation_left)
    return np.minimum(left, days)


def _quiet(histories: Histories, course: Course) -> Floats:
    last = histories.sent_at[course.ends]
    return np.asarray(np.maximum((histories.as_of - last) / DAY, 0.0))


def _last_week(first: Filtered, second: Filtered, recent: Integers, later: Flags) -> Floats:
    """Return the belief (K, C, 6) after the last message by the short window's cut-off."""
    belief = first.last.copy()
    chosen = later[recent]
    belief[:, recent[chosen]] = unlabelled(second.anchor[:, chosen])
    return belief


def _rows(course: Course, early: Integers, first: Filtered, second: Filtered) -> tuple[Floats, Floats]:
    """Put the two parts of the walk together: the states (N, 6) before and after each message.

    The clock stands still inside a contact, so before a later turn the customer stands where the turn before left them.
    What the turn loosens of that belongs to it: the effects of a contact add up to what the contact changed.
    """
    before, after = np.empty((2, int(course.counts.sum()), len(STATES)))
    parts = ((np.zeros_like(early), early, first), (early, course.counts - early, second))
    for begin, counts, found in parts:
        rows = spread(course.starts + begin, counts)
        before[rows], after[rows] = found.before, found.after
    turns = np.flatnonzero(~course.opens & (course.events < 0))
    before[turns] = after[turns - 1]
    return before, after


# ---- figures of a customer ----------------------------------------------------------------------------------------


_MOOD_COLUMNS: Final = tuple(column.name for column in fields(CustomerMood))


def _moods(
    histories: Histories, machine: MoodFilter, walk: Walk, followed: _Followed, booked: Booked
) -> dict[str, pa.Array]:
    parameters, course, now, trial = machine.parameters, walk.course, followed.now, followed.trial
    ends, levels = course.ends, level_of(now)
    stages, risk_90d = stages_of(followed.after, course, now), followed.risk_90d
    effects = level_of(followed.after) - level_of(followed.before)
    troubled = (stages >= _UNSURE) | (followed.slope_30d <= _TROUBLED_SLOPE) | (risk_90d >= _TROUBLED_RISK)
    saveable = now[:, GONE] < TOO_LATE
    without = without_each(histories, machine, walk, followed.after, effects, troubled & saveable)
    left, cumulated = np.round(days_left(parameters, now, probation=trial), 6), np.cumsum(now, axis=1)
    return {
        "customer_id": histories.customer_ids,
        "as_of": _times(histories.as_of),
        "mood": _lists(now),
        "stage": pa.array(STATES).take(pa.array(stages)),
        "level": pa.array(_rounded(levels)),
        "slope_30d": pa.array(followed.slope_30d),
        "risk_30d": pa.array(_rounded(risk(parameters, now, 30, trial))),
        "risk_90d": pa.array(_rounded(risk_90d)),
        "days_left": pa.array(left, mask=np.isnan(left)),
        "messages": pa.array(np.bincount(histories.codes[histories.written], minlength=len(now))),
        "last_message_at": _times(histories.sent_at[histories.last_written]),
        "reasons": reasons(histories, course, booked, effects, level_of(followed.after[ends]) - levels),
        "slope_7d": pa.array(followed.slope_7d),
        "lower_30d": pa.array(followed.lower_30d),
        "level_low": pa.array(_quantile(cumulated, 1 - _TAIL)),
        "level_high": pa.array(_quantile(cumulated, _TAIL)),
        "saveable": pa.array(saveable),
        "drivers": without.column(histories, levels),
    }


def stages_of(after: Floats, course: Course, now: Floats) -> Integers:
    """Return the stage (C) as an index into ``STATES``: the median state, held until it is clearly another.

    Each border between two states is crossed only when the mass beyond it passes one half by ``MARGIN``, message by
    message (``after``, N x 6) and then now (C x 6): a Schmitt trigger a border. It follows from the messages alone, not
    from when runs were made.
    """
    worse = np.zeros(len(now), dtype=np.int64)
    customer = np.repeat(np.arange(len(now)), course.counts)
    beyond_rows, beyond_now = 1 - np.cumsum(after, axis=1), 1 - np.cumsum(now, axis=1)
    for border in range(len(STATES) - 1):
        mass = beyond_rows[:, border]
        clear = np.abs(mass - 0.5) > MARGIN
        clear[course.starts] = True
        held = np.maximum.accumulate(np.where(clear, np.arange(len(mass)), 0)) if len(mass) else customer
        last = held[course.ends]
        present = beyond_now[:, border]
        worse += np.where(np.abs(present - 0.5) > MARGIN, present, mass[last]) > 0.5
    return worse


def _quantile(cumulated: Floats, share: float) -> Floats:
    place = (cumulated < share - 1e-12).sum(1).clip(0, GONE)
    return np.asarray(np.asarray(LEVELS)[place])


def _avoidable(parameters: Parameters, followed: _Followed) -> Floats:
    """Return the 90-day risk less what has left already and less what even a content customer would run."""
    now, trial = followed.now, followed.trial
    content = np.tile(np.eye(len(STATES))[STATES.index("content")], (len(now), 1))
    gone = now[:, GONE]
    return np.maximum(followed.risk_90d - gone - (1.0 - gone) * risk(parameters, content, 90, trial), 0.0)


# ---- the ledger ---------------------------------------------------------------------------------------------------


def _book(histories: Histories, parameters: Parameters, course: Course, followed: _Followed) -> Booked:
    """Book each effect: a cost on the dis-services named, a gain on praise, else on ``mood``."""
    effect = _rounded(level_of(followed.after)) - _rounded(level_of(followed.before))
    costs = (effect <= 0) & histories.named.any(1)
    row, item = np.nonzero(histories.named & costs[:, None])
    share = _shares(histories.chances[row, item], row, len(effect))
    whole = np.flatnonzero(~costs & (histories.events < 0))
    praised = (effect > 0) & histories.praises
    rows = np.concatenate([row, whole])
    items = np.concatenate([item, np.where(praised, _PRAISE, _MOOD)[whole]])
    shares = np.concatenate([share, np.ones(len(whole))])
    order = np.lexsort((items, rows))
    rows, items, shares = rows[order], items[order], shares[order]
    standing = _standing(histories, parameters, course, followed)
    return Booked(rows, items, _rounded(effect[rows] * shares), _rounded(standing[rows] * shares))


def _shares(chances: Floats, row: Integers, rows: int) -> Floats:
    """Return each named dis-service's share of its message, by its probability; equal shares where there is none."""
    total, named = np.bincount(row, chances, rows)[row], np.bincount(row, minlength=rows)[row]
    return np.where(total > 0, chances / np.where(total > 0, total, 1.0), 1.0 / named)


def _standing(histories: Histories, parameters: Parameters, course: Course, followed: _Followed) -> Floats:
    """Return what the model has not forgotten of each message's effect (N), in levels.

    The difference that the message made is carried to ``as_of`` as any belief is: by the generator through the days
    since, and by the stir of each contact since. What was said later does not count.
    """
    opened = np.cumsum(course.opens)
    later: Integers = opened[course.ends][histories.codes] - opened
    days = (histories.as_of[histories.codes] - histories.sent_at) / DAY + later * parameters.contact_days
    roots, vectors = np.linalg.eig(parameters.generator)
    weights = np.linalg.solve(vectors, np.asarray(LEVELS)).real
    parts = (followed.after - followed.before) @ vectors.real * weights
    kept = (1 - parameters.contact_shock) ** later
    return np.asarray((parts * np.exp(np.outer(days, roots.real))).sum(1) * kept)


# ---- columns ------------------------------------------------------------------------------------------------------


def _points(histories: Histories, followed: _Followed) -> pa.Table:
    rows = histories.written
    before, after = followed.before[rows], followed.after[rows]
    return pa.table(
        {
            "customer_id": histories.customer_ids.take(pa.array(histories.codes[rows])),
            "message_id": histories.message_ids.take(pa.array(rows)),
            "at": _times(histories.sent_at[rows]),
            "mood": _lists(_rounded(after)),
            "level": pa.array(_rounded(level_of(after))),
            "level_before": pa.array(_rounded(level_of(before))),
        }
    )


def _ledger(histories: Histories, booked: Booked) -> pa.Table:
    rows = pa.array(booked.row)
    return pa.table(
        {
            "customer_id": histories.customer_ids.take(pa.array(histories.codes[booked.row])),
            "message_id": histories.message_ids.take(rows),
            "at": _times(histories.sent_at[booked.row]),
            "item": pa.array(ITEMS).take(pa.array(booked.item)),
            "effect": pa.array(booked.effect),
            "standing": pa.array(booked.standing),
        }
    )


def _times(microseconds: Integers) -> pa.Array:
    return pa.array(microseconds, pa.int64()).cast(_TIME)


def _lists(figures: Floats) -> pa.Array:
    count, width = figures.shape
    offsets = pa.array(np.arange(0, count * width + 1, width), pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.array(np.ascontiguousarray(figures).ravel()))


def _rounded(figures: Floats) -> Floats:
    return np.asarray(np.round(figures, _DECIMALS) + 0.0)
