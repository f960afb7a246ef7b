"""Fit the mood model to a company's own history, and keep what is found only if it foresees strangers better.

The default stays the starting point and every deviation from it is penalised, so that a little history changes little;
too little is refused. Half of the customers are held out: the fit to the other half must foresee their next messages
better than the default does. Only then is it fitted again to everybody.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa

from models.labels import DISSERVICES, INTENTS, MOODS
from pipeline.baselines import Report, averages, compare, log_losses
from pipeline.errors import SettingsError
from pipeline.fit import fit_for_tracking
from pipeline.histories import DAY, matrix, numbers
from pipeline.likelihood import foresee
from pipeline.mood_model import Floats, Integers, Parameters
from pipeline.sequences import Sequences, reading_rows

LEAST_CUSTOMERS: Final = 50
"""How many customers should have been read twice or more."""
LEAST_STEPS: Final = 200
"""How many messages should follow another of the same customer."""


def own_sequences(table: pa.Table, events: pa.Table | None = None) -> list[Sequences]:
    """Return what ``Warehouse.histories`` gives as sequences: those who rated twice by ratings, others by text.

    Each customer is in one set only, so that nothing counts twice. Where texts are the outcome, the silence until the
    sources were heard counts too, or that a customer had left by the time which ``events`` (as ``Warehouse.events``
    gives them) tell.
    """
    departures = {} if events is None else _departures(events)
    days = _days(table["sent_at"])
    ratings = numbers(table["rating"])
    readings = reading_rows(*(matrix(table, name, width) for name, width in _WIDTHS.items()))
    names = np.array(table["customer_id"].to_pylist(), dtype=object)
    rated = ~np.isnan(ratings)
    raters = {
        name for name, count in zip(*np.unique(names[rated].astype(str), return_counts=True), strict=True) if count > 1
    }
    rates = np.array([name in raters for name in names], dtype=bool)
    chosen = {"rating": rates & rated, "reading": ~rates & ~np.isnan(readings).any(1)}
    outcomes = {
        "rating": np.nan_to_num(ratings + 0.5, nan=1.0).astype(np.int64).clip(1, 5) - 1,
        "reading": np.nan_to_num(readings[:, : len(MOODS)]).argmax(1),
    }
    found = []
    for scale, here in chosen.items():
        rows = zip(names[here].tolist(), days[here].tolist(), outcomes[scale][here].tolist(), strict=True)
        one = Sequences.of(scale, scale, rows, readings[here])
        found.append(_until(one, names, table, departures) if scale == "reading" else one)
    return [one for one in found if one.later.any()]


_WIDTHS: Final = {"mood": len(MOODS), "intents": len(INTENTS), "disservices": len(DISSERVICES)}


def _days(column: pa.ChunkedArray) -> Floats:
    return np.asarray(column.cast(pa.timestamp("us")).cast(pa.int64()).to_numpy(), dtype=np.float64) / DAY


def _departures(events: pa.Table) -> dict[str, float]:
    """Return the day on which each customer left whom nothing brought back since."""
    day: dict[str, float] = {}
    names, kinds, moments = (events[name] for name in ("customer_id", "kind", "happened_at"))
    for name, kind, moment in zip(names.to_pylist(), kinds.to_pylist(), _days(moments).tolist(), strict=True):
        if kind == "left":
            day.setdefault(name, moment)
        elif kind != "refund":
            day.pop(name, None)
    return day


def _until(sequences: Sequences, names: Integers, table: pa.Table, departures: Mapping[str, float]) -> Sequences:
    """Tell until when each customer was heard, or by when they had left who wrote no more."""
    until = dict(zip(names.tolist(), _days(table["as_of"]).tolist(), strict=True))
    last = np.append(sequences.days[np.flatnonzero(~sequences.later)[1:] - 1], sequences.days[-1:])
    heard = np.fmax([until[name] for name in sequences.customers], last)
    gone = np.array([departures.get(name, np.nan) for name in sequences.customers])
    left = (gone >= last) & (gone <= heard)
    return replace(sequences, heard=np.where(left, gone, heard), left=left)


def fit_own(
    table: pa.Table, start: Parameters, say: Callable[[str], object] = str, events: pa.Table | None = None
) -> tuple[Parameters | None, Report]:
    """Return the model fitted to the history in ``table``, None where it is no better than ``start``, and the scores.

    ``events`` are what happened to these customers, of which who left counts.

    Raises:
        SettingsError: there is too little history; the message says how much there is and how much it takes.
    """
    known = own_sequences(table, events)
    _enough(known)
    sets = [one for one in known if all(half.later.any() for half in one.halves())]  # else there is nothing to judge by
    halves = [one.halves() for one in sets]
    say(f"fitting to half of {sum(len(one.customers) for one in sets):,} customers")
    trial = fit_for_tracking([seen for seen, _ in halves], start, say=say)
    scores = {
        held_out.name: _score(held_out, seen, local, start)
        for (seen, held_out), local in zip(halves, trial.local, strict=True)
    }
    gain = sum(one["steps"] * (one["default_log_loss"] - one["log_loss"]) for one in scores.values())
    if not gain > 0:
        return None, scores
    say("better than the default on the held-out half; fitting to everybody")
    found = fit_for_tracking(sets, start, say=say)
    largest = int(np.argmax([len(one.codes) for one in sets]))
    about = {
        "made_by": "moodline fit",
        "data": "this home's own history",
        "started_from": start.digest(),
        "scores": scores,
    }
    return replace(found.local[largest], about=about), scores


def _score(held_out: Sequences, seen: Sequences, fitted: Parameters, start: Parameters) -> Report:
    default = log_losses(held_out, foresee(held_out, start))[held_out.later].mean()
    report = compare(held_out, foresee(held_out, fitted), averages(held_out, seen))
    return report | {"default_log_loss": round(float(default), 4)}


def _enough(sets: list[Sequences]) -> None:
    customers = sum(len(np.unique(one.codes[one.later])) for one in sets)
    steps = sum(int(one.later.sum()) for one in sets)
    if customers < LEAST_CUSTOMERS or steps < LEAST_STEPS:
        raise SettingsError(
            f"too little history to fit: {customers} customers wrote twice or more, {steps} times after their first; "
            f"it takes {LEAST_CUSTOMERS} and {LEAST_STEPS}. The shipped model goes on serving."
        )
