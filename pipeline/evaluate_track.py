"""Judge the mood model on labelled sequences: what it foresees, whom it warns of, and whether its risks are true.

Nothing is judged on customers that were learned from. Customers fall into folds by a hash of their key; for each fold
the model is fitted to the other folds, starting from the shipped figures and held near them by the same penalties, and
every average it is held against is tuned on those other folds too. Only what came before a step is used to foresee it.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from pipeline.baselines import Report, averages, compare, interval, ranked_scores
from pipeline.errors import SourceError
from pipeline.fit import fit
from pipeline.likelihood import foresee
from pipeline.mood_model import Flags, Floats, Parameters
from pipeline.ranking import at_recall, average_precision, roc_auc, threshold_at
from pipeline.sequences import SCALES, Read, Sequences
from pipeline.slide import SlideModel
from pipeline.walk import spread

FOLDS: Final = 5
HORIZON: Final = 30.0
"""Days within which a warning must come true, or a quarter of the time the data spans, if that is less."""
RECALLS: Final = (0.25, 0.5, 0.75)
_DRAWS: Final = 2000
_RANKING_DRAWS: Final = 300
_SCALE_NAMES: Final = ", ".join(SCALES)


@dataclass(frozen=True, slots=True)
class LabelledRow:
    """One line of the file."""

    customer: str
    day: float
    outcome: int
    text: str


def read_rows(path: Path) -> tuple[str, list[LabelledRow], int]:
    """Read JSON lines: the scale of their labels, the rows, and how many copies were dropped.

    A row is ``{"customer", "time", "mood" | "rating" | "sentiment", "text" (optional)}``; time is ISO 8601, UTC where
    it says no zone, or a unix time in seconds or milliseconds. A copy is a row of the same customer with the same time,
    label and text, or, as people paste one review under several products, with the same text of five words or more.

    Raises:
        SourceError: the file cannot be read, or a line is no such row; the message names the line.
    """
    found = list(_parsed(path))
    scales = {scale for scale, _ in found}
    if len(scales) != 1:
        raise SourceError(f"{path}: expected rows labelled by one of {_SCALE_NAMES}; found {sorted(scales) or 'none'}")
    kept: dict[tuple[object, ...], LabelledRow] = {}
    for _, row in found:
        pasted = len(row.text.split()) >= 5
        kept.setdefault((row.customer, row.text) if pasted else (row.customer, row.day, row.outcome, row.text), row)
    return scales.pop(), list(kept.values()), len(found) - len(kept)


def _parsed(path: Path) -> Iterator[tuple[str, LabelledRow]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # JSON texts may hold the other ends of splitlines
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: cannot be read as UTF-8 text ({error})") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield _row(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise SourceError(
                    f"{path} line {number}: {_told(error)}; see `moodline evaluate-track --help`"
                ) from error


def _told(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _row(record: dict[str, Any]) -> tuple[str, LabelledRow]:
    if not isinstance(record, dict):
        raise TypeError("expected an object")
    labels = [name for name in SCALES if record.get(name) is not None]
    if len(labels) != 1:
        raise ValueError(f"expected one label, of {_SCALE_NAMES}; found {labels or 'none'}")
    customer = str(record["customer"]).strip()
    if not customer or record["customer"] is None:
        raise ValueError("customer is empty")
    text = record.get("text") or ""
    if not isinstance(text, str):
        raise TypeError(f"text {text!r} is not a text")
    return labels[0], LabelledRow(customer, _day(record["time"]), _outcome(labels[0], record[labels[0]]), text)


def _day(time: object) -> float:
    if isinstance(time, int | float) and _UNIX_SECONDS <= time < _UNIX_SECONDS * 1e6:
        return time / 86_400 / (1000 if time >= _UNIX_SECONDS * 1000 else 1)
    if not isinstance(time, str):
        raise TypeError(f"time {time!r} is not an ISO 8601 text nor a unix time")
    at = datetime.fromisoformat(time.strip())
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() / 86_400


_UNIX_SECONDS: Final = 1e8
"""The least unix time that is taken for seconds, in 1973; a thousand times as much counts milliseconds."""


def _outcome(scale: str, label: object) -> int:
    name = str(label).strip().lower()
    if scale == "rating":
        stars = float(name)
        if not 1 <= stars <= 5:
            raise ValueError(f"rating {label!r} is not from 1 to 5")
        return int(stars + 0.5) - 1
    if name not in SCALES[scale]:
        raise ValueError(f"{scale} {label!r} is none of {', '.join(SCALES[scale])}")
    return SCALES[scale].index(name)


def sequences_of(name: str, scale: str, rows: list[LabelledRow], read: Read | None) -> Sequences:
    """Return rows as the model takes them; ``read`` reads the texts, if any row has one."""
    has_text = read is not None and any(row.text.strip() for row in rows)
    readings = read([row.text for row in rows]) if has_text and read else None
    return Sequences.of(name, scale, [(row.customer, row.day, row.outcome) for row in rows], readings)


def judge(
    sequences: Sequences,
    start: Parameters,
    *,
    folds: int = FOLDS,
    horizon: float | None = None,
    iterations: int = 40,
    say: Callable[[str], object] = str,
) -> Report:
    """Return everything that is measured, as the command prints it.

    Raises:
        SourceError: fewer than two customers wrote twice, so there is nothing to foresee.
    """
    if len(np.unique(sequences.codes[sequences.later])) < 2:
        raise SourceError(
            f"{sequences.name}: two customers or more should have written twice; there is nothing to foresee"
        )
    span = float(np.ptp(sequences.days))
    horizon = min(HORIZON, max(span / 4, 1 / 24)) if horizon is None else horizon
    found = _cross_fitted(sequences, start, folds, horizon, iterations, say)
    report = compare(sequences, found.foreseen, found.guesses, _DRAWS)
    base = report["baselines"][report["best_baseline"]]
    return {
        "scale": sequences.scale,
        "rows": len(sequences.codes),
        **report,
        "relative": round(report["difference"] / base, 4),
        "ranked_probability_score": _ranked(sequences, found),
        "slide_warning": _slides(sequences, found, horizon),
        "calibration": _calibration(sequences, found),
        "folds": folds,
    }


@dataclass(frozen=True, slots=True, eq=False)
class _CrossFitted:
    """What was foreseen of each customer by a model and averages that never saw that customer."""

    foreseen: Floats
    """(N, kinds)"""
    guesses: dict[str, Floats]
    """(N, kinds) each"""
    slide: Floats
    """(N) the chance, just after each row, that a negative message follows within the horizon."""
    soured: Floats
    """(N) the chance that the next message, whenever it comes, is negative."""
    next_guesses: dict[str, Floats]
    """(N) the same as ``soured``, by each average."""


def _cross_fitted(
    sequences: Sequences, start: Parameters, folds: int, horizon: float, iterations: int, say: Callable[[str], object]
) -> _CrossFitted:
    fold_of = sequences.folds(folds)
    parts: list[tuple[Flags, _CrossFitted]] = []
    for fold in range(folds):
        held_out, seen = sequences.among(fold_of == fold), sequences.among(fold_of != fold)
        if len(held_out.codes):
            say(f"fold {fold + 1} of {folds}: fitting to {len(seen.customers)} customers")
            model = SlideModel.fit(seen, fit([seen], start, iterations).local[0], horizon)
            parts.append(((fold_of == fold)[sequences.codes], _foreseen(held_out, seen, model)))
    return _joined(len(sequences.codes), parts)


def _foreseen(held_out: Sequences, seen: Sequences, model: SlideModel) -> _CrossFitted:
    slide, soured = model.warnings(held_out)
    negative = held_out.kindness < 0
    more = _one_more(held_out)
    following, nexts = averages(more, seen), np.flatnonzero(more.later)
    return _CrossFitted(
        foreseen=foresee(held_out, model.parameters),
        guesses={name: guess[nexts - 1] for name, guess in following.items()},
        slide=slide,
        soured=soured,
        next_guesses={name: guess[nexts][:, negative].sum(1) for name, guess in following.items()},
    )


def _one_more(sequences: Sequences) -> Sequences:
    """Return the same with one more message of everybody, a day after the last, so that each row has a next one."""
    ends = np.flatnonzero(np.append(~sequences.later[1:], True))
    places = np.insert(np.arange(len(sequences.codes)), ends + 1, ends)
    extra = np.insert(np.zeros(len(sequences.codes)), ends + 1, 1.0)
    return replace(
        sequences,
        codes=sequences.codes[places],
        days=sequences.days[places] + extra,
        outcomes=sequences.outcomes[places],
        readings=None,
    )


def _joined(rows: int, parts: list[tuple[Flags, _CrossFitted]]) -> _CrossFitted:
    def joined(pick: Callable[[_CrossFitted], Floats]) -> Floats:
        result = np.full((rows, *pick(parts[0][1]).shape[1:]), np.nan)
        for here, part in parts:
            result[here] = pick(part)
        return result

    names = parts[0][1].guesses
    return _CrossFitted(
        foreseen=joined(lambda part: part.foreseen),
        guesses={name: joined(lambda part, name=name: part.guesses[name]) for name in names},  # type: ignore[misc]
        slide=joined(lambda part: part.slide),
        soured=joined(lambda part: part.soured),
        next_guesses={name: joined(lambda part, name=name: part.next_guesses[name]) for name in names},  # type: ignore[misc]
    )


# ---- who will write an angry message next -------------------------------------------------------------------------


def _slides(sequences: Sequences, found: _CrossFitted, horizon: float) -> Report:
    """Return how well a slide is seen coming: over everybody, over those who wrote again in time, and without the end.

    Of the last days, only who did write again in time is judged: of the others nobody knows yet. They make slides look
    commoner than they are, so the same is told of the rows that were followed for a whole horizon.
    """
    ends = np.append(~sequences.later[1:], True)
    wait = np.append(sequences.days[1:], np.inf) - sequences.days
    wait[ends] = np.inf
    negative = sequences.kindness[sequences.outcomes] < 0
    came = np.append(negative[1:], False) & (wait <= horizon)
    fine = ~negative
    wrote = fine & (wait <= horizon)
    followed = fine & (sequences.days + horizon <= sequences.days.max())
    return {
        "horizon_days": round(horizon, 3),
        **_ranking(sequences, wrote | followed, came, {"model": found.slide, **found.next_guesses}, wait),
        "among_those_who_wrote": _ranking(sequences, wrote, came, {"model": found.soured, **found.next_guesses}, wait),
        "among_those_followed": _ranking(sequences, followed, came, {"model": found.slide, **found.next_guesses}, wait),
    }


def _ranking(sequences: Sequences, here: Flags, came: Flags, scores: dict[str, Floats], wait: Floats) -> Report:
    truth, codes = came[here], sequences.codes[here]
    if truth.all() or not truth.any():
        return {"rows": int(here.sum()), "came": int(truth.sum())}
    model = scores["model"][here]
    warned = truth & (model >= threshold_at(model, truth, 0.5))
    others = {name: round(average_precision(one[here], truth), 4) for name, one in scores.items() if name != "model"}
    rates = {str(recall): at_recall(model, truth, recall) for recall in RECALLS}
    best = max(others, key=lambda name: others[name])
    return {
        "rows": int(here.sum()),
        "came": int(truth.sum()),
        "average_precision": _with_interval(average_precision, codes, truth, model),
        "average_precision_baselines": others,
        "average_precision_gain": _with_interval(_gain, codes, truth, model, scores[best][here]),
        "roc_auc": _with_interval(roc_auc, codes, truth, model),
        "precision_at_recall": {recall: round(rate, 4) for recall, (rate, _) in rates.items()},
        "false_positive_rate_at_recall": {recall: round(rate, 4) for recall, (_, rate) in rates.items()},
        "false_positive_rate_at_recall_0.5_baselines": {
            name: round(at_recall(one[here], truth, 0.5)[1], 4) for name, one in scores.items() if name != "model"
        },
        "lead_days_at_recall_0.5": round(float(np.median(wait[here][warned])), 3),
    }


def _draws_of(codes: Any) -> Iterator[Any]:  # noqa: ANN401
    """Give rows of bootstrap draws of whole customers."""
    order = np.argsort(codes, kind="stable")
    _, starts, counts = np.unique(codes[order], return_index=True, return_counts=True)
    rng = np.random.default_rng(0)
    for _ in range(_RANKING_DRAWS):
        chosen = rng.integers(0, len(starts), len(starts))
        yield order[spread(starts[chosen], counts[chosen])]


def _with_interval(measure: Callable[..., float], codes: Any, truth: Flags, *scores: Floats) -> Report:  # noqa: ANN401
    draws = [measure(*(one[rows] for one in scores), truth[rows]) for rows in _draws_of(codes)]
    low, high = np.nanquantile(draws, [0.025, 0.975])
    return {"value": round(measure(*scores, truth), 4), "interval": [round(float(low), 4), round(float(high), 4)]}


def _gain(model: Floats, other: Floats, truth: Flags) -> float:
    """Return by how much the model's average precision exceeds another's."""
    return average_precision(model, truth) - average_precision(other, truth)


# ---- scores -------------------------------------------------------------------------------------------------------


def _ranked(sequences: Sequences, found: _CrossFitted) -> Report:
    steps = sequences.later
    model = ranked_scores(sequences, found.foreseen)[steps]
    low, high = interval(model, sequences.codes[steps], _DRAWS)
    others = {name: ranked_scores(sequences, guess)[steps].mean() for name, guess in found.guesses.items()}
    return {
        "value": round(float(model.mean()), 4),
        "interval": [round(low, 4), round(high, 4)],
        "baselines": {name: round(float(score), 4) for name, score in others.items()},
    }


def _calibration(sequences: Sequences, found: _CrossFitted) -> Report:
    """Return how often a step was negative among those of about the same foreseen chance: ten bins of equal size."""
    steps = sequences.later
    chance = found.foreseen[steps][:, sequences.kindness < 0].sum(1)
    came = sequences.kindness[sequences.outcomes[steps]] < 0
    order = np.argsort(chance, kind="stable")
    bins = [part for part in np.array_split(order, 10) if len(part)]
    error = sum(len(part) * abs(chance[part].mean() - came[part].mean()) for part in bins) / len(order)
    return {
        "of": "the chance that the next message is negative",
        "expected_calibration_error": round(float(error), 4),
        "bins": [
            {"foreseen": round(float(chance[part].mean()), 4), "came": round(float(came[part].mean()), 4)}
            for part in bins
        ],
    }
