"""How tracking grows: a warehouse of many readings rebuilt in one pass, brought up to date, beside a plain loop.

``moodline bench track``. Customers and readings are made up (a mood that drifts, contacts at each customer's own pace,
readings around the mood), straight into the warehouse's tables: only tracking is measured, with what it reads and
stores. Each size lives in a process of its own, so that its peak memory is its own.

The plain loop is what one would write first: for each customer, for each message, the matrix exponential of the gap for
each class of pace, arrival, evidence; then the level, its change in 30 days, the chance of standing lower than then,
and, of the customers whose mood is explained, the level again without each of their messages, to see which moved it
(tracking leaves out only those that moved it at once). It reads and stores nothing, and writes no ledger and no words.
It is timed on a sample of the same histories, in the same run, and its figures are compared with ours. Linear algebra
runs in one thread for both.
"""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import pyarrow as pa
from scipy.linalg import expm

from models.labels import DISSERVICES, INTENTS, MOODS, SENTIMENTS
from pipeline import steps, warehouse_news
from pipeline.bench import BenchError, Comparison, Measured, compared, peak_mb
from pipeline.config import Home, Settings
from pipeline.histories import DAY, Histories
from pipeline.mood_model import GONE, LIVE, Flags, Floats, Integers, Parameters, level_of
from pipeline.records import LEAVE, STATES
from pipeline.store import Warehouse
from pipeline.track import WINDOW, track
from pipeline.walk import Walk

VERSION: Final = "bench"
READINGS: Final = 10**7
UPDATE: Final = 10**5
"""New readings that come in afterwards."""
PER_CUSTOMER: Final = 10
_AT_ONCE: Final = 200_000
_SPAN: Final = 500.0
"""Days over which customers write."""
_START: Final = np.datetime64("2025-01-01", "us").astype(np.int64)
_BURST: Final = 5
"""New readings of a customer who has news: people who write, write more than once."""
_ROUNDS: Final = 3
"""Times that others write and are brought up to date."""
_SAMPLE: Final = 150
"""Customers of the plain loop."""
_TRACKED: Final = 60_000
"""Customers who are tracked without reading or storing anything."""
_THREADS: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Grown:
    """What one size took."""

    readings: int
    rebuild_seconds: float
    update: int
    """New readings of customers who are there already."""
    update_seconds: list[float]
    peak_mb: float
    tracked: int
    tracked_seconds: float
    """Readings tracked without reading or storing anything, as the plain loop does."""
    plain_readings: int
    plain_seconds: float
    """The plain loop on a sample."""


def measure(scale: float) -> "dict[str, Any]":
    """Measure ``READINGS`` times ``scale`` and a tenth of them; return ``measured`` and ``ratios`` as a part does.

    Raises:
        BenchError: a size could not be measured, or the plain loop finds other figures.
    """
    readings, update = max(round(READINGS * scale), 100 * PER_CUSTOMER), max(round(UPDATE * scale), 10 * _BURST)
    with TemporaryDirectory(prefix="moodline-bench-") as folder:
        small = _apart(readings // 10, update // 10, Path(folder) / "small")
        large = _apart(readings, update, Path(folder) / "large")
    found = {result.case: result for result in _measured(small, large)}
    return {
        "measured": [asdict(result) for result in found.values()],
        "ratios": [asdict(compared(comparison, found)) for comparison in _COMPARISONS],
        "skipped": [],
    }


def _measured(small: Grown, large: Grown) -> Iterator[Measured]:
    rows = (
        ("plain", "a plain loop over customers", large.plain_readings, [large.plain_seconds], small),
        ("track", "tracking alone", large.tracked, [large.tracked_seconds], large),
        ("tenth", "rebuild, a tenth", small.readings, [small.rebuild_seconds], small),
        ("rebuild", "rebuild", large.readings, [large.rebuild_seconds], large),
        ("update", "new readings over the rebuilt state", large.update, large.update_seconds, large),
    )
    for name, title, count, rounds, size in rows:
        seconds = median(rounds)
        yield Measured(name, title, "readings", count, rounds, seconds, count / seconds, size.peak_mb)


_COMPARISONS: Final = (
    Comparison("tracking alone to a plain loop: speed", "100 or more", "rate", "track", "plain"),
    Comparison("rebuild, with reading and storing, to a plain loop: speed", "high", "rate", "rebuild", "plain"),
    Comparison("rebuild: cost of a reading at 10N to N", "1.26 or less", "rate", "tenth", "rebuild"),
    Comparison("rebuild: peak memory at 10N to N", "low", "peak_mb", "rebuild", "tenth"),
    Comparison("new readings to a rebuild: time", "under 0.05", "seconds", "update", "rebuild"),
)
"""1.26 is ten to the power of 0.1: an exponent of 1.1."""


def _apart(readings: int, update: int, folder: Path) -> Grown:
    """Measure one size in a process of its own."""
    _in_process(_prepare, folder, readings)
    grown: Grown = _in_process(_measure, folder, update)
    return grown


def _in_process(work: Callable[[Path, int], Any], folder: Path, count: int) -> Any:  # noqa: ANN401
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_answer, args=(theirs, work, folder, count), daemon=True)
    with _one_thread_of_algebra():
        process.start()
    theirs.close()
    try:
        answer = ours.recv()
    except EOFError:
        answer = "its process ended without an answer; was it short of memory?"
    process.join()
    if isinstance(answer, str):
        raise BenchError(f"{count:,} readings: {answer}")
    return answer


@contextmanager
def _one_thread_of_algebra() -> Iterator[None]:
    """Let processes started meanwhile do linear algebra in one thread.

    Else OpenBLAS shares out the plain loop's 6 x 6 matrices and waits for itself: the loop would look far slower than
    anybody's loop is.
    """
    known = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in known.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _answer(pipe: Connection, work: Callable[[Path, int], Any], folder: Path, count: int) -> None:
    try:
        pipe.send(work(folder, count))
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")


# --- Made-up customers -----------------------------------------------------------------------------------------------


def _prepare(folder: Path, readings: int) -> int:
    """Fill a warehouse with messages and readings of ``readings // PER_CUSTOMER`` customers."""
    customers = max(readings // PER_CUSTOMER, 1)
    with Warehouse.open(Home(folder)) as warehouse:
        _fill(warehouse, customers)
        warehouse._database.connection.execute("CHECKPOINT")
    return customers


def _fill(warehouse: Warehouse, customers: int) -> None:
    warehouse.use_version(VERSION)
    warehouse._database.connection.execute(
        "INSERT INTO source (name, kind, channel, added_at, heard_until) "
        "VALUES ('bench', 'file', 'tweet', TIMESTAMP '2025-01-01', TIMESTAMP '2026-05-16')"
    )
    for start in range(0, customers, _AT_ONCE // PER_CUSTOMER):
        codes = np.arange(start, min(start + _AT_ONCE // PER_CUSTOMER, customers))
        _add(warehouse, np.repeat(codes, PER_CUSTOMER), _times(len(codes), start), start * PER_CUSTOMER, start)


def _times(customers: int, seed: int) -> Integers:
    """Return when each of so many customers writes, ``PER_CUSTOMER`` times each, in microseconds."""
    draw = np.random.default_rng([seed, 1])
    days = np.sort(draw.uniform(0, _SPAN, (customers, PER_CUSTOMER)) ** draw.uniform(0.85, 1.0, (customers, 1)), axis=1)
    return np.asarray(_START + (days.ravel() * DAY).astype(np.int64))


def _add(warehouse: Warehouse, codes: Integers, sent: Integers, first_id: int, seed: int) -> None:
    """Store messages of customers ``codes`` with readings around a mood that drifts."""
    draw, count = np.random.default_rng(seed), len(codes)
    own = np.random.default_rng(7).normal(1.3, 0.8, 4096)[codes % 4096]
    place = np.clip(own + 0.7 * np.sin(sent / DAY / 60 + codes) + draw.normal(0, 0.5, count), 0, 4)
    mood = np.exp(-1.8 * np.abs(place[:, None] - np.arange(len(MOODS))))
    harms = draw.random((count, len(DISSERVICES))) * np.clip(place - 1, 0, 3)[:, None] / 4
    intents = draw.random((count, len(INTENTS))) * 0.3
    ids = pa.array([f"m_{number:012d}" for number in range(first_id, first_id + count)])
    moments = pa.array(sent, pa.int64()).cast(pa.timestamp("us"))
    message = {
        "message_id": ids,
        "source": _same("bench", count),
        "channel": _same("tweet", count),
        "text": _same("made up", count),
        "sent_at": moments,
        "customer_id": pa.array([f"c_{code:012d}" for code in codes.tolist()]),
        "role": _same("customer", count),
        **dict.fromkeys(("author", "thread_id", "product", "department"), pa.nulls(count, pa.string())),
        "rating": pa.nulls(count, pa.float64()),
        "reach": pa.nulls(count, pa.int64()),
        "edited_at": pa.nulls(count, pa.timestamp("us")),
    }
    named = harms > 0.6
    reading = {
        "message_id": ids,
        "version": _same(VERSION, count),
        "mood": _lists(mood / mood.sum(1, keepdims=True)),
        "sentiment": _lists(np.full((count, len(SENTIMENTS)), 1 / len(SENTIMENTS))),
        "intents": _lists(intents),
        "disservices": _lists(harms),
        "mood_label": _same("unsure", count),
        "sentiment_label": _same("neutral", count),
        "intent_labels": _labels(np.zeros_like(intents, dtype=bool), INTENTS),
        "disservice_labels": _labels(named, DISSERVICES),
        "leaving": pa.array(intents[:, INTENTS.index(LEAVE)], pa.float32()),
        "disservice_chances": _chosen(named, pa.array(harms[named], pa.float32())),
    }
    database = warehouse._database
    with database.transaction(incoming_message=pa.table(message), incoming_reading=pa.table(reading)):
        warehouse_news.change(database, "land_messages", "messages", {"now": moments[0].as_py()})
        database.run("add_readings")


def _same(word: str, count: int) -> pa.Array:
    return pa.array([word]).take(pa.array(np.zeros(count, dtype=np.int64)))


def _lists(figures: Floats) -> pa.Array:
    count, width = figures.shape
    offsets = pa.array(np.arange(0, count * width + 1, width), pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.array(figures.ravel().astype(np.float32)))


def _labels(named: Flags, names: tuple[str, ...]) -> pa.Array:
    return _chosen(named, pa.array(names).take(pa.array(np.nonzero(named)[1])))


def _chosen(named: Flags, items: pa.Array) -> pa.Array:
    """Return a list a row of the ``items`` that are ``named`` in it."""
    ends = np.concatenate([[0], np.cumsum(named.sum(1))])
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), items)


# --- Measuring -------------------------------------------------------------------------------------------------------


def _measure(folder: Path, update: int) -> Grown:
    parameters = Parameters.load()
    with Warehouse.open(Home(folder)) as warehouse:
        rebuild, customers = _timed(lambda: steps.follow(warehouse, parameters, VERSION, Settings()))
        (readings,) = warehouse._database.connection.execute("SELECT count(*) FROM message").fetchone() or (0,)
        spent = []
        for times in range(_ROUNDS):
            touched = _write_more(warehouse, customers, update, times)
            seconds, moved = _timed(lambda: steps.follow(warehouse, parameters, VERSION, Settings()))
            spent.append(seconds)
            if moved != touched:
                raise BenchError(f"{moved} customers tracked again, {touched} had news")
        peak = peak_mb()
        many = list(steps._histories(warehouse, pa.chunked_array([_some(customers, _TRACKED)]), VERSION))
        sample = Histories.from_arrow(warehouse.histories(_some(customers, _SAMPLE), VERSION))
    count, alone = sum(len(table) for table, _ in many), _timed(lambda: _track_all(many, parameters))[0]
    plain = _plain_seconds(sample, parameters)
    update = touched * _BURST
    return Grown(int(readings), rebuild, update, spent, peak, count, alone, len(sample.codes), plain)


def _some(customers: int, most: int) -> list[str]:
    return [f"c_{code:012d}" for code in np.unique(np.linspace(0, customers - 1, min(most, customers)).astype(int))]


def _track_all(parts: list[tuple[pa.Table, pa.Table]], parameters: Parameters) -> None:
    for _ in steps._ahead(lambda tables: track(Histories.from_arrow(*tables), parameters, VERSION), parts):
        pass


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def _write_more(warehouse: Warehouse, customers: int, update: int, times: int) -> int:
    """Let some customers write ``_BURST`` messages each, others each of the ``times``; return how many did."""
    chosen = np.unique(np.linspace(0, customers - 1, max(min(update // _BURST, customers), 1)).astype(np.int64))
    chosen = (chosen + times) % customers
    codes = np.repeat(chosen, _BURST)
    days = _SPAN - 0.9 + np.tile(np.arange(_BURST) * 0.01, len(chosen))
    _add(warehouse, codes, np.asarray(_START + (days * DAY).astype(np.int64)), 10**11 + times * 10**10, 99 + times)
    return len(chosen)


# --- The plain loop --------------------------------------------------------------------------------------------------


def _plain_seconds(sample: Histories, parameters: Parameters) -> float:
    """Return how long the plain loop takes for a sample, the best of three times.

    Raises:
        BenchError: it finds other figures than tracking does.
    """
    moods = track(sample, parameters, VERSION).mood_table.to_pylist()
    explained = [bool(mood["drivers"]) for mood in moods]
    rounds = [_timed(lambda: list(plainly(sample, parameters, explained))) for _ in range(3)]
    spent, found = min(rounds, key=lambda one: one[0])
    for mood, (figures, without) in zip(moods, found, strict=True):
        named = {d["message_id"]: d["level_without"] for d in mood["drivers"] if d["message_id"]}
        ours = [mood["level"], mood["slope_30d"], mood["lower_30d"], *named.values()]
        theirs = [*figures, *(without[message] for message in named)]
        if not np.allclose(ours, theirs, rtol=0, atol=1e-6):
            raise BenchError(f"the plain loop finds {theirs} where tracking says {ours}")
    return float(spent)


def plainly(
    histories: Histories, parameters: Parameters, explained: Sequence[bool]
) -> Iterator[tuple[tuple[float, float, float], dict[str, float]]]:
    """Yield figures of one customer after the other, one message after the other.

    They are the level, its change in 30 days, the chance of a lower state than then; and of who is to be ``explained``
    the level without each message, by its id.
    """
    plain, likelihood, ids = _Plain(parameters), Walk.of(histories, parameters).likelihood, histories.message_ids
    for customer, as_of in enumerate((histories.as_of / DAY).tolist()):
        rows = np.flatnonzero(histories.codes == customer)
        sent, own = histories.sent_at[rows] / DAY, likelihood[rows]
        level, then, lower = plain.figures(sent, own, as_of)
        others = {row: rows != row for row in rows.tolist() if explained[customer] and len(rows) > 1}
        without = {ids[row].as_py(): plain.level(sent[kept], own[kept], as_of) for row, kept in others.items()}
        yield (level, level - then, lower), without


class _Plain:
    """The mood model written down as it is explained: one customer, one message, one class of pace at a time.

    A belief is (…, K, 6) over paces and states.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        moves = parameters.generator.copy()
        moves[:LIVE, GONE] = 0.0
        moves[np.diag_indices(len(STATES))] -= moves.sum(1)
        shock = parameters.contact_shock
        self._stir = (1 - shock) * expm(moves * parameters.contact_days) + shock * parameters.initial
        self._turn = expm(moves * parameters.turn_days)
        rates = [parameters.arrivals * np.append(np.full(LIVE, pace), 1.0) for pace in parameters.paces]
        self._quiet = [parameters.generator - np.diag(rate) for rate in rates]

    def level(self, sent: Floats, likelihood: Floats, as_of: float) -> float:
        """Return the level on the day ``as_of`` after messages on the days ``sent`` with ``likelihood`` (n, 6)."""
        return _level(self._silence(self._walk(sent, likelihood), as_of - sent[-1]))

    def figures(self, sent: Floats, likelihood: Floats, as_of: float) -> tuple[float, float, float]:
        """Return the level now and 30 days before, and the chance of a lower state now than then."""
        heard = max(int((sent <= as_of - WINDOW).sum()), 1)
        day, talking = sent[heard - 1], heard < len(sent) and not self._opens(sent, heard)
        then = self._walk(sent[:heard], likelihood)
        if not talking and as_of - WINDOW > day:
            then, day = self._silence(then, as_of - WINDOW - day), as_of - WINDOW
        labelled = np.eye(len(STATES))[:, None, :] * then
        for row in range(heard, len(sent)):
            labelled = self._read(labelled, sent[row] - day, self._opens(sent, row), likelihood[row])
            day = sent[row]
        joint = self._silence(labelled, as_of - day).sum(1)
        return _level(joint), _level(then), float(np.triu(joint, 1).sum() / joint.sum())

    def _walk(self, sent: Floats, likelihood: Floats) -> Floats:
        belief: Floats = self._parameters.pace_weights[:, None] * self._parameters.initial * likelihood[0]
        for row in range(1, len(sent)):
            belief = self._read(belief, sent[row] - sent[row - 1], self._opens(sent, row), likelihood[row])
        return belief

    def _opens(self, sent: Floats, row: int) -> bool:
        return bool(sent[row] - sent[row - 1] >= self._parameters.contact_gap)

    def _read(self, belief: Floats, gap: float, opens: bool, likelihood: Floats) -> Floats:
        if opens:
            belief = self._contact(belief, gap) * likelihood
        else:
            belief = belief @ self._turn * likelihood**self._parameters.turn_weight
        return np.asarray(belief / belief.sum())

    def _silence(self, belief: Floats, days: float) -> Floats:
        carried = [belief[..., pace, :] @ expm(quiet * days) for pace, quiet in enumerate(self._quiet)]
        stacked: Floats = np.stack(carried, axis=-2)
        return stacked

    def _contact(self, belief: Floats, gap: float) -> Floats:
        parameters, waited = self._parameters, self._silence(belief, gap)
        result = waited[..., [GONE]] * parameters.arrivals[GONE] * parameters.return_to
        result[..., :LIVE] += waited[..., :LIVE] * parameters.arrivals[:LIVE] * parameters.paces[:, None]
        return np.asarray(result @ self._stir)


def _level(belief: Floats) -> float:
    states = belief.reshape(-1, len(STATES)).sum(0)
    return float(level_of(states / states.sum()))
