"""Follow each customer through what they wrote: where they stand, where they are heading, and why. Pure.

All customers are walked at once (``pipeline.mood_model.run_filter``); nobody's figures depend on who else is in the
batch. Figures are rounded to nine decimals, so that a rebuild in other batches gives the same stored values.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.labels import DISSERVICES, INTENTS, MOODS
from pipeline.errors import StoreError
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
    message_evidence,
    risk,
    run_filter,
    stage_of,
    states_of,
)
from pipeline.records import STATES, CustomerMood, LedgerEntry, MoodPoint

DEFAULT_VALUE: Final = 100.0
"""What a customer is worth where neither the company's records nor the caller say."""
WINDOW: Final = 30.0
"""Days over which the slope is taken."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = 86_400_000_000
_LEAVE: Final = "cancel"
_DECIMALS: Final = 9


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """What customers wrote and how it was read: N messages of C customers, sorted by customer, time, message.

    Times are whole microseconds since 1970 in UTC.
    """

    customer_ids: list[str]
    """C, sorted."""
    as_of: Integers
    """C, until when the customer's sources were heard; at least the last message."""
    value: Floats
    """C, what the customer is worth; nan where unknown."""
    codes: Integers
    """N, which customer wrote the message."""
    message_ids: list[str]
    sent_at: Integers
    threads: Integers
    """N, codes of threads; -1 for none."""
    rating: Floats
    """N, 1 to 5; nan for none."""
    mood: Floats
    """N x 5; a row of nan where the message has no reading."""
    intents: Floats
    """N x 15."""
    disservices: Floats
    """N x 14."""
    intent_labels: list[list[str]]
    disservice_labels: list[list[str]]

    @classmethod
    def from_arrow(cls, table: pa.Table) -> "Histories":
        """Read the table that ``Warehouse.histories`` gives.

        Needed columns: customer_id, message_id, thread_id, sent_at, rating, mood, intents, disservices, intent_labels,
        disservice_labels, as_of, value. Rows may come in any order; a message that comes twice counts once.

        Raises:
            StoreError: a column is missing or a reading has the wrong length.
        """
        _expect(table)
        table = table.sort_by([(name, "ascending") for name in ("customer_id", "sent_at", "message_id")])
        table = table.filter(pa.array(_first_of_kind(table)))
        ids = table["customer_id"].combine_chunks().dictionary_encode()
        codes = ids.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        ends = np.flatnonzero(np.diff(codes, append=-1))
        return cls(
            customer_ids=ids.dictionary.to_pylist(),
            as_of=_heard(table, ends),
            value=_numbers(table["value"])[ends],
            codes=codes,
            message_ids=table["message_id"].to_pylist(),
            sent_at=_microseconds(table["sent_at"]),
            threads=_threads(table["thread_id"]),
            rating=_numbers(table["rating"]),
            mood=_matrix(table, "mood", len(MOODS)),
            intents=_matrix(table, "intents", len(INTENTS)),
            disservices=_matrix(table, "disservices", len(DISSERVICES)),
            intent_labels=[labels or [] for labels in table["intent_labels"].to_pylist()],
            disservice_labels=[labels or [] for labels in table["disservice_labels"].to_pylist()],
        )


_COLUMNS: Final = (
    "customer_id",
    "message_id",
    "thread_id",
    "sent_at",
    "rating",
    "mood",
    "intents",
    "disservices",
    "intent_labels",
    "disservice_labels",
    "as_of",
    "value",
)


def _expect(table: pa.Table) -> None:
    missing = [name for name in _COLUMNS if name not in table.column_names]
    if missing:
        raise StoreError(f"histories lack {', '.join(missing)}; track needs the columns {', '.join(_COLUMNS)}")


def _first_of_kind(table: pa.Table) -> Flags:
    keys = [np.asarray(table[name].to_pylist(), dtype=object) for name in ("customer_id", "message_id")]
    new = np.ones(len(table), dtype=bool)
    new[1:] = (keys[0][1:] != keys[0][:-1]) | (keys[1][1:] != keys[1][:-1])
    return new


def _microseconds(column: pa.ChunkedArray) -> Integers:
    kind = column.type
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", kind.tz)).cast(pa.int64())
    if column.null_count:
        raise StoreError(
            f"histories hold {column.null_count} rows without a time (sent_at or as_of); import them again"
        )
    return np.asarray(column.combine_chunks().to_numpy(zero_copy_only=False), dtype=np.int64)


def _heard(table: pa.Table, ends: Integers) -> Integers:
    """Return until when each customer was heard: never before the last message, which itself was heard."""
    last = _microseconds(table["sent_at"])[ends]
    heard = table["as_of"].combine_chunks().take(pa.array(ends))
    return np.maximum(
        _microseconds(pa.chunked_array([pc.coalesce(heard, table["sent_at"].combine_chunks().take(pa.array(ends)))])),
        last,
    )


def _numbers(column: pa.ChunkedArray) -> Floats:
    return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)


def _threads(column: pa.ChunkedArray) -> Integers:
    codes = column.cast(pa.string()).combine_chunks().dictionary_encode().indices.fill_null(-1)
    return np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int64)


def _matrix(table: pa.Table, name: str, width: int) -> Floats:
    column = table[name].combine_chunks()
    known = np.asarray(column.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
    figures = np.asarray(column.flatten().to_numpy(zero_copy_only=False), dtype=np.float64)
    if len(figures) != known.sum() * width:
        raise StoreError(f"histories: {name} should hold {width} probabilities a message; score the messages again")
    matrix = np.full((len(known), width), np.nan)
    matrix[known] = figures.reshape(-1, width)
    return matrix


@dataclass(frozen=True, slots=True, eq=False)
class Tracked:
    """What tracking gives: one mood a customer, one point a message, one or more ledger entries a message."""

    moods: list[CustomerMood]
    points: list[MoodPoint]
    ledger: list[LedgerEntry]


@dataclass(frozen=True, slots=True, eq=False)
class _Followed:
    """The filter's result as arrays, before it is put into records."""

    course: Course
    before: Floats
    after: Floats
    """N levels, just before and just after each message."""
    states: Floats
    """N x 6."""
    now: Floats
    """C x 6, at ``as_of``."""
    slope: Floats
    risk_30d: Floats
    risk_90d: Floats
    avoidable: Floats
    """The part of the 90-day risk that a call could still take away: see ``_avoidable``."""
    days_left: Floats


def track(histories: Histories, parameters: Parameters, version: str, default_value: float = DEFAULT_VALUE) -> Tracked:
    """Run the mood model over everything that some customers wrote, as read by the classifier ``version``.

    A customer without a known value counts as worth ``default_value``.
    """
    if not histories.customer_ids:
        return Tracked([], [], [])
    followed = _follow(histories, parameters)
    ledger = list(_ledger(histories, followed))
    return Tracked(
        moods=_moods(histories, followed, ledger, version, default_value),
        points=_points(histories, followed),
        ledger=ledger,
    )


def _follow(histories: Histories, parameters: Parameters) -> _Followed:
    days = histories.sent_at / _DAY
    course = Course.of(histories.codes, days, histories.threads, parameters)
    voiced, stated = _leaving(histories, parameters)
    likelihood = message_evidence(parameters, histories.mood, histories.rating, voiced)
    cutoff = histories.as_of / _DAY - WINDOW
    early = np.add.reduceat((days <= cutoff[histories.codes]).astype(np.int64), course.starts)
    machine = MoodFilter(parameters)
    filtered = run_filter(machine, course, likelihood, stated, np.maximum(early, 1))
    quiet = np.maximum((histories.as_of - histories.sent_at[course.starts + course.counts - 1]) / _DAY, 0.0)
    now = states_of(machine.silence(filtered.last, quiet))
    return _Followed(
        course=course,
        before=_rounded(level_of(filtered.before)),
        after=_rounded(level_of(filtered.after)),
        states=_rounded(filtered.after),
        now=_rounded(now),
        slope=_rounded(level_of(now) - _level_then(machine, filtered, course, early, days, cutoff)),
        risk_30d=_rounded(risk(parameters, now, 30)),
        risk_90d=_rounded(risk(parameters, now, 90)),
        avoidable=_avoidable(parameters, now),
        days_left=np.round(days_left(parameters, now), 6),
    )


def _avoidable(parameters: Parameters, now: Floats) -> Floats:
    """Return the 90-day risk less what has left already and less what even a content customer would run."""
    content = risk(parameters, np.eye(len(STATES))[[STATES.index("content")]], 90)
    here = 1.0 - now[:, GONE]
    return np.maximum(risk(parameters, now, 90) - now[:, GONE] - here * content, 0.0)


def _leaving(histories: Histories, parameters: Parameters) -> tuple[Floats, Floats]:
    """Return for each message how likely it speaks of leaving, and the same where it is labelled so, else 0."""
    chance = histories.intents[:, INTENTS.index(_LEAVE)]
    labelled = np.array([_LEAVE in labels for labels in histories.intent_labels], dtype=bool)
    voiced = np.where(np.isnan(chance), np.where(labelled, 1.0, parameters.leave_usual), chance)
    return voiced, np.where(labelled, voiced, 0.0)


def _level_then(
    machine: MoodFilter, filtered: Filtered, course: Course, early: Integers, days: Floats, cutoff: Floats
) -> Floats:
    """Return the level as filtered at the cut-off, or right after the first message where that came later.

    Nothing is known of a customer before the first message, so a first message, however angry, is no slide.
    """
    anchors = course.starts + np.maximum(early, 1) - 1
    waited = np.where(early > 0, cutoff - days[anchors], 0.0)
    return level_of(states_of(machine.silence(filtered.anchor, np.maximum(waited, 0.0))))


def _rounded(figures: Floats) -> Floats:
    return np.asarray(np.round(figures, _DECIMALS) + 0.0)


def _time(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=int(microseconds))


def _points(histories: Histories, followed: _Followed) -> list[MoodPoint]:
    columns = (followed.states.tolist(), followed.after.tolist(), followed.before.tolist())
    keys = zip(histories.codes.tolist(), histories.message_ids, histories.sent_at.tolist(), strict=True)
    return [
        MoodPoint(histories.customer_ids[code], message, _time(sent), tuple(states), level, before)
        for (code, message, sent), states, level, before in zip(keys, *columns, strict=True)
    ]


def _ledger(histories: Histories, followed: _Followed) -> Iterator[LedgerEntry]:
    effects = (followed.after - followed.before).tolist()
    for row, (code, effect) in enumerate(zip(histories.codes.tolist(), effects, strict=True)):
        customer, message, at = histories.customer_ids[code], histories.message_ids[row], _time(histories.sent_at[row])
        for item, share in _shares(histories, row, effect):
            yield LedgerEntry(customer, message, at, item, round(effect * share, _DECIMALS))


def _shares(histories: Histories, row: int, effect: float) -> list[tuple[str, float]]:
    """Say on what an effect is booked: a cost on the dis-services named, a gain on praise, else on ``mood``."""
    if effect > 0:
        return [("praise" if "praise" in histories.intent_labels[row] else "mood", 1.0)]
    items = histories.disservice_labels[row]
    if not items:
        return [("mood", 1.0)]
    chances = [histories.disservices[row, DISSERVICES.index(item)] for item in items]
    total = sum(chances)
    if not total > 0:
        return [(item, 1 / len(items)) for item in items]
    return [(item, chance / total) for item, chance in zip(items, chances, strict=True)]


def _moods(
    histories: Histories, followed: _Followed, ledger: Sequence[LedgerEntry], version: str, default_value: float
) -> list[CustomerMood]:
    stages, levels = stage_of(followed.now).tolist(), _rounded(level_of(followed.now)).tolist()
    values = np.where(np.isnan(histories.value), default_value, histories.value)
    at_risk = _rounded(values * followed.avoidable).tolist()
    booked = _by_customer(ledger)
    return [
        CustomerMood(
            customer_id=customer,
            version=version,
            as_of=_time(histories.as_of[c]),
            mood=tuple(followed.now[c].tolist()),
            stage=STATES[stages[c]],
            level=levels[c],
            slope_30d=float(followed.slope[c]),
            risk_30d=float(followed.risk_30d[c]),
            risk_90d=float(followed.risk_90d[c]),
            days_left=None if np.isnan(followed.days_left[c]) else float(followed.days_left[c]),
            value_at_risk=at_risk[c],
            messages=int(followed.course.counts[c]),
            last_message_at=_time(histories.sent_at[followed.course.starts[c] + followed.course.counts[c] - 1]),
            reasons=_reasons(histories, followed, c, booked[customer]),
        )
        for c, customer in enumerate(histories.customer_ids)
    ]


def _by_customer(ledger: Sequence[LedgerEntry]) -> dict[str, list[LedgerEntry]]:
    booked: dict[str, list[LedgerEntry]] = defaultdict(list)
    for entry in ledger:
        booked[entry.customer_id].append(entry)
    return booked


# ---- reasons in plain words ---------------------------------------------------------------------------------------

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
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_REASONS: Final = 4
_FADE: Final = 60.0
"""Days after which what happened weighs half as much among the reasons."""
_MEMORY: Final = 365.0
"""Days after which it is no reason any more."""
_WORTH_TELLING: Final = 0.05
"""Levels."""
_QUIET: Final = 14.0
"""Days of silence from which it may be a reason."""
_Reason = tuple[float, str]


def _reasons(histories: Histories, followed: _Followed, c: int, booked: Sequence[LedgerEntry]) -> tuple[str, ...]:
    now = _time(histories.as_of[c])
    rows = range(followed.course.starts[c], followed.course.starts[c] + followed.course.counts[c])
    found = [
        *_booked_reasons(booked, now),
        *_statement(histories, rows, now),
        *_silence(histories, followed, c, rows),
    ]
    return tuple(words for _, words in sorted(found, key=lambda reason: (-reason[0], reason[1]))[:_REASONS])


def _booked_reasons(booked: Sequence[LedgerEntry], now: datetime) -> Iterator[_Reason]:
    items: dict[tuple[str, bool], list[LedgerEntry]] = defaultdict(list)
    for entry in booked:
        if (now - entry.at).total_seconds() / 86_400 <= _MEMORY and round(entry.effect, 2):
            items[entry.item, entry.effect > 0].append(entry)
    for (item, gain), entries in items.items():
        total = sum(entry.effect for entry in entries)
        weight = sum(abs(entry.effect) * _faded(entry.at, now) for entry in entries)
        if abs(total) >= _WORTH_TELLING:
            verb, levels = ("gave" if gain else "cost"), f"{abs(total):.1f}"
            noun = "level" if levels == "1.0" else "levels"
            yield weight * (0.5 if gain else 1.0), f"{_occasion(item, gain, entries, now)} {verb} {levels} {noun}"


def _occasion(item: str, gain: bool, entries: Sequence[LedgerEntry], now: datetime) -> str:
    tone = "friendlier words" if gain else "unhappy words"
    dates = sorted({_date(entry.at, now): entry.at for entry in entries}.items(), key=lambda pair: pair[1])
    when = f"on {dates[0][0]}" if len(dates) == 1 else f"on {len(dates)} days since {dates[0][0]}"
    return f"{_WORDS.get(item, tone)} {when}"


def _statement(histories: Histories, rows: Iterable[int], now: datetime) -> Iterator[_Reason]:
    said = [_time(histories.sent_at[row]) for row in rows if _LEAVE in histories.intent_labels[row]]
    if said and (now - said[-1]).total_seconds() / 86_400 <= _MEMORY:
        yield 1.5 * _faded(said[-1], now), f"said they would leave on {_date(said[-1], now)}"


def _silence(histories: Histories, followed: _Followed, c: int, rows: range) -> Iterator[_Reason]:
    quiet = float(histories.as_of[c] - histories.sent_at[rows[-1]]) / _DAY
    cost = float(followed.after[rows[-1]] - level_of(followed.now[c]))
    if quiet < _QUIET or cost < _WORTH_TELLING:
        return
    opened = histories.sent_at[[row for row in rows if followed.course.opens[row]]] / _DAY
    usual = round(float(np.median(np.diff(opened)))) if len(opened) > 2 else 0
    habit = "" if usual < 1 else ", usually writes every day" if usual == 1 else f", usually writes every {usual}"
    yield cost, f"silent for {quiet:.0f} days{habit}"


def _faded(at: datetime, now: datetime) -> float:
    return float(0.5 ** (max((now - at).total_seconds(), 0.0) / 86_400 / _FADE))


def _date(at: datetime, now: datetime) -> str:
    year = "" if at.year == now.year else f" {at.year}"
    return f"{at.day} {_MONTHS[at.month - 1]}{year}"
