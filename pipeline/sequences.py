"""What customers said in time, already judged: what the mood model is fitted to and held against.

A row is a message with its outcome (a label, a rating, or the classifier's reading), and what the classifier read in
its text where there is one.
"""

import csv
import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.labels import MOODS, SENTIMENTS
from pipeline.echo import KINDNESS, READING, Echo
from pipeline.errors import SourceError
from pipeline.mood_model import Course, Flags, Floats, Integers, Parameters

SENTIMENT_OF_MOOD: Final = np.array([[0, 0, 1.0], [0, 0, 1.0], [0, 1.0, 0], [1.0, 0, 0], [1.0, 0, 0]])
"""Rows are the five moods; columns negative, neutral, positive."""
_KINDNESS: Final = {
    "mood": KINDNESS,
    "reading": KINDNESS,
    "sentiment": np.array([-1.0, 0.0, 1.0]),
    "rating": np.array([-1.0, -0.5, 0.0, 0.5, 1.0]),
}
SCALES: Final = {"mood": MOODS, "sentiment": SENTIMENTS, "rating": ("1", "2", "3", "4", "5")}
"""Names of the outcomes of each scale of labels."""


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """Rows of many customers, sorted by customer, then time.

    ``scale`` says what ``outcomes`` are codes of: ``mood`` (5), ``sentiment`` (3, negative first), ``rating`` (5, one
    star first), or ``reading``, where nobody judged and the likeliest mood that was read stands for the outcome.
    """

    name: str
    scale: str
    customers: tuple[str, ...]
    """Keys of the customers, sorted."""
    codes: Integers
    """N, the customer of each row."""
    days: Floats
    """N, in days since 1970, UTC."""
    outcomes: Integers
    """N."""
    readings: Floats | None = None
    """(N, 21) moods, intents, likeliest dis-service, as the classifier read each text; nan where there is none."""
    heard: Floats | None = None
    """C, until when (days since 1970) each customer was listened to; None: nobody knows, and silence is mute."""
    left: Flags | None = None
    """C, whom the company knows to have left by ``heard``."""

    @classmethod
    def of(
        cls, name: str, scale: str, rows: Iterable[tuple[str, float, int]], readings: Floats | None = None
    ) -> "Sequences":
        """Sort rows of (customer, days, outcome), ``readings`` with them; equal times keep their order."""
        given = list(rows)
        order = sorted(range(len(given)), key=lambda row: given[row][:2])
        keys = tuple(sorted({key for key, _, _ in given}))
        number = {key: code for code, key in enumerate(keys)}
        codes = np.array([number[given[row][0]] for row in order], dtype=np.int64)
        days = np.array([given[row][1] for row in order], dtype=np.float64)
        outcomes = np.array([given[row][2] for row in order], dtype=np.int64)
        return cls(name, scale, keys, codes, days, outcomes, None if readings is None else readings[order])

    @property
    def kinds(self) -> int:
        """How many outcomes the scale has."""
        return len(self.kindness)

    @property
    def kindness(self) -> Floats:
        """What each outcome means, from -1 to 1."""
        return _KINDNESS[self.scale]

    @property
    def later(self) -> Flags:
        """N, which rows follow another of the same customer: the steps that can be foreseen."""
        return np.asarray(np.diff(self.codes, prepend=-1) == 0)

    def steps(self) -> list[Integers]:
        """Return the rows of everybody's first message, second, and so on."""
        starts = np.flatnonzero(~self.later)
        counts = np.bincount(self.codes)
        return [starts[counts > step] + step for step in range(int(counts.max(initial=0)))]

    def shares(self) -> Floats:
        """Return (N, kinds), what each message turned out to be: all on its label, or as it was read."""
        if self.scale == "reading" and self.readings is not None:
            return self.readings[:, : len(MOODS)]
        return np.eye(self.kinds)[self.outcomes]

    def weights(self, parameters: Parameters) -> Floats:
        """Return (N, kinds), how much more each outcome is borne out by the row than before looking at it."""
        return self.shares() / parameters.message_prior if self.scale == "reading" else self.shares()

    def texts(self, parameters: Parameters) -> Floats:
        """Return (N, 5) readings of texts that stand beside a label; rows of nan where none does."""
        if self.readings is None or self.scale == "reading":
            return np.full((len(self.codes), len(MOODS)), np.nan)
        return self.readings[:, : len(MOODS)]

    def chosen(self, keep: Callable[[str], bool]) -> "Sequences":
        """Return the customers whose key ``keep`` accepts."""
        return self.among(np.array([keep(key) for key in self.customers], dtype=bool))

    def among(self, wanted: Flags) -> "Sequences":
        """Return the customers that ``wanted`` (C) marks."""
        rows = wanted[self.codes]
        return replace(
            self,
            customers=tuple(key for key, here in zip(self.customers, wanted, strict=True) if here),
            codes=(np.cumsum(wanted) - 1)[self.codes[rows]],
            days=self.days[rows],
            outcomes=self.outcomes[rows],
            readings=None if self.readings is None else self.readings[rows],
            heard=None if self.heard is None else self.heard[wanted],
            left=None if self.left is None else self.left[wanted],
        )

    def halves(self) -> tuple["Sequences", "Sequences"]:
        """Split customers in two by a hash of their key: (to fit, held out)."""
        return self.chosen(lambda key: _hashed(key) % 2 == 0), self.chosen(lambda key: _hashed(key) % 2 == 1)

    def folds(self, count: int) -> Integers:
        """Return C, the fold of each customer, dealt in turn by a hash of the key that shares nothing with ``halves``.

        Who wrote twice or more is dealt first, so that every fold leaves some of them to the others.
        """
        once = np.bincount(self.codes[self.later], minlength=len(self.customers)) == 0
        lots = np.array([hashlib.sha256(f"fold {key}".encode()).hexdigest() for key in self.customers])
        dealt = np.empty(len(lots), dtype=np.int64)
        dealt[np.lexsort((lots, once))] = np.arange(len(lots)) % count
        return dealt

    def course(self, parameters: Parameters) -> Course:
        """Return the rows as the filter walks them."""
        return Course.of(self.codes, self.days, np.full(len(self.codes), -1), parameters)

    def echo(self, course: Course) -> Echo:
        """Return what is known before each row."""
        return Echo.of(course, self.shares(), self.kindness, self.readings)


def _hashed(key: str) -> int:
    return hashlib.sha256(key.encode()).digest()[0]


def outcome_shares(parameters: Parameters, scale: str) -> Floats:
    """Return 6xC, the share of each outcome of ``scale`` in what a customer in each state writes."""
    if scale == "rating":
        return parameters.rating_emission
    return parameters.emission @ SENTIMENT_OF_MOOD if scale == "sentiment" else parameters.emission


def echo_weights(parameters: Parameters, scale: str) -> tuple[Floats, Floats]:
    """Return the weights of the echo, (2, F) and (2,), for ``scale``."""
    if scale == "rating":
        return parameters.echo_stars, parameters.habit_stars
    return parameters.echo_words, parameters.habit_words


def reading_rows(moods: Floats, intents: Floats, disservices: Floats) -> Floats:
    """Return (N, 21) readings from the classifier's probabilities of moods (5), intents (15) and dis-services (14)."""
    rows = np.hstack([moods, intents, disservices.max(1, keepdims=True)])
    assert rows.shape[1] == READING
    return rows


# ---- the shared data sets -----------------------------------------------------------------------------------------

Read = Callable[[Sequence[str]], Floats]
"""Reads texts: (N, 21), rows of nan for texts without a word."""


def read_airline(path: Path, read: Read | None = None) -> Sequences:
    """Read ``Tweets.csv``: sentiment of customers' tweets, newest first in the file; copies of a row count once."""
    with _open(path) as lines:
        found = {(row["name"], row["tweet_created"], row["text"]): row for row in csv.DictReader(lines)}
    rows = list(reversed(found.values()))
    readings = read([row["text"] for row in rows]) if read else None
    return Sequences.of("airline", "sentiment", map(_airline_row, rows), readings)


def _airline_row(row: dict[str, str]) -> tuple[str, float, int]:
    at = datetime.strptime(row["tweet_created"], "%d-%m-%Y %H.%M").replace(tzinfo=UTC)
    return row["name"], at.timestamp() / 86_400, SENTIMENTS.index(row["airline_sentiment"])


def read_amazon(folder: Path, read: Read | None = None) -> Sequences:
    """Read ``*_5.json``: stars that reviewers gave; one text of one reviewer counts once, however many products."""
    rows: dict[tuple[str, str], tuple[str, float, int]] = {}
    for path in sorted(folder.glob("*_5.json")):
        for review in _json_lines(path):
            key = (review["reviewerID"], review.get("reviewText", ""))
            rows.setdefault(key, (key[0], review["unixReviewTime"] / 86_400, int(review["overall"]) - 1))
    return Sequences.of("amazon", "rating", rows.values(), read([text for _, text in rows]) if read else None)


def read_amazon2023(path: Path, read: Read | None = None) -> Sequences:
    """Read ``training.jsonl``: four stars of each reviewer within one category."""
    people = [(f"{one['user_id']} {one['category']}", one["history"]) for one in _json_lines(path)]
    rows = [
        (key, review["timestamp_ms"] / 86_400_000, int(review["rating"]) - 1) for key, all_ in people for review in all_
    ]
    texts = [review.get("review_full") or "" for _, all_ in people for review in all_]
    return Sequences.of("amazon2023", "rating", rows, read(texts) if read else None)


def _open(path: Path) -> Any:  # noqa: ANN401
    if not path.exists():
        raise SourceError(f"{path} is not there; --shared should name the folder that holds airline and amazon_5core")
    return path.open(encoding="utf-8", errors="replace", newline="")


def _json_lines(path: Path) -> Iterable[dict[str, Any]]:
    with _open(path) as lines:
        yield from (json.loads(line) for line in lines)


SETS: Final = ("airline", "amazon", "amazon2023")
"""The three sets that the shipped model is fitted to."""


def read_shared(folder: Path, read: Read | None = None, texts: Collection[str] = SETS) -> list[Sequences]:
    """Read ``SETS`` from ``folder``; ``read`` reads the texts of those named in ``texts``.

    Raises:
        SourceError: a file is not there.
    """
    airline, amazon, amazon2023 = (read if name in texts else None for name in SETS)
    return [
        read_airline(folder / "airline" / "Tweets.csv", airline),
        read_amazon(folder / "amazon_5core", amazon),
        read_amazon2023(folder / "amazon2023_user_histories" / "training.jsonl", amazon2023),
    ]
