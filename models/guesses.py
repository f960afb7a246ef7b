"""What is guessed for rows: by a release, and by baselines that any release must beat."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, cast

import numpy as np

from models import metrics
from models.classifier import Array, Classifier
from models.corpora import SENTIMENT_OF_MOOD, Example
from models.labels import DISSERVICES, INTENTS, MOODS, SENTIMENTS
from models.metrics import Bools, Ints

LEVELS: Final = (2, 1, 0, -1, -2)
"""Five-point sentiment in the order of the moods, best first."""


@dataclass(frozen=True, slots=True)
class ClassGuesses:
    """One class a row: that named (its place), and the probability of each class, rows by classes."""

    named: Ints
    chances: Array

    @classmethod
    def likeliest(cls, chances: Array) -> "ClassGuesses":
        """Return the guesses that name the likeliest class of each row."""
        return cls(chances.argmax(axis=1), chances)

    def of(self, places: Ints) -> "ClassGuesses":
        """Return the guesses for some of the rows."""
        return ClassGuesses(self.named[places], self.chances[places])


@dataclass(frozen=True, slots=True)
class LabelGuesses:
    """Labels of one head, rows by labels: those given, and the probability of each."""

    given: Bools
    chances: Array

    def of(self, places: Ints) -> "LabelGuesses":
        """Return the guesses for some of the rows."""
        return LabelGuesses(self.given[places], self.chances[places])


@dataclass(frozen=True, slots=True)
class Guesses:
    """Mood, sentiment and level of each row; labels where the system guesses any."""

    mood: ClassGuesses
    sentiment: ClassGuesses
    level: ClassGuesses
    intents: LabelGuesses | None = None
    disservices: LabelGuesses | None = None

    def of(self, places: Ints) -> "Guesses":
        """Return the guesses for some of the rows."""
        intents, disservices = (part and part.of(places) for part in (self.intents, self.disservices))
        mood, sentiment, level = (head.of(places) for head in (self.mood, self.sentiment, self.level))
        return Guesses(mood, sentiment, level, intents, disservices)


def sentiment_of(row: Example) -> str | None:
    """Return the sentiment a row is labelled with, or that its mood implies; None if it has neither."""
    return row.sentiment or (SENTIMENT_OF_MOOD[row.moods[0]] if row.moods else None)


def classifier_guesses(
    classifier: Classifier, rows: Sequence[Example], progress: Callable[[int], None] | None = None
) -> Guesses:
    """Return what the release makes of the rows."""
    logits = classifier.logits([row.text for row in rows], progress)
    scores = classifier.named(classifier.probabilities(logits))
    mood, sentiment = np.array([score.mood for score in scores]), np.array([score.sentiment for score in scores])
    return Guesses(
        ClassGuesses(metrics.places([score.mood_label for score in scores], MOODS), mood),
        ClassGuesses.likeliest(sentiment),
        _levels(classifier.levels(logits)),
        LabelGuesses(
            given([score.intent_labels for score in scores], INTENTS), np.array([score.intents for score in scores])
        ),
        LabelGuesses(
            given([score.disservice_labels for score in scores], DISSERVICES),
            np.array([score.disservices for score in scores]),
        ),
    )


def _levels(chances: Array) -> ClassGuesses:
    """Name the median level, which is nearest on average."""
    return ClassGuesses((chances.cumsum(axis=1) < 0.5).sum(axis=1), chances)


def majority_guesses(rows: Sequence[Example]) -> Guesses:
    """Return the commonest mood, sentiment, level and intent of the rows for every row: what knowing nothing gives."""

    def everywhere(shares: Array) -> Array:
        return np.tile(shares, (len(rows), 1))

    def one(shares: Array) -> ClassGuesses:
        return ClassGuesses.likeliest(everywhere(shares))

    intents = everywhere(_label_shares([row.intents for row in rows], INTENTS))
    disservices = everywhere(_label_shares([row.disservices for row in rows], DISSERVICES))
    commonest = (intents == intents.max(axis=1, keepdims=True)) & (intents > 0)
    return Guesses(
        one(_shares([row.moods[0] for row in rows if row.moods], MOODS)),
        one(_shares([sentiment_of(row) for row in rows], SENTIMENTS)),
        one(_shares([row.level for row in rows], LEVELS)),
        LabelGuesses(commonest, intents),
        LabelGuesses(np.zeros(disservices.shape, dtype=bool), disservices),
    )


def vader_guesses(rows: Sequence[Example]) -> Guesses | None:
    """Return what VADER (Hutto 2014) makes of the rows, its compound score cut at the ±0.05 they advise, and at ±0.6.

    None where it is not installed. It guesses no labels.
    """
    try:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
    except ImportError:
        return None
    analyser = SentimentIntensityAnalyzer()
    compound = np.array([float(analyser.polarity_scores(row.text)["compound"]) for row in rows])
    cuts = [compound >= 0.6, compound >= 0.05, compound > -0.05, compound > -0.6]
    mood = ClassGuesses.likeliest(np.eye(5)[np.select(cuts, range(4), 4)])
    return Guesses(mood, ClassGuesses.likeliest(np.eye(3)[np.select(cuts[1:3], (2, 1), 0)]), mood)


def given(labels: Sequence[Sequence[str]], order: Sequence[str]) -> Bools:
    """Return sets of labels as an array, rows by labels in ``order``."""
    return np.array([[label in some for label in order] for some in labels], dtype=bool).reshape(-1, len(order))


def _shares(labels: Sequence[str | int | None], order: Sequence[str | int]) -> Array:
    counts = np.array([labels.count(label) for label in order], dtype=float)
    return cast(Array, counts / max(counts.sum(), 1))


def _label_shares(labels: Sequence[tuple[str, ...] | None], order: Sequence[str]) -> Array:
    judged = [some for some in labels if some is not None]
    return cast(Array, given(judged, order).mean(axis=0)) if judged else np.zeros(len(order))
