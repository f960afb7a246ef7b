"""Which words moved the reading of a message: leave each out, read again, and see what changes (occlusion, Li 2016).

Every figure is a difference between two readings that the release itself gives, so nothing is approximated; words that
say the same thing twice each count little, since the other still says it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from models.classifier import Array, Classifier, Score
from models.labels import DISSERVICES, INTENTS, MOOD_LEVELS, MOODS, SENTIMENTS
from models.tokens import LOUD

WORDS_AT_ONCE: Final = 500
"""Words that one explanation may have read, deletions together: under 100 ms for up to 60 words on two quiet cores."""
FEWEST_PARTS: Final = 4
"""Parts that even the longest message is cut into."""

_WORD: Final = re.compile(r"\S+")
_LABELS: Final = (*INTENTS, *DISSERVICES)
_FIRST_LABEL: Final = len(MOODS) + len(SENTIMENTS)


@dataclass(frozen=True, slots=True)
class Part:
    """A word, or in a long message some neighbouring words, and what they did.

    ``level`` is by how much they lifted the expected mood (5 delighted to 1 furious; below zero they soured it),
    ``labels`` by how much they raised the probability of each label that the message was given.
    """

    start: int
    end: int
    text: str
    level: float
    labels: dict[str, float]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A message's reading, its expected level (5 delighted to 1 furious) and its parts in the order of the text."""

    score: Score
    level: float
    parts: tuple[Part, ...]


def explain(classifier: Classifier, text: str) -> Explanation:
    """Read a (masked) text with each of its parts left out in turn.

    A part is a word, or in a message so long that this would take too long, a run of neighbouring words.
    """
    spans = parts_of(text)
    texts = [text, *(without(text, start, end) for start, end in spans)]
    probabilities = classifier.probabilities(classifier.logits(texts))
    score = classifier.named(probabilities[:1])[0]
    given = (*score.intent_labels, *score.disservice_labels)
    levels = probabilities[:, : len(MOODS)] @ MOOD_LEVELS
    parts = tuple(
        Part(start, end, text[start:end], float(levels[0] - levels[place]), _moved(probabilities, place, given))
        for place, (start, end) in enumerate(spans, 1)
    )
    return Explanation(score, float(levels[0]), parts)


def parts_of(text: str) -> list[tuple[int, int]]:
    """Return start and end of each part of a text: words, or equal runs of words where there are too many.

    The marker of shouted words is no word.
    """
    words = [found.span() for found in _WORD.finditer(text) if found[0] != LOUD]
    most = max(FEWEST_PARTS, WORDS_AT_ONCE // (len(words) + 1) - 1)
    size = -(-len(words) // most)
    runs: list[Sequence[tuple[int, int]]] = [words[at : at + size] for at in range(0, len(words), max(size, 1))]
    return [(run[0][0], run[-1][1]) for run in runs]


def without(text: str, start: int, end: int) -> str:
    """Return the text with a part left out and the spaces around it made one."""
    return f"{text[:start].rstrip()} {text[end:].lstrip()}".strip()


def _moved(probabilities: Array, place: int, given: Sequence[str]) -> dict[str, float]:
    change = probabilities[0, _FIRST_LABEL:] - probabilities[place, _FIRST_LABEL:]
    return {label: float(change[_LABELS.index(label)]) for label in given}
