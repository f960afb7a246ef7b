"""Why a customer stands where they do, in plain words, made for all customers at once: strings are built a column."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.labels import DISSERVICES
from pipeline.histories import DAY, Histories
from pipeline.mood_model import ALIVE, EVENTS, LEFT, Course, Flags, Floats, Integers

ITEMS: Final = (*DISSERVICES, "praise", "mood")
"""What an effect is booked on; ``mood`` where a message names nothing."""
_WORDS: Final = {
    "no_human": "no human to reach",
    "long_wait": "long wait",
    "runaround": "run-around",
    "ignored": "being ignored",
    "canned_reply": "canned reply",
    "broken_promise": "broken promise",
    "rude_staff": "rude staff",
    "billing_error": "billing error",
    "late_or_missing": "late or missing delivery",
    "faulty_product": "faulty product",
    "outage_or_bug": "outage or bug",
    "unwanted_contact": "unwanted contact",
    "policy_friction": "policy in the way",
    "unresolved": "problem left unresolved",
    "praise": "praise",
}
_EVENT_WORDS: Final = {
    "purchase": "purchase",
    "refund": "refund",
    "left": "departure",
    "renewed": "renewal",
    "won_back": "return",
}
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_REASONS: Final = 4
_FADE: Final = 60.0
"""Days after which what happened weighs half as much among the reasons."""
_MEMORY: Final = 365.0
"""Days after which it is no reason any more."""
_WORTH_TELLING: Final = 0.05
"""Levels."""
_WORTH_BOOKING: Final = 0.005
_GAIN: Final = 0.5
"""Weight of what did good: what harms is told first."""
_STATED: Final = 1.5
_DEPARTED: Final = 10.0
_QUIET: Final = 14.0
"""Days of silence from which it may be a reason."""


@dataclass(frozen=True, slots=True, eq=False)
class Booked:
    """E entries of the ledger, in the order of messages and items."""

    row: Integers
    """The message's."""
    item: Integers
    """Index into ``ITEMS``."""
    effect: Floats
    """Levels at once; negative is a cost."""
    standing: Floats
    """Levels that stand at ``as_of``; see ``pipeline.ledger``."""


@dataclass(frozen=True, slots=True, eq=False)
class _Reasons:
    """Candidates: whose, how heavy, in which words."""

    customer: Integers
    weight: Floats
    words: pa.Array


def reasons(histories: Histories, course: Course, booked: Booked, effects: Floats, fallen: Floats) -> pa.Array:
    """Return a list of reasons a customer (C), the heaviest first.

    ``effects`` (N) are what each row did at once, ``fallen`` (C) what silence cost, in levels.
    """
    found = [
        _booked(histories, booked),
        _statements(histories),
        _departures(histories),
        _events(histories, effects),
        _silences(histories, course, fallen),
    ]
    customer = np.concatenate([reason.customer for reason in found])
    weight = np.concatenate([reason.weight for reason in found])
    words = pa.concat_arrays([reason.words for reason in found])
    order = np.lexsort((np.arange(len(customer)), -np.round(weight, 9), customer))
    place = np.arange(len(order)) - np.searchsorted(customer[order], customer[order])
    order = order[place < _REASONS]
    ends = np.searchsorted(customer[order], np.arange(len(histories.as_of) + 1))
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), words.take(pa.array(order)))


def _age(histories: Histories, rows: Integers) -> Floats:
    return np.asarray((histories.as_of[histories.codes[rows]] - histories.sent_at[rows]) / DAY)


def _booked(histories: Histories, booked: Booked) -> _Reasons:
    """Sum the entries of the last year by customer, item and direction."""
    age = _age(histories, booked.row)
    chosen = (age <= _MEMORY) & (np.abs(booked.effect) >= _WORTH_BOOKING)
    rows, age, effect = booked.row[chosen], age[chosen], booked.effect[chosen]
    customer = histories.codes[rows]
    key = (customer * len(ITEMS) + booked.item[chosen]) * 2 + (effect > 0)
    keys, group = np.unique(key, return_inverse=True)
    total = np.bincount(group, effect, len(keys)).astype(np.float64)
    gain = keys % 2 == 1
    worn = np.abs(effect) * 0.5 ** (age / _FADE)
    weight = np.bincount(group, worn, len(keys)).astype(np.float64) * np.where(gain, _GAIN, 1.0)
    days, since = _days(group, histories.sent_at[rows] // DAY, len(keys))
    told = np.flatnonzero(np.abs(total) >= _WORTH_TELLING)
    whose = keys // (2 * len(ITEMS))
    nouns = _nouns((keys // 2 % len(ITEMS))[told], gain[told])
    when = _occasions(days[told], _dates(since[told], histories.as_of[whose[told]]))
    words = pc.binary_join_element_wise(nouns, when, _moved(total[told]), " ")
    return _Reasons(whose[told], weight[told], words)


def _days(group: Integers, day: Integers, groups: int) -> tuple[Integers, Integers]:
    """Return on how many different days the entries of each group lie, and the first of them."""
    order = np.lexsort((day, group))
    group, day = group[order], day[order]
    first = np.ones(len(group), dtype=bool)
    first[1:] = group[1:] != group[:-1]
    new = first.copy()
    new[1:] |= day[1:] != day[:-1]
    return np.bincount(group[new], minlength=groups), day[first]


def _nouns(item: Integers, gain: Flags) -> pa.Array:
    tones = ("unhappy words", "friendlier words")
    texts = [_WORDS.get(name, tone) for name in ITEMS for tone in tones]
    return pa.array(texts).take(pa.array(item * 2 + gain))


def _occasions(days: Integers, dates: pa.Array) -> pa.Array:
    many = pc.binary_join_element_wise(pa.array(days).cast(pa.string()), " days since ", "")
    prefix = pc.if_else(pa.array(days == 1), "", many)
    return pc.binary_join_element_wise("on ", prefix, dates, "")


def _moved(total: Floats) -> pa.Array:
    tenths, place = np.unique(np.round(total, 1), return_inverse=True)
    texts = [_levels(figure) for figure in tenths.tolist()]
    return pa.array(texts, pa.string()).take(pa.array(place))


def _levels(total: float) -> str:
    amount = f"{abs(total):.1f}"
    return f"{'gave' if total > 0 else 'cost'} {amount} {'level' if amount == '1.0' else 'levels'}"


def _dates(day: Integers, now: Integers) -> pa.Array:
    """Return days since 1970 as in "7 May", with the year where ``now`` (microseconds) lies in another."""
    year = (now // DAY).astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64)
    key = day * 2 + (day.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) != year)
    keys, place = np.unique(key, return_inverse=True)
    texts = [_date(_EPOCH + timedelta(days=k // 2), bool(k % 2)) for k in keys.tolist()]
    return pa.array(texts, pa.string()).take(pa.array(place))


def _date(moment: datetime, with_year: bool) -> str:
    return f"{moment.day} {_MONTHS[moment.month - 1]}{f' {moment.year}' if with_year else ''}"


def _statements(histories: Histories) -> _Reasons:
    """Return the last time each customer said that they leave."""
    rows = np.flatnonzero(histories.says_leave)
    customer = histories.codes[rows]
    last = np.diff(customer, append=-1) != 0
    rows, customer = rows[last], customer[last]
    age = _age(histories, rows)
    recent = age <= _MEMORY
    rows, customer, age = rows[recent], customer[recent], age[recent]
    dates = _dates(histories.sent_at[rows] // DAY, histories.as_of[customer])
    words = pc.binary_join_element_wise("said they would leave on ", dates, "")
    return _Reasons(customer, _STATED * 0.5 ** (age / _FADE), words)


def _departures(histories: Histories) -> _Reasons:
    """Return when each customer left who has neither written nor bought, renewed or come back since."""
    alive = np.isin(histories.events, (-1, *ALIVE))
    telling = np.flatnonzero(alive | (histories.events == LEFT))
    last = np.diff(histories.codes[telling], append=-1) != 0
    rows = telling[last & ~alive[telling]]
    customer = histories.codes[rows]
    words = pc.binary_join_element_wise(
        "left on ", _dates(histories.sent_at[rows] // DAY, histories.as_of[customer]), ""
    )
    return _Reasons(customer, np.full(len(rows), _DEPARTED), words)


def _events(histories: Histories, effects: Floats) -> _Reasons:
    """Return the other events of the last year that moved a customer, each by itself."""
    told = (histories.events >= 0) & (histories.events != LEFT) & (np.abs(effects) >= _WORTH_TELLING)
    rows = np.flatnonzero(told)
    age = _age(histories, rows)
    rows, age = rows[age <= _MEMORY], age[age <= _MEMORY]
    customer, effect = histories.codes[rows], effects[rows]
    nouns = pa.array([_EVENT_WORDS[kind] for kind in EVENTS]).take(pa.array(histories.events[rows]))
    dates = _dates(histories.sent_at[rows] // DAY, histories.as_of[customer])
    words = pc.binary_join_element_wise(nouns, "on", dates, _moved(effect), " ")
    weight = np.abs(effect) * 0.5 ** (age / _FADE) * np.where(effect > 0, _GAIN, 1.0)
    return _Reasons(customer, weight, words)


def _silences(histories: Histories, course: Course, fallen: Floats) -> _Reasons:
    quiet = (histories.as_of - histories.sent_at[histories.last_written]) / DAY
    customer = np.flatnonzero((quiet >= _QUIET) & (fallen >= _WORTH_TELLING))
    usual = _usual_gap(histories, course)[customer]
    days = np.round(quiet[customer]).astype(np.int64)
    words = [_silent(*pair) for pair in zip(days.tolist(), usual.tolist(), strict=True)]
    return _Reasons(customer, fallen[customer], pa.array(words, pa.string()))


def _silent(days: int, usual: int) -> str:
    habits: Sequence[str] = ("", ", usually writes every day")
    return f"silent for {days} days{habits[usual] if usual < 2 else f', usually writes every {usual}'}"


def _usual_gap(histories: Histories, course: Course) -> Integers:
    """Return the median days (C) between the contacts that a customer opened; 0 where fewer than three."""
    rows = np.flatnonzero(course.opens)
    customer = histories.codes[rows]
    gap = np.diff(histories.sent_at[rows], prepend=0) / DAY
    later = np.diff(customer, prepend=-1) == 0
    customer, gap = customer[later], gap[later]
    order = np.lexsort((gap, customer))
    gap, counts = gap[order], np.bincount(customer, minlength=len(histories.as_of))
    if not len(gap):
        return np.zeros(len(counts), dtype=np.int64)
    starts = np.cumsum(counts) - counts
    low, high = starts + np.maximum(counts - 1, 0) // 2, starts + counts // 2
    most = len(gap) - 1
    median = (gap[np.minimum(low, most)] + gap[np.minimum(high, most)]) / 2
    return np.asarray(np.where(counts > 1, np.round(median), 0), dtype=np.int64)
