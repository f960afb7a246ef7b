"""Explanations against the release's own deletions."""

import numpy as np
import pytest

from models.explain import WORDS_AT_ONCE, explain, parts_of, without
from models.labels import DISSERVICES, INTENTS
from models.tokens import LOUD

TEXT = "Third time I ask, still no refund, and your agent was rude to me!"


def level(score):
    return float(np.dot(score.mood, [5, 4, 3, 2, 1]))


def test_every_part_is_the_difference_to_the_reading_without_it(classifier):
    found = explain(classifier, TEXT)
    whole = classifier.score([TEXT])[0]
    assert [part.text for part in found.parts] == TEXT.split()
    assert found.score == whole
    assert found.level == pytest.approx(level(whole), abs=0.02)  # int8: a text's neighbours in a batch move it a little
    for part in found.parts:
        left = classifier.score([without(TEXT, part.start, part.end)])[0]
        assert part.level == pytest.approx(level(whole) - level(left), abs=0.04)
        for label, moved in part.labels.items():
            order, head = (INTENTS, "intents") if label in INTENTS else (DISSERVICES, "disservices")
            place = order.index(label)
            assert moved == pytest.approx(getattr(whole, head)[place] - getattr(left, head)[place], abs=0.04)


def test_the_word_that_turns_the_mood_is_found(classifier):
    worst = min(explain(classifier, "The delivery was terrible today").parts, key=lambda part: part.level)
    best = max(explain(classifier, "The delivery was wonderful today").parts, key=lambda part: part.level)
    assert (worst.text, best.text) == ("terrible", "wonderful")
    assert worst.level < -0.3 < 0.3 < best.level


@pytest.mark.parametrize("words", [1, 30, 100, 600, 5000])
def test_parts_cover_every_word_once_within_the_budget(words):
    text = " ".join(f"word{number}" for number in range(words))
    spans = parts_of(text)
    assert " ".join(text[start:end] for start, end in spans) == text
    assert len(spans) <= 4 or (len(spans) + 1) * words <= WORDS_AT_ONCE + words
    assert words > 21 or len(spans) == words


def test_markers_are_no_words_and_nothing_has_no_parts():
    text = f"{LOUD} NO ANSWER at all"
    assert [text[start:end] for start, end in parts_of(text)] == ["NO", "ANSWER", "at", "all"]
    assert parts_of(" ") == []


def test_a_part_leaves_one_space_behind():
    assert without("a  b c", 3, 4) == "a c"
    assert without("a b", 0, 1) == "b"
    assert without("a", 0, 1) == ""
