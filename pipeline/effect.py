"""Did it help? Mood, dis-services and risk before and after a change, against customers whom it did not touch. Pure.

Each customer who wrote both before and after is compared with themselves, and the mean of those changes among the
touched with that among the untouched: a difference in differences. Its interval comes from drawing customers again with
replacement (Efron 1979), each group apart: messages of one customer are not independent, customers are. Draws from few
customers differ less than such customers do (draws from one not at all), so the quantiles are pushed out as Student's t
asks of the smaller group (the expanded percentile interval: Hesterberg 2015, "What teachers should know about the
bootstrap"), and from fewer than ``ENOUGH`` there is no interval. Whether the two groups went the same way already is
asked of the time before alone, cut in the middle: a difference there means that what came after cannot be laid on the
change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.stats import norm, t

from pipeline.errors import SettingsError

FILTERS: Final = ("source", "channel", "product", "department", "segment", "plan", "customer")
"""What a filter may ask for."""
OUTCOMES: Final = ("mood", "disservice", "risk")
ENOUGH: Final = 10
"""Customers on each side below which nothing can be told."""
_DRAWS: Final = 2000
_WORK: Final = 20_000_000
"""Most customers drawn in all, so that a million of them are drawn fewer times."""
_LEAST_DRAWS: Final = 200
_TITLES: Final = {
    "mood": "Mood",
    "disservice": "Share of messages with a dis-service",
    "risk": "90-day risk of leaving",
}
_Floats = NDArray[np.float64]
_Whole = NDArray[np.int64]
_Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one outcome. Mood is in levels, the others are shares; means are over customers."""

    outcome: str
    before: float
    after: float
    untouched_before: float
    untouched_after: float
    difference: float
    """Change among the touched less that among the untouched."""
    low: float | None
    high: float | None
    """90 % interval; None where a group is too small to know how much its customers differ."""
    trend: float | None
    """The same difference between the two halves of the time before; None where too few wrote in both."""
    trend_low: float | None
    trend_high: float | None


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change of service did, as far as it can be told."""

    since: datetime
    days: int
    touched: int
    untouched: int
    """Customers who wrote both before and after."""
    changes: tuple[Change, ...]
    verdict: str
    """``helped``, ``harmed``, or ``cannot tell``; by mood."""
    words: tuple[str, ...]
    """The same in plain words, warnings among them."""


def parse_filter(text: str) -> dict[str, str]:
    """Return name → value of a filter such as ``department=service,channel=transcript``; all must hold.

    Raises:
        SettingsError: it is empty, or asks for something that is not known.
    """
    pairs = [part.partition("=") for part in text.split(",")]
    for name, equals, value in pairs:
        if name.strip() not in FILTERS or not equals or not value.strip():
            raise SettingsError(
                f"filter {text!r}: {name.strip()!r} should be NAME=VALUE with one of {', '.join(FILTERS)}; "
                "several are joined by commas and must all hold"
            )
    return {name.strip(): value.strip() for name, _, value in pairs}


def effect(
    messages: pa.Table,
    since: datetime,
    days: int,
    where: Mapping[str, str],
    control: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Effect:
    """Compare ``days`` before ``since`` with ``days`` after.

    Touched are messages for which ``where`` holds; untouched are messages of customers without any such message, for
    which ``control`` holds if it is given.

    Args:
        messages: rows of ``read_outcomes.sql``, sorted by customer and time; more than the two windows do no harm.
        since: when the change was made.
        days: length of each window.
        where: as ``parse_filter`` gives it.
        control: the same.
        seed: of the draws.

    Raises:
        SettingsError: no message at all matches ``where``.
    """
    rows = _Rows.of(messages, since, days)
    touched = matching(messages, where)
    if not touched.any():
        raise SettingsError(f"no message from {days} days before to {days} days after matches {_spelt(where)}")
    reached = np.isin(rows.customer, rows.customer[touched])
    others = ~reached & matching(messages, control or {})
    draw = np.random.default_rng(seed)
    sides = (_panel(rows, touched, rows.period), _panel(rows, others, rows.period))
    halves = (_panel(rows, touched, rows.half), _panel(rows, others, rows.half))
    counts = (len(sides[0][0]), len(sides[1][0]))
    if not all(counts):
        return Effect(since, days, *counts, (), "cannot tell", _too_few(counts))
    interval, trends = _interval(sides, draw), _trends(halves, draw)
    changes = tuple(_change(place, name, sides, interval, trends) for place, name in enumerate(OUTCOMES))
    verdict = _verdict(changes[0], counts)
    return Effect(since, days, *counts, changes, verdict, _words(changes, counts, verdict))


def matching(messages: pa.Table, conditions: Mapping[str, str]) -> _Flags:
    """Return which rows meet all conditions; upper and lower case are the same."""
    met = np.ones(len(messages), dtype=bool)
    for name, value in conditions.items():
        same = pc.equal(pc.utf8_lower(messages[name].cast(pa.string())), value.lower())
        met &= np.asarray(same.combine_chunks().fill_null(False).to_numpy(zero_copy_only=False))
    return met


def _spelt(conditions: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in conditions.items())


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """N messages: whose, in which period (0 before, 1 after) and half of the time before; -1 is neither."""

    customer: _Whole
    period: _Whole
    half: _Whole
    outcomes: _Floats
    """N x 3."""

    @classmethod
    def of(cls, messages: pa.Table, since: datetime, days: int) -> "_Rows":
        codes = messages["customer"].combine_chunks().dictionary_encode().indices
        sent = messages["sent_at"].cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
        start = int(since.astimezone(UTC).timestamp() * 1_000_000)
        away = (sent - start) / (timedelta(days=days) / timedelta(microseconds=1))
        period = np.where((away >= -1) & (away < 1), (away >= 0).astype(np.int64), -1)
        half = np.where((away >= -1) & (away < 0), (away >= -0.5).astype(np.int64), -1)
        outcomes = np.column_stack([messages[name].cast(pa.float64()).to_numpy() for name in OUTCOMES])
        return cls(codes.to_numpy(zero_copy_only=False).astype(np.int64), period, half, outcomes)


_Panel = tuple[_Floats, _Floats]
"""Means of n customers who have both, n x 3: first and second period."""


def _panel(rows: _Rows, chosen: _Flags, period: _Whole) -> _Panel:
    count = int(rows.customer.max(initial=-1)) + 1
    means = []
    for which in (0, 1):
        taken = chosen & (period == which)
        number = np.bincount(rows.customer[taken], minlength=count)
        with np.errstate(invalid="ignore"):
            sums = [np.bincount(rows.customer[taken], column[taken], count) / number for column in rows.outcomes.T]
        means.append(np.column_stack(sums))
    both = ~np.isnan(means[0][:, 0]) & ~np.isnan(means[1][:, 0])
    return means[0][both], means[1][both]


def _interval(sides: tuple[_Panel, _Panel], draw: np.random.Generator) -> _Floats | None:
    """Return the 90 % interval (2, 3) of the difference in differences; None where a group is too small for one."""
    fewest = min(len(before) for before, _ in sides)
    if fewest < ENOUGH:
        return None
    drawn = [_drawn(after - before, draw, _draws(sides)) for before, after in sides]
    tail = float(norm.cdf(t.ppf(0.05, fewest - 1) * np.sqrt(fewest / (fewest - 1))))
    return np.asarray(np.quantile(drawn[0] - drawn[1], [tail, 1 - tail], axis=0))


def _draws(sides: tuple[_Panel, _Panel]) -> int:
    most = max(len(before) for before, _ in sides)
    return max(_LEAST_DRAWS, min(_DRAWS, _WORK // max(most, 1)))


def _drawn(changes: _Floats, draw: np.random.Generator, draws: int) -> _Floats:
    """Return the means (draws, 3) of customers drawn again with replacement."""
    count = len(changes)
    return np.array([changes[draw.integers(0, count, count)].mean(0) for _ in range(draws)])


def _trends(halves: tuple[_Panel, _Panel], draw: np.random.Generator) -> _Floats | None:
    """Return difference, low and high (3, 3) between the halves of the time before; None where too few tell."""
    found = _interval(halves, draw)
    if found is None:
        return None
    means = [(after - before).mean(0) for before, after in halves]
    return np.vstack([means[0] - means[1], found])


def _change(
    place: int, name: str, sides: tuple[_Panel, _Panel], interval: _Floats | None, trends: _Floats | None
) -> Change:
    means = [float(period[:, place].mean()) for side in sides for period in side]
    before, after, untouched_before, untouched_after = means
    low, high = (None, None) if interval is None else interval[:, place].tolist()
    trend: Sequence[float | None] = (None, None, None) if trends is None else trends[:, place].tolist()
    return Change(
        outcome=name,
        before=before,
        after=after,
        untouched_before=untouched_before,
        untouched_after=untouched_after,
        difference=after - before - (untouched_after - untouched_before),
        low=low,
        high=high,
        trend=trend[0],
        trend_low=trend[1],
        trend_high=trend[2],
    )


# ---- plain words --------------------------------------------------------------------------------------------------


def _apart(change: Change) -> bool:
    """Tell whether the two groups went apart before already."""
    return change.trend_low is not None and change.trend_high is not None and change.trend_low * change.trend_high > 0


def _verdict(mood: Change, counts: tuple[int, int]) -> str:
    if min(counts) < ENOUGH or _apart(mood) or mood.low is None or mood.high is None or mood.low <= 0 <= mood.high:
        return "cannot tell"
    return "helped" if mood.difference > 0 else "harmed"


def _too_few(counts: tuple[int, int]) -> tuple[str, ...]:
    return (
        f"Warning: it cannot be told: {counts[0]} touched and {counts[1]} untouched customers wrote both before and "
        f"after, and {ENOUGH} are needed on each side. Choose a wider filter or more --days, or wait.",
    )


def _words(changes: Sequence[Change], counts: tuple[int, int], verdict: str) -> tuple[str, ...]:
    lines = [_sentence(change) for change in changes]
    if min(counts) < ENOUGH:
        lines += _too_few(counts)
    if changes[0].trend is None:
        lines.append("Whether both groups went the same way before cannot be checked: too few wrote in both halves.")
    lines += [
        f"Warning: {_TITLES[change.outcome].lower()} went apart by {_amount(change.outcome, change.trend or 0.0)} "
        "before the change already, so what came after cannot be laid on it."
        for change in changes
        if _apart(change)
    ]
    ends = {
        "helped": "It helped: mood rose more than among customers it did not touch.",
        "harmed": "It did harm: mood fell against customers it did not touch.",
        "cannot tell": "Whether it helped cannot be told from this.",
    }
    return (*lines, ends[verdict])


def _sentence(change: Change) -> str:
    name = change.outcome
    return (
        f"{_TITLES[name]}: {_figure(name, change.before)} before, {_figure(name, change.after)} after; untouched "
        f"{_figure(name, change.untouched_before)} and {_figure(name, change.untouched_after)}: a difference "
        f"of {_amount(name, change.difference)} ({_reach(change)})."
    )


def _reach(change: Change) -> str:
    if change.low is None or change.high is None:
        return "no interval: too few customers"
    return f"90 % interval {_amount(change.outcome, change.low)} to {_amount(change.outcome, change.high)}"


def _figure(outcome: str, value: float) -> str:
    return f"{value:.2f}" if outcome == "mood" else f"{value:.0%}"


def _amount(outcome: str, value: float) -> str:
    return f"{value:+.2f} levels" if outcome == "mood" else f"{100 * value:+.1f} points"
